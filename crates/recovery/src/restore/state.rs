//! Progress of a restore, kept in the destination (`config.tidemark_restore`), so that the same command resumes it.
//!
//! Data is written with `w: 1`. Before a mark is written, a majority write is waited for, and the primary must still
//! be in the same reign as when the attempt began: then everything the mark speaks of is committed and cannot roll
//! back. After an election the attempt ends without the mark, and the next one goes on from the one before.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use archive::ClusterTime;
use archive::plan::RestorePlan;
use bson::oid::ObjectId;
use bson::{RawDocumentBuf, Timestamp, rawdoc};
use replset::Destination;

use crate::failure::{Failure, FailureKind, Result};

const RESTORE: &str = "restore";
const REPLAY: &str = "replay";
const PARKED: &str = "parked";
const ATTEMPT: &str = "attempt";
/// `loaded:<attempt>:<number>`; earlier versions left out the attempt.
const LOADED: &str = "loaded:";

/// What an earlier attempt left.
#[derive(Debug, Clone)]
pub struct Stored {
    pub archive_id: String,
    pub plan: RestorePlan,
    pub complete: bool,
    holder: Option<String>,
    loaded: HashSet<String>,
    replayed: ClusterTime,
    dirty: ClusterTime,
    has_parked: bool,
}

impl Stored {
    /// From all records of `config.tidemark_restore`; `None` without that of a restore.
    fn of(records: Vec<(String, RawDocumentBuf)>) -> Result<Option<Self>> {
        let (mut restore, mut holder) = (None, None);
        let (mut loaded, mut replayed, mut dirty, mut has_parked) =
            (HashSet::new(), ClusterTime::ZERO, ClusterTime::ZERO, false);
        for (id, document) in records {
            match id.as_str() {
                RESTORE => restore = Some(restore_document(&document)?),
                REPLAY => {
                    let time = |name| document.get_timestamp(name).map(ClusterTime::from).unwrap_or_default();
                    (replayed, dirty) = (time("through"), time("dirty"));
                }
                ATTEMPT => holder = document.get_str("id").ok().map(str::to_owned),
                PARKED => has_parked = true,
                id if id.starts_with(LOADED) => {
                    let segments = document.get_array("segments").into_iter().flatten().flatten();
                    loaded.extend(segments.filter_map(|segment| segment.as_str().map(str::to_owned)));
                }
                _ => {}
            }
        }
        let Some((archive_id, plan, complete)) = restore else { return Ok(None) };
        Ok(Some(Self { archive_id, plan, complete, holder, loaded, replayed, dirty, has_parked }))
    }
}

#[derive(Debug)]
pub struct RestoreState {
    stored: Option<Stored>,
    attempt: String,
    /// The primary's reign in which this attempt writes.
    election: ObjectId,
    next_mark: AtomicU64,
    /// When this attempt was last seen to be the one that owns the destination.
    confirmed: Mutex<Option<Instant>>,
}

/// How long a confirmation holds. By the process's own clock, which goes on while it is stopped: one that wakes up asks
/// again before it writes.
pub const CONFIRMED_FOR: Duration = Duration::from_secs(1);

impl RestoreState {
    pub fn fresh(attempt: &str, election: ObjectId) -> Self {
        Self {
            stored: None,
            attempt: attempt.to_owned(),
            election,
            next_mark: AtomicU64::new(0),
            confirmed: Mutex::new(None),
        }
    }

    pub fn resumed(attempt: &str, election: ObjectId, stored: Stored) -> Self {
        Self { stored: Some(stored), ..Self::fresh(attempt, election) }
    }

    /// The same attempt with what the earlier ones have left by now: they went on until they saw that it had begun.
    pub async fn reread(&self, destination: &Destination) -> Result<Self> {
        let stored = if self.is_resumed() { Self::load(destination).await? } else { None };
        Ok(Self { stored, ..Self::fresh(&self.attempt, self.election) })
    }

    pub async fn load(destination: &Destination) -> Result<Option<Stored>> {
        Stored::of(destination.progress_all().await?)
    }

    /// Marks the destination as being restored into.
    pub async fn begin(&self, destination: &Destination, archive_id: &str, plan: &RestorePlan) -> Result<()> {
        let mut attempt = RawDocumentBuf::new();
        attempt.append(bson::raw::cstr!("id"), self.attempt.as_str());
        destination.progress_put(ATTEMPT, &attempt).await?;
        destination.progress_put(RESTORE, &restore_mark(archive_id, plan, false)?).await?;
        Ok(())
    }

