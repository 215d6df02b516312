//! Our rules with times that a test can wait for.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use testkit::fetched;

use super::repository;

/// A minute of the rules is a second here.
pub const SCALE: u64 = 60;
/// Seconds that a range has at least: some scrapes.
const FLOOR: u64 = 10;

/// Thresholds in the units of things that do not become faster with the rules: servers, sidecars, people at work.
const PARAMETERS: [&str; 11] = [
    "lag_warning_seconds=5",
    "lag_critical_seconds=15",
    // The objective in these tests is 5 s (`site`): stalled after 10 s.
    "stalled_factor=2",
    "archive_idle_seconds=60",
    "collscans=5",
    // A tenth of a tiny oplog is cut at once, so that it is never as full as a real one.
    "oplog_full_ratio=0.5",
    // The disk of this machine is no server's.
    "disk_warning_ratio=0",
    "disk_critical_ratio=0",
    // An outage of seconds is a large share of the minutes that there are: budgets burn as they never do in production.
    // With these no window can burn fast enough to page; the burn rates are shown by `alerts/tests/slo.yaml`.
    "rpo_objective=0.8",
    "latency_objective=0.8",
    "writes_objective=0.8",
];

/// What `alerts/render.py` makes of its source.
pub fn render() -> Result<String> {
    let packages = fetched::folder("fetch-pyyaml.sh")?;
    let mut render = Command::new("python3");
    render.arg("-B").arg(repository("alerts/render.py")).env("PYTHONPATH", packages);
    render.args(["--scale", &SCALE.to_string(), "--floor", &FLOOR.to_string()]);
    for parameter in PARAMETERS {
        render.args(["--set", parameter]);
    }
    let output = render.output().context("run alerts/render.py")?;
    ensure!(output.status.success(), "alerts/render.py: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("rules are text")
}

/// Of a duration with one unit, as rules and routes have them.
pub fn seconds(duration: &str) -> Option<u64> {
    let unit = duration.chars().last()?;
    let number: u64 = duration.strip_suffix(unit)?.parse().ok()?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    Some(number * factor)
}
