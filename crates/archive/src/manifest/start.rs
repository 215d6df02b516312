//! `snapshots/<id>/start.json`: who began a snapshot. Without a manifest beside it the snapshot is unfinished.

use serde::{Deserialize, Serialize};

use crate::json_record::{self, FORMAT, RecordError};
use crate::layout::ObjectKey;
use crate::{LineageId, SnapshotId};

const WHAT: &str = "start record";
const LIMIT: usize = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotStart {
    format: u32,
    pub lineage: LineageId,
    pub snapshot: SnapshotId,
    /// RFC 3339.
    pub started_at: String,
    /// The pod or host that takes it.
    pub started_by: String,
    /// The member that is read, host:port.
    pub member: String,
    /// Absent when no lease was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_epoch: Option<u64>,
}

impl SnapshotStart {
    pub fn new(
        lineage: LineageId,
        snapshot: SnapshotId,
        started_at: impl Into<String>,
        started_by: impl Into<String>,
        member: impl Into<String>,
    ) -> Self {
        Self {
            format: FORMAT,
            lineage,
            snapshot,
            started_at: started_at.into(),
            started_by: started_by.into(),
            member: member.into(),
            lease_epoch: None,
        }
    }

    pub fn key(&self) -> ObjectKey {
        ObjectKey::SnapshotStart { lineage: self.lineage.clone(), snapshot: self.snapshot.clone() }
    }

    pub fn to_json(&self) -> Result<Vec<u8>, RecordError> {
        json_record::check_instant(WHAT, "started_at", &self.started_at)?;
        json_record::encode(WHAT, self)
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        let start: Self = json_record::decode(WHAT, LIMIT, bytes)?;
        json_record::check_instant(WHAT, "started_at", &start.started_at)?;
        Ok(start)
    }
}