    /// Call when everything is settled.
    pub async fn complete(&self, destination: &Destination, plan: &RestorePlan) -> Result<()> {
        let mut document = destination.progress_get(RESTORE).await?.ok_or_else(|| {
            Failure::new(FailureKind::Unexpected, "the restore's own record vanished from config.tidemark_restore")
        })?;
        let archive_id = document.get_str("archiveId").unwrap_or_default().to_owned();
        document = restore_mark(&archive_id, plan, true)?;
        destination.progress_put(RESTORE, &document).await?;
        Ok(())
    }

    pub fn attempt(&self) -> &str {
        &self.attempt
    }

    /// The attempt that had the destination before this one.
    pub fn holder(&self) -> Option<&str> {
        self.stored.as_ref().and_then(|stored| stored.holder.as_deref())
    }

    pub fn is_resumed(&self) -> bool {
        self.stored.is_some()
    }

    /// Whether the earlier attempt came as far as creating views, whose names are not known in advance.
    pub fn has_views(&self) -> bool {
        self.stored.as_ref().is_some_and(|stored| stored.has_parked)
    }

    /// Whether the earlier attempt had created all collections: whatever comes after creation leaves a mark. Creating them
    /// again is not only needless, `collMod` is refused while an index build of that attempt still runs.
    pub fn is_past_creation(&self) -> bool {
        self.stored.as_ref().is_some_and(|s| s.has_parked || !s.loaded.is_empty() || s.replayed > ClusterTime::ZERO)
    }

    pub fn is_loaded(&self, segment: &str) -> bool {
        self.stored.as_ref().is_some_and(|stored| stored.loaded.contains(segment))
    }

    /// Whether replay has begun: then loading is over, whatever marks of it are there. To load again would bring documents
    /// back whose deletion is replayed.
    pub fn is_past_loading(&self) -> bool {
        self.replayed_through() > ClusterTime::ZERO
    }

    /// Up to here everything is replayed; zero when replay has not begun.
    pub fn replayed_through(&self) -> ClusterTime {
        self.stored.as_ref().map_or(ClusterTime::ZERO, |stored| stored.replayed)
    }

    /// Up to here an earlier attempt may have applied entries without having marked it.
    pub fn dirty_through(&self) -> ClusterTime {
        self.stored.as_ref().map_or(ClusterTime::ZERO, |stored| stored.dirty)
    }

    pub async fn mark_loaded(&self, destination: &Destination, segments: &[String]) -> Result<()> {
        self.settle(destination).await?;
        let id = self.next_mark_id();
        let mut list = bson::RawArrayBuf::new();
        for segment in segments {
            list.push(segment.as_str());
        }
        let mut document = RawDocumentBuf::new();
        document.append(bson::raw::cstr!("segments"), list);
        Ok(destination.progress_put(&id, &document).await?)
    }

    /// One that no other mark has: those of an attempt can be lost one by one, so their number says nothing to the next.
    fn next_mark_id(&self) -> String {
        format!("{LOADED}{}:{}", self.attempt, self.next_mark.fetch_add(1, Ordering::Relaxed))
    }

    /// Entries up to `through` are applied; entries up to `dirty` may be, from now on.
    pub async fn mark_replayed(
        &self,
        destination: &Destination,
        through: ClusterTime,
        dirty: ClusterTime,
    ) -> Result<()> {
        self.settle(destination).await?;
        let document = rawdoc! { "through": Timestamp::from(through), "dirty": Timestamp::from(dirty) };
        Ok(destination.progress_put(REPLAY, &document).await?)
    }

    pub async fn mark_parked(destination: &Destination, document: RawDocumentBuf) -> Result<()> {
        Ok(destination.progress_put(PARKED, &document).await?)
    }

    pub async fn parked(destination: &Destination) -> Result<Option<RawDocumentBuf>> {
        Ok(destination.progress_get(PARKED).await?)
    }

    /// Makes sure that everything written so far is there to stay, and that no other restore has taken over.
    pub async fn settle(&self, destination: &Destination) -> Result<()> {
        destination.majority_barrier().await?;
        let election = destination.election_id().await?;
        if self.election != election {
            return Err(Failure::new(
                FailureKind::Unreachable,
                "the destination elected another primary during the restore",
            )
            .at(destination.server())
            .because("writes of the last seconds may have been rolled back")
            .then("run the same command again: it goes on from the last safe point"));
        }
        self.confirm_owner(destination).await
    }

    /// Call before every write of data: an attempt that was stopped for a while may have been taken over meanwhile.
    pub async fn confirm(&self, destination: &Destination) -> Result<()> {
        let fresh = self.confirmed.lock().is_ok_and(|at| at.is_some_and(|at| at.elapsed() < CONFIRMED_FOR));
        if fresh { Ok(()) } else { self.confirm_owner(destination).await }
    }

