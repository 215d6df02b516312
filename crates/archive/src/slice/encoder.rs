//! Writing a slice.

use super::{EntryStamp, SliceFooter, SliceHeader};
use crate::bson_run::whole_document;
use crate::framed::{Block, Encoder, FormatError, Kind, Problem, Totals};
use crate::layout::SliceId;
use crate::{ClusterTime, Digest, OpTime};

/// An open slice. Entries go in ascending order; the caller decides when to cut and then calls [`Self::seal`].
#[derive(Debug)]
pub struct SliceEncoder {
    after: ClusterTime,
    frames: Encoder,
    first: Option<EntryStamp>,
    last: Option<EntryStamp>,
}

/// A slice whose content is final: what is still to be written, and where it belongs.
#[derive(Debug)]
pub struct SealedSlice {
    pub id: SliceId,
    /// Goes before the footer.
    pub last_block: Option<Block>,
    pub footer_frame: Vec<u8>,
    pub footer: SliceFooter,
    pub totals: Totals,
    /// SHA-256 of the entry at `through`: the next slice's `after_digest`.
    pub through_digest: Digest,
}

impl SealedSlice {
    /// The entry that the next slice starts after.
    pub fn through(&self) -> OpTime {
        OpTime::new(self.footer.through, self.footer.term)
    }
}

fn content(problem: String) -> FormatError {
    FormatError::new(0, Problem::Content { problem })
}

impl SliceEncoder {
    /// The encoder and the bytes to write first.
    pub fn new(header: &SliceHeader, block_bytes: usize) -> Result<(Self, Vec<u8>), FormatError> {
        let (frames, header_frame) = Encoder::new(Kind::Slice, header, block_bytes)?;
        Ok((Self { after: header.after, frames, first: None, last: None }, header_frame))
    }

    /// Takes the next entry. Refuses one that does not come after the entries so far, and stays usable.
    pub fn push(&mut self, entry: &[u8]) -> Result<Option<Block>, FormatError> {
        let document = whole_document(entry).map_err(|error| FormatError::new(0, Problem::Bson(error)))?;
        let stamp = EntryStamp::read(document).map_err(|problem| content(problem.to_owned()))?;
        let floor = self.last.map_or(self.after, |last| last.at);
        if stamp.at <= floor {
            return Err(content(format!("the entry at {} does not come after {floor}", stamp.at)));
        }
        let full = self.frames.push(entry)?;
        self.first.get_or_insert(stamp);
        self.last = Some(stamp);
        Ok(full)
    }

    pub fn entries(&self) -> u64 {
        self.frames.documents()
    }

    /// Plain bytes so far.
    pub fn bytes(&self) -> u64 {
        self.frames.bytes()
    }

    /// The newest entry so far.
    pub fn last(&self) -> Option<EntryStamp> {
        self.last
    }

    /// A slice without an entry cannot be sealed: nothing would prove where it ends.
    pub fn seal(self) -> Result<SealedSlice, FormatError> {
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return Err(content(format!("the slice after {} has no entry", self.after)));
        };
        // The last document is always still in the open block: a block leaves when a further document comes.
        let Some(through_digest) = self.frames.last_document().map(Digest::of) else {
            return Err(content(format!("the entry at {} has left the slice", last.at)));
        };
        let footer = SliceFooter {
            through: last.at,
            term: last.term,
            first: first.at,
            first_wall_ms: first.wall_ms,
            last_wall_ms: last.wall_ms,
        };
        let finished = self.frames.finish(&footer)?;
        Ok(SealedSlice {
            id: SliceId::new(self.after, last.at, last.term, &finished.totals.sha256),
            last_block: finished.last_block,
            footer_frame: finished.footer,
            footer,
            totals: finished.totals,
            through_digest,
        })
    }
}
