//! `<lineage>/control/archived.json`: how far the archive once reached.
//!
//! A listing shows what is there, never what is no longer there: when the newest slices or the newest manifest are
//! removed, everything left still fits together. The mark is the one hint from outside. The archiver overwrites it now
//! and then (so it lags behind, which is harmless), `status`, `plan` and `verify` compare it with what they find. It is
//! never needed: an archive without it is as good, and one that was changed can hide a loss but not make one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::coverage::{Coverage, CoverageProblem};
use crate::json_record::{self, FORMAT, RecordError};
use crate::layout::{ControlPath, ObjectKey};
use crate::{ClusterTime, LineageId, SnapshotId};

const WHAT: &str = "high-water mark";
const LIMIT: usize = 64 * 1024;

/// How far the archive of a lineage reached when the mark was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HighWater {
    format: u32,
    /// The end of the newest slice.
    pub through: ClusterTime,
    /// The complete snapshot that was started last.
    #[serde(default)]
    pub last_snapshot: Option<SnapshotId>,
    /// RFC 3339.
    pub recorded_at: String,
}

/// What the mark speaks of and the archive no longer shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shortfall {
    /// Slices were archived through `recorded_through`; now they end at `archived_through`, and no gap says why.
    SlicesMissing { recorded_through: ClusterTime, archived_through: Option<ClusterTime> },
    /// A complete snapshot whose manifest is gone, with none after it.
    SnapshotMissing { id: SnapshotId },
}

impl HighWater {
    pub fn new(through: ClusterTime, last_snapshot: Option<SnapshotId>, recorded_at: impl Into<String>) -> Self {
        Self { format: FORMAT, through, last_snapshot, recorded_at: recorded_at.into() }
    }

    pub fn key(lineage: &LineageId) -> ObjectKey {
        ObjectKey::Control { lineage: lineage.clone(), path: ControlPath::high_water() }
    }

    /// The mark that both are covered by. A writer that found an earlier one writes this, so that a restart after a loss
    /// does not lower the mark and hide the loss. Snapshot ids sort by age.
    #[must_use]
    pub fn joined(self, earlier: &Self) -> Self {
        Self {
            through: self.through.max(earlier.through),
            last_snapshot: self.last_snapshot.max(earlier.last_snapshot.clone()),
            ..self
        }
    }

    /// What is missing of what the mark speaks of. The mark must have been read *before* the listings that `coverage` and
    /// `snapshots` come from: the archive goes on meanwhile.
    pub fn shortfalls<'a>(
        &self,
        coverage: &Coverage,
        snapshots: impl IntoIterator<Item = &'a SnapshotId>,
    ) -> Vec<Shortfall> {
        self.missing_slices(coverage).into_iter().chain(self.missing_snapshot(snapshots)).collect()
    }

    pub fn missing_slices(&self, coverage: &Coverage) -> Option<Shortfall> {
        let archived_through = coverage.claimed_through();
        let recorded_gaps = coverage.problems.iter().filter_map(|problem| match problem {
            CoverageProblem::Gap(gap) if gap.reason.explains_missing_slices() => Some(gap.through),
            _ => None,
        });
        let accounted = archived_through.into_iter().chain(recorded_gaps).max();
        let is_short = accounted.is_none_or(|accounted| accounted < self.through);
        is_short.then_some(Shortfall::SlicesMissing { recorded_through: self.through, archived_through })
    }

    /// `snapshots` are those whose manifest is there, whether or not it can be used. A snapshot older than the newest one
    /// may have expired and is not missed.
    pub fn missing_snapshot<'a>(&self, snapshots: impl IntoIterator<Item = &'a SnapshotId>) -> Option<Shortfall> {
        let newest = snapshots.into_iter().max();
        let missing = self.last_snapshot.as_ref().filter(|last| newest.is_none_or(|newest| newest < *last));
        missing.map(|id| Shortfall::SnapshotMissing { id: id.clone() })
    }

    pub fn to_json(&self) -> Result<Vec<u8>, RecordError> {
        self.check()?;
        json_record::encode(WHAT, self)
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        let mark: Self = json_record::decode(WHAT, LIMIT, bytes)?;
        mark.check()?;
        Ok(mark)
    }

    fn check(&self) -> Result<(), RecordError> {
        json_record::check_instant(WHAT, "recorded_at", &self.recorded_at)
    }
}

