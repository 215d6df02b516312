//! A drill's private view of the archive: it can change nothing, remembers what was read, and may show one bit wrong.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use store::{
    ByteStream, ErrorKind, ListPage, ObjectLock, ObjectMeta, ObjectStore, ObjectWriter, Operation, Result, StoreError,
};

/// The wrong bit: of one object, counted from its first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlippedBit {
    pub key: String,
    pub bit: u64,
}

/// Clones share what was read.
#[derive(Debug, Clone)]
pub struct Overlay {
    inner: Arc<dyn ObjectStore>,
    flipped: Option<FlippedBit>,
    read: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Overlay {
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, flipped: None, read: Arc::default() }
    }

    /// The stored object stays as it is; only readers of this view see it otherwise.
    pub fn with_flipped_bit(inner: Arc<dyn ObjectStore>, flipped: FlippedBit) -> Self {
        Self { flipped: Some(flipped), ..Self::new(inner) }
    }

    /// Objects that were read, with the bytes of the longest reading.
    pub fn read(&self) -> BTreeMap<String, u64> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, key: &str, bytes: u64) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let known = read.entry(key.to_owned()).or_default();
        *known = bytes.max(*known);
    }

    fn refuse(&self, operation: Operation, key: &str) -> StoreError {
        StoreError::new(ErrorKind::PermissionDenied, operation, self.location())
            .with_key(key)
            .with_detail("a drill reads the archive and changes nothing in it".to_owned())
    }

    fn shown(&self, key: &str, position: u64, chunk: Bytes) -> Bytes {
        let Some(flipped) = self.flipped.as_ref().filter(|flipped| flipped.key == key) else { return chunk };
        let offset = (flipped.bit / 8).checked_sub(position).and_then(|offset| usize::try_from(offset).ok());
        let Some(offset) = offset.filter(|offset| *offset < chunk.len()) else { return chunk };
        let mut changed = chunk.to_vec();
        changed[offset] ^= 1 << (flipped.bit % 8);
        changed.into()
    }
}

#[async_trait]
impl ObjectStore for Overlay {
    fn location(&self) -> &str {
        self.inner.location()
    }

    async fn create(&self, key: &str) -> Result<Box<dyn ObjectWriter>> {
        Err(self.refuse(Operation::Create, key))
    }

    async fn put_mutable(&self, key: &str, _: Bytes) -> Result<()> {
        Err(self.refuse(Operation::PutMutable, key))
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream> {
        let start = range.as_ref().map_or(0, |range| range.start);
        let inner = self.inner.get(key, range).await?;
        let state = (self.clone(), key.to_owned(), inner, start);
        Ok(Box::pin(stream::try_unfold(state, move |(overlay, key, mut inner, position)| async move {
            let Some(chunk) = inner.next().await.transpose()? else { return Ok(None) };
            let next = position + chunk.len() as u64;
            overlay.note(&key, next - start);
            let chunk = overlay.shown(&key, position, chunk);
            Ok(Some((chunk, (overlay, key, inner, next))))
        })))
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        self.inner.head(key).await
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<ListPage> {
        self.inner.list(prefix, start_after, limit).await
    }

    async fn list_folders(&self, prefix: &str) -> Result<Vec<String>> {
        self.inner.list_folders(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        Err(self.refuse(Operation::Delete, key))
    }

    async fn clock(&self) -> Result<Option<jiff::Timestamp>> {
        self.inner.clock().await
    }

    fn lock(&self) -> Option<&dyn ObjectLock> {
        // What it offers would change objects.
        None
    }
}

#[cfg(test)]
mod tests {
    use store::{Created, MemoryStore, ObjectStoreExt as _};

    use super::*;

    #[tokio::test]
    async fn one_bit_is_shown_wrong_whole_or_in_ranges_and_the_object_stays_as_it_is() {
        let memory = MemoryStore::new();
        let body: Vec<u8> = (0..100).collect();
        for key in ["a/one", "a/two"] {
            assert_eq!(memory.put_new(key, body.clone().into()).await.unwrap(), Created::New);
        }
        let flipped = FlippedBit { key: "a/one".to_owned(), bit: 8 * 50 + 3 };
        let overlay = Overlay::with_flipped_bit(Arc::new(memory.clone()), flipped);
        let mut wrong = body.clone();
        wrong[50] ^= 8;
        assert_eq!(overlay.get_bytes("a/one", 1_000).await.unwrap().unwrap(), wrong);
        assert_eq!(overlay.get_bytes("a/two", 1_000).await.unwrap().unwrap(), body);
        let mut part = overlay.get("a/one", Some(40..60)).await.unwrap();
        assert_eq!(part.next().await.unwrap().unwrap(), wrong[40..60]);
        assert_eq!(overlay.read(), BTreeMap::from([("a/one".to_owned(), 100), ("a/two".to_owned(), 100)]));
        assert_eq!(memory.get_bytes("a/one", 1_000).await.unwrap().unwrap(), body);
        for refused in
            [overlay.delete("a/one").await.err(), overlay.put_mutable("a/control/x", Bytes::new()).await.err()]
        {
            assert_eq!(refused.unwrap().kind(), ErrorKind::PermissionDenied);
        }
        assert!(overlay.create("a/three").await.is_err());
    }
}
