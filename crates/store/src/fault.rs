//! A store that fails on purpose: scripted errors before or after the effect, cut and damaged reads. Wraps any store;
//! for the tests of everything that must survive what real stores do.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};

use crate::error::{ErrorKind, Operation, StoreError};
use crate::lock::ObjectLock;
use crate::port::{ByteStream, Created, ListPage, ObjectMeta, ObjectStore, ObjectWriter, Result};

/// One entry of the script. As made it strikes once, at the first matching call, whatever the key.
#[derive(Debug, Clone)]
pub struct Fault {
    operation: Operation,
    effect: Effect,
    key_part: String,
    nth: u64,
    lasting: bool,
    matched: u64,
}

#[derive(Debug, Clone, Copy)]
enum Effect {
    FailBefore(ErrorKind),
    FailAfter(ErrorKind),
    Truncate { length: u64 },
    FlipByte { offset: u64 },
}

impl Fault {
    /// The call has no effect and fails: the request was lost.
    pub fn fail_before(operation: Operation, kind: ErrorKind) -> Self {
        Self::new(operation, Effect::FailBefore(kind))
    }

    /// The call has its effect and fails all the same: the reply was lost.
    pub fn fail_after(operation: Operation, kind: ErrorKind) -> Self {
        Self::new(operation, Effect::FailAfter(kind))
    }

    /// A read ends without an error before byte `length` of the object, as if the object were that short.
    pub fn truncate_read(length: u64) -> Self {
        Self::new(Operation::Get, Effect::Truncate { length })
    }

    /// A read shows the byte at `offset` of the object with all its bits inverted.
    pub fn flip_byte(offset: u64) -> Self {
        Self::new(Operation::Get, Effect::FlipByte { offset })
    }

    fn new(operation: Operation, effect: Effect) -> Self {
        Self { operation, effect, key_part: String::new(), nth: 1, lasting: false, matched: 0 }
    }

    /// Only calls whose key (or prefix) contains this count and are struck.
    #[must_use]
    pub fn on_key(mut self, part: &str) -> Self {
        part.clone_into(&mut self.key_part);
        self
    }

    /// Strikes at the n-th matching call, counted from 1 and from when the fault was added.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = nth;
        self
    }

    /// Strikes at every matching call from the n-th on: an outage.
    #[must_use]
    pub fn lasting(mut self) -> Self {
        self.lasting = true;
        self
    }

    fn strikes(&mut self, operation: Operation, key: &str) -> bool {
        if self.operation != operation || !key.contains(&self.key_part) {
            return false;
        }
        self.matched += 1;
        self.matched == self.nth || (self.lasting && self.matched > self.nth)
    }
}

#[derive(Debug, Default)]
struct Script {
    faults: Vec<Fault>,
    calls: HashMap<Operation, u64>,
}

/// Clones share the script, so a test keeps one to add faults to and hands the other to the code under test.
#[derive(Debug, Clone)]
pub struct FaultStore {
    inner: Arc<dyn ObjectStore>,
    script: Arc<Mutex<Script>>,
}

impl FaultStore {
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, script: Arc::default() }
    }

    pub fn add(&self, fault: Fault) {
        self.script().faults.push(fault);
    }

    /// Ends all outages.
    pub fn clear(&self) {
        self.script().faults.clear();
    }

    /// How many calls there were, the failed ones included.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.script().calls.get(&operation).copied().unwrap_or_default()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn strike(&self, operation: Operation, key: &str) -> Struck {
        let mut script = self.script();
        *script.calls.entry(operation).or_default() += 1;
        let mut effects = Vec::new();
        for fault in &mut script.faults {
            if fault.strikes(operation, key) {
                effects.push(fault.effect);
            }
        }
        Struck { operation, key: key.to_owned(), location: self.inner.location().to_owned(), effects }
    }
}

/// What the script has for one call.
struct Struck {
    operation: Operation,
    key: String,
    location: String,
    effects: Vec<Effect>,
}

impl Struck {
    fn before(&self) -> Result<()> {
        self.fail(|effect| match effect {
            Effect::FailBefore(kind) => Some(kind),
            _ => None,
        })
    }

