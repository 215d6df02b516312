//! What the metrics of replication say while a set changes: a member that lags on purpose, a primary that steps down, a clock that is
//! set, and a server that is only reached by TLS.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bson::doc;
use support::fill;
use support::watched::{Watched, is, value};
use testkit::{ReplicaSet, Standalone};
use tokio::time::Instant;

mod support;

const LIMIT: Duration = Duration::from_mins(1);

fn of_member(text: &str, name: &str, set: &ReplicaSet, member: &str) -> Option<f64> {
    value(text, &format!("{name}{{replset=\"{}\",member=\"{member}\"}}", set.set_name))
}

/// All values of a metric, whatever its labels.
fn all(text: &str, name: &str) -> Vec<f64> {
    let lines = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_delayed_on_purpose_lags_and_has_no_excess_lag() -> Result<()> {
    const DELAY: i32 = 6;
    let set = ReplicaSet::builder().members(3).start().await?;
    set.set_election_timeout(Duration::from_secs(30)).await?;
    let (primary, hosts) = (set.primary().await?, set.hosts());
    let delayed = (primary + 1) % 3;
    let admin = set.client().database("admin");
    let mut config = admin.run_command(doc! { "replSetGetConfig": 1 }).await?.get_document("config")?.clone();
    config.insert("version", config.get_i32("version")? + 1);
    let member = config.get_array_mut("members")?.get_mut(delayed).and_then(bson::Bson::as_document_mut);
    member.context("a member")?.extend(doc! { "priority": 0, "hidden": true, "secondaryDelaySecs": DELAY });
    admin.run_command(doc! { "replSetReconfig": config }).await?;

    let watched = Watched::start(&set.uri(), Some(&hosts[primary]));
    let lag =
        |text: &str, name: &str| of_member(text, &format!("tidemark_replset_member_{name}"), &set, &hosts[delayed]);
    let (mut written, deadline) = (0, Instant::now() + LIMIT);
    let mut worst: f64 = 0.0;
    loop {
        fill(&set, "shop", "orders", written, 1, 10).await?;
        written += 1;
        let text = watched.scrape();
        if let (Some(raw), Some(excess)) = (lag(&text, "lag_seconds"), lag(&text, "excess_lag_seconds")) {
            worst = worst.max(raw);
            ensure!(excess <= (raw - f64::from(DELAY)).max(0.0) + 0.01, "{raw} s of lag, {excess} s of it in excess");
            if raw >= f64::from(DELAY) - 1.0 && excess < 1.0 {
                break;
            }
        }
        ensure!(Instant::now() < deadline, "its lag was at most {worst} s: {text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let text = watched.scrape();
    let info = text.lines().find(|line| {
        line.starts_with("tidemark_replset_member_info{") && line.contains(&format!("member=\"{}\"", hosts[delayed]))
    });
    let info = info.context("it is described")?;
    ensure!(info.contains("hidden=\"true\"") && info.contains(&format!("delay_seconds=\"{DELAY}\"")), "{info}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_down_shows_another_primary_and_no_lag_that_is_none() -> Result<()> {
    let set = ReplicaSet::builder().members(3).start().await?;
    let (before, hosts) = (set.primary().await?, set.hosts());
    // The primary has the lag of nobody but those who follow it.
    let watched = Watched::start(&set.uri(), Some(&hosts[before]));
    let state = format!("tidemark_replset_self_state{{replset=\"{}\"}}", set.set_name);
    let has_primary = format!("tidemark_replset_has_primary{{replset=\"{}\"}}", set.set_name);
    watched.until("it is primary", LIMIT, |text| is(text, &state, 1.0)).await?;
    fill(&set, "shop", "orders", 0, 10, 10).await?;
    let started = Instant::now();
    let after = set.step_down().await?;
    ensure!(after != before, "another one is primary");
    let mut seen = false;
    while !seen {
        let text = watched.scrape();
        for lag in all(&text, "tidemark_replset_member_lag_seconds") {
            // An old primary behind which the others seem to be would be years, and one in front of the new one negative.
            ensure!(lag >= 0.0 && lag <= started.elapsed().as_secs_f64() + 60.0, "a lag of {lag} s: {text}");
        }
        seen = is(&text, &state, 2.0) && is(&text, &has_primary, 1.0);
        ensure!(started.elapsed() < LIMIT, "{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let text = watched.scrape();
    let new_state = of_member(&text, "tidemark_replset_member_state", &set, &hosts[after]);
    ensure!(new_state == Some(1.0), "the new primary is not shown: {text}");
    let lags = |text: &str| all(text, "tidemark_replset_member_lag_seconds");
    watched
        .until("they follow the new one", LIMIT, |text| {
            lags(text).len() == 3 && lags(text).iter().all(|lag| *lag < 1.0)
        })
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_reached_by_tls_is_watched_and_a_foreign_certificate_is_no_server() -> Result<()> {
    let certificates = testkit::mongod::temp_folder("certificates")?;
    testkit::certificate::write(certificates.path())?;
    let path = |name: &str| certificates.path().join(name).display().to_string();
    let arguments = [
        "--tlsMode".to_owned(),
        "preferTLS".to_owned(),
        "--tlsCertificateKeyFile".to_owned(),
        path("server.pem"),
        "--tlsCAFile".to_owned(),
        path("ca.pem"),
        "--tlsAllowConnectionsWithoutCertificates".to_owned(),
    ];
    let server = Standalone::start_with(&arguments.each_ref().map(String::as_str)).await?;
    let watched = Watched::start(&format!("{}&tls=true&tlsCAFile={}", server.uri(), path("ca.pem")), None);
    watched.until("it is up", LIMIT, |text| is(text, "tidemark_mongod_up", 1.0)).await?;
    let trusts_others = Watched::start(&format!("{}&tls=true", server.uri()), None);
    let text = trusts_others.until("it is refused", LIMIT, |text| value(text, "tidemark_mongod_up").is_some()).await?;
    ensure!(is(&text, "tidemark_mongod_up", 0.0), "{text}");
    Ok(())
}
