//! Which slices stay: those that hold something of a needed range, and those that cannot be judged without them.
//!
//! Coverage disputes slices that contradict each other. Were one side deleted, the other would look undisputed. So as long as
//! one slice of a disputed range stays, all of it stays; and where slices were disputed at all, the result is
//! compared with the coverage before, and nothing goes if it differs: the witness against a slice may lie in
//! undisputed history far before it.

use jiff::Timestamp;

use super::{Decision, ExpireReason, KeepReason, Needed, ObjectDecision, RetentionInput, SliceRun};
use crate::catalog::{Catalog, SnapshotSummary, StoredSlice};
use crate::coverage::{Coverage, CoveredRange, subtract, union};
use crate::gap::{Gap, GapReason};
use crate::{ClusterTime, LineageId};

pub(super) struct Chosen {
    /// All slices in ascending order of `after`, with whether they stay.
    marked: Vec<(StoredSlice, bool)>,
    pub kept: Vec<StoredSlice>,
    needed: Vec<Needed>,
    /// What is needed, and what the slices that stay claim.
    pub extents: Vec<CoveredRange>,
    is_disputed: bool,
}

pub(super) fn choose(catalog: &Catalog, coverage: &Coverage, mut needed: Vec<Needed>) -> Chosen {
    let mut slices = catalog.slices.clone();
    slices.sort_unstable_by_key(|slice| (slice.id, slice.encrypted));
    let is_disputed = !coverage.disputed().is_empty();
    widen(&slices, coverage, &mut needed);
    let mut chosen = Chosen::new(slices, needed, is_disputed);
    if is_disputed {
        let after = Coverage::of(&chosen.kept, &catalog.gaps);
        let within = |ranges: &[CoveredRange]| subtract(ranges, &subtract(ranges, &chosen.extents));
        if after.windows != within(&coverage.windows) || after.disputed() != within(coverage.disputed()) {
            let range = CoveredRange::new(ClusterTime::ZERO, ClusterTime::MAX);
            let slices = chosen.marked.into_iter().map(|(slice, _)| slice).collect();
            chosen.needed.push(Needed { range, why: KeepReason::Disputed { range } });
            chosen = Chosen::new(slices, chosen.needed, true);
        }
    }
    chosen
}

/// Adds disputed ranges that touch what stays, until none does.
fn widen(slices: &[StoredSlice], coverage: &Coverage, needed: &mut Vec<Needed>) {
    let mut left: Vec<CoveredRange> = coverage.disputed().to_vec();
    while !left.is_empty() {
        let wanted = wanted(needed);
        let claims = slices.iter().map(StoredSlice::range).filter(|range| overlaps(&wanted, range));
        let reach = union(claims.chain(wanted.iter().copied()).collect());
        let (touching, apart): (Vec<_>, Vec<_>) = left.into_iter().partition(|range| touches(&reach, range));
        if touching.is_empty() {
            return;
        }
        needed.extend(touching.into_iter().map(|range| Needed { range, why: KeepReason::Disputed { range } }));
        left = apart;
    }
}

/// An empty range is a moment: of a snapshot that ends where it begins no slice is needed, but those behind it lead on.
fn wanted(needed: &[Needed]) -> Vec<CoveredRange> {
    union(needed.iter().map(|needed| needed.range).filter(|range| range.from <= range.through).collect())
}

/// Whether a range of a union holds an entry of `range`.
fn overlaps(union: &[CoveredRange], range: &CoveredRange) -> bool {
    let at = union.partition_point(|kept| kept.through <= range.from);
    union.get(at).is_some_and(|kept| kept.overlaps(range))
}

fn touches(union: &[CoveredRange], range: &CoveredRange) -> bool {
    let at = union.partition_point(|kept| kept.through < range.from);
    union.get(at).is_some_and(|kept| kept.from <= range.through)
}

impl Chosen {
    fn new(slices: Vec<StoredSlice>, needed: Vec<Needed>, is_disputed: bool) -> Self {
        let wanted = wanted(&needed);
        // What has no range holds nothing and claims nothing; it is not ours to judge here.
        let stays = |slice: &StoredSlice| slice.range().is_empty() || overlaps(&wanted, &slice.range());
        let marked: Vec<_> = slices.into_iter().map(|slice| (slice, stays(&slice))).collect();
        let kept: Vec<_> = marked.iter().filter(|(_, stays)| *stays).map(|(slice, _)| *slice).collect();
        let claims = kept.iter().map(StoredSlice::range).filter(|range| !range.is_empty());
        let extents = union(claims.chain(wanted).collect());
        Self { marked, kept, needed, extents, is_disputed }
    }

