//! What the archive held when it was last listed, for people: restore windows, gaps, snapshots, drills, findings.
//!
//! Bounded: of each list the newest few, and how many there are. Figures for metrics are kept apart (`metrics::backup`).

use archive::catalog::{Catalog, Finding, SnapshotSummary};
use archive::coverage::{Break, Coverage, CoverageProblem, RestoreWindow};
use archive::drill::{DrillReport, Verdict};
use archive::gap::GapReason;
use archive::{ClusterTime, DrillId};
use serde::Serialize;

/// Windows and gaps that are kept.
const RANGES: usize = 50;
/// Snapshots and drills that are kept.
const NEWEST: usize = 5;
/// Findings that are kept.
const FINDINGS: usize = 10;
/// Reasons of a verdict that are kept.
const REASONS: usize = 3;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Holdings {
    /// RFC 3339.
    pub listed_at: String,
    /// When this cluster was archived for the first time. RFC 3339.
    pub created_at: Option<String>,
    /// Every moment in one of them, both ends included, can be restored. Ascending; the newest of `windows_total`.
    pub windows: Vec<RestoreWindow>,
    pub windows_total: usize,
    /// History that is not there, or across which nothing is restored. Ascending; the newest of `gaps_total`. What expired
    /// is none.
    pub gaps: Vec<Break>,
    pub gaps_total: usize,
    /// Newest first, of `snapshots_total`.
    pub snapshots: Vec<SnapshotSummary>,
    pub snapshots_total: usize,
    /// Newest first.
    pub drills: Vec<Drill>,
    /// What a listing shows to be wrong; the first of `findings_total`. That nothing can be restored is none of them.
    pub findings: Vec<Finding>,
    pub findings_total: usize,
    /// Whether the newest window goes on with every slice that is published.
    #[serde(skip)]
    pub reaches_end: bool,
    /// Without any, nobody knows yet whether the first one will continue the window.
    #[serde(skip)]
    pub has_slices: bool,
}

/// A practice restore, in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drill {
    pub id: DrillId,
    pub verdict: Verdict,
    /// Why the verdict is not better.
    pub reasons: Vec<String>,
    /// RFC 3339.
    pub finished_at: String,
    /// The moment that was restored.
    pub restored_to: ClusterTime,
    /// Measured.
    pub recovery_time_seconds: Option<u64>,
    pub recovery_time_objective_seconds: Option<u64>,
}

impl Drill {
    fn of(report: &DrillReport) -> Self {
        let reasons = report.verdict_reasons.iter().take(REASONS).map(|reason| reason.what.clone());
        Self {
            id: report.id.clone(),
            verdict: report.verdict,
            reasons: reasons.collect(),
            finished_at: report.finished_at.clone(),
            restored_to: report.recovery_point.resolved,
            recovery_time_seconds: report.recovery_time_objective.actual_seconds,
            recovery_time_objective_seconds: report.recovery_time_objective.objective_seconds,
        }
    }

    pub fn has_passed(&self) -> bool {
        matches!(self.verdict, Verdict::Pass | Verdict::PassWithFindings)
    }
}

impl Holdings {
    /// `drills`: newest first.
    pub fn of(catalog: &Catalog, drills: &[DrillReport], created_at: &str, listed_at: String) -> Self {
        let coverage = Coverage::of_catalog(catalog);
        let windows = coverage.restore_windows(&catalog.snapshots);
        let gaps = coverage.problems.iter().filter_map(CoverageProblem::as_break);
        let gaps: Vec<Break> = gaps.filter(|gap| gap.reason != GapReason::Expired.as_str()).collect();
        let nothing = catalog.nothing_restorable(&coverage);
        let findings: Vec<Finding> =
            catalog.findings(&coverage).into_iter().filter(|finding| Some(finding) != nothing.as_ref()).collect();
        let mut snapshots = catalog.snapshots.clone();
        snapshots.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.end));
        let end = windows.last().map(|window| window.through);
        Self {
            listed_at,
            created_at: Some(created_at.to_owned()).filter(|created_at| !created_at.is_empty()),
            windows_total: windows.len(),
            gaps_total: gaps.len(),
            snapshots_total: snapshots.len(),
            findings_total: findings.len(),
            windows: newest(windows, RANGES),
            gaps: newest(gaps, RANGES),
            snapshots: snapshots.into_iter().take(NEWEST).collect(),
            drills: drills.iter().take(NEWEST).map(Drill::of).collect(),
            findings: findings.into_iter().take(FINDINGS).collect(),
            reaches_end: end.is_some() && end == coverage.archived_through(),
            has_slices: !catalog.slices.is_empty(),
        }
    }

    /// With what the archiver has published since the listing.
    #[must_use]
    pub fn continued(mut self, archived_through: Option<ClusterTime>) -> Self {
        if let (true, Some(window), Some(newer)) = (self.reaches_end, self.windows.last_mut(), archived_through) {
            window.through = window.through.max(newer);
        }
        self
    }

    /// The newest gap behind which nothing can be restored yet.
    pub fn open_gap(&self) -> Option<&Break> {
        let newest = self.windows.last().map(|window| window.from);
        self.gaps.iter().rfind(|gap| newest.is_none_or(|from| from < gap.through))
    }
}

