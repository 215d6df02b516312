//! Plans of random archives against a model that tries every snapshot and walks every moment.

use proptest::prelude::*;

use super::super::*;
use super::{catalog, damaged};
use crate::coverage::CoveredRange;
use crate::coverage::model::{MOMENTS, Model, Story, any_story, at, moment_of, snapshot};

fn any_catalog() -> impl Strategy<Value = (Story, Catalog)> {
    let snapshots = proptest::collection::vec((0..=MOMENTS, 0..5_u32, prop::bool::weighted(0.2)), 0..4);
    (any_story(), snapshots).prop_map(|(story, snapshots)| {
        let snapshots: Vec<SnapshotSummary> = snapshots
            .into_iter()
            .enumerate()
            .map(|(n, (begin, length, is_damaged))| {
                let end = (begin + length).min(MOMENTS);
                if is_damaged { damaged(&format!("s{n}"), begin, end) } else { snapshot(&format!("s{n}"), begin, end) }
            })
            .collect();
        let catalog = Catalog { gaps: story.gaps.clone(), ..catalog(&story.slices, &snapshots) };
        (story, catalog)
    })
}

/// Targets on, beside and beyond the moments of a story.
fn any_target() -> impl Strategy<Value = RestoreTarget> {
    let time = (998..1_008_u32, 0..6_u32).prop_map(|(seconds, increment)| ClusterTime::new(seconds, increment));
    prop_oneof![
        4 => time.clone().prop_map(RestoreTarget::At),
        3 => time.prop_map(RestoreTarget::Before),
        3 => (998..1_008_u32, proptest::option::of(0..1_000_u16))
            .prop_map(|(seconds, millis)| RestoreTarget::Time(WallTarget { seconds, millis })),
        1 => (1..8_u32).prop_map(|seconds| RestoreTarget::Ago { seconds }),
        1 => (0..4_u32).prop_map(|n| RestoreTarget::Snapshot(format!("s{n}").parse().unwrap())),
        1 => Just(RestoreTarget::Latest),
    ]
}

/// The model's answer: the snapshot and the moment, worked out by trying every snapshot.
struct Answer<'a> {
    resolved: ClusterTime,
    snapshot: Option<&'a SnapshotSummary>,
}

/// An archive that holds the time must hold the step in which it lies.
fn reaches(model: &Model, snapshot: &SnapshotSummary, time: ClusterTime) -> bool {
    let begin = moment_of(snapshot.begin);
    (begin..=MOMENTS).find(|moment| at(*moment) >= time).is_some_and(|moment| model.covers(begin, moment))
}

fn restorable(model: &Model, catalog: &Catalog, time: ClusterTime) -> bool {
    catalog.snapshots.iter().any(|s| s.damaged.is_none() && s.end <= time && reaches(model, s, time))
}

