//! Reads one collection in natural order as raw batches.
//!
//! The collection is found by UUID, so that it is the same one through every rename. One batch is fetched ahead while
//! the caller works on the current one, as far as the budget of all scans allows. A rename stops the server's
//! cursor: the scan goes on from its last token by itself; a drop, a lost position and a stalled server are errors
//! that say so. Used by the snapshot.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use archive::{ClusterTime, CollectionUuid, Namespace};
use bson::{RawBson, RawDocument, RawDocumentBuf};
use futures::Stream;
use mongodb::raw_batch_cursor::RawBatch;
use tokio::sync::mpsc;

mod batch_size;
mod budget;

use self::batch_size::BatchSize;
use self::budget::Held;
pub use self::budget::ReplyBudget;
use crate::connect::{Batches, Connection, CursorSettings, operation_time};
use crate::error::{ErrorKind, ReplsetError, Result};
use crate::listing;
use crate::raw::{RawDocuments, RawWriter};

const WHAT: &str = "scan a collection";
/// A collection that is renamed more often than this during its scan is somebody's queue of temporary names.
const MAX_REOPENED: u32 = 50;

#[derive(Debug, Clone, Default)]
pub struct ScanOptions {
    /// Only states at or after this are read: the snapshot's `begin`.
    pub after_cluster_time: Option<ClusterTime>,
    /// Token of the last batch that was kept by an earlier scan of the same member.
    pub resume_after: Option<RawBson>,
    /// Documents per batch; by default as many as fit into a reply of 16 MB.
    pub batch_documents: Option<u32>,
    /// Changes the number of documents until a batch is about this large. The server counts in documents, so their size
    /// has to be seen first, and it may be another one further on.
    pub batch_bytes: Option<u64>,
    /// Shared by all scans whose replies together may be so large.
    pub budget: Option<ReplyBudget>,
}

/// One reply of the server: owns the bytes, the documents are slices of it.
#[derive(Debug, Clone)]
pub struct ScanBatch {
    reply: ReplyBytes,
    pub resume_token: Option<RawBson>,
    pub operation_time: ClusterTime,
    _held: Option<Arc<Held>>,
}

#[derive(Debug, Clone)]
enum ReplyBytes {
    Driver(RawBatch),
    Own(RawDocumentBuf),
}

impl ScanBatch {
    fn new(reply: ReplyBytes, mut held: Option<Held>) -> Self {
        let document = reply.document();
        if let Some(held) = &mut held {
            held.give_back_all_but(document.as_bytes().len());
        }
        let cursor = document.get_document("cursor").ok();
        let token = cursor.and_then(|cursor| cursor.get("postBatchResumeToken").ok().flatten());
        Self {
            resume_token: token.map(Into::into),
            operation_time: operation_time(document).unwrap_or_default(),
            reply,
            _held: held.map(Arc::new),
        }
    }

    /// The whole reply.
    pub fn reply(&self) -> &RawDocument {
        self.reply.document()
    }

    pub fn documents(&self) -> Result<RawDocuments<'_>> {
        RawDocuments::of_reply(self.reply())
    }
}

impl ReplyBytes {
    fn document(&self) -> &RawDocument {
        match self {
            Self::Driver(batch) => batch.as_raw_document(),
            Self::Own(document) => document,
        }
    }
}

/// The batches of one collection. Dropping it ends the server's cursor.
#[derive(Debug)]
pub struct Scan {
    batches: mpsc::Receiver<Result<ScanBatch>>,
}

impl Scan {
    /// The next batch; `None` after the last one. Nothing follows an error.
    pub async fn next_batch(&mut self) -> Result<Option<ScanBatch>> {
        self.batches.recv().await.transpose()
    }
}

impl Stream for Scan {
    type Item = Result<ScanBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.batches.poll_recv(cx)
    }
}

/// Starts to scan the collection; `namespace` is its name when it was listed (the database counts, the name is for messages).
pub fn scan_collection(member: &Connection, namespace: &Namespace, uuid: CollectionUuid, options: ScanOptions) -> Scan {
    let (sender, batches) = mpsc::channel(1);
    let reader = Reader {
        member: member.clone(),
        namespace: namespace.clone(),
        uuid,
        with_tokens: true,
        token: options.resume_after.clone(),
        size: BatchSize::new(options.batch_documents, options.batch_bytes),
        options,
        reopened: 0,
    };
    tokio::spawn(reader.run(sender));
    Scan { batches }
}

struct Reader {
    member: Connection,
    namespace: Namespace,
    uuid: CollectionUuid,
    options: ScanOptions,
    size: BatchSize,
    with_tokens: bool,
    token: Option<RawBson>,
    reopened: u32,
}

impl Reader {
    async fn run(mut self, sender: mpsc::Sender<Result<ScanBatch>>) {
        let closed = sender.clone();
        tokio::select! {
            result = self.read(&sender) => {
                if let Err(error) = result {
                    // A receiver that is gone wants no error either.
                    sender.send(Err(self.describe(&error))).await.ok();
                }
            }
            () = closed.closed() => {}
        }
    }

