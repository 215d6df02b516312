//! Replays the window's inserts, updates and deletes: split by collection and `_id` over several writers.
//!
//! The survey has decided everything else, so there are no barriers but the progress marks: every few slices all
//! writers finish, and the position is marked. Until the snapshot's end (and as far as an interrupted attempt may have
//! come) documents may already be newer than an entry, so replay is forgiving there; after that, an update of a
//! document that is not there proves that archive and snapshot do not fit, and the restore stops.

mod worker;

use std::sync::Arc;

use archive::ClusterTime;
use archive::id_key::id_hash;
use archive::oplog::{Entry, EntryError, OpKind, Operation, TransactionRole};
use archive::plan::RestorePlan;
use bson::RawDocumentBuf;
use replset::raw::DocumentKey;
use tokio::task::JoinSet;

use super::Context;
use super::routes::{Route, Routes};
use super::survey::{Window, entry_time};
use super::tally::Tally;
use crate::failure::{Failure, Result};
use crate::oplog_stream::{OplogEvent, OplogStream};
use crate::progress::Unit;

use worker::{Message, Worker};

/// Stored bytes of slices between two marks.
const MARK_BYTES: u64 = 16 * 1024 * 1024;
/// Slices between two marks.
const MARK_SLICES: usize = 32;
/// A batch goes to its writer when it has this many operations or bytes.
const BATCH_OPERATIONS: usize = 1_000;
const BATCH_BYTES: usize = 2 * 1024 * 1024;

#[derive(Debug, Default)]
pub struct Replayed {
    pub operations: u64,
    pub bytes: u64,
    pub tally: Tally,
}

/// What happens to one document.
#[derive(Debug)]
pub struct Change {
    pub at: ClusterTime,
    pub kind: OpKind,
    pub route: Arc<Route>,
    pub key: DocumentKey,
    pub key_hash: u64,
    /// `o` of the entry, untouched; a delete needs none.
    pub body: RawDocumentBuf,
    /// The operation must find what it expects.
    pub strict: bool,
    /// An update that makes the document when it is missing.
    pub upsert: bool,
}

pub async fn replay(context: &Context, plan: &RestorePlan, window: &Window, routes: &Routes) -> Result<Replayed> {
    context.progress.phase("replay", Some(window.slice_bytes), Unit::Bytes);
    let position = context.state.replayed_through().max(window.snapshot_begin);
    let replayed = Replayed { tally: Tally::new(&window.records), ..Replayed::default() };
    if window.snapshot_begin >= window.last_entry {
        return Ok(replayed);
    }
    // A continued restore that has replayed everything reads the entries again: they are counted.
    let mut replayer = Replayer {
        rules: Rules {
            window,
            routes,
            applied_through: position,
            restarts_capped: context.restarts_capped(window),
            forgiving_through: window.snapshot_end.max(context.state.dirty_through()),
        },
        position: window.snapshot_begin,
        workers: Workers::start(context),
        replayed,
    };
    let marks = marks(plan);
    let mut next_marks = marks.into_iter().filter(|mark| *mark > position);
    let mut dirty = next_marks.next().unwrap_or(window.last_entry);
    context.state.mark_replayed(&context.destination, position, dirty).await?;

    let mut stream = OplogStream::open(context.reader.clone(), plan.lineage.clone(), plan.slices.clone());
    while let Some(event) = stream.next().await? {
        match event {
            OplogEvent::Entries(block) => {
                for entry in block.documents() {
                    replayer.entry(entry).await?;
                }
            }
            OplogEvent::SliceEnd { through, stored_bytes } => {
                replayer.replayed.bytes += stored_bytes;
                context.progress.advance(stored_bytes);
                if through >= dirty && through < window.last_entry {
                    replayer.workers.flush().await?;
                    dirty = next_marks.by_ref().find(|mark| *mark > through).unwrap_or(window.last_entry);
                    context.state.mark_replayed(&context.destination, through.max(position), dirty).await?;
                }
            }
        }
        if replayer.position >= window.last_entry {
            break;
        }
    }
    let replayed = replayer.finish().await?;
    context.state.mark_replayed(&context.destination, window.last_entry, window.last_entry).await?;
    Ok(replayed)
}

/// Ends of slices at which progress is marked.
fn marks(plan: &RestorePlan) -> Vec<ClusterTime> {
    let mut marks = Vec::new();
    let (mut bytes, mut slices) = (0, 0);
    for slice in &plan.slices {
        bytes += slice.stored_bytes;
        slices += 1;
        if bytes >= MARK_BYTES || slices >= MARK_SLICES {
            marks.push(slice.id.through);
            (bytes, slices) = (0, 0);
        }
    }
    marks
}

struct Replayer<'a> {
    rules: Rules<'a>,
    /// The last entry that was looked at; slices may overlap.
    position: ClusterTime,
    workers: Workers,
    replayed: Replayed,
}

/// What becomes of an operation.
struct Rules<'a> {
    window: &'a Window,
    routes: &'a Routes,
    /// Entries up to here were applied by an earlier attempt.
    applied_through: ClusterTime,
    restarts_capped: bool,
    forgiving_through: ClusterTime,
}

