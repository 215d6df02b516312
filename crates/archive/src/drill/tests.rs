use super::*;
use crate::Namespace;
use crate::reference::{Difference, DifferenceKind, MissingCollection, MissingReason};

fn check(name: &str, outcome: Outcome) -> Check {
    Check { name: name.into(), outcome, detail: String::new() }
}

fn report() -> DrillReport {
    let point = RecoveryPoint {
        requested: "-15m".into(),
        rule: SelectionRule::Reference,
        resolved: ClusterTime::new(1_767_323_099, 17),
        snapshot: "20260102T030405Z-7f3a".parse().unwrap(),
        manifest_sha256: Some(Digest::of(b"manifest")),
        slices: 12,
        last_applied: Some(ClusterTime::new(1_767_323_099, 17)),
        coverage_problems: Vec::new(),
    };
    let tools = Tools {
        tidemark_version: "0.1.0".into(),
        server_version: "6.0.5".into(),
        fcv: "6.0".into(),
        ..Tools::default()
    };
    let id = "20260102T040000Z-d1".parse().unwrap();
    let mut report =
        DrillReport::new(id, "rs0-65a1b2c3d4e5f60718293a4b".parse().unwrap(), "2026-01-02T04:00:00Z", tools, point);
    report.finished_at = "2026-01-02T04:06:40Z".into();
    report.scenario = "a collection was dropped".into();
    report.operator = "on-call".into();
    report.recovery_point_objective = Objective { objective_seconds: Some(60), actual_seconds: Some(5) };
    report.recovery_time_objective = Objective { objective_seconds: Some(3_600), actual_seconds: Some(400) };
    report.phases = vec![Phase {
        name: "load".into(),
        started_at: "2026-01-02T04:00:10Z".into(),
        milliseconds: 61_250,
        bytes: 5_000_000,
        documents: 70_000,
        entries: 0,
        retries: 1,
        predicted_milliseconds: Some(50_000),
        failure: None,
    }];
    report.integrity = Integrity {
        objects: 44,
        bytes: 5_100_000,
        reference_at: Some(ClusterTime::new(1_767_323_099, 17)),
        comparison: Some(Comparison { equal: 9, documents: 70_000, ..Comparison::default() }),
        checks: vec![check("validate shop.orders", Outcome::Passed), check("indexes", Outcome::Passed)],
    };
    report.queries = vec![QueryResult {
        name: "open orders".into(),
        outcome: Outcome::Passed,
        expected: "17".into(),
        found: "17".into(),
        milliseconds: 12,
        expects_data: true,
    }];
    report.negative_control = Some(NegativeControl {
        fault: "one bit of a segment was flipped in a private copy".into(),
        was_detected: true,
        detail: "the restore stopped with exit code 5 before it wrote anything".into(),
    });
    report.clean_up.outcome = Some(Outcome::Passed);
    report.judged()
}

fn verdict(change: impl FnOnce(&mut DrillReport)) -> Verdict {
    let mut report = report();
    change(&mut report);
    let judged = report.judged();
    assert!(judged.verdict == Verdict::Pass || !judged.verdict_reasons.is_empty());
    judged.verdict
}

fn comparison(report: &mut DrillReport) -> &mut Comparison {
    report.integrity.comparison.as_mut().unwrap()
}

#[test]
fn a_drill_passes_only_when_all_came_back_and_a_fault_would_have_been_seen() {
    assert_eq!((verdict(|_| ()), report().verdict_reasons), (Verdict::Pass, vec![]));
    assert_eq!(verdict(|report| report.negative_control = None), Verdict::Inconclusive);
    let missed = |report: &mut DrillReport| report.negative_control.as_mut().unwrap().was_detected = false;
    assert_eq!(verdict(missed), Verdict::Inconclusive);
    assert_eq!(verdict(|report| report.recovery_point.last_applied = None), Verdict::Inconclusive);
    let unproven = |report: &mut DrillReport| {
        report.queries.clear();
        report.integrity.comparison = None;
    };
    assert_eq!(verdict(unproven), Verdict::Inconclusive);
    assert_eq!(verdict(|report| report.integrity.comparison = None), Verdict::Pass, "the query proves something");
    let all_empty = |report: &mut DrillReport| {
        report.queries.clear();
        comparison(report).documents = 0;
    };
    assert_eq!(verdict(all_empty), Verdict::Inconclusive, "an empty destination would look the same");
    let nothing_expected = |report: &mut DrillReport| {
        report.queries[0].expects_data = false;
        report.integrity.comparison = None;
    };
    assert_eq!(verdict(nothing_expected), Verdict::Inconclusive, "an empty destination answers the same");
    let unmeasured = |report: &mut DrillReport| report.recovery_point_objective.actual_seconds = None;
    assert_eq!(verdict(unmeasured), Verdict::Inconclusive, "an objective that nobody measured is not met");
    let blank = report();
    let blank = DrillReport::new(blank.id, blank.lineage, blank.declared_at, blank.tools, blank.recovery_point);
    assert_eq!(blank.verdict, Verdict::Inconclusive);
}

