//! Loads the snapshot's segments: a few readers decode, several writers insert, block by block.
//!
//! Memory is bounded by the blocks on the way (about 1 MiB each). A segment is marked as loaded when all its blocks
//! are inserted and its end has been proven.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use archive::collection_page::{CollectionRecord, SegmentRecord};
use archive::framed::Block;
use archive::layout::ObjectKey;
use archive::manifest::SnapshotManifest;
use archive::segment::{SegmentDecoder, SegmentEvent};
use futures::future::try_join_all;
use replset::destination::InsertMode;
use tokio::sync::{Mutex, mpsc};

use super::Context;
use super::create::create_collection;
use super::routes::{Route, Routes};
use super::survey::Window;
use crate::archive_reader::{Content, segment_key};
use crate::failure::{Failure, Result};
use crate::progress::Unit;

const SEGMENT: &str = "a segment";
const READERS: usize = 2;
/// Marks are majority writes; many small segments share one.
const SEGMENTS_PER_MARK: usize = 200;

#[derive(Debug, Clone, Copy, Default)]
pub struct Loaded {
    pub documents: u64,
    pub bytes: u64,
}

/// One segment to load.
struct Job {
    route: Arc<Route>,
    key: ObjectKey,
    record: SegmentRecord,
}

/// A block on its way into the destination.
struct Batch {
    block: Block,
    segment: Arc<Segment>,
}

struct Segment {
    job: Job,
    /// Blocks on the way, and one for the reader as long as it reads.
    outstanding: AtomicUsize,
}

struct Loader<'a> {
    context: &'a Context,
    jobs: Mutex<VecDeque<Job>>,
    done: Mutex<Vec<String>>,
    documents: AtomicU64,
    bytes: AtomicU64,
}

pub async fn load(context: &Context, manifest: &SnapshotManifest, window: &Window, routes: &Routes) -> Result<Loaded> {
    let mut jobs = Vec::new();
    let mut capped = Vec::new();
    for record in &window.records {
        let Some(route) = routes.get(record.uuid) else { continue };
        if route.capped {
            capped.push((record, Arc::clone(route)));
            continue;
        }
        if context.state.is_past_loading() {
            continue;
        }
        for segment in &record.segments {
            let key = segment_key(manifest, record, segment.part);
            if !context.state.is_loaded(&key.to_string()) {
                jobs.push(Job { route: Arc::clone(route), key, record: *segment });
            }
        }
    }
    // The largest first, so that no long one is left for the end.
    jobs.sort_by_key(|job| std::cmp::Reverse(job.record.bytes));
    let total = window.records.iter().map(CollectionRecord::bytes).sum();
    context.progress.phase("load", Some(total), Unit::Bytes);

    let loader = Loader {
        context,
        jobs: Mutex::new(jobs.into()),
        done: Mutex::new(Vec::new()),
        documents: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
    };
    let (sender, receiver) = mpsc::channel(context.connections);
    let receiver = Mutex::new(receiver);
    let readers = async {
        let sender = sender;
        try_join_all((0..READERS).map(|_| loader.read(sender.clone()))).await
    };
    let writers = try_join_all((0..context.connections).map(|_| loader.write(&receiver)));
    tokio::try_join!(readers, writers)?;
    for (record, route) in capped {
        loader.capped(manifest, window, record, route).await?;
    }
    loader.mark(0).await?;
    Ok(Loaded { documents: loader.documents.into_inner(), bytes: loader.bytes.into_inner() })
}