    pub fn has_expired(&self) -> bool {
        self.kept.len() < self.marked.len()
    }

    /// In the order in which they go: oldest first, so that what is left is whole. Where slices were disputed newest
    /// first, so that what is left cannot be joined to what stays.
    pub fn expired(self) -> Vec<StoredSlice> {
        let mut expired: Vec<_> = self.marked.into_iter().filter(|(_, stays)| !stays).map(|(slice, _)| slice).collect();
        if self.is_disputed {
            expired.sort_unstable_by_key(|slice| (std::cmp::Reverse(slice.id.through), slice.id.after));
        }
        expired
    }

    pub fn runs(&self) -> Vec<SliceRun> {
        let mut runs: Vec<(SliceRun, bool)> = Vec::new();
        for (slice, stays) in &self.marked {
            let range = slice.range();
            match runs.last_mut() {
                Some((run, is_kept)) if is_kept == stays && range.from <= run.range.through => {
                    run.range.through = run.range.through.max(range.through);
                    run.slices += 1;
                    run.stored_bytes = run.stored_bytes.saturating_add(slice.stored_bytes);
                }
                _ => {
                    let decision = Decision::Expire(vec![ExpireReason::NotNeeded]);
                    runs.push((SliceRun { range, slices: 1, stored_bytes: slice.stored_bytes, decision }, *stays));
                }
            }
        }
        for (run, _) in runs.iter_mut().filter(|(_, is_kept)| *is_kept) {
            let needed = self.needed.iter().filter(|needed| needed.range.overlaps(&run.range));
            let mut reasons: Vec<KeepReason> = needed.map(|needed| needed.why.clone()).collect();
            reasons.dedup();
            run.decision = Decision::Keep(reasons);
        }
        runs.into_iter().map(|(run, _)| run).collect()
    }
}

/// A hole that expiry makes between slices that stay is recorded before they go, like any other loss of history.
pub(super) fn tombstones(chosen: &Chosen, now: Timestamp) -> Vec<Gap> {
    let goes = |hole: &CoveredRange| {
        chosen.has_expired() && chosen.marked.iter().any(|(slice, stays)| !stays && slice.range().overlaps(hole))
    };
    crate::coverage::between(&chosen.extents)
        .into_iter()
        .filter(goes)
        .map(|hole| {
            let detail = "removed by retention; what lies on both sides is kept";
            Gap::new(hole.from, hole.through, GapReason::Expired, now.to_string(), detail)
        })
        .collect()
}

/// Gap records that nobody needs any more: before everything that stays, or within a newer record of expiry.
pub(super) fn gaps(
    input: &RetentionInput,
    chosen: &Chosen,
    kept: &[SnapshotSummary],
    tombstones: &[Gap],
) -> Vec<ObjectDecision> {
    let begins = kept.iter().map(|snapshot| snapshot.begin);
    let Some(first) = chosen.extents.iter().map(|range| range.from).chain(begins).min() else { return Vec::new() };
    let lineage: &LineageId = &input.catalog.lineage;
    let is_within = |gap: &Gap, other: &Gap| {
        (gap.after, gap.through) != (other.after, other.through)
            && other.after <= gap.after
            && gap.through <= other.through
    };
    let recorded = || input.catalog.gaps.iter().filter(|gap| gap.reason == GapReason::Expired).chain(tombstones);
    let expires = |gap: &&Gap| {
        gap.through <= first || (gap.reason == GapReason::Expired && recorded().any(|other| is_within(gap, other)))
    };
    let frozen = |freeze: &super::Freeze| KeepReason::Frozen { reason: freeze.reason.clone() };
    let keep = |gap: &Gap| input.freeze.map(frozen).or_else(|| super::rules::lock_reason(input, &gap.key(lineage)));
    input
        .catalog
        .gaps
        .iter()
        .filter(expires)
        .map(|gap| ObjectDecision {
            key: gap.key(lineage),
            decision: match keep(gap) {
                Some(reason) => Decision::Keep(vec![reason]),
                None => Decision::Expire(vec![ExpireReason::Superseded]),
            },
        })
        .collect()
}
