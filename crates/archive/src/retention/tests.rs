//! The decisions one by one, and in `property` what must hold for all of them.

use std::time::Duration;

use super::*;
use crate::catalog::{SnapshotSummary, StoredSlice};
use crate::coverage::model::{at, gap, slice};
use crate::gap::GapReason;
use crate::high_water::HighWater;

mod property;
mod store;

pub(super) const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

pub(super) fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

pub(super) fn snapshot(id: &str, begin: u32, end: u32) -> SnapshotSummary {
    SnapshotSummary {
        id: id.parse().unwrap(),
        begin: at(begin),
        end: at(end),
        published_at: instant(i64::from(at(end).seconds)).to_string(),
        documents: 7,
        bytes: 5_000,
        stored_bytes: 1_000,
        damaged: None,
        pinned: false,
    }
}

/// A lineage with nothing beside its catalog.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub catalog: Catalog,
    pub unfinished: Vec<UnfinishedSnapshot>,
    pub abandoned: Vec<AbandonedRemains>,
    pub orphans: Vec<Orphan>,
    pub references: Vec<ClusterTime>,
    pub pins: Vec<Pin>,
    pub protections: Vec<Protection>,
    pub freeze: Option<Freeze>,
    pub locks: BTreeMap<ObjectKey, ObjectLock>,
    pub unreadable: Vec<Finding>,
    pub now: Timestamp,
    pub uncertainty: Duration,
}

impl Case {
    pub fn new(slices: Vec<StoredSlice>, snapshots: Vec<SnapshotSummary>) -> Self {
        let lineage = "rs0-65a1b2c3d4e5f60718293a4b".parse().unwrap();
        Self {
            catalog: Catalog { slices, snapshots, ..Catalog::new(lineage) },
            unfinished: Vec::new(),
            abandoned: Vec::new(),
            orphans: Vec::new(),
            references: Vec::new(),
            pins: Vec::new(),
            protections: Vec::new(),
            freeze: None,
            locks: BTreeMap::new(),
            unreadable: Vec::new(),
            now: instant(1_006),
            uncertainty: Duration::ZERO,
        }
    }

    pub fn decide(&self, policy: &RetentionPolicy) -> Result<RetentionPlan, RetentionError> {
        plan_retention(
            policy,
            &RetentionInput {
                catalog: &self.catalog,
                unfinished: &self.unfinished,
                abandoned: &self.abandoned,
                orphans: &self.orphans,
                references: &self.references,
                pins: &self.pins,
                protections: &self.protections,
                freeze: self.freeze.as_ref(),
                locks: &self.locks,
                unreadable: &self.unreadable,
                clock: Clock { now: self.now, uncertainty: self.uncertainty },
            },
        )
    }

    pub fn plan(&self, policy: &RetentionPolicy) -> RetentionPlan {
        self.decide(policy).unwrap_or_else(|error| panic!("{error}"))
    }

    fn key(&self, snapshot: &str) -> ObjectKey {
        ObjectKey::Manifest { lineage: self.catalog.lineage.clone(), snapshot: snapshot.parse().unwrap() }
    }
}

/// Moments 0 to 18 in slices of two, snapshots that end at 3, 8, 13 and 16.
fn whole() -> Case {
    let slices = (0..9).map(|n| slice(n * 2, n * 2 + 2, 1, 1)).collect();
    Case::new(slices, vec![snapshot("a", 1, 3), snapshot("b", 7, 8), snapshot("c", 12, 13), snapshot("d", 15, 16)])
}

fn policy() -> RetentionPolicy {
    RetentionPolicy::default()
}

fn last(keep: u32) -> RetentionPolicy {
    RetentionPolicy { keep_last: Some(keep), ..policy() }
}

fn window(seconds: u64) -> RetentionPolicy {
    RetentionPolicy { pitr_window: Some(Duration::from_secs(seconds)), ..policy() }
}

fn kept(plan: &RetentionPlan) -> Vec<&str> {
    plan.snapshots.iter().filter(|one| one.decision.is_keep()).map(|one| one.id.as_str()).collect()
}

