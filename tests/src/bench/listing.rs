//! A listing of a million slices: how long and how much memory it takes until `dr-cli` knows what can be restored.
//!
//! The reader of archives at work over a store whose names are made up while they are asked for, in pages as a real store
//! gives them; in a process of its own, so that its memory can be told from the benchmark's.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use archive::archive_marker::ArchiveMarker;
use archive::coverage::Coverage;
use archive::layout::{ObjectKey, SliceId};
use archive::{ClusterTime, LineageId};
use async_trait::async_trait;
use bytes::Bytes;
use recovery::ArchiveReader;
use serde_json::{Value, json};
use store::{
    ByteStream, Created, ListPage, ListedObject, MemoryStore, ObjectLock, ObjectMeta, ObjectStore, ObjectStoreExt,
    ObjectWriter,
};

use super::table::{Row, Table};
use super::{Options, progress};
use crate::programs::{count, measure as run, size};

const SLICES: u64 = 1_000_000;
const SECONDS: f64 = 10.0;
const PEAK: u64 = 200 << 20;
const LINEAGE: &str = "rs0-65a1b2c3d4e5f60718293a4b";
const DAY: u32 = 86_400;
/// The beginning of a UTC day.
const START: u32 = 1_700_006_400;
/// Of a slice, in seconds; a million are 58 days of a server that is always written to.
const SPAN: u32 = 5;
const PER_DAY: u32 = DAY / SPAN;

#[allow(clippy::cast_precision_loss, reason = "for a ratio")]
pub async fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let slices = options.scaled(SLICES);
    progress(&format!("listing {} slices", count(slices)));
    let this = std::env::current_exe().context("find the running executable")?;
    let done = run(&this, ["--listing", &slices.to_string()]).await?.succeeded("the simulated listing")?;
    let figures = done.finished.json()?;
    let field = |name: &str| figures[name].as_f64().with_context(|| format!("no figure `{name}` in {figures}"));
    let seconds = field("listing_seconds")? + field("coverage_seconds")?;
    table.push(Row {
        what: format!("listing and coverage of {} slices, time", count(slices)),
        value: format!("{seconds:.2} s"),
        against: "—".to_owned(),
        ratio: Some(seconds / SECONDS),
        goal: format!("≤ {SECONDS} s"),
        met: Some(seconds <= SECONDS),
    });
    let peak = figures["peak_bytes"].as_u64().unwrap_or(done.usage.peak_bytes);
    table.push(Row {
        what: format!("listing and coverage of {} slices, peak memory", count(slices)),
        value: size(peak),
        against: "—".to_owned(),
        ratio: Some(peak as f64 / PEAK as f64),
        goal: format!("≤ {}", size(PEAK)),
        met: Some(peak <= PEAK),
    });
    table.note(format!(
        "{} slices: listed in {} pages of up to 1,000 names (made up, read and kept) {:.2} s, coverage {:.2} s; no network in it",
        count(slices),
        count(figures["pages"].as_u64().unwrap_or(0)),
        field("listing_seconds")?,
        field("coverage_seconds")?
    ));
    Ok(())
}

