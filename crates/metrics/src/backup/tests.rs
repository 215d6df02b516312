use archive::catalog::{SnapshotSummary, StoredSlice};
use archive::drill::DrillReport;
use archive::gap::{Gap, GapReason};
use archive::layout::SliceId;
use archive::{ClusterTime, Digest};

use super::*;

fn at(seconds: u32) -> ClusterTime {
    ClusterTime::new(seconds, 1)
}

fn slice(after: u32, through: u32) -> StoredSlice {
    let id = SliceId::new(at(after), at(through), 1, &Digest::of(&after.to_le_bytes()));
    StoredSlice { id, stored_bytes: 10, encrypted: false }
}

fn snapshot(id: &str, begin: u32, end: u32, published_at: &str) -> SnapshotSummary {
    SnapshotSummary {
        id: id.parse().unwrap(),
        begin: at(begin),
        end: at(end),
        published_at: published_at.to_owned(),
        documents: 1,
        bytes: 100,
        stored_bytes: 40,
        damaged: None,
        pinned: false,
    }
}

fn found() -> Found {
    let mut catalog = Catalog::new("rs-0123456789abcdef01234567".parse().unwrap());
    catalog.slices = vec![slice(100, 200), slice(200, 300), slice(400, 500)];
    catalog.snapshots = vec![
        snapshot("20261122T010000Z-aaaa0000", 110, 120, "2026-11-22T01:00:00Z"),
        snapshot("20261123T010000Z-aaaa0000", 410, 420, "2026-11-23T01:00:00.5Z"),
    ];
    catalog.gaps = vec![Gap::new(at(300), at(400), GapReason::OplogOverrun, "2026-11-22T02:00:00Z", "")];
    Found {
        catalog,
        drills: Vec::new(),
        references: vec![at(150), at(450)],
        created_at: "1970-01-01T00:01:00Z".to_owned(),
    }
}

fn read(found: &Found, archived_through: Option<u32>) -> Samples {
    Summary::of("rs", found).samples(archived_through.map(at))
}

#[test]
fn an_empty_archive_has_counts_and_no_instants() {
    let catalog = Catalog::new("rs-0123456789abcdef01234567".parse().unwrap());
    let samples = read(&Found { catalog, drills: Vec::new(), references: Vec::new(), created_at: String::new() }, None);
    assert_eq!(samples.number(&BACKUPS_STORED, &["rs", "snapshot"]), Some(0.0));
    assert_eq!(samples.number(&PITR_WINDOWS, &["rs"]), Some(0.0));
    for sample in &samples.0 {
        assert!(!sample.metric.name.ends_with("_timestamp_seconds"), "{} is not known", sample.metric.name);
    }
}

#[test]
fn success_window_gaps_and_sizes_are_those_of_the_archive() {
    let samples = read(&found(), None);
    let of = |metric: &Metric, labels: &[&str]| samples.number(metric, labels);
    let published = instant("2026-11-23T01:00:00.5Z");
    assert_eq!(of(&BACKUP_LAST_SUCCESS_TIMESTAMP_SECONDS, &["rs", "snapshot"]), published);
    assert_eq!(of(&BACKUP_LAST_SUCCESS_TIMESTAMP_SECONDS, &["rs", "reference"]), Some(450.0));
    assert_eq!(of(&BACKUP_OLDEST_TIMESTAMP_SECONDS, &["rs", "snapshot"]), Some(120.0));
    assert_eq!(of(&BACKUP_REPOSITORY_BYTES, &["rs", "snapshots"]), Some(80.0));
    assert_eq!(of(&BACKUP_REPOSITORY_BYTES, &["rs", "slices"]), Some(30.0));
    assert_eq!(of(&ARCHIVE_GAPS, &["rs"]), Some(1.0));
    assert_eq!(of(&ARCHIVE_GAP_SECONDS, &["rs"]), Some(100.0));
    assert_eq!(of(&ARCHIVE_GAP_LAST_TIMESTAMP_SECONDS, &["rs"]), Some(400.0));
    assert_eq!(of(&PITR_WINDOWS, &["rs"]), Some(2.0));
    assert_eq!(of(&PITR_WINDOW_START_TIMESTAMP_SECONDS, &["rs"]), Some(420.0), "of the newest window");
    assert_eq!(of(&PITR_WINDOW_END_TIMESTAMP_SECONDS, &["rs"]), Some(500.0));
}

