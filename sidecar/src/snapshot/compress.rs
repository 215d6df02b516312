//! Compression on blocking threads, with limits on how many blocks of the snapshot are in work and how many bytes are on
//! their way from the scans to the store.
//!
//! A document is a block of its own when it is large, so blocks are counted in bytes: one that alone is larger than the
//! budget gets all of it, and large ones go one after the other.

use std::sync::{Arc, Mutex, PoisonError};

use archive::framed::{Block, BlockCompressor, CompressedBlock, DEFAULT_BLOCK_BYTES};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinHandle};

use crate::error::{Error, Result};

/// Keeps compressors with their working memory for the next block.
#[derive(Clone)]
pub struct CompressorPool {
    level: i32,
    idle: Arc<Mutex<Vec<BlockCompressor>>>,
    permits: Arc<Semaphore>,
    budget: Arc<Semaphore>,
    budget_bytes: u32,
}

impl std::fmt::Debug for CompressorPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompressorPool").field("level", &self.level).finish_non_exhaustive()
    }
}

/// A block with its room in the budget, until it is written.
#[derive(Debug)]
pub struct BudgetedBlock {
    block: Block,
    room: OwnedSemaphorePermit,
}

/// As it will be written.
#[derive(Debug)]
pub struct WrittenSoon {
    pub bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

pub type Compressing = JoinHandle<Result<WrittenSoon>>;
/// What it ends with.
pub type Compressed = std::result::Result<Result<WrittenSoon>, JoinError>;

impl CompressorPool {
    /// One block for each core, so that reading and writing still find time; for each core and each scan, another one on
    /// either side of it.
    pub fn new(level: i32, parallelism: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let blocks = cores.saturating_add(parallelism).saturating_mul(2);
        Self::within(level, cores, u32::try_from(blocks.saturating_mul(DEFAULT_BLOCK_BYTES)).unwrap_or(u32::MAX))
    }

    pub(super) fn within(level: i32, threads: usize, budget_bytes: u32) -> Self {
        let budget = Arc::new(Semaphore::new(budget_bytes as usize));
        Self { level, idle: Arc::default(), permits: Arc::new(Semaphore::new(threads)), budget, budget_bytes }
    }

    /// Waits until there is room for the block.
    pub async fn admit(&self, block: Block) -> Result<BudgetedBlock> {
        let bytes = u32::try_from(block.bytes().len()).unwrap_or(u32::MAX).min(self.budget_bytes);
        let room = Arc::clone(&self.budget).acquire_many_owned(bytes).await;
        Ok(BudgetedBlock { block, room: room.map_err(|error| Error::Internal(error.to_string()))? })
    }

    /// Starts to compress as soon as there is room; that is where back-pressure comes from.
    pub async fn start(&self, block: BudgetedBlock) -> Result<Compressing> {
        let permit =
            Arc::clone(&self.permits).acquire_owned().await.map_err(|error| Error::Internal(error.to_string()))?;
        let pool = self.clone();
        Ok(tokio::task::spawn_blocking(move || {
            let idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut compressor = match idle {
                Some(compressor) => compressor,
                None => BlockCompressor::new(pool.level)?,
            };
            let BudgetedBlock { block, mut room } = block;
            let CompressedBlock { bytes, .. } = compressor.compress(&block)?;
            drop(block);
            drop(room.split(room.num_permits().saturating_sub(bytes.len())));
            pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(compressor);
            drop(permit);
            Ok(WrittenSoon { bytes, _room: room })
        }))
    }
}
