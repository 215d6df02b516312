//! Problems of the archive: what can be restored, how far behind it is, whether anybody tried.

use archive::drill::Verdict;

use super::{
    CHECK, DOCTOR, DRILL, DRILL_AGAIN, FREEZE, LIST, OPLOG, PLAN, Problem, SNAPSHOT, STATUS, Severity, VERIFY,
};
use crate::backups::SNAPSHOT as KIND_SNAPSHOT;
use crate::holdings::Holdings;
use crate::page::{length, moment};
use crate::status::Role;
use crate::status::report::{BackupReport, StatusReport};

use Severity::{Critical, Info, Warning};

/// As `alerts/source/parameters.yaml` has them.
pub(super) const STALLED_FACTOR: f64 = 5.0;
pub(super) const GAP_HORIZON_SECONDS: f64 = 3600.0;
pub(super) const OPLOG_FULL_RATIO: f64 = 0.95;
pub(super) const OVERDUE_WARNING: f64 = 1.5;
pub(super) const OVERDUE_CRITICAL: f64 = 2.5;
pub(super) const WINDOW_SHORT_RATIO: f64 = 0.9;
pub(super) const STUCK_FACTOR: f64 = 3.0;
pub(super) const STUCK_MINIMUM_SECONDS: f64 = 3_600.0;
pub(super) const STUCK_UNKNOWN_SECONDS: f64 = 86_400.0;
pub(super) const VERIFY_OVERDUE_SECONDS: f64 = 172_800.0;

pub fn problems(report: &StatusReport, now: f64) -> Vec<Problem> {
    let mut found = Vec::new();
    if report.role == Role::Archiving {
        archived(report, &mut found);
    } else if report.role == Role::Standby && !report.ready {
        let because = report.last_error.as_ref().map(|error| format!(": {}", error.what)).unwrap_or_default();
        found.push(Problem::new(
            Critical,
            "ArchiverLeaseCount",
            format!("No sidecar of this set is known to archive{because}"),
            "The one that did has not renewed its lease, and this one cannot take over. What the oplog overwrites is lost.",
            &[CHECK, DOCTOR, STATUS],
        ));
    } else if let (Role::Starting, Some(error)) = (report.role, &report.last_error) {
        found.push(Problem::new(
            Warning,
            "ArchiveStalled",
            format!("This sidecar has not started: {}", error.what),
            "Another sidecar of the set may archive meanwhile: look at its page, too.",
            &[CHECK, STATUS],
        ));
    }
    for shortfall in &report.shortfalls {
        found.push(Problem::new(
            Critical,
            "ArchiveShortfall",
            format!("The archive has lost something that it once held: {shortfall}"),
            "Somebody or a lifecycle rule removed it, or an older copy of the archive came back. Stop all expiry first.",
            &[FREEZE, VERIFY],
        ));
    }
    damage(report, &mut found);
    unverified(report, now, &mut found);
    if let Some(holdings) = &report.holdings {
        restorable(report, holdings, now, &mut found);
        snapshots(report, holdings, now, &mut found);
        drills(report, holdings, now, &mut found);
    }
    if report.repository_up == Some(false) {
        found.push(Problem::new(
            Warning,
            "RepositoryUnavailable",
            "The archive did not answer when it was last asked",
            "Nothing is lost as long as the oplog holds what is not archived: watch the headroom.",
            &[DOCTOR, CHECK],
        ));
    }
    found
}

