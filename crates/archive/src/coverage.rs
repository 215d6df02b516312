//! Coverage: which history the slices of a lineage hold without a break. The planner, `status` and the archiver ask it.
//!
//! Slices come from several writers, in any order and with different cuts. A slice named `(after, through]` of term `t`
//! claims three things: it holds every entry after `after` up to `through`; the entry at `through` is of term `t`; and,
//! because the term never falls in one history, no entry from the one at `after` to the one at `through` is of a
//! higher term than `t`. So overlapping, touching and identical slices are the same history told twice, and two slices
//! *contradict* each other exactly when
//!
//! - one ends in a higher term at a moment that the other's claim includes, its `after` and `through` included
//!   (this includes "same end, other term"), or
//! - both have the same range and term but different digests.
//!
//! A slice can also be contradicted by several that agree among each other: it starts inside an unbroken run of
//! undisputed slices where a higher term than its own was already reached. Then that slice is disputed, with its claim.
//!
//! Names cannot tell which side is right, nor where the histories parted. Therefore **both of a contradicting pair
//! are disputed, and nothing that a disputed slice claims is covered**, not even by a third slice that agrees with one of them. Coverage is the
//! union of all slices, less the union of all disputed slices, less every gap that records that the history was replaced
//! there, is being expired or cannot be replayed; what remains falls into windows. In a window the term never falls, whichever of its slices are
//! looked at. A lower term behind a break is reported
//! ([`CoverageProblem::TermFell`]) but takes nothing away: both sides are histories of their own, and no chain
//! crosses the break. Any other recorded gap counts only as far as no slice has filled it since. History that is archived
//! but not replayable never explains a slice that is missing.
//!
//! What names do not show (swapped or corrupt content, another history in the same terms) is found by readers, who check
//! each slice against its name and against the digest of the entry that it continues.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, StoredSlice};
use crate::gap::{Gap, GapReason};
use crate::layout::SliceId;
use crate::{ClusterTime, OpTime};

mod breaks;
mod dispute;
mod problem;
mod range;
mod window;

#[cfg(test)]
pub(crate) mod model;
#[cfg(test)]
mod tests;

pub use breaks::Break;
pub use problem::{CoverageProblem, ForkKind};
pub use range::CoveredRange;
pub(crate) use range::{between, holding, subtract, union};
pub use window::{RestoreWindow, archived_through, restore_windows};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Ascending; between two of them is always something that breaks history.
    pub windows: Vec<CoveredRange>,
    /// Ascending by the start of their range.
    pub problems: Vec<CoverageProblem>,
    /// Undisputed slices that are not contained in another one: both ends ascend strictly.
    chainable: Vec<StoredSlice>,
    /// Everything that disputed slices claim.
    disputed: Vec<CoveredRange>,
    claimed_through: Option<ClusterTime>,
}

/// There is no unbroken chain of slices for a range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the slices do not cover {wanted} without a break: from {} they reach {reached}", wanted.from)]
pub struct BrokenChain {
    pub wanted: CoveredRange,
    /// How far an unbroken chain from `wanted.from` gets; `wanted.from` itself when not even one slice follows it.
    pub reached: ClusterTime,
}

impl StoredSlice {
    pub fn range(&self) -> CoveredRange {
        CoveredRange::new(self.id.after, self.id.through)
    }
}

impl Coverage {
    pub fn of_catalog(catalog: &Catalog) -> Self {
        Self::of(&catalog.slices, &catalog.gaps)
    }

    /// What can be read without a break, whether or not it can be replayed: for those who only look at entries.
    pub fn of_stored(catalog: &Catalog) -> Self {
        let lost = catalog.gaps.iter().filter(|gap| gap.reason != GapReason::NotReplayable);
        Self::of(&catalog.slices, &lost.cloned().collect::<Vec<_>>())
    }

    pub fn of(slices: &[StoredSlice], gaps: &[Gap]) -> Self {
        let (empty, mut usable): (Vec<_>, Vec<_>) = slices.iter().copied().partition(|slice| slice.range().is_empty());
        let empty: BTreeSet<SliceId> = empty.iter().map(|slice| slice.id).collect();
        let mut problems: Vec<CoverageProblem> = empty.into_iter().map(CoverageProblem::NotARange).collect();
        usable.sort_unstable_by(dispute::order);
        // Of a slice that is stored twice the plain one stays: it needs no key.
        usable.dedup_by_key(|slice| slice.id);

        let claimed = range::union(usable.iter().map(StoredSlice::range).collect());
        let dispute::Disputes { disputed: is_disputed, ranges: disputed, forks } = dispute::find(&usable);
        problems.extend(forks);
        let mut flags = is_disputed.into_iter();
        usable.retain(|_| !flags.next().unwrap_or_default());
        problems.extend(falling_terms(&usable));

        let gaps: Vec<&Gap> = gaps.iter().filter(|gap| gap.after < gap.through).collect();
        let stored = range::subtract(&claimed, &disputed);
        let windows = range::subtract(&stored, &ranges_of(&gaps, GapReason::breaks_stored_history));
        problems.extend(open_gaps(&gaps, &stored));
        let recorded = ranges_of(&gaps, GapReason::explains_missing_slices);
        let holes = range::subtract(&range::between(&claimed), &recorded);
        problems.extend(holes.into_iter().map(CoverageProblem::Hole));
        problems.sort_by_key(CoverageProblem::range);

        let claimed_through = claimed.last().map(|range| range.through);
        Self { windows, problems, chainable: without_contained(usable), disputed, claimed_through }
    }

