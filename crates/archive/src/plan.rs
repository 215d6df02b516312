//! The restore plan: which snapshot and which slices bring back a moment, or why nothing does.
//!
//! A function of the catalog and the target, so the plan that `dr-cli plan` shows is the one that `dr-cli restore`
//! executes. The rule: of all snapshots without a defect that end at or before the moment, the one that ends last and whose
//! `(begin, moment]` lies in one window of coverage. Snapshots that had to be passed over are named in the notes.

use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, Finding, SnapshotSummary, StoredSlice};
use crate::coverage::{Coverage, CoverageProblem};
use crate::gap::{Gap, GapReason};
use crate::target::{RestoreTarget, WallTarget};
use crate::{ClusterTime, LineageId, SnapshotId};

mod diagnosis;
mod refusal;

#[cfg(test)]
mod tests;

pub use refusal::{Nearest, NotRestorable, Obstacle};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePlan {
    pub lineage: LineageId,
    pub snapshot: PlannedSnapshot,
    pub target: ResolvedTarget,
    /// Ascending; together they hold `(snapshot.begin, target.resolved]`. Entries up to `snapshot.begin` and beyond
    /// the target that the first and last one also hold are not to be replayed.
    pub slices: Vec<StoredSlice>,
    /// Stored bytes to read: snapshot and slices.
    pub bytes: u64,
    /// Documents of the snapshot.
    pub documents: u64,
    /// For people: what is remarkable about the choice.
    pub notes: Vec<String>,
    /// Why the moment may be an older one than was meant: the target is relative to the end of the archive, and that end is
    /// not where it once was or not where the newest slice ends. A restore to it is done with findings, never just "ok".
    #[serde(default)]
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedSnapshot {
    pub id: SnapshotId,
    pub begin: ClusterTime,
    pub end: ClusterTime,
    /// Whether somebody asked for exactly this one.
    #[serde(default)]
    pub named: bool,
}

/// What the target means in cluster time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedTarget {
    /// The target in its canonical spelling.
    pub requested: String,
    pub resolved: ClusterTime,
    /// Whether an entry at `resolved` itself is part of the restore.
    pub inclusive: bool,
    /// An entry at `resolved` must be found when the slices are read, else the target is "not found": it was named as
    /// the one to stop before, and stopping somewhere near it would keep the harm that it did.
    pub must_exist: bool,
    /// Only for times with a fraction. In the second of `resolved`, replay stops before the first entry whose wall time
    /// is later than this (Unix milliseconds). Entries of earlier seconds are not compared: cluster time is what counts
    /// when a server's clock was wrong.
    pub wall_limit_ms: Option<i64>,
}

impl ResolvedTarget {
    /// Whether replay stops before the entry at `ts` with this wall time. Once true, nothing later is applied.
    pub fn stops_before(&self, ts: ClusterTime, wall_ms: Option<i64>) -> bool {
        if ts > self.resolved || (ts == self.resolved && !self.inclusive) {
            return true;
        }
        match (self.wall_limit_ms, wall_ms) {
            (Some(limit), Some(wall)) => ts.seconds == self.resolved.seconds && wall > limit,
            _ => false,
        }
    }
}

/// What has to hold for a snapshot to serve a target.
struct Question<'a> {
    catalog: &'a Catalog,
    coverage: &'a Coverage,
    target: &'a RestoreTarget,
    resolved: ClusterTime,
    /// The latest `end` with which a snapshot does not already contain what the target excludes; `None`: no snapshot can.
    latest_end: Option<ClusterTime>,
    /// Whether the entry at `resolved` is left out. It must be found then, to be sure that it is the one that was meant.
    excludes: bool,
}

impl<'a> Question<'a> {
    fn admits(&self, snapshot: &SnapshotSummary) -> bool {
        let named = match self.target {
            RestoreTarget::Snapshot(id) => snapshot.id == *id,
            _ => true,
        };
        named && self.latest_end.is_some_and(|latest| snapshot.end <= latest)
    }

    fn reaches(&self, snapshot: &SnapshotSummary) -> bool {
        self.coverage.covers(snapshot.begin, self.resolved)
    }

    /// Snapshots that are early enough, damaged ones included; the one that ends last comes first.
    fn candidates(&self) -> Vec<&'a SnapshotSummary> {
        let mut candidates: Vec<_> = self.catalog.snapshots.iter().filter(|snapshot| self.admits(snapshot)).collect();
        candidates.sort_by(|a, b| (b.end, b.begin, &b.id).cmp(&(a.end, a.begin, &a.id)));
        candidates
    }
}

pub fn plan_restore(catalog: &Catalog, target: &RestoreTarget) -> Result<RestorePlan, NotRestorable> {
    plan_restore_with(catalog, &Coverage::of_catalog(catalog), target)
}

