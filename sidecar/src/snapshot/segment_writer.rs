//! Writes one segment: blocks come in, are compressed side by side and leave in order to the store.
//!
//! Runs as a task behind a short queue, so reading the next batch, encoding, compressing and writing overlap and
//! none of them gets far ahead. A writer that is dropped without `finish` leaves nothing behind.

use archive::framed::{Block, Finished, Totals};
use archive::segment::SegmentHeader;
use futures::StreamExt as _;
use futures::stream::FuturesOrdered;
use store::Created;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::compress::{BudgetedBlock, Compressed, Compressing, CompressorPool};
use crate::archive_store::{ArchiveStore, SealedWriter};
use crate::error::{Error, Result};

/// Blocks between encoder and compression.
const QUEUE: usize = 2;
/// Blocks of one segment in compression or waiting for their turn to be written.
const IN_FLIGHT: usize = 3;

enum Piece {
    Block(BudgetedBlock),
    Footer(Vec<u8>),
}

#[derive(Debug)]
pub struct SegmentWriter {
    pieces: mpsc::Sender<Piece>,
    pool: CompressorPool,
    task: JoinHandle<Result<Outcome>>,
}

#[derive(Debug)]
enum Outcome {
    Published { stored_bytes: u64 },
    NameTaken,
    Abandoned,
}

impl SegmentWriter {
    pub async fn begin(
        archive: &ArchiveStore,
        header: &SegmentHeader,
        header_frame: Vec<u8>,
        pool: &CompressorPool,
    ) -> Result<Self> {
        let object = archive.create(&header.key(archive.is_encrypted())).await?;
        let (pieces, received) = mpsc::channel(QUEUE);
        let task = tokio::spawn(write(object, header_frame, received, pool.clone()));
        Ok(Self { pieces, pool: pool.clone(), task })
    }

    /// For the encoding thread.
    pub fn blocks(&self) -> BlockSender {
        BlockSender { pieces: self.pieces.clone(), pool: self.pool.clone() }
    }

    /// Publishes the segment; its size as stored. `None` when its name was taken: then it must be read again.
    pub async fn finish(self, finished: Finished) -> Result<Option<(Totals, u64)>> {
        if let Some(block) = finished.last_block {
            // A writer that has ended says why below.
            self.pieces.send(Piece::Block(self.pool.admit(block).await?)).await.ok();
        }
        self.pieces.send(Piece::Footer(finished.footer)).await.ok();
        match self.end().await? {
            Outcome::Published { stored_bytes } => Ok(Some((finished.totals, stored_bytes))),
            Outcome::NameTaken => Ok(None),
            Outcome::Abandoned => Err(Error::Internal("a segment ended without its footer".to_owned())),
        }
    }

    /// Why the queue was closed.
    pub async fn failure(self) -> Error {
        match self.end().await {
            Err(error) => error,
            Ok(_) => Error::Internal("a segment ended too early".to_owned()),
        }
    }

    async fn end(self) -> Result<Outcome> {
        drop(self.pieces);
        self.task.await.map_err(|error| Error::Internal(error.to_string()))?
    }

    /// Leaves nothing behind.
    pub async fn abort(self) {
        if let Err(error) = self.end().await {
            tracing::debug!(%error, "aborted segment had failed");
        }
    }
}

#[derive(Debug)]
pub struct BlockSender {
    pieces: mpsc::Sender<Piece>,
    pool: CompressorPool,
}

impl BlockSender {
    /// From a blocking thread. `false` when the writer has ended.
    pub fn send(&self, block: Block) -> Result<bool> {
        let block = Handle::current().block_on(self.pool.admit(block))?;
        Ok(self.pieces.blocking_send(Piece::Block(block)).is_ok())
    }
}

