//! A drill that a Job of the chart does in the cluster that Terraform made: what the Job is told, and how its report becomes
//! part of ours. The cluster is not reached from here, so what is compared and asked there is taken from that report.

use archive::drill::{DrillReport, Phase};
use archive::plan::RestorePlan;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::DrillOptions;
use crate::failure::{Failure, FailureKind, Result};
use crate::kubernetes::{JobDrill, JobResult, Recovery};

const RESTORE: &str = "restore";
/// From the installed chart to the Job's drill, and from its end to our noticing it.
const AROUND: &str = "job around the drill";

pub fn recovery(plan: &RestorePlan, options: &DrillOptions, run: &str) -> Recovery {
    let drill = Some(JobDrill { run: run.to_owned(), seed: options.seed, queries: options.queries_text.clone() });
    Recovery { drill, ..Recovery::of(plan, options.connections, false, false) }
}

/// What a Job left behind.
#[derive(Debug)]
pub struct JobReport {
    report: DrillReport,
    failure: Option<Failure>,
}

/// The report of a Job; its failure when it was refused or never got so far.
pub fn report(done: JobResult) -> Result<JobReport> {
    let JobResult { mut fields, failure, .. } = done;
    let found = fields.remove("report").unwrap_or(Value::Null);
    if found.is_null() {
        let none = || {
            Failure::new(FailureKind::Unexpected, "the drill in the cluster left no report")
                .because("the image that the chart installs is of another release than this dr-cli")
                .then("a chart and a dr-cli of the same release; --keep leaves the Job and its log")
        };
        return Err(failure.unwrap_or_else(none));
    }
    let report = DrillReport::from_json(found.to_string().as_bytes()).map_err(|error| {
        Failure::new(FailureKind::Unexpected, format!("the report of the drill in the cluster cannot be used: {error}"))
            .because("the image that the chart installs is of another release than this dr-cli")
            .then("a chart and a dr-cli of the same release")
    })?;
    Ok(JobReport { report, failure })
}

/// Takes what the Job found into `report`, whose drill was declared `passed` seconds ago and has `asked` queries. `job`: how
/// long the Job was waited for.
///
/// # Errors
/// [`FailureKind::Integrity`] when the Job drilled something else, or asked less. What stopped the Job's drill, when something
/// did.
pub fn adopt(report: &mut DrillReport, of_job: JobReport, job: Option<Phase>, passed: u64, asked: usize) -> Result<()> {
    let JobReport { report: theirs, failure } = of_job;
    if let Some(difference) = difference(report, &theirs) {
        return Err(Failure::new(
            FailureKind::Integrity,
            format!("the drill in the cluster was another one: {difference}"),
        )
        .because("the archive that the contract names for the cluster is not the one that was planned from")
        .then("compare --archive with mongodb.archive.url of the contract's chart values"));
    }
    let is_stopped = theirs.phases.iter().any(|phase| phase.failure.is_some());
    // A query that nobody asked cannot fail.
    if !is_stopped && theirs.queries.len() != asked {
        let what = format!("the drill in the cluster asked {} of {asked} queries", theirs.queries.len());
        return Err(Failure::new(FailureKind::Integrity, what)
            .because("the chart that was installed is of another release than this dr-cli")
            .then("a chart and a dr-cli of the same release: --chart"));
    }
    report.recovery_time_objective.actual_seconds = after_restore(&theirs).map(|after| passed.saturating_sub(after));
    report.phases.extend(job.map(|job| around(job, &theirs)));
    report.phases.extend(theirs.phases);
    report.recovery_point.last_applied = theirs.recovery_point.last_applied;
    report.integrity = theirs.integrity;
    report.queries = theirs.queries;
    report.usability = theirs.usability;
    report.negative_control = theirs.negative_control;
    report.skipped = theirs.skipped;
    report.keys = theirs.keys;
    (report.tools.server_version, report.tools.fcv) = (theirs.tools.server_version, theirs.tools.fcv);
    report.timeline.extend(theirs.timeline);
    let news = theirs.warnings.into_iter().filter(|warning| !report.warnings.contains(warning)).collect::<Vec<_>>();
    report.warnings.extend(news);
    let known: Vec<String> = report.evidence.iter().map(|evidence| evidence.name.clone()).collect();
    report.evidence.extend(theirs.evidence.into_iter().filter(|evidence| !known.contains(&evidence.name)));
    match failure {
        Some(failure) if is_stopped => Err(failure),
        // Of a verdict, which is given anew.
        _ => Ok(()),
    }
}