    /// How far replay gets from the state at `from`.
    pub fn reach(&self, from: ClusterTime) -> ClusterTime {
        let at = self.windows.partition_point(|window| window.through < from);
        self.windows.get(at).filter(|window| window.touches(from)).map_or(from, |window| window.through)
    }

    /// Whether `(from, through]` lies in one window. Of an empty range nothing is needed.
    pub fn covers(&self, from: ClusterTime, through: ClusterTime) -> bool {
        from <= through && through <= self.reach(from)
    }

    /// The smallest number of slices that holds `(from, through]`, ascending, each starting at or before the end of the one
    /// before it. Empty for an empty range. The first and the last slice may reach beyond the range.
    pub fn chain(&self, from: ClusterTime, through: ClusterTime) -> Result<Vec<StoredSlice>, BrokenChain> {
        let broken = |reached| BrokenChain { wanted: CoveredRange::new(from, through), reached };
        if !self.covers(from, through) {
            return Err(broken(self.reach(from)));
        }
        let mut chain = Vec::new();
        let mut reached = from;
        // Ends ascend with starts, so the last slice that starts in time is the one that gets furthest.
        let mut next = self.chainable.partition_point(|slice| slice.id.after <= from).saturating_sub(1);
        while reached < through {
            while self.chainable.get(next + 1).is_some_and(|slice| slice.id.after <= reached) {
                next += 1;
            }
            let slice =
                self.chainable.get(next).filter(|slice| slice.range().touches(reached) && slice.id.through > reached);
            let slice = slice.ok_or_else(|| broken(reached))?;
            chain.push(*slice);
            reached = slice.id.through;
        }
        Ok(chain)
    }

    /// The end of the newest window.
    pub fn archived_through(&self) -> Option<ClusterTime> {
        self.windows.last().map(|window| window.through)
    }

    /// Archived-through with its term, which an archiver that continues there must find in the oplog. `None` also when
    /// the newest window ends where a disputed range or a replaced history starts.
    pub fn archived_optime(&self) -> Option<OpTime> {
        let through = self.archived_through()?;
        let last = self.chainable.last().filter(|slice| slice.id.through == through)?;
        Some(OpTime::new(through, last.id.term))
    }

    /// What disputed slices claim; no window reaches into it.
    pub fn disputed(&self) -> &[CoveredRange] {
        &self.disputed
    }

    /// The end of the newest slice, whether or not its range is covered.
    pub fn claimed_through(&self) -> Option<ClusterTime> {
        self.claimed_through
    }

    /// Whether something stored contradicts something else or its own name.
    pub fn has_integrity_problem(&self) -> bool {
        self.problems.iter().any(CoverageProblem::is_integrity)
    }
}

fn ranges_of(gaps: &[&Gap], wanted: impl Fn(&GapReason) -> bool) -> Vec<CoveredRange> {
    let ranges = gaps.iter().filter(|gap| wanted(&gap.reason)).map(|gap| CoveredRange::new(gap.after, gap.through));
    range::union(ranges.collect())
}

/// Gaps that break history, and of the others those that undisputed slices do not hold entirely; each once even when
/// several writers recorded it, or one writer again because the oplog went on being overwritten: of several, the one that
/// holds the others.
fn open_gaps(gaps: &[&Gap], stored: &[CoveredRange]) -> Vec<CoverageProblem> {
    let is_open = |gap: &Gap| {
        gap.reason.breaks_stored_history()
            || range::holding(stored, gap.through).is_none_or(|stored| stored.from > gap.after)
    };
    let mut open: Vec<&Gap> = gaps.iter().copied().filter(|gap| is_open(gap)).collect();
    open.sort_by_key(|gap| (gap.after, std::cmp::Reverse(gap.through)));
    let mut reached = None;
    open.retain(|gap| {
        let extends = reached.is_none_or(|reached| gap.through > reached);
        if extends {
            reached = Some(gap.through);
        }
        extends
    });
    open.into_iter().map(|gap| CoverageProblem::Gap(gap.clone())).collect()
}

/// `slices` ascend by end.
fn falling_terms(slices: &[StoredSlice]) -> Vec<CoverageProblem> {
    slices
        .windows(2)
        .filter(|pair| pair[0].id.term > pair[1].id.term)
        .map(|pair| CoverageProblem::TermFell { earlier: pair[0].id, later: pair[1].id })
        .collect()
}

fn without_contained(mut slices: Vec<StoredSlice>) -> Vec<StoredSlice> {
    slices.sort_unstable_by_key(|slice| (slice.id.after, std::cmp::Reverse(slice.id.through), slice.id.digest));
    let mut reached = None;
    slices.retain(|slice| {
        let extends = reached.is_none_or(|reached| slice.id.through > reached);
        if extends {
            reached = Some(slice.id.through);
        }
        extends
    });
    slices
}
