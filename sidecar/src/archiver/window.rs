//! What the archiver tells the rest of the sidecar, and how somebody asks it to reach a moment soon.

use std::sync::Arc;
use std::time::Duration;

use archive::high_water::Shortfall;
use archive::{ClusterTime, SnapshotId};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::now_text;
use crate::error::{Error, Result};

/// A member that was silent for this long is not alive, and what it said is not known any more: the tail gets an answer
/// every second, the lookout every two.
const SILENCE: Duration = Duration::from_secs(10);
/// Beyond what a restart or a busy store costs.
const LAG_LIMIT: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Default)]
pub struct ArchiverState {
    pub member: Option<String>,
    /// Where this archiver has started; everything from here to `archived_through` was archived without a break.
    pub started_after: Option<ClusterTime>,
    pub archived_through: Option<ClusterTime>,
    /// When the tail got its last reply.
    pub heard_at: Option<Instant>,
    /// When the oldest write that is not published yet was read.
    pub pending_since: Option<Instant>,
    /// What the server itself showed, whether or not anything was read or could be stored.
    pub seen: OplogSeen,
    pub gaps: u64,
    /// The newest archived entry that no restore can replay: a snapshot that began before it serves nothing after it.
    pub broken_at: Option<ClusterTime>,
    /// Where the newest slice ends, once there is one.
    pub newest_slice: Option<ClusterTime>,
    /// What was once archived and is missing.
    pub shortfalls: Vec<Shortfall>,
    /// Until the next success.
    pub last_error: Option<LastError>,
}

/// The ends of the server's oplog, and when they were looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct OplogSeen {
    pub oldest: Option<(ClusterTime, Instant)>,
    /// The newest committed write that is not a no-op of the server's own, of those that the archive once lacked.
    pub newest_write: Option<ClusterTime>,
    /// When the server was last asked for it.
    pub newest_write_at: Option<Instant>,
}

impl OplogSeen {
    pub fn looked(&mut self, newest_write: Option<ClusterTime>) {
        self.read(newest_write);
        self.newest_write_at = Some(Instant::now());
    }

    /// A committed write that came by the tail, between two looks.
    pub fn read(&mut self, write: Option<ClusterTime>) {
        // One member can know less than another did.
        self.newest_write = self.newest_write.max(write);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastError {
    pub at: String,
    pub what: String,
}

impl LastError {
    pub fn now(error: &Error) -> Self {
        Self { at: now_text(), what: error.to_string() }
    }
}

impl ArchiverState {
    /// How many seconds of committed writes the archive lacks, by what the server has and what is published, or how long
    /// the oldest of them waits if that is more: a single write that nobody follows gets no older by the oplog alone. While
    /// the server is silent it may have gone on. Unknown before the first look.
    pub fn lag_seconds(&self) -> Option<f64> {
        let (archived, looked_at) = (self.archived_through?, self.seen.newest_write_at?);
        let silent = Some(looked_at.elapsed()).filter(|silent| *silent > SILENCE).unwrap_or_default();
        let behind = self.seen.newest_write.map_or(0, |write| write.seconds.saturating_sub(archived.seconds));
        let waits = self.pending_since.map_or(0.0, |since| since.elapsed().as_secs_f64());
        Some((f64::from(behind) + silent.as_secs_f64()).max(waits))
    }

    /// Unknown while the member cannot be asked: its oplog rolls on unseen.
    pub fn headroom_seconds(&self) -> Option<f64> {
        let (archived, (oldest, looked_at)) = (self.archived_through?, self.seen.oldest?);
        let seconds = archived.seconds.saturating_sub(oldest.seconds);
        (looked_at.elapsed() <= SILENCE).then_some(f64::from(seconds))
    }

    /// Why it must not be relied on now.
    pub fn why_not_ready(&self, span: Duration) -> Option<String> {
        if self.member.is_none() || self.heard_at.is_none() {
            let unknown = || "no member of the replica set was read yet".to_owned();
            return Some(self.last_error.as_ref().map_or_else(unknown, |error| error.what.clone()));
        }
        let (Some(heard), limit) = (self.heard_at, span * 3) else { return None };
        let error = self.last_error.as_ref().map(|error| format!(": {}", error.what)).unwrap_or_default();
        if heard.elapsed() > limit.max(SILENCE) {
            return Some(format!("nothing was read from the oplog for {} s{error}", heard.elapsed().as_secs()));
        }
        if let Some(pending) = self.pending_since.map(|since| since.elapsed()).filter(|pending| *pending > limit) {
            return Some(format!("writes have waited for {} s to be archived{error}", pending.as_secs()));
        }
        // What was not even read yet: the member is behind, or the archive is still catching up.
        let lag = self.lag_seconds().filter(|lag| *lag > limit.max(LAG_LIMIT).as_secs_f64())?;
        Some(format!("the archive is {lag:.0} s behind the replica set{error}"))
    }
}

/// The archiver as the snapshot sees it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ArchiveWindow {
    state: watch::Receiver<ArchiverState>,
    wanted: Arc<watch::Sender<ClusterTime>>,
    published: Arc<watch::Sender<Option<SnapshotId>>>,
}

/// The archiver's ends of the same.
#[derive(Debug)]
pub struct WindowEnds {
    pub state: Arc<watch::Sender<ArchiverState>>,
    pub wanted: watch::Receiver<ClusterTime>,
    pub published: watch::Receiver<Option<SnapshotId>>,
}

pub fn window() -> (ArchiveWindow, WindowEnds) {
    let (state, state_seen) = watch::channel(ArchiverState::default());
    let (wanted, wanted_seen) = watch::channel(ClusterTime::ZERO);
    let (published, published_seen) = watch::channel(None);
    let window = ArchiveWindow { state: state_seen, wanted: Arc::new(wanted), published: Arc::new(published) };
    (window, WindowEnds { state: Arc::new(state), wanted: wanted_seen, published: published_seen })
}

impl ArchiveWindow {
    pub fn state(&self) -> ArchiverState {
        self.state.borrow().clone()
    }

