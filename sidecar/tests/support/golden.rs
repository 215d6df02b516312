//! Golden scrapes: names, types and labels of what is served, which rules, dashboards and runbooks are checked against.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::time::Instant;

const LIMIT: Duration = Duration::from_mins(1);

/// One line for each series: name, type and labels. What differs from run to run has a placeholder.
fn shape(text: &str) -> String {
    let mut types = BTreeMap::new();
    let mut lines = BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            types.insert(name.to_owned(), kind.to_owned());
        } else if !line.starts_with('#') {
            let series = line.rsplit_once(' ').unwrap().0;
            let (full, labels) = series.split_once('{').unwrap_or((series, ""));
            let stem = |suffix: &str| full.strip_suffix(suffix).filter(|stem| types.contains_key(*stem));
            let name = ["_bucket", "_sum", "_count"].into_iter().find_map(stem).unwrap_or(full);
            let labels: Vec<String> = labels.trim_end_matches('}').split("\",").filter_map(label).collect();
            lines.insert(format!("{name} {} {}", types[name], labels.join(" ")).trim_end().to_owned());
        }
    }
    lines.into_iter().collect::<Vec<_>>().join("\n") + "\n"
}

fn label(text: &str) -> Option<String> {
    let (name, value) = text.split_once("=\"")?;
    let value = match name {
        "le" => return None,
        "member" | "sync_source" => "HOST:PORT",
        "version" | "fcv" => "VERSION",
        "lineage" => "LINEAGE",
        _ => value.trim_end_matches('"'),
    };
    Some(format!("{name}={value}"))
}

pub fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Waits until the scrape has the shape of the golden one; with `TIDEMARK_BLESS` until it rests, and writes it.
pub async fn assert_golden(role: &str, mut scrape: impl AsyncFnMut() -> Result<String>) -> Result<()> {
    let path = golden_folder().join(format!("{role}.txt"));
    let is_blessing = std::env::var_os("TIDEMARK_BLESS").is_some();
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let (deadline, mut last, mut since) = (Instant::now() + LIMIT, String::new(), Instant::now());
    loop {
        let text = scrape().await?;
        let now = shape(&text);
        if now == golden && !is_blessing {
            return promtool(&text);
        }
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if is_blessing && since.elapsed() > Duration::from_secs(8) {
            std::fs::write(&path, &last)?;
            return promtool(&text);
        }
        if Instant::now() > deadline {
            let (found, wanted): (BTreeSet<_>, BTreeSet<_>) = (last.lines().collect(), golden.lines().collect());
            let more: Vec<_> = found.difference(&wanted).collect();
            let less: Vec<_> = wanted.difference(&found).collect();
            anyhow::bail!(
                "{role}: not in the golden scrape: {more:#?}\nmissing: {less:#?}\nTIDEMARK_BLESS=1 writes what is there"
            );
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// `promtool check metrics` has nothing to say.
pub fn promtool(text: &str) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/fetch-prometheus.sh");
    let found = Command::new(script).output()?;
    ensure!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    let folder = String::from_utf8(found.stdout)?;
    let mut promtool = Command::new(Path::new(folder.trim()).join("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    promtool.stdin.take().context("no stdin")?.write_all(text.as_bytes())?;
    let output = promtool.wait_with_output()?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
    Ok(())
}
