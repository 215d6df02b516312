//! Blocks: whole documents that are compressed together, on whatever thread.

use bson::RawDocument;
use zstd::zstd_safe::CParameter;

use super::{FormatError, MAX_BLOCK_BYTES, Problem};
use crate::bson_run::{BsonError, Documents, validate_run};

/// Whole BSON documents, plain. Every length and terminator in it was checked when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    bytes: Vec<u8>,
    documents: u64,
}

impl Block {
    /// `bytes` must be whole documents and `documents` their number: both makers have just walked them.
    pub(super) fn new(bytes: Vec<u8>, documents: u64) -> Self {
        Self { bytes, documents }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The number of documents.
    pub fn count(&self) -> u64 {
        self.documents
    }

    pub fn documents(&self) -> impl Iterator<Item = &RawDocument> {
        Documents::new(&self.bytes).map_while(Result::ok)
    }

    /// Walks every element of every document; for `verify --level decode`.
    pub fn validate(&self) -> Result<(), BsonError> {
        validate_run(&self.bytes).map(drop)
    }

    /// Compresses with a compressor made for this one block; see [`BlockCompressor`] for many.
    pub fn compress(&self, level: i32) -> Result<CompressedBlock, FormatError> {
        BlockCompressor::new(level)?.compress(self)
    }
}

/// One zstd frame, ready to be written behind the frames of the earlier blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompressedBlock {
    pub bytes: Vec<u8>,
    pub documents: u64,
    pub plain_bytes: u64,
}

/// Compresses blocks one after the other and keeps its working memory; one per thread.
pub struct BlockCompressor {
    zstd: zstd::bulk::Compressor<'static>,
}

impl BlockCompressor {
    pub fn new(level: i32) -> Result<Self, FormatError> {
        let failed = |error: std::io::Error| {
            FormatError::new(0, Problem::Compressed { problem: format!("compression level {level}: {error}") })
        };
        let mut zstd = zstd::bulk::Compressor::new(level).map_err(failed)?;
        zstd.set_parameter(CParameter::ChecksumFlag(true)).map_err(failed)?;
        zstd.set_parameter(CParameter::ContentSizeFlag(true)).map_err(failed)?;
        Ok(Self { zstd })
    }

    pub fn compress(&mut self, block: &Block) -> Result<CompressedBlock, FormatError> {
        debug_assert!(block.bytes.len() <= MAX_BLOCK_BYTES && !block.bytes.is_empty());
        let bytes = self
            .zstd
            .compress(&block.bytes)
            .map_err(|error| FormatError::new(0, Problem::Compressed { problem: error.to_string() }))?;
        Ok(CompressedBlock { bytes, documents: block.documents, plain_bytes: block.bytes.len() as u64 })
    }
}