    fn after<T>(&self, result: Result<T>) -> Result<T> {
        let result = result?;
        self.fail(|effect| match effect {
            Effect::FailAfter(kind) => Some(kind),
            _ => None,
        })?;
        Ok(result)
    }

    fn fail(&self, kind_of: impl Fn(Effect) -> Option<ErrorKind>) -> Result<()> {
        match self.effects.iter().find_map(|effect| kind_of(*effect)) {
            Some(kind) => Err(StoreError::new(kind, self.operation, &self.location)
                .with_key(&self.key)
                .with_detail("injected by a test")),
            None => Ok(()),
        }
    }

    /// Damages a chunk that begins at `position` of the object. `None`: the stream ends here.
    fn damage(&self, position: u64, chunk: Bytes) -> Option<Bytes> {
        let mut chunk = chunk;
        for effect in &self.effects {
            match *effect {
                Effect::Truncate { length } => {
                    let keep = usize::try_from(length.saturating_sub(position)).unwrap_or(usize::MAX);
                    chunk.truncate(keep);
                }
                Effect::FlipByte { offset } => {
                    let index = offset.checked_sub(position).and_then(|index| usize::try_from(index).ok());
                    if let Some(index) = index.filter(|index| *index < chunk.len()) {
                        let mut bytes = chunk.to_vec();
                        bytes[index] ^= 0xff;
                        chunk = bytes.into();
                    }
                }
                Effect::FailBefore(_) | Effect::FailAfter(_) => {}
            }
        }
        (!chunk.is_empty()).then_some(chunk)
    }
}

#[async_trait]
impl ObjectStore for FaultStore {
    fn location(&self) -> &str {
        self.inner.location()
    }

    async fn create(&self, key: &str) -> Result<Box<dyn ObjectWriter>> {
        let struck = self.strike(Operation::Create, key);
        struck.before()?;
        let inner = struck.after(self.inner.create(key).await)?;
        Ok(Box::new(FaultWriter { store: self.clone(), key: key.to_owned(), inner }))
    }

    async fn put_mutable(&self, key: &str, body: Bytes) -> Result<()> {
        let struck = self.strike(Operation::PutMutable, key);
        struck.before()?;
        struck.after(self.inner.put_mutable(key, body).await)
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream> {
        let struck = self.strike(Operation::Get, key);
        struck.before()?;
        let position = range.as_ref().map_or(0, |range| range.start);
        let inner = struck.after(self.inner.get(key, range).await)?;
        let state = (self.clone(), struck, inner, position);
        Ok(Box::pin(stream::try_unfold(state, |(store, struck, mut inner, position)| async move {
            let read = store.strike(Operation::Read, &struck.key);
            read.before()?;
            let Some(chunk) = inner.next().await else { return Ok(None) };
            let chunk = read.after(chunk)?;
            let next = position + chunk.len() as u64;
            Ok(struck.damage(position, chunk).map(|chunk| (chunk, (store, struck, inner, next))))
        })))
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        let struck = self.strike(Operation::Head, key);
        struck.before()?;
        struck.after(self.inner.head(key).await)
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<ListPage> {
        let struck = self.strike(Operation::List, prefix);
        struck.before()?;
        struck.after(self.inner.list(prefix, start_after, limit).await)
    }

    async fn list_folders(&self, prefix: &str) -> Result<Vec<String>> {
        let struck = self.strike(Operation::ListFolders, prefix);
        struck.before()?;
        struck.after(self.inner.list_folders(prefix).await)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let struck = self.strike(Operation::Delete, key);
        struck.before()?;
        struck.after(self.inner.delete(key).await)
    }

    async fn clock(&self) -> Result<Option<jiff::Timestamp>> {
        let struck = self.strike(Operation::Clock, "");
        struck.before()?;
        struck.after(self.inner.clock().await)
    }

    fn lock(&self) -> Option<&dyn ObjectLock> {
        self.inner.lock()
    }
}

struct FaultWriter {
    store: FaultStore,
    key: String,
    inner: Box<dyn ObjectWriter>,
}

#[async_trait]
impl ObjectWriter for FaultWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let struck = self.store.strike(Operation::Write, &self.key);
        struck.before()?;
        struck.after(self.inner.write(chunk).await)
    }

