use std::time::Instant;

use proptest::prelude::*;

use super::model::{MOMENTS, Model, any_story, at, gap, honest_story, slice, snapshot};
use super::*;
use crate::catalog::SnapshotSummary;
use crate::layout::SliceId;

fn of(slices: &[StoredSlice]) -> Coverage {
    Coverage::of(slices, &[])
}

fn windows(coverage: &Coverage) -> Vec<CoveredRange> {
    coverage.windows.clone()
}

fn range(from: u32, through: u32) -> CoveredRange {
    CoveredRange::new(at(from), at(through))
}

fn kinds(coverage: &Coverage) -> Vec<&'static str> {
    coverage.problems.iter().map(CoverageProblem::kind).collect()
}

fn ids(chain: &[StoredSlice]) -> Vec<SliceId> {
    chain.iter().map(|slice| slice.id).collect()
}

#[test]
fn overlapping_slices_of_an_old_and_a_new_node_merge_to_one_timeline() {
    let old = [slice(0, 4, 1, 1), slice(4, 8, 1, 2)];
    let new = [slice(2, 6, 1, 3), slice(6, 12, 2, 4), slice(12, 13, 2, 5)];
    let coverage = of(&[new[1], old[1], new[2], old[0], new[0]]);
    assert_eq!(windows(&coverage), [range(0, 13)]);
    assert_eq!(coverage.problems, []);
    assert_eq!(ids(&coverage.chain(at(0), at(13)).unwrap()), ids(&[old[0], old[1], new[1], new[2]]));
    assert_eq!(coverage.archived_optime(), Some(OpTime::new(at(13), 2)));
}

#[test]
fn touching_and_identical_slices_are_one_history() {
    let coverage = of(&[slice(0, 4, 1, 1), slice(4, 8, 1, 2), slice(4, 8, 1, 2), slice(0, 4, 1, 1)]);
    assert_eq!(windows(&coverage), [range(0, 8)]);
    assert_eq!(coverage.problems, []);
    assert_eq!(coverage.chain(at(0), at(8)).unwrap().len(), 2);
}

#[test]
fn of_a_slice_stored_plain_and_encrypted_the_plain_one_is_read() {
    let encrypted = StoredSlice { encrypted: true, ..slice(0, 4, 1, 1) };
    for slices in [[encrypted, slice(0, 4, 1, 1)], [slice(0, 4, 1, 1), encrypted]] {
        assert_eq!(of(&slices).chain(at(0), at(4)).unwrap(), [slice(0, 4, 1, 1)]);
    }
}

#[test]
fn a_hole_splits_the_windows_and_is_named() {
    let coverage = of(&[slice(0, 4, 1, 1), slice(6, 9, 1, 2)]);
    assert_eq!(windows(&coverage), [range(0, 4), range(6, 9)]);
    assert_eq!(coverage.problems, [CoverageProblem::Hole(range(4, 6))]);
    assert_eq!(coverage.chain(at(1), at(8)), Err(BrokenChain { wanted: range(1, 8), reached: at(4) }));
    assert_eq!(coverage.archived_through(), Some(at(9)));
}

#[test]
fn a_recorded_gap_is_not_a_hole_but_its_uncovered_neighbourhood_is() {
    let slices = [slice(0, 4, 1, 1), slice(9, 12, 1, 2)];
    let lost = gap(5, 8, GapReason::OplogOverrun);
    let coverage = Coverage::of(&slices, std::slice::from_ref(&lost));
    assert_eq!(
        coverage.problems,
        [CoverageProblem::Hole(range(4, 5)), CoverageProblem::Gap(lost), CoverageProblem::Hole(range(8, 9))]
    );
    let whole = gap(4, 9, GapReason::OplogOverrun);
    assert_eq!(kinds(&Coverage::of(&slices, &[whole.clone(), whole])), ["gap"]);
}