fn expired_ranges(plan: &RetentionPlan) -> Vec<CoveredRange> {
    plan.expired_runs().map(|run| run.range).collect()
}

fn range(from: u32, through: u32) -> CoveredRange {
    CoveredRange::new(at(from), at(through))
}

fn reasons<'a>(plan: &'a RetentionPlan, id: &str) -> Vec<&'a str> {
    let one = plan.snapshots.iter().find(|one| one.id.as_str() == id).unwrap();
    match &one.decision {
        Decision::Keep(reasons) => reasons.iter().map(KeepReason::kind).collect(),
        Decision::Expire(reasons) => reasons.iter().map(ExpireReason::kind).collect(),
    }
}

#[test]
fn a_policy_without_a_rule_or_with_a_rule_that_keeps_nothing_is_refused() {
    let refused = |policy: &RetentionPolicy| match whole().decide(policy) {
        Err(RetentionError::Policy(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&policy()), PolicyError::Empty);
    assert_eq!(refused(&last(0)), PolicyError::KeepsNothing { rule: "keep_last" });
    assert_eq!(refused(&window(0)), PolicyError::KeepsNothing { rule: "pitr_window" });
    let monthly = RetentionPolicy { keep_monthly: Some(0), ..last(1) };
    assert_eq!(refused(&monthly), PolicyError::KeepsNothing { rule: "keep_monthly" });
    assert_eq!(refused(&RetentionPolicy { minimum_redundancy: 0, ..last(1) }), PolicyError::NoRedundancy);
    assert_eq!(refused(&RetentionPolicy { unfinished_grace: SECOND, ..last(1) }), PolicyError::GraceTooShort);
}

#[test]
fn the_newest_are_kept_with_all_history_since_the_oldest_of_them() {
    let plan = whole().plan(&last(2));
    assert_eq!(kept(&plan), ["c", "d"]);
    assert_eq!(reasons(&plan, "d"), ["newest_good", "keep_last", "pitr_window"]);
    assert_eq!(reasons(&plan, "a"), ["not_among_last"]);
    assert_eq!(expired_ranges(&plan), [range(0, 12)]);
    assert_eq!(plan.freed_bytes(), 2 * 1_000 + 6 * 200);
    assert_eq!(plan.windows_before, [RestoreWindow { from: at(3), through: at(18) }]);
    assert_eq!(plan.windows_after, [RestoreWindow { from: at(13), through: at(18) }]);
    assert_eq!(kept(&whole().plan(&last(9))), ["a", "b", "c", "d"]);
}

#[test]
fn a_window_keeps_what_ends_in_it_and_the_one_before_from_which_it_starts() {
    // 1006 - 3 is the second of moments 9 to 11.
    let plan = whole().plan(&window(3));
    assert_eq!(kept(&plan), ["b", "c", "d"]);
    assert_eq!(reasons(&plan, "b"), ["pitr_anchor"]);
    assert_eq!(reasons(&plan, "a"), ["before_pitr_window"]);
    assert_eq!(expired_ranges(&plan), [range(0, 6)]);
    assert_eq!(plan.windows_after, [RestoreWindow { from: at(8), through: at(18) }]);
    // One second of doubt about the clock, and the window starts one second earlier.
    let doubtful = Case { uncertainty: SECOND, ..whole() };
    assert_eq!(kept(&doubtful.plan(&window(2))), kept(&plan));
}

#[test]
fn a_snapshot_that_does_not_reach_into_the_window_is_not_its_anchor() {
    let mut case = whole();
    case.catalog.slices.retain(|slice| slice.range() != range(8, 10));
    let plan = case.plan(&window(3));
    assert_eq!(kept(&plan), ["c", "d"]);
    assert_eq!(expired_ranges(&plan), [range(0, 8)]);
}

#[test]
fn age_is_judged_by_the_later_date_and_with_doubt_about_the_clock() {
    let keep_for = |seconds| RetentionPolicy { keep_for: Some(Duration::from_secs(seconds)), ..policy() };
    assert_eq!(kept(&whole().plan(&keep_for(3))), ["c", "d"]);
    assert_eq!(reasons(&whole().plan(&keep_for(3)), "b"), ["too_old"]);
    let doubtful = Case { uncertainty: SECOND, ..whole() };
    assert_eq!(kept(&whole().plan(&keep_for(4))), ["c", "d"]);
    assert_eq!(kept(&doubtful.plan(&keep_for(4))), ["b", "c", "d"], "1002 may be less than four seconds ago");
    let mut late = whole();
    late.catalog.snapshots[0].published_at = instant(1_005).to_string();
    assert_eq!(kept(&late.plan(&keep_for(3))), ["a", "b", "c", "d"], "every moment since the oldest stays restorable");
    let mut undated = whole();
    undated.catalog.snapshots[0].published_at = "yesterday".into();
    assert_eq!(reasons(&undated.plan(&keep_for(3)), "a"), ["undated", "pitr_window"]);
}

#[test]
fn the_newest_good_snapshot_outlives_every_age() {
    let plan = Case { now: instant(2_000_000_000), ..whole() }.plan(&window(1));
    assert_eq!(kept(&plan), ["d"]);
    assert_eq!(expired_ranges(&plan), [range(0, 14)]);
    let redundant = RetentionPolicy { minimum_redundancy: 2, ..window(1) };
    assert_eq!(kept(&Case { now: instant(2_000_000_000), ..whole() }.plan(&redundant)), ["c", "d"]);
}

#[test]
fn damaged_snapshots_take_nobodys_place_and_go_when_a_good_one_would() {
    let mut case = whole();
    case.catalog.snapshots[3].damaged = Some("segment 3 is missing".into());
    let plan = case.plan(&last(1));
    assert_eq!(kept(&plan), ["c", "d"]);
    assert_eq!(reasons(&plan, "c")[0], "newest_good");
    case.catalog.snapshots[2].damaged = Some("page 1 is missing".into());
    let plan = case.plan(&last(2));
    assert_eq!(kept(&plan), ["a", "b", "c", "d"]);
    case.catalog.snapshots.iter_mut().for_each(|one| one.damaged = Some("gone".into()));
    let plan = case.plan(&last(1));
    assert_eq!((kept(&plan).len(), plan.steps.len()), (4, 0));
}

#[test]
fn the_first_of_each_month_is_an_island_and_the_hole_before_the_next_is_recorded() {
    const DAY: u32 = 86_400;
    let day = |day: u32| ClusterTime::new(day * DAY, 1);
    let slices = (0..120).map(|n| {
        let id = crate::layout::SliceId { after: day(n), through: day(n + 1), term: 1, digest: [1; 16] };
        StoredSlice { id, stored_bytes: 100, encrypted: false }
    });
    let snapshots = [10, 20, 40, 50, 70, 100, 115].map(|n| SnapshotSummary {
        begin: ClusterTime::new(n * DAY - 100, 1),
        end: day(n),
        ..snapshot(&format!("d{n:03}"), 0, 1)
    });
    let mut case = Case::new(slices.collect(), snapshots.into());
    case.now = instant(i64::from(120 * DAY));
    let policy = RetentionPolicy { keep_monthly: Some(3), keep_last: Some(1), ..policy() };
    let plan = case.plan(&policy);
    assert_eq!(kept(&plan), ["d040", "d070", "d100", "d115"]);
    assert_eq!(reasons(&plan, "d040"), ["keep_monthly"]);
    assert_eq!(reasons(&plan, "d050"), ["not_among_last", "not_monthly"]);
    let whole_days = |from: u32, through: u32| CoveredRange::new(day(from), day(through));
    let holes: Vec<_> = plan
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::RecordGap(gap) => Some((gap.reason.clone(), CoveredRange::new(gap.after, gap.through))),
            _ => None,
        })
        .collect();
    let expected = [whole_days(40, 69), whole_days(70, 99), whole_days(100, 114)];
    assert_eq!(holes, expected.map(|hole| (GapReason::Expired, hole)));
    assert_eq!(expired_ranges(&plan)[0], whole_days(0, 39));
}