fn archived(report: &StatusReport, found: &mut Vec<Problem>) {
    let stalled = "Nothing is lost as long as the oplog holds what is not archived: watch the headroom.";
    let (lag, target) = (report.archive_lag_seconds, report.expected.rpo_seconds);
    let is_stalled = lag.zip(target).is_some_and(|(lag, target)| lag > STALLED_FACTOR * target);
    // Right after the start nothing was read yet, which is no trouble.
    let has_begun = report.archived_through.is_some() || report.last_error.is_some();
    let reason = report.not_ready_because.as_ref().filter(|_| has_begun);
    if let (Some(lag), true) = (lag, is_stalled) {
        let because = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let what = format!("The archive is {} behind the replica set{because}", length(lag));
        found.push(Problem::new(Critical, "ArchiveStalled", what, stalled, &[STATUS, CHECK, DOCTOR]));
    } else if let Some(reason) = reason {
        let what = format!("Archiving does not advance: {reason}");
        found.push(Problem::new(Critical, "ArchiveStalled", what, stalled, &[STATUS, CHECK, DOCTOR]));
    } else if let Some((lag, target)) = lag.zip(target).filter(|(lag, target)| lag > target) {
        found.push(Problem::new(
            Warning,
            "RpoBudgetBurn",
            format!("The archive is {} behind; the objective is {}", length(lag), length(target)),
            "Look at the store and at the load of the sidecar.",
            &[STATUS, DOCTOR],
        ));
    }
    let is_full = report.server.oplog_full_ratio.is_some_and(|ratio| ratio > OPLOG_FULL_RATIO);
    let headroom = report.oplog_headroom_seconds.filter(|headroom| is_full && *headroom < GAP_HORIZON_SECONDS);
    if let Some(headroom) = headroom {
        found.push(Problem::new(
            Critical,
            "ArchiveGapImminent",
            format!("In {} the oplog overwrites what is not archived yet", length(headroom)),
            "Enlarge the oplog now; what is overwritten before it is archived can never be restored.",
            &[OPLOG, STATUS],
        ));
    }
}

/// What is wrong with objects of the archive.
fn damage(report: &StatusReport, found: &mut Vec<Problem>) {
    let verified = report.verified.iter().flat_map(|verified| &verified.findings);
    let listed = report.holdings.iter().flat_map(|holdings| &holdings.findings);
    let Some(first) = verified.chain(listed).next() else { return };
    let verified = report.verified.as_ref().map_or(0, |verified| verified.findings_total);
    let listed = report.holdings.as_ref().map_or(0, |holdings| holdings.findings_total as u64);
    let what = match verified.max(listed) {
        0 | 1 => format!("Something in the archive is damaged: {}: {}", first.object, first.problem),
        many => format!("{many} things in the archive are damaged, among them {}: {}", first.object, first.problem),
    };
    let advice = "Stop all expiry, then see what can still be restored. A new snapshot makes everything after it restorable again.";
    found.push(Problem::new(Critical, "BackupVerifyFindings", what, advice, &[FREEZE, VERIFY, SNAPSHOT]));
}

/// The listing was compared long ago; damage that was found is told by itself.
fn unverified(report: &StatusReport, now: f64, found: &mut Vec<Problem>) {
    // The first look at an archive verifies it as well.
    if report.verified.is_none() && report.holdings.is_some() {
        let what = "The archive was listed, but could not be verified";
        let advice = "An object that cannot be read makes a restore fail. See which one it is, and why (permissions, storage class, key).";
        found.push(Problem::new(Warning, "BackupVerifyOverdue", what, advice, &[VERIFY, DOCTOR]));
        return;
    }
    let Some(verified) = report.verified.as_ref().filter(|verified| verified.findings_total == 0) else { return };
    let age = verified.sound_at.as_deref().and_then(instant).map(|at| now - at);
    if let Some(age) = age.filter(|age| *age > VERIFY_OVERDUE_SECONDS) {
        let what = format!("The archive was last verified {} ago", length(age));
        let advice = "Loss in the archive would not be noticed. See why its listing cannot be read.";
        found.push(Problem::new(Warning, "BackupVerifyOverdue", what, advice, &[VERIFY, DOCTOR]));
    }
}

/// Seconds since this cluster was archived for the first time.
fn age(holdings: &Holdings, now: f64) -> Option<f64> {
    holdings.created_at.as_deref().and_then(instant).map(|created| now - created)
}

