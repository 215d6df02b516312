//! Retention: what of a lineage is kept, what expires, and in which order it goes.
//!
//! A function of the catalog, the policy, what holds expiry back (pins, protections, freeze, object locks) and a clock
//! value, so the dry run of `dr-cli expire` *is* what `--apply` does. The invariants, each guarded by a property test:
//!
//! - A moment that must stay restorable keeps its plan: the same snapshot and the same slices, before, during and after.
//! - The newest snapshot that can be restored never goes, nor anything pinned, protected, frozen or locked.
//! - The steps may stop after any of them. Nothing then claims to be complete that is not: a snapshot loses its manifest
//!   first and gets an *abandoned* one in its place; history in the middle is recorded as expired before its slices go.
//! - Deciding again after the steps were carried out decides on nothing new.
//!
//! Drill reports are evidence and never expire here; objects that are not ours are never touched.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::catalog::{Catalog, Finding};
use crate::coverage::{Coverage, CoveredRange, RestoreWindow};
use crate::gap::Gap;
use crate::high_water::Shortfall;
use crate::layout::ObjectKey;
use crate::{ClusterTime, LineageId, SnapshotId};

mod policy;
mod reason;
mod record;
mod remains;
mod rules;
mod slices;
mod step;

#[cfg(test)]
mod tests;

pub use policy::{Clock, DEFAULT_TOMBSTONES_FOR, DEFAULT_UNFINISHED_GRACE, PolicyError, RetentionPolicy};
pub use reason::{ExpireReason, KeepReason};
pub use record::{Expiring, Freeze, Pin, Pinned, Protection};
pub use remains::{AbandonedRemains, Orphan, UnfinishedSnapshot};
pub use step::{Operation, Step};

/// What the store itself refuses to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectLock {
    Until(Timestamp),
    LegalHold,
}

/// Everything that the decision depends on. The caller lists and reads; the order of reading does not matter, except that
/// protections are read again after the [`Expiring`] notice was written.
#[derive(Debug, Clone, Copy)]
pub struct RetentionInput<'a> {
    pub catalog: &'a Catalog,
    pub unfinished: &'a [UnfinishedSnapshot],
    pub abandoned: &'a [AbandonedRemains],
    pub orphans: &'a [Orphan],
    /// The cluster times of `references/`.
    pub references: &'a [ClusterTime],
    pub pins: &'a [Pin],
    pub protections: &'a [Protection],
    pub freeze: Option<&'a Freeze>,
    /// Locks that are known. Of a snapshot the key of its manifest stands for all its objects, with the longest lock of any.
    /// It is enough to ask the store about what a first plan would delete, and to plan again.
    pub locks: &'a BTreeMap<ObjectKey, ObjectLock>,
    /// Records below `control/` that might hold something back and could not be read: pins, protections, the freeze.
    pub unreadable: &'a [Finding],
    pub clock: Clock,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetentionError {
    #[error("{0}")]
    Policy(#[from] PolicyError),
    #[error(
        "nothing is expired in lineage {lineage}, because {}: {} ({count} such objects). It may protect something; repair \
         it, or remove it when it is known to be worthless",
        first.object, first.problem
    )]
    Unreadable { lineage: LineageId, first: Finding, count: usize },
    #[error(
        "nothing is expired in lineage {lineage}, because something is missing that nobody expired: {shortfall}. Look at \
         `dr-cli verify` first; what is left may be all there is"
    )]
    Shortfall { lineage: LineageId, shortfall: Shortfall },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "decision", content = "reasons")]
pub enum Decision {
    Keep(Vec<KeepReason>),
    Expire(Vec<ExpireReason>),
}

impl Decision {
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep(_))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotDecision {
    pub id: SnapshotId,
    pub begin: ClusterTime,
    pub end: ClusterTime,
    pub stored_bytes: u64,
    /// Why it cannot be restored and therefore counts for no rule.
    pub defect: Option<String>,
    #[serde(flatten)]
    pub decision: Decision,
}

/// Neighbouring slices with one decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SliceRun {
    pub range: CoveredRange,
    pub slices: usize,
    pub stored_bytes: u64,
    #[serde(flatten)]
    pub decision: Decision,
}

/// A snapshot folder without a complete manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemainsDecision {
    pub id: SnapshotId,
    pub stored_bytes: u64,
    #[serde(flatten)]
    pub decision: Decision,
}