#[test]
fn what_is_pinned_protected_locked_or_frozen_stays_and_says_why() {
    let mut case = whole();
    case.pins = vec![
        Pin::new("keep-a", Pinned::Snapshot("a".parse().unwrap()), "incident 7", "1970-01-01T00:00:00Z"),
        Pin::new("lost", Pinned::Snapshot("z".parse().unwrap()), "", "1970-01-01T00:00:00Z"),
    ];
    let plan = case.plan(&last(1));
    assert_eq!((kept(&plan), reasons(&plan, "a")), (vec!["a", "d"], vec!["pinned"]));
    assert_eq!(expired_ranges(&plan), [range(4, 14)]);
    assert!(plan.notes[0].contains("snapshot z"), "{:?}", plan.notes);
    case.pins[0].until = Some(instant(1_006));
    assert_eq!(kept(&case.plan(&last(1))), ["d"]);

    let range_of = |from, through| Pinned::Moments { from: at(from), through: at(through) };
    case.pins = vec![Pin::new("harm", range_of(10, 11), "", "1970-01-01T00:00:00Z")];
    let plan = case.plan(&last(1));
    assert_eq!((kept(&plan), expired_ranges(&plan)), (vec!["b", "d"], vec![range(0, 6), range(12, 14)]));
    case.pins.clear();

    let protect = |until| Protection::new("r1", "b".parse().unwrap(), range(7, 11), "dr-cli on ops-1", instant(until));
    case.protections = vec![protect(1_007)];
    let plan = case.plan(&last(1));
    assert_eq!((kept(&plan), expired_ranges(&plan)), (vec!["b", "d"], vec![range(0, 6), range(12, 14)]));
    case.protections = vec![protect(1_006)];
    assert_eq!(kept(&case.plan(&last(1))), ["d"]);
    case.uncertainty = SECOND;
    assert_eq!(kept(&case.plan(&last(1))), ["b", "d"], "it may still run");
    case.protections.clear();

    case.locks = BTreeMap::from([
        (case.key("a"), ObjectLock::Until(instant(1_006))),
        (case.key("b"), ObjectLock::LegalHold),
        (slice(4, 6, 1, 1).id.key(&case.catalog.lineage, false), ObjectLock::Until(instant(9_999))),
    ]);
    let plan = case.plan(&last(1));
    assert_eq!((reasons(&plan, "a"), reasons(&plan, "b")), (vec!["locked"], vec!["legal_hold"]));
    assert_eq!(expired_ranges(&plan), [range(8, 14)]);

    case.freeze = Some(Freeze::new("ransomware", "ops", "1970-01-01T00:00:00Z"));
    let plan = case.plan(&last(1));
    assert_eq!((kept(&plan).len(), expired_ranges(&plan), plan.steps.len()), (4, vec![], 0));
    assert!(serde_json::to_string(&plan).unwrap().contains("expiry is frozen: ransomware"));
}

