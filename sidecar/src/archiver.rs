//! Continuous archiving: follows the oplog up to the majority commit point and publishes it in slices.
//!
//! The position is always the end of the last published slice. Whatever goes wrong, the open slice is thrown away and
//! read again from there, after the position was proven anew: so there is never a hole that is not a recorded gap, and
//! never an entry that could roll back. Memory is bounded by one slice: nothing is read while a full one waits for the
//! store. Used by `run`, and by `snapshot` for its own window when nobody else archives.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use archive::ClusterTime;
use archive::layout::ObjectKey;
use bytes::Bytes;
use replset::oplog::{self, OplogBatch, TailOptions};
use replset::topology::{self, STALE_SECONDS};
use store::Created;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::archive_store::{ArchiveEnd, ArchiveStore};
use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::lease::Permit;
use crate::metrics::Metrics;
use crate::source::{Source, SourceMember};

mod cut_policy;
mod high_water;
mod lookout;
mod open_slice;
mod refusals;
mod resume;
mod window;

pub use cut_policy::{CutPolicy, CutReason, OpenSliceAge};
use high_water::{MarkTimes, MarkWriter};
use open_slice::{FinishedSlice, OpenSlice, entry_time};
pub use refusals::Refusals;
use resume::Position;
pub use window::{ArchiveWindow, ArchiverState, LastError, WindowEnds, window};

/// How often a member without news is compared with the others.
const LOOK_AROUND: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub struct ArchiverSettings {
    pub cut: CutPolicy,
    pub compression_level: i32,
    /// How long publishing the last slice may take when asked to stop.
    pub grace: Duration,
    /// Leaves out what another sidecar has archived meanwhile, and does not wait for a user that is refused.
    pub for_one_snapshot: bool,
    /// Shown before each write; without one nobody is asked.
    pub permit: Option<Permit>,
}

/// The archiver of one lineage. [`Archiver::run`] ends when it is stopped or when going on would be wrong.
#[derive(Debug)]
pub struct Archiver {
    pub source: Source,
    pub archive: ArchiveStore,
    pub settings: ArchiverSettings,
    pub ends: WindowEnds,
    pub metrics: Metrics,
    pub stop: CancellationToken,
    /// Somebody else seems to archive: the archive ended just now.
    expects_another: bool,
    stopped_at: OnceLock<Instant>,
}