fn difference(ours: &DrillReport, theirs: &DrillReport) -> Option<String> {
    let (our, their) = (&ours.recovery_point, &theirs.recovery_point);
    if ours.lineage != theirs.lineage {
        return Some(format!("of lineage {} instead of {}", theirs.lineage, ours.lineage));
    }
    if our.resolved != their.resolved {
        return Some(format!("to {} instead of {}", their.resolved, our.resolved));
    }
    if our.snapshot != their.snapshot || our.manifest_sha256 != their.manifest_sha256 {
        return Some(format!("from another snapshot ({}, ours is {})", their.snapshot, our.snapshot));
    }
    None
}

/// Whole seconds that the Job's drill went on after its restore; `None` when that was not completed.
fn after_restore(theirs: &DrillReport) -> Option<u64> {
    let restore = theirs.phases.iter().find(|phase| phase.name == RESTORE && phase.failure.is_none())?;
    let milliseconds = i64::try_from(restore.milliseconds).ok()?;
    let ended = restore.started_at.parse::<Timestamp>().ok()?.checked_add(SignedDuration::from_millis(milliseconds));
    let rest = theirs.finished_at.parse::<Timestamp>().ok()?.duration_since(ended.ok()?);
    u64::try_from(rest.as_secs()).ok()
}

/// The Job's time without that of its drill, which has phases of its own.
fn around(job: Phase, theirs: &DrillReport) -> Phase {
    let ends = (theirs.declared_at.parse::<Timestamp>(), theirs.finished_at.parse::<Timestamp>());
    let (Ok(began), Ok(ended)) = ends else { return job };
    let drill = u64::try_from(ended.duration_since(began).as_millis()).unwrap_or_default();
    Phase { name: AROUND.to_owned(), milliseconds: job.milliseconds.saturating_sub(drill), ..job }
}

#[cfg(test)]
mod tests {
    use archive::drill::{Outcome, RecoveryPoint, SelectionRule, Tools, Verdict};
    use archive::{ClusterTime, Digest};
    use serde_json::json;

    use super::*;

    fn empty(snapshot: &str) -> DrillReport {
        let point = RecoveryPoint {
            requested: "latest".to_owned(),
            rule: SelectionRule::Latest,
            resolved: ClusterTime { seconds: 7, increment: 1 },
            snapshot: snapshot.parse().unwrap(),
            manifest_sha256: Some(Digest::of(b"m")),
            slices: 1,
            last_applied: None,
            coverage_problems: Vec::new(),
        };
        let id = "20260102T030405Z-7f3a".parse().unwrap();
        let mut report =
            DrillReport::new(id, "rs0-1".parse().unwrap(), "2026-01-02T03:04:05.000Z", Tools::default(), point);
        report.finished_at = "2026-01-02T03:04:35.500Z".to_owned();
        report
    }

    fn phase(name: &str, milliseconds: u64, failure: Option<&str>) -> Phase {
        serde_json::from_value(json!({
            "name": name, "started_at": "2026-01-02T03:04:06.000Z", "milliseconds": milliseconds, "failure": failure
        }))
        .unwrap()
    }

    const SNAPSHOT: &str = "20260101T000000Z-0001";

    fn job(report: DrillReport, failure: Option<Failure>) -> JobReport {
        JobReport { report, failure }
    }