#[test]
fn an_archive_that_lost_something_or_cannot_be_read_is_not_made_smaller() {
    let mark =
        |through, snapshot: &str| HighWater::new(at(through), Some(snapshot.parse().unwrap()), "1970-01-01T00:16:00Z");
    let mut case = whole();
    case.catalog.high_water = Some(mark(18, "d"));
    assert_eq!(kept(&case.plan(&last(1))), ["d"]);
    for mark in [mark(20, "d"), mark(18, "e")] {
        case.catalog.high_water = Some(mark);
        assert!(matches!(case.decide(&last(1)), Err(RetentionError::Shortfall { .. })));
    }
    let mut case = whole();
    let unusable = |key: ObjectKey| vec![Finding { object: key.to_string(), problem: "not readable".into() }];
    case.catalog.unusable = unusable(gap(2, 4, GapReason::OplogOverrun).key(&case.catalog.lineage));
    assert!(matches!(case.decide(&last(1)), Err(RetentionError::Unreadable { .. })));
    case.catalog.unusable = unusable(case.key("x"));
    let plan = case.plan(&last(1));
    assert_eq!((kept(&plan), expired_ranges(&plan)), (vec!["d"], vec![]));
    let mut case = whole();
    case.unreadable = vec![Finding { object: "rs0/control/pins/x.json".into(), problem: "not readable".into() }];
    let refusal = case.decide(&last(1)).unwrap_err();
    assert!(refusal.to_string().contains("pins/x.json"), "{refusal}");
}

