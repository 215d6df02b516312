//! What is wrong, how bad that is, and what to do next: pure conclusions from a report.
//!
//! The conditions are those of the alert rules (`alerts/source/`) at this very moment, without their waiting times: the
//! page is looked at when something happens. What only shows over time (rates, elections within an hour) is not here. Each
//! names its runbook (`docs/runbooks/<name>.md`) and commands to paste.

use serde::Serialize;

use super::Role;
use super::report::StatusReport;
use crate::page::moment;

mod of_archive;
mod of_server;
#[cfg(test)]
pub mod tests;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Act now.
    Critical,
    /// In the coming hours.
    Warning,
    /// Good to know; the verdict does not change for it.
    Info,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub severity: Severity,
    /// Page in `docs/runbooks/`.
    pub runbook: &'static str,
    /// The same page where `--runbook-base` says that it is served.
    pub runbook_url: Option<String>,
    /// One sentence for a person.
    pub what: String,
    pub advice: &'static str,
    /// Commands that help to see or to mend it, first the one to begin with. They expect `TIDEMARK_ARCHIVE` and
    /// `TIDEMARK_LINEAGE` (`dr-cli`) or `TIDEMARK_URI` (`sidecar`, `mongosh`).
    pub next: Vec<&'static str>,
}

/// What somebody wants to know first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Good,
    Attention,
    ActNow,
    /// Too little is known to say that all is well.
    Unknown,
    /// Another sidecar archives: its page shows what can be restored.
    StandingBy,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusVerdict {
    pub level: Level,
    pub headline: String,
}

const STATUS: &str = "dr-cli status";
const CHECK: &str = "sidecar check";
const SNAPSHOT: &str = "sidecar snapshot";
const DOCTOR: &str = "dr-cli doctor";
const VERIFY: &str = "dr-cli verify --level list";
const FREEZE: &str = r#"dr-cli freeze --reason "damage found""#;
const LIST: &str = "dr-cli list";
const PLAN: &str = "dr-cli plan --to latest";
const DRILL: &str = "dr-cli drill --to latest --trigger manual";
const DRILL_AGAIN: &str = "dr-cli drill --trigger post-incident";
const MEMBERS: &str = r#"mongosh "$TIDEMARK_URI" --quiet --eval 'rs.status().members.forEach(m => print(m.name, m.stateStr, m.health, m.lastHeartbeatMessage || ""))'"#;
const LAGS: &str = r#"mongosh "$TIDEMARK_URI" --quiet --eval 'rs.printSecondaryReplicationInfo()'"#;
const OPLOG: &str = r#"mongosh "$TIDEMARK_URI" --quiet --eval 'const o = db.getReplicationInfo(); print(o.usedMB, o.logSizeMB, o.timeDiffHours)'"#;
const VOLUME: &str = "df -h";
const CLOCKS: &str = r#"date -u; mongosh "$TIDEMARK_URI" --quiet --eval 'print(db.hello().localTime.toISOString())'"#;

impl Problem {
    fn new(
        severity: Severity,
        runbook: &'static str,
        what: impl Into<String>,
        advice: &'static str,
        next: &[&'static str],
    ) -> Self {
        Self { severity, runbook, runbook_url: None, what: what.into(), advice, next: next.to_vec() }
    }
}

/// Worst first; of the same severity in the order of what a restore needs. `now`: seconds since 1970.
pub fn find(report: &StatusReport, now: f64) -> Vec<Problem> {
    let mut problems = of_archive::problems(report, now);
    problems.extend(of_server::problems(report));
    problems.sort_by_key(|problem| problem.severity);
    problems
}

/// The worst problem, or that there is none as far as anybody can see from here.
pub fn verdict(report: &StatusReport) -> StatusVerdict {
    let says = |level, headline: String| StatusVerdict { level, headline };
    let worst = report.problems.first();
    let count = report.problems.iter().filter(|problem| problem.severity != Severity::Info).count();
    let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
    match worst {
        Some(Problem { severity: Severity::Critical, what, .. }) => says(Level::ActNow, format!("{what}{more}")),
        Some(Problem { severity: Severity::Warning, what, .. }) => says(Level::Attention, format!("{what}{more}")),
        _ => match report.role {
            Role::Watching => says(Level::Good, "Watching an arbiter, which holds no data".to_owned()),
            Role::Starting => says(Level::Unknown, "Not known yet: server and archive are being opened".to_owned()),
            Role::Standby => says(
                Level::StandingBy,
                "Standing by: another sidecar archives and knows what can be restored".to_owned(),
            ),
            Role::Archiving => archiving(report),
        },
    }
}

/// Without any problem; green only when everything that it rests on is known.
fn archiving(report: &StatusReport) -> StatusVerdict {
    let unknown = |what: &str| StatusVerdict { level: Level::Unknown, headline: format!("Not known yet: {what}") };
    let Some(holdings) = &report.holdings else { return unknown("the archive was not listed so far") };
    if holdings.windows.is_empty() {
        return unknown("nothing can be restored before the first snapshot is complete; it is being taken");
    }
    if !report.ready || report.archive_lag_seconds.is_none() {
        return unknown("how far the archive is behind the replica set");
    }
    if report.server.up.is_none() || report.members.is_empty() {
        return unknown("how the replica set is");
    }
    let written = |at: archive::ClusterTime| moment(f64::from(at.seconds));
    let newest = holdings.windows.last().map(|window| [window.from, window.through].map(written));
    let [from, through] = newest.unwrap_or_default();
    let older = holdings.windows.first().map(|window| written(window.from)).unwrap_or_default();
    let before = match holdings.gaps_total {
        0 => ", without a gap".to_owned(),
        1 => format!("; before that, but for one gap, back to {older}"),
        many => format!("; before that, but for {many} gaps, back to {older}"),
    };
    let headline = format!("Any moment from {from} through {through} can be restored{before}");
    StatusVerdict { level: Level::Good, headline }
}
