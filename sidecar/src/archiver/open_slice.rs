//! The slice that is being filled: entries in, one object out. Held in memory until it is published.

use std::time::Duration;

use archive::framed::{BlockCompressor, DEFAULT_BLOCK_BYTES};
use archive::gap::Gap;
use archive::layout::SliceId;
use archive::slice::{SliceEncoder, SliceHeader};
use archive::timeline::{SurveyError, check_entry};
use archive::{ClusterTime, Digest, LineageId, OpTime};
use bson::RawDocument;
use tokio::time::Instant;

use super::cut_policy::OpenSliceAge;
use super::resume::{EntryProof, Position};
use crate::clock::now_text;
use crate::error::{Error, Result};

/// Entries that cannot be replayed and are not further apart become one gap: what is done to a cluster in one go is one
/// break, and a source that keeps writing such entries must not drown the archive in records.
const ONE_BREAK_SECONDS: u32 = 10;
/// Names in an entry can be as long as the entry; a record is small.
const REASON_CHARACTERS: usize = 1_000;

pub struct OpenSlice {
    encoder: SliceEncoder,
    compressor: BlockCompressor,
    object: Vec<u8>,
    first_entry: Option<Instant>,
    first_write: Option<Instant>,
    last_write: Option<ClusterTime>,
    breaks: Vec<Break>,
}

/// Entries that no restore can replay.
#[derive(Debug, PartialEq, Eq)]
struct Break {
    first: ClusterTime,
    last: ClusterTime,
    entries: u64,
    /// Why the first one.
    reason: String,
}

impl Break {
    fn gap(&self) -> Gap {
        let more = match self.entries {
            1 => String::new(),
            entries => format!(", and {} more through {}", entries - 1, self.last),
        };
        let detail = format!("{}{more} (sidecar {})", self.reason, env!("CARGO_PKG_VERSION"));
        Gap::not_replayable(self.first, self.last, now_text(), detail)
    }
}

/// A slice as it will be stored.
#[derive(Debug)]
pub struct FinishedSlice {
    pub id: SliceId,
    pub object: bytes::Bytes,
    pub entries: u64,
    pub through: OpTime,
    pub through_digest: Digest,
    /// Where nothing is replayed across: to be recorded before the slice can be seen.
    pub gaps: Vec<Gap>,
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
            breaks: Vec::new(),
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
        if let (Err(problem), Some(at)) = (check_entry(entry), self.last()) {
            self.note_break(at, &problem);
        }
        Ok(())
    }

    fn note_break(&mut self, at: ClusterTime, problem: &SurveyError) {
        match self.breaks.last_mut() {
            Some(open) if at.seconds.saturating_sub(open.last.seconds) <= ONE_BREAK_SECONDS => {
                open.last = at;
                open.entries += 1;
            }
            _ => {
                let reason = problem.to_string().chars().take(REASON_CHARACTERS).collect();
                self.breaks.push(Break { first: at, last: at, entries: 1, reason });
            }
        }
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
            gaps: self.breaks.iter().map(Break::gap).collect(),
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

#[cfg(test)]
mod tests {
    use bson::{Document, RawDocumentBuf, Timestamp, doc};

    use super::*;

    fn gaps(entries: &[(u32, u32, Document)]) -> Vec<Gap> {
        let lineage = "rs0-a".parse().unwrap();
        let mut slice = OpenSlice::new(&lineage, &Position { after: ClusterTime::ZERO, entry: None }, 1).unwrap();
        for (seconds, increment, fields) in entries {
            let mut entry = doc! { "ts": Timestamp { time: *seconds, increment: *increment }, "t": 1_i64 };
            entry.extend(fields.clone());
            slice.push(&RawDocumentBuf::try_from(&entry).unwrap()).unwrap();
        }
        slice.finish().unwrap().gaps
    }

    fn insert(id: i32) -> Document {
        let uuid = archive::CollectionUuid([1; 16]).to_binary();
        doc! { "op": "i", "ns": "shop.a", "ui": uuid, "o": { "_id": id } }
    }

    fn version() -> Document {
        let id = "featureCompatibilityVersion";
        doc! { "op": "u", "ns": "admin.system.version", "o": { "_id": id, "version": "6.0" }, "o2": { "_id": id } }
    }

    fn unknown() -> Document {
        doc! { "op": "c", "ns": "shop.$cmd", "o": { "importCollection": "a" } }
    }

    #[test]
    fn entries_that_can_be_replayed_leave_no_gap() {
        let noop = doc! { "op": "n", "ns": "", "o": { "msg": "periodic noop" } };
        assert_eq!(gaps(&[(50, 1, insert(1)), (50, 2, noop), (51, 1, insert(2))]), []);
    }

    #[test]
    fn each_entry_that_cannot_be_replayed_is_a_gap_of_its_own() {
        let found = gaps(&[(50, 1, version()), (61, 1, unknown()), (62, 1, insert(1))]);
        let ranges: Vec<_> = found.iter().map(|gap| (gap.after, gap.through)).collect();
        let at = |seconds| (ClusterTime::new(seconds, 0), ClusterTime::new(seconds, 1));
        assert_eq!(ranges, [at(50), at(61)]);
        assert!(found[0].detail.starts_with("the feature compatibility version was changed at 50:1;"), "{found:?}");
        assert!(found[1].detail.contains("`importCollection` on shop.a (sidecar "), "{found:?}");
    }

    #[test]
    fn entries_that_cannot_be_replayed_and_stand_close_together_are_one_gap() {
        let entries =
            [(50, 1, version()), (50, 2, insert(1)), (60, 1, version()), (70, 3, unknown()), (81, 1, version())];
        let found = gaps(&entries);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!((found[0].after, found[0].through), (ClusterTime::new(50, 0), ClusterTime::new(70, 3)));
        assert!(found[0].detail.contains(", and 2 more through 70:3 (sidecar "), "{found:?}");
    }

    #[test]
    fn a_record_can_be_read_back_whatever_the_entry_calls_itself() {
        let name = "\u{1f30a}".repeat(100_000);
        let found = gaps(&[(50, 1, doc! { "op": "c", "ns": "shop.$cmd", "o": { name: "a" } })]);
        assert_eq!(Gap::from_json(&found[0].to_json().unwrap()).unwrap(), found[0]);
    }
}
