//! Every panel of the dashboards shows something of a run in which everything happened.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use e2e::monitoring::{Watch, repository};
use serde_json::Value;
use testkit::fetched;

/// How far apart Grafana would draw points.
const INTERVAL: &str = "15s";

/// The queries of one dashboard's panels, as for this replica set.
fn queries(set: &str) -> Result<Vec<Value>> {
    let mut command = Command::new("python3");
    command.arg("-B").arg(repository("dashboards/queries.py")).args(["--set", set, "--interval", INTERVAL]);
    command.env("PYTHONPATH", fetched::folder("fetch-pyyaml.sh")?);
    let output = command.output().context("run dashboards/queries.py")?;
    ensure!(output.status.success(), "dashboards/queries.py: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("dashboards/queries.py prints a list")
}

/// What one set does not have, another one may: gaps and drills, or secondaries.
pub async fn have_data(watch: &Watch, sets: &[&str]) -> Result<()> {
    let all = sets.iter().map(|set| queries(set)).collect::<Result<Vec<_>>>()?;
    let first = all.first().context("a set")?;
    ensure!(first.len() > 50 && all.iter().all(|one| one.len() == first.len()), "{} queries", first.len());
    let (mut without, mut excused) = (Vec::new(), 0);
    for (index, query) in first.iter().enumerate() {
        let mut has_data = false;
        for one in &all {
            let expression = one[index]["expr"].as_str().context("an expression")?;
            has_data |= !watch.prometheus.query(expression).await?.is_empty();
        }
        let name = format!("{} / {} / {}: {}", query["dashboard"], query["panel"], query["ref"], query["expr"]);
        match query["may_be_empty"].as_str() {
            _ if has_data => {}
            Some(_) => excused += 1,
            None => without.push(name),
        }
    }
    ensure!(without.is_empty(), "{} panels without data:\n{}", without.len(), without.join("\n"));
    println!("{} queries of panels have data, {excused} have none by nature", first.len() - excused);
    Ok(())
}