impl Replayer<'_> {
    async fn entry(&mut self, raw: &bson::RawDocument) -> Result<()> {
        let at = entry_time(raw)?;
        if at <= self.position || at > self.rules.window.last_entry {
            return Ok(());
        }
        self.position = at;
        let entry = Entry::parse(raw).map_err(|error| unreadable(&error))?;
        if !self.rules.window.resolution.transactions.applies(&entry) {
            return Ok(());
        }
        // `applyOps` run by a user is logged as it was given, effect or not; one of a transaction has taken effect.
        let by_hand = entry.operation.kind == OpKind::ApplyOps && entry.transaction_role() == TransactionRole::None;
        let mut changes = Vec::new();
        let (rules, tally) = (&self.rules, &mut self.replayed.tally);
        entry
            .for_each_operation::<EntryError>(|operation| {
                if let (true, Some(uuid)) = (operation.kind.is_crud(), operation.uuid) {
                    tally.observe(uuid, at, operation.kind, !(by_hand || operation.upsert));
                }
                changes.push(rules.change(at, &operation, by_hand));
                Ok(())
            })
            .map_err(|error| unreadable(&error))?;
        for change in changes {
            if let Some(change) = change? {
                self.replayed.operations += 1;
                self.workers.send(change).await?;
            }
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<Replayed> {
        self.workers.flush().await?;
        Ok(self.replayed)
    }
}

impl Rules<'_> {
    fn change(&self, at: ClusterTime, operation: &Operation<'_>, by_hand: bool) -> Result<Option<Change>> {
        if !operation.kind.is_crud() {
            return Ok(None);
        }
        let Some(route) = operation.uuid.and_then(|uuid| self.routes.get(uuid)) else { return Ok(None) };
        if at <= self.applied_through && !(route.capped && self.restarts_capped) {
            return Ok(None);
        }
        if operation.kind == OpKind::Insert && route.skip_inserts_through.is_some_and(|through| at <= through) {
            return Ok(None);
        }
        let holder = if operation.kind == OpKind::Update { operation.o2 } else { Some(operation.o) };
        let missing_id =
            || Failure::integrity(format!("the {} at {at} on {} names no _id", operation.kind.name(), operation.ns));
        let key = holder.and_then(DocumentKey::of).ok_or_else(missing_id)?;
        // A text that is not UTF-8 has no value in the library, yet is a fine key: all of those share one hash.
        let key_hash = if route.strictly_ordered { 0 } else { operation.document_id().map_or(1, id_hash) };
        let body = match operation.kind {
            OpKind::Delete => RawDocumentBuf::new(),
            _ => operation.o.to_owned(),
        };
        Ok(Some(Change {
            at,
            kind: operation.kind,
            route: Arc::clone(route),
            key,
            key_hash,
            body,
            strict: at > self.forgiving_through && !by_hand && !route.capped,
            upsert: operation.upsert || by_hand,
        }))
    }
}

fn unreadable(error: &EntryError) -> Failure {
    Failure::integrity(format!("an oplog entry cannot be used: {error}"))
}

/// The writers and the batches that are being filled for them.
struct Workers {
    senders: Vec<tokio::sync::mpsc::Sender<Message>>,
    batches: Vec<(Vec<Change>, usize)>,
    tasks: JoinSet<Result<()>>,
}

impl Workers {
    fn start(context: &Context) -> Self {
        let mut tasks = JoinSet::new();
        let mut senders = Vec::new();
        for _ in 0..context.connections {
            let (sender, receiver) = tokio::sync::mpsc::channel(2);
            tasks.spawn(Worker::new(context.destination.clone(), Arc::clone(&context.state)).run(receiver));
            senders.push(sender);
        }
        let batches = senders.iter().map(|_| (Vec::new(), 0)).collect();
        Self { senders, batches, tasks }
    }

    async fn send(&mut self, change: Change) -> Result<()> {
        let count = self.senders.len() as u64;
        #[allow(clippy::cast_possible_truncation, reason = "less than the number of writers")]
        let index = (route_hash(&change.route).wrapping_add(change.key_hash) % count) as usize;
        let (batch, bytes) = &mut self.batches[index];
        *bytes += change.body.as_bytes().len() + 64;
        batch.push(change);
        if batch.len() >= BATCH_OPERATIONS || *bytes >= BATCH_BYTES {
            self.dispatch(index).await?;
        }
        Ok(())
    }

    async fn dispatch(&mut self, index: usize) -> Result<()> {
        let (batch, _) = std::mem::take(&mut self.batches[index]);
        if batch.is_empty() || self.senders[index].send(Message::Apply(batch)).await.is_ok() {
            return Ok(());
        }
        Err(self.failure().await)
    }

    /// Returns when everything sent so far is applied.
    async fn flush(&mut self) -> Result<()> {
        let mut waits = Vec::new();
        for index in 0..self.senders.len() {
            self.dispatch(index).await?;
            let (done, wait) = tokio::sync::oneshot::channel();
            if self.senders[index].send(Message::Flush(done)).await.is_err() {
                return Err(self.failure().await);
            }
            waits.push(wait);
        }
        for wait in waits {
            if wait.await.is_err() {
                return Err(self.failure().await);
            }
        }
        Ok(())
    }

    /// Why a writer has ended: they only do so with an error.
    async fn failure(&mut self) -> Failure {
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => return failure,
                Err(panic) => return Failure::new(crate::FailureKind::Unexpected, format!("a writer ended: {panic}")),
            }
        }
        Failure::new(crate::FailureKind::Unexpected, "a writer ended without saying why")
    }
}

fn route_hash(route: &Route) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    route.namespace.hash(&mut hasher);
    hasher.finish()
}
