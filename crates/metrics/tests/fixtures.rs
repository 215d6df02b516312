//! What real replies become: every sample of every recorded server, in text.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bson::Document;
use metrics::hello::{ServerRole, arbiter_samples, role};
use metrics::{Samples, Value, databases, replication, server_status};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn reply(name: &str) -> Document {
    let path = folder("fixtures").join(format!("{name}.bson"));
    Document::from_reader(&mut &std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))[..])
        .unwrap()
}

fn text(samples: &Samples) -> String {
    let mut lines: Vec<String> = Vec::new();
    for sample in &samples.0 {
        let labels: Vec<String> =
            sample.metric.labels.iter().zip(&sample.labels).map(|(name, value)| format!("{name}={value:?}")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let value = match &sample.value {
            Value::Number(value) => format!("{value}"),
            Value::Histogram(histogram) => {
                format!("count {} sum {} cumulative {:?}", histogram.count, histogram.sum, histogram.cumulative)
            }
        };
        lines.push(format!("{}{labels} {value}", sample.metric.name));
    }
    lines.sort();
    lines.iter().fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").unwrap();
        text
    })
}

/// Compares with the file, or writes it when told to.
fn assert_golden(name: &str, samples: &Samples) {
    let path = folder("golden").join(format!("{name}.txt"));
    let text = text(samples);
    if std::env::var_os("TIDEMARK_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{name}: TIDEMARK_BLESS=1 writes what is right now");
}

fn in_a_set(name: &str, config: &str) -> Samples {
    let mut samples = server_status::samples(&reply(&format!("{name}.serverStatus")));
    let (status, config) = (reply(&format!("{name}.replSetGetStatus")), reply(config));
    samples.extend(replication::samples(&status, Some(&config), &mut replication::Memory::default()));
    samples
}

#[test]
fn members_of_a_set() {
    for name in ["primary", "secondary", "arbiter"] {
        assert_golden(name, &in_a_set(name, "primary.replSetGetConfig"));
    }
    assert_golden("syncing", &in_a_set("syncing", "syncing.replSetGetConfig"));
}

#[test]
fn servers_outside_of_a_set_have_nothing_about_one() {
    for name in ["standalone", "uninitiated"] {
        let samples = server_status::samples(&reply(&format!("{name}.serverStatus")));
        assert!(!text(&samples).contains("replset"), "{name}");
        assert_golden(name, &samples);
    }
}

#[test]
fn roles_are_told_by_hello() {
    let roles = [
        ("primary", ServerRole::DataBearing),
        ("secondary", ServerRole::DataBearing),
        ("delayed", ServerRole::DataBearing),
        ("arbiter", ServerRole::Arbiter),
        ("syncing", ServerRole::OtherMember),
        ("uninitiated", ServerRole::Uninitiated),
        ("standalone", ServerRole::Standalone),
    ];
    for (name, expected) in roles {
        assert_eq!(role(&reply(&format!("{name}.hello"))), expected, "{name}");
    }
    assert_golden("arbiter-without-credentials", &arbiter_samples(&reply("arbiter.hello")));
}

#[test]
fn sizes() {
    let mut samples = databases::samples(4, &[("shop".to_owned(), reply("primary.dbStats"))]);
    samples.extend(databases::oplog_samples("rs0", &reply("primary.oplogStats")));
    assert_golden("sizes", &samples);
}