    async fn finish(self: Box<Self>) -> Result<Created> {
        let struck = self.store.strike(Operation::Finish, &self.key);
        struck.before()?;
        struck.after(self.inner.finish().await)
    }

    async fn abort(self: Box<Self>) {
        self.inner.abort().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;
    use crate::port::ObjectStoreExt;

    fn faulty() -> (FaultStore, MemoryStore) {
        let memory = MemoryStore::new();
        (FaultStore::new(Arc::new(memory.clone())), memory)
    }

    #[tokio::test]
    async fn a_lost_reply_leaves_the_object_and_a_lost_request_does_not() {
        let (store, memory) = faulty();
        store.add(Fault::fail_after(Operation::Finish, ErrorKind::Unreachable).on_key("after"));
        store.add(Fault::fail_before(Operation::Finish, ErrorKind::NoSpace).on_key("before"));
        let error = store.put_new("after", Bytes::new()).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unreachable, true));
        assert_eq!(store.put_new("after", Bytes::new()).await.unwrap(), Created::AlreadyExists);
        assert_eq!(store.put_new("before", Bytes::new()).await.unwrap_err().kind(), ErrorKind::NoSpace);
        assert!(memory.head("after").await.unwrap().is_some());
        assert!(memory.head("before").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn the_nth_matching_call_fails_and_an_outage_lasts_until_cleared() {
        let (store, _) = faulty();
        store.add(Fault::fail_before(Operation::Head, ErrorKind::Other).on_key("x").nth(2));
        store.add(Fault::fail_before(Operation::Delete, ErrorKind::Unreachable).nth(2).lasting());
        assert!(store.head("x").await.is_ok());
        assert!(store.head("y").await.is_ok(), "another key does not count");
        assert!(store.head("x").await.is_err());
        assert!(store.head("x").await.is_ok());
        assert_eq!(store.calls(Operation::Head), 4);
        assert!(store.delete("a").await.is_ok());
        assert!(store.delete("a").await.is_err());
        assert!(store.delete("a").await.is_err());
        store.clear();
        assert!(store.delete("a").await.is_ok());
    }

    #[tokio::test]
    async fn every_operation_can_be_struck() {
        let body = || Bytes::from_static(b"x");
        for operation in [
            Operation::Create,
            Operation::Write,
            Operation::Finish,
            Operation::PutMutable,
            Operation::Get,
            Operation::Read,
            Operation::Head,
            Operation::List,
            Operation::ListFolders,
            Operation::Delete,
        ] {
            let (store, _) = faulty();
            store.add(Fault::fail_before(operation, ErrorKind::Unreachable));
            let outcomes = [
                store.put_new("a", body()).await.map(|_| ()),
                store.put_mutable("control/a", body()).await,
                store.get_bytes("control/a", 9).await.map(|_| ()),
                store.head("a").await.map(|_| ()),
                store.list("", None, 1).await.map(|_| ()),
                store.list_folders("").await.map(|_| ()),
                store.delete("a").await,
            ];
            // Without the object there is nothing to read; the put itself failed then.
            let failed: Vec<_> = outcomes.into_iter().filter_map(Result::err).map(|e| e.operation()).collect();
            assert_eq!(failed, [operation]);
        }
    }

    #[tokio::test]
    async fn reads_are_cut_and_damaged_at_offsets_of_the_object() {
        let (store, memory) = faulty();
        assert_eq!(memory.put_new("a", "0123456789".into()).await.unwrap(), Created::New);
        store.add(Fault::flip_byte(4));
        store.add(Fault::truncate_read(6).lasting());
        let mut expected = b"012345".to_vec();
        expected[4] ^= 0xff;
        assert_eq!(store.get_bytes("a", 99).await.unwrap().unwrap(), expected);
        let chunks: Vec<_> = store.get("a", Some(3..9)).await.unwrap().map(Result::unwrap).collect().await;
        assert_eq!(chunks.concat(), b"345", "the flip struck once, the cut lasts");
        assert_eq!(memory.get_bytes("a", 99).await.unwrap().unwrap(), "0123456789");
    }
}
