//! The frames around runs of BSON: segments, slices and collection pages are all stored like this.
//!
//! ```text
//! header   skippable frame: magic 5D 2A 4D 18, length u32 LE, "TMHD", JSON
//! block    zstd frame: content size declared, content checksum on, whole BSON documents   (any number, also none)
//! footer   skippable frame: magic 5D 2A 4D 18, length u32 LE, "TMFT", JSON
//! ```
//! Any zstd decoder skips the first and the last frame, so `zstd -d` yields plain concatenated BSON. The last member of
//! the JSON is `"check"`, the first 16 hex digits of the SHA-256 of everything in the frame's content before it; the
//! footer repeats the header's check and states number, size and SHA-256 of the documents. So no bit can change
//! what an object holds unnoticed (compressed data has a few bits that mean nothing). Blocks are compressed one by one: the caller may spread them over threads.
//!
//! Nothing here does I/O. [`Encoder`] hands out bytes to write, [`Decoder`] takes bytes that were read. Writers and
//! readers use the typed layers above: `segment`, `slice`, `collection_page`.

use serde::{Deserialize, Serialize};

use crate::Digest;

mod block;
mod decoder;
mod encoder;
mod error;
mod skippable;
mod zstd_frame;

pub use block::{Block, BlockCompressor, CompressedBlock};
pub use decoder::{Decoder, Event, Footer, Header};
pub use encoder::{DEFAULT_BLOCK_BYTES, Encoder, Finished, NoExtra};
pub use error::{FormatError, Problem};

/// Header and footer, with everything in them.
pub const MAX_JSON_BYTES: usize = 1024 * 1024;

/// One block, decompressed. A reader allocates at most this for a block whatever the object claims.
pub const MAX_BLOCK_BYTES: usize = 64 * 1024 * 1024;

/// What a framed object holds; stands in its header, so that a swapped object is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Segment,
    Slice,
    Collections,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Slice => "slice",
            Self::Collections => "collections",
        }
    }
}

/// What the footer states about the documents between header and footer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub documents: u64,
    /// Plain, without compression.
    pub bytes: u64,
    /// Of the plain bytes.
    pub sha256: Digest,
}

#[cfg(test)]
mod tests;
