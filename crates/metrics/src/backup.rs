//! What an archive holds, as samples: known again after every restart, because it is read back from the archive.

use archive::ClusterTime;
use archive::catalog::Catalog;
use archive::coverage::{Coverage, RestoreWindow};
use archive::drill::{DrillReport, Verdict};
use archive::gap::GapReason;

#[allow(clippy::wildcard_imports, reason = "names of metrics, most of them")]
use crate::catalogue::*;
use crate::sample::{Samples, float};

/// What was read from the archive.
#[derive(Debug, Clone)]
pub struct Found {
    pub catalog: Catalog,
    /// Newest first.
    pub drills: Vec<DrillReport>,
    /// Moments of the references.
    pub references: Vec<ClusterTime>,
    /// Of the lineage. RFC 3339.
    pub created_at: String,
}

/// What is expected of the backups, by configuration. Seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Expected {
    /// The longest time between two snapshots by the schedule.
    pub snapshot_interval: Option<f64>,
    pub reference_interval: Option<f64>,
    pub pitr_window: Option<f64>,
    pub drill_interval: Option<f64>,
    pub rto: Option<f64>,
}

/// What is kept of a listing: figures, however many objects there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    set: String,
    samples: Samples,
    /// Where the newest restore window ends, and whether that is the end of the archive.
    end: Option<(ClusterTime, bool)>,
}

impl Summary {
    pub fn of(set: &str, found: &Found) -> Self {
        let mut samples = Samples::default();
        snapshots(set, found, &mut samples);
        let end = history(set, &found.catalog, &mut samples);
        drills(set, &found.drills, &mut samples);
        samples.set_known(&LINEAGE_CREATED_TIMESTAMP_SECONDS, &[set], instant(&found.created_at));
        Self { set: set.to_owned(), samples, end }
    }

    /// `archived_through`: what the archiver has published since the listing.
    pub fn samples(&self, archived_through: Option<ClusterTime>) -> Samples {
        let mut samples = self.samples.clone();
        if let Some((through, reaches_end)) = self.end {
            // Slices that were published since continue the end of the archive; a window that ends before it stays there.
            let through = archived_through.filter(|_| reaches_end).map_or(through, |newer| through.max(newer));
            samples.set(&PITR_WINDOW_END_TIMESTAMP_SECONDS, &[&self.set], f64::from(through.seconds));
        }
        samples
    }
}

/// Known without any archive.
pub fn expected_samples(set: &str, expected: &Expected) -> Samples {
    let mut samples = Samples::default();
    samples.set_known(&BACKUP_EXPECTED_INTERVAL_SECONDS, &[set, "snapshot"], expected.snapshot_interval);
    samples.set_known(&BACKUP_EXPECTED_INTERVAL_SECONDS, &[set, "reference"], expected.reference_interval);
    samples.set_known(&PITR_WINDOW_TARGET_SECONDS, &[set], expected.pitr_window);
    samples.set_known(&RESTORE_DRILL_EXPECTED_INTERVAL_SECONDS, &[set], expected.drill_interval);
    samples.set_known(&RTO_TARGET_SECONDS, &[set], expected.rto);
    samples
}

fn snapshots(set: &str, found: &Found, samples: &mut Samples) {
    let catalog = &found.catalog;
    let (snapshot, reference) = ([set, "snapshot"], [set, "reference"]);
    samples.set(&BACKUPS_STORED, &snapshot, float(catalog.snapshots.len() as u64));
    samples.set(&BACKUPS_STORED, &reference, float(found.references.len() as u64));
    let published = catalog.snapshots.iter().filter_map(|snapshot| instant(&snapshot.published_at));
    samples.set_known(&BACKUP_LAST_SUCCESS_TIMESTAMP_SECONDS, &snapshot, published.reduce(f64::max));
    let seconds = |time: &ClusterTime| f64::from(time.seconds);
    samples.set_known(&BACKUP_LAST_SUCCESS_TIMESTAMP_SECONDS, &reference, found.references.iter().max().map(seconds));
    let oldest = catalog.snapshots.iter().map(|snapshot| snapshot.end).min();
    samples.set_known(&BACKUP_OLDEST_TIMESTAMP_SECONDS, &snapshot, oldest.as_ref().map(seconds));
    samples.set_known(&BACKUP_OLDEST_TIMESTAMP_SECONDS, &reference, found.references.iter().min().map(seconds));
    let stored = catalog.snapshots.iter().map(|snapshot| snapshot.stored_bytes).sum();
    samples.set(&BACKUP_REPOSITORY_BYTES, &[set, "snapshots"], float(stored));
    let stored = catalog.slices.iter().map(|slice| slice.stored_bytes).sum();
    samples.set(&BACKUP_REPOSITORY_BYTES, &[set, "slices"], float(stored));
}

