//! The slice that is being filled: entries in, one object out. Held in memory until it is published.

use std::time::Duration;

use archive::framed::{BlockCompressor, DEFAULT_BLOCK_BYTES};
use archive::layout::SliceId;
use archive::slice::{SliceEncoder, SliceHeader};
use archive::{ClusterTime, Digest, LineageId, OpTime};
use bson::RawDocument;
use tokio::time::Instant;

use super::cut_policy::OpenSliceAge;
use super::resume::{EntryProof, Position};
use crate::error::{Error, Result};

pub struct OpenSlice {
    encoder: SliceEncoder,
    compressor: BlockCompressor,
    object: Vec<u8>,
    first_entry: Option<Instant>,
    first_write: Option<Instant>,
    last_write: Option<ClusterTime>,
}

/// A slice as it will be stored.
#[derive(Debug)]
pub struct FinishedSlice {
    pub id: SliceId,
    pub object: bytes::Bytes,
    pub entries: u64,
    pub through: OpTime,
    pub through_digest: Digest,
}

impl FinishedSlice {
    /// Where the next slice starts.
    pub fn next_position(&self) -> Position {
        let entry = EntryProof { term: self.through.term, digest: self.through_digest };
        Position { after: self.through.ts, entry: Some(entry) }
    }
}

impl OpenSlice {
    pub fn new(lineage: &LineageId, position: &Position, level: i32) -> Result<Self> {
        let header = SliceHeader {
            lineage: lineage.clone(),
            after: position.after,
            after_term: position.entry.map(|entry| entry.term),
            after_digest: position.entry.map(|entry| entry.digest),
        };
        let (encoder, object) = SliceEncoder::new(&header, DEFAULT_BLOCK_BYTES)?;
        Ok(Self {
            encoder,
            compressor: BlockCompressor::new(level)?,
            object,
            first_entry: None,
            first_write: None,
            last_write: None,
        })
    }

    /// Takes the next entry.
    pub fn push(&mut self, entry: &RawDocument) -> Result<()> {
        if let Some(block) = self.encoder.push(entry.as_bytes())? {
            self.object.extend_from_slice(&self.compressor.compress(&block)?.bytes);
        }
        self.first_entry.get_or_insert_with(Instant::now);
        if !is_noop(entry) {
            self.first_write.get_or_insert_with(Instant::now);
            self.last_write = self.last();
        }
        Ok(())
    }

    pub fn bytes(&self) -> u64 {
        self.encoder.bytes()
    }

    pub fn last(&self) -> Option<ClusterTime> {
        self.encoder.last().map(|stamp| stamp.at)
    }

    pub fn first_write(&self) -> Option<Instant> {
        self.first_write
    }

    pub fn last_write(&self) -> Option<ClusterTime> {
        self.last_write
    }

    pub fn age(&self) -> OpenSliceAge {
        OpenSliceAge {
            bytes: self.bytes(),
            last: self.last(),
            since_first_entry: self.first_entry.map_or(Duration::ZERO, |at| at.elapsed()),
            since_first_write: self.first_write.map(|at| at.elapsed()),
        }
    }

    pub fn finish(mut self) -> Result<FinishedSlice> {
        let entries = self.encoder.entries();
        let sealed = self.encoder.seal()?;
        if let Some(block) = &sealed.last_block {
            self.object.extend_from_slice(&self.compressor.compress(block)?.bytes);
        }
        self.object.extend_from_slice(&sealed.footer_frame);
        Ok(FinishedSlice {
            id: sealed.id,
            entries,
            through: sealed.through(),
            through_digest: sealed.through_digest,
            object: self.object.into(),
        })
    }
}

/// Entries come from a tail that has read them already: one that is not readable is refused by the encoder.
fn is_noop(entry: &RawDocument) -> bool {
    entry.get_str("op").is_ok_and(|op| op == "n")
}

/// The time of an entry, for skipping what is archived already.
pub fn entry_time(entry: &RawDocument) -> Result<ClusterTime> {
    archive::slice::EntryStamp::read(entry).map(|stamp| stamp.at).map_err(|problem| Error::Internal(problem.to_owned()))
}
