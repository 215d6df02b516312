//! History that is not there, as ranges with a reason: what `status` lists, and what a search could not look at.

use serde::Serialize;

use super::{Coverage, CoverageProblem, CoveredRange, range};
use crate::ClusterTime;
use crate::catalog::Catalog;
use crate::gap::GapReason;
use crate::layout::ObjectKey;

/// History `(after, through]` that is not there, or across which nothing is restored; recorded or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Break {
    pub after: ClusterTime,
    pub through: ClusterTime,
    pub reason: String,
    /// For people: what was seen when it was recorded.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl Break {
    fn new(range: CoveredRange, reason: impl Into<String>) -> Self {
        Self { after: range.from, through: range.through, reason: reason.into(), detail: String::new() }
    }

    /// Whether slices hold what is there, only that no restore gets across it.
    pub fn is_archived(&self) -> bool {
        self.reason == GapReason::NotReplayable.as_str()
    }

    pub fn range(&self) -> CoveredRange {
        CoveredRange::new(self.after, self.through)
    }
}

impl CoverageProblem {
    /// The part of a problem that says that history is missing. Where the term fell, a hole or gap says it too.
    pub fn as_break(&self) -> Option<Break> {
        let reason = match self {
            Self::Gap(gap) => {
                let detail = gap.detail.clone();
                return Some(Break { detail, ..Break::new(self.range(), gap.reason.as_str()) });
            }
            Self::Hole(_) | Self::Fork { .. } => self.kind(),
            Self::TermFell { .. } | Self::NotARange(_) | Self::OtherThanNamed { .. } => return None,
        };
        Some(Break::new(self.range(), reason))
    }
}

