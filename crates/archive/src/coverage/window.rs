//! Restore windows: the moments that an operator can choose from.

use serde::{Deserialize, Serialize};

use super::{Coverage, CoveredRange, union};
use crate::ClusterTime;
use crate::catalog::{Catalog, SnapshotSummary};

/// Every moment from `from` to `through`, both included, can be restored. A single moment when they are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreWindow {
    pub from: ClusterTime,
    pub through: ClusterTime,
}

impl RestoreWindow {
    pub fn contains(&self, moment: ClusterTime) -> bool {
        self.from <= moment && moment <= self.through
    }
}

/// Ascending and apart from each other.
pub fn restore_windows(catalog: &Catalog) -> Vec<RestoreWindow> {
    Coverage::of_catalog(catalog).restore_windows(&catalog.snapshots)
}

/// The newest cluster time that is in the archive without a break behind it.
pub fn archived_through(catalog: &Catalog) -> Option<ClusterTime> {
    Coverage::of_catalog(catalog).archived_through()
}

impl Coverage {
    /// A snapshot without a defect whose own `(begin, end]` is covered opens a window at its `end`, up to where the
    /// slices reach.
    pub fn restore_windows(&self, snapshots: &[SnapshotSummary]) -> Vec<RestoreWindow> {
        let opened = snapshots
            .iter()
            .filter(|snapshot| snapshot.defect().is_none() && self.covers(snapshot.begin, snapshot.end))
            .map(|snapshot| CoveredRange::new(snapshot.end, self.reach(snapshot.begin)))
            .collect();
        union(opened).into_iter().map(|range| RestoreWindow { from: range.from, through: range.through }).collect()
    }

    /// Why a snapshot of `(begin, end]` cannot be restored from, when its own window is not covered.
    pub fn lacks_oplog_of(&self, begin: ClusterTime, end: ClusterTime) -> Option<String> {
        let what = || format!("no unbroken slices hold ({begin}, {end}], without which it is not consistent");
        (!self.covers(begin, end)).then(what)
    }
}
