//! Legal holds that several pins share.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use store::{ByteStream, ListPage, ObjectLock, ObjectMeta, ObjectWriter, Protection, Retention, RetentionMode};

use super::*;

/// A store in memory that has legal holds.
#[derive(Debug, Clone)]
struct Holding {
    inner: MemoryStore,
    held: Arc<Mutex<BTreeSet<String>>>,
}

#[async_trait]
impl ObjectStore for Holding {
    fn location(&self) -> &str {
        self.inner.location()
    }

    async fn create(&self, key: &str) -> store::Result<Box<dyn ObjectWriter>> {
        self.inner.create(key).await
    }

    async fn put_mutable(&self, key: &str, body: Bytes) -> store::Result<()> {
        self.inner.put_mutable(key, body).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> store::Result<ByteStream> {
        self.inner.get(key, range).await
    }

    async fn head(&self, key: &str) -> store::Result<Option<ObjectMeta>> {
        self.inner.head(key).await
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> store::Result<ListPage> {
        self.inner.list(prefix, start_after, limit).await
    }

    async fn list_folders(&self, prefix: &str) -> store::Result<Vec<String>> {
        self.inner.list_folders(prefix).await
    }

    async fn delete(&self, key: &str) -> store::Result<()> {
        self.inner.delete(key).await
    }

    async fn clock(&self) -> store::Result<Option<Timestamp>> {
        self.inner.clock().await
    }

    fn lock(&self) -> Option<&dyn ObjectLock> {
        Some(self)
    }
}

#[async_trait]
impl ObjectLock for Holding {
    fn retention(&self) -> Option<Retention> {
        None
    }

    async fn protection(&self, key: &str) -> store::Result<Option<Protection>> {
        Ok(Some(Protection { retained: None, held: self.held.lock().unwrap().contains(key) }))
    }

    async fn hold(&self, key: &str, held: bool) -> store::Result<()> {
        let mut keys = self.held.lock().unwrap();
        if held {
            keys.insert(key.to_owned())
        } else {
            keys.remove(key)
        };
        Ok(())
    }

    async fn retain(&self, _: &str, _: RetentionMode, _: Timestamp) -> store::Result<()> {
        Ok(())
    }

    async fn put_retained(&self, key: &str, body: Bytes, _: RetentionMode, _: Timestamp) -> store::Result<Created> {
        self.inner.put_new(key, body).await
    }

    async fn purge(&self, key: &str) -> store::Result<()> {
        self.inner.delete(key).await
    }
}

async fn place() -> (Place, ArchiveReader, Holding) {
    let place = Place::new().await;
    let holding = Holding { inner: place.memory.clone(), held: Arc::default() };
    let reader = ArchiveReader::open(Arc::new(holding.clone())).await.unwrap();
    (place, reader, holding)
}

fn held(id: &str, keeps: Pinned) -> Pin {
    let mut pin = Pin::new(id, keeps, "", NOW);
    pin.legal_hold = true;
    pin
}

fn snapshot(id: &str) -> Pinned {
    Pinned::Snapshot(id.parse().unwrap())
}

#[tokio::test]
async fn a_hold_that_another_pin_needs_stays_also_when_that_pin_can_no_longer_be_made_out() {
    // A pin over moments of which a slice is gone cannot be resolved any more; what is left of it is worth the more.
    let (place, reader, holding) = place().await;
    let moments = Pinned::Moments { from: at(20), through: at(45) };
    reader.pin(&place.lineage, &held("moments", moments)).await.unwrap();
    reader.pin(&place.lineage, &held("new", snapshot(NEW))).await.unwrap();
    let before = holding.held.lock().unwrap().clone();
    let slices: Vec<String> = before.iter().filter(|key| key.contains("/oplog/")).cloned().collect();
    let gone = &slices[1];
    place.memory.delete(gone).await.unwrap();
    reader.unpin(&place.lineage, "new").await.unwrap().unwrap();
    let after = holding.held.lock().unwrap().clone();
    let lost: Vec<&String> = slices.iter().filter(|key| !after.contains(*key) && *key != gone).collect();
    assert!(lost.is_empty(), "holds of the other pin were lifted: {lost:?}");
}

#[tokio::test]
async fn a_hold_is_not_lifted_while_another_pin_cannot_be_read() {
    let (place, reader, holding) = place().await;
    reader.pin(&place.lineage, &held("one", snapshot(OLD))).await.unwrap();
    reader.pin(&place.lineage, &held("two", snapshot(OLD))).await.unwrap();
    let before = holding.held.lock().unwrap().clone();
    place.memory.put_mutable("rs0-a/control/pins/two.json", Bytes::from_static(b"{")).await.unwrap();
    let refused = reader.unpin(&place.lineage, "one").await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Integrity, "{refused}");
    assert_eq!(*holding.held.lock().unwrap(), before);
    // The one that cannot be read goes first, by its name.
    reader.unpin(&place.lineage, "two").await.unwrap().unwrap();
    reader.unpin(&place.lineage, "one").await.unwrap().unwrap();
    assert!(holding.held.lock().unwrap().is_empty());
}

/// Replacing a pin must not make its holds forgotten: nobody would ever lift them.
#[tokio::test]
async fn a_pin_that_is_set_again_still_knows_of_its_holds() {
    let (place, reader, holding) = place().await;
    reader.pin(&place.lineage, &held("one", snapshot(OLD))).await.unwrap();
    reader.pin(&place.lineage, &Pin::new("one", snapshot(OLD), "another reason", NOW)).await.unwrap();
    assert!(!holding.held.lock().unwrap().is_empty());
    reader.unpin(&place.lineage, "one").await.unwrap().unwrap();
    assert!(holding.held.lock().unwrap().is_empty());
}

/// Of two snapshots before the pinned moments only one can be restored; that one has to be held.
#[tokio::test]
async fn the_snapshot_that_is_held_for_moments_is_one_that_can_be_restored() {
    let (place, reader, holding) = place().await;
    let uncovered = "20260101T120000Z-eeee";
    place.snapshot_since(uncovered, ClusterTime::new(at(0).seconds - 100, 1), at(25)).await;
    let moments = Pinned::Moments { from: at(28), through: at(45) };
    reader.pin(&place.lineage, &held("moments", moments)).await.unwrap();
    let held = holding.held.lock().unwrap().clone();
    assert!(held.iter().any(|key| key.contains(OLD)), "{held:?}");
    assert!(!held.iter().any(|key| key.contains(uncovered)), "{held:?}");
}
