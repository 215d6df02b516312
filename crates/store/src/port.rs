//! What upper layers may rely on, whatever the archive is stored on. No method has a default body, so that the
//! compiler makes every decorator forward every one of them.

use std::fmt::Debug;
use std::ops::Range;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};

use crate::error::{ErrorKind, Operation, StoreError};
use crate::lock::ObjectLock;

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Chunks of an object in order. It ends with an error when the object turns out shorter than announced.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// Whether this writer's content is now the object, or the name was taken before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "the object under this name may hold what somebody else wrote"]
pub enum Created {
    New,
    AlreadyExists,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectMeta {
    pub size: u64,
    /// By the clock of the store. For people only: nothing may be decided by comparing it with another clock.
    pub modified: jiff::Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    pub key: String,
    pub size: u64,
    pub modified: jiff::Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListPage {
    /// In byte order of the whole key. May be fewer than the limit, even none, although more follow.
    pub objects: Vec<ListedObject>,
    /// The `start_after` of the next page; absent on the last one.
    pub next_start_after: Option<String>,
}

/// A place where objects are kept under keys (see [`crate::validate_key`]). All methods may be called concurrently
/// from any number of tasks, processes and machines.
#[async_trait]
pub trait ObjectStore: Send + Sync + Debug {
    /// The URL of the store without secrets, for messages.
    fn location(&self) -> &str;

    /// Begins a new object. Nothing is visible under the key before [`ObjectWriter::finish`].
    async fn create(&self, key: &str) -> Result<Box<dyn ObjectWriter>>;

    /// Creates or replaces an object below a `control` folder. Readers see the old content or the new, never a mix;
    /// of concurrent writers one wins. It is no compare-and-swap, so mutual exclusion must not depend on it.
    async fn put_mutable(&self, key: &str, body: Bytes) -> Result<()>;

    /// Streams an object, or the part of `range` that exists: a range that begins at or past the end is empty.
    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream>;

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>>;

    /// One page of the keys that begin with `prefix` and come after `start_after`, recursively. A `limit` of 0 counts
    /// as 1. An object created or deleted meanwhile may be in or out.
    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<ListPage>;

    /// The names (single components, ascending) of the folders right below `prefix`, which is empty or ends with
    /// `/`. A folder exists as long as an object is somewhere below it.
    async fn list_folders(&self, prefix: &str) -> Result<Vec<String>>;

    /// Removes an object; one that is not there counts as removed. A store that keeps versions only hides it.
    async fn delete(&self, key: &str) -> Result<()>;

    /// What time the store has, asked anew; `None` where it has no clock of its own.
    async fn clock(&self) -> Result<Option<jiff::Timestamp>>;

    /// Write-once protection, where this kind of store has it. Whether the location does is seen by [`crate::prove`].
    fn lock(&self) -> Option<&dyn ObjectLock>;
}

/// An object being written. Dropping the writer discards it, as [`ObjectWriter::abort`] does without reporting.
/// After an error the object is discarded too; all that is left is to begin again with [`ObjectStore::create`].
#[async_trait]
pub trait ObjectWriter: Send {
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Publishes the object, unless the name is taken. On return it is durable, whoever wrote it.
    async fn finish(self: Box<Self>) -> Result<Created>;

    async fn abort(self: Box<Self>);
}

/// What is built from the port alone, for every store.
#[async_trait]
pub trait ObjectStoreExt {
    /// Creates an object from bytes in memory.
    async fn put_new(&self, key: &str, body: Bytes) -> Result<Created>;

    /// A whole object, or `None` when there is none. More than `limit` bytes is an error, found before they are held.
    async fn get_bytes(&self, key: &str, limit: usize) -> Result<Option<Bytes>>;

    /// All objects below a prefix; for prefixes that are known to hold few enough.
    async fn list_all(&self, prefix: &str) -> Result<Vec<ListedObject>>;
}

#[async_trait]
impl<S: ObjectStore + ?Sized> ObjectStoreExt for S {
    async fn put_new(&self, key: &str, body: Bytes) -> Result<Created> {
        let mut writer = self.create(key).await?;
        writer.write(body).await?;
        writer.finish().await
    }

    async fn get_bytes(&self, key: &str, limit: usize) -> Result<Option<Bytes>> {
        let mut chunks = match self.get(key, None).await {
            Ok(chunks) => chunks,
            Err(error) if error.kind() == ErrorKind::NotFound && error.key().is_some() => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut body = BytesMut::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            if body.len() + chunk.len() > limit {
                return Err(StoreError::new(ErrorKind::Other, Operation::Read, self.location())
                    .with_key(key)
                    .with_detail(format!("it is larger than the {limit} bytes expected at most")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(body.freeze()))
    }

    async fn list_all(&self, prefix: &str) -> Result<Vec<ListedObject>> {
        let mut objects = Vec::new();
        let mut start_after = None;
        loop {
            let page = self.list(prefix, start_after.as_deref(), 1000).await?;
            objects.extend(page.objects);
            start_after = page.next_start_after;
            if start_after.is_none() {
                return Ok(objects);
            }
        }
    }
}
