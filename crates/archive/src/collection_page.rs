//! Collection pages: `collections-<page>.bson.zst`, what a snapshot knows of each collection.
//!
//! Options and indexes are the bytes that the server listed, never decoded and encoded again, so that a restore creates
//! what was there. Split into pages because a replica set may have many thousands of collections. Written when the
//! snapshot is complete, before its manifest; read by restore, verify and export.

use bson::{RawBson, RawDocumentBuf};
use serde::{Deserialize, Serialize};

use crate::framed::{
    BlockCompressor, DEFAULT_BLOCK_BYTES, Decoder, Encoder, Event, FormatError, Kind, NoExtra, Problem, Totals,
};
use crate::layout::ObjectKey;
use crate::{ClusterTime, CollectionUuid, Digest, LineageId, Namespace, SnapshotId};

mod record;

/// How the scan of a collection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScanOutcome {
    Complete,
    /// The collection was dropped while it was read: what its segments hold is not all of it, and the oplog has the
    /// drop.
    Dropped,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ScanRecord {
    pub outcome: ScanOutcome,
    /// Of a capped collection: the `_id` of the last document that was read. Replay drops inserts up to there.
    pub last_id: Option<RawBson>,
    /// The server's operation time when the scan ended.
    pub through: ClusterTime,
}

/// One segment of the collection, as its footer and the store tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentRecord {
    pub part: u32,
    pub documents: u64,
    /// Plain.
    pub bytes: u64,
    /// As stored, encryption included.
    pub stored_bytes: u64,
    pub sha256: Digest,
}

impl SegmentRecord {
    pub fn new(part: u32, totals: &Totals, stored_bytes: u64) -> Self {
        Self { part, documents: totals.documents, bytes: totals.bytes, stored_bytes, sha256: totals.sha256 }
    }

    /// What the segment must turn out to hold.
    pub fn totals(&self) -> Totals {
        Totals { documents: self.documents, bytes: self.bytes, sha256: self.sha256 }
    }
}

/// One collection of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectionRecord {
    pub uuid: CollectionUuid,
    pub namespace: Namespace,
    /// As `listCollections` gave them.
    pub options: RawDocumentBuf,
    /// As `listCollections` gave it; a capped or clustered collection may have none.
    pub id_index: Option<RawDocumentBuf>,
    /// As `listIndexes` gave them.
    pub indexes: Vec<RawDocumentBuf>,
    pub scan: ScanRecord,
    /// Ascending by part.
    pub segments: Vec<SegmentRecord>,
}

impl CollectionRecord {
    pub fn documents(&self) -> u64 {
        self.segments.iter().fold(0, |sum, segment| sum.saturating_add(segment.documents))
    }

    /// Plain bytes of all documents.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().fold(0, |sum, segment| sum.saturating_add(segment.bytes))
    }

    pub fn stored_bytes(&self) -> u64 {
        self.segments.iter().fold(0, |sum, segment| sum.saturating_add(segment.stored_bytes))
    }

    /// The document that stands for the collection in a page.
    pub fn to_document(&self) -> Result<RawDocumentBuf, FormatError> {
        record::encode(self).map_err(|problem| FormatError::new(0, Problem::Content { problem }))
    }

    /// Fields of later releases are ignored.
    pub fn from_document(document: &bson::RawDocument) -> Result<Self, FormatError> {
        record::decode(document).map_err(|problem| FormatError::new(0, Problem::Content { problem }))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageHeader {
    pub lineage: LineageId,
    pub snapshot: SnapshotId,
    pub page: u32,
}

impl PageHeader {
    pub fn key(&self, encrypted: bool) -> ObjectKey {
        let Self { lineage, snapshot, page } = self.clone();
        ObjectKey::Collections { lineage, snapshot, page, encrypted }
    }
}

/// A whole page as it is stored, and what its manifest entry must say. The caller decides how many collections make
/// a page; about a thousand keep it at a few MiB.
pub fn encode_page(
    header: &PageHeader,
    collections: &[CollectionRecord],
    level: i32,
) -> Result<(Vec<u8>, Totals), FormatError> {
    let mut zstd = BlockCompressor::new(level)?;
    let (mut encoder, mut object) = Encoder::new(Kind::Collections, header, DEFAULT_BLOCK_BYTES)?;
    for collection in collections {
        if let Some(block) = encoder.push(collection.to_document()?.as_bytes())? {
            object.extend_from_slice(&zstd.compress(&block)?.bytes);
        }
    }
    let finished = encoder.finish(&NoExtra {})?;
    if let Some(block) = finished.last_block {
        object.extend_from_slice(&zstd.compress(&block)?.bytes);
    }
    object.extend_from_slice(&finished.footer);
    Ok((object, finished.totals))
}

/// The collections of a page that is stored under `header.key(..)`. Whether it is the page that the manifest means is
/// told by the totals.
pub fn decode_page(header: &PageHeader, object: &[u8]) -> Result<(Vec<CollectionRecord>, Totals), FormatError> {
    let mut frames = Decoder::new(Kind::Collections);
    let mut collections = Vec::new();
    // Fed in pieces, so that never more than one block lies around decompressed.
    for piece in object.chunks(DEFAULT_BLOCK_BYTES) {
        frames.feed(piece);
        loop {
            let offset = frames.offset();
            match frames.next_event()? {
                None => break,
                Some(Event::Header(found)) => {
                    let found: PageHeader = found.parse()?;
                    if found != *header {
                        let problem = format!("it is `{}`, not the page of this key", found.key(false));
                        return Err(FormatError::new(0, Problem::Content { problem }));
                    }
                }
                Some(Event::Block(block)) => {
                    for document in block.documents() {
                        let record = CollectionRecord::from_document(document)
                            .map_err(|error| FormatError::new(offset, error.problem))?;
                        collections.push(record);
                    }
                }
                Some(Event::Footer(_)) => {}
            }
        }
    }
    let totals = frames.finish()?;
    Ok((collections, totals))
}

#[cfg(test)]
mod tests;
