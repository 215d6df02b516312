//! A store with locks, in memory, that does one thing wrong.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use jiff::{SignedDuration, Timestamp};
use store::{
    ByteStream, Created, ErrorKind, ListPage, MemoryStore, ObjectLock, ObjectMeta, ObjectStore, ObjectStoreExt,
    ObjectWriter, Operation, Protection, Result, Retention, RetentionMode, StoreError,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    None,
    IgnoresCreateOnly,
    /// Looks whether the name is free, and writes a moment later.
    RacesWithItself,
    IgnoresCreateOnlyInParts,
    /// An object is listed when the next one has been written.
    ListsLate,
    /// Folders first, as a hierarchy has them.
    ListsByFolder,
    /// A start beside a folder skips the folder.
    LosesNames,
    IgnoresRanges,
    KeepsOldValues,
    KeepsDeleted,
    ForgetsContent,
    Clock(Duration),
    ForgetsLocks,
    PurgesLocked,
    ShortensLocks,
    LocksEverything,
}

type Lock = (RetentionMode, Timestamp);

#[derive(Debug, Clone)]
pub struct Liar {
    lie: Lie,
    inner: MemoryStore,
    locks: std::sync::Arc<Mutex<HashMap<String, Lock>>>,
    last: std::sync::Arc<Mutex<String>>,
}

impl Liar {
    pub fn new(lie: Lie) -> Self {
        Self { lie, inner: MemoryStore::new(), locks: std::sync::Arc::default(), last: std::sync::Arc::default() }
    }

    async fn publish(&self, key: &str, body: Bytes) -> Result<Created> {
        key.clone_into(&mut self.last.lock().unwrap());
        let body = if self.lie == Lie::ForgetsContent { Bytes::new() } else { body };
        let replaces = match self.lie {
            Lie::IgnoresCreateOnly => true,
            Lie::IgnoresCreateOnlyInParts => body.len() > 5 * 1024 * 1024,
            Lie::RacesWithItself if body.len() < 10_000 => {
                let free = self.inner.head(key).await?.is_none();
                tokio::task::yield_now().await;
                free
            }
            _ => false,
        };
        if replaces {
            // Only control objects can be replaced, and all of the proof's are.
            self.inner.put_mutable(key, body).await?;
            return Ok(Created::New);
        }
        self.inner.put_new(key, body).await
    }

    fn refused(&self, operation: Operation, key: &str) -> StoreError {
        StoreError::new(ErrorKind::PermissionDenied, operation, self.inner.location()).with_key(key)
    }
}

#[async_trait]
impl ObjectStore for Liar {
    fn location(&self) -> &str {
        self.inner.location()
    }

    async fn create(&self, key: &str) -> Result<Box<dyn ObjectWriter>> {
        Ok(Box::new(Writer { store: self.clone(), key: key.to_owned(), body: BytesMut::new() }))
    }

    async fn put_mutable(&self, key: &str, body: Bytes) -> Result<()> {
        if self.lie == Lie::KeepsOldValues && self.inner.head(key).await?.is_some() {
            return Ok(());
        }
        self.inner.put_mutable(key, body).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream> {
        self.inner.get(key, range.filter(|_| self.lie != Lie::IgnoresRanges)).await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        self.inner.head(key).await
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<ListPage> {
        let mut page = self.inner.list(prefix, start_after, limit).await?;
        match self.lie {
            Lie::ListsLate => {
                let last = self.last.lock().unwrap().clone();
                page.objects.retain(|object| object.key != last);
            }
            Lie::ListsByFolder => page.objects.sort_by_key(|object| object.key.replace('/', "\u{1}")),
            Lie::LosesNames => {
                let beside = start_after.and_then(|after| after.strip_suffix('-')).map(|name| format!("{name}/"));
                page.objects.retain(|object| beside.as_ref().is_none_or(|folder| !object.key.starts_with(folder)));
            }
            _ => {}
        }
        Ok(page)
    }

    async fn list_folders(&self, prefix: &str) -> Result<Vec<String>> {
        self.inner.list_folders(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        if self.lie == Lie::KeepsDeleted {
            return Ok(());
        }
        self.inner.delete(key).await
    }

    async fn clock(&self) -> Result<Option<Timestamp>> {
        let ahead = match self.lie {
            Lie::Clock(ahead) => SignedDuration::try_from(ahead).unwrap(),
            _ => SignedDuration::ZERO,
        };
        Ok(Some(Timestamp::now() + ahead))
    }

    fn lock(&self) -> Option<&dyn ObjectLock> {
        Some(self)
    }
}

#[async_trait]
impl ObjectLock for Liar {
    fn retention(&self) -> Option<Retention> {
        Some(Retention { mode: RetentionMode::Compliance, days: 30 })
    }

    async fn protection(&self, key: &str) -> Result<Option<Protection>> {
        let mut retained = self.locks.lock().unwrap().get(key).copied();
        if self.lie == Lie::LocksEverything {
            retained = retained.or(Some((RetentionMode::Governance, Timestamp::MAX)));
        }
        Ok(self.inner.head(key).await?.map(|_| Protection { retained, held: false }))
    }

    async fn hold(&self, _: &str, _: bool) -> Result<()> {
        Ok(())
    }

    async fn retain(&self, key: &str, mode: RetentionMode, until: Timestamp) -> Result<()> {
        let mut locks = self.locks.lock().unwrap();
        let shorter = locks.get(key).is_some_and(|(_, kept)| *kept > until);
        if shorter && self.lie != Lie::ShortensLocks {
            return Err(self.refused(Operation::Protect, key));
        }
        locks.insert(key.to_owned(), (mode, until));
        Ok(())
    }

    async fn put_retained(&self, key: &str, body: Bytes, mode: RetentionMode, until: Timestamp) -> Result<Created> {
        let created = self.publish(key, body).await?;
        if self.lie != Lie::ForgetsLocks {
            self.locks.lock().unwrap().insert(key.to_owned(), (mode, until));
        }
        Ok(created)
    }

    async fn purge(&self, key: &str) -> Result<()> {
        let locked = self.locks.lock().unwrap().contains_key(key);
        if locked && self.lie != Lie::PurgesLocked {
            return Err(self.refused(Operation::Purge, key));
        }
        self.inner.delete(key).await
    }
}

struct Writer {
    store: Liar,
    key: String,
    body: BytesMut,
}

#[async_trait]
impl ObjectWriter for Writer {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.body.extend_from_slice(&chunk);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Created> {
        self.store.publish(&self.key, self.body.freeze()).await
    }

    async fn abort(self: Box<Self>) {}
}