fn unfinished(started_ago: Duration) -> UnfinishedSnapshot {
    UnfinishedSnapshot {
        id: "u".parse().unwrap(),
        started_at: Some(policy::before(instant(1_006), started_ago)),
        last_modified: None,
        begin: Some(at(10)),
        is_lease_alive: false,
        stored_bytes: 50,
    }
}

#[test]
fn an_unfinished_snapshot_goes_only_when_its_writer_is_gone_for_long() {
    let mut case = whole();
    case.unfinished = vec![unfinished(23 * HOUR)];
    let plan = case.plan(&last(1));
    assert!(plan.unfinished[0].decision.is_keep());
    assert_eq!(expired_ranges(&plan), [range(0, 10)], "slices that it may need stay");

    case.unfinished = vec![unfinished(25 * HOUR)];
    let plan = case.plan(&last(9));
    let [Step::RemoveSnapshot { is_published: false, tombstone }] = &plan.steps[..] else { panic!("{:?}", plan.steps) };
    assert!(tombstone.reason.contains("never finished"), "{tombstone:?}");
    let operations = plan.steps[0].operations(&case.catalog.lineage).unwrap();
    assert!(matches!(&operations[0], Operation::Create { key, .. } if *key == case.key("u")), "{operations:?}");

    for keep in [
        UnfinishedSnapshot { is_lease_alive: true, ..unfinished(25 * HOUR) },
        UnfinishedSnapshot { last_modified: Some(instant(1_000)), ..unfinished(25 * HOUR) },
        UnfinishedSnapshot { started_at: None, ..unfinished(HOUR) },
    ] {
        case.unfinished = vec![keep];
        assert!(case.plan(&last(9)).steps.is_empty(), "{:?}", case.unfinished);
    }
}

#[test]
fn remains_go_at_once_and_the_tombstone_after_a_month() {
    let mut case = whole();
    let remains = |days_ago, has_data| AbandonedRemains {
        id: "x".parse().unwrap(),
        abandoned_at: policy::before(instant(1_006), HOUR * 24 * days_ago).to_string(),
        has_data,
        stored_bytes: 9,
    };
    let steps = |case: &mut Case, one| {
        case.abandoned = vec![one];
        case.plan(&last(9)).steps
    };
    let remove = Step::RemoveRemains { snapshot: "x".parse().unwrap() };
    let forget = Step::Delete(case.key("x"));
    assert_eq!(steps(&mut case, remains(1, true)), std::slice::from_ref(&remove));
    assert_eq!(steps(&mut case, remains(1, false)), []);
    assert_eq!(steps(&mut case, remains(31, true)), [remove, forget.clone()]);
    assert_eq!(steps(&mut case, remains(31, false)), [forget]);
}

#[test]
fn slices_that_contradict_those_that_are_kept_stay_with_them() {
    let mut case = whole();
    // Two contents for one range, which touches the slice that the newest snapshot starts in.
    case.catalog.slices.push(slice(12, 14, 1, 9));
    let plan = case.plan(&last(1));
    assert_eq!(expired_ranges(&plan), [range(0, 12)]);
    let disputed = plan.slices.iter().any(|run| match &run.decision {
        Decision::Keep(reasons) => reasons.contains(&KeepReason::Disputed { range: range(12, 14) }),
        Decision::Expire(_) => false,
    });
    assert!(disputed, "{:?}", plan.slices);
    // Further away it goes like everything else.
    case.catalog.slices.push(slice(4, 6, 1, 9));
    case.catalog.slices.retain(|slice| slice.range() != range(12, 14) || slice.id.digest == [1; 16]);
    assert_eq!(expired_ranges(&case.plan(&last(1))), [range(0, 14)]);
}