impl Shortfall {
    /// A constant name, for JSON and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SlicesMissing { .. } => "slices_missing",
            Self::SnapshotMissing { .. } => "snapshot_missing",
        }
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SlicesMissing { recorded_through, archived_through: Some(through) } => write!(
                f,
                "the newest slices are missing: history was archived through {recorded_through}, now the slices end at \
                 {through} and no gap is recorded"
            ),
            Self::SlicesMissing { recorded_through, archived_through: None } => {
                write!(f, "all slices are missing: history was archived through {recorded_through}")
            }
            Self::SnapshotMissing { id } => {
                write!(f, "snapshot {id} is missing: it was the newest one, and its manifest is gone")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::coverage::model::{any_story, at, gap, slice};
    use crate::gap::GapReason;

    const NOW: &str = "2026-01-02T03:04:05Z";

    fn id(text: &str) -> SnapshotId {
        text.parse().unwrap()
    }

    fn mark(through: u32, snapshot: Option<&str>) -> HighWater {
        HighWater::new(at(through), snapshot.map(id), NOW)
    }

    fn coverage(ends: &[(u32, u32)]) -> Coverage {
        let slices: Vec<_> = ends.iter().map(|(after, through)| slice(*after, *through, 1, 0)).collect();
        Coverage::of(&slices, &[])
    }

    #[test]
    fn a_mark_reads_back_as_written_and_a_newer_or_broken_one_is_refused() {
        for mark in [mark(9, Some("20260101T000000Z-aaaa")), mark(9, None)] {
            assert_eq!(HighWater::from_json(&mark.to_json().unwrap()).unwrap(), mark);
        }
        let json = String::from_utf8(mark(9, None).to_json().unwrap()).unwrap();
        let newer = json.replace("\"format\": 1", "\"format\": 2");
        assert!(matches!(HighWater::from_json(newer.as_bytes()), Err(RecordError::NewerFormat { found: 2, .. })));
        for broken in [&json[..20], "", "[]", &json.replace(NOW, "yesterday")] {
            assert!(matches!(HighWater::from_json(broken.as_bytes()), Err(RecordError::Invalid { .. })), "{broken}");
        }
    }

    #[test]
    fn the_mark_is_a_control_object_of_its_lineage() {
        let lineage: LineageId = "rs0-6b03".parse().unwrap();
        let key = HighWater::key(&lineage);
        assert_eq!(key.to_string(), "rs0-6b03/control/archived.json");
        assert_eq!(key.to_string().parse::<ObjectKey>().unwrap(), key);
        assert!(key.is_mutable() && key.lineage() == Some(&lineage));
    }

    #[test]
    fn an_archive_that_reaches_the_mark_or_goes_on_lacks_nothing() {
        let newest = [id("b")];
        for through in [9, 10, 12] {
            let coverage = coverage(&[(1, 5), (5, through)]);
            assert_eq!(mark(9, Some("b")).shortfalls(&coverage, &newest), []);
        }
    }

    #[test]
    fn slices_that_end_before_the_mark_are_missed_until_a_gap_explains_it() {
        let missing = |archived_through| Shortfall::SlicesMissing { recorded_through: at(9), archived_through };
        assert_eq!(mark(9, None).shortfalls(&coverage(&[(1, 5), (5, 8)]), []), [missing(Some(at(8)))]);
        assert_eq!(mark(9, None).shortfalls(&coverage(&[]), []), [missing(None)]);
        let recorded = |through, reason| Coverage::of(&[slice(1, 8, 1, 0)], &[gap(8, through, reason)]);
        assert_eq!(mark(9, None).shortfalls(&recorded(9, GapReason::Operator), []), []);
        assert_eq!(mark(12, None).shortfalls(&recorded(9, GapReason::Operator), []).len(), 1);
        // That one was archived.
        assert_eq!(mark(9, None).shortfalls(&recorded(9, GapReason::NotReplayable), []), [missing(Some(at(8)))]);
    }

    #[test]
    fn slices_that_contradict_each_other_are_not_missing() {
        let forked = Coverage::of(&[slice(1, 9, 1, 0), slice(1, 9, 1, 1)], &[]);
        assert_eq!(forked.archived_through(), None);
        assert_eq!(mark(9, None).shortfalls(&forked, []), []);
    }

    #[test]
    fn the_newest_snapshot_is_missed_and_an_older_one_may_have_expired() {
        let coverage = coverage(&[(1, 9)]);
        let missing = [Shortfall::SnapshotMissing { id: id("b") }];
        assert_eq!(mark(9, Some("b")).shortfalls(&coverage, &[id("a")]), missing);
        assert_eq!(mark(9, Some("b")).shortfalls(&coverage, []), missing);
        assert_eq!(mark(9, Some("b")).shortfalls(&coverage, &[id("c")]), []);
        assert_eq!(mark(9, None).shortfalls(&coverage, &[id("a")]), []);
    }

    #[test]
    fn a_mark_that_is_written_anew_never_falls_back() {
        let joined = HighWater::new(at(5), Some(id("c")), "2026-02-02T03:04:05Z").joined(&mark(9, Some("b")));
        assert_eq!(joined, HighWater::new(at(9), Some(id("c")), "2026-02-02T03:04:05Z"));
        assert_eq!(mark(5, None).joined(&mark(4, Some("b"))), mark(5, Some("b")));
    }

    proptest! {
        /// What a writer sees is what it marks; that alone is never a shortfall, and any later moment is one.
        #[test]
        fn the_mark_of_an_archive_as_it_is_misses_nothing(story in any_story()) {
            let coverage = Coverage::of(&story.slices, &story.gaps);
            if let Some(through) = coverage.archived_through() {
                prop_assert_eq!(HighWater::new(through, None, NOW).shortfalls(&coverage, []), []);
            }
            let beyond = HighWater::new(ClusterTime::MAX, None, NOW);
            prop_assert_eq!(beyond.shortfalls(&coverage, []).len(), 1);
        }
    }
}
