//! `snapshots/<id>/manifest.json`: its presence *is* the snapshot.
//!
//! Created once, after everything that it speaks of. The collections themselves are in pages, so it stays small. An
//! unfinished snapshot gets an *abandoned* manifest under the same key before anything of it is deleted: whoever would
//! still publish it then fails. Read by the catalog, restore, verify and expire; nothing in it is trusted for sizes.

use serde::{Deserialize, Serialize};

use crate::catalog::SnapshotSummary;
use crate::framed::Totals;
use crate::json_record::{self, FORMAT, RecordError};
use crate::layout::ObjectKey;
use crate::{ClusterTime, Digest, LineageId, OpTime, SnapshotId};

mod start;

pub use start::SnapshotStart;

const WHAT: &str = "manifest";
const LIMIT: usize = 16 * 1024 * 1024;
/// The smallest BSON document.
const MIN_DOCUMENT_BYTES: u64 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SnapshotTotals {
    pub collections: u64,
    pub documents: u64,
    /// Plain bytes of all documents.
    pub bytes: u64,
    /// Bytes of all segments as stored.
    pub stored_bytes: u64,
    pub segments: u64,
}

/// One page of collections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRecord {
    pub page: u32,
    pub collections: u64,
    /// Of the page's plain BSON.
    pub sha256: Digest,
    pub stored_bytes: u64,
}

impl PageRecord {
    pub fn new(page: u32, totals: &Totals, stored_bytes: u64) -> Self {
        Self { page, collections: totals.documents, sha256: totals.sha256, stored_bytes }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compression {
    pub level: i32,
}

/// Who can decrypt the segments; nobody needs to when it is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Encryption {
    #[serde(default)]
    pub recipients: Vec<String>,
}

/// For people: the server's wall clock near begin and end. Order is by cluster time only.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WallClock {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A complete snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotManifest {
    pub archive_id: String,
    pub lineage: LineageId,
    pub snapshot: SnapshotId,
    /// Replay starts after this moment.
    pub begin: ClusterTime,
    /// Term of the entry at `begin`.
    pub begin_term: i64,
    /// The snapshot is consistent from here on, once `(begin, end]` is replayed.
    pub end: ClusterTime,
    /// RFC 3339.
    pub started_at: String,
    pub published_at: String,
    pub server_version: String,
    /// Feature compatibility version.
    pub fcv: String,
    /// The member that was read, host:port.
    pub member: String,
    pub totals: SnapshotTotals,
    pub pages: Vec<PageRecord>,
    pub compression: Compression,
    #[serde(default)]
    pub encryption: Encryption,
    /// Collections that were dropped while the snapshot was taken.
    #[serde(default)]
    pub dropped_collections: u64,
    #[serde(default)]
    pub wall_clock: WallClock,
}

/// What stands in place of a snapshot that will never be complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbandonedSnapshot {
    pub lineage: LineageId,
    pub snapshot: SnapshotId,
    /// RFC 3339.
    pub abandoned_at: String,
    pub reason: String,
}

/// What may stand under the key of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishedManifest {
    Complete(Box<SnapshotManifest>),
    Abandoned(AbandonedSnapshot),
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum State {
    Complete,
    Abandoned,
}

#[derive(Serialize)]
struct Stored<'a, T> {
    format: u32,
    state: State,
    #[serde(flatten)]
    fields: &'a T,
}

#[derive(Deserialize)]
struct StateOnly {
    state: State,
}

impl PublishedManifest {
    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        let StateOnly { state } = json_record::decode(WHAT, LIMIT, bytes)?;
        match state {
            State::Complete => {
                let manifest: SnapshotManifest = json_record::decode(WHAT, LIMIT, bytes)?;
                manifest.check()?;
                Ok(Self::Complete(Box::new(manifest)))
            }
            State::Abandoned => {
                let abandoned: AbandonedSnapshot = json_record::decode(WHAT, LIMIT, bytes)?;
                abandoned.check()?;
                Ok(Self::Abandoned(abandoned))
            }
        }
    }

    pub fn key(&self) -> ObjectKey {
        match self {
            Self::Complete(manifest) => manifest.key(),
            Self::Abandoned(abandoned) => abandoned.key(),
        }
    }
}

impl AbandonedSnapshot {
    pub fn key(&self) -> ObjectKey {
        ObjectKey::Manifest { lineage: self.lineage.clone(), snapshot: self.snapshot.clone() }
    }

    pub fn to_json(&self) -> Result<Vec<u8>, RecordError> {
        self.check()?;
        json_record::encode(WHAT, &Stored { format: FORMAT, state: State::Abandoned, fields: self })
    }

    fn check(&self) -> Result<(), RecordError> {
        json_record::check_instant(WHAT, "abandoned_at", &self.abandoned_at)
    }
}

impl SnapshotManifest {
    pub fn key(&self) -> ObjectKey {
        ObjectKey::Manifest { lineage: self.lineage.clone(), snapshot: self.snapshot.clone() }
    }

    pub fn begin_optime(&self) -> OpTime {
        OpTime::new(self.begin, self.begin_term)
    }

    /// The snapshot as a whole, with nothing known against it.
    pub fn summary(&self) -> SnapshotSummary {
        SnapshotSummary {
            id: self.snapshot.clone(),
            begin: self.begin,
            end: self.end,
            published_at: self.published_at.clone(),
            documents: self.totals.documents,
            bytes: self.totals.bytes,
            stored_bytes: self.totals.stored_bytes,
            damaged: None,
            pinned: false,
        }
    }

    pub fn is_encrypted(&self) -> bool {
        !self.encryption.recipients.is_empty()
    }

    pub fn to_json(&self) -> Result<Vec<u8>, RecordError> {
        self.check()?;
        json_record::encode(WHAT, &Stored { format: FORMAT, state: State::Complete, fields: self })
    }

    /// Only a complete snapshot; [`PublishedManifest`] tells an abandoned one apart.
    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        match PublishedManifest::from_json(bytes)? {
            PublishedManifest::Complete(manifest) => Ok(*manifest),
            PublishedManifest::Abandoned(abandoned) => {
                Err(RecordError::invalid(WHAT, format!("the snapshot was abandoned: {}", abandoned.reason)))
            }
        }
    }

    fn check(&self) -> Result<(), RecordError> {
        let refuse = |problem: String| Err(RecordError::invalid(WHAT, problem));
        if self.begin > self.end {
            return refuse(format!("begin {} lies behind end {}", self.begin, self.end));
        }
        if self.begin_term < 0 {
            return refuse(format!("begin_term {} is negative", self.begin_term));
        }
        if let Some((number, record)) = (0u32..).zip(&self.pages).find(|(number, record)| *number != record.page) {
            return refuse(format!("page {} stands where page {number} belongs", record.page));
        }
        let listed = self.pages.iter().try_fold(0u64, |sum, page| sum.checked_add(page.collections));
        if listed != Some(self.totals.collections) {
            return refuse(format!("the pages do not list {} collections", self.totals.collections));
        }
        let SnapshotTotals { documents, bytes, segments, .. } = self.totals;
        if documents.checked_mul(MIN_DOCUMENT_BYTES).is_none_or(|least| least > bytes) || (documents == 0 && bytes > 0)
        {
            return refuse(format!("{documents} documents cannot have {bytes} bytes"));
        }
        if documents > 0 && segments == 0 {
            return refuse(format!("{documents} documents without a segment"));
        }
        json_record::check_instant(WHAT, "started_at", &self.started_at)?;
        json_record::check_instant(WHAT, "published_at", &self.published_at)
    }
}

#[cfg(test)]
mod tests;
