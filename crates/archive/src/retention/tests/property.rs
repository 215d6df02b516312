//! What holds for every archive, policy and moment of interruption.

#![allow(
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    reason = "small numbers"
)]

use proptest::prelude::*;

use super::store::Store;
use super::*;
use crate::coverage::model::{MOMENTS, Story, any_story, honest_story};
use crate::plan::{RestorePlan, plan_restore_with};
use crate::target::{RestoreTarget, WallTarget};

const PINNED_AT: &str = "1970-01-01T00:00:00Z";

fn any_case(story: impl Strategy<Value = Story>) -> impl Strategy<Value = Case> {
    let one = (0..=MOMENTS, 0..5_u32, prop::bool::weighted(0.15), -2..3_i64);
    let snapshots = proptest::collection::vec(one, 0..6);
    let pin = prop_oneof![
        (0..6_u32).prop_map(|n| Pinned::Snapshot(format!("s{n}").parse().unwrap())),
        (0..=MOMENTS, 0..4_u32)
            .prop_map(|(from, length)| Pinned::Moments { from: at(from), through: at(from + length) }),
    ];
    let protection = (0..6_u32, 0..MOMENTS, 0..6_u32, 1_000..1_012_i64);
    let held = (proptest::collection::vec(pin, 0..2), proptest::collection::vec(protection, 0..2));
    let unfinished = proptest::option::weighted(0.3, (any::<bool>(), 0..50_u32, proptest::option::of(0..=MOMENTS)));
    let times = (1_000..1_012_i64, 0..2_u64, proptest::collection::vec(0..=MOMENTS, 0..3));
    (story, snapshots, held, unfinished, times).prop_map(
        |(story, snapshots, (pins, protections), unfinished, times)| {
            let (now, uncertainty, references) = times;
            let snapshots = snapshots.into_iter().enumerate().map(|(n, (begin, length, is_damaged, delay))| {
                let end = (begin + length).min(MOMENTS);
                let published_at = instant(i64::from(at(end).seconds) + delay).to_string();
                let damaged = is_damaged.then(|| "segment 3 is missing".to_owned());
                SnapshotSummary { published_at, damaged, ..snapshot(&format!("s{n}"), begin, end) }
            });
            let mut case = Case::new(story.slices, snapshots.collect());
            // Of one name there is one object.
            case.catalog.slices.sort_unstable_by_key(|slice| (slice.id, slice.encrypted));
            case.catalog.slices.dedup_by_key(|slice| (slice.id, slice.encrypted));
            case.catalog.gaps = story.gaps;
            case.catalog.gaps.sort_by_key(|gap| (gap.after, gap.through));
            case.catalog.gaps.dedup_by_key(|gap| (gap.after, gap.through));
            case.references = references.into_iter().map(at).collect();
            case.references.sort_unstable();
            case.references.dedup();
            (case.now, case.uncertainty) = (instant(now), Duration::from_secs(uncertainty));
            let pin = |(n, keeps)| Pin::new(format!("p{n}"), keeps, "", PINNED_AT);
            case.pins = pins.into_iter().enumerate().map(pin).collect();
            let protect = |(n, from, length, until)| {
                let (id, range) = (format!("s{n}").parse().unwrap(), range(from, from + length));
                Protection::new(format!("r{n}"), id, range, "", instant(until))
            };
            case.protections = protections.into_iter().map(protect).collect();
            let unfinished = unfinished.map(|(is_lease_alive, hours, begin)| UnfinishedSnapshot {
                is_lease_alive,
                begin: begin.map(at),
                ..super::unfinished(HOUR * hours)
            });
            case.unfinished = unfinished.into_iter().collect();
            case
        },
    )
}

fn any_policy() -> impl Strategy<Value = RetentionPolicy> {
    let seconds = || proptest::option::of((1..9_u64).prop_map(Duration::from_secs));
    let count = || proptest::option::of(1..4_u32);
    (count(), seconds(), seconds(), count(), 1..3_u32)
        .prop_filter("empty", |(last, age, window, monthly, _)| {
            last.is_some() || age.is_some() || window.is_some() || monthly.is_some()
        })
        .prop_map(|(keep_last, keep_for, pitr_window, keep_monthly, minimum_redundancy)| RetentionPolicy {
            keep_last,
            keep_for,
            pitr_window,
            keep_monthly,
            minimum_redundancy,
            ..RetentionPolicy::default()
        })
}