/// Where the newest window ends, and whether that is the end of the archive.
fn history(set: &str, catalog: &Catalog, samples: &mut Samples) -> Option<(ClusterTime, bool)> {
    let coverage = Coverage::of_catalog(catalog);
    let windows = coverage.restore_windows(&catalog.snapshots);
    samples.set(&PITR_WINDOWS, &[set], float(windows.len() as u64));
    let newest = windows.last().copied();
    let start = newest.map(|RestoreWindow { from, .. }| f64::from(from.seconds));
    samples.set_known(&PITR_WINDOW_START_TIMESTAMP_SECONDS, &[set], start);
    // What retention let go was let go on purpose.
    let gaps = || catalog.gaps.iter().filter(|gap| gap.reason != GapReason::Expired);
    samples.set(&ARCHIVE_GAPS, &[set], float(gaps().count() as u64));
    let lost: u64 = gaps().map(|gap| u64::from(gap.through.seconds.saturating_sub(gap.after.seconds))).sum();
    samples.set(&ARCHIVE_GAP_SECONDS, &[set], float(lost));
    let gap_end = gaps().map(|gap| gap.through).max().map(|through| f64::from(through.seconds));
    samples.set_known(&ARCHIVE_GAP_LAST_TIMESTAMP_SECONDS, &[set], gap_end);
    newest.map(|RestoreWindow { through, .. }| (through, coverage.archived_through() == Some(through)))
}

const VERDICTS: [(Verdict, &str); 4] = [
    (Verdict::Pass, "pass"),
    (Verdict::PassWithFindings, "pass_with_findings"),
    (Verdict::Inconclusive, "inconclusive"),
    (Verdict::Fail, "fail"),
];

fn drills(set: &str, drills: &[DrillReport], samples: &mut Samples) {
    for (verdict, label) in VERDICTS {
        let count = drills.iter().filter(|drill| drill.verdict == verdict).count();
        samples.set(&RESTORE_DRILLS_STORED, &[set, label], float(count as u64));
    }
    let passed = drills.iter().filter(|drill| matches!(drill.verdict, Verdict::Pass | Verdict::PassWithFindings));
    let passed = passed.filter_map(|drill| instant(&drill.finished_at)).reduce(f64::max);
    samples.set_known(&RESTORE_DRILL_LAST_SUCCESS_TIMESTAMP_SECONDS, &[set], passed);
    let Some(newest) = drills.first() else { return };
    samples.set_known(&RESTORE_DRILL_LAST_ATTEMPT_TIMESTAMP_SECONDS, &[set], instant(&newest.finished_at));
    for (verdict, label) in VERDICTS {
        samples.set_flag(&RESTORE_DRILL_LAST_VERDICT, &[set, label], newest.verdict == verdict);
    }
    let duration = newest.recovery_time_objective.actual_seconds.map(float);
    samples.set_known(&RESTORE_DRILL_LAST_DURATION_SECONDS, &[set], duration);
    let lag = newest.recovery_point_objective.actual_seconds.map(float);
    samples.set_known(&RESTORE_DRILL_LAST_TARGET_LAG_SECONDS, &[set], lag);
    let compared = newest.integrity.comparison.as_ref().map(|comparison| float(comparison.documents));
    samples.set_known(&RESTORE_DRILL_LAST_CHECKED_DOCUMENTS, &[set], compared);
}

/// RFC 3339 to seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
pub fn instant(text: &str) -> Option<f64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(time.as_millisecond() as f64 / 1000.0).filter(|seconds| *seconds > 0.0)
}

#[cfg(test)]
mod tests;
