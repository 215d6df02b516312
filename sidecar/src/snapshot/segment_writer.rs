//! Writes one segment: blocks come in, are compressed side by side and leave in order to the store.
//!
//! Runs as a task behind a short queue, so reading the next batch, encoding, compressing and writing overlap and
//! none of them gets far ahead. A writer that is dropped without `finish` leaves nothing behind.

use std::collections::VecDeque;

use archive::framed::{Block, Finished, Totals};
use archive::segment::SegmentHeader;
use store::{Created, ObjectWriter};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::compress::{Compressing, CompressorPool};
use crate::archive_store::ArchiveStore;
use crate::error::{Error, Result};

/// Blocks between encoder and compression.
const QUEUE: usize = 2;
/// Blocks of one segment in compression or waiting for their turn to be written.
const IN_FLIGHT: usize = 3;

enum Piece {
    Block(Block),
    Footer(Vec<u8>),
}

#[derive(Debug)]
pub struct SegmentWriter {
    pieces: mpsc::Sender<Piece>,
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
        let object = archive.create(&header.key(false)).await?;
        let (pieces, received) = mpsc::channel(QUEUE);
        let task = tokio::spawn(write(object, header_frame, received, pool.clone()));
        Ok(Self { pieces, task })
    }

    /// For the encoding thread.
    pub fn blocks(&self) -> BlockSender {
        BlockSender(self.pieces.clone())
    }

    /// Publishes the segment; its size as stored. `None` when its name was taken: then it must be read again.
    pub async fn finish(self, finished: Finished) -> Result<Option<(Totals, u64)>> {
        if let Some(block) = finished.last_block {
            // A writer that has ended says why below.
            self.pieces.send(Piece::Block(block)).await.ok();
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
pub struct BlockSender(mpsc::Sender<Piece>);

impl BlockSender {
    /// From a blocking thread. `false` when the writer has ended.
    pub fn send(&self, block: Block) -> bool {
        self.0.blocking_send(Piece::Block(block)).is_ok()
    }
}

async fn write(
    mut object: Box<dyn ObjectWriter>,
    header_frame: Vec<u8>,
    mut pieces: mpsc::Receiver<Piece>,
    pool: CompressorPool,
) -> Result<Outcome> {
    let mut stored_bytes = header_frame.len() as u64;
    object.write(header_frame.into()).await?;
    let mut in_flight: VecDeque<Compressing> = VecDeque::with_capacity(IN_FLIGHT);
    loop {
        match pieces.recv().await {
            Some(Piece::Block(block)) => {
                if in_flight.len() >= IN_FLIGHT {
                    stored_bytes += write_next(&mut object, &mut in_flight).await?;
                }
                in_flight.push_back(pool.start(block).await?);
            }
            Some(Piece::Footer(footer)) => {
                while !in_flight.is_empty() {
                    stored_bytes += write_next(&mut object, &mut in_flight).await?;
                }
                stored_bytes += footer.len() as u64;
                object.write(footer.into()).await?;
                return Ok(match object.finish().await? {
                    Created::New => Outcome::Published { stored_bytes },
                    Created::AlreadyExists => Outcome::NameTaken,
                });
            }
            None => {
                object.abort().await;
                return Ok(Outcome::Abandoned);
            }
        }
    }
}

async fn write_next(object: &mut Box<dyn ObjectWriter>, in_flight: &mut VecDeque<Compressing>) -> Result<u64> {
    let Some(oldest) = in_flight.pop_front() else { return Ok(0) };
    let compressed = oldest.await.map_err(|error| Error::Internal(error.to_string()))??;
    let bytes = compressed.bytes.len() as u64;
    object.write(compressed.bytes.into()).await?;
    Ok(bytes)
}