async fn write(
    mut object: SealedWriter,
    header_frame: Vec<u8>,
    mut pieces: mpsc::Receiver<Piece>,
    pool: CompressorPool,
) -> Result<Outcome> {
    object.write(header_frame.into()).await?;
    let mut in_flight: FuturesOrdered<Compressing> = FuturesOrdered::new();
    loop {
        tokio::select! {
            // What is compressed leaves at once, whether or not more comes: it holds room that others wait for.
            Some(compressed) = in_flight.next() => write_block(&mut object, compressed).await?,
            piece = pieces.recv(), if in_flight.len() < IN_FLIGHT => match piece {
                Some(Piece::Block(block)) => in_flight.push_back(pool.start(block).await?),
                Some(Piece::Footer(footer)) => {
                    while let Some(compressed) = in_flight.next().await {
                        write_block(&mut object, compressed).await?;
                    }
                    object.write(footer.into()).await?;
                    return Ok(match object.finish().await? {
                        (Created::New, stored_bytes) => Outcome::Published { stored_bytes },
                        (Created::AlreadyExists, _) => Outcome::NameTaken,
                    });
                }
                None => {
                    object.abort().await;
                    return Ok(Outcome::Abandoned);
                }
            },
        }
    }
}

async fn write_block(object: &mut SealedWriter, compressed: Compressed) -> Result<()> {
    let mut compressed = compressed.map_err(|error| Error::Internal(error.to_string()))??;
    object.write(std::mem::take(&mut compressed.bytes).into()).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use archive::lineage::LineageRecord;
    use archive::segment::{self, Order};
    use archive::{CollectionUuid, Namespace};
    use bson::rawdoc;
    use store::MemoryStore;

    use super::*;
    use crate::archive_store::Stores;
    use crate::clock::now_text;

    struct Open {
        encoder: archive::framed::Encoder,
        writer: SegmentWriter,
    }

    async fn begin(archive: &ArchiveStore, pool: &CompressorPool, part: u32) -> Open {
        let header = SegmentHeader {
            lineage: archive.lineage.clone(),
            snapshot: "20260101T000000Z-aaaa".parse().unwrap(),
            uuid: CollectionUuid([7; 16]),
            namespace: Namespace::new("shop", "orders"),
            part,
            order: Order::Natural,
            bounds: None,
        };
        let (encoder, frame) = segment::encoder(&header, 1).unwrap();
        let writer = SegmentWriter::begin(archive, &header, frame, pool).await.unwrap();
        Open { encoder, writer }
    }

    impl Open {
        /// Each document becomes a block when the next one comes.
        async fn push(mut self, bytes: usize) -> Self {
            let document = rawdoc! { "fill": "x".repeat(bytes) };
            if let Some(block) = self.encoder.push(document.as_bytes()).unwrap() {
                let sender = self.writer.blocks();
                assert!(tokio::task::spawn_blocking(move || sender.send(block)).await.unwrap().unwrap());
            }
            self
        }

        async fn finish(self) -> Totals {
            self.writer.finish(segment::finish(self.encoder).unwrap()).await.unwrap().unwrap().0
        }
    }

    #[tokio::test]
    async fn segments_that_share_a_small_budget_do_not_wait_for_each_other_for_ever() {
        let store = Arc::new(MemoryStore::new());
        let stores = Stores { archive: Arc::clone(&store) as _, control: store };
        let record = LineageRecord::new("rs-1".parse().unwrap(), "rs", "1", now_text());
        let archive = ArchiveStore::open(stores, &record, false).await.unwrap();
        let pool = CompressorPool::within(1, 1, 10_000);
        let work = async {
            let mut open = [begin(&archive, &pool, 0).await, begin(&archive, &pool, 1).await];
            // Smaller than the budget, together larger than it, and larger than all of it.
            for bytes in [6_000, 9_000, 300, 50_000, 4_000, 4_000, 70_000, 10] {
                open = {
                    let [one, other] = open;
                    [one.push(bytes).await, other.push(bytes + 500).await]
                };
            }
            let [one, other] = open;
            (one.finish().await.documents, other.finish().await.documents)
        };
        let done = tokio::time::timeout(Duration::from_secs(20), work).await;
        assert_eq!(done.expect("everybody waits for room"), (8, 8));
    }
}
