//! The oplog of a chain of slices as one ordered run of entries, proven while it is read.
//!
//! Each slice is checked against its name (range, digest, term) and against the one before it: the digest that its
//! header gives for the entry at its start must be that of the entry which was read there. Slices may overlap; who
//! reads skips entries that it has seen, by their time.

use archive::catalog::StoredSlice;
use archive::framed::{Block, FormatError};
use archive::slice::{EntryStamp, SliceDecoder, SliceEvent};
use archive::{ClusterTime, Digest, LineageId};
use tokio::sync::mpsc;

use crate::archive_reader::{ArchiveReader, ContentError};
use crate::failure::{Failure, Result};

/// Decoded blocks (about 1 MiB each) that may wait for the consumer.
const PREFETCHED_BLOCKS: usize = 8;

/// What comes out of the stream.
#[derive(Debug)]
pub enum OplogEvent {
    /// Entries in ascending order; those up to the stream's position were seen already or lie before its start.
    Entries(Block),
    /// A slice has been read to its end and is proven; entries up to `through` have been delivered.
    SliceEnd { through: ClusterTime, stored_bytes: u64 },
}

#[derive(Debug)]
pub struct OplogStream {
    events: mpsc::Receiver<Result<OplogEvent>>,
}

impl OplogStream {
    /// Starts reading ahead in the background; dropping the stream stops that.
    pub fn open(reader: ArchiveReader, lineage: LineageId, chain: Vec<StoredSlice>) -> Self {
        let (sender, events) = mpsc::channel(PREFETCHED_BLOCKS);
        tokio::spawn(async move {
            let mut chain_reader = ChainReader { reader, lineage, sender, known: None };
            let mut slices = chain.iter().peekable();
            while let Some(slice) = slices.next() {
                let watch = slices.peek().map(|next| next.id.after);
                match chain_reader.slice(slice, watch).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(failure) => {
                        // Nobody may be listening any more; then nobody needs to know.
                        drop(chain_reader.sender.send(Err(failure)).await);
                        return;
                    }
                }
            }
        });
        Self { events }
    }

    /// The next event; `None` at the end of the chain.
    pub async fn next(&mut self) -> Result<Option<OplogEvent>> {
        self.events.recv().await.transpose()
    }
}

struct ChainReader {
    reader: ArchiveReader,
    lineage: LineageId,
    sender: mpsc::Sender<Result<OplogEvent>>,
    /// The entry at which the next slice of the chain starts.
    known: Option<(ClusterTime, Digest)>,
}

impl ChainReader {
    /// Reads one slice; `watch` is where the next one starts. `false` when the consumer is gone.
    async fn slice(&mut self, slice: &StoredSlice, watch: Option<ClusterTime>) -> Result<bool> {
        let key = slice.id.key(&self.lineage, slice.encrypted);
        let place = self.reader.place(&key.to_string());
        let damaged =
            |error: FormatError| Failure::integrity(format!("an oplog slice cannot be used: {error}")).at(&place);
        let expected = self.known.take();
        let mut decoder = SliceDecoder::new(self.lineage.clone(), slice.id);
        let unreadable = |error: ContentError| error.into_failure("an oplog slice", place.clone());
        let mut content = self.reader.content(&key).await.map_err(unreadable)?;
        while let Some(chunk) = content.next().await.map_err(unreadable)? {
            decoder.feed(&chunk);
            while let Some(event) = decoder.next_event().map_err(damaged)? {
                match event {
                    SliceEvent::Header(header) => {
                        let contradicts = expected.is_some_and(|(at, digest)| {
                            at == header.after && header.after_digest.is_some_and(|stated| stated != digest)
                        });
                        if contradicts {
                            return Err(Failure::integrity(format!(
                                "the oplog slices fork: two different entries stand at {}",
                                header.after
                            ))
                            .at(place)
                            .because("slices of two different histories lie in one lineage"));
                        }
                    }
                    SliceEvent::Entries(block) => {
                        // Where slices touch, the decoder has the digest already; an overlap needs a look.
                        if let Some(watch) = watch.filter(|watch| *watch < slice.id.through) {
                            self.look_for(watch, &block);
                        }
                        if self.sender.send(Ok(OplogEvent::Entries(block))).await.is_err() {
                            return Ok(false);
                        }
                    }
                    SliceEvent::Footer(..) => {}
                }
            }
        }
        if let Some(digest) = decoder.last_digest().filter(|_| watch == Some(slice.id.through)) {
            self.known = Some((slice.id.through, digest));
        }
        decoder.finish().map_err(damaged)?;
        let end = OplogEvent::SliceEnd { through: slice.id.through, stored_bytes: slice.stored_bytes };
        Ok(self.sender.send(Ok(end)).await.is_ok())
    }

    fn look_for(&mut self, watch: ClusterTime, block: &Block) {
        let at = |entry: &&bson::RawDocument| EntryStamp::read(entry).is_ok_and(|stamp| stamp.at == watch);
        if let Some(entry) = block.documents().find(at) {
            self.known = Some((watch, Digest::of(entry.as_bytes())));
        }
    }
}
