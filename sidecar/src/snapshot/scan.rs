//! Reads one collection into segments, whatever happens to it meanwhile.
//!
//! The collection is read by UUID in natural order. A rename does not disturb the scan; a drop ends it with that
//! outcome; a lost position starts it again, from the last finished segment where the server allows it, from the
//! beginning for capped collections. A part that was not finished is never published, and its number never used again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use archive::collection_page::{CollectionRecord, ScanOutcome, ScanRecord, SegmentRecord};
use archive::framed::{DEFAULT_BLOCK_BYTES, Encoder};
use archive::segment::{self, Order, SegmentHeader};
use archive::{ClusterTime, SnapshotId};
use bson::RawBson;
use replset::listing::{ListedCollection, ListedViews};
use replset::scan::{ReplyBudget, Scan, ScanBatch, ScanOptions, scan_collection};
use replset::topology::{MemberIdentity, member_identity};
use replset::{Connection, ErrorKind, ReplsetError};
use tokio_util::sync::CancellationToken;

use super::compress::CompressorPool;
use super::marks::{Marks, OpenMark};
use super::progress::Progress;
use super::segment_writer::{BlockSender, SegmentWriter};
use super::throttle::Throttle;
use crate::archive_store::ArchiveStore;
use crate::backoff::Backoff;
use crate::error::{Error, Result};

/// For each scan: one reply that is worked on, and one that is read meanwhile.
pub fn reply_budget(parallelism: usize) -> ReplyBudget {
    let scans = u64::try_from(parallelism).unwrap_or(u64::MAX);
    ReplyBudget::new(u32::try_from(scans.saturating_mul(2 * BATCH_BYTES)).unwrap_or(u32::MAX))
}

/// A part is large enough to compress well and small enough to be read again after a crash.
pub const PART_BYTES: u64 = 256 << 20;
/// A collection that is disturbed more often than this in a row is given up, with the snapshot.
const MAX_ATTEMPTS: u32 = 8;
/// This size keeps the connection busy and memory small.
const BATCH_BYTES: u64 = 2 << 20;
const FIRST_BATCH_DOCUMENTS: u32 = 1000;

/// What all scans of a snapshot share.
#[derive(Debug)]
pub struct ScanContext {
    pub archive: ArchiveStore,
    pub snapshot: SnapshotId,
    pub member: Connection,
    /// Identifies the copy of the data that resume tokens belong to.
    /// Whose record ids positions speak of; known anew when they turn out to be others.
    pub identity: Mutex<MemberIdentity>,
    /// By database.
    pub views: HashMap<String, ListedViews>,
    pub begin: ClusterTime,
    pub pool: CompressorPool,
    pub replies: ReplyBudget,
    pub marks: Marks,
    pub throttle: Throttle,
    pub progress: Arc<Progress>,
    pub part_bytes: u64,
    pub stop: CancellationToken,
}

impl ScanContext {
    fn identity(&self) -> MemberIdentity {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the member again. When it does not answer, positions of the state before will be refused once more.
    async fn identify(&self) -> MemberIdentity {
        if let Ok(identity) = member_identity(&self.member).await {
            *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = identity;
        }
        self.identity()
    }
}

/// One collection on its way into segments.
pub struct CollectionScan<'a> {
    context: &'a ScanContext,
    collection: &'a ListedCollection,
    segments: Vec<SegmentRecord>,
    /// Behind the last finished segment.
    token: Option<RawBson>,
    /// That of the member when the scan began.
    identity: MemberIdentity,
    next_part: u32,
    /// Whether a mark of finished parts exists.
    marked: bool,
}

/// The part that is being written.
struct OpenPart {
    number: u32,
    encoder: Encoder,
    writer: SegmentWriter,
}

struct Reached {
    last_id: Option<RawBson>,
    through: ClusterTime,
}

enum Disturbance {
    /// Try again, from the last finished segment or from the beginning.
    Again {
        from_start: bool,
        error: Error,
    },
    Gone,
    Fatal(Error),
}

impl From<Error> for Disturbance {
    fn from(error: Error) -> Self {
        match error {
            Error::Replset(error) => error.into(),
            error => Self::Fatal(error),
        }
    }
}