    async fn read(&mut self, sender: &mpsc::Sender<Result<ScanBatch>>) -> Result<()> {
        let mut position = Position { produced: false };
        loop {
            match self.read_cursor(sender, &mut position).await {
                Ok(()) => return Ok(()),
                Err(error) if self.may_reopen(&error, &position) => {
                    self.reopened += 1;
                    tracing::debug!(namespace = %self.namespace, uuid = %self.uuid, %error, "scan reopened by UUID");
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Rename and drop both kill the plan; opening by UUID again tells which it was.
    fn may_reopen(&mut self, error: &ReplsetError, position: &Position) -> bool {
        if self.reopened >= MAX_REOPENED {
            return false;
        }
        match error.kind() {
            ErrorKind::QueryPlanKilled | ErrorKind::CursorLost => self.token.is_some() || !position.produced,
            // The server does not give tokens for this kind of collection (InvalidOptions, BadValue, FailedToParse).
            ErrorKind::Command { code: 2 | 9 | 72, .. }
                if self.with_tokens && self.token.is_none() && !position.produced =>
            {
                self.with_tokens = false;
                true
            }
            _ => false,
        }
    }

    async fn read_cursor(&mut self, sender: &mpsc::Sender<Result<ScanBatch>>, position: &mut Position) -> Result<()> {
        // The permit comes first: so at most one batch waits while the caller holds another.
        let Ok(mut permit) = sender.reserve().await else { return Ok(()) };
        let mut held = self.room().await;
        let mut cursor = match self.open().await {
            Err(error) if matches!(error.kind(), ErrorKind::MissingPrivilege(_)) && self.namespace.is_views() => {
                permit.send(Ok(self.views_from_listing().await?));
                return Ok(());
            }
            opened => opened?,
        };
        while let Some(batch) = cursor.next().await? {
            let batch = ScanBatch::new(ReplyBytes::Driver(batch), held);
            if batch.resume_token.is_some() {
                self.token.clone_from(&batch.resume_token);
            }
            position.produced = true;
            let before = self.size.documents();
            let is_resized = self.size.see(batch.reply());
            permit.send(Ok(batch));
            permit = match sender.reserve().await {
                Ok(permit) => permit,
                Err(_receiver_gone) => return Ok(()),
            };
            held = self.room().await;
            if is_resized {
                match self.resized().await? {
                    Some(resized) => cursor = resized,
                    None => self.size.stay_at(before),
                }
            }
        }
        Ok(())
    }

    async fn room(&self) -> Option<Held> {
        match &self.options.budget {
            Some(budget) => Some(budget.hold(self.size.expected_bytes()).await),
            None => None,
        }
    }

    /// A cursor that goes on from the token with the other number of documents. `None` when there is no token, or when the
    /// record at the token was deleted just now: the cursor that is open does not mind, so it stays.
    async fn resized(&mut self) -> Result<Option<Batches>> {
        if self.token.is_none() {
            return Ok(None);
        }
        match self.open().await {
            Err(error) if *error.kind() == ErrorKind::ResumeRefused => Ok(None),
            opened => opened.map(Some),
        }
    }

    async fn open(&self) -> Result<Batches> {
        let mut command = RawWriter::default();
        command.uuid("find", self.uuid).begin_document("hint").i32("$natural", 1).end();
        // Only the first batch needs a number: its default would be 101 documents.
        let batch_documents = self.size.documents();
        let first_batch = batch_documents.map_or(i32::MAX, |count| i32::try_from(count).unwrap_or(i32::MAX));
        command.i32("batchSize", first_batch).bool("noCursorTimeout", false);
        if self.with_tokens {
            command.bool("$_requestResumeToken", true);
        }
        if let Some(RawBson::Document(token)) = &self.token {
            command.document("$_resumeAfter", token);
        }
        command.begin_document("readConcern").str("level", "majority");
        if let Some(after) = self.options.after_cluster_time {
            command.timestamp("afterClusterTime", after);
        }
        command.end();
        let settings = CursorSettings { batch_documents, ..CursorSettings::default() };
        self.member.batches(&self.namespace.db, WHAT, command.finish(), settings).await
    }

    /// The role `backup` may list views but not read the collection that holds them: their definitions, then, as listed.
    async fn views_from_listing(&self) -> Result<ScanBatch> {
        let database = &self.namespace.db;
        let entries = listing::entries(&self.member, database, self.options.after_cluster_time).await?;
        let mut reply = RawWriter::default();
        reply.begin_document("cursor").begin_array("firstBatch");
        let mut count = 0;
        for entry in &entries.documents {
            if let listing::Entry::View(view) = listing::parse_entry(database, entry)? {
                reply.entry(count, &view.definition);
                count += 1;
            }
        }
        reply.end().end().timestamp("operationTime", entries.operation_time.unwrap_or_default());
        Ok(ScanBatch::new(ReplyBytes::Own(reply.finish()), None))
    }

    fn describe(&self, error: &ReplsetError) -> ReplsetError {
        let detail = format!("collection {} ({}): {}", self.namespace, self.uuid, error.detail());
        ReplsetError::new(error.kind().clone(), WHAT, self.member.server(), detail)
    }
}

struct Position {
    /// Whether this scan already gave a batch to the caller: without a token it may not start again then.
    produced: bool,
}