/// What a restore does; damaged snapshots that were passed over may be gone, so the remarks differ.
type Outcome = Option<(SnapshotId, Vec<StoredSlice>, ClusterTime, u64)>;

fn outcome(case: &Case, coverage: &Coverage, target: &RestoreTarget) -> Outcome {
    let done = |plan: RestorePlan| (plan.snapshot.id, plan.slices, plan.target.resolved, plan.bytes);
    plan_restore_with(&case.catalog, coverage, target).ok().map(done)
}

fn times() -> impl Iterator<Item = ClusterTime> {
    (999..1_008).flat_map(|second| (0..5).map(move |increment| ClusterTime::new(second, increment)))
}

/// Targets whose plans the policy promises to leave alone, worked out from the words of the policy and restore plans only.
fn promised(case: &Case, policy: &RetentionPolicy, coverage: &Coverage) -> Vec<RestoreTarget> {
    let is_good = |one: &&SnapshotSummary| outcome(case, coverage, &RestoreTarget::Snapshot(one.id.clone())).is_some();
    let mut good: Vec<&SnapshotSummary> = case.catalog.snapshots.iter().filter(is_good).collect();
    good.sort_by_key(|one| (one.end, one.begin, one.id.clone()));
    let now = case.now.as_second() - case.uncertainty.as_secs() as i64;
    let is_young = |one: &SnapshotSummary| {
        let published: Timestamp = one.published_at.parse().unwrap();
        policy.keep_for.is_some_and(|keep_for| now - published.as_second() < keep_for.as_secs() as i64)
    };
    let newest = policy.keep_last.unwrap_or(0).max(policy.minimum_redundancy) as usize;
    let by_rule = |n: usize, one: &SnapshotSummary| n + newest >= good.len() || is_young(one);
    let is_held = |one: &SnapshotSummary| {
        case.pins.iter().any(|pin| pin.keeps == Pinned::Snapshot(one.id.clone()))
            || case.protections.iter().any(|held| held.snapshot == one.id && held.expires_at > case.now)
    };
    // All are of one month.
    let is_first = |n: usize| policy.keep_monthly.is_some() && n == 0;
    let numbered = || good.iter().enumerate();
    let kept = numbered().filter(|(n, one)| by_rule(*n, one) || is_first(*n) || is_held(one));
    let mut targets: Vec<_> = kept.map(|(_, one)| RestoreTarget::Snapshot(one.id.clone())).collect();
    targets.push(RestoreTarget::Latest);

    let moments = |from, through| times().filter(move |time| from <= *time && *time <= through).map(RestoreTarget::At);
    for pin in &case.pins {
        if let Pinned::Moments { from, through } = pin.keeps {
            targets.extend(moments(from, through));
        }
    }
    if let Some(window) = policy.pitr_window {
        let from = ClusterTime::new((now - window.as_secs() as i64) as u32, 0);
        targets.extend(moments(from, ClusterTime::MAX));
        targets.extend(times().filter(|time| *time >= from).map(RestoreTarget::Before));
        let halves = (from.seconds..1_008).map(|seconds| WallTarget { seconds, millis: Some(500) });
        targets.extend(halves.map(RestoreTarget::Time));
    } else {
        let oldest = numbered().filter(|(n, one)| by_rule(*n, one)).map(|(_, one)| one.end).min();
        targets.extend(moments(oldest.unwrap_or(ClusterTime::MAX), ClusterTime::MAX));
    }
    targets
}