impl From<ReplsetError> for Disturbance {
    fn from(error: ReplsetError) -> Self {
        match error.kind() {
            ErrorKind::CollectionGone => Self::Gone,
            ErrorKind::ResumeRefused => Self::Again { from_start: true, error: error.into() },
            ErrorKind::QueryPlanKilled | ErrorKind::CursorLost => {
                Self::Again { from_start: false, error: error.into() }
            }
            _ if error.is_retryable() => Self::Again { from_start: false, error: error.into() },
            _ => Self::Fatal(error.into()),
        }
    }
}

impl<'a> CollectionScan<'a> {
    pub fn new(
        context: &'a ScanContext,
        collection: &'a ListedCollection,
        next_part: u32,
        earlier: Option<OpenMark>,
    ) -> Self {
        let (identity, marked) = (context.identity(), earlier.is_some());
        let mut scan = Self { context, collection, segments: Vec::new(), token: None, identity, next_part, marked };
        // Positions in a capped collection pass; those of another member mean nothing here.
        let is_usable = |mark: &OpenMark| mark.member == scan.identity.to_string() && !collection.is_capped();
        if let Some(mark) = earlier.filter(is_usable) {
            scan.segments = mark.record.segments;
            scan.token = Some(mark.resume_token);
        }
        scan
    }