#[test]
fn references_and_gaps_go_with_the_history_that_they_speak_of() {
    let mut case = whole();
    case.references = vec![at(3), at(9), at(13), at(18), ClusterTime::MAX];
    case.catalog.gaps = vec![gap(2, 4, GapReason::OplogOverrun), gap(13, 15, GapReason::OplogOverrun)];
    let plan = case.plan(&last(2));
    let deleted: Vec<String> = plan
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Delete(key) => Some(key.to_string()),
            _ => None,
        })
        .collect();
    let lineage = case.catalog.lineage.clone();
    let reference = |moment| ObjectKey::Reference { lineage: lineage.clone(), at: at(moment) }.to_string();
    let lost = case.catalog.gaps[0].key(&case.catalog.lineage).to_string();
    assert_eq!(deleted, [lost, reference(3), reference(9)]);
}

#[test]
fn orphans_go_after_the_grace_unless_their_snapshot_goes_anyway() {
    let mut case = whole();
    let orphan = |snapshot: &str, ago: Duration| {
        let key = ObjectKey::Segment {
            lineage: case.catalog.lineage.clone(),
            snapshot: snapshot.parse().unwrap(),
            uuid: crate::CollectionUuid([1; 16]),
            part: 7,
            encrypted: false,
        };
        Orphan { key, last_modified: Some(policy::before(instant(1_006), ago)) }
    };
    case.orphans = vec![orphan("d", 25 * HOUR), orphan("d", HOUR), orphan("a", 25 * HOUR)];
    let plan = case.plan(&last(1));
    let decisions: Vec<bool> = plan.objects.iter().map(|object| object.decision.is_keep()).collect();
    assert_eq!(decisions, [false, true]);
}

#[test]
fn records_read_back_and_lie_below_control() {
    let lineage: LineageId = "rs0-1".parse().unwrap();
    let mut pin = Pin::new("p1", Pinned::Moments { from: at(1), through: at(2) }, "why", "1970-01-01T00:00:00Z");
    pin.until = Some(instant(5));
    assert_eq!(Pin::from_json(&pin.to_json().unwrap()).unwrap(), pin);
    assert_eq!(pin.key(&lineage).unwrap().to_string(), "rs0-1/control/pins/p1.json");
    assert!(Pin::new("../x", pin.keeps.clone(), "", "1970-01-01T00:00:00Z").to_json().is_err());
    assert!(
        Pin::new("p", Pinned::Moments { from: at(2), through: at(1) }, "", "1970-01-01T00:00:00Z").to_json().is_err()
    );
    let protection = Protection::new("r1", "a".parse().unwrap(), range(1, 5), "me", instant(7));
    assert_eq!(Protection::from_json(&protection.to_json().unwrap()).unwrap(), protection);
    assert_eq!(protection.key(&lineage).unwrap().to_string(), "rs0-1/control/protect/r1.json");
    let freeze = Freeze::new("why", "who", "1970-01-01T00:00:00Z");
    assert_eq!(Freeze::from_json(&freeze.to_json().unwrap()).unwrap(), freeze);
    let notice = Expiring::new(vec!["b".parse().unwrap()], vec![range(0, 2)], "me", instant(9));
    assert_eq!(Expiring::from_json(&notice.to_json().unwrap()).unwrap(), notice);
    assert!(notice.conflicts_with(&protection), "a slice of it");
    assert!(!notice.conflicts_with(&Protection::new("r", "a".parse().unwrap(), range(2, 5), "", instant(7))));
    assert!(notice.conflicts_with(&Protection::new("r", "b".parse().unwrap(), range(2, 5), "", instant(7))));
    let newer = String::from_utf8(pin.to_json().unwrap()).unwrap().replace("\"format\": 1", "\"format\": 2");
    assert!(Pin::from_json(newer.as_bytes()).is_err());
}
