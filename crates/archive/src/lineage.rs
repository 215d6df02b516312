//! `<lineage>/lineage.json`: what a lineage is the history of.
//!
//! Created once by the first sidecar that archives it. `parent` says that the cluster was born from a restore, and of
//! what.

use serde::{Deserialize, Serialize};

use crate::json_record::{self, FORMAT, RecordError};
use crate::layout::ObjectKey;
use crate::{ClusterTime, LineageId};

const WHAT: &str = "lineage record";
const LIMIT: usize = 64 * 1024;

/// Where the data of a restored cluster came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    pub lineage: LineageId,
    pub restored_to: ClusterTime,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineageRecord {
    format: u32,
    pub lineage: LineageId,
    pub replica_set: String,
    /// `settings.replicaSetId` of the replica set's configuration, hex.
    pub replica_set_id: String,
    pub server_version: String,
    /// Feature compatibility version.
    pub fcv: String,
    pub parent: Option<Parent>,
    /// RFC 3339.
    pub created_at: String,
}

impl LineageRecord {
    pub fn new(
        lineage: LineageId,
        replica_set: impl Into<String>,
        replica_set_id: impl Into<String>,
        created_at: impl Into<String>,
    ) -> Self {
        Self {
            format: FORMAT,
            lineage,
            replica_set: replica_set.into(),
            replica_set_id: replica_set_id.into(),
            server_version: String::new(),
            fcv: String::new(),
            parent: None,
            created_at: created_at.into(),
        }
    }

    pub fn key(&self) -> ObjectKey {
        ObjectKey::Lineage { lineage: self.lineage.clone() }
    }

    pub fn to_json(&self) -> Result<Vec<u8>, RecordError> {
        self.check()?;
        json_record::encode(WHAT, self)
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        let record: Self = json_record::decode(WHAT, LIMIT, bytes)?;
        record.check()?;
        Ok(record)
    }

    fn check(&self) -> Result<(), RecordError> {
        if self.parent.as_ref().is_some_and(|parent| parent.lineage == self.lineage) {
            return Err(RecordError::invalid(WHAT, "a lineage cannot be its own parent"));
        }
        json_record::check_instant(WHAT, "created_at", &self.created_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lineage_reads_back_as_written_and_is_not_its_own_parent() {
        let mut record = LineageRecord::new("rs0-1".parse().unwrap(), "rs0", "1", "2026-01-02T03:04:05Z");
        record.parent = Some(Parent { lineage: "rs0-0".parse().unwrap(), restored_to: ClusterTime::new(5, 1) });
        assert_eq!(LineageRecord::from_json(&record.to_json().unwrap()).unwrap(), record);
        record.parent = Some(Parent { lineage: record.lineage.clone(), restored_to: ClusterTime::new(5, 1) });
        assert!(record.to_json().is_err());
    }
}