    #[test]
    fn what_the_job_found_is_ours_and_the_time_after_its_restore_is_no_recovery_time() {
        let (mut ours, mut theirs) = (empty(SNAPSHOT), empty(SNAPSHOT));
        theirs.phases = vec![phase("restore", 20_000, None), phase("compare", 9_000, None)];
        theirs.recovery_point.last_applied = Some(ClusterTime { seconds: 7, increment: 1 });
        theirs.integrity.objects = 12;
        theirs.warnings = vec!["seen".to_owned()];
        ours.warnings = vec!["seen".to_owned()];
        let waited = Some(phase("drill", 42_000, None));
        adopt(&mut ours, job(theirs, None), waited, 100, 0).unwrap();
        // 30.5 s in all, of which 21 s until the end of the restore.
        assert_eq!(ours.recovery_time_objective.actual_seconds, Some(91));
        let phases: Vec<_> = ours.phases.iter().map(|phase| (phase.name.as_str(), phase.milliseconds)).collect();
        assert_eq!(phases, [(AROUND, 11_500), ("restore", 20_000), ("compare", 9_000)]);
        assert_eq!((ours.integrity.objects, ours.warnings.len()), (12, 1));
        assert!(ours.recovery_point.last_applied.is_some());
        assert_eq!(ours.clean_up.outcome, None::<Outcome>, "what was made is ours to destroy");
    }

    #[test]
    fn a_drill_of_something_else_proves_nothing() {
        for change in [
            (|report: &mut DrillReport| report.lineage = "rs0-2".parse().unwrap()) as fn(&mut DrillReport),
            |report| report.recovery_point.resolved = ClusterTime { seconds: 8, increment: 1 },
            |report| report.recovery_point.manifest_sha256 = Some(Digest::of(b"another")),
            |report| report.recovery_point.snapshot = "20260101T000000Z-0002".parse().unwrap(),
        ] {
            let (mut ours, mut theirs) = (empty(SNAPSHOT), empty(SNAPSHOT));
            change(&mut theirs);
            let refused = adopt(&mut ours, job(theirs, None), None, 1, 0).unwrap_err();
            assert_eq!(refused.kind, FailureKind::Integrity, "{refused}");
            assert!(ours.phases.is_empty() && ours.negative_control.is_none());
        }
    }

    #[test]
    fn a_drill_that_left_out_queries_proves_nothing_either() {
        let refused = adopt(&mut empty(SNAPSHOT), job(empty(SNAPSHOT), None), None, 1, 2).unwrap_err();
        assert_eq!(refused.kind, FailureKind::Integrity, "{refused}");
        assert!(refused.what.contains("0 of 2 queries"), "{refused}");
    }

    #[test]
    fn what_stopped_it_is_told_and_a_verdict_is_given_anew() {
        let failure = || Failure::new(FailureKind::Unreachable, "the store is away");
        let (mut ours, mut theirs) = (empty(SNAPSHOT), empty(SNAPSHOT));
        theirs.phases = vec![phase("restore", 1, Some("the store is away"))];
        let stopped = adopt(&mut ours, job(theirs, Some(failure())), None, 1, 0).unwrap_err();
        assert_eq!(stopped.kind, FailureKind::Unreachable);
        assert_eq!(ours.recovery_time_objective.actual_seconds, None);
        assert_eq!(ours.judged().verdict, Verdict::Fail);

        let mut ours = empty(SNAPSHOT);
        let of_the_verdict = Failure::new(FailureKind::Integrity, "the drill is FAIL");
        adopt(&mut ours, job(empty(SNAPSHOT), Some(of_the_verdict)), None, 1, 0).unwrap();
    }

    #[test]
    fn without_a_report_the_failure_of_the_job_is_ours() {
        let done = |report: Value, failure: Option<Failure>| {
            let fields = [("report".to_owned(), report)].into_iter().collect();
            super::report(JobResult { fields, has_findings: false, failure })
        };
        let refused = done(Value::Null, Some(Failure::new(FailureKind::Unsafe, "not empty"))).unwrap_err();
        assert_eq!(refused.kind, FailureKind::Unsafe);
        assert_eq!(done(Value::Null, None).unwrap_err().kind, FailureKind::Unexpected);
        assert!(done(json!({ "format": 1 }), None).unwrap_err().cause.contains("another release"));
        let report = empty(SNAPSHOT).judged();
        let given = serde_json::from_slice(&report.to_json().unwrap()).unwrap();
        assert_eq!(done(given, None).unwrap().report.id, report.id);
    }
}
