//! Which slices contradict each other. The rule is in the module text of `coverage`; this finds it in O(n log n).

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::problem::{CoverageProblem, ForkKind};
use super::range::{self, CoveredRange};
use crate::ClusterTime;
use crate::catalog::StoredSlice;

pub(super) struct Disputes {
    /// One flag for each slice.
    pub disputed: Vec<bool>,
    /// Everything that disputed slices claim, as a union.
    pub ranges: Vec<CoveredRange>,
    /// One problem for each range and kind of contradiction in it.
    pub forks: Vec<CoverageProblem>,
}

struct Witness {
    kind: ForkKind,
    one: usize,
    other: usize,
}

/// `slices` without empty ranges and duplicates, ordered by [`order`].
pub(super) fn find(slices: &[StoredSlice]) -> Disputes {
    let mut disputed = vec![false; slices.len()];
    let mut witnesses = differing_contents(slices);
    let contents = witnesses.len();
    witnesses.extend(denying(slices));
    for denial in &witnesses[contents..] {
        disputed[denial.other] = true;
    }
    if witnesses.len() > contents {
        mark_denied(slices, &mut disputed);
    }
    for pair in &witnesses[..contents] {
        disputed[pair.one] = true;
        disputed[pair.other] = true;
    }
    let outrun = outrun(slices, &disputed);
    for late in &outrun {
        disputed[late.other] = true;
    }
    witnesses.extend(outrun);
    let ranges = claims(slices, &disputed, true);
    let forks = describe(slices, &disputed, &ranges, &witnesses);
    Disputes { disputed, ranges, forks }
}

/// What the disputed slices claim, or the others.
fn claims(slices: &[StoredSlice], disputed: &[bool], of_disputed: bool) -> Vec<CoveredRange> {
    let chosen = slices.iter().zip(disputed).filter(|(_, disputed)| **disputed == of_disputed);
    range::union(chosen.map(|(slice, _)| slice.range()).collect())
}

/// Ascending by end. Of those that end together the higher term comes first, so that whatever has a higher term at or
/// before the end of a slice stands before it.
pub(super) fn order(a: &StoredSlice, b: &StoredSlice) -> std::cmp::Ordering {
    let key = |slice: &StoredSlice| {
        (slice.id.through, Reverse(slice.id.term), slice.id.after, slice.id.digest, slice.encrypted)
    };
    key(a).cmp(&key(b))
}

fn differing_contents(slices: &[StoredSlice]) -> Vec<Witness> {
    let same_claim = |a: &StoredSlice, b: &StoredSlice| {
        (a.id.after, a.id.through, a.id.term) == (b.id.after, b.id.through, b.id.term)
    };
    (1..slices.len())
        .filter(|&at| same_claim(&slices[at - 1], &slices[at]))
        .map(|at| Witness { kind: ForkKind::OtherContent, one: at - 1, other: at })
        .collect()
}

/// Slices within whose claim another one ends in a higher term. Of all slices that stand before and have a higher term,
/// the nearest one ends last: if that one ends before the claim starts, all do.
fn denying(slices: &[StoredSlice]) -> Vec<Witness> {
    let mut found = Vec::new();
    let mut higher: Vec<usize> = Vec::new();
    for (at, slice) in slices.iter().enumerate() {
        while higher.pop_if(|before| slices[*before].id.term <= slice.id.term).is_some() {}
        if let Some(&one) = higher.last() {
            let ends = slices[one].id.through;
            if ends >= slice.id.after {
                let kind = if ends == slice.id.through { ForkKind::OtherTerm } else { ForkKind::TermBackwards };
                found.push(Witness { kind, one, other: at });
            }
        }
        higher.push(at);
    }
    found
}

/// The other side: marks slices whose end lies within the claim of one of lower term. Going backwards in time, a claim
/// that starts later than the end in question will not hold any earlier end either and can be dropped for good.
fn mark_denied(slices: &[StoredSlice], disputed: &mut [bool]) {
    let mut claims = BinaryHeap::new();
    for (at, slice) in slices.iter().enumerate().rev() {
        while claims.peek().is_some_and(|Reverse((_, after))| *after > slice.id.through) {
            claims.pop();
        }
        let is_denied = claims.peek().is_some_and(|Reverse((term, _))| *term < slice.id.term);
        // Only slices that deny something can be the lower one of a pair.
        if disputed[at] {
            claims.push(Reverse((slice.id.term, slice.id.after)));
        }
        disputed[at] |= is_denied;
    }
}

/// Slices that start inside a run of undisputed ones where a higher term than theirs was already reached.
///
/// The slice that carries the run over such a start ends in a high enough term to agree with everybody it is compared
/// with one by one; only together with the slices before it does it contradict the late one.
fn outrun(slices: &[StoredSlice], disputed: &[bool]) -> Vec<Witness> {
    let undisputed = || (0..slices.len()).filter(|at| !disputed[*at]);
    if undisputed().is_sorted_by_key(|at| slices[at].id.term) {
        return Vec::new();
    }
    let runs = range::subtract(&claims(slices, disputed, false), &claims(slices, disputed, true));
    // For each end that lies in a run, ascending: the run, and which slice of it has the highest term so far.
    let mut peaks: Vec<(usize, usize, usize)> = Vec::new();
    for at in undisputed() {
        let end = slices[at].id.through;
        let run = runs.partition_point(|run| run.through < end);
        if runs.get(run).is_none_or(|run| !run.holds_entry(end)) {
            continue;
        }
        let highest = match peaks.last() {
            Some((_, of, highest)) if *of == run && slices[*highest].id.term >= slices[at].id.term => *highest,
            _ => at,
        };
        peaks.push((at, run, highest));
    }
    let reached_before = |start: ClusterTime| {
        let run = runs.partition_point(|run| run.through <= start);
        let last = peaks.partition_point(|(at, ..)| slices[*at].id.through <= start).checked_sub(1)?;
        let (_, of, highest) = peaks[last];
        (of == run).then_some(highest)
    };
    undisputed()
        .filter_map(|at| Some((at, reached_before(slices[at].id.after)?)))
        .filter(|(at, highest)| slices[*highest].id.term > slices[*at].id.term)
        .map(|(at, highest)| Witness { kind: ForkKind::TermBackwards, one: highest, other: at })
        .collect()
}

fn describe(
    slices: &[StoredSlice],
    disputed: &[bool],
    ranges: &[CoveredRange],
    witnesses: &[Witness],
) -> Vec<CoverageProblem> {
    let range_of = |slice: &StoredSlice| ranges.partition_point(|range| range.through < slice.id.through);
    let mut involved = vec![0; ranges.len()];
    for (slice, _) in slices.iter().zip(disputed).filter(|(_, disputed)| **disputed) {
        involved[range_of(slice)] += 1;
    }
    let mut seen = BTreeSet::new();
    witnesses
        .iter()
        .filter_map(|witness| {
            let at = range_of(&slices[witness.other]);
            seen.insert((at, witness.kind)).then(|| CoverageProblem::Fork {
                range: ranges[at],
                kind: witness.kind,
                one: slices[witness.one].id,
                other: slices[witness.other].id,
                slices: involved[at],
            })
        })
        .collect()
}