#[test]
fn a_gap_that_slices_filled_later_is_no_problem_unless_history_was_replaced_there() {
    let slices = [slice(0, 4, 1, 1), slice(4, 8, 1, 2), slice(8, 12, 1, 3)];
    let filled = Coverage::of(&slices, &[gap(4, 8, GapReason::OplogOverrun)]);
    assert_eq!((windows(&filled), kinds(&filled)), (vec![range(0, 12)], vec![]));
    let from_the_start = Coverage::of(&slices[1..], &[gap(4, 8, GapReason::OplogOverrun)]);
    assert_eq!((windows(&from_the_start), kinds(&from_the_start)), (vec![range(4, 12)], vec![]));
    let half = Coverage::of(&slices[1..], &[gap(3, 8, GapReason::OplogOverrun)]);
    assert_eq!((windows(&half), kinds(&half)), (vec![range(4, 12)], vec!["gap"]));
    let replaced = Coverage::of(&slices, &[gap(4, 8, GapReason::HistoryReplaced)]);
    assert_eq!((windows(&replaced), kinds(&replaced)), (vec![range(0, 4), range(8, 12)], vec!["gap"]));
}

#[test]
fn an_entry_that_cannot_be_replayed_breaks_history_that_slices_hold() {
    let slices = [slice(0, 4, 1, 1), slice(4, 8, 1, 2), slice(8, 12, 1, 3)];
    let entry =
        Gap::not_replayable(at(6), at(6), "2026-01-02T03:04:05Z", "the feature compatibility version was changed");
    let coverage = Coverage::of(&slices, std::slice::from_ref(&entry));
    let before = CoveredRange::new(at(0), at(6).predecessor());
    assert_eq!((windows(&coverage), kinds(&coverage)), (vec![before, range(6, 12)], vec!["gap"]));
    assert!(
        !coverage.covers(at(5), at(6)) && coverage.covers(at(6), at(7)),
        "its own time is the first moment after it"
    );
    assert_eq!(ids(&coverage.chain(at(1), at(6).predecessor()).unwrap()), ids(&slices[..2]));
    assert_eq!(ids(&coverage.chain(at(6), at(12)).unwrap()), ids(&slices[1..]), "the slice that holds it serves both");
    let text = coverage.problems[0].to_string();
    assert!(text.contains("archived but cannot be replayed (not_replayable); the feature"), "{text}");

    let catalog = Catalog { slices: slices.to_vec(), gaps: vec![entry], ..Catalog::new("rs0-a".parse().unwrap()) };
    let stored = Coverage::of_stored(&catalog);
    assert_eq!((windows(&stored), kinds(&stored)), (vec![range(0, 12)], vec![]), "it can be read");
}

#[test]
fn an_entry_that_cannot_be_replayed_does_not_explain_why_its_slice_is_missing() {
    let entry = gap(4, 6, GapReason::NotReplayable);
    let coverage = Coverage::of(&[slice(0, 4, 1, 1), slice(6, 8, 1, 2)], std::slice::from_ref(&entry));
    assert_eq!(coverage.problems, [CoverageProblem::Gap(entry), CoverageProblem::Hole(range(4, 6))]);
}

#[test]
fn a_gap_that_was_filled_does_not_hide_an_entry_in_it_that_cannot_be_replayed() {
    let (filled, entry) = (gap(2, 8, GapReason::OplogOverrun), gap(5, 6, GapReason::NotReplayable));
    let coverage = Coverage::of(&[slice(0, 12, 1, 1)], &[filled.clone(), entry.clone()]);
    assert_eq!(
        (windows(&coverage), &coverage.problems[..]),
        (vec![range(0, 5), range(6, 12)], &[CoverageProblem::Gap(entry.clone())][..])
    );
    let open = Coverage::of(&[slice(0, 2, 1, 1)], &[filled.clone(), entry]);
    assert_eq!(open.problems, [CoverageProblem::Gap(filled)]);
}