    pub async fn run(mut self) -> Result<(CollectionRecord, bool)> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        let mut attempts = 0;
        loop {
            let finished_before = self.segments.len();
            match self.read().await {
                Ok(reached) => return Ok(self.record(ScanOutcome::Complete, reached)),
                Err(Disturbance::Gone) => {
                    tracing::info!(event = "collection_dropped", namespace = %self.collection.namespace, "collection was dropped while it was scanned");
                    let through = self.collection.operation_time.max(self.context.begin);
                    return Ok(self.record(ScanOutcome::Dropped, Reached { last_id: None, through }));
                }
                Err(Disturbance::Fatal(error)) => return Err(error),
                Err(Disturbance::Again { from_start, error }) => {
                    attempts = if self.segments.len() > finished_before { 1 } else { attempts + 1 };
                    if attempts >= MAX_ATTEMPTS {
                        return Err(error);
                    }
                    tracing::warn!(event = "scan_disturbed", namespace = %self.collection.namespace, %error, attempts, "scan disturbed; reading again");
                    if from_start || self.collection.is_capped() {
                        self.segments.clear();
                        self.token = None;
                        self.identity = self.context.identify().await;
                    }
                    if !backoff.wait(&self.context.stop).await {
                        return Err(Error::Cancelled);
                    }
                }
            }
        }
    }

    fn record(self, outcome: ScanOutcome, reached: Reached) -> (CollectionRecord, bool) {
        let last_id = if self.collection.is_capped() { reached.last_id } else { None };
        let scan = ScanRecord { outcome, last_id, through: reached.through };
        (self.record_with(scan), self.marked)
    }

    fn record_with(&self, scan: ScanRecord) -> CollectionRecord {
        CollectionRecord {
            uuid: self.collection.uuid,
            namespace: self.collection.namespace.clone(),
            options: self.collection.options.clone(),
            id_index: self.collection.id_index.clone(),
            indexes: self.collection.indexes.clone(),
            scan,
            segments: self.segments.clone(),
        }
    }

    fn open(&self) -> Scan {
        let options = ScanOptions {
            after_cluster_time: Some(self.context.begin),
            resume_after: self.token.clone(),
            batch_documents: Some(FIRST_BATCH_DOCUMENTS),
            // Another cursor would have to find the position again, and positions in a capped collection pass.
            batch_bytes: (!self.collection.is_capped()).then_some(BATCH_BYTES),
            budget: Some(self.context.replies.clone()),
            valid_in: self.identity.state,
            views: self.context.views.get(&self.collection.namespace.db).cloned(),
        };
        scan_collection(&self.context.member, &self.collection.namespace, self.collection.uuid, options)
    }

    /// From the token on to the end of the collection.
    async fn read(&mut self) -> Result<Reached, Disturbance> {
        let mut scan = self.open();
        let mut reached = Reached { last_id: None, through: ClusterTime::ZERO };
        let mut part: Option<OpenPart> = None;
        let result = loop {
            let batch = tokio::select! {
                batch = scan.next_batch() => match batch {
                    Ok(Some(batch)) => batch,
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error.into()),
                },
                () = self.context.stop.cancelled() => break Err(Disturbance::Fatal(Error::Cancelled)),
            };
            reached.through = reached.through.max(batch.operation_time);
            let token = batch.resume_token.clone();
            if let Err(disturbance) = self.take(batch, &mut part, &mut reached).await {
                break Err(disturbance);
            }
            if part.as_ref().is_some_and(|part| part.encoder.bytes() >= self.context.part_bytes)
                && let Some(full) = part.take()
                && let Err(disturbance) = self.finish_part(full, token, &reached).await
            {
                break Err(disturbance);
            }
            self.context.throttle.pause().await;
        };
        match (result, part) {
            (Ok(()), Some(last)) => self.finish_part(last, None, &reached).await.map(|()| reached),
            (Ok(()), None) => Ok(reached),
            (Err(disturbance), part) => {
                if let Some(part) = part {
                    part.writer.abort().await;
                }
                Err(disturbance)
            }
        }
    }

    /// Encodes a batch on a blocking thread; its blocks go to the segment's writer as they fill.
    async fn take(
        &mut self,
        batch: ScanBatch,
        part: &mut Option<OpenPart>,
        reached: &mut Reached,
    ) -> Result<(), Disturbance> {
        if batch.documents()?.next().is_none() {
            return Ok(());
        }
        let open = match part.take() {
            Some(open) => open,
            None => self.begin_part().await?,
        };
        let (sender, encoder, keep_id) = (open.writer.blocks(), open.encoder, self.collection.is_capped());
        let before = (encoder.documents(), encoder.bytes());
        let encoding = tokio::task::spawn_blocking(move || encode(&batch, encoder, &sender, keep_id));
        let encoded = encoding.await.map_err(|error| Error::Internal(error.to_string()))??;
        let Some((encoder, last_id)) = encoded else {
            return Err(open.writer.failure().await.into());
        };
        self.context.progress.read(encoder.documents() - before.0, encoder.bytes() - before.1);
        reached.last_id = last_id.or(reached.last_id.take());
        *part = Some(OpenPart { number: open.number, encoder, writer: open.writer });
        Ok(())
    }

    async fn begin_part(&mut self) -> Result<OpenPart> {
        let number = self.next_part;
        self.next_part += 1;
        let header = SegmentHeader {
            lineage: self.context.archive.lineage.clone(),
            snapshot: self.context.snapshot.clone(),
            uuid: self.collection.uuid,
            namespace: self.collection.namespace.clone(),
            part: number,
            order: Order::Natural,
            bounds: None,
        };
        let (encoder, frame) = segment::encoder(&header, DEFAULT_BLOCK_BYTES)?;
        let writer = SegmentWriter::begin(&self.context.archive, &header, frame, &self.context.pool).await?;
        Ok(OpenPart { number, encoder, writer })
    }

    /// `token`: where reading goes on; absent at the end of the collection.
    async fn finish_part(
        &mut self,
        part: OpenPart,
        token: Option<RawBson>,
        reached: &Reached,
    ) -> Result<(), Disturbance> {
        let finished = segment::finish(part.encoder).map_err(Error::from)?;
        let Some((totals, stored_bytes)) = part.writer.finish(finished).await? else {
            // Another process is at work on the same snapshot, or was: its content may differ from ours.
            let key = format!("{}-{:05}", self.collection.uuid, part.number);
            return Err(Disturbance::Again { from_start: false, error: Error::Conflict { key } });
        };
        self.segments.push(SegmentRecord::new(part.number, &totals, stored_bytes));
        if let Some(token) = token {
            self.token = Some(token.clone());
            if !self.collection.is_capped() {
                let scan = ScanRecord { outcome: ScanOutcome::Complete, last_id: None, through: reached.through };
                let mark =
                    OpenMark { record: self.record_with(scan), resume_token: token, member: self.identity.to_string() };
                self.context.marks.part_done(&mark).await?;
                self.marked = true;
            }
        }
        Ok(())
    }
}

type Encoded = Option<(Encoder, Option<RawBson>)>;

/// `None` when the writer has ended.
fn encode(batch: &ScanBatch, mut encoder: Encoder, sender: &BlockSender, keep_id: bool) -> Result<Encoded> {
    let mut last = None;
    for document in batch.documents()? {
        let document = document?;
        if let Some(block) = encoder.push(document.as_bytes())?
            && !sender.send(block)?
        {
            return Ok(None);
        }
        last = Some(document);
    }
    let last_id = last.filter(|_| keep_id).and_then(|document| document.get("_id").ok().flatten()).map(RawBson::from);
    Ok(Some((encoder, last_id)))
}