/// For callers that already know the coverage of this very catalog.
pub fn plan_restore_with(
    catalog: &Catalog,
    coverage: &Coverage,
    target: &RestoreTarget,
) -> Result<RestorePlan, NotRestorable> {
    let refuse = |question: Option<&Question>, obstacle| {
        NotRestorable::new(catalog, target, diagnosis::nearest(catalog, coverage, question), obstacle)
    };
    if catalog.snapshots.is_empty() && !matches!(target, RestoreTarget::Snapshot(_)) {
        return Err(refuse(None, Obstacle::NoSnapshot));
    }
    let question = ask(catalog, coverage, target).map_err(|obstacle| refuse(None, obstacle))?;
    let candidates = question.candidates();
    let serves = |snapshot: &&&SnapshotSummary| snapshot.defect().is_none() && question.reaches(snapshot);
    let Some(chosen) = candidates.iter().find(serves).copied() else {
        let obstacle = diagnosis::obstacle(&question, &candidates);
        return Err(refuse(Some(&question), obstacle));
    };
    let Ok(slices) = coverage.chain(chosen.begin, question.resolved) else {
        return Err(refuse(Some(&question), diagnosis::obstacle(&question, &candidates)));
    };
    let passed_over = candidates.iter().take_while(|candidate| candidate.id != chosen.id);
    let mut notes: Vec<String> = passed_over.map(|snapshot| diagnosis::passed_over(&question, snapshot)).collect();
    let findings = findings(&question);
    notes.extend(findings.iter().map(|finding| finding.problem.clone()));
    Ok(RestorePlan {
        lineage: catalog.lineage.clone(),
        snapshot: PlannedSnapshot {
            id: chosen.id.clone(),
            begin: chosen.begin,
            end: chosen.end,
            named: matches!(target, RestoreTarget::Snapshot(_)),
        },
        target: ResolvedTarget {
            requested: target.to_string(),
            resolved: question.resolved,
            inclusive: !question.excludes,
            must_exist: question.excludes,
            wall_limit_ms: match target {
                RestoreTarget::Time(time) => time.limit_ms(),
                _ => None,
            },
        },
        bytes: slices.iter().map(|slice| slice.stored_bytes).fold(chosen.stored_bytes, u64::saturating_add),
        slices,
        documents: chosen.documents,
        notes,
        findings,
    })
}

/// What the target means for this catalog.
fn ask<'a>(catalog: &'a Catalog, coverage: &'a Coverage, target: &'a RestoreTarget) -> Result<Question<'a>, Obstacle> {
    let whole_second = |seconds| (ClusterTime::end_of_second(seconds), Some(ClusterTime::end_of_second(seconds)));
    let (resolved, latest_end) = match target {
        RestoreTarget::Latest => {
            let newest = coverage.restore_windows(&catalog.snapshots).last().map(|window| window.through);
            // Without any window the newest snapshot is the one whose obstacle is worth naming.
            let newest = newest.or_else(|| catalog.snapshots.iter().map(|snapshot| snapshot.end).max());
            let newest = newest.ok_or(Obstacle::NoSnapshot)?;
            (newest, Some(newest))
        }
        RestoreTarget::At(time) => (*time, Some(*time)),
        // The record proves that the entry is there, and everything before it can be replayed.
        RestoreTarget::Before(time) if is_not_replayable(catalog, *time) => (time.predecessor(), before(*time)),
        RestoreTarget::Before(time) => (*time, before(*time)),
        RestoreTarget::Time(WallTarget { seconds, millis: None }) => whole_second(*seconds),
        // A snapshot that ends within the second may already hold entries of a later millisecond.
        RestoreTarget::Time(WallTarget { seconds, millis: Some(_) }) => {
            (ClusterTime::end_of_second(*seconds), before(ClusterTime::new(*seconds, 0)))
        }
        RestoreTarget::Ago { seconds } => {
            let archived = coverage.archived_through().ok_or(Obstacle::NothingArchived)?;
            whole_second(archived.seconds.saturating_sub(*seconds))
        }
        RestoreTarget::Snapshot(id) => {
            let snapshot = catalog.snapshots.iter().find(|snapshot| snapshot.id == *id);
            let snapshot = snapshot.ok_or_else(|| Obstacle::UnknownSnapshot {
                id: id.clone(),
                known: catalog.snapshots.iter().map(|snapshot| snapshot.id.clone()).collect(),
            })?;
            (snapshot.end, Some(snapshot.end))
        }
    };
    let excludes = matches!(target, RestoreTarget::Before(time) if resolved == *time);
    Ok(Question { catalog, coverage, target, resolved, latest_end, excludes })
}

/// Whether a gap is recorded that begins with the entry at `time`.
fn is_not_replayable(catalog: &Catalog, time: ClusterTime) -> bool {
    let begins = |gap: &Gap| gap.reason == GapReason::NotReplayable && before(time) == Some(gap.after);
    catalog.gaps.iter().any(begins)
}

fn before(time: ClusterTime) -> Option<ClusterTime> {
    (time > ClusterTime::ZERO).then(|| time.predecessor())
}

/// Only for targets that are relative to the end of the archive; any other moment is exactly what was asked for.
fn findings(question: &Question) -> Vec<Finding> {
    let Question { catalog, coverage, target, resolved, .. } = *question;
    if !matches!(target, RestoreTarget::Latest | RestoreTarget::Ago { .. }) {
        return Vec::new();
    }
    let shortened = shortened(question).map(|problem| catalog.about_slices(problem));
    shortened.into_iter().chain(catalog.findings_behind(coverage, resolved)).collect()
}

/// `latest` promises the newest moment that can be restored; that the archive goes on behind it must not stay unsaid.
fn shortened(question: &Question) -> Option<String> {
    let Question { coverage, target, resolved, .. } = *question;
    let through = coverage.claimed_through().filter(|through| resolved < *through)?;
    let is_here = |problem: &&CoverageProblem| problem.range().through > resolved;
    let why = coverage.problems.iter().find(is_here).map(|problem| format!(" ({problem})")).unwrap_or_default();
    (*target == RestoreTarget::Latest).then(|| {
        format!(
            "the archive holds slices through {}, but after {} nothing can be restored: history is broken there{why} and no \
             snapshot that can be used follows yet",
            refusal::Moment(through),
            refusal::Moment(resolved)
        )
    })
}
