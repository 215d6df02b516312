//! Takes a snapshot: every protected collection, consistent from `end` on once `(begin, end]` is replayed.
//!
//! `begin` is read first and every later read happens at or after it, so nothing between can be missed; the archiver
//! follows the oplog from before `begin`; the manifest is published last, when slices cover the window. An attempt that
//! is interrupted in any way leaves marks, and the next one goes on from them under the same id as long as the oplog
//! since `begin` is in the archive without a break.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use archive::collection_page::{CollectionRecord, ScanOutcome};
use archive::manifest::SnapshotManifest;
use archive::{ClusterTime, CollectionUuid};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use replset::listing::{self, ListedCollection};
use replset::topology;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::archive_store::ArchiveStore;
use crate::archiver::ArchiveWindow;
use crate::backoff::{Backoff, pause_unless_stopped};
use crate::backups;
use crate::error::{Error, Result};
use crate::lease::{self, Holder, LeaseTimes, SNAPSHOT};
use crate::metrics::{Metrics, SnapshotFigures};
use crate::source::{Source, SourceMember};

mod begin;
mod compress;
mod marks;
mod progress;
mod publish;
mod scan;
mod segment_writer;
mod throttle;
mod witness;

use begin::Beginning;
pub use begin::oldest_begin;
use compress::CompressorPool;
use marks::{Found, Marks};
pub use progress::{CurrentSnapshot, Phase, Progress, ProgressReport};
use publish::Taken;
pub use scan::PART_BYTES;
use scan::{CollectionScan, ScanContext};
use throttle::Throttle;
use witness::Witness;

/// Attempts of one call; each goes on from the marks of the one before.
const MAX_ATTEMPTS: u32 = 5;

#[derive(Debug, Clone)]
pub struct SnapshotSettings {
    pub compression_level: i32,
    pub parallelism: usize,
    pub lag_limit: Duration,
    /// Plain bytes after which a segment is finished and the next one begun.
    pub part_bytes: u64,
    pub lease: LeaseTimes,
    /// Who takes it, for the lease and `start.json`.
    pub holder: Holder,
}

/// Everything that a snapshot needs. [`Snapshotter::take`] takes one.
#[derive(Debug, Clone)]
pub struct Snapshotter {
    pub source: Source,
    pub archive: ArchiveStore,
    pub window: ArchiveWindow,
    pub settings: SnapshotSettings,
    pub current: CurrentSnapshot,
    pub metrics: Metrics,
}

impl Snapshotter {
    /// One snapshot, published when this returns.
    pub async fn take(&self, stop: &CancellationToken) -> Result<SnapshotManifest> {
        let lease = lease::acquire(&self.archive, SNAPSHOT, &self.settings.holder, &self.settings.lease, stop).await?;
        // Whoever lost the lease stops as if asked to.
        let both = stop.child_token();
        let (lost, ended) = (lease.lost.clone(), both.clone());
        let watch = tokio::spawn(async move {
            tokio::select! {
                () = lost.cancelled() => ended.cancel(),
                () = ended.cancelled() => {}
            }
        });
        self.metrics.snapshot_running.set(1);
        self.metrics.backups.started(backups::SNAPSHOT);
        let result = self.attempts(lease.epoch, &both).await;
        self.metrics.snapshot_running.set(0);
        let has_failed = result.as_ref().is_err_and(|error| !matches!(error, Error::Cancelled));
        self.metrics.backups.ended(backups::SNAPSHOT, has_failed);
        self.current.set(None);
        both.cancel();
        watch.await.ok();
        let was_lost = lease.lost.is_cancelled();
        lease.release().await;
        match result {
            Err(Error::Cancelled) if was_lost && !stop.is_cancelled() => Err(Error::LeaseLost),
            Ok(manifest) => {
                self.window.snapshot_published(&manifest.snapshot);
                self.metrics.snapshots_completed.inc();
                Ok(manifest)
            }
            Err(error) => {
                self.metrics.snapshots_failed.inc();
                Err(error)
            }
        }
    }