/// The last ones of an ascending list.
fn newest<T>(mut list: Vec<T>, most: usize) -> Vec<T> {
    list.split_off(list.len().saturating_sub(most))
}

#[cfg(test)]
mod tests {
    use archive::catalog::StoredSlice;
    use archive::gap::Gap;
    use archive::layout::SliceId;

    use super::*;

    fn at(seconds: u32) -> ClusterTime {
        ClusterTime::new(seconds, 1)
    }

    fn slice(after: u32, through: u32) -> StoredSlice {
        let id = SliceId { after: at(after), through: at(through), term: 1, digest: [7; 16] };
        StoredSlice { id, stored_bytes: 1, encrypted: false }
    }

    fn snapshot(begin: u32, end: u32) -> SnapshotSummary {
        SnapshotSummary {
            id: format!("20261122T0100{begin:02}Z-abcdef").parse().unwrap(),
            begin: at(begin),
            end: at(end),
            published_at: "2026-11-22T01:00:00Z".to_owned(),
            documents: 1,
            bytes: 1,
            stored_bytes: 1,
            damaged: None,
            pinned: false,
        }
    }

    fn catalog() -> Catalog {
        let mut catalog = Catalog::new("rs0-1".parse().unwrap());
        catalog.slices = vec![slice(1, 20), slice(30, 40)];
        catalog.gaps = vec![
            Gap::new(at(20), at(30), GapReason::OplogOverrun, "2026-11-22T02:00:00Z", "seen"),
            Gap::new(at(0), at(1), GapReason::Expired, "2026-11-22T02:00:00Z", ""),
        ];
        catalog
    }

    fn of(catalog: &Catalog) -> Holdings {
        Holdings::of(catalog, &[], "2026-11-22T00:00:00Z", "2026-11-22T03:00:00Z".to_owned())
    }

    #[test]
    fn the_newest_window_goes_on_with_the_archive_and_one_before_a_gap_does_not() {
        let mut catalog = catalog();
        catalog.snapshots = vec![snapshot(5, 10)];
        let before = of(&catalog);
        assert_eq!(before.open_gap().map(|gap| (gap.after, gap.through)), Some((at(20), at(30))));
        assert_eq!(before.continued(Some(at(50))).windows.last().unwrap().through, at(20));
        catalog.snapshots.push(snapshot(31, 33));
        let behind = of(&catalog);
        assert_eq!((behind.open_gap(), behind.gaps_total), (None, 1), "what expired is no gap");
        assert_eq!(behind.snapshots[0].end, at(33), "newest first");
        let windows = behind.continued(Some(at(50))).windows;
        assert_eq!(
            windows.iter().map(|window| (window.from, window.through)).collect::<Vec<_>>(),
            [(at(10), at(20)), (at(33), at(50))]
        );
    }

    #[test]
    fn that_nothing_can_be_restored_shows_by_the_windows_and_is_no_finding() {
        let holdings = of(&catalog());
        assert!(holdings.windows.is_empty() && holdings.findings.is_empty(), "{holdings:?}");
        let mut catalog = catalog();
        catalog.snapshots =
            vec![SnapshotSummary { damaged: Some("a segment is missing".to_owned()), ..snapshot(5, 10) }];
        let holdings = of(&catalog);
        assert_eq!((holdings.windows.len(), holdings.findings_total), (0, 1), "{holdings:?}");
    }

    #[test]
    fn lists_are_bounded_and_keep_the_newest() {
        let mut catalog = Catalog::new("rs0-1".parse().unwrap());
        for n in 0..80 {
            catalog.slices.push(slice(n * 10, n * 10 + 5));
        }
        let holdings = of(&catalog);
        assert_eq!((holdings.gaps.len(), holdings.gaps_total), (RANGES, 79));
        assert_eq!(holdings.gaps.last().unwrap().through, at(790));
        assert!(holdings.findings.len() <= FINDINGS && holdings.findings_total > FINDINGS);
    }
}
