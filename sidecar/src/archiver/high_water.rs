//! Keeps the high-water mark: how far the archive once reached, for those who find less in it later.
//!
//! Runs beside the archiver, and archiving never depends on it: what cannot be read or written is a warning and tried
//! again. A stored mark that speaks of more than the archive holds means that somebody removed it, or that an older
//! copy of the archive came back; that is told, and the mark is never lowered, so that a restart does not hide it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use archive::high_water::{HighWater, Shortfall};
use archive::json_record::RecordError;
use archive::{ClusterTime, SnapshotId};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::window::ArchiverState;
use crate::archive_store::ArchiveStore;
use crate::clock::now_text;
use crate::error::{Error, Result};

#[derive(Debug, Clone, Copy)]
pub struct MarkTimes {
    /// A mark that lags behind by this much does no harm.
    pub every: Duration,
    /// A control store that is silent for longer is away.
    pub patience: Duration,
}

impl Default for MarkTimes {
    fn default() -> Self {
        Self { every: Duration::from_mins(1), patience: Duration::from_secs(5) }
    }
}

#[derive(Debug)]
pub struct MarkWriter {
    archive: ArchiveStore,
    state: Arc<watch::Sender<ArchiverState>>,
    /// The snapshot that this sidecar published last.
    published: watch::Receiver<Option<SnapshotId>>,
    times: MarkTimes,
    /// The newest complete snapshot that was found at the start.
    found: Option<SnapshotId>,
    written: Option<(ClusterTime, Option<SnapshotId>)>,
    tried_at: Option<Instant>,
    /// A snapshot was published after the last attempt.
    is_urgent: bool,
}

impl MarkWriter {
    pub fn new(
        archive: ArchiveStore,
        state: Arc<watch::Sender<ArchiverState>>,
        published: watch::Receiver<Option<SnapshotId>>,
        times: MarkTimes,
    ) -> Self {
        Self { archive, state, published, times, found: None, written: None, tried_at: None, is_urgent: false }
    }

    /// Compares the stored mark with the archive once, then keeps it up to date.
    pub async fn run(&mut self) -> Infallible {
        let mut seen = self.state.subscribe();
        while let Err(error) = self.compare().await {
            tracing::warn!(event = "high_water_not_compared", %error, "high-water mark not compared with the archive; trying again");
            tokio::time::sleep(self.times.every).await;
        }
        loop {
            self.forget_what_is_there_again();
            let is_due = self.tried_at.is_none_or(|at| at.elapsed() >= self.times.every);
            if (is_due || self.is_urgent) && self.news().is_some() {
                self.write().await;
            }
            tokio::select! {
                _ = seen.changed() => {}
                // Nobody who could publish may be left.
                Ok(()) = self.published.changed() => self.is_urgent = true,
            }
        }
    }

    /// The last word, when nothing more will be archived.
    pub async fn finish(&mut self) {
        if self.news().is_some() {
            self.write().await;
        }
    }

    fn snapshot(&self) -> Option<SnapshotId> {
        self.published.borrow().clone().max(self.found.clone())
    }

    /// What the mark should say, when it does not yet. Without a slice there is nothing that it could speak of.
    fn news(&self) -> Option<(ClusterTime, Option<SnapshotId>)> {
        let through = self.state.borrow().newest_slice?;
        Some((through, self.snapshot())).filter(|news| self.written.as_ref() != Some(news))
    }

    async fn write(&mut self) {
        let Some((through, snapshot)) = self.news() else { return };
        self.is_urgent = false;
        self.tried_at = Some(Instant::now());
        match in_time(self.times.patience, join(&self.archive, through, snapshot.clone())).await {
            Ok(()) => self.written = Some((through, snapshot)),
            Err(error) => {
                tracing::warn!(event = "high_water_not_written", %error, "high-water mark not written; archiving goes on without it");
            }
        }
    }

    async fn compare(&mut self) -> Result<()> {
        // The mark comes first: the archive goes on meanwhile.
        let mark = in_time(self.times.patience, read(&self.archive)).await?;
        let mut state = self.state.subscribe();
        let newest_slice = match state.wait_for(|state| state.started_after.is_some()).await {
            Ok(started) => started.newest_slice,
            Err(_) => return Ok(()),
        };
        self.found = self.archive.newest_snapshot().await?.map(|manifest| manifest.snapshot);
        let Some(mark) = mark else { return Ok(()) };
        let slices = match newest_slice {
            Some(newest) if newest >= mark.through => None,
            _ => mark.missing_slices(&self.archive.coverage_since(ClusterTime::ZERO).await?),
        };
        let snapshot = mark.missing_snapshot(&self.archive.manifests_from(mark.last_snapshot.as_ref()).await?);
        let shortfalls: Vec<Shortfall> = slices.into_iter().chain(snapshot).collect();
        for shortfall in &shortfalls {
            tracing::error!(
                event = "archive_shortfall",
                recorded_at = mark.recorded_at,
                "{shortfall}; somebody removed it or an older copy of the archive came back (`dr-cli verify --level list` \
                 shows what is there); archiving goes on"
            );
        }
        self.state.send_modify(|state| state.shortfalls = shortfalls);
        Ok(())
    }