    async fn attempts(&self, epoch: u64, stop: &CancellationToken) -> Result<SnapshotManifest> {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(15));
        for attempt in 1.. {
            match self.attempt(epoch, stop).await {
                Err(error) if error.is_transient() && attempt < MAX_ATTEMPTS && !stop.is_cancelled() => {
                    tracing::warn!(event = "snapshot_interrupted", %error, attempt, "snapshot interrupted; going on");
                    if !backoff.wait(stop).await {
                        return Err(Error::Cancelled);
                    }
                }
                result => return result,
            }
        }
        Err(Error::Cancelled)
    }

    async fn attempt(&self, epoch: u64, stop: &CancellationToken) -> Result<SnapshotManifest> {
        let started = Instant::now();
        let progress = Arc::new(Progress::default());
        self.current.set(Some(Arc::clone(&progress)));
        let member = self.source.choose().await?;
        let mut window = self.window.clone();
        window.wait_started(stop).await?;
        let (beginning, found) = begin::begin(self, &member, &mut window, epoch, stop).await?;
        progress.begin(beginning.id.as_str(), beginning.mark.begin);
        let span = tracing::info_span!("snapshot", id = %beginning.id, member = member.host);
        let manifest = self.read_and_publish(&member, beginning, found, &progress, stop).instrument(span).await?;
        self.metrics.snapshot_known(&SnapshotFigures {
            end_seconds: manifest.end.seconds,
            duration_seconds: started.elapsed().as_secs_f64(),
            documents: manifest.totals.documents,
            bytes: manifest.totals.bytes,
            stored_bytes: manifest.totals.stored_bytes,
        });
        Ok(manifest)
    }

    async fn read_and_publish(
        &self,
        member: &SourceMember,
        beginning: Beginning,
        mut found: Found,
        progress: &Arc<Progress>,
        stop: &CancellationToken,
    ) -> Result<SnapshotManifest> {
        let begin = beginning.mark.begin;
        progress.enter(Phase::Listing);
        let witness = Witness::of(member).await?;
        // Before the first position is taken.
        let identity = member.identity().await?;
        let listing = listing::list_all(&member.connection, Some(begin)).await?;
        witness.wait_until_lasting(member, stop).await?;
        let with_views = listing.collections.iter().filter(|collection| collection.namespace.is_views());
        let views = with_views.map(|collection| &collection.namespace.db);
        let views = views.map(|database| (database.clone(), listing.views_of(database))).collect();
        let mut end = listing.operation_time.max(begin);
        tracing::info!(event = "snapshot_scanning", collections = listing.collections.len(), already_read = found.done.len(), %begin, "scanning");
        let mut records: Vec<CollectionRecord> = std::mem::take(&mut found.done).into_values().collect();
        for record in &records {
            progress.read(record.documents(), record.bytes());
        }
        let marks = Marks::resumed(&self.archive, &beginning.id, &found);
        if found.listed.is_none() {
            marks.listed(listing.collections.iter().map(|collection| collection.uuid)).await?;
        }
        let remaining: Vec<ListedCollection> = {
            let done: HashSet<_> = records.iter().map(|record| record.uuid).collect();
            let wanted = |uuid: &CollectionUuid| {
                found.listed.as_ref().is_none_or(|listed| listed.contains(uuid)) && !done.contains(uuid)
            };
            listing.collections.into_iter().filter(|collection| wanted(&collection.uuid)).collect()
        };
        progress.collections.store(records.len() + remaining.len(), Ordering::Relaxed);
        progress.collections_done.store(records.len(), Ordering::Relaxed);
        progress.enter(Phase::Scanning);

        let watching = stop.child_token();
        let throttle = Throttle::default();
        tokio::spawn(throttle.clone().watch(
            self.source.clone(),
            member.host.clone(),
            self.settings.lag_limit,
            watching.clone(),
        ));
        let _stop_watching = watching.drop_guard();
        let scanning = stop.child_token();
        let context = ScanContext {
            archive: self.archive.clone(),
            snapshot: beginning.id.clone(),
            member: member.connection.clone(),
            identity: Mutex::new(identity),
            views,
            begin,
            pool: CompressorPool::new(self.settings.compression_level, self.settings.parallelism),
            replies: scan::reply_budget(self.settings.parallelism),
            marks,
            throttle,
            progress: Arc::clone(progress),
            part_bytes: self.settings.part_bytes,
            stop: scanning.clone(),
        };
        let scan = scan_all(&context, &remaining, &mut found, self.settings.parallelism);
        tokio::pin!(scan);
        let mut window = self.window.clone();
        let scanned = tokio::select! {
            scanned = &mut scan => scanned,
            // However long it goes on, nothing could be restored from it.
            at = window.wait_for_break(begin) => {
                scanning.cancel();
                scan.await.ok();
                return self.give_up(&beginning, at).await;
            }
        };
        // What is finished stays finished, whatever stopped the others.
        context.marks.flush().await?;
        let scanned = scanned?;
        let saw_drops = scanned.iter().any(|record| record.scan.outcome == ScanOutcome::Dropped);
        records.extend(scanned);

        progress.enter(Phase::Listing);
        let (still_there, listed_at) = list_again(member, begin, &records).await?;
        let last_read = records.iter().map(|record| record.scan.through).max().unwrap_or_default();
        end = end.max(listed_at).max(last_read);
        tracing::info!(event = "snapshot_scanned", %end, collections = records.len(), still_there, "scanned; waiting for the oplog");

        progress.enter(Phase::WaitingForOplog);
        if saw_drops {
            witness.wait_until_lasting(member, stop).await?;
        }
        wait_until_committed(member, end, stop).await?;
        self.window.clone().wait_archived(end, stop).await?;
        if !self.archive.covers(begin, end).await? {
            return self.give_up(&beginning, end).await;
        }
        progress.enter(Phase::Publishing);
        publish::publish(self, member, Taken { beginning, end, records }).await
    }

    /// Its own window up to `end` cannot be replayed: the next attempt begins anew.
    async fn give_up(&self, beginning: &Beginning, end: ClusterTime) -> Result<SnapshotManifest> {
        Marks::remove(&self.archive, &beginning.id).await?;
        Err(Error::Uncovered { begin: beginning.mark.begin, end })
    }
}