fn restorable(report: &StatusReport, holdings: &Holdings, now: f64, found: &mut Vec<Problem>) {
    let is_running = report.current_snapshot.is_some();
    let has_failed = snapshot_events(report).is_some_and(|events| events.failed_at.is_some());
    let waiting = "A snapshot is being taken: what follows its end can be restored. Wait for it.";
    let open_gap = holdings.open_gap();
    if holdings.windows.is_empty() && open_gap.is_none() {
        // The first snapshot of a new archive is on its way, unless it is tried again and again; a failure that ended the
        // process is not remembered.
        let is_old = age(holdings, now).is_some_and(|age| age > STUCK_UNKNOWN_SECONDS);
        if holdings.snapshots_total > 0 || !is_running || has_failed || is_old {
            let advice = if is_running { waiting } else { "Take a snapshot; what follows its end can be restored." };
            let next = if is_running { &[STATUS, LIST][..] } else { &[SNAPSHOT, STATUS, VERIFY] };
            found.push(Problem::new(Critical, "NothingRestorable", "Nothing can be restored", advice, next));
        }
    } else if let Some(gap) = open_gap {
        let what = format!(
            "History is lost ({}), and no snapshot after it is complete: nothing since {} can be restored",
            gap.reason,
            moment(f64::from(gap.after.seconds)),
        );
        let advice = if is_running { waiting } else { "Take a snapshot; what follows its end can be restored." };
        let next = if is_running { &[STATUS, PLAN][..] } else { &[SNAPSHOT, STATUS] };
        found.push(Problem::new(Critical, "ArchiveGap", what, advice, next));
    }
    if holdings.gaps_total > 0 && open_gap.is_none() {
        let what = match holdings.gaps_total {
            1 => "There is a gap in the history: moments in it cannot be restored".to_owned(),
            many => format!("There are {many} gaps in the history: moments in them cannot be restored"),
        };
        let advice = "A later snapshot makes what follows restorable; pin what is before the gap if it is needed.";
        found.push(Problem::new(Info, "ArchiveGap", what, advice, &[STATUS, LIST]));
    }
    // The newest one: what lies before a gap is not reached from it.
    let covered = holdings.windows.last().map(|window| float(u64::from(window.through.seconds - window.from.seconds)));
    if let Some((covered, target)) = covered.zip(report.expected.pitr_window_seconds)
        && covered < target * WINDOW_SHORT_RATIO
    {
        let what = format!("The newest restore window is {} long; it shall be {}", length(covered), length(target));
        let is_young = age(holdings, now).is_none_or(|age| age <= target);
        let (severity, advice) = if is_young && holdings.gaps_total == 0 {
            (Info, "The archive is young: the window grows.")
        } else {
            (Warning, "There is a gap, or something expired or was removed too early. It grows again.")
        };
        found.push(Problem::new(severity, "PitrWindowShort", what, advice, &[STATUS, LIST]));
    }
}

fn snapshot_events(report: &StatusReport) -> Option<&BackupReport> {
    report.backups.iter().find(|backup| backup.kind == KIND_SNAPSHOT)
}

fn snapshots(report: &StatusReport, holdings: &Holdings, now: f64, found: &mut Vec<Problem>) {
    let published = holdings.snapshots.iter().chain(&report.last_snapshot);
    let newest = published.filter_map(|snapshot| instant(&snapshot.published_at)).reduce(f64::max);
    let failed = snapshot_events(report).and_then(|events| instant(events.failed_at.as_deref()?));
    if let Some(failed) = failed.filter(|failed| newest.is_none_or(|newest| newest < *failed)) {
        let because = report.last_error.as_ref().map(|error| format!(": {}", error.what)).unwrap_or_default();
        let what = format!("The last snapshot failed {} ago{because}", length(now - failed));
        let advice = "It is tried again by itself. Older snapshots stay restorable meanwhile.";
        found.push(Problem::new(Warning, "BackupFailed", what, advice, &[CHECK, SNAPSHOT]));
    }
    stuck(report, holdings, now, found);
    let overdue = newest.zip(report.expected.snapshot_interval_seconds);
    if let Some((age, interval)) = overdue.map(|(newest, interval)| (now - newest, interval))
        && age > OVERDUE_WARNING * interval
    {
        let severity = if age > OVERDUE_CRITICAL * interval { Critical } else { Warning };
        let what = format!("The newest snapshot is {} old; one is due every {}", length(age), length(interval));
        let advice = "Restores get slower with every hour of oplog to replay, and depend on one old snapshot.";
        found.push(Problem::new(severity, "BackupOverdue", what, advice, &[SNAPSHOT, LIST]));
    }
}

