//! Problems of the server, its replica set and its disk, and of the looking itself.

use super::of_archive::OPLOG_FULL_RATIO;
use super::{CHECK, CLOCKS, LAGS, MEMBERS, OPLOG, Problem, Severity, VOLUME};
use crate::page::length;
use crate::status::report::StatusReport;

use Severity::{Critical, Warning};

/// As `alerts/source/parameters.yaml` has them.
pub(super) const LAG_WARNING_SECONDS: f64 = 60.0;
pub(super) const LAG_CRITICAL_SECONDS: f64 = 300.0;
pub(super) const LAG_OF_WINDOW_RATIO: f64 = 0.5;
pub(super) const MAJORITY_LAG_SECONDS: f64 = 30.0;
pub(super) const CLOCK_SKEW_SECONDS: f64 = 2.0;
pub(super) const OPLOG_WINDOW_SECONDS: f64 = 86400.0;
pub(super) const OPLOG_WINDOW_CRITICAL_SECONDS: f64 = 7200.0;
pub(super) const DISK_WARNING_RATIO: f64 = 0.15;
pub(super) const DISK_CRITICAL_RATIO: f64 = 0.03;

pub fn problems(report: &StatusReport) -> Vec<Problem> {
    let mut found = Vec::new();
    let server = &report.server;
    if server.up == Some(false) {
        let what = "The server beside this sidecar does not answer";
        let advice = "The other members show more; their sidecars may archive.";
        found.push(Problem::new(Critical, "MongodDown", what, advice, &[CHECK, MEMBERS]));
    } else if server.authorized == Some(false) {
        let what = "The server refuses this sidecar something that it reads";
        let advice = "User, password or a role changed; what is missing is in the log of the sidecar.";
        found.push(Problem::new(Warning, "MongodAccessDenied", what, advice, &[CHECK]));
    }
    if server.has_primary == Some(false) {
        let what = "The replica set has no primary: nothing can be written";
        let advice = "Count the voters that are up; bring members back.";
        found.push(Problem::new(Critical, "ReplsetNoPrimary", what, advice, &[MEMBERS]));
    }
    members(report, &mut found);
    voters(report, &mut found);
    if let Some(skew) = server.clock_skew_seconds.filter(|skew| skew.abs() > CLOCK_SKEW_SECONDS) {
        let side = if skew > 0.0 { "ahead of" } else { "behind" };
        let what = format!("The clock of the server is {} {side} the one of this sidecar", length(skew.abs()));
        let advice = "Restore to a cluster time, or allow for it: a wall clock time meets another moment. See which clock is wrong.";
        found.push(Problem::new(Warning, "ClockSkew", what, advice, &[CLOCKS]));
    }
    if let Some(lag) = server.majority_commit_lag_seconds.filter(|lag| *lag > MAJORITY_LAG_SECONDS) {
        let what = format!("Majority writes wait: the commit point is {} behind", length(lag));
        let advice = "A majority of the voters is slow or away. What is not committed is not archived either.";
        found.push(Problem::new(Critical, "MajorityCommitStalled", what, advice, &[LAGS, MEMBERS]));
    }
    let window = server.oplog_window_seconds.zip(server.oplog_full_ratio);
    if let Some((window, _)) =
        window.filter(|(window, full)| *full > OPLOG_FULL_RATIO && *window < OPLOG_WINDOW_SECONDS)
    {
        let severity = if window < OPLOG_WINDOW_CRITICAL_SECONDS { Critical } else { Warning };
        let what = format!("The oplog holds no more than {}", length(window));
        let advice =
            "A member that is away for longer must be synchronised anew, and an archive that stalls has a gap.";
        found.push(Problem::new(severity, "OplogWindowShort", what, advice, &[OPLOG]));
    }
    if let Some(volume) = report.data_volume.filter(|volume| volume.size_bytes > 0.0) {
        let free = volume.free_bytes / volume.size_bytes;
        if free < DISK_WARNING_RATIO {
            let severity = if free < DISK_CRITICAL_RATIO { Critical } else { Warning };
            let what = format!("The volume with the server's data is {:.0} % full", (1.0 - free) * 100.0);
            let advice = "Enlarge the volume; a server without space stops.";
            found.push(Problem::new(severity, "DiskFilling", what, advice, &[VOLUME]));
        }
    }
    stale(report, &mut found);
    found
}