#[test]
fn the_window_goes_on_with_the_archiver_only_when_it_reaches_the_end() {
    let end = |found: &Found, through| read(found, through).number(&PITR_WINDOW_END_TIMESTAMP_SECONDS, &["rs"]);
    assert_eq!(end(&found(), Some(560)), Some(560.0));
    assert_eq!(end(&found(), Some(450)), Some(500.0), "older than the listing");
    let mut without_the_newest = found();
    without_the_newest.catalog.snapshots.pop();
    assert_eq!(end(&without_the_newest, Some(560)), Some(300.0), "the gap stays");
}

#[test]
fn what_was_let_go_on_purpose_is_no_gap() {
    let mut found = found();
    found.catalog.gaps.push(Gap::new(at(10), at(100), GapReason::Expired, "2026-11-22T02:00:00Z", ""));
    let samples = read(&found, None);
    assert_eq!(samples.number(&ARCHIVE_GAPS, &["rs"]), Some(1.0));
    assert_eq!(samples.number(&ARCHIVE_GAP_SECONDS, &["rs"]), Some(100.0));
}

fn drill(finished_at: &str, verdict: Verdict) -> DrillReport {
    let golden = include_bytes!("../../../archive/tests/golden/drill.json");
    let mut report = DrillReport::from_json(golden).unwrap();
    report.finished_at = finished_at.to_owned();
    report.verdict = verdict;
    report.recovery_time_objective.actual_seconds = Some(95);
    report.recovery_point_objective.actual_seconds = Some(4);
    report
}

#[test]
fn a_failed_drill_does_not_hide_when_one_last_passed() {
    let mut found = found();
    found.drills = vec![
        drill("2026-11-23T05:00:00Z", Verdict::Fail),
        drill("2026-11-22T05:00:00Z", Verdict::PassWithFindings),
        drill("2026-11-21T05:00:00Z", Verdict::Pass),
    ];
    let samples = read(&found, None);
    let of = |metric: &Metric, labels: &[&str]| samples.number(metric, labels);
    assert_eq!(of(&RESTORE_DRILL_LAST_SUCCESS_TIMESTAMP_SECONDS, &["rs"]), instant("2026-11-22T05:00:00Z"));
    assert_eq!(of(&RESTORE_DRILL_LAST_ATTEMPT_TIMESTAMP_SECONDS, &["rs"]), instant("2026-11-23T05:00:00Z"));
    assert_eq!(of(&RESTORE_DRILL_LAST_VERDICT, &["rs", "fail"]), Some(1.0));
    assert_eq!(of(&RESTORE_DRILL_LAST_VERDICT, &["rs", "pass"]), Some(0.0));
    assert_eq!(of(&RESTORE_DRILLS_STORED, &["rs", "pass"]), Some(1.0));
    assert_eq!(of(&RESTORE_DRILL_LAST_DURATION_SECONDS, &["rs"]), Some(95.0));
    assert_eq!(of(&RESTORE_DRILL_LAST_TARGET_LAG_SECONDS, &["rs"]), Some(4.0));
}

#[test]
fn expectations_are_there_when_somebody_has_them() {
    let expected = Expected { snapshot_interval: Some(86_400.0), rto: Some(3600.0), ..Expected::default() };
    let samples = expected_samples("rs", &expected);
    assert_eq!(samples.number(&BACKUP_EXPECTED_INTERVAL_SECONDS, &["rs", "snapshot"]), Some(86_400.0));
    assert_eq!(samples.count(&BACKUP_EXPECTED_INTERVAL_SECONDS), 1);
    assert_eq!(samples.number(&RTO_TARGET_SECONDS, &["rs"]), Some(3600.0));
}