async fn scan_all(
    context: &ScanContext,
    collections: &[ListedCollection],
    found: &mut Found,
    parallelism: usize,
) -> Result<Vec<CollectionRecord>> {
    let scans = collections.iter().map(|collection| {
        let next_part = found.next_part.get(&collection.uuid).copied().unwrap_or(0);
        CollectionScan::new(context, collection, next_part, found.open.remove(&collection.uuid))
    });
    let scans: Vec<CollectionScan<'_>> = scans.collect();
    let mut waiting = scans.into_iter();
    let mut running = FuturesUnordered::new();
    let mut records = Vec::new();
    loop {
        while running.len() < parallelism
            && let Some(scan) = waiting.next()
        {
            running.push(scan_one(context, scan));
        }
        match running.next().await {
            Some(record) => records.push(record?),
            None => return Ok(records),
        }
    }
}

async fn scan_one(context: &ScanContext, scan: CollectionScan<'_>) -> Result<CollectionRecord> {
    let (record, was_open) = scan.run().await?;
    // A drop can still be taken back: another attempt looks again.
    if record.scan.outcome == ScanOutcome::Complete {
        context.marks.collection_done(&record, was_open).await?;
    }
    context.progress.collections_done.fetch_add(1, Ordering::Relaxed);
    Ok(record)
}

/// Collections that came, went or were renamed are told by the oplog; listing them again only moves `end` behind
/// everything that the first listing or a scan may have seen.
async fn list_again(
    member: &SourceMember,
    begin: ClusterTime,
    records: &[CollectionRecord],
) -> Result<(usize, ClusterTime)> {
    let listing = listing::list_all(&member.connection, Some(begin)).await?;
    let uuids: HashSet<_> = listing.collections.iter().map(|collection| collection.uuid).collect();
    Ok((records.iter().filter(|record| uuids.contains(&record.uuid)).count(), listing.operation_time))
}

pub(crate) async fn wait_until_committed(
    member: &SourceMember,
    moment: ClusterTime,
    stop: &CancellationToken,
) -> Result<()> {
    while topology::majority_commit_point(&member.connection).await?.ts < moment {
        if !pause_unless_stopped(Duration::from_millis(100), stop).await {
            return Err(Error::Cancelled);
        }
    }
    Ok(())
}
