use std::time::Duration;

use archive::catalog::Finding;
use archive::coverage::{Break, RestoreWindow};
use archive::drill::Verdict;

use super::*;
use crate::archiver::LastError;
use crate::metrics::Metrics;
use crate::status::members::ServerReport;
use crate::status::{BackupReport, CollectorReport, StatusBoard};

#[path = "../../../tests/support/documented.rs"]
mod documented;
pub mod reports;

use reports::{at, changed, concluded, drill, gap, holding, member, text, well};

/// With every field that can be there.
fn full() -> StatusReport {
    let mut report = changed(|report| {
        report.not_ready_because = Some("x".to_owned());
        report.archiver_lease = Some(crate::status::LeaseReport { epoch: 3, holder: "pod".to_owned() });
        report.member = Some("rs0-1.rs0:27017".to_owned());
        report.shortfalls = vec!["gone".to_owned()];
        let progress = crate::snapshot::Progress::default();
        progress.begin("20261127T180000Z-f07079", at(1));
        report.current_snapshot = Some(progress.report());
        report.expected.pitr_window_seconds = Some(86_400.0);
        let (attempted_at, failed_at) = (Some(text(2)), Some(text(1)));
        report.backups = vec![BackupReport { kind: "snapshot", running: true, attempted_at, failed_at }];
        report.members[1].last_heartbeat_at = Some(text(0));
        report.last_error = Some(LastError { at: text(0), what: "x".to_owned() });
        let finding = Finding { object: "a/b".to_owned(), problem: "is cut".to_owned() };
        report.verified.as_mut().unwrap().findings = vec![finding.clone()];
        let holdings = report.holdings.as_mut().unwrap();
        let lost = Break { detail: "seen".to_owned(), ..gap(60, 50) };
        (holdings.gaps, holdings.gaps_total) = (vec![lost], 1);
        holdings.findings = vec![finding];
        holdings.drills[0].reasons = vec!["slow".to_owned()];
    });
    report.ready = false;
    report
}

#[test]
fn every_field_is_documented_with_its_type_and_every_documented_field_exists() {
    let table = documented::Table::parse(include_str!("../../../../docs/status-json.md"));
    let mut seen = std::collections::BTreeSet::new();
    for report in [well(), full()] {
        let document = serde_json::to_value(&report).unwrap();
        assert_eq!(table.problems(&document, &mut seen), Vec::<String>::new());
    }
    assert_eq!(seen, table.paths());
}