fn holes(coverage: &Coverage) -> usize {
    coverage.problems.iter().filter(|problem| problem.kind() == "hole").count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whenever_it_stops_every_kept_moment_has_its_plan_and_nothing_new_is_claimed(
        mut case in any_case(any_story()),
        policy in any_policy(),
    ) {
        let before = Coverage::of_catalog(&case.catalog);
        let promised = promised(&case, &policy, &before).into_iter();
        let promised: Vec<_> =
            promised.filter_map(|target| Some((outcome(&case, &before, &target)?, target))).collect();
        let never: Vec<_> =
            times().map(RestoreTarget::At).filter(|target| outcome(&case, &before, target).is_none()).collect();

        let plan = case.plan(&policy);
        prop_assert_eq!(&plan.windows_before, &before.restore_windows(&case.catalog.snapshots));
        let mut store = Store::of(&case);
        for request in Store::requests(&case, &plan.steps) {
            store.carry_out(&request, &mut case);
            let now = Coverage::of_catalog(&case.catalog);
            for (expected, target) in &promised {
                let found = outcome(&case, &now, target);
                prop_assert_eq!(found.as_ref(), Some(expected), "{} after {:?}", target, request);
            }
            for target in &never {
                prop_assert_eq!(outcome(&case, &now, target), None, "{} after {:?}", target, request);
            }
        }
        let after = Coverage::of_catalog(&case.catalog);
        prop_assert_eq!(&plan.windows_after, &after.restore_windows(&case.catalog.snapshots));
        prop_assert!(holes(&after) <= holes(&before), "{:?}", after.problems);
        prop_assert_eq!(case.plan(&policy).steps, vec![]);
    }

    #[test]
    fn an_interrupted_expiry_is_finished_by_the_next_one(
        mut case in any_case(any_story()),
        policy in any_policy(),
        stop in any::<prop::sample::Index>(),
    ) {
        let plan = case.plan(&policy);
        let mut store = Store::of(&case);
        let requests = Store::requests(&case, &plan.steps);
        let done = &requests[..if requests.is_empty() { 0 } else { stop.index(requests.len()) }];
        for request in done {
            store.carry_out(request, &mut case);
        }
        store.forget_deletions();
        let second = case.plan(&policy);
        for request in Store::requests(&case, &second.steps) {
            store.carry_out(&request, &mut case);
        }
        prop_assert_eq!(case.plan(&policy).steps, vec![]);
        for one in kept(&plan) {
            prop_assert!(case.catalog.snapshots.iter().any(|left| left.id.as_str() == one), "{}", one);
        }
        prop_assert!(case.abandoned.iter().all(|one| !one.has_data));
    }

    #[test]
    fn a_policy_that_asks_for_more_keeps_more(
        case in any_case(honest_story()),
        policy in any_policy(),
        more in (0..3_u32, 0..3_u32, 0..3_u32, 0..3_u32, 0..2_u32),
    ) {
        let larger = RetentionPolicy {
            keep_last: policy.keep_last.map(|keep| keep + more.0),
            keep_for: policy.keep_for.map(|span| span + SECOND * more.1),
            pitr_window: policy.pitr_window.map(|span| span + SECOND * more.2),
            keep_monthly: policy.keep_monthly.map(|keep| keep + more.3),
            minimum_redundancy: policy.minimum_redundancy + more.4,
            ..policy.clone()
        };
        let (less, more) = (case.plan(&policy), case.plan(&larger));
        for one in kept(&less) {
            prop_assert!(kept(&more).contains(&one), "{}", one);
        }
        let deleted = |plan: &RetentionPlan| -> Vec<StoredSlice> {
            let slices = plan.steps.iter().filter_map(|step| match step {
                Step::DeleteSlices(slices) => Some(slices.clone()),
                _ => None,
            });
            slices.flatten().collect()
        };
        let by_less = deleted(&less);
        for slice in deleted(&more) {
            prop_assert!(by_less.contains(&slice), "{:?}", slice);
        }
    }

    #[test]
    fn as_many_good_ones_as_the_minimum_are_left_whatever_the_clock_says(
        case in any_case(any_story()),
        policy in any_policy(),
        now in 0..4_000_000_000_i64,
    ) {
        let case = Case { now: instant(now), ..case };
        let plan = case.plan(&policy);
        let good = || plan.snapshots.iter().filter(|one| one.defect.is_none());
        let left = good().filter(|one| one.decision.is_keep()).count();
        prop_assert!(left >= good().count().min(policy.minimum_redundancy as usize));
        let newest = |windows: &[RestoreWindow]| windows.last().map(|window| window.through);
        prop_assert_eq!(newest(&plan.windows_before), newest(&plan.windows_after));
    }
}