#[test]
fn whatever_did_not_come_back_or_not_in_time_fails_the_drill() {
    let differs = |report: &mut DrillReport| {
        let namespace = Namespace::new("shop", "orders");
        comparison(report).differences.push(Difference { namespace, kind: DifferenceKind::Content { count: 5 } });
    };
    assert_eq!(verdict(differs), Verdict::Fail);
    assert_eq!(verdict(|report| report.queries[0].outcome = Outcome::Failed), Verdict::Fail);
    assert_eq!(verdict(|report| report.integrity.checks[1].outcome = Outcome::Failed), Verdict::Fail);
    assert_eq!(verdict(|report| report.usability.push(check("write", Outcome::Failed))), Verdict::Fail);
    assert_eq!(verdict(|report| report.phases[0].failure = Some("store unreachable".into())), Verdict::Fail);
    assert_eq!(verdict(|report| report.recovery_time_objective.actual_seconds = Some(3_601)), Verdict::Fail);
    assert_eq!(verdict(|report| report.recovery_point_objective.actual_seconds = Some(61)), Verdict::Fail);
    assert_eq!(verdict(|report| report.recovery_point.last_applied = Some(ClusterTime::MAX)), Verdict::Fail);
    let both = |report: &mut DrillReport| {
        differs(report);
        report.negative_control = None;
    };
    assert_eq!(verdict(both), Verdict::Fail, "what failed, failed");
}

#[test]
fn what_was_left_out_or_left_over_is_a_finding() {
    let skipped = SkippedEntries {
        reason: "unknown operation".into(),
        op: "c".into(),
        namespace: "shop.$cmd".into(),
        count: 2,
        first: None,
    };
    assert_eq!(verdict(|report| report.skipped.push(skipped)), Verdict::PassWithFindings);
    let missing = MissingCollection {
        namespace: Namespace::new("shop", "log"),
        reason: MissingReason::Capped,
        detail: String::new(),
    };
    assert_eq!(verdict(|report| comparison(report).not_compared.push(missing)), Verdict::PassWithFindings);
    assert_eq!(verdict(|report| report.clean_up.leftovers.push("vpc-1".into())), Verdict::PassWithFindings);
    assert_eq!(verdict(|report| report.isolation.push(check("route", Outcome::Failed))), Verdict::PassWithFindings);
    assert_eq!(verdict(|report| report.integrity.checks[0].outcome = Outcome::Skipped), Verdict::PassWithFindings);
    assert_eq!(verdict(|report| report.warnings.push("slow".into())), Verdict::PassWithFindings);
    assert_eq!(verdict(|report| report.keys.push(check("escrow", Outcome::Passed))), Verdict::Pass);
}

#[test]
fn each_verdict_has_its_exit_code() {
    use Verdict::{Fail, Inconclusive, Pass, PassWithFindings};
    assert_eq!([Pass, PassWithFindings, Fail, Inconclusive].map(Verdict::exit_code), [0, 10, 5, 1]);
    assert_eq!(serde_json::to_string(&PassWithFindings).unwrap(), "\"PASS_WITH_FINDINGS\"");
}

#[test]
fn a_report_reads_back_and_one_whose_verdict_was_changed_is_known() {
    let report = report();
    let json = report.to_json().unwrap();
    assert_eq!(DrillReport::from_json(&json).unwrap(), report);
    let mut missed = report;
    missed.negative_control = None;
    assert!(missed.to_json().is_err(), "not judged since it was changed");
    let json = String::from_utf8(missed.judged().to_json().unwrap()).unwrap();
    let forged = json.replace("\"verdict\": \"INCONCLUSIVE\"", "\"verdict\": \"PASS\"");
    assert!(!DrillReport::from_json(forged.as_bytes()).unwrap().is_judged());
    assert!(DrillReport::from_json(json.as_bytes()).unwrap().is_judged());
}

#[test]
fn the_report_for_people_looks_as_it_should() {
    let mut report = report();
    report.scenario = "a | collection\n# was <dropped>".into();
    comparison(&mut report).not_compared.push(MissingCollection {
        namespace: Namespace::new("shop", "log"),
        reason: MissingReason::Capped,
        detail: String::new(),
    });
    report.keys.push(check("identity of the escrow", Outcome::Passed));
    report.findings.push(DrillFinding {
        severity: Severity::Low,
        what: "the runbook names an old host".into(),
        owner: "dba".into(),
        due: "2026-02-01".into(),
    });
    report.timeline.push(TimelineEvent {
        at: "2026-01-02T04:00:00Z".into(),
        what: "dr-cli drill".into(),
        exit_code: Some(10),
    });
    report.evidence.push(Evidence { name: "report.json".into(), bytes: 12, sha256: Digest::of(b"x") });
    report.controls = vec!["SOC 2 A1.3".into(), "ISO 27001 A.8.13".into()];
    report.next_due = Some("2026-04-01".into());
    let text = report.judged().to_markdown();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/drill-report.md");
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert!(text == expected, "tests/drill-report.md should be:\n{text}");
}
