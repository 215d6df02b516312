//! Plans of archives written by hand: each kind of target, each way to be refused, each remark.

use super::*;
use crate::coverage::CoveredRange;
use crate::coverage::model::{at, gap, slice, snapshot};
use crate::gap::GapReason;
use crate::high_water::HighWater;
use crate::layout::ObjectKey;

mod properties;

fn damaged(id: &str, begin: u32, end: u32) -> SnapshotSummary {
    SnapshotSummary { damaged: Some("segment 3 is missing".into()), ..snapshot(id, begin, end) }
}

fn catalog(slices: &[StoredSlice], snapshots: &[SnapshotSummary]) -> Catalog {
    Catalog {
        slices: slices.to_vec(),
        snapshots: snapshots.to_vec(),
        ..Catalog::new("rs0-65a1b2c3d4e5f60718293a4b".parse().unwrap())
    }
}

/// Moments 0 to 12 in slices of two, a snapshot that ends at 3 and one that ends at 8.
fn whole() -> Catalog {
    let slices: Vec<StoredSlice> = (0..6).map(|n| slice(n * 2, n * 2 + 2, 1, 1)).collect();
    catalog(&slices, &[snapshot("old", 1, 3), snapshot("new", 7, 8)])
}

fn plan(catalog: &Catalog, target: &str) -> RestorePlan {
    plan_restore(catalog, &target.parse().unwrap()).unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn refusal(catalog: &Catalog, target: &str) -> NotRestorable {
    match plan_restore(catalog, &target.parse().unwrap()) {
        Ok(plan) => panic!("{target} was planned: {plan:?}"),
        Err(refusal) => refusal,
    }
}

fn time(moment: u32) -> String {
    at(moment).to_string()
}

fn rfc3339(seconds: u32, fraction: &str) -> String {
    format!("1970-01-01T00:{:02}:{:02}{fraction}Z", seconds / 60, seconds % 60)
}

#[test]
fn the_newest_snapshot_before_the_moment_and_a_chain_up_to_it_are_chosen() {
    let plan = plan(&whole(), &time(11));
    assert_eq!((plan.snapshot.id.as_str(), plan.snapshot.begin, plan.snapshot.end), ("new", at(7), at(8)));
    let ranges: Vec<CoveredRange> = plan.slices.iter().map(StoredSlice::range).collect();
    assert_eq!(ranges, [(6, 8), (8, 10), (10, 12)].map(|(from, through)| CoveredRange::new(at(from), at(through))));
    assert_eq!((plan.bytes, plan.documents), (1_000 + 3 * 200, 7));
    assert_eq!((plan.target.requested.as_str(), plan.target.resolved, plan.target.inclusive), ("1003:3", at(11), true));
    assert_eq!((plan.target.must_exist, plan.target.wall_limit_ms), (false, None));
    assert_eq!(plan.notes, Vec::<String>::new());
}

#[test]
fn the_edges_of_a_window_are_restorable_and_the_moments_beside_them_are_not() {
    let catalog = whole();
    assert_eq!(plan(&catalog, &time(3)).snapshot.id.as_str(), "old");
    assert_eq!(plan(&catalog, &time(8)).snapshot.id.as_str(), "new");
    assert_eq!(plan(&catalog, &at(8).predecessor().to_string()).snapshot.id.as_str(), "old");
    assert_eq!(plan(&catalog, &time(12)).target.resolved, at(12));
    let early = refusal(&catalog, &at(3).predecessor().to_string());
    assert_eq!((early.exit_code(), *early.obstacle), (4, Obstacle::BeforeFirstSnapshot { earliest: at(3) }));
    assert_eq!(early.nearest, Nearest { before: None, after: Some(at(3)) });
    let late = refusal(&catalog, &ClusterTime::from_bits(at(12).to_bits() + 1).to_string());
    assert_eq!((late.exit_code(), *late.obstacle), (4, Obstacle::AfterArchivedThrough { through: at(12) }));
    assert_eq!(late.nearest, Nearest { before: Some(at(12)), after: None });
}

#[test]
fn among_many_entries_of_one_second_the_target_cuts_exactly() {
    let catalog = whole();
    let inclusive = plan(&catalog, &time(10)).target;
    assert!(!inclusive.stops_before(at(10), None));
    assert!(inclusive.stops_before(at(11), None), "the next entry of the same second");
    let exclusive = plan(&catalog, &format!("before:{}", time(10))).target;
    assert!(!exclusive.stops_before(at(9), None), "the entry before it in the same second");
    assert!(exclusive.stops_before(at(10), None));
    assert!(exclusive.must_exist && !exclusive.inclusive);
    assert_eq!(exclusive.resolved, at(10));
}

#[test]
fn before_needs_a_snapshot_that_ends_earlier_than_the_entry() {
    let catalog = whole();
    assert_eq!(plan(&catalog, &format!("before:{}", time(8))).snapshot.id.as_str(), "old");
    assert_eq!(plan(&catalog, &format!("before:{}", time(9))).snapshot.id.as_str(), "new");
    let refused = refusal(&catalog, &format!("before:{}", time(3)));
    assert_eq!(*refused.obstacle, Obstacle::BeforeFirstSnapshot { earliest: at(3) });
    assert_eq!(refused.nearest, Nearest { before: None, after: Some(at(3)) });
    assert_eq!(refusal(&catalog, "before:0:0").exit_code(), 4);
}

#[test]
fn before_needs_the_entry_itself_to_be_archived() {
    let catalog = whole();
    assert_eq!(plan(&catalog, &format!("before:{}", time(12))).target.resolved, at(12));
    let refused = refusal(&catalog, &format!("before:{}", time(13)));
    assert_eq!(*refused.obstacle, Obstacle::AfterArchivedThrough { through: at(12) });
}

#[test]
fn a_time_means_all_of_its_second_and_needs_the_archive_to_be_past_it() {
    let catalog = whole();
    let planned = plan(&catalog, &rfc3339(1_003, ""));
    assert_eq!(planned.target.resolved, ClusterTime::end_of_second(1_003));
    assert_eq!((planned.target.requested.as_str(), planned.target.wall_limit_ms), ("1970-01-01T00:16:43Z", None));
    assert_eq!(at(12).seconds, 1_004);
    let refused = refusal(&catalog, &rfc3339(1_004, ""));
    assert_eq!((refused.exit_code(), &*refused.obstacle), (4, &Obstacle::TooRecent { second: 1_004, through: at(12) }));
    assert_eq!(refused.nearest.before, Some(at(12)));
    assert!(refused.next().contains("dr-cli plan --to 1004:1"), "{refused}");
    let future = refusal(&catalog, "2100-01-01T00:00:00Z");
    assert_eq!(*future.obstacle, Obstacle::AfterArchivedThrough { through: at(12) });
    assert_eq!(*refusal(&catalog, "1970-01-01T00:00:00Z").obstacle, Obstacle::BeforeFirstSnapshot { earliest: at(3) });
}

#[test]
fn a_fraction_stops_replay_within_its_second_by_wall_time() {
    let target = plan(&whole(), &rfc3339(1_003, ".250")).target;
    assert_eq!((target.resolved, target.wall_limit_ms), (ClusterTime::end_of_second(1_003), Some(1_003_250)));
    assert!(!target.stops_before(ClusterTime::new(1_002, 9), Some(1_009_000)), "an earlier second, whatever the clock");
    assert!(!target.stops_before(ClusterTime::new(1_003, 1), Some(1_003_250)));
    assert!(target.stops_before(ClusterTime::new(1_003, 2), Some(1_003_251)));
    assert!(!target.stops_before(ClusterTime::new(1_003, 2), None));
    assert!(target.stops_before(ClusterTime::new(1_004, 1), Some(1_003_000)));
}

#[test]
fn a_fraction_is_not_served_by_a_snapshot_that_ends_within_its_second() {
    let catalog = whole();
    assert_eq!(at(8).seconds, 1_002);
    assert_eq!(plan(&catalog, &rfc3339(1_002, "")).snapshot.id.as_str(), "new");
    assert_eq!(plan(&catalog, &rfc3339(1_002, ".999")).snapshot.id.as_str(), "old");
    assert_eq!(plan(&catalog, &rfc3339(1_003, ".000")).snapshot.id.as_str(), "new");
}

#[test]
fn latest_is_where_the_newest_window_ends() {
    assert_eq!(plan(&whole(), "latest").target.resolved, at(12));
    assert_eq!(plan(&whole(), "latest").target.requested, "latest");
}

#[test]
fn latest_says_so_when_the_archive_goes_on_behind_the_last_restorable_moment() {
    let mut catalog = whole();
    catalog.slices.push(slice(14, 16, 1, 1));
    let planned = plan(&catalog, "latest");
    assert_eq!(planned.target.resolved, at(12));
    assert!(planned.notes[0].contains(&time(16)), "{:?}", planned.notes);
    let hole = CoveredRange::new(at(12), at(14)).to_string();
    let [finding] = &planned.findings[..] else { panic!("{:?}", planned.findings) };
    assert!(finding.object.ends_with("/oplog/") && finding.problem.contains(&hole), "{finding:?}");
    catalog.gaps.push(gap(12, 14, GapReason::OplogOverrun));
    assert!(plan(&catalog, "latest").findings[0].problem.contains("oplog_overrun"));
    // What was asked for exactly is what one gets; a snapshot behind the break serves the newest moment.
    assert_eq!(plan(&catalog, &time(12)).findings, []);
    catalog.snapshots.push(snapshot("behind", 14, 15));
    assert_eq!((plan(&catalog, "latest").findings, plan(&catalog, "latest").target.resolved), (vec![], at(16)));
}

#[test]
fn latest_and_ago_say_so_when_the_end_of_the_archive_is_not_where_it_was() {
    let mut catalog = whole();
    let mark = |through, snapshot: &str| {
        Some(HighWater::new(at(through), Some(snapshot.parse().unwrap()), "2026-01-02T03:04:05Z"))
    };
    catalog.high_water = mark(12, "new");
    assert_eq!(plan(&catalog, "latest").findings, []);
    catalog.high_water = mark(15, "new");
    for target in ["latest", "-1s"] {
        let planned = plan(&catalog, target);
        let [finding] = &planned.findings[..] else { panic!("{target}: {:?}", planned.findings) };
        assert!(finding.problem.contains(&time(15)) && planned.notes.contains(&finding.problem), "{planned:?}");
    }
    assert_eq!(plan(&catalog, &time(12)).findings, []);
    // Moments that were archived are missing; later ones were never there.
    let missing = CoveredRange::new(at(12), at(15));
    assert_eq!(*refusal(&catalog, &time(13)).obstacle, Obstacle::Uncovered { missing });
    assert_eq!(*refusal(&catalog, &rfc3339(1_005, "")).obstacle, Obstacle::Uncovered { missing });
    assert_eq!(*refusal(&catalog, &time(16)).obstacle, Obstacle::AfterArchivedThrough { through: at(12) });
    catalog.high_water = mark(12, "zest");
    assert!(plan(&catalog, "latest").findings[0].object.ends_with("snapshots/zest/manifest.json"));
}

#[test]
fn latest_says_so_when_a_slice_or_the_mark_itself_cannot_be_used() {
    let mut catalog = whole();
    let lineage = catalog.lineage.clone();
    let mut unusable = |object: ObjectKey| {
        catalog.unusable = vec![Finding { object: object.to_string(), problem: "it is empty".into() }];
        plan(&catalog, "latest").findings.len()
    };
    let mut slice_key = |after, through| unusable(slice(after, through, 1, 1).id.key(&lineage, false));
    assert_eq!(slice_key(12, 14), 1);
    assert_eq!(slice_key(10, 11), 0, "the plan does without it");
    assert_eq!(unusable(HighWater::key(&lineage)), 1);
}

#[test]
fn with_only_one_snapshot_the_plan_starts_from_it_and_misses_no_other() {
    let mut catalog = whole();
    catalog.high_water = Some(HighWater::new(at(12), Some("zest".parse().unwrap()), "2026-01-02T03:04:05Z"));
    let planned = plan(&catalog.with_only(&"old".parse().unwrap()), "latest");
    assert_eq!((planned.snapshot.id.as_str(), planned.target.resolved), ("old", at(12)));
    assert_eq!(planned.findings, []);
}

#[test]
fn a_plan_of_an_earlier_release_has_no_findings() {
    let mut saved = serde_json::to_value(plan(&whole(), "latest")).unwrap();
    saved.as_object_mut().unwrap().remove("findings").unwrap();
    assert_eq!(serde_json::from_value::<RestorePlan>(saved).unwrap(), plan(&whole(), "latest"));
}

#[test]
fn a_length_of_time_counts_back_from_archived_through_in_whole_seconds() {
    let target = plan(&whole(), "-1s").target;
    assert_eq!((target.resolved, target.requested.as_str()), (ClusterTime::end_of_second(1_003), "-1s"));
    assert!(matches!(*refusal(&whole(), "-1h").obstacle, Obstacle::BeforeFirstSnapshot { .. }));
    let none = catalog(&[], &[snapshot("a", 3, 3)]);
    assert_eq!(*refusal(&none, "-1s").obstacle, Obstacle::NothingArchived);
}

#[test]
fn a_named_snapshot_is_restored_at_its_end_from_exactly_that_one() {
    let planned = plan(&whole(), "snapshot:old");
    assert_eq!((planned.snapshot.id.as_str(), planned.target.resolved, planned.slices.len()), ("old", at(3), 2));
    let idle = catalog(&[], &[snapshot("idle", 5, 5)]);
    assert_eq!(plan(&idle, "snapshot:idle").slices, []);
}

#[test]
fn an_unknown_snapshot_is_not_found_and_the_known_ones_are_named() {
    let refused = refusal(&whole(), "snapshot:other");
    assert_eq!(refused.exit_code(), 3);
    assert!(refused.to_string().contains("old") && refused.to_string().contains("new"), "{refused}");
    assert_eq!(refusal(&catalog(&[], &[]), "snapshot:other").exit_code(), 3);
}

#[test]
fn a_named_snapshot_that_is_damaged_or_lacks_slices_is_refused_whatever_others_could_do() {
    let mut catalog = whole();
    catalog.snapshots.push(damaged("bad", 5, 6));
    catalog.snapshots.push(snapshot("cut", 11, 14));
    let refused = refusal(&catalog, "snapshot:bad");
    assert_eq!((refused.exit_code(), refused.kind()), (5, "damaged_snapshot"));
    assert_eq!(refused.nearest, Nearest { before: Some(at(6)), after: None }, "from another snapshot");
    let refused = refusal(&catalog, "snapshot:cut");
    let missing = CoveredRange::new(at(12), at(14));
    assert_eq!((refused.exit_code(), *refused.obstacle), (4, Obstacle::Uncovered { missing }));
}

#[test]
fn a_damaged_snapshot_is_passed_over_for_an_older_one_and_the_plan_says_so() {
    let mut catalog = whole();
    catalog.snapshots[1] = damaged("new", 7, 8);
    let planned = plan(&catalog, "latest");
    assert_eq!((planned.snapshot.id.as_str(), planned.slices.len()), ("old", 6));
    assert!(planned.notes[0].contains("new") && planned.notes[0].contains("segment 3"), "{:?}", planned.notes);
    catalog.snapshots[0] = damaged("old", 1, 3);
    let refused = refusal(&catalog, &time(10));
    assert_eq!((refused.exit_code(), refused.nearest), (5, Nearest::default()));
    assert!(matches!(&*refused.obstacle, Obstacle::DamagedSnapshot { id, .. } if id.as_str() == "new"));
    assert_eq!(refusal(&catalog, "latest").exit_code(), 5);
}

#[test]
fn a_snapshot_with_a_broken_chain_is_passed_over_for_one_that_ends_earlier() {
    let slices = [slice(4, 8, 1, 1), slice(8, 12, 1, 1)];
    let long_running = catalog(&slices, &[snapshot("long", 2, 9), snapshot("short", 4, 6)]);
    let planned = plan(&long_running, &time(11));
    assert_eq!(planned.snapshot.id.as_str(), "short");
    assert!(planned.notes[0].contains("long"), "{:?}", planned.notes);
}

#[test]
fn a_moment_inside_a_gap_is_refused_with_the_restorable_moments_around_it() {
    let mut catalog =
        catalog(&[slice(0, 5, 1, 1), slice(9, 15, 1, 1)], &[snapshot("old", 1, 2), snapshot("new", 10, 11)]);
    catalog.gaps.push(gap(5, 9, GapReason::OplogOverrun));
    for target in [time(6), time(9), format!("before:{}", time(7)), rfc3339(1_002, "")] {
        let refused = refusal(&catalog, &target);
        assert_eq!((refused.exit_code(), refused.kind()), (4, "inside_gap"), "{refused}");
        assert_eq!(refused.nearest, Nearest { before: Some(at(5)), after: Some(at(11)) });
        assert!(refused.next().contains(&format!("--to {}", time(5))), "{refused}");
    }
    assert_eq!(plan(&catalog, &time(5)).snapshot.id.as_str(), "old");
    let behind = refusal(&catalog, &time(10));
    assert_eq!((behind.exit_code(), behind.kind()), (4, "behind_gap"), "{behind}");
    assert_eq!(behind.nearest, Nearest { before: Some(at(5)), after: Some(at(11)) });
    assert_eq!(refusal(&catalog, &rfc3339(1_001, "")).kind(), "inside_gap", "the second is only half archived");
}

#[test]
fn across_an_entry_that_cannot_be_replayed_nothing_is_planned_and_up_to_it_everything() {
    let mut catalog = whole();
    catalog.snapshots[1] = snapshot("new", 7, 10);
    let detail = "the feature compatibility version was changed";
    catalog.gaps.push(Gap::not_replayable(at(6), at(6), "2026-01-02T03:04:05Z", detail));
    let before = at(6).predecessor();
    for target in [time(5), before.to_string(), format!("before:{}", time(6))] {
        let planned = plan(&catalog, &target);
        assert_eq!((planned.snapshot.id.as_str(), planned.target.inclusive), ("old", true), "{target}");
    }
    let target = plan(&catalog, &format!("before:{}", time(6))).target;
    assert_eq!((target.resolved, target.must_exist), (before, false), "that the entry is there is on record");
    for (target, kind) in [(time(6), "inside_gap"), (time(7), "behind_gap"), (time(9), "behind_gap")] {
        let refused = refusal(&catalog, &target);
        assert_eq!((refused.exit_code(), refused.kind()), (4, kind), "{refused}");
        assert_eq!(refused.nearest, Nearest { before: Some(before), after: Some(at(10)) }, "{refused}");
        assert!(refused.what().contains("is archived but cannot be replayed"), "{refused}");
        assert!(refused.cause().contains(detail), "{refused}");
    }
    assert_eq!(plan(&catalog, &time(11)).snapshot.id.as_str(), "new");
    catalog.snapshots.pop();
    let planned = plan(&catalog, "latest");
    assert_eq!(planned.target.resolved, before);
    assert!(planned.findings[0].problem.contains(detail), "{:?}", planned.findings);
}

#[test]
fn a_hole_without_a_record_is_refused_as_such() {
    let catalog = catalog(&[slice(0, 5, 1, 1), slice(9, 15, 1, 1)], &[snapshot("old", 1, 2)]);
    let missing = CoveredRange::new(at(5), at(9));
    for moment in [6, 9, 12] {
        let refused = refusal(&catalog, &time(moment));
        assert_eq!((refused.exit_code(), *refused.obstacle), (4, Obstacle::Uncovered { missing }), "{moment}");
    }
}

#[test]
fn contradictory_history_is_refused_as_an_integrity_error() {
    let slices = [slice(0, 5, 1, 1), slice(5, 9, 1, 1), slice(5, 9, 1, 2), slice(9, 15, 1, 1)];
    let catalog = catalog(&slices, &[snapshot("old", 1, 2)]);
    for moment in [6, 9, 12] {
        let refused = refusal(&catalog, &time(moment));
        assert_eq!((refused.exit_code(), refused.kind()), (5, "forked"), "{refused}");
        assert!(refused.cause().contains("different content") && refused.next().contains("verify"), "{refused}");
    }
    assert_eq!(plan(&catalog, "latest").target.resolved, at(5));
}

#[test]
fn slices_that_are_all_disputed_refuse_everything_as_an_integrity_error() {
    let catalog = catalog(&[slice(0, 9, 1, 1), slice(0, 9, 1, 2)], &[snapshot("old", 1, 2)]);
    for target in ["latest".to_owned(), time(5), time(10), "snapshot:old".to_owned()] {
        assert_eq!(refusal(&catalog, &target).exit_code(), 5, "{target}");
    }
}

#[test]
fn without_any_snapshot_nothing_is_restorable() {
    let refused = refusal(&catalog(&[slice(0, 9, 1, 1)], &[]), "latest");
    assert_eq!(
        (refused.exit_code(), &*refused.obstacle, refused.nearest),
        (4, &Obstacle::NoSnapshot, Nearest::default())
    );
    assert!(refused.next().contains("sidecar snapshot"), "{refused}");
}

#[test]
fn a_restored_cluster_is_a_new_lineage_and_its_catalog_knows_nothing_of_the_old_one() {
    let old = whole();
    let lineage: LineageId = "rs0-75a1b2c3d4e5f60718293a4b".parse().unwrap();
    let slices = vec![slice(5, 9, 1, 7), slice(9, 14, 1, 8)];
    let new = Catalog { lineage: lineage.clone(), slices, snapshots: vec![snapshot("reborn", 5, 6)], ..old.clone() };
    assert_eq!(plan(&new, &time(12)).lineage, lineage);
    assert_eq!(plan(&old, &time(12)).lineage, old.lineage);
    assert_eq!(*refusal(&new, &time(4)).obstacle, Obstacle::BeforeFirstSnapshot { earliest: at(6) });
    assert!(refusal(&new, &time(4)).to_string().contains(lineage.as_str()));
}

#[test]
fn a_refusal_says_what_where_why_and_what_next() {
    let text = refusal(&whole(), &time(15)).to_string();
    assert_eq!(
        text,
        "`1005:1` lies after 1004:1 (1970-01-01T00:16:44Z), where the archive ends (lineage rs0-65a1b2c3d4e5f60718293a4b). \
         Cause: the moment is in the future, the archive lags, or the sidecar stopped. Nearest restorable moment: 1004:1 \
         (1970-01-01T00:16:44Z). Next: dr-cli plan --to 1004:1"
    );
}

#[test]
fn a_plan_reads_back_from_its_file() {
    for target in ["latest".to_owned(), format!("before:{}", time(10)), rfc3339(1_003, ".5")] {
        let plan = plan(&whole(), &target);
        let json = serde_json::to_string(&plan).unwrap();
        assert!(json.contains("\"resolved\":\"1"), "{json}");
        assert_eq!(serde_json::from_str::<RestorePlan>(&json).unwrap(), plan);
    }
}