/// How long the newest snapshot took is read off its moments: it is consistent from the end of its copy on.
fn stuck(report: &StatusReport, holdings: &Holdings, now: f64, found: &mut Vec<Problem>) {
    let running = snapshot_events(report).filter(|events| events.running);
    let Some(begun) = running.and_then(|events| instant(events.attempted_at.as_deref()?)) else { return };
    let newest = report.last_snapshot.as_ref().or(holdings.snapshots.first());
    let took = newest.map(|one| float(u64::from(one.end.seconds.saturating_sub(one.begin.seconds))));
    let limit = took.map_or(STUCK_UNKNOWN_SECONDS, |took| (STUCK_FACTOR * took).max(STUCK_MINIMUM_SECONDS));
    if now - begun > limit {
        let what = format!("The snapshot has been running for {}", length(now - begun));
        let advice = "See whether it advances (`current_snapshot`), and the load of the member that it reads.";
        found.push(Problem::new(Warning, "BackupStuck", what, advice, &[STATUS, CHECK]));
    }
}

fn drills(report: &StatusReport, holdings: &Holdings, now: f64, found: &mut Vec<Problem>) {
    let advice = "A backup that was never restored is a hope.";
    let Some(newest) = holdings.drills.first() else {
        if !holdings.windows.is_empty() {
            let due = report.expected.drill_interval_seconds.map(|interval| OVERDUE_WARNING * interval);
            let is_overdue = due.zip(age(holdings, now)).is_some_and(|(due, age)| age > due);
            let severity = if is_overdue { Warning } else { Info };
            let what = "No drill has ever proven that this archive can be restored";
            found.push(Problem::new(severity, "RestoreDrillOverdue", what, advice, &[DRILL]));
        }
        return;
    };
    if matches!(newest.verdict, Verdict::Fail | Verdict::Inconclusive) {
        let why = newest.reasons.first().map(|reason| format!(": {reason}")).unwrap_or_default();
        let what = format!("The newest drill is {}{why}", newest.verdict);
        let advice = "Treat the archive as not restorable until a drill passes.";
        found.push(Problem::new(Warning, "RestoreDrillFailed", what, advice, &[VERIFY, DRILL_AGAIN]));
    }
    let target = report.expected.rto_seconds.or(newest.recovery_time_objective_seconds.map(float));
    let took = newest.recovery_time_seconds.map(float);
    if let Some((took, target)) = took.zip(target).filter(|(took, target)| took > target) {
        let what = format!("The newest drill took {}; the objective is {}", length(took), length(target));
        let advice = "More frequent snapshots leave less oplog to replay.";
        found.push(Problem::new(Warning, "RestoreDrillRtoExceeded", what, advice, &[PLAN, DRILL]));
    }
    // The drills are the newest few only: an older one that passed is overdue all the more.
    let passed = holdings.drills.iter().find(|drill| drill.has_passed());
    let age = passed.and_then(|drill| instant(&drill.finished_at)).map(|at| now - at);
    if let Some(interval) = report.expected.drill_interval_seconds
        && age.is_none_or(|age| age > OVERDUE_WARNING * interval)
    {
        let since =
            age.map_or("no recent drill has passed".to_owned(), |age| format!("the last one was {} ago", length(age)));
        let what = format!("A drill shall pass every {}; {since}", length(interval));
        found.push(Problem::new(Warning, "RestoreDrillOverdue", what, advice, &[DRILL]));
    }
}

fn instant(text: &str) -> Option<f64> {
    metrics::backup::instant(text)
}

fn float(value: u64) -> f64 {
    metrics::sample::float(value)
}