#[test]
fn the_same_end_in_another_term_is_a_fork_and_breaks_the_window() {
    let coverage = of(&[slice(0, 4, 1, 1), slice(4, 8, 2, 2), slice(6, 8, 3, 3), slice(8, 12, 3, 4)]);
    assert_eq!(windows(&coverage), [range(0, 4), range(8, 12)]);
    let [CoverageProblem::Fork { range: disputed, kind: ForkKind::OtherTerm, one, other, slices: 2 }] =
        coverage.problems[..]
    else {
        panic!("{:?}", coverage.problems)
    };
    assert_eq!((disputed, one.term, other.term), (range(4, 8), 3, 2));
    assert!(coverage.has_integrity_problem());
}

#[test]
fn the_same_range_with_another_digest_is_a_fork_even_when_a_third_slice_covers_it() {
    let coverage = of(&[slice(0, 4, 1, 1), slice(4, 8, 1, 2), slice(4, 8, 1, 9), slice(2, 12, 1, 5)]);
    assert_eq!(windows(&coverage), [range(0, 4), range(8, 12)]);
    assert_eq!(kinds(&coverage), ["fork_other_content"]);
    assert!(coverage.chain(at(3), at(9)).is_err());
    assert_eq!(coverage.chain(at(8), at(12)).unwrap(), [slice(2, 12, 1, 5)]);
}

#[test]
fn a_term_that_falls_within_touching_or_overlapping_slices_is_a_fork() {
    for later in [slice(4, 8, 4, 2), slice(2, 8, 4, 2)] {
        let coverage = of(&[slice(0, 4, 5, 1), later, slice(8, 10, 5, 3)]);
        assert_eq!((windows(&coverage), kinds(&coverage)), (vec![range(8, 10)], vec!["fork_term_backwards"]));
        assert_eq!(coverage.problems[0].range(), range(0, 8));
    }
}

#[test]
fn a_lower_term_behind_a_break_is_reported_and_both_histories_stay_usable() {
    let coverage = of(&[slice(0, 4, 9, 1), slice(6, 8, 2, 2), slice(8, 12, 2, 3)]);
    assert_eq!(windows(&coverage), [range(0, 4), range(6, 12)]);
    assert_eq!(kinds(&coverage), ["hole", "term_fell"]);
    assert!(!coverage.has_integrity_problem());
}

#[test]
fn one_stray_slice_of_a_far_term_does_not_take_the_whole_archive() {
    let mut slices: Vec<StoredSlice> = (0..12).map(|n| slice(n, n + 1, 3, 1)).collect();
    slices[4].id.term = 7;
    let coverage = of(&slices);
    assert_eq!(windows(&coverage), [range(0, 4), range(6, 12)]);
    slices[4].id.term = 1;
    assert_eq!(windows(&of(&slices)), [range(0, 3), range(5, 12)]);
}

#[test]
fn a_slice_that_starts_where_the_run_had_reached_a_higher_term_is_disputed() {
    // Neither neighbour contradicts the nested slice alone: the one that contains it may have risen to its term later.
    let nested = slice(5, 6, 2, 9);
    let coverage = of(&[slice(0, 4, 5, 1), slice(4, 8, 5, 2), nested]);
    assert_eq!((windows(&coverage), kinds(&coverage)), (vec![range(0, 5), range(6, 8)], vec!["fork_term_backwards"]));
    assert_eq!(windows(&of(&[slice(0, 4, 2, 1), slice(4, 8, 5, 2), nested])), [range(0, 8)]);
    assert_eq!(windows(&of(&[slice(4, 8, 5, 2), nested])), [range(4, 8)]);
}

#[test]
fn empty_and_inverted_ranges_are_named_and_ignored() {
    let coverage = of(&[slice(4, 4, 1, 1), slice(8, 2, 1, 2), slice(0, 3, 1, 3)]);
    assert_eq!(windows(&coverage), [range(0, 3)]);
    assert_eq!(kinds(&coverage), ["not_a_range", "not_a_range"]);
    assert_eq!(coverage.claimed_through(), Some(at(3)));
}

