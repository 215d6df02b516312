//! The catalog: what a listing of the archive says about one lineage, as a plain value.
//!
//! Built by whoever lists the store (`sidecar`, `dr-cli`); read by `coverage` and `plan`. It is a view of the archive and
//! never the truth: it can be thrown away and listed again at any time.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::gap::Gap;
use crate::high_water::HighWater;
use crate::layout::SliceId;
use crate::{ClusterTime, LineageId, SnapshotId};

/// Everything that a restore of this lineage could be made of, in no particular order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    pub lineage: LineageId,
    pub slices: Vec<StoredSlice>,
    pub gaps: Vec<Gap>,
    pub snapshots: Vec<SnapshotSummary>,
    /// Read before everything else was listed; absent in an archive that has none.
    pub high_water: Option<HighWater>,
    /// Objects that lie in the lineage but cannot be used: foreign names, unreadable records.
    pub unusable: Vec<Finding>,
}

impl Catalog {
    pub fn new(lineage: LineageId) -> Self {
        let (slices, gaps, snapshots, unusable) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { lineage, slices, gaps, snapshots, high_water: None, unusable }
    }

    /// As if this were the only snapshot; others are then not missed.
    #[must_use]
    pub fn with_only(mut self, snapshot: &SnapshotId) -> Self {
        self.snapshots.retain(|summary| summary.id == *snapshot);
        if let Some(mark) = &mut self.high_water {
            mark.last_snapshot = None;
        }
        self
    }
}

/// A slice as it lies in the archive. The same slice may be there twice, plain and encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StoredSlice {
    #[serde(serialize_with = "write_id", deserialize_with = "read_id")]
    pub id: SliceId,
    pub stored_bytes: u64,
    pub encrypted: bool,
}

fn write_id<S: Serializer>(id: &SliceId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

fn read_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SliceId, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// What a snapshot's manifest says about the whole of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotSummary {
    pub id: SnapshotId,
    /// Replay starts after this moment.
    pub begin: ClusterTime,
    /// The snapshot is consistent from here on, once `(begin, end]` is replayed.
    pub end: ClusterTime,
    /// RFC 3339.
    pub published_at: String,
    pub documents: u64,
    /// Plain bytes of all documents.
    pub bytes: u64,
    pub stored_bytes: u64,
    /// Why it must not be restored from, when something of it is known to be missing or corrupt.
    pub damaged: Option<String>,
    pub pinned: bool,
}

impl SnapshotSummary {
    /// Why the snapshot cannot be restored from, whatever the slices.
    pub fn defect(&self) -> Option<String> {
        match &self.damaged {
            Some(reason) => Some(reason.clone()),
            None if self.begin > self.end => Some(format!("it ends ({}) before it begins ({})", self.end, self.begin)),
            None => None,
        }
    }
}

/// Something that is wrong with an object of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its key.
    pub object: String,
    pub problem: String,
}