impl Archiver {
    pub async fn run(mut self) -> Result<()> {
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(10));
        let mut refusals = Refusals::default();
        loop {
            let before = self.ends.state.borrow().archived_through;
            match self.archive_until_trouble().await {
                Ok(()) => break,
                // Another one archives, or will: what was read is read again by that one.
                Err(Error::LeaseLost) => return Err(Error::LeaseLost),
                Err(Error::Cancelled) if self.stop.is_cancelled() => break,
                Err(error) if error.is_transient() || (error.is_refused_user() && !self.settings.for_one_snapshot) => {
                    if !refusals.tell(&error) {
                        tracing::warn!(event = "archiving_interrupted", %error, "archiving interrupted; trying again");
                    }
                    self.ends.state.send_modify(|state| state.last_error = Some(LastError::now(&error)));
                }
                Err(error) => return Err(error),
            }
            if before.is_some() && self.ends.state.borrow().archived_through > before {
                backoff.reset();
                refusals = Refusals::default();
            }
            if !backoff.wait(&self.stop).await {
                break;
            }
        }
        self.tell_what_is_left();
        Ok(())
    }

    /// A stop is orderly even when the store is away: what could not be archived is still in the server's oplog.
    fn tell_what_is_left(&self) {
        let state = self.ends.state.borrow();
        let Some(after) = state.archived_through else {
            tracing::warn!(
                event = "stopped_before_resume",
                "stopped before it was found where the archive ends; the next start goes on there"
            );
            return;
        };
        match state.seen.newest_write.filter(|newest| *newest > after) {
            // A snapshot's own archiver has done what it was for.
            Some(newest) if !self.settings.for_one_snapshot => {
                tracing::warn!(event = "stopped_with_writes_pending", %after, newest_write = %newest,
                oplog_headroom_seconds = state.headroom_seconds(),
                "stopped with writes not archived: those after {after} are only in the server's oplog; nothing is lost while \
                 it holds them, the next start goes on from there");
            }
            _ => tracing::info!(event = "archiving_stopped", through = %after, "archiving stopped"),
        }
    }

    /// From finding the position to the first failure. `Ok` when stopped.
    async fn archive_until_trouble(&mut self) -> Result<()> {
        let (stop, permit) = (self.stop.clone(), self.settings.permit.clone());
        let started = tokio::select! {
            started = self.find_start() => started?,
            () = stop.cancelled() => return Ok(()),
            () = lost(permit.as_ref()) => return Err(Error::LeaseLost),
        };
        let (member, mut position) = started;
        let span = tracing::info_span!("archive", member = member.host);
        self.follow(&member, &mut position).instrument(span).await
    }

    async fn find_start(&mut self) -> Result<(SourceMember, Position)> {
        self.confirm().await?;
        let slices_end = self.archive.archived_end().await?;
        let archived = match slices_end {
            Some(archived) => Some(archived),
            None => crate::snapshot::oldest_begin(&self.archive).await?.map(|at| ArchiveEnd { at, digest: None }),
        };
        let start = resume::find_start(&self.source, &self.archive, archived).await?;
        let after = start.position.after;
        self.archive.record_recipients(after).await?;
        if self.settings.for_one_snapshot {
            let now = topology::majority_commit_point(&start.member.connection).await?.ts;
            let fresh = self.settings.cut.span.as_secs() * 2 + 2;
            self.expects_another = archived.is_some() && u64::from(now.seconds.saturating_sub(after.seconds)) <= fresh;
        }
        if start.gap.is_some() {
            self.metrics.gaps.inc();
        }
        self.ends.state.send_modify(|state| {
            state.member = Some(start.member.host.clone());
            // Behind a gap a new unbroken stretch begins.
            if start.gap.is_some() || state.started_after.is_none() {
                state.started_after = Some(after);
            }
            state.archived_through = Some(after);
            state.newest_slice = state.newest_slice.max(slices_end.map(|end| end.at.ts));
            state.pending_since = None;
            state.gaps += u64::from(start.gap.is_some());
        });
        tracing::info!(event = "archiving_started", member = start.member.host, %after, "archiving");
        Ok((start.member, start.position))
    }

    async fn follow(&mut self, member: &SourceMember, position: &mut Position) -> Result<()> {
        let wait = (self.settings.cut.span / 4).clamp(Duration::from_millis(200), Duration::from_secs(1));
        let options = TailOptions { await_data: wait, ..TailOptions::default() };
        let from = if position.entry.is_some() {
            position.after
        } else {
            ClusterTime::from_bits(position.after.to_bits() + 1)
        };
        let mut tail = oplog::tail(&member.connection, from, options).await?;
        let mut slice = self.open_slice(position)?;
        let (stop, permit) = (self.stop.clone(), self.settings.permit.clone());
        let mut unproven = position.entry;
        let mut looked_around = Instant::now();
        loop {
            let batch = tokio::select! {
                batch = tail.next_batch() => batch?,
                () = stop.cancelled() => {
                    return self.stop_with(slice, position).await;
                }
                () = lost(permit.as_ref()) => return Err(Error::LeaseLost),
            };
            let is_quiet = batch.entries()?.next().is_none();
            if !is_quiet && let Some(proof) = unproven.take() {
                resume::prove_first(&batch, member, position.after, proof)?;
            }
            self.take(&batch, &mut slice, position).await?;
            drop(batch);
            let wanted = *self.ends.wanted.borrow();
            if let Some(reason) = self.settings.cut.due(&slice.age(), position.after, wanted) {
                self.cut(&mut slice, position, reason).await?;
            }
            self.tell_of(&slice);
            if is_quiet && looked_around.elapsed() >= LOOK_AROUND {
                looked_around = Instant::now();
                self.leave_if_stale(member, slice.last().unwrap_or(position.after)).await?;
            }
        }
    }

    /// A member that replicates nothing any more has no more to read, and looks like one that has read everything.
    async fn leave_if_stale(&self, member: &SourceMember, read: ClusterTime) -> Result<()> {
        let newest = self.ends.state.borrow().seen.newest_write.unwrap_or_default();
        let seconds = newest.seconds.saturating_sub(read.seconds);
        // Only for one that is better: the others may be as far.
        if seconds > STALE_SECONDS && self.source.choose().await?.host != member.host {
            return Err(Error::Stale { member: member.host.clone(), seconds });
        }
        Ok(())
    }

    fn tell_of(&self, slice: &OpenSlice) {
        self.ends.state.send_modify(|state| {
            state.pending_since = slice.first_write();
            state.seen.read(slice.last_write());
        });
    }

    fn open_slice(&self, position: &Position) -> Result<OpenSlice> {
        OpenSlice::new(&self.archive.lineage, position, self.settings.compression_level)
    }

    /// Puts the entries of a batch into slices; full ones are published on the way.
    async fn take(&mut self, batch: &OplogBatch, slice: &mut OpenSlice, position: &mut Position) -> Result<()> {
        self.ends.state.send_modify(|state| {
            state.heard_at = Some(Instant::now());
            state.last_error = None;
        });
        let mut entries = batch.entries()?.peekable();
        while entries.peek().is_some() {
            // Hashing and compressing a large batch would keep other tasks of this thread waiting.
            tokio::task::block_in_place(|| {
                for entry in entries.by_ref() {
                    let entry = entry?;
                    // The first batch starts with the entry at the position itself, and reopened tails overlap.
                    if entry_time(entry)? > slice.last().unwrap_or(position.after) {
                        slice.push(entry)?;
                    }
                    if slice.bytes() >= self.settings.cut.bytes {
                        break;
                    }
                }
                Ok::<_, Error>(())
            })?;
            if slice.bytes() >= self.settings.cut.bytes {
                self.cut(slice, position, CutReason::Bytes).await?;
            }
        }
        Ok(())
    }

    /// Publishes the open slice and opens the next. Keeps trying for as long as it takes.
    async fn cut(&mut self, slice: &mut OpenSlice, position: &mut Position, reason: CutReason) -> Result<()> {
        self.tell_of(slice);
        let full = std::mem::replace(slice, self.open_slice(position)?);
        let finished = tokio::task::block_in_place(|| full.finish())?;
        self.publish(&finished, reason).await?;
        *position = finished.next_position();
        *slice = self.open_slice(position)?;
        Ok(())
    }

    async fn publish(&mut self, slice: &FinishedSlice, reason: CutReason) -> Result<()> {
        // The gaps first: at no moment may history seem unbroken that is not. Also when the slice is left to somebody
        // else, who may not know of them.
        for gap in &slice.gaps {
            let key = gap.key(&self.archive.lineage);
            let body = gap.to_json().map_err(Error::record(&key))?;
            self.put(&key, body.into()).await?;
            tracing::warn!(event = "gap_not_replayable", after = %gap.after, through = %gap.through, detail = gap.detail,
                "gap recorded: nothing can be restored across it but from a snapshot that begins after it");
        }
        if self.settings.for_one_snapshot && self.is_archived_by_another(slice).await? {
            self.metrics.slices_yielded.inc();
            self.published_through(slice);
            return Ok(());
        }
        let object = tokio::task::block_in_place(|| self.archive.seal(slice.object.clone()))?;
        let stored_bytes = object.len() as u64;
        self.put(&slice.id.key(&self.archive.lineage, self.archive.is_encrypted()), object).await?;
        self.metrics.backups.repository_writes(true);
        self.metrics.slices_published.inc();
        self.metrics.slice_bytes.inc_by(stored_bytes);
        self.metrics.slice_entries.inc_by(slice.entries);
        self.published_through(slice);
        tracing::debug!(after = %slice.id.after, through = %slice.through.ts, entries = slice.entries,
            bytes = stored_bytes, ?reason, "slice published");
        Ok(())
    }

    /// Stores an object of the archive, and keeps trying for as long as it takes.
    async fn put(&self, key: &ObjectKey, object: Bytes) -> Result<()> {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(15));
        // Once asked to stop, the grace period is all there is.
        let deadline = async {
            self.stop.cancelled().await;
            tokio::time::sleep_until(self.grace_end()).await;
        };
        tokio::pin!(deadline);
        loop {
            let attempt = async {
                self.confirm().await?;
                match self.archive.put_slice(key, object.clone()).await {
                    Ok(created) => Ok(created),
                    Err(error) => {
                        self.failed_to_publish(key, &error);
                        tokio::time::sleep(backoff.advance()).await;
                        Err(error)
                    }
                }
            };
            let result = tokio::select! {
                result = attempt => result,
                () = &mut deadline => return Err(Error::Cancelled),
                // What is under way may arrive all the same: as overlap.
                () = lost(self.settings.permit.as_ref()) => return Err(Error::LeaseLost),
            };
            // The same name is the same content: somebody else has stored exactly this slice, or this gap.
            match result {
                Ok(Created::New | Created::AlreadyExists) => return Ok(()),
                Err(Error::LeaseLost) => return Err(Error::LeaseLost),
                Err(_) => {}
            }
        }
    }

    /// That this sidecar is the one to write, where there is a choice.
    async fn confirm(&self) -> Result<()> {
        match &self.settings.permit {
            Some(permit) => permit.confirm().await,
            None => Ok(()),
        }
    }

    fn failed_to_publish(&self, key: &ObjectKey, error: &Error) {
        self.metrics.publish_failures.inc();
        if matches!(error, Error::Store(_)) {
            self.metrics.backups.repository_writes(false);
        }
        let what = if matches!(key, ObjectKey::Gap { .. }) { "gap record" } else { "slice" };
        tracing::error!(event = "publish_failed", %key, %error, "{what} not published; reading stops until it is");
        self.ends.state.send_modify(|state| state.last_error = Some(LastError::now(error)));
    }

    fn published_through(&self, slice: &FinishedSlice) {
        let gaps = slice.gaps.len() as u64;
        self.metrics.gaps.inc_by(gaps);
        self.ends.state.send_modify(|state| {
            state.archived_through = Some(slice.through.ts);
            state.newest_slice = Some(slice.through.ts);
            state.pending_since = None;
            state.gaps += gaps;
            state.broken_at = slice.gaps.last().map(|gap| gap.through).or(state.broken_at);
        });
    }

    /// Whether another sidecar archives the same history: then it is given a little time to get as far as this slice.
    async fn is_archived_by_another(&mut self, slice: &FinishedSlice) -> Result<bool> {
        let patience = self.settings.cut.span + Duration::from_secs(1);
        let give_up = Instant::now() + patience;
        loop {
            let coverage = self.archive.stored_since(slice.id.after).await?;
            if coverage.has_integrity_problem() {
                let problem = coverage.problems.iter().find(|problem| problem.is_integrity());
                return Err(Error::Forked { detail: problem.map(ToString::to_string).unwrap_or_default() });
            }
            if coverage.covers(slice.id.after, slice.through.ts) {
                return Ok(true);
            }
            let somebody_is_there = self.expects_another || coverage.reach(slice.id.after) > slice.id.after;
            if !somebody_is_there || Instant::now() >= give_up || self.stop.is_cancelled() {
                self.expects_another = false;
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    async fn stop_with(&mut self, mut slice: OpenSlice, position: &mut Position) -> Result<()> {
        if slice.last().is_none() {
            return Ok(());
        }
        let end = self.grace_end();
        match tokio::time::timeout_at(end, self.cut(&mut slice, position, CutReason::Wanted)).await {
            Ok(Ok(())) => {
                tracing::info!(event = "last_slice_published", through = %position.after, "last slice published");
                Ok(())
            }
            Ok(Err(error)) if matches!(error, Error::LeaseLost) || !error.is_transient() => Err(error),
            Ok(Err(_)) | Err(_) => Err(Error::Cancelled),
        }
    }

    /// One period for all that is left to do after the stop.
    fn grace_end(&self) -> Instant {
        *self.stopped_at.get_or_init(Instant::now) + self.settings.grace
    }
}

async fn lost(permit: Option<&Permit>) {
    match permit {
        Some(permit) => permit.lost().await,
        None => std::future::pending().await,
    }
}

/// Starts an archiver as a task of its own; the window is how others see it.
pub fn spawn(
    source: Source,
    archive: ArchiveStore,
    settings: ArchiverSettings,
    metrics: Metrics,
    stop: CancellationToken,
) -> (ArchiveWindow, tokio::task::JoinHandle<Result<()>>) {
    let (window, ends) = window();
    let lookout = lookout::run(source.clone(), Arc::clone(&ends.state));
    let (state, published) = (Arc::clone(&ends.state), ends.published.clone());
    let mut mark = MarkWriter::new(archive.clone(), state, published, MarkTimes::default());
    let archiver = Archiver {
        source,
        archive,
        settings,
        ends,
        metrics,
        stop,
        expects_another: false,
        stopped_at: OnceLock::new(),
    };
    let task = tokio::spawn(async move {
        let ended = tokio::select! {
            ended = archiver.run() => ended,
            never = lookout => match never {},
            never = mark.run() => match never {},
        };
        if ended.is_ok() {
            mark.finish().await;
        }
        ended
    });
    (window, task)
}