    /// Waits until the archiver knows where it starts; the moment after which it archives.
    pub async fn wait_started(&mut self, stop: &CancellationToken) -> Result<ClusterTime> {
        self.wait(stop, |state| state.started_after).await
    }

    /// Waits until everything up to `moment` is archived, which is asked for without delay.
    pub async fn wait_archived(&mut self, moment: ClusterTime, stop: &CancellationToken) -> Result<ClusterTime> {
        self.wanted.send_if_modified(|wanted| {
            let later = moment > *wanted;
            *wanted = moment.max(*wanted);
            later
        });
        self.wait(stop, |state| state.archived_through.filter(|through| *through >= moment)).await
    }

    /// A manifest was published just now: the high-water mark will speak of it.
    pub fn snapshot_published(&self, id: &SnapshotId) {
        self.published.send_replace(Some(id.clone()));
    }

    /// Waits until the archiver has recorded more gaps than `known`.
    pub async fn wait_for_gap(&mut self, known: u64) -> Option<u64> {
        self.state.wait_for(|state| state.gaps > known).await.ok().map(|state| state.gaps)
    }

    /// Waits until an entry after `begin` is archived that cannot be replayed.
    pub async fn wait_for_break(&mut self, begin: ClusterTime) -> ClusterTime {
        let broken = self.state.wait_for(|state| state.broken_at.is_some_and(|at| at > begin)).await;
        match broken.ok().and_then(|state| state.broken_at) {
            Some(at) => at,
            // The archiver has ended.
            None => std::future::pending().await,
        }
    }

    async fn wait<T>(
        &mut self,
        stop: &CancellationToken,
        mut ready: impl FnMut(&ArchiverState) -> Option<T>,
    ) -> Result<T> {
        loop {
            if let Some(value) = ready(&self.state.borrow_and_update()) {
                return Ok(value);
            }
            tokio::select! {
                changed = self.state.changed() => {
                    // The archiver has ended; why is told by its own result.
                    changed.map_err(|_| Error::Cancelled)?;
                }
                () = stop.cancelled() => return Err(Error::Cancelled),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(5);

    fn live() -> ArchiverState {
        ArchiverState {
            member: Some("h:1".to_owned()),
            archived_through: Some(ClusterTime::new(100, 1)),
            heard_at: Some(Instant::now()),
            seen: OplogSeen {
                oldest: Some((ClusterTime::new(40, 1), Instant::now())),
                newest_write: None,
                newest_write_at: Some(Instant::now()),
            },
            ..ArchiverState::default()
        }
    }

    fn ago(seconds: u64) -> Option<Instant> {
        Instant::now().checked_sub(Duration::from_secs(seconds))
    }

    #[test]
    fn readiness_has_a_reason_when_it_is_missing() {
        assert!(ArchiverState::default().why_not_ready(SPAN).is_some());
        assert_eq!(live().why_not_ready(SPAN), None, "an idle server has nothing to archive");
        let waiting = ArchiverState { pending_since: ago(14), ..live() };
        assert_eq!(waiting.why_not_ready(SPAN), None);
        let waiting = ArchiverState { pending_since: ago(16), ..live() };
        assert!(waiting.why_not_ready(SPAN).unwrap().contains("waited for 16 s"));
        let silent = ArchiverState { heard_at: ago(60), ..live() };
        assert!(silent.why_not_ready(SPAN).unwrap().contains("nothing was read from the oplog for 60 s"));
    }

    #[test]
    fn lag_is_what_the_server_has_and_the_archive_has_not() {
        assert_eq!(live().lag_seconds(), Some(0.0), "only no-ops lie between");
        let seen = OplogSeen { newest_write: Some(ClusterTime::new(130, 1)), ..live().seen };
        let behind = ArchiverState { seen, ..live() };
        assert_eq!(behind.lag_seconds(), Some(30.0), "nothing of it was even read");
        let silent = ArchiverState { seen: OplogSeen { newest_write_at: ago(100), ..seen }, ..live() };
        assert!((130.0..131.0).contains(&silent.lag_seconds().unwrap()));
        let archived = ArchiverState { archived_through: Some(ClusterTime::new(130, 1)), ..behind };
        assert_eq!(archived.lag_seconds(), Some(0.0));
        assert_eq!(ArchiverState::default().lag_seconds(), None);
        let one_write = OplogSeen { newest_write: Some(ClusterTime::new(101, 1)), ..live().seen };
        let unpublished = ArchiverState { seen: one_write, pending_since: ago(90), ..live() };
        assert!((90.0..91.0).contains(&unpublished.lag_seconds().unwrap()), "no later write makes it any better");
    }

    #[test]
    fn headroom_is_known_only_as_long_as_somebody_can_look() {
        assert_eq!(live().headroom_seconds(), Some(60.0));
        let rolled = OplogSeen { oldest: Some((ClusterTime::new(95, 1), Instant::now())), ..live().seen };
        assert_eq!(ArchiverState { seen: rolled, ..live() }.headroom_seconds(), Some(5.0));
        let overtaken = OplogSeen { oldest: Some((ClusterTime::new(200, 1), Instant::now())), ..live().seen };
        assert_eq!(ArchiverState { seen: overtaken, ..live() }.headroom_seconds(), Some(0.0));
        let unseen = OplogSeen { oldest: ago(11).map(|at| (ClusterTime::new(40, 1), at)), ..live().seen };
        assert_eq!(ArchiverState { seen: unseen, ..live() }.headroom_seconds(), None);
    }
}
