//! What can be wrong with the slices of a lineage, each problem with its name and the ranges involved.

use std::fmt;

use super::CoveredRange;
use crate::gap::Gap;
use crate::layout::SliceId;

/// How two slices show that they tell different histories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForkKind {
    /// Both end at the same moment, with entries of different terms.
    OtherTerm,
    /// Both cover the same range, with different content.
    OtherContent,
    /// One ends inside of (or where starts) the other, in a term that is higher than the other's last.
    TermBackwards,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoverageProblem {
    /// Recorded as lost, and no slice has filled it since; or recorded as impossible to replay.
    Gap(Gap),
    /// Nothing is stored for the range and nothing says why.
    Hole(CoveredRange),
    /// Slices contradict each other; `range` is everything that the `slices` involved claim.
    Fork { range: CoveredRange, kind: ForkKind, one: SliceId, other: SliceId, slices: usize },
    /// The later slice is of a lower term, with a break between the two: the history was replaced in the meantime.
    TermFell { earlier: SliceId, later: SliceId },
    /// A slice whose name gives an empty or inverted range; ignored.
    NotARange(SliceId),
    /// The content of a slice is not what its name says (swapped, truncated, corrupt). Never found from names alone:
    /// whoever reads the bytes reports it in these words.
    OtherThanNamed { slice: SliceId, found: String },
}

impl CoverageProblem {
    /// A constant name, for JSON and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Gap(_) => "gap",
            Self::Hole(_) => "hole",
            Self::Fork { kind: ForkKind::OtherTerm, .. } => "fork_other_term",
            Self::Fork { kind: ForkKind::OtherContent, .. } => "fork_other_content",
            Self::Fork { kind: ForkKind::TermBackwards, .. } => "fork_term_backwards",
            Self::TermFell { .. } => "term_fell",
            Self::NotARange(_) => "not_a_range",
            Self::OtherThanNamed { .. } => "other_than_named",
        }
    }

    /// The history that the problem is about.
    pub fn range(&self) -> CoveredRange {
        match self {
            Self::Gap(gap) => CoveredRange::new(gap.after, gap.through),
            Self::Hole(range) | Self::Fork { range, .. } => *range,
            Self::TermFell { earlier, later } => CoveredRange::new(earlier.through, later.through),
            Self::NotARange(slice) | Self::OtherThanNamed { slice, .. } => {
                CoveredRange::new(slice.after, slice.through)
            }
        }
    }

    /// Whether stored bytes are wrong or contradict each other, as opposed to merely missing.
    pub fn is_integrity(&self) -> bool {
        match self {
            Self::Fork { .. } | Self::NotARange(_) | Self::OtherThanNamed { .. } => true,
            Self::Gap(_) | Self::Hole(_) | Self::TermFell { .. } => false,
        }
    }
}

impl fmt::Display for CoverageProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap(gap) => {
                let what = gap.reason.what();
                write!(f, "gap ({}, {}]: this history {what} ({})", gap.after, gap.through, gap.reason)?;
                if gap.detail.is_empty() { Ok(()) } else { write!(f, "; {}", gap.detail) }
            }
            Self::Hole(range) => {
                write!(
                    f,
                    "hole {range}: no slice is stored and no gap is recorded; slices were deleted or never arrived"
                )
            }
            Self::Fork { range, kind, one, other, slices } => {
                let how = match kind {
                    ForkKind::OtherTerm => "end at the same moment in different terms",
                    ForkKind::OtherContent => "cover the same range with different content",
                    ForkKind::TermBackwards => "disagree on the term, which never falls in one history",
                };
                write!(f, "fork {range}: {slices} slices contradict each other; {one} and {other} {how}")
            }
            Self::TermFell { earlier, later } => {
                write!(
                    f,
                    "term fell from {} at {} to {} at {}: the history before was replaced (members restored from an \
                     older state, or a forced reconfiguration)",
                    earlier.term, earlier.through, later.term, later.through
                )
            }
            Self::NotARange(slice) => write!(f, "slice {slice} does not end after it starts; it is ignored"),
            Self::OtherThanNamed { slice, found } => write!(f, "slice {slice} is not what its name says: {found}"),
        }
    }
}