/// The work of the child process; what it prints.
pub async fn simulate(slices: u64) -> Result<Value> {
    let lineage: LineageId = LINEAGE.parse()?;
    let slices = u32::try_from(slices).context("too many slices")?;
    let inner = MemoryStore::new();
    let marker = ArchiveMarker::new("0b7e", "2026-01-02T03:04:05Z").to_json()?;
    ensure!(inner.put_new(&ObjectKey::Archive.to_string(), Bytes::from(marker)).await? == Created::New);
    let pages = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let store = SliceNames { inner, lineage: lineage.clone(), slices, pages: Arc::clone(&pages) };
    let reader = ArchiveReader::open(Arc::new(store)).await.map_err(|failure| anyhow::anyhow!("{failure}"))?;
    let started = Instant::now();
    let catalog = reader.catalog(&lineage).await.map_err(|failure| anyhow::anyhow!("{failure}"))?;
    let listing_seconds = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let coverage = Coverage::of_catalog(&catalog);
    let coverage_seconds = started.elapsed().as_secs_f64();
    ensure!(catalog.slices.len() == slices as usize, "{} slices of {slices} are listed", catalog.slices.len());
    ensure!(catalog.unusable.is_empty(), "{:?}", catalog.unusable.first());
    ensure!(coverage.problems.is_empty() && coverage.windows.len() == 1, "the slices are not one window");
    ensure!(coverage.archived_through() == Some(moment(slices)), "{:?}", coverage.archived_through());
    let own = i32::try_from(std::process::id())?;
    Ok(json!({
        "listing_seconds": listing_seconds, "coverage_seconds": coverage_seconds,
        "pages": pages.load(std::sync::atomic::Ordering::Relaxed), "peak_bytes": crate::programs::peak_of(own),
    }))
}

fn moment(number: u32) -> ClusterTime {
    ClusterTime::new(START + number * SPAN, 1)
}

/// An archive of so many slices of which there are only the names. Everything else is in `inner`.
#[derive(Debug)]
struct SliceNames {
    inner: MemoryStore,
    lineage: LineageId,
    slices: u32,
    /// How many were asked for.
    pages: Arc<std::sync::atomic::AtomicU64>,
}

impl SliceNames {
    fn object(&self, number: u32) -> ListedObject {
        let mut digest = [7; 16];
        digest[..4].copy_from_slice(&number.to_le_bytes());
        let id = SliceId { after: moment(number), through: moment(number + 1), term: 3, digest };
        let key = id.key(&self.lineage, number.is_multiple_of(2)).to_string();
        ListedObject { key, size: 70_000, modified: jiff::Timestamp::UNIX_EPOCH }
    }

    /// The numbers of the slices of the day whose folder this is.
    fn day(&self, folder: &str) -> Option<Range<u32>> {
        let day = (0..self.slices.div_ceil(PER_DAY)).find(|day| self.folder(*day) == folder)?;
        Some(day * PER_DAY..self.slices.min((day + 1) * PER_DAY))
    }

    fn folder(&self, day: u32) -> String {
        ObjectKey::oplog_day_prefix(&self.lineage, ClusterTime::new(START + day * DAY, 1))
    }
}

#[async_trait]
impl ObjectStore for SliceNames {
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
        let Some(day) = self.day(prefix) else { return self.inner.list(prefix, start_after, limit).await };
        self.pages.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // Times of the same length are in order as text.
        let after = start_after.and_then(|key| match key.parse() {
            Ok(ObjectKey::Slice { id, .. }) => Some((id.after.seconds - START) / SPAN + 1),
            _ => None,
        });
        let first = after.unwrap_or(day.start);
        let last = day.end.min(first.saturating_add(u32::try_from(limit).unwrap_or(u32::MAX)));
        let objects: Vec<ListedObject> = (first..last).map(|number| self.object(number)).collect();
        let next_start_after = objects.last().filter(|_| last < day.end).map(|object| object.key.clone());
        Ok(ListPage { objects, next_start_after })
    }

    async fn list_folders(&self, prefix: &str) -> store::Result<Vec<String>> {
        let slices = ObjectKey::slices_prefix(&self.lineage);
        if prefix != slices {
            return self.inner.list_folders(prefix).await;
        }
        let name = |day| self.folder(day).strip_prefix(&slices).map(|name| name.trim_end_matches('/').to_owned());
        Ok((0..self.slices.div_ceil(PER_DAY)).filter_map(name).collect())
    }

    async fn delete(&self, key: &str) -> store::Result<()> {
        self.inner.delete(key).await
    }

    async fn clock(&self) -> store::Result<Option<jiff::Timestamp>> {
        self.inner.clock().await
    }

    fn lock(&self) -> Option<&dyn ObjectLock> {
        None
    }
}
