//! Ranges of history and the arithmetic on sets of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ClusterTime;

/// History `(from, through]`: with the state at `from` in hand, every moment up to and including `through` can be
/// reached by replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CoveredRange {
    pub from: ClusterTime,
    pub through: ClusterTime,
}

impl CoveredRange {
    pub const fn new(from: ClusterTime, through: ClusterTime) -> Self {
        Self { from, through }
    }

    /// Whether an entry at `time` lies in the range; the entry at `from` does not.
    pub fn holds_entry(&self, time: ClusterTime) -> bool {
        self.from < time && time <= self.through
    }

    /// Whether replay of the range can start from the state at `time`, or end there.
    pub fn touches(&self, time: ClusterTime) -> bool {
        self.from <= time && time <= self.through
    }

    pub fn is_empty(&self) -> bool {
        self.from >= self.through
    }

    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.from < other.through && other.from < self.through
    }
}

impl fmt::Display for CoveredRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {}]", self.from, self.through)
    }
}

/// The union as ascending ranges that neither overlap nor touch.
pub(crate) fn union(mut ranges: Vec<CoveredRange>) -> Vec<CoveredRange> {
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let joins = next.from <= kept.through;
        if joins {
            kept.through = kept.through.max(next.through);
        }
        joins
    });
    ranges
}

/// What of `ranges` lies in none of `removed`. Both are unions, and so is the result.
pub(crate) fn subtract(ranges: &[CoveredRange], removed: &[CoveredRange]) -> Vec<CoveredRange> {
    let mut rest = Vec::new();
    let mut removed = removed.iter().peekable();
    for range in ranges {
        let mut from = range.from;
        while let Some(cut) = removed.peek().filter(|cut| cut.from < range.through) {
            if from < cut.from {
                rest.push(CoveredRange::new(from, cut.from));
            }
            from = from.max(cut.through);
            // A cut that reaches beyond this range may also take from the next one.
            if cut.through > range.through {
                break;
            }
            removed.next();
        }
        if from < range.through {
            rest.push(CoveredRange::new(from, range.through));
        }
    }
    rest
}

/// What lies between neighbouring ranges of a union.
pub(crate) fn between(ranges: &[CoveredRange]) -> Vec<CoveredRange> {
    ranges.windows(2).map(|pair| CoveredRange::new(pair[0].through, pair[1].from)).collect()
}

/// The range of a union in which an entry at `time` lies.
pub(crate) fn holding(ranges: &[CoveredRange], time: ClusterTime) -> Option<&CoveredRange> {
    ranges.get(ranges.partition_point(|range| range.through < time)).filter(|range| range.holds_entry(time))
}