#[test]
fn a_field_that_is_not_documented_or_of_another_type_is_noticed() {
    let table = documented::Table::parse("| `a` | list | |\n| `a[].b` | time or null | |\n| `c` | `x` `y` or null | |");
    let problems =
        |text: &str| table.problems(&serde_json::from_str(text).unwrap(), &mut std::collections::BTreeSet::new()).len();
    assert_eq!(problems(r#"{"a":[{"b":"2026-11-28T00:00:00Z"},{"b":null}],"c":"y"}"#), 0);
    for wrong in [r#"{"a":[{"b":"noon"}]}"#, r#"{"a":[{"d":1}]}"#, r#"{"a":null}"#, r#"{"c":"z"}"#, r#"{"a":["x"]}"#] {
        assert_eq!(problems(wrong), 1, "{wrong}");
    }
}

/// Runbooks with their severity.
fn found(report: &StatusReport) -> Vec<(&'static str, Severity)> {
    report.problems.iter().map(|problem| (problem.runbook, problem.severity)).collect()
}

#[test]
fn a_good_verdict_says_from_when_to_when() {
    let report = well();
    assert_eq!(found(&report), []);
    assert_eq!(report.verdict.level, Level::Good);
    assert_eq!(
        report.verdict.headline,
        "Any moment from 2026-11-26 00:00:00 UTC through 2026-11-28 00:00:00 UTC can be restored, without a gap"
    );
}

#[test]
fn what_is_not_known_is_never_good() {
    for forget in [
        (|report| report.holdings = None) as fn(&mut StatusReport),
        |report| report.archive_lag_seconds = None,
        |report| report.members.clear(),
        |report| report.server = ServerReport::default(),
        |report| report.role = Role::Starting,
        |report| {
            (report.ready, report.not_ready_because) = (false, Some("no member was read yet".to_owned()));
            report.archived_through = None;
        },
    ] {
        let report = changed(forget);
        assert_eq!(report.verdict.level, Level::Unknown, "{:?} {:?}", report.verdict, report.problems);
        assert!(report.verdict.headline.starts_with("Not known yet"), "{:?}", report.verdict);
    }
    let standby = changed(|report| (report.role, report.holdings) = (Role::Standby, None));
    assert_eq!(standby.verdict.level, Level::StandingBy);
}

/// Each with the one problem that it has.
fn troubles() -> Vec<(StatusReport, (&'static str, Severity))> {
    use Severity::{Critical, Info, Warning};
    let broken = Finding { object: "a/b".to_owned(), problem: "is cut".to_owned() };
    let last_error = Some(LastError { at: text(0), what: "the store does not answer".to_owned() });
    vec![
        (changed(|report| report.archive_lag_seconds = Some(61.0)), ("RpoBudgetBurn", Warning)),
        (changed(|report| report.archive_lag_seconds = Some(301.0)), ("ArchiveStalled", Critical)),
        (changed(|report| report.not_ready_because = Some("silent".to_owned())), ("ArchiveStalled", Critical)),
        (changed(|report| report.oplog_headroom_seconds = Some(3_599.0)), ("ArchiveGapImminent", Critical)),
        (changed(|report| report.shortfalls = vec!["gone".to_owned()]), ("ArchiveShortfall", Critical)),
        (
            changed(|report| report.verified.as_mut().unwrap().findings = vec![broken.clone()]),
            ("BackupVerifyFindings", Critical),
        ),
        (holding(|holdings| holdings.findings = vec![broken.clone()]), ("BackupVerifyFindings", Critical)),
        (holding(|holdings| holdings.windows.clear()), ("NothingRestorable", Critical)),
        (holding(|holdings| (holdings.gaps, holdings.gaps_total) = (vec![gap(5, 4)], 1)), ("ArchiveGap", Critical)),
        (holding(|holdings| (holdings.gaps, holdings.gaps_total) = (vec![gap(60, 49)], 1)), ("ArchiveGap", Info)),
        (changed(|report| report.expected.pitr_window_seconds = Some(7.0 * 86_400.0)), ("PitrWindowShort", Info)),
        (
            changed(|report| {
                let failed_at = Some(text(5));
                report.backups = vec![BackupReport { kind: "snapshot", running: false, attempted_at: None, failed_at }];
            }),
            ("BackupFailed", Warning),
        ),
        (changed(|report| report.expected.snapshot_interval_seconds = Some(3.0 * 3_600.0)), ("BackupOverdue", Warning)),
        (
            changed(|report| report.expected.snapshot_interval_seconds = Some(2.0 * 3_600.0)),
            ("BackupOverdue", Critical),
        ),
        (holding(|holdings| holdings.drills.clear()), ("RestoreDrillOverdue", Info)),
        (changed(|report| report.expected.drill_interval_seconds = Some(3_600.0)), ("RestoreDrillOverdue", Warning)),
        (holding(|holdings| holdings.drills.insert(0, drill(1, Verdict::Fail))), ("RestoreDrillFailed", Warning)),
        (
            holding(|holdings| holdings.drills.insert(0, drill(1, Verdict::Inconclusive))),
            ("RestoreDrillFailed", Warning),
        ),
        (changed(|report| report.expected.rto_seconds = Some(94.0)), ("RestoreDrillRtoExceeded", Warning)),
        (changed(|report| report.repository_up = Some(false)), ("RepositoryUnavailable", Warning)),
        (
            changed(|report| {
                (report.role, report.holdings, report.last_error) = (Role::Starting, None, last_error.clone());
            }),
            ("ArchiveStalled", Warning),
        ),
        (changed(|report| report.server.up = Some(false)), ("MongodDown", Critical)),
        (changed(|report| report.server.authorized = Some(false)), ("MongodAccessDenied", Warning)),
        (changed(|report| report.server.has_primary = Some(false)), ("ReplsetNoPrimary", Critical)),
        (changed(|report| report.members[1].healthy = Some(false)), ("ReplsetMemberUnhealthy", Warning)),
        (changed(|report| report.members[1].state = "RECOVERING"), ("ReplsetMemberBadState", Warning)),
        (changed(|report| report.members[1].state = "REMOVED"), ("ReplsetMemberBadState", Warning)),
        (changed(|report| report.members[1].state = "ROLLBACK"), ("ReplsetRollback", Critical)),
        (changed(|report| report.members[1].excess_lag_seconds = Some(61.0)), ("ReplicationLagHigh", Warning)),
        (changed(|report| report.members[1].excess_lag_seconds = Some(301.0)), ("ReplicationLagHigh", Critical)),
        (changed(|report| report.members[1].excess_lag_seconds = Some(45_001.0)), ("ReplicationLagVsOplog", Critical)),
        (
            changed(|report| {
                report.members[1].excess_lag_seconds = Some(45_001.0);
                report.server.oplog_full_ratio = Some(0.3);
            }),
            ("ReplicationLagHigh", Critical),
        ),
        (changed(|report| report.server.clock_skew_seconds = Some(-2.5)), ("ClockSkew", Warning)),
        (changed(|report| report.backups = vec![running(4)]), ("BackupStuck", Warning)),
        (changed(|report| report.server.majority_commit_lag_seconds = Some(31.0)), ("MajorityCommitStalled", Critical)),
        (changed(|report| report.data_volume.as_mut().unwrap().free_bytes = 14e9), ("DiskFilling", Warning)),
        (changed(|report| report.data_volume.as_mut().unwrap().free_bytes = 2e9), ("DiskFilling", Critical)),
        (changed(|report| report.collectors[0].stale = true), ("CollectorStale", Warning)),
        (changed(|report| report.server.oplog_window_seconds = Some(80_000.0)), ("OplogWindowShort", Warning)),
        (changed(|report| report.server.oplog_window_seconds = Some(7_000.0)), ("OplogWindowShort", Critical)),
        (changed(|report| (report.role, report.ready) = (Role::Standby, false)), ("ArchiverLeaseCount", Critical)),
        (
            holding(|holdings| {
                holdings.drills.clear();
                holdings.created_at = Some(text(11 * 24));
            }),
            ("RestoreDrillOverdue", Warning),
        ),
        (
            changed(|report| {
                report.expected.pitr_window_seconds = Some(7.0 * 86_400.0);
                report.holdings.as_mut().unwrap().created_at = Some(text(8 * 24));
            }),
            ("PitrWindowShort", Warning),
        ),
        (
            changed(|report| report.verified.as_mut().unwrap().sound_at = Some(text(49))),
            ("BackupVerifyOverdue", Warning),
        ),
        (changed(|report| report.verified = None), ("BackupVerifyOverdue", Warning)),
    ]
}

fn running(hours: u32) -> BackupReport {
    BackupReport { kind: "snapshot", running: true, attempted_at: Some(text(hours)), failed_at: None }
}

#[test]
fn a_majority_is_at_risk_when_one_more_voter_of_three_would_stop_all_writes() {
    let set = |healthy: [bool; 3], votes: [bool; 3]| {
        changed(|report| {
            report.members = vec![member("a", "PRIMARY"), member("b", "SECONDARY"), member("c", "SECONDARY")];
            for ((member, is_healthy), votes) in report.members.iter_mut().zip(healthy).zip(votes) {
                (member.healthy, member.votes) = (Some(is_healthy), Some(votes));
            }
        })
    };
    let is_at_risk = |report: StatusReport| found(&report).contains(&("ReplsetMajorityAtRisk", Severity::Warning));
    assert!(is_at_risk(set([true, true, false], [true; 3])));
    assert!(!is_at_risk(set([true; 3], [true; 3])));
    assert!(!is_at_risk(set([true, true, false], [true, true, false])), "sets of one and two are never at risk");
}

#[test]
fn a_snapshot_is_stuck_after_three_times_the_last_one_or_a_day() {
    let of = |hours: u32, change: fn(&mut StatusReport)| {
        changed(|report| {
            report.backups = vec![running(hours)];
            change(report);
        })
    };
    let is_stuck = |report: StatusReport| found(&report).contains(&("BackupStuck", Severity::Warning));
    let none = |report: &mut StatusReport| {
        report.last_snapshot = None;
        report.holdings.as_mut().unwrap().snapshots.clear();
    };
    assert!(!is_stuck(of(3, |_| ())), "the last one took an hour");
    assert!(!is_stuck(of(23, none)) && is_stuck(of(25, none)));
}

#[test]
fn each_trouble_has_its_runbook_and_severity() {
    use Severity::{Critical, Info, Warning};
    for (report, expected) in troubles() {
        assert_eq!(found(&report), [expected], "{:?}", report.problems);
        let level = match expected.1 {
            Critical => Level::ActNow,
            Warning => Level::Attention,
            Info => Level::Good,
        };
        assert_eq!(report.verdict.level, level, "{:?}", report.verdict);
        let problem = &report.problems[0];
        assert!(!problem.next.is_empty() && !problem.advice.is_empty(), "{problem:?}");
        let runbooks = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbooks");
        assert!(runbooks.join(format!("{}.md", problem.runbook)).is_file(), "{problem:?}");
    }
}

#[test]
fn the_commands_to_paste_are_those_that_our_binaries_take() {
    let troubles = troubles();
    let commands = troubles.iter().flat_map(|(report, _)| report.problems.iter().flat_map(|problem| &problem.next));
    let ours = commands.filter(|line| line.starts_with("dr-cli ") || line.starts_with("sidecar "));
    let ours: std::collections::BTreeSet<&str> = ours.copied().chain(["dr-cli plan --to latest"]).collect();
    assert!(ours.len() > 8, "{ours:?}");
    let accepts = |line: &str| {
        let folder = testkit::processes::binary("dr-cli").unwrap();
        let line = format!("{}/{line} --help", folder.parent().unwrap().display());
        std::process::Command::new("/bin/sh").args(["-c", &line]).output().unwrap().status.success()
    };
    for line in ours {
        assert!(accepts(line), "{line}");
    }
    assert!(!accepts("dr-cli status --frobnicate") && !accepts("sidecar frobnicate"));
}

#[test]
fn a_server_that_is_down_does_not_hide_that_the_archive_is_not_looked_at() {
    let report = changed(|report| {
        report.server.up = Some(false);
        report.collectors[0].stale = true;
        let archive = CollectorReport { name: "archive".to_owned(), ..report.collectors[0].clone() };
        report.collectors.push(archive);
    });
    let told: Vec<&str> = report.problems.iter().map(|problem| problem.what.as_str()).collect();
    assert!(told.iter().any(|what| what.ends_with("no news lately from archive")), "{told:?}");
}

#[test]
fn runbooks_are_linked_where_they_are_served() {
    let board = StatusBoard::new(Metrics::new().unwrap(), Duration::from_secs(5), "file:///backup/rs0")
        .with_runbooks_at(Some("https://wiki.example/runbooks/"));
    board.error(&crate::error::Error::Internal("nobody is there".to_owned()));
    let report = board.report();
    let urls: Vec<Option<&str>> = report.problems.iter().map(|problem| problem.runbook_url.as_deref()).collect();
    assert_eq!(urls, [Some("https://wiki.example/runbooks/ArchiveStalled.md")], "{:?}", report.problems);
}

#[test]
fn the_worst_comes_first_and_the_others_are_counted() {
    let report = changed(|report| {
        report.repository_up = Some(false);
        report.server.has_primary = Some(false);
        report.holdings.as_mut().unwrap().drills.clear();
        report.expected.drill_interval_seconds = None;
    });
    let order = ["ReplsetNoPrimary", "RepositoryUnavailable", "RestoreDrillOverdue"];
    assert_eq!(report.problems.iter().map(|problem| problem.runbook).collect::<Vec<_>>(), order);
    assert!(report.verdict.headline.ends_with("(and 1 more)"), "{:?}", report.verdict);
}

#[test]
fn the_first_snapshot_of_an_archive_is_waited_for_and_its_absence_is_an_alarm() {
    let young = |is_running: bool| {
        changed(|report| {
            let holdings = report.holdings.as_mut().unwrap();
            holdings.windows.clear();
            holdings.snapshots.clear();
            holdings.created_at = Some(text(2));
            (holdings.windows_total, holdings.snapshots_total) = (0, 0);
            report.last_snapshot = None;
            report.current_snapshot = is_running.then(|| crate::snapshot::Progress::default().report());
        })
    };
    assert_eq!((found(&young(true)), young(true).verdict.level), (vec![], Level::Unknown));
    assert_eq!(found(&young(false)), [("NothingRestorable", Severity::Critical)]);
    let mut again = young(true);
    let (attempted_at, failed_at) = (Some(text(0)), Some(text(1)));
    again.backups = vec![BackupReport { kind: "snapshot", running: true, attempted_at, failed_at }];
    let again = concluded(again);
    assert!(found(&again).contains(&("NothingRestorable", Severity::Critical)), "{:?}", again.problems);
    // Each attempt ended with its process: nothing is remembered of it.
    let mut old = young(true);
    old.holdings.as_mut().unwrap().created_at = Some(text(25));
    assert!(found(&concluded(old)).contains(&("NothingRestorable", Severity::Critical)));
}

#[test]
fn a_window_is_measured_up_to_the_gap_before_it() {
    let report = holding(|holdings| {
        holdings.windows =
            vec![RestoreWindow { from: at(48), through: at(40) }, RestoreWindow { from: at(5), through: at(0) }];
        (holdings.gaps, holdings.gaps_total) = (vec![gap(40, 5)], 1);
    });
    let (good, headline) = (report.verdict.level, report.verdict.headline);
    let said = "Any moment from 2026-11-27 19:00:00 UTC through 2026-11-28 00:00:00 UTC can be restored; \
        before that, but for one gap, back to 2026-11-26 00:00:00 UTC";
    assert_eq!((good, headline.as_str()), (Level::Good, said));
    let mut wanted = report_with_target(86_400.0);
    wanted.holdings = report.holdings;
    assert!(found(&concluded(wanted)).contains(&("PitrWindowShort", Severity::Warning)));
}

fn report_with_target(seconds: f64) -> StatusReport {
    changed(|report| report.expected.pitr_window_seconds = Some(seconds))
}

/// The page and the alerts are about the same troubles.
#[test]
fn the_page_has_the_thresholds_of_the_alert_rules() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../alerts/source/parameters.yaml");
    let parameters = std::fs::read_to_string(path).unwrap();
    for (name, value) in [
        ("stalled_factor", of_archive::STALLED_FACTOR),
        ("stuck_factor", of_archive::STUCK_FACTOR),
        ("stuck_minimum_seconds", of_archive::STUCK_MINIMUM_SECONDS),
        ("stuck_unknown_seconds", of_archive::STUCK_UNKNOWN_SECONDS),
        ("lag_of_window_ratio", of_server::LAG_OF_WINDOW_RATIO),
        ("clock_skew_seconds", of_server::CLOCK_SKEW_SECONDS),
        ("gap_horizon_seconds", of_archive::GAP_HORIZON_SECONDS),
        ("oplog_full_ratio", of_archive::OPLOG_FULL_RATIO),
        ("overdue_warning_factor", of_archive::OVERDUE_WARNING),
        ("overdue_critical_factor", of_archive::OVERDUE_CRITICAL),
        ("drill_overdue_factor", of_archive::OVERDUE_WARNING),
        ("window_short_ratio", of_archive::WINDOW_SHORT_RATIO),
        ("verify_overdue_seconds", of_archive::VERIFY_OVERDUE_SECONDS),
        ("lag_warning_seconds", of_server::LAG_WARNING_SECONDS),
        ("lag_critical_seconds", of_server::LAG_CRITICAL_SECONDS),
        ("majority_lag_seconds", of_server::MAJORITY_LAG_SECONDS),
        ("oplog_window_warning_seconds", of_server::OPLOG_WINDOW_SECONDS),
        ("oplog_window_critical_seconds", of_server::OPLOG_WINDOW_CRITICAL_SECONDS),
        ("disk_warning_ratio", of_server::DISK_WARNING_RATIO),
        ("disk_critical_ratio", of_server::DISK_CRITICAL_RATIO),
    ] {
        let line = format!("\n{name}: {{value: {value},");
        assert!(parameters.contains(&line), "{name} is not {value} in the rules");
    }
}
