//! Writing a framed object: documents in, blocks and frames out.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::skippable::{self, Check};
use super::{Block, FormatError, Kind, MAX_BLOCK_BYTES, Problem, Totals};
use crate::Digest;
use crate::bson_run::{BsonError, MAX_DOCUMENT_BYTES, whole_document};
use crate::json_record::FORMAT;

/// Large enough for zstd to find what repeats, small enough to spread one object over threads.
pub const DEFAULT_BLOCK_BYTES: usize = 1024 * 1024;

/// For objects whose footer has nothing but the totals.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct NoExtra {}

#[derive(Serialize)]
struct HeaderJson<'a, T> {
    format: u32,
    kind: Kind,
    #[serde(flatten)]
    fields: &'a T,
}

#[derive(Serialize)]
struct FooterJson<'a, T> {
    format: u32,
    kind: Kind,
    #[serde(flatten)]
    totals: &'a Totals,
    #[serde(flatten)]
    fields: &'a T,
    header: Check,
}

/// Collects documents into blocks and keeps count. The caller writes: the header, every block compressed in the order
/// in which it was handed out, the footer.
#[derive(Debug)]
pub struct Encoder {
    kind: Kind,
    header: Check,
    block_bytes: usize,
    open: Vec<u8>,
    open_documents: u64,
    last_start: usize,
    documents: u64,
    bytes: u64,
    sha256: Sha256,
}

/// The end of an object: what is still to be written, and what was.
#[derive(Debug)]
pub struct Finished {
    /// Goes before the footer.
    pub last_block: Option<Block>,
    pub footer: Vec<u8>,
    pub totals: Totals,
}

impl Encoder {
    /// The encoder and the header's frame. `header` must be a struct without the members `format`, `kind`, `check`.
    pub fn new<T: Serialize>(kind: Kind, header: &T, block_bytes: usize) -> Result<(Self, Vec<u8>), FormatError> {
        let fields = HeaderJson { format: FORMAT, kind, fields: header };
        let (frame, check) = skippable::encode(skippable::HEADER_TAG, "header", &fields)?;
        let encoder = Self {
            kind,
            header: check,
            block_bytes: block_bytes.min(MAX_BLOCK_BYTES - MAX_DOCUMENT_BYTES),
            open: Vec::new(),
            open_documents: 0,
            last_start: 0,
            documents: 0,
            bytes: 0,
            sha256: Sha256::new(),
        };
        Ok((encoder, frame))
    }

    /// Takes one whole document. Gives a block when the document does not fit into it any more.
    pub fn push(&mut self, document: &[u8]) -> Result<Option<Block>, FormatError> {
        whole_document(document).map_err(|BsonError { offset, problem }| {
            FormatError::new(self.bytes() + offset as u64, Problem::Bson(BsonError { offset, problem }))
        })?;
        let full = if !self.open.is_empty() && self.open.len() + document.len() > self.block_bytes {
            self.cut()
        } else {
            None
        };
        self.last_start = self.open.len();
        self.open.extend_from_slice(document);
        self.open_documents += 1;
        Ok(full)
    }

    /// Ends the open block early.
    pub fn cut(&mut self) -> Option<Block> {
        if self.open.is_empty() {
            return None;
        }
        self.sha256.update(&self.open);
        self.bytes += self.open.len() as u64;
        self.documents += self.open_documents;
        // The next block will be about as large as this one.
        let next = Vec::with_capacity(self.open.capacity().min(2 * self.block_bytes));
        let bytes = std::mem::replace(&mut self.open, next);
        self.last_start = 0;
        Some(Block::new(bytes, std::mem::take(&mut self.open_documents)))
    }

    /// Documents taken so far.
    pub fn documents(&self) -> u64 {
        self.documents + self.open_documents
    }

    /// Plain bytes taken so far.
    pub fn bytes(&self) -> u64 {
        self.bytes + self.open.len() as u64
    }

    /// The document that was taken last, unless it has left with its block.
    pub fn last_document(&self) -> Option<&[u8]> {
        self.open.get(self.last_start..).filter(|document| !document.is_empty())
    }

    /// The totals that a footer would state now.
    pub fn totals(&self) -> Totals {
        let sha256 = self.sha256.clone().chain_update(&self.open);
        Totals { documents: self.documents(), bytes: self.bytes(), sha256: Digest(sha256.finalize().into()) }
    }

    /// `extra`: further members of the footer, none of them named as the common ones.
    pub fn finish<T: Serialize>(mut self, extra: &T) -> Result<Finished, FormatError> {
        let last_block = self.cut();
        let totals = self.totals();
        let fields =
            FooterJson { format: FORMAT, kind: self.kind, totals: &totals, fields: extra, header: self.header };
        let (footer, _) = skippable::encode(skippable::FOOTER_TAG, "footer", &fields)?;
        Ok(Finished { last_block, footer, totals })
    }
}