#[test]
fn nothing_is_covered_by_nothing_but_an_empty_range() {
    let coverage = of(&[]);
    assert_eq!((coverage.windows.len(), coverage.problems.len(), coverage.archived_through()), (0, 0, None));
    assert_eq!(coverage.chain(at(3), at(3)), Ok(vec![]));
    assert!(coverage.chain(at(3), at(4)).is_err());
    assert!(coverage.chain(at(4), at(3)).is_err());
}

#[test]
fn the_extremes_of_time_can_be_covered() {
    let id = SliceId { after: ClusterTime::ZERO, through: ClusterTime::MAX, term: i64::MAX, digest: [0; 16] };
    let all = StoredSlice { id, stored_bytes: u64::MAX, encrypted: false };
    assert_eq!(of(&[all]).chain(ClusterTime::ZERO, ClusterTime::MAX).unwrap(), [all]);
}

#[test]
fn a_restore_window_opens_at_the_end_of_a_snapshot_whose_own_window_is_covered() {
    let coverage = of(&[slice(0, 6, 1, 1), slice(8, 12, 1, 2)]);
    let open = |snapshots: &[SnapshotSummary]| -> Vec<(ClusterTime, ClusterTime)> {
        coverage.restore_windows(snapshots).iter().map(|window| (window.from, window.through)).collect()
    };
    assert_eq!(open(&[snapshot("a", 2, 4)]), [(at(4), at(6))]);
    assert_eq!(
        open(&[snapshot("a", 3, 5), snapshot("b", 2, 4), snapshot("c", 9, 10)]),
        [(at(4), at(6)), (at(10), at(12))]
    );
    assert_eq!(open(&[snapshot("across", 5, 9)]), [], "its own window has a hole");
    assert_eq!(open(&[snapshot("idle", 7, 7)]), [(at(7), at(7))], "needs no slices at all");
    assert_eq!(open(&[snapshot("edge", 8, 8)]), [(at(8), at(12))]);
    assert_eq!(open(&[SnapshotSummary { damaged: Some("x".into()), ..snapshot("a", 2, 4) }]), []);
    assert_eq!(open(&[snapshot("inverted", 5, 4)]), []);
}

#[test]
fn two_hundred_thousand_slices_take_less_than_two_seconds() {
    check_scale(200_000, 2.0);
}

#[test]
fn a_million_slices_take_a_few_seconds() {
    check_scale(1_000_000, 4.0);
}

