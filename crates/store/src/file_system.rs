//! Objects as files below one folder: `file:///path`. A key is the path of its file, so that an archive can be read,
//! copied and inspected with ordinary tools. All file work runs on tokio's blocking threads, since a disk or an NFS
//! server may stall for seconds.

mod durable;
mod failure;
mod listing;
mod reader;
mod root;
mod staging;
mod writer;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{ErrorKind, Operation, StoreError};
use crate::key::{checked, validate_folder_prefix, validate_key, validate_mutable_key, validate_prefix};
use crate::lock::ObjectLock;
use crate::port::{ByteStream, ListPage, ListedObject, ObjectMeta, ObjectStore, ObjectWriter, Result};
use root::Root;
use staging::StagedFile;

#[derive(Debug, Clone)]
pub struct FileStore {
    root: Arc<Root>,
}

impl FileStore {
    /// Opens an existing folder and leaves it as it is.
    pub fn open(folder: &Path) -> Result<Self> {
        Ok(Self { root: Arc::new(Root::open(folder)?) })
    }

    /// Opens a folder to write to; see [`crate::open_or_create`].
    pub fn open_or_create(folder: &Path) -> Result<Self> {
        Ok(Self { root: Arc::new(Root::open_or_create(folder)?) })
    }

    fn check(&self, verdict: Result<(), &'static str>, operation: Operation, key: &str) -> Result<()> {
        checked(verdict, operation, key, &self.root.location)
    }
}

/// Runs file work on a blocking thread. The work finishes even when the caller is cancelled meanwhile.
async fn blocking<T: Send + 'static>(
    root: &Arc<Root>,
    operation: Operation,
    work: impl FnOnce(&Root) -> Result<T> + Send + 'static,
) -> Result<T> {
    let owned = Arc::clone(root);
    tokio::task::spawn_blocking(move || work(&owned)).await.unwrap_or_else(|error| {
        Err(StoreError::new(ErrorKind::Other, operation, &root.location)
            .with_detail("the blocking task did not complete")
            .with_source(error))
    })
}

#[async_trait]
impl ObjectStore for FileStore {
    fn location(&self) -> &str {
        &self.root.location
    }

    async fn create(&self, key: &str) -> Result<Box<dyn ObjectWriter>> {
        self.check(validate_key(key), Operation::Create, key)?;
        let owned = key.to_owned();
        let staged = blocking(&self.root, Operation::Create, move |root| {
            StagedFile::create(root).map_err(|failure| root.error(Operation::Create, &owned, failure))
        })
        .await?;
        Ok(Box::new(writer::FileWriter::new(Arc::clone(&self.root), key, staged)))
    }

    async fn put_mutable(&self, key: &str, body: Bytes) -> Result<()> {
        self.check(validate_mutable_key(key), Operation::PutMutable, key)?;
        let key = key.to_owned();
        blocking(&self.root, Operation::PutMutable, move |root| {
            let replace = || {
                let mut staged = StagedFile::create(root)?;
                staged.append(&body)?;
                staged.replace(root, &key)
            };
            replace().map_err(|failure| root.error(Operation::PutMutable, &key, failure))
        })
        .await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream> {
        self.check(validate_key(key), Operation::Get, key)?;
        reader::open(&self.root, key, range).await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        self.check(validate_key(key), Operation::Head, key)?;
        let key = key.to_owned();
        blocking(&self.root, Operation::Head, move |root| {
            let found = root.stat(&key).map_err(|failure| root.error(Operation::Head, &key, failure))?;
            if found.is_none() {
                root.require(Operation::Head)?;
            }
            Ok(found)
        })
        .await
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<ListPage> {
        self.check(validate_prefix(prefix), Operation::List, prefix)?;
        let (prefix, start_after) = (prefix.to_owned(), start_after.map(str::to_owned));
        blocking(&self.root, Operation::List, move |root| {
            let failed = |failure| root.error(Operation::List, &prefix, failure);
            let limit = limit.max(1);
            let mut keys = listing::walk(&prefix, start_after.as_deref(), limit.saturating_add(1), |folder| {
                root.read_folder(folder)
            })
            .map_err(failed)?;
            if keys.is_empty() {
                root.require(Operation::List)?;
            }
            let more = keys.len() > limit;
            keys.truncate(limit);
            let next_start_after = if more { keys.last().cloned() } else { None };
            let mut objects = Vec::with_capacity(keys.len());
            for key in keys {
                // An object deleted since the folder was read is left out, as if the listing had begun later.
                if let Some(ObjectMeta { size, modified }) = root.stat(&key).map_err(failed)? {
                    objects.push(ListedObject { key, size, modified });
                }
            }
            Ok(ListPage { objects, next_start_after })
        })
        .await
    }

    async fn list_folders(&self, prefix: &str) -> Result<Vec<String>> {
        self.check(validate_folder_prefix(prefix), Operation::ListFolders, prefix)?;
        let prefix = prefix.to_owned();
        blocking(&self.root, Operation::ListFolders, move |root| {
            let failed = |failure| root.error(Operation::ListFolders, &prefix, failure);
            let mut folders = Vec::new();
            for entry in root.read_folder(&prefix).map_err(failed)?.into_iter().filter(|entry| entry.is_folder) {
                // A killed writer leaves empty folders behind; object stores know none, so they do not count.
                let below = format!("{prefix}{}/", entry.name);
                if !listing::walk(&below, None, 1, |folder| root.read_folder(folder)).map_err(failed)?.is_empty() {
                    folders.push(entry.name);
                }
            }
            if folders.is_empty() {
                root.require(Operation::ListFolders)?;
            }
            folders.sort_unstable();
            Ok(folders)
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.check(validate_key(key), Operation::Delete, key)?;
        let key = key.to_owned();
        blocking(&self.root, Operation::Delete, move |root| {
            if !root.remove(&key).map_err(|failure| root.error(Operation::Delete, &key, failure))? {
                root.require(Operation::Delete)?;
            }
            Ok(())
        })
        .await
    }

    async fn clock(&self) -> Result<Option<jiff::Timestamp>> {
        Ok(None)
    }

    fn lock(&self) -> Option<&dyn ObjectLock> {
        None
    }
}

#[cfg(test)]
mod tests;