impl Loader<'_> {
    async fn read(&self, sender: mpsc::Sender<Batch>) -> Result<()> {
        loop {
            let Some(job) = self.jobs.lock().await.pop_front() else { return Ok(()) };
            let segment = Arc::new(Segment { job, outstanding: AtomicUsize::new(1) });
            let mut blocks = SegmentBlocks::open(self.context, &segment.job.key, &segment.job.record).await?;
            while let Some(block) = blocks.next().await? {
                segment.outstanding.fetch_add(1, Ordering::AcqRel);
                if sender.send(Batch { block, segment: Arc::clone(&segment) }).await.is_err() {
                    // The writers have failed and say why.
                    return Ok(());
                }
            }
            self.finished(&segment).await?;
        }
    }

    async fn write(&self, batches: &Mutex<mpsc::Receiver<Batch>>) -> Result<()> {
        loop {
            let Some(Batch { block, segment }) = batches.lock().await.recv().await else { return Ok(()) };
            // A document that was deleted and inserted again during the scan can be there twice; replay settles it.
            self.insert(&segment.job.route, &block, InsertMode::IgnoreDuplicates, false).await?;
            self.finished(&segment).await?;
        }
    }

    async fn insert(&self, route: &Route, block: &Block, mode: InsertMode, ordered: bool) -> Result<()> {
        self.context.state.confirm(&self.context.destination).await?;
        let documents: Vec<&bson::RawDocument> = block.documents().collect();
        self.context.destination.insert_raw(&route.namespace, &documents, mode, ordered).await.map_err(|error| {
            let failure = Failure::from(error);
            let what = format!("documents of {} cannot be inserted: {}", route.source, failure.what);
            Failure { what, ..failure }
        })?;
        self.documents.fetch_add(block.count(), Ordering::Relaxed);
        self.bytes.fetch_add(block.bytes().len() as u64, Ordering::Relaxed);
        self.context.progress.advance(block.bytes().len() as u64);
        Ok(())
    }

    async fn finished(&self, segment: &Segment) -> Result<()> {
        if segment.outstanding.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.lock().await.push(segment.job.key.to_string());
            self.mark(SEGMENTS_PER_MARK).await?;
        }
        Ok(())
    }

    /// Marks the segments that are done, when there are more than `at_least`.
    async fn mark(&self, at_least: usize) -> Result<()> {
        let done = {
            let mut done = self.done.lock().await;
            if done.len() < at_least.max(1) {
                return Ok(());
            }
            std::mem::take(&mut *done)
        };
        self.context.state.mark_loaded(&self.context.destination, &done).await
    }

    /// A capped collection is loaded in the order of its scan, or not at all: after an interruption it starts over.
    async fn capped(
        &self,
        manifest: &SnapshotManifest,
        window: &Window,
        record: &CollectionRecord,
        route: Arc<Route>,
    ) -> Result<()> {
        let keys: Vec<_> = record.segments.iter().map(|segment| segment_key(manifest, record, segment.part)).collect();
        let restarts = self.context.restarts_capped(window);
        let state = &self.context.state;
        if !restarts && (state.is_past_loading() || keys.iter().all(|key| state.is_loaded(&key.to_string()))) {
            return Ok(());
        }
        if restarts {
            self.context.destination.drop_collection(&route.namespace).await?;
            create_collection(self.context, &window.resolution.collections[&record.uuid]).await?;
        }
        for (key, segment) in keys.iter().zip(&record.segments) {
            let mut blocks = SegmentBlocks::open(self.context, key, segment).await?;
            while let Some(block) = blocks.next().await? {
                self.insert(&route, &block, InsertMode::Error, true).await?;
            }
        }
        self.done.lock().await.extend(keys.iter().map(ToString::to_string));
        self.mark(SEGMENTS_PER_MARK).await
    }
}

/// The blocks of one segment, each verified by its own checksum, the whole at the end.
struct SegmentBlocks {
    content: Content,
    decoder: Option<SegmentDecoder>,
    record: SegmentRecord,
    place: String,
}

impl SegmentBlocks {
    async fn open(context: &Context, key: &ObjectKey, record: &SegmentRecord) -> Result<Self> {
        let place = context.reader.place(&key.to_string());
        let content = context.reader.content(key).await.map_err(|error| error.into_failure(SEGMENT, place.clone()))?;
        Ok(Self { content, decoder: Some(SegmentDecoder::new(key.clone())), record: *record, place })
    }

    async fn next(&mut self) -> Result<Option<Block>> {
        let damaged =
            |problem: String| Failure::integrity(format!("{SEGMENT} cannot be used: {problem}")).at(&self.place);
        let Some(decoder) = &mut self.decoder else { return Ok(None) };
        loop {
            match decoder.next_event().map_err(|error| damaged(error.to_string()))? {
                Some(SegmentEvent::Documents(block)) => return Ok(Some(block)),
                Some(SegmentEvent::Header(_) | SegmentEvent::Footer(_)) => {}
                None => match self.content.next().await {
                    Ok(Some(chunk)) => decoder.feed(&chunk),
                    Ok(None) => break,
                    Err(error) => return Err(error.into_failure(SEGMENT, self.place.clone())),
                },
            }
        }
        let totals = match self.decoder.take() {
            Some(decoder) => decoder.finish().map_err(|error| damaged(error.to_string()))?,
            None => return Ok(None),
        };
        if totals == self.record.totals() {
            Ok(None)
        } else {
            Err(damaged("it is not the segment that the manifest means".into()))
        }
    }
}
