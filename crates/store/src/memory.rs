//! A store in memory with the semantics of the others, for tests of upper layers. Clones share their content.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream;

use crate::error::{ErrorKind, Operation, StoreError};
use crate::key::{checked, validate_folder_prefix, validate_key, validate_mutable_key, validate_prefix};
use crate::lock::ObjectLock;
use crate::port::{ByteStream, Created, ListPage, ListedObject, ObjectMeta, ObjectStore, ObjectWriter, Result};

const LOCATION: &str = "memory:";
const CHUNK_BYTES: usize = 256 * 1024;

#[derive(Debug, Clone)]
struct Object {
    body: Bytes,
    modified: jiff::Timestamp,
}

#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    objects: Arc<Mutex<BTreeMap<String, Object>>>,
}

impl MemoryStore {
    pub fn new() -> Self {
        Self::default()
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Object>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn object(&self, operation: Operation, key: &str) -> Result<Option<Object>> {
        checked(validate_key(key), operation, key, LOCATION)?;
        Ok(self.objects().get(key).cloned())
    }

    fn insert(&self, operation: Operation, key: &str, body: Bytes, overwrite: bool) -> Result<Created> {
        let mut objects = self.objects();
        // As on a file system, so that upper layers learn of it in their tests.
        let is_below_object = key.match_indices('/').any(|(slash, _)| objects.contains_key(&key[..slash]));
        let is_folder = first_with_prefix(&objects, &format!("{key}/")).is_some();
        if is_below_object || is_folder {
            let why = "an object and a folder cannot have the same name";
            return Err(StoreError::new(ErrorKind::InvalidKey, operation, LOCATION).with_key(key).with_detail(why));
        }
        if !overwrite && objects.contains_key(key) {
            return Ok(Created::AlreadyExists);
        }
        objects.insert(key.to_owned(), Object { body, modified: jiff::Timestamp::now() });
        Ok(Created::New)
    }
}

fn first_with_prefix<'a>(objects: &'a BTreeMap<String, Object>, prefix: &str) -> Option<&'a str> {
    let first = objects.range::<str, _>((Bound::Included(prefix), Bound::Unbounded)).next();
    first.map(|(key, _)| key.as_str()).filter(|key| key.starts_with(prefix))
}

#[async_trait]
impl ObjectStore for MemoryStore {
    fn location(&self) -> &str {
        LOCATION
    }

    async fn create(&self, key: &str) -> Result<Box<dyn ObjectWriter>> {
        checked(validate_key(key), Operation::Create, key, LOCATION)?;
        Ok(Box::new(MemoryWriter { store: self.clone(), key: key.to_owned(), body: BytesMut::new() }))
    }

    async fn put_mutable(&self, key: &str, body: Bytes) -> Result<()> {
        checked(validate_mutable_key(key), Operation::PutMutable, key, LOCATION)?;
        self.insert(Operation::PutMutable, key, body, true).map(|_| ())
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream> {
        let Some(Object { body, .. }) = self.object(Operation::Get, key)? else {
            return Err(StoreError::new(ErrorKind::NotFound, Operation::Get, LOCATION).with_key(key));
        };
        let bound = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
        let range = range.map_or(0..body.len(), |range| bound(range.start)..bound(range.end));
        let rest = if range.start < range.end { body.slice(range) } else { Bytes::new() };
        Ok(Box::pin(stream::unfold(rest, |mut rest| async move {
            let length = rest.len().min(CHUNK_BYTES);
            (length > 0).then(|| (Ok(rest.split_to(length)), rest))
        })))
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        let meta = |Object { body, modified }: Object| ObjectMeta { size: body.len() as u64, modified };
        Ok(self.object(Operation::Head, key)?.map(meta))
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<ListPage> {
        checked(validate_prefix(prefix), Operation::List, prefix, LOCATION)?;
        let limit = limit.max(1);
        let objects = self.objects();
        let start = match start_after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let mut found: Vec<ListedObject> = objects
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit.saturating_add(1))
            .map(|(key, object)| ListedObject {
                key: key.clone(),
                size: object.body.len() as u64,
                modified: object.modified,
            })
            .collect();
        let more = found.len() > limit;
        found.truncate(limit);
        let next_start_after = found.last().filter(|_| more).map(|object| object.key.clone());
        Ok(ListPage { objects: found, next_start_after })
    }

    async fn list_folders(&self, prefix: &str) -> Result<Vec<String>> {
        checked(validate_folder_prefix(prefix), Operation::ListFolders, prefix, LOCATION)?;
        let objects = self.objects();
        let below = objects.keys().filter_map(|key| key.strip_prefix(prefix)?.split_once('/'));
        let mut folders: Vec<String> = below.map(|(folder, _)| folder.to_owned()).collect();
        folders.sort_unstable();
        folders.dedup();
        Ok(folders)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        checked(validate_key(key), Operation::Delete, key, LOCATION)?;
        self.objects().remove(key);
        Ok(())
    }

    async fn clock(&self) -> Result<Option<jiff::Timestamp>> {
        Ok(None)
    }

    fn lock(&self) -> Option<&dyn ObjectLock> {
        None
    }
}

struct MemoryWriter {
    store: MemoryStore,
    key: String,
    body: BytesMut,
}

#[async_trait]
impl ObjectWriter for MemoryWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.body.extend_from_slice(&chunk);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Created> {
        let Self { store, key, body } = *self;
        store.insert(Operation::Finish, &key, body.freeze(), false)
    }

    async fn abort(self: Box<Self>) {}
}
