//! The numbers that say what would be lost now, against what a real replica set and a store show.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use archive::coverage::Coverage;
use archive::layout::ObjectKey;
use archive::{ClusterTime, catalog::StoredSlice};
use bson::doc;
use sidecar::archive_store::ArchiveStore;
use sidecar::archiver::{self, ArchiveWindow, ArchiverSettings};
use sidecar::metrics::Metrics;
use store::delay::DelayStore;
use store::fault::{Fault, FaultStore};
use store::{ErrorKind, MemoryStore, ObjectStore, ObjectStoreExt as _, Operation};
use support::{fill, note, site, until};
use testkit::ReplicaSet;
use tokio_util::sync::CancellationToken;

type Test = Result<()>;

const LIMIT: Duration = Duration::from_secs(30);

/// An archiver in this process, beside a store that a test can spoil.
struct Running {
    window: ArchiveWindow,
    archive: ArchiveStore,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<sidecar::error::Result<()>>,
}

async fn start(set: &ReplicaSet, store: Arc<dyn ObjectStore>, cut: &[(&str, &str)]) -> Result<Running> {
    let (source, archive) = site(set, Arc::clone(&store), store).await?;
    let settings = ArchiverSettings {
        cut: support::config("mongodb://x:1", "file:///x", cut).cut,
        compression_level: 1,
        grace: Duration::from_secs(2),
        for_one_snapshot: false,
        permit: None,
    };
    let stop = CancellationToken::new();
    let (window, task) = archiver::spawn(source, archive.clone(), settings, Metrics::new()?, stop.clone());
    window.clone().wait_started(&stop).await?;
    Ok(Running { window, archive, stop, task })
}

impl Running {
    fn lag(&self) -> Option<f64> {
        self.window.state().lag_seconds()
    }

    fn headroom(&self) -> Option<f64> {
        self.window.state().headroom_seconds()
    }
}

/// By the objects that are there.
async fn stored_through(memory: &MemoryStore, archive: &ArchiveStore) -> Result<Option<ClusterTime>> {
    let objects = memory.list_all(&ObjectKey::slices_prefix(&archive.lineage)).await?;
    let slices = objects.iter().filter_map(|object| match object.key.parse() {
        Ok(ObjectKey::Slice { id, encrypted, .. }) => Some(StoredSlice { id, stored_bytes: object.size, encrypted }),
        _ => None,
    });
    Ok(Coverage::of(&slices.collect::<Vec<_>>(), &[]).archived_through())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_freezes_neither_lag_nor_headroom_and_a_lost_member_makes_headroom_unknown() -> Test {
    // The oplog is truncated up to the last checkpoint.
    let set = ReplicaSet::builder().oplog_mb(8).argument("--syncdelay").argument("1").start().await?;
    let faulty = FaultStore::new(Arc::new(MemoryStore::new()));
    let running = start(&set, Arc::new(faulty.clone()), &[]).await?;
    let mut first = 0;
    until("headroom", LIMIT, async || {
        fill(&set, "shop", "orders", first, 1, 10).await.unwrap();
        first += 1;
        running.headroom().filter(|headroom| *headroom >= 4.0)
    })
    .await?;

    faulty.add(Fault::fail_before(Operation::Finish, ErrorKind::NoSpace).on_key("/oplog/").lasting());
    let mut lags = Vec::new();
    until("the oplog overtakes the archive", LIMIT, async || {
        fill(&set, "shop", "orders", first, 4_000, 500).await.unwrap();
        first += 4_000;
        lags.extend(running.lag());
        tokio::time::sleep(Duration::from_millis(500)).await;
        running.headroom().filter(|headroom| *headroom == 0.0)
    })
    .await?;
    until("lag grows", LIMIT, async || {
        fill(&set, "shop", "orders", first, 1, 10).await.unwrap();
        first += 1;
        running.lag().filter(|lag| *lag > lags[0] + 6.0)
    })
    .await?;

    set.kill(0)?;
    until("headroom is unknown", LIMIT, async || running.headroom().is_none().then_some(())).await?;
    let (lag, at) = (running.lag().unwrap(), Instant::now());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(running.lag().unwrap() - lag >= at.elapsed().as_secs_f64() - 0.5, "{lag} {:?}", running.lag());
    running.stop.cancel();
    running.task.await.unwrap().ok();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lag_is_measured_against_what_is_stored_and_not_against_what_is_read() -> Test {
    let set = ReplicaSet::single().await?;
    let memory = MemoryStore::new();
    // The store proof makes many requests, once; it is not what is slow here.
    site(&set, Arc::new(memory.clone()), Arc::new(memory.clone())).await?;
    // A slice takes several seconds to be stored; meanwhile nothing is read.
    let slow = DelayStore::new(Arc::new(memory.clone()), Duration::from_secs(2));
    let running = start(&set, Arc::new(slow), &[("slice_span", "3s")]).await?;
    let mut worst: f64 = 0.0;
    let mut largest: f64 = 0.0;
    let collection = set.client().database("shop").collection("orders");
    let until = Instant::now() + Duration::from_secs(25);
    while Instant::now() < until {
        collection.insert_one(doc! { "filler": "x" }).await?;
        let newest = note(&set, "now").await?;
        // An object appears a moment before the archiver knows that it does, the next look is up to two seconds away.
        if let (Some(stored), Some(lag)) = (stored_through(&memory, &running.archive).await?, running.lag()) {
            let really = f64::from(newest.seconds - stored.seconds);
            worst = worst.max(really - lag);
            largest = largest.max(really);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(largest >= 8.0, "the store was not slow enough to tell: {largest}");
    assert!(worst <= 4.0, "the archive lacked {worst} s more than the lag says");
    running.stop.cancel();
    running.task.await??;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_has_no_lag() -> Test {
    let set = ReplicaSet::builder().set_parameter("periodicNoopIntervalSecs", "1").start().await?;
    let running = start(&set, Arc::new(MemoryStore::new()), &[("slice_idle", "1h")]).await?;
    let end = note(&set, "the last").await?;
    running.window.clone().wait_archived(end, &running.stop).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(running.lag(), Some(0.0), "only no-ops follow");
    running.stop.cancel();
    running.task.await??;
    Ok(())
}
