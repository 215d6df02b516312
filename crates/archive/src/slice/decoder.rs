//! Reading a slice and proving that it is what its key says.

use super::{EntryStamp, SliceFooter, SliceHeader};
use crate::framed::{Block, Decoder, Event, FormatError, Kind, Problem, Totals};
use crate::layout::SliceId;
use crate::{Digest, LineageId};

#[derive(Debug, Clone, PartialEq)]
pub enum SliceEvent {
    Header(SliceHeader),
    /// Entries in ascending order. They are proven only when the footer has come.
    Entries(Block),
    Footer(SliceFooter, Totals),
}

/// Reads the slice that is stored as `id` in a lineage; used like [`Decoder`].
pub struct SliceDecoder {
    lineage: LineageId,
    id: SliceId,
    frames: Decoder,
    first: Option<EntryStamp>,
    last: Option<EntryStamp>,
    last_digest: Option<Digest>,
}

impl SliceDecoder {
    pub fn new(lineage: LineageId, id: SliceId) -> Self {
        Self { lineage, id, frames: Decoder::new(Kind::Slice), first: None, last: None, last_digest: None }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.frames.feed(bytes);
    }

    pub fn next_event(&mut self) -> Result<Option<SliceEvent>, FormatError> {
        let offset = self.frames.offset();
        let Some(event) = self.frames.next_event()? else { return Ok(None) };
        let checked = match event {
            Event::Header(header) => {
                let header = self.frames.sticky(header.parse::<SliceHeader>())?;
                self.check_header(&header).map(|()| SliceEvent::Header(header))
            }
            Event::Block(block) => self.check_entries(&block).map(|()| SliceEvent::Entries(block)),
            Event::Footer(footer) => {
                let parsed = self.frames.sticky(footer.parse::<SliceFooter>())?;
                self.check_footer(&parsed, &footer.totals).map(|()| SliceEvent::Footer(parsed, footer.totals))
            }
        };
        checked.map(Some).map_err(|problem| self.frames.fail(offset, Problem::Content { problem }))
    }

    pub fn finish(self) -> Result<Totals, FormatError> {
        self.frames.finish()
    }

    /// SHA-256 of the newest entry so far: once the footer has come, what the next slice's `after_digest` must be.
    pub fn last_digest(&self) -> Option<Digest> {
        self.last_digest
    }

    fn check_header(&self, header: &SliceHeader) -> Result<(), String> {
        if header.lineage != self.lineage {
            return Err(format!("a slice of lineage `{}`, not of `{}`", header.lineage, self.lineage));
        }
        if header.after != self.id.after {
            return Err(format!("the slice starts after {}, its key says {}", header.after, self.id.after));
        }
        Ok(())
    }

    fn check_entries(&mut self, block: &Block) -> Result<(), String> {
        let mut newest = None;
        for entry in block.documents() {
            let stamp = EntryStamp::read(entry)?;
            let floor = self.last.map_or(self.id.after, |last| last.at);
            if stamp.at <= floor {
                return Err(format!("the entry at {} does not come after {floor}", stamp.at));
            }
            if stamp.at > self.id.through {
                return Err(format!("the entry at {} lies behind {}, where the slice ends", stamp.at, self.id.through));
            }
            self.first.get_or_insert(stamp);
            self.last = Some(stamp);
            newest = Some(entry);
        }
        if let Some(entry) = newest {
            self.last_digest = Some(Digest::of(entry.as_bytes()));
        }
        Ok(())
    }

    fn check_footer(&self, footer: &SliceFooter, totals: &Totals) -> Result<(), String> {
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return Err("the slice has no entry".into());
        };
        if last.at != self.id.through {
            return Err(format!("the last entry is at {}, the key says {}", last.at, self.id.through));
        }
        if last.term != self.id.term {
            return Err(format!("the last entry has term {}, the key says {}", last.term, self.id.term));
        }
        if totals.sha256.0[..16] != self.id.digest {
            return Err(format!("the entries have digest {}, the key says otherwise", totals.sha256.short()));
        }
        if (footer.through, footer.term, footer.first) != (last.at, last.term, first.at) {
            return Err("the footer's first and last entry are not those of the slice".into());
        }
        Ok(())
    }
}
