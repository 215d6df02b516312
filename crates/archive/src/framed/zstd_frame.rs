//! Where a zstd frame ends and how much it will hold, read from its headers (RFC 8878) before anything is allocated.

use super::{MAX_BLOCK_BYTES, Problem};
use crate::bson_run::MIN_DOCUMENT_BYTES;

pub(super) const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

const CHECKSUM_BYTES: usize = 4;
const BLOCK_HEADER_BYTES: usize = 3;

/// The progress of finding a frame's end while its bytes arrive.
#[derive(Debug)]
pub(super) struct FrameScan {
    /// Bytes that the frame declares to hold.
    pub content: usize,
    limit: usize,
    next_block: usize,
    end: Option<usize>,
}

fn damaged<T>(problem: &str) -> Result<T, Problem> {
    Err(Problem::Compressed { problem: problem.into() })
}

impl FrameScan {
    /// `frame` starts with the magic number; `None` when its header is not complete yet.
    pub fn start(frame: &[u8]) -> Result<Option<Self>, Problem> {
        let Some(&descriptor) = frame.get(MAGIC.len()) else { return Ok(None) };
        // Reserved bit, unused bit and dictionary id: our writer sets none of them.
        if descriptor & 0b0001_1011 != 0 {
            return damaged("it has properties that are never written");
        }
        if descriptor & 0b0000_0100 == 0 {
            return damaged("it has no checksum");
        }
        let single_segment = descriptor & 0b0010_0000 != 0;
        let size_bytes = match (descriptor >> 6, single_segment) {
            (0, false) => return damaged("it does not declare its size"),
            (0, true) => 1,
            (1, _) => 2,
            (2, _) => 4,
            _ => 8,
        };
        let size_start = MAGIC.len() + 1 + usize::from(!single_segment);
        let Some(size) = frame.get(size_start..size_start + size_bytes) else { return Ok(None) };
        let mut wide = [0; 8];
        wide[..size_bytes].copy_from_slice(size);
        // The two-byte form starts counting at 256.
        let declared = u64::from_le_bytes(wide).saturating_add(if size_bytes == 2 { 256 } else { 0 });
        let content = match usize::try_from(declared) {
            Ok(content) if content <= MAX_BLOCK_BYTES => content,
            _ => {
                return Err(Problem::TooLarge { what: "a block", bytes: declared, limit: MAX_BLOCK_BYTES as u64 });
            }
        };
        if content < MIN_DOCUMENT_BYTES {
            return damaged("it is smaller than any document");
        }
        Ok(Some(Self {
            content,
            // No compressor of ours makes a frame larger than this.
            limit: zstd::zstd_safe::compress_bound(content) + 64,
            next_block: size_start + size_bytes,
            end: None,
        }))
    }

    /// The length of the frame as soon as all of it is there.
    pub fn find_end(&mut self, frame: &[u8]) -> Result<Option<usize>, Problem> {
        while self.end.is_none() {
            let Some(header) = frame.get(self.next_block..self.next_block + BLOCK_HEADER_BYTES) else {
                return Ok(None);
            };
            let header = u32::from_le_bytes([header[0], header[1], header[2], 0]);
            let size = match (header >> 1) & 0b11 {
                // One byte that is repeated.
                1 => 1,
                0 | 2 => (header >> 3) as usize,
                _ => return damaged("a block inside has a reserved type"),
            };
            self.next_block += BLOCK_HEADER_BYTES + size;
            if self.next_block > self.limit {
                return damaged("it is longer than its content justifies");
            }
            if header & 1 == 1 {
                self.end = Some(self.next_block + CHECKSUM_BYTES);
            }
        }
        Ok(self.end.filter(|&end| end <= frame.len()))
    }
}
