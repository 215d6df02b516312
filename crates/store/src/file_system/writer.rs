//! The streaming writer of the file backend.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::blocking;
use super::root::Root;
use super::staging::StagedFile;
use crate::error::{ErrorKind, Operation, StoreError};
use crate::port::{Created, ObjectWriter, Result};

/// Small writes are gathered, because each trip to a blocking thread costs more than copying a few KiB.
const GATHER_BYTES: usize = 256 * 1024;

pub(super) struct FileWriter {
    root: Arc<Root>,
    key: String,
    /// Gone after an error, and while a call that was cancelled half-way still has it.
    staged: Option<StagedFile>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
}

impl FileWriter {
    pub fn new(root: Arc<Root>, key: &str, staged: StagedFile) -> Self {
        Self { root, key: key.to_owned(), staged: Some(staged), gathered: Vec::new(), gathered_bytes: 0 }
    }

    fn take_staged(&mut self, operation: Operation) -> Result<StagedFile> {
        self.staged.take().ok_or_else(|| {
            StoreError::new(ErrorKind::Other, operation, &self.root.location)
                .with_key(&self.key)
                .with_detail("an earlier write of this object failed or was cancelled, so it was discarded")
        })
    }
}

#[async_trait]
impl ObjectWriter for FileWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.gathered_bytes += chunk.len();
        self.gathered.push(chunk);
        if self.gathered_bytes < GATHER_BYTES && self.staged.is_some() {
            return Ok(());
        }
        let mut staged = self.take_staged(Operation::Write)?;
        let chunks = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        let key = self.key.clone();
        let staged = blocking(&self.root, Operation::Write, move |root| {
            chunks
                .iter()
                .try_for_each(|chunk| staged.append(chunk))
                .map_err(|failure| root.error(Operation::Write, &key, failure))?;
            Ok(staged)
        })
        .await?;
        self.staged = Some(staged);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Created> {
        let mut staged = self.take_staged(Operation::Finish)?;
        let Self { root, key, gathered, .. } = *self;
        blocking(&root, Operation::Finish, move |root| {
            gathered
                .iter()
                .try_for_each(|chunk| staged.append(chunk))
                .and_then(|()| staged.publish(root, &key))
                .map_err(|failure| root.error(Operation::Finish, &key, failure))
        })
        .await
    }

    async fn abort(mut self: Box<Self>) {
        let Some(staged) = self.staged.take() else { return };
        // Removing a large file takes a while; failing to is reported by the drop itself.
        drop(tokio::task::spawn_blocking(move || drop(staged)).await);
    }
}
