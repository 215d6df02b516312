//! Compression on blocking threads, with a limit on how many blocks of the whole process are in work.

use std::sync::{Arc, Mutex, PoisonError};

use archive::framed::{Block, BlockCompressor, CompressedBlock};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

/// Keeps compressors with their working memory for the next block.
#[derive(Clone)]
pub struct CompressorPool {
    level: i32,
    idle: Arc<Mutex<Vec<BlockCompressor>>>,
    permits: Arc<Semaphore>,
}

impl std::fmt::Debug for CompressorPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompressorPool").field("level", &self.level).finish_non_exhaustive()
    }
}

pub type Compressing = JoinHandle<Result<CompressedBlock>>;

impl CompressorPool {
    /// One block for each core, so that reading and writing still find time.
    pub fn new(level: i32) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self { level, idle: Arc::default(), permits: Arc::new(Semaphore::new(cores)) }
    }

    /// Starts to compress as soon as there is room; that is where back-pressure comes from.
    pub async fn start(&self, block: Block) -> Result<Compressing> {
        let permit =
            Arc::clone(&self.permits).acquire_owned().await.map_err(|error| Error::Internal(error.to_string()))?;
        let pool = self.clone();
        Ok(tokio::task::spawn_blocking(move || {
            let idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut compressor = match idle {
                Some(compressor) => compressor,
                None => BlockCompressor::new(pool.level)?,
            };
            let compressed = compressor.compress(&block)?;
            pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(compressor);
            drop(permit);
            Ok(compressed)
        }))
    }
}