    /// Asks whether this attempt still owns the destination.
    pub async fn confirm_owner(&self, destination: &Destination) -> Result<()> {
        let asked = Instant::now();
        let attempt = destination.progress_get(ATTEMPT).await?;
        let holder = attempt.as_ref().and_then(|document| document.get_str("id").ok());
        if holder.is_some_and(|holder| holder != self.attempt) {
            return Err(Self::taken_over().at(destination.server()));
        }
        if let Ok(mut confirmed) = self.confirmed.lock() {
            *confirmed = Some(asked);
        }
        Ok(())
    }

    pub fn taken_over() -> Failure {
        Failure::new(FailureKind::LeaseHeld, "another restore took over this destination")
            .because("the same command was started a second time")
            .then("let that one finish")
    }
}

fn restore_mark(archive_id: &str, plan: &RestorePlan, complete: bool) -> Result<RawDocumentBuf> {
    let json = serde_json::to_string(plan)
        .map_err(|error| Failure::new(FailureKind::Unexpected, format!("the plan cannot be written down: {error}")))?;
    let mut document = rawdoc! {
        "format": 1,
        "archiveId": archive_id,
        "lineage": plan.lineage.as_str(),
        "restoredTo": Timestamp::from(plan.target.resolved),
        "complete": complete,
    };
    document.append(bson::raw::cstr!("plan"), json);
    Ok(document)
}

fn restore_document(document: &bson::RawDocument) -> Result<(String, RestorePlan, bool)> {
    let invalid = || {
        Failure::new(FailureKind::Unsafe, "config.tidemark_restore in the destination cannot be read")
            .because("another release wrote it, or it was changed by hand")
            .then("start over in a fresh replica set")
    };
    let plan = document.get_str("plan").ok().and_then(|json| serde_json::from_str(json).ok()).ok_or_else(invalid)?;
    let archive_id = document.get_str("archiveId").map_err(|_| invalid())?.to_owned();
    Ok((archive_id, plan, document.get_bool("complete").unwrap_or(false)))
}

#[cfg(test)]
mod tests {
    use archive::plan::{PlannedSnapshot, ResolvedTarget};

    use super::*;

    fn plan() -> RestorePlan {
        let at = ClusterTime::new(10, 1);
        RestorePlan {
            lineage: "rs-1".parse().unwrap(),
            snapshot: PlannedSnapshot { id: "snapshot".parse().unwrap(), begin: at, end: at, named: false },
            target: ResolvedTarget {
                requested: "latest".to_owned(),
                resolved: at,
                inclusive: true,
                must_exist: false,
                wall_limit_ms: None,
            },
            slices: Vec::new(),
            bytes: 0,
            documents: 0,
            notes: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn stored(records: Vec<(String, RawDocumentBuf)>) -> Stored {
        let restore = (RESTORE.to_owned(), restore_mark("archive", &plan(), false).unwrap());
        Stored::of(records.into_iter().chain([restore]).collect()).unwrap().unwrap()
    }

    fn mark(id: String, segment: &str) -> (String, RawDocumentBuf) {
        (id, rawdoc! { "segments": [segment] })
    }

    #[test]
    fn a_mark_takes_the_place_of_no_other_even_when_some_were_lost_and_those_of_earlier_versions_are_read() {
        let election = ObjectId::new();
        let first = RestoreState::fresh("first", election);
        let (_lost, landed) = (first.next_mark_id(), first.next_mark_id());
        let mut marks = vec![mark("loaded:1".to_owned(), "old"), mark(landed, "landed")];
        let second = RestoreState::resumed("second", election, stored(marks.clone()));
        marks.extend((0..3).map(|_| mark(second.next_mark_id(), "later")));
        let names: HashSet<&String> = marks.iter().map(|(id, _)| id).collect();
        assert_eq!(names.len(), marks.len(), "{names:?}");
        let third = RestoreState::resumed("third", election, stored(marks));
        assert!(["old", "landed", "later"].iter().all(|segment| third.is_loaded(segment)), "{third:?}");
        assert!(!third.is_loaded("lost"));
    }

    #[test]
    fn loading_is_over_when_replay_has_begun_whatever_marks_of_it_are_there() {
        let resumed = |records| RestoreState::resumed("a", ObjectId::new(), stored(records));
        assert!(!resumed(vec![mark("loaded:b:0".to_owned(), "s")]).is_past_loading());
        let begun = Timestamp::from(ClusterTime::new(10, 1));
        let replay = (REPLAY.to_owned(), rawdoc! { "through": begun, "dirty": begun });
        assert!(resumed(vec![replay]).is_past_loading());
    }
}