fn members(report: &StatusReport, found: &mut Vec<Problem>) {
    let names = |state: &str| -> Vec<&str> {
        report.members.iter().filter(|member| member.state == state).map(|member| member.name.as_str()).collect()
    };
    let away: Vec<&str> = report
        .members
        .iter()
        .filter(|member| member.healthy == Some(false))
        .map(|member| member.name.as_str())
        .collect();
    if !away.is_empty() {
        let what = format!("Not reachable for the server beside this sidecar: {}", away.join(", "));
        let advice = "Is it down, or cut off? Without a majority there is no primary.";
        found.push(Problem::new(Warning, "ReplsetMemberUnhealthy", what, advice, &[MEMBERS]));
    }
    for (state, runbook, severity, advice) in [
        ("ROLLBACK", "ReplsetRollback", Critical, "Writes of that member are taken back: save its rollback folder."),
        ("RECOVERING", "ReplsetMemberBadState", Warning, "It neither votes for commits nor serves reads."),
        ("REMOVED", "ReplsetMemberBadState", Warning, "The configuration of the set does not name it any more."),
    ] {
        let named = names(state);
        if !named.is_empty() {
            let what = format!("In state {state}: {}", named.join(", "));
            found.push(Problem::new(severity, runbook, what, advice, &[MEMBERS]));
        }
    }
    let lags = report.members.iter().filter_map(|member| Some((member.excess_lag_seconds?, member)));
    if let Some((lag, member)) =
        lags.max_by(|(a, _), (b, _)| a.total_cmp(b)).filter(|(lag, _)| *lag > LAG_WARNING_SECONDS)
    {
        let severity = if lag > LAG_CRITICAL_SECONDS { Critical } else { Warning };
        let what = format!("{} is {} behind the primary", member.name, length(lag));
        let is_full = report.server.oplog_full_ratio.is_some_and(|full| full > OPLOG_FULL_RATIO);
        let window = report.server.oplog_window_seconds.filter(|window| is_full && lag > LAG_OF_WINDOW_RATIO * window);
        if let Some(window) = window {
            let what = format!("{what}, and the oplog holds no more than {}", length(window));
            let advice = "Beyond the window it must be synchronised anew: enlarge the oplog of the primary now.";
            found.push(Problem::new(Critical, "ReplicationLagVsOplog", what, advice, &[LAGS, OPLOG]));
        } else {
            let advice = "Disk, load or network of that member; it may fall off the oplog.";
            found.push(Problem::new(severity, "ReplicationLagHigh", what, advice, &[LAGS, MEMBERS]));
        }
    }
}

/// As many healthy voters as a majority needs, in a set of three and more.
fn voters(report: &StatusReport, found: &mut Vec<Problem>) {
    let voters = || report.members.iter().filter(|member| member.votes == Some(true));
    let healthy = voters().filter(|member| member.healthy == Some(true)).count();
    let is_known = voters().all(|member| member.healthy.is_some());
    if is_known && voters().count() >= 3 && healthy <= voters().count() / 2 + 1 {
        let what =
            format!("{healthy} of {} voters are healthy: one less, and nothing can be written", voters().count());
        let advice = "Bring the others back before anything else is restarted.";
        found.push(Problem::new(Warning, "ReplsetMajorityAtRisk", what, advice, &[MEMBERS]));
    }
}

/// What is shown may not be so any more.
fn stale(report: &StatusReport, found: &mut Vec<Problem>) {
    let old = report.stale_collectors();
    if !old.is_empty() {
        let what = format!("What is shown here is stale: no news lately from {}", old.join(", "));
        let advice = "Server, disk or store does not answer this sidecar in time. Its log says more.";
        found.push(Problem::new(Warning, "CollectorStale", what, advice, &[CHECK]));
    }
}