    fn forget_what_is_there_again(&self) {
        let newest = self.snapshot();
        self.state.send_if_modified(|state| {
            let before = state.shortfalls.len();
            let (after, through) = (state.started_after, state.newest_slice);
            state.shortfalls.retain(|shortfall| match shortfall {
                // Read again from the oplog, from where it was missing.
                Shortfall::SlicesMissing { recorded_through, .. } => {
                    after.is_none_or(|after| after > *recorded_through)
                        || through.is_none_or(|through| through < *recorded_through)
                }
                Shortfall::SnapshotMissing { id } => newest.as_ref().is_none_or(|newest| newest < id),
            });
            state.shortfalls.len() != before
        });
    }
}

async fn in_time<T>(patience: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let silent = || Error::Internal(format!("the control store did not answer within {} s", patience.as_secs()));
    timeout(patience, work).await.map_err(|_| silent())?
}

async fn join(archive: &ArchiveStore, through: ClusterTime, snapshot: Option<SnapshotId>) -> Result<()> {
    let mut mark = HighWater::new(through, snapshot, now_text());
    if let Some(earlier) = read(archive).await? {
        mark = mark.joined(&earlier);
    }
    archive.put_high_water(&mark).await
}

/// One that is damaged is as good as none; one of a newer release must stay as it is.
async fn read(archive: &ArchiveStore) -> Result<Option<HighWater>> {
    match archive.high_water().await {
        Err(Error::Record { key, problem }) if !matches!(problem, RecordError::NewerFormat { .. }) => {
            tracing::warn!(event = "high_water_unreadable", key, %problem, "high-water mark not readable; it will be written anew");
            Ok(None)
        }
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use archive::lineage::LineageRecord;
    use store::fault::{Fault, FaultStore};
    use store::{ErrorKind, MemoryStore, Operation};

    use super::*;
    use crate::archive_store::Stores;

    const TIMES: MarkTimes = MarkTimes { every: Duration::from_secs(100), patience: Duration::from_millis(300) };

    struct Bench {
        archive: ArchiveStore,
        faulty: FaultStore,
        state: Arc<watch::Sender<ArchiverState>>,
        published: watch::Sender<Option<SnapshotId>>,
    }

    const fn at(seconds: u32) -> ClusterTime {
        ClusterTime::new(seconds, 1)
    }

    fn id(text: &str) -> SnapshotId {
        text.parse().unwrap()
    }

    impl Bench {
        async fn new() -> Self {
            let memory = Arc::new(MemoryStore::new());
            let faulty = FaultStore::new(Arc::clone(&memory) as _);
            let stores = Stores { archive: memory, control: Arc::new(faulty.clone()) };
            let record = LineageRecord::new("rs-1".parse().unwrap(), "rs", "1", now_text());
            let archive = ArchiveStore::open(stores, &record, false).await.unwrap();
            let state = Arc::new(watch::channel(ArchiverState::default()).0);
            Self { archive, faulty, state, published: watch::channel(None).0 }
        }

        fn writer(&self, times: MarkTimes) -> MarkWriter {
            MarkWriter::new(self.archive.clone(), Arc::clone(&self.state), self.published.subscribe(), times)
        }

        fn start(&self, times: MarkTimes) -> tokio::task::JoinHandle<()> {
            let mut writer = self.writer(times);
            self.state.send_modify(|state| state.started_after = Some(at(5)));
            tokio::spawn(async move { match writer.run().await {} })
        }

        fn slice(&self, through: u32) {
            self.state.send_modify(|state| state.newest_slice = Some(at(through)));
        }

        async fn stored(&self) -> Option<(ClusterTime, Option<SnapshotId>)> {
            self.archive.high_water().await.unwrap().map(|mark| (mark.through, mark.last_snapshot))
        }

        async fn store(&self, through: u32, snapshot: Option<&str>) {
            let mark = HighWater::new(at(through), snapshot.map(id), now_text());
            self.archive.put_high_water(&mark).await.unwrap();
        }

        async fn until_stored(&self, through: u32, snapshot: Option<&str>) {
            let wanted = Some((at(through), snapshot.map(id)));
            for _ in 0..200 {
                if self.stored().await == wanted {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            panic!("{:?} instead of {wanted:?}", self.stored().await);
        }
    }

    async fn a_moment() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    #[tokio::test]
    async fn the_first_slice_and_each_snapshot_are_marked_at_once_and_other_slices_now_and_then() {
        let bench = Bench::new().await;
        let running = bench.start(TIMES);
        bench.published.send_replace(Some(id("a")));
        a_moment().await;
        assert_eq!(bench.stored().await, None, "without a slice a mark would speak of nothing");
        bench.slice(10);
        bench.until_stored(10, Some("a")).await;
        bench.slice(20);
        a_moment().await;
        assert_eq!(bench.stored().await, Some((at(10), Some(id("a")))));
        bench.published.send_replace(Some(id("b")));
        bench.until_stored(20, Some("b")).await;
        running.abort();
        let running = bench.start(MarkTimes { every: Duration::from_millis(50), ..TIMES });
        bench.slice(30);
        bench.until_stored(30, Some("b")).await;
        a_moment().await;
        bench.slice(40);
        bench.until_stored(40, Some("b")).await;
        running.abort();
    }

    #[tokio::test]
    async fn the_end_is_marked_and_nothing_lowers_the_mark() {
        let bench = Bench::new().await;
        bench.slice(10);
        bench.writer(TIMES).finish().await;
        assert_eq!(bench.stored().await, Some((at(10), None)));
        bench.store(50, Some("z")).await;
        bench.slice(20);
        bench.published.send_replace(Some(id("a")));
        bench.writer(TIMES).finish().await;
        assert_eq!(bench.stored().await, Some((at(50), Some(id("z")))));
    }

    #[tokio::test]
    async fn a_mark_that_cannot_be_written_is_tried_again_and_stops_nothing() {
        let bench = Bench::new().await;
        bench.faulty.add(Fault::fail_before(Operation::PutMutable, ErrorKind::PermissionDenied).lasting());
        let running = bench.start(MarkTimes { every: Duration::from_millis(50), ..TIMES });
        bench.slice(10);
        a_moment().await;
        assert_eq!(bench.stored().await, None);
        bench.faulty.clear();
        bench.slice(20);
        bench.until_stored(20, None).await;
        running.abort();
    }

    #[tokio::test]
    async fn a_newer_mark_is_left_alone_and_a_damaged_one_is_replaced() {
        let bench = Bench::new().await;
        let key = HighWater::key(&bench.archive.lineage).to_string();
        let control: &dyn store::ObjectStore = &bench.faulty;
        bench.slice(10);
        for (stored, kept) in [(r#"{"format": 2, "through": "soon"}"#, true), ("{", false)] {
            control.put_mutable(&key, bytes::Bytes::from_static(stored.as_bytes())).await.unwrap();
            bench.writer(TIMES).finish().await;
            let found = store::ObjectStoreExt::get_bytes(control, &key, 9999).await.unwrap().unwrap();
            assert_eq!(found == stored, kept, "{stored}");
        }
        assert_eq!(bench.stored().await, Some((at(10), None)));
    }

    #[tokio::test]
    async fn what_the_archive_lacks_is_a_finding_until_it_is_there_again() {
        let bench = Bench::new().await;
        bench.store(50, Some("m")).await;
        let running = bench.start(TIMES);
        let mut state = bench.state.subscribe();
        let found = state.wait_for(|state| !state.shortfalls.is_empty()).await.unwrap().shortfalls.clone();
        let missing = Shortfall::SlicesMissing { recorded_through: at(50), archived_through: None };
        assert_eq!(found, [missing.clone(), Shortfall::SnapshotMissing { id: id("m") }]);
        bench.slice(49);
        bench.published.send_replace(Some(id("n")));
        bench.until_stored(50, Some("n")).await;
        drop(state.wait_for(|state| state.shortfalls == [missing.clone()]).await.unwrap());
        bench.slice(51);
        drop(state.wait_for(|state| state.shortfalls.is_empty()).await.unwrap());
        running.abort();
    }

    #[tokio::test]
    async fn what_was_never_read_again_stays_a_finding() {
        let bench = Bench::new().await;
        bench.store(3, None).await;
        let running = bench.start(TIMES);
        let mut state = bench.state.subscribe();
        drop(state.wait_for(|state| state.shortfalls.len() == 1).await.unwrap());
        bench.slice(60);
        bench.until_stored(60, None).await;
        assert_eq!(bench.state.borrow().shortfalls.len(), 1, "archiving began behind what is missing");
        running.abort();
    }
}