/// A single small object: a gap record, a reference, an orphan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectDecision {
    pub key: ObjectKey,
    #[serde(flatten)]
    pub decision: Decision,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetentionPlan {
    pub lineage: LineageId,
    /// Ascending by end.
    pub snapshots: Vec<SnapshotDecision>,
    /// Ascending.
    pub slices: Vec<SliceRun>,
    pub unfinished: Vec<RemainsDecision>,
    /// Only objects that are decided on one by one.
    pub objects: Vec<ObjectDecision>,
    pub windows_before: Vec<RestoreWindow>,
    pub windows_after: Vec<RestoreWindow>,
    /// For people.
    pub notes: Vec<String>,
    /// To be carried out in this order; may stop anywhere.
    #[serde(skip)]
    pub steps: Vec<Step>,
}

impl RetentionPlan {
    pub fn expired_snapshots(&self) -> impl Iterator<Item = &SnapshotDecision> {
        self.snapshots.iter().filter(|snapshot| !snapshot.decision.is_keep())
    }

    pub fn expired_runs(&self) -> impl Iterator<Item = &SliceRun> {
        self.slices.iter().filter(|run| !run.decision.is_keep())
    }

    /// Stored bytes that are given back.
    pub fn freed_bytes(&self) -> u64 {
        let snapshots = self.expired_snapshots().map(|snapshot| snapshot.stored_bytes);
        let remains = self.unfinished.iter().filter(|remains| !remains.decision.is_keep());
        let slices = self.expired_runs().map(|run| run.stored_bytes);
        snapshots.chain(remains.map(|remains| remains.stored_bytes)).chain(slices).fold(0, u64::saturating_add)
    }

    /// The notice to write before the first step.
    pub fn notice(&self, by: impl Into<String>, expires_at: Timestamp) -> Expiring {
        let snapshots = self.expired_snapshots().map(|snapshot| snapshot.id.clone()).collect();
        Expiring::new(snapshots, self.expired_runs().map(|run| run.range).collect(), by, expires_at)
    }
}

/// A range of history whose slices stay.
#[derive(Debug, Clone)]
struct Needed {
    range: CoveredRange,
    why: KeepReason,
}

/// An archive of which something is missing or cannot be read is not made smaller.
fn refuse_in_doubt(input: &RetentionInput, coverage: &Coverage) -> Result<(), RetentionError> {
    let Catalog { lineage, high_water, .. } = input.catalog;
    // A gap that cannot be read may say that history was replaced.
    let is_gap = |finding: &&Finding| matches!(finding.object.parse(), Ok(ObjectKey::Gap { .. }));
    let unreadable: Vec<&Finding> = input.unreadable.iter().chain(input.catalog.unusable().filter(is_gap)).collect();
    if let Some(first) = unreadable.first() {
        let (lineage, first, count) = (lineage.clone(), (*first).clone(), unreadable.len());
        return Err(RetentionError::Unreadable { lineage, first, count });
    }
    let slices = high_water.as_ref().and_then(|mark| mark.missing_slices(coverage));
    match slices.or_else(|| input.catalog.missing_snapshot()) {
        Some(shortfall) => Err(RetentionError::Shortfall { lineage: lineage.clone(), shortfall }),
        None => Ok(()),
    }
}

pub fn plan_retention(policy: &RetentionPolicy, input: &RetentionInput) -> Result<RetentionPlan, RetentionError> {
    policy.check()?;
    let catalog = input.catalog;
    let coverage = Coverage::of_catalog(catalog);
    refuse_in_doubt(input, &coverage)?;
    let rules::Judgement { snapshots, mut needed, notes } = rules::judge(policy, input, &coverage);
    let unfinished = remains::decide(policy, input, &mut needed);
    needed.extend(rules::locked_slices(input));
    needed.extend(rules::unreadable_manifests(input));
    let chosen = slices::choose(catalog, &coverage, needed);

    let is_kept = |id: &SnapshotId| snapshots.iter().any(|judged| judged.id == *id && judged.decision.is_keep());
    let kept: Vec<_> = catalog.snapshots.iter().filter(|snapshot| is_kept(&snapshot.id)).cloned().collect();
    let tombstones = slices::tombstones(&chosen, input.clock.now);
    let gaps: Vec<Gap> = catalog.gaps.iter().chain(&tombstones).cloned().collect();
    let after = Coverage::of(&chosen.kept, &gaps);
    let windows_after = after.restore_windows(&kept);

    let mut objects = slices::gaps(input, &chosen, &kept, &tombstones);
    objects.extend(remains::references(input, &chosen, &windows_after, &coverage));
    objects.extend(remains::orphans(policy, input, &unfinished, &snapshots));
    let mut plan = RetentionPlan {
        lineage: catalog.lineage.clone(),
        slices: chosen.runs(),
        snapshots,
        unfinished,
        objects,
        windows_before: coverage.restore_windows(&catalog.snapshots),
        windows_after,
        notes,
        steps: Vec::new(),
    };
    plan.steps = if input.freeze.is_some() { Vec::new() } else { step::order(input, &plan, chosen, tombstones) };
    Ok(plan)
}