/// Two writers with different cuts, stored in an unhelpful order, with elections, holes and some forks.
fn check_scale(count: u32, limit_seconds: f64) {
    let mut slices: Vec<StoredSlice> = (0..count / 2)
        .flat_map(|n| {
            let term = i64::from(n / 1_000);
            let id = |after, through, digest| SliceId {
                after: ClusterTime::new(after, 0),
                through: ClusterTime::new(through, 0),
                term,
                digest: [digest; 16],
            };
            [id(n * 10, n * 10 + 10, 1), id(n * 10 + 3, n * 10 + 9, 2)]
        })
        .map(|id| StoredSlice { id, stored_bytes: 1, encrypted: false })
        .collect();
    let last = slices[slices.len() - 2].id.through;
    let stray = StoredSlice { id: SliceId { term: 0, ..slices[slices.len() / 2].id }, ..slices[0] };
    slices.push(stray);
    let length = slices.len();
    for at in 0..length {
        slices.swap(at, at * 7_919 % length);
    }
    let started = Instant::now();
    let coverage = Coverage::of(&slices, &[]);
    let from = coverage.windows.last().unwrap().from;
    let chain = coverage.chain(from, last).unwrap();
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(coverage.windows.len(), 2, "{:?}", coverage.problems);
    assert!(chain.len() * 5 > slices.len(), "{}", chain.len());
    assert!(seconds < limit_seconds, "{seconds} s");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn coverage_claims_exactly_what_the_model_says(story in any_story()) {
        let (coverage, model) = (Coverage::of(&story.slices, &story.gaps), Model::of(&story));
        let expected: Vec<CoveredRange> = model.windows().into_iter().map(|(from, through)| range(from, through)).collect();
        prop_assert_eq!(&coverage.windows, &expected);
        for from in 0..=MOMENTS {
            for through in 0..=MOMENTS {
                prop_assert_eq!(coverage.covers(at(from), at(through)), model.covers(from, through));
            }
        }
    }

    #[test]
    fn chains_are_unbroken_and_as_short_as_can_be(story in any_story()) {
        let (coverage, model) = (Coverage::of(&story.slices, &story.gaps), Model::of(&story));
        for from in 0..=MOMENTS {
            for through in from..=MOMENTS {
                let chain = coverage.chain(at(from), at(through));
                prop_assert_eq!(chain.is_ok(), model.covers(from, through));
                let Ok(chain) = chain else { continue };
                prop_assert_eq!(chain.len(), model.fewest(from, through));
                let mut reached = at(from);
                let mut term = i64::MIN;
                for slice in &chain {
                    prop_assert!(story.slices.contains(slice));
                    prop_assert!(!model.disputed.iter().any(|disputed| disputed.id == slice.id));
                    prop_assert!(slice.id.after <= reached && slice.id.through > reached);
                    prop_assert!(slice.id.term >= term, "the term falls along a chain");
                    (reached, term) = (slice.id.through, slice.id.term);
                }
                prop_assert!(reached >= at(through));
            }
        }
    }

    #[test]
    fn slices_of_one_window_never_contradict_each_other(story in any_story()) {
        let (coverage, model) = (Coverage::of(&story.slices, &story.gaps), Model::of(&story));
        for window in &coverage.windows {
            let mut inside: Vec<_> = model.sound.iter().filter(|slice| slice.range().overlaps(window)).collect();
            inside.sort_by_key(|slice| slice.id.through);
            prop_assert!(inside.is_sorted_by_key(|slice| slice.id.term));
            prop_assert!(!model.disputed.iter().any(|slice| slice.range().overlaps(window)));
        }
    }

    #[test]
    fn honest_writers_never_fork_whatever_they_lose(story in honest_story()) {
        let (coverage, model) = (Coverage::of(&story.slices, &story.gaps), Model::of(&story));
        prop_assert_eq!(&model.covered, &model.claimed);
        prop_assert!(!coverage.has_integrity_problem());
        prop_assert!(coverage.problems.iter().all(|problem| matches!(problem, CoverageProblem::Hole(_) | CoverageProblem::Gap(_))));
    }

    #[test]
    fn every_break_has_a_named_problem(story in any_story()) {
        let coverage = Coverage::of(&story.slices, &story.gaps);
        for missing in range::between(&coverage.windows) {
            prop_assert!(coverage.problems.iter().any(|problem| problem.range().overlaps(&missing)), "{}", missing);
        }
        for problem in &coverage.problems {
            let open = !matches!(problem, CoverageProblem::Gap(_) | CoverageProblem::TermFell { .. } | CoverageProblem::NotARange(_));
            if open {
                prop_assert!(!coverage.windows.iter().any(|window| window.overlaps(&problem.range())), "{}", problem);
            }
        }
    }

    #[test]
    fn the_order_of_a_listing_does_not_matter(story in any_story(), turn in any::<prop::sample::Index>()) {
        let mut turned = story.clone();
        if !turned.slices.is_empty() {
            let by = turn.index(turned.slices.len());
            turned.slices.rotate_left(by);
            turned.slices.reverse();
        }
        prop_assert_eq!(Coverage::of(&story.slices, &story.gaps), Coverage::of(&turned.slices, &turned.gaps));
    }
}
