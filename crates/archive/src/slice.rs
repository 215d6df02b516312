//! Oplog slices: every entry of `(after, through]`, in order, as plain oplog BSON.
//!
//! The key says what a slice holds ([`SliceId`]) and the slice proves it: [`SliceDecoder`] refuses one whose entries are
//! not exactly those. The header names the entry *at* `after` by its digest, so a chain of slices can be followed
//! without trusting names. [`SliceEncoder`] is used by the archiver, the decoder by restore, find and verify.

use bson::{RawBsonRef, RawDocument};
use serde::{Deserialize, Serialize};

use crate::layout::{ObjectKey, SliceId};
use crate::{ClusterTime, Digest, LineageId, OpTime};

mod decoder;
mod encoder;

pub use decoder::{SliceDecoder, SliceEvent};
pub use encoder::{SealedSlice, SliceEncoder};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceHeader {
    pub lineage: LineageId,
    pub after: ClusterTime,
    /// Term and digest of the entry at `after`; absent when that entry is unknown, that is, right behind a gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_term: Option<i64>,
    /// SHA-256 of the entry's plain BSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_digest: Option<Digest>,
}

/// What a slice's footer says besides the totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceFooter {
    pub through: ClusterTime,
    pub term: i64,
    /// The time of the first entry; there always is one.
    pub first: ClusterTime,
    /// The server's wall clock in the first and last entry, milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_wall_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_wall_ms: Option<i64>,
}

impl SliceId {
    pub fn key(&self, lineage: &LineageId, encrypted: bool) -> ObjectKey {
        ObjectKey::Slice { lineage: lineage.clone(), id: *self, encrypted }
    }
}

/// The little of an oplog entry that places it in a slice. Reads no other field, whatever the entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryStamp {
    pub at: ClusterTime,
    /// 0 for the very first entry of a replica set ("initiating set"), which was written before any election.
    pub term: i64,
    pub wall_ms: Option<i64>,
}

impl EntryStamp {
    pub fn read(entry: &RawDocument) -> Result<Self, &'static str> {
        const UNREADABLE: &str = "an oplog entry is not readable";
        let (mut at, mut term, mut wall_ms) = (None, None, None);
        for element in entry.iter_elements() {
            let element = element.map_err(|_| UNREADABLE)?;
            match element.key().as_str() {
                "ts" => match element.value() {
                    Ok(RawBsonRef::Timestamp(ts)) => at = Some(ClusterTime::from(ts)),
                    _ => return Err("the `ts` of an oplog entry is not a timestamp"),
                },
                "t" => match element.value() {
                    Ok(RawBsonRef::Int64(t)) => term = Some(t),
                    Ok(RawBsonRef::Int32(t)) => term = Some(i64::from(t)),
                    _ => return Err("the `t` of an oplog entry is not an integer"),
                },
                "wall" => {
                    if let Ok(RawBsonRef::DateTime(wall)) = element.value() {
                        wall_ms = Some(wall.timestamp_millis());
                    }
                }
                _ => {}
            }
        }
        let at = at.ok_or("an oplog entry has no `ts`")?;
        Ok(Self { at, term: term.unwrap_or(0).max(0), wall_ms })
    }

    pub fn optime(&self) -> OpTime {
        OpTime::new(self.at, self.term)
    }
}

#[cfg(test)]
mod tests;
