//! `<lineage>/recipients/<since>_<digest>.json`: whom the slices of a lineage are encrypted to, in the clear.
//!
//! Written by a writer before the first slice that it encrypts to them, when the newest record is not the same already. Its
//! content follows from its key, so two writers that create the same one agree.

use serde::{Deserialize, Serialize};

use super::Recipients;
use crate::json_record::{self, FORMAT, RecordError};
use crate::layout::ObjectKey;
use crate::{ClusterTime, LineageId};

const WHAT: &str = "record of recipients";
const LIMIT: usize = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientsRecord {
    format: u32,
    /// Slices that start here or later may be encrypted to them.
    pub since: ClusterTime,
    /// age public keys, sorted.
    pub recipients: Vec<String>,
}

impl RecipientsRecord {
    pub fn new(since: ClusterTime, recipients: &Recipients) -> Self {
        Self { format: FORMAT, since, recipients: recipients.texts().to_vec() }
    }

    pub fn key(&self, lineage: &LineageId) -> Result<ObjectKey, RecordError> {
        let mut digest = [0; 16];
        digest.copy_from_slice(&self.parsed()?.digest().0[..16]);
        Ok(ObjectKey::Recipients { lineage: lineage.clone(), since: self.since, digest })
    }

    pub fn to_json(&self) -> Result<Vec<u8>, RecordError> {
        self.parsed()?;
        json_record::encode(WHAT, self)
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        let record: Self = json_record::decode(WHAT, LIMIT, bytes)?;
        if record.parsed()?.texts() != record.recipients {
            return Err(RecordError::invalid(WHAT, "the recipients are not sorted, or not each there once"));
        }
        Ok(record)
    }

    pub fn parsed(&self) -> Result<Recipients, RecordError> {
        Recipients::parse(&self.recipients.join("\n")).map_err(|error| RecordError::invalid(WHAT, error))
    }

    /// Who can probably decrypt a slice that starts after `after`: those of the newest record that was in force then, or of
    /// the first one. During a rotation two writers may differ for a while.
    pub fn in_force(records: &[Self], after: ClusterTime) -> Option<&Self> {
        let before = records.iter().filter(|record| record.since <= after).max_by_key(|record| record.since);
        before.or_else(|| records.iter().min_by_key(|record| record.since))
    }
}