impl Catalog {
    /// The parts of `asked` that a reader of this catalog's slices does not see although history is known to be there:
    /// breaks, slices and gap records that cannot be used, and what the high-water mark speaks of and is gone. Ascending.
    /// `coverage` must be of this very catalog.
    pub fn unseen(&self, coverage: &Coverage, asked: CoveredRange) -> Vec<Break> {
        let known = coverage.problems.iter().filter_map(CoverageProblem::as_break);
        let unusable = self.unusable().filter_map(|finding| match finding.object.parse() {
            Ok(ObjectKey::Slice { id, .. }) => Some(Break::new(CoveredRange::new(id.after, id.through), "unreadable")),
            Ok(ObjectKey::Gap { after, through, .. }) => {
                Some(Break::new(CoveredRange::new(after, through), "unreadable"))
            }
            _ => None,
        });
        let missing = self.high_water.as_ref().filter(|mark| mark.missing_slices(coverage).is_some()).map(|mark| {
            let from = coverage.claimed_through().unwrap_or(ClusterTime::ZERO);
            Break::new(CoveredRange::new(from, mark.through), "slices_missing")
        });
        let mut told = coverage.windows.clone();
        let mut unseen = Vec::new();
        // What has a better name already is not told again.
        for found in known.chain(unusable).chain(missing) {
            let clipped =
                CoveredRange::new(found.after.max(asked.from).min(asked.through), found.through.min(asked.through));
            if clipped.is_empty() {
                continue;
            }
            let rest = range::subtract(&[clipped], &told);
            told = range::union(told.into_iter().chain(rest.iter().copied()).collect());
            unseen.extend(rest.into_iter().map(|range| Break {
                after: range.from,
                through: range.through,
                ..found.clone()
            }));
        }
        unseen.sort_by_key(Break::range);
        unseen
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::{Finding, StoredSlice};
    use crate::coverage::model::{any_story, at, gap, slice};
    use crate::gap::{Gap, GapReason};
    use crate::high_water::HighWater;

    const ALWAYS: CoveredRange = CoveredRange::new(ClusterTime::ZERO, ClusterTime::MAX);

    fn catalog(slices: &[StoredSlice], gaps: &[Gap]) -> Catalog {
        let lineage = "rs0-1".parse().unwrap();
        Catalog { slices: slices.to_vec(), gaps: gaps.to_vec(), ..Catalog::new(lineage) }
    }

    fn unseen(catalog: &Catalog, asked: CoveredRange) -> Vec<(ClusterTime, ClusterTime, String)> {
        let unseen = catalog.unseen(&Coverage::of_catalog(catalog), asked);
        unseen.into_iter().map(|found| (found.after, found.through, found.reason)).collect()
    }

    fn told(after: u32, through: u32, reason: &str) -> (ClusterTime, ClusterTime, String) {
        (at(after), at(through), reason.to_owned())
    }

    #[test]
    fn every_break_is_told_with_its_reason_and_within_what_was_asked() {
        let slices = [slice(0, 3, 1, 1), slice(5, 8, 1, 1), slice(10, 12, 1, 1), slice(10, 12, 1, 2)];
        let catalog = catalog(&slices, &[gap(3, 5, GapReason::OplogOverrun), gap(12, 14, GapReason::Operator)]);
        let all = [
            told(3, 5, "oplog_overrun"),
            told(8, 10, "hole"),
            told(10, 12, "fork_other_content"),
            told(12, 14, "operator"),
        ];
        assert_eq!(unseen(&catalog, ALWAYS), all);
        assert_eq!(unseen(&catalog, CoveredRange::new(at(4), at(8))), [told(4, 5, "oplog_overrun")]);
        assert_eq!(unseen(&catalog, CoveredRange::new(at(5), at(8))), []);
        assert_eq!(unseen(&catalog, CoveredRange::new(at(13), at(13))), []);
    }

    #[test]
    fn of_a_gap_that_slices_filled_in_part_only_the_rest_is_unseen() {
        let catalog = catalog(&[slice(0, 3, 1, 1), slice(5, 8, 1, 1)], &[gap(2, 7, GapReason::OplogOverrun)]);
        assert_eq!(unseen(&catalog, ALWAYS), [told(3, 5, "oplog_overrun")]);
    }

    #[test]
    fn behind_the_last_slice_unusable_objects_and_the_mark_tell_what_is_unseen() {
        let mut catalog = catalog(&[slice(0, 3, 1, 1)], &[]);
        assert_eq!(unseen(&catalog, ALWAYS), []);
        let empty = slice(3, 6, 1, 1).id.key(&catalog.lineage, false).to_string();
        catalog.unusable.push(Finding { object: empty, problem: "it is empty".into() });
        catalog.high_water = Some(HighWater::new(at(9), None, "2026-01-02T03:04:05Z"));
        assert_eq!(unseen(&catalog, ALWAYS), [told(3, 6, "unreadable"), told(6, 9, "slices_missing")]);
        assert_eq!(unseen(&catalog, CoveredRange::new(at(0), at(4))), [told(3, 4, "unreadable")]);
        catalog.slices.clear();
        let missing = (ClusterTime::ZERO, at(3), "slices_missing".to_owned());
        assert_eq!(unseen(&catalog, ALWAYS), [missing, told(3, 6, "unreadable"), told(6, 9, "slices_missing")]);
    }

    proptest! {
        /// Between its first and its last slice a lineage has no moment that is neither read nor told to be unseen.
        #[test]
        fn what_is_not_covered_is_unseen_and_nothing_is_both(story in any_story()) {
            let catalog = catalog(&story.slices, &story.gaps);
            let coverage = Coverage::of_catalog(&catalog);
            let unseen: Vec<_> = catalog.unseen(&coverage, ALWAYS).iter().map(Break::range).collect();
            for (number, found) in unseen.iter().enumerate() {
                prop_assert!(!coverage.windows.iter().any(|window| window.overlaps(found)));
                prop_assert!(!unseen[..number].iter().any(|other| other.overlaps(found)));
            }
            let claims = story.slices.iter().map(StoredSlice::range).filter(|range| !range.is_empty());
            let claimed: Vec<_> = claims.collect();
            let Some(first) = claimed.iter().map(|range| range.from).min() else { return Ok(()) };
            let last = claimed.iter().map(|range| range.through).max().unwrap();
            let known = range::union(coverage.windows.iter().chain(&unseen).copied().collect());
            prop_assert_eq!(range::subtract(&[CoveredRange::new(first, last)], &known), []);
        }
    }
}