fn answer<'a>(model: &Model, catalog: &'a Catalog, target: &RestoreTarget) -> Option<Answer<'a>> {
    let archived = model.windows().last().map(|window| at(window.1));
    let mut early: Box<dyn Fn(&SnapshotSummary) -> bool> = Box::new(|_| true);
    let resolved = match target {
        RestoreTarget::Latest => (0..=MOMENTS).rev().map(at).find(|time| restorable(model, catalog, *time))?,
        RestoreTarget::At(time) => *time,
        RestoreTarget::Before(time) => {
            let time = *time;
            early = Box::new(move |snapshot| snapshot.end != time);
            let breaks = |gap: &Gap| gap.reason == GapReason::NotReplayable && gap.after == time.predecessor();
            if catalog.gaps.iter().any(breaks) { time.predecessor() } else { time }
        }
        RestoreTarget::Time(time) => {
            let time = *time;
            early = Box::new(move |snapshot| time.millis.is_none() || snapshot.end.seconds != time.seconds);
            ClusterTime::end_of_second(time.seconds)
        }
        RestoreTarget::Ago { seconds } => ClusterTime::end_of_second(archived?.seconds - seconds),
        RestoreTarget::Snapshot(id) => {
            let id = id.clone();
            let end = catalog.snapshots.iter().find(|snapshot| snapshot.id == id)?.end;
            early = Box::new(move |snapshot| snapshot.id == id);
            end
        }
    };
    let serving = catalog.snapshots.iter().filter(|snapshot| {
        snapshot.damaged.is_none() && snapshot.end <= resolved && early(snapshot) && reaches(model, snapshot, resolved)
    });
    Some(Answer {
        resolved,
        snapshot: serving.max_by_key(|snapshot| (snapshot.end, snapshot.begin, snapshot.id.clone())),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_plan_never_claims_what_is_not_covered_and_never_refuses_what_is(
        (story, catalog) in any_catalog(),
        target in any_target(),
    ) {
        let model = Model::of(&story);
        let expected = answer(&model, &catalog, &target);
        match (plan_restore(&catalog, &target), expected.and_then(|a| Some((a.resolved, a.snapshot?)))) {
            (Ok(plan), Some((resolved, snapshot))) => {
                prop_assert_eq!(&plan.snapshot.id, &snapshot.id);
                prop_assert_eq!(plan.target.resolved, resolved);
                let mut reached = snapshot.begin;
                for slice in &plan.slices {
                    prop_assert!(catalog.slices.contains(slice) && !model.disputed.iter().any(|d| d.id == slice.id));
                    prop_assert!(slice.id.after <= reached && reached < slice.id.through);
                    reached = slice.id.through;
                }
                prop_assert!(reached >= resolved);
                prop_assert_eq!(plan.bytes, 1_000 + plan.slices.iter().map(|slice| slice.stored_bytes).sum::<u64>());
            }
            (Err(_), None) => {}
            (Ok(plan), None) => prop_assert!(false, "claimed: {plan:?}"),
            (Err(refusal), Some(_)) => prop_assert!(false, "refused: {refusal}"),
        }
    }

    #[test]
    fn a_refusal_names_the_nearest_restorable_moments_and_an_obstacle_that_is_there(
        (story, catalog) in any_catalog(),
        time in (998..1_008_u32, 0..6_u32).prop_map(|(seconds, increment)| ClusterTime::new(seconds, increment)),
    ) {
        let model = Model::of(&story);
        let Err(refusal) = plan_restore(&catalog, &RestoreTarget::At(time)) else { return Ok(()) };
        let moments = || (0..=MOMENTS).map(at).filter(|moment| restorable(&model, &catalog, *moment));
        prop_assert_eq!(refusal.nearest.before, moments().rfind(|moment| *moment <= time));
        prop_assert_eq!(refusal.nearest.after, moments().find(|moment| *moment > time));
        for nearest in [refusal.nearest.before, refusal.nearest.after].into_iter().flatten() {
            prop_assert!(plan_restore(&catalog, &RestoreTarget::At(nearest)).is_ok());
        }
        let uncovered = |range: &CoveredRange| {
            (1..=MOMENTS).all(|moment| !range.holds_entry(at(moment)) || !model.covered[moment as usize])
        };
        match &*refusal.obstacle {
            Obstacle::NoSnapshot => prop_assert!(catalog.snapshots.is_empty()),
            Obstacle::BeforeFirstSnapshot { earliest } => {
                prop_assert!(*earliest > time && catalog.snapshots.iter().all(|snapshot| snapshot.end > time));
            }
            Obstacle::DamagedSnapshot { id, .. } => {
                let snapshot = catalog.snapshots.iter().find(|snapshot| snapshot.id == *id).unwrap();
                prop_assert!(snapshot.damaged.is_some() && reaches(&model, snapshot, time));
            }
            Obstacle::InsideGap { gap } => prop_assert!(gap.after < time && time <= gap.through),
            Obstacle::BehindGap { gap, .. } => prop_assert!(gap.after < time && catalog.gaps.contains(gap)),
            Obstacle::Forked { range, detail } => {
                prop_assert!(model.disputed.iter().any(|slice| slice.range().overlaps(range)) && uncovered(range));
                prop_assert!(detail.contains("fork"), "{detail}");
            }
            Obstacle::Uncovered { missing } => {
                prop_assert!(missing.from < missing.through && missing.from < time && uncovered(missing), "{missing}");
            }
            Obstacle::AfterArchivedThrough { through } => prop_assert!(*through < time),
            other => prop_assert!(false, "{other:?} for a cluster time"),
        }
    }

    #[test]
    fn restore_windows_hold_exactly_the_moments_that_can_be_planned((_, catalog) in any_catalog()) {
        let windows = crate::coverage::restore_windows(&catalog);
        for second in 999..1_008 {
            for increment in 0..5 {
                let time = ClusterTime::new(second, increment);
                let is_inside = windows.iter().any(|window| window.contains(time));
                prop_assert_eq!(plan_restore(&catalog, &RestoreTarget::At(time)).is_ok(), is_inside);
            }
        }
        prop_assert!(windows.windows(2).all(|pair| pair[0].through < pair[1].from));
    }
}
