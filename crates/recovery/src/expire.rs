//! Carries a retention plan out: the same plan that the dry run showed.
//!
//! What is there is listed, the pure plan decides, locks of the store are asked about for what would go, and the plan is
//! made again. To apply it: write the notice, read what holds expiry back once more, plan again, then one request after
//! the other in the order of the plan. It may die anywhere; the next one goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use archive::LineageId;
use archive::coverage::CoveredRange;
use archive::layout::ObjectKey;
use archive::manifest::PublishedManifest;
use archive::retention::{
    Clock, Expiring, Operation, RetentionError, RetentionInput, RetentionPlan, RetentionPolicy, Step, plan_retention,
};
use jiff::Timestamp;
use serde::Serialize;
use store::{Created, ObjectStoreExt as _};

use crate::archive_reader::ArchiveReader;
use crate::failure::{Failure, FailureKind, Result};
use crate::holds::notice::{self, NoticeGuard};
use crate::progress::{Progress, Unit};

pub(crate) mod inventory;
mod locks;

use inventory::Inventory;

/// Beyond that one of the two clocks is wrong, and nobody knows which.
const MOST_DRIFT: Duration = Duration::from_mins(5);

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Expired {
    pub objects: u64,
    pub snapshots: u64,
    pub slices: u64,
    /// Snapshots that were published while they were about to be removed as unfinished ones.
    pub left: Vec<String>,
}

/// A plan that somebody has seen and agreed to.
#[derive(Debug, Clone)]
pub struct Confirmed {
    pub plan: RetentionPlan,
    /// Not after it was made. Ages are judged by this time when it is carried out, so that a minute of thinking makes
    /// nothing old.
    pub as_of: Timestamp,
}

/// What an expiry would do now. Nothing is changed.
pub async fn plan(reader: &ArchiveReader, lineage: &LineageId, policy: &RetentionPolicy) -> Result<RetentionPlan> {
    plan_as_of(reader, lineage, policy, Timestamp::MAX).await
}

/// As if it were not later than `latest`.
async fn plan_as_of(
    reader: &ArchiveReader,
    lineage: &LineageId,
    policy: &RetentionPolicy,
    latest: Timestamp,
) -> Result<RetentionPlan> {
    reader.require_control(lineage).await?;
    let clock = clock(reader).await?;
    let clock = Clock { now: clock.now.min(latest), ..clock };
    let mut inventory = Inventory::take(reader, lineage).await?;
    // Those for whose sake others may go are looked at: a manifest alone does not show what was deleted behind it.
    let mut whole = BTreeSet::new();
    let first = loop {
        let plan = decide(policy, &inventory, &BTreeMap::new(), clock)?;
        if !inventory.find_damage(reader, &plan, &mut whole).await? {
            break plan;
        }
    };
    let locks = locks::of(reader, &first).await?;
    if locks.is_empty() { Ok(first) } else { decide(policy, &inventory, &locks, clock) }
}

/// Plans anew behind the notice and carries that out. Of what was `confirmed` it may be less, as when a pin was set
/// meanwhile, and never more: then it is refused.
pub async fn apply(
    reader: &ArchiveReader,
    lineage: &LineageId,
    policy: &RetentionPolicy,
    (by, confirmed): (&str, Option<&Confirmed>),
    progress: &dyn Progress,
) -> Result<(RetentionPlan, Expired)> {
    let latest = confirmed.map_or(Timestamp::MAX, |confirmed| confirmed.as_of);
    let shown = plan_as_of(reader, lineage, policy, latest).await?;
    if let Some(confirmed) = confirmed
        && !announces(&confirmed.plan.notice(by, latest), &shown)
    {
        return Err(changed(reader, lineage, "it was confirmed"));
    }
    if shown.steps.is_empty() {
        return Ok((shown, Expired::default()));
    }
    // What dead ones left is only in the way.
    for key in alone(reader, lineage, None).await? {
        reader.control().delete(&key).await?;
    }
    let notice = shown.notice(by, notice::end());
    let guard = NoticeGuard::write(reader, lineage, &notice).await?;
    // Another one may have begun at the same moment.
    let carried_out = match alone(reader, lineage, Some(guard.key())).await {
        Ok(_) => carry_out(reader, lineage, (policy, latest), (&notice, &guard), progress).await,
        Err(failure) => Err(failure),
    };
    let removed = guard.remove().await;
    let done = carried_out?;
    removed?;
    Ok(done)
}

/// Refuses when another expiry lives; otherwise the notices that dead ones left.
async fn alone(reader: &ArchiveReader, lineage: &LineageId, own: Option<&str>) -> Result<Vec<String>> {
    let notices = notice::look(reader, lineage, own).await?;
    match notices.living.first() {
        None => Ok(notices.dead),
        Some(other) => Err(Failure::new(FailureKind::LeaseHeld, "another expiry is at work")
            .at(reader.place(lineage.as_str()))
            .because(format!("{} began it, and lives", other.by))
            .then("wait for it; then the same command again")),
    }
}

async fn carry_out(
    reader: &ArchiveReader,
    lineage: &LineageId,
    (policy, latest): (&RetentionPolicy, Timestamp),
    (notice, guard): (&Expiring, &NoticeGuard),
    progress: &dyn Progress,
) -> Result<(RetentionPlan, Expired)> {
    let plan = plan_as_of(reader, lineage, policy, latest).await?;
    // A restore that looked at the notice must not lose what the notice does not speak of.
    if !announces(notice, &plan) {
        return Err(changed(reader, lineage, "it was announced"));
    }
    let mut expired = Expired::default();
    progress.phase("expire", Some(plan.steps.len() as u64), Unit::Items);
    for step in &plan.steps {
        carry_out_step(reader, lineage, step, guard, &mut expired).await?;
        progress.advance(1);
    }
    Ok((plan, expired))
}

/// Whether all that the plan takes was named before.
fn announces(notice: &Expiring, plan: &RetentionPlan) -> bool {
    plan.expired_snapshots().all(|one| notice.snapshots.contains(&one.id))
        && plan.expired_runs().all(|run| {
            let within = |named: &CoveredRange| named.from <= run.range.from && run.range.through <= named.through;
            notice.slices.iter().any(within)
        })
}

fn changed(reader: &ArchiveReader, lineage: &LineageId, since: &str) -> Failure {
    Failure::new(FailureKind::LeaseHeld, format!("the expiry would now delete more than when {since}"))
        .at(reader.place(lineage.as_str()))
        .because("the archive changed meanwhile: a new snapshot was published, or somebody lifted a pin")
        .then("the same command again")
}

async fn carry_out_step(
    reader: &ArchiveReader,
    lineage: &LineageId,
    step: &Step,
    guard: &NoticeGuard,
    expired: &mut Expired,
) -> Result<()> {
    let operations =
        step.operations(lineage).map_err(|problem| Failure::new(FailureKind::Unexpected, problem.to_string()))?;
    for operation in operations {
        guard.confirm()?;
        match operation {
            Operation::Create { key, body } => {
                if reader.store().put_new(&key.to_string(), body.into()).await? == Created::AlreadyExists
                    && is_published(reader, &key).await?
                {
                    expired.left.extend(key.snapshot().map(ToString::to_string));
                    return Ok(());
                }
            }
            Operation::Delete(key) => {
                remove(reader, &key.to_string()).await?;
                expired.objects += 1;
            }
            Operation::DeleteBelow { prefix, except } => {
                let except = except.map(|key| key.to_string());
                for object in reader.store().list_all(&prefix).await? {
                    if !except.contains(&object.key) {
                        guard.confirm()?;
                        remove(reader, &object.key).await?;
                        expired.objects += 1;
                    }
                }
            }
        }
    }
    match step {
        Step::RemoveSnapshot { .. } => expired.snapshots += 1,
        Step::DeleteSlices(slices) => expired.slices += slices.len() as u64,
        _ => {}
    }
    Ok(())
}

async fn is_published(reader: &ArchiveReader, key: &ObjectKey) -> Result<bool> {
    if !matches!(key, ObjectKey::Manifest { .. }) {
        return Ok(false);
    }
    let body = reader.store().get_bytes(&key.to_string(), crate::holds::LIMIT).await?;
    Ok(body.is_some_and(|body| !matches!(PublishedManifest::from_json(&body), Ok(PublishedManifest::Abandoned(_)))))
}

/// Where versions are kept, a deleted object is only hidden and goes on costing.
async fn remove(reader: &ArchiveReader, key: &str) -> Result<()> {
    match reader.store().lock() {
        Some(lock) => lock.purge(key).await?,
        None => reader.store().delete(key).await?,
    }
    Ok(())
}

fn decide(
    policy: &RetentionPolicy,
    inventory: &Inventory,
    locks: &BTreeMap<ObjectKey, archive::retention::ObjectLock>,
    clock: Clock,
) -> Result<RetentionPlan> {
    let input = RetentionInput {
        catalog: &inventory.catalog,
        unfinished: &inventory.unfinished,
        abandoned: &inventory.abandoned,
        orphans: &[],
        references: &inventory.references,
        pins: &inventory.holds.pins,
        protections: &inventory.holds.protections,
        freeze: inventory.holds.freeze.as_ref(),
        locks,
        unreadable: &inventory.holds.unreadable,
        clock,
    };
    plan_retention(policy, &input).map_err(|error| {
        let kind = match &error {
            RetentionError::Policy(_) => FailureKind::Usage,
            RetentionError::Unreadable { .. } | RetentionError::Shortfall { .. } => FailureKind::Integrity,
        };
        let next = match kind {
            FailureKind::Usage => "dr-cli expire --help",
            _ => "dr-cli verify --level list",
        };
        Failure::new(kind, error.to_string()).at(inventory.catalog.lineage.to_string()).then(next)
    })
}

/// Ours, when the store's agrees with it.
async fn clock(reader: &ArchiveReader) -> Result<Clock> {
    let Some(stores) = reader.store().clock().await? else {
        return Ok(Clock { now: Timestamp::now(), uncertainty: Duration::ZERO });
    };
    let now = Timestamp::now();
    let drift = now.duration_since(stores).unsigned_abs();
    if drift > MOST_DRIFT {
        return Err(Failure::new(FailureKind::Unsafe, format!("the clocks differ by {} s", drift.as_secs()))
            .at(reader.place("the store"))
            .because(format!("here it is {now}, the store says {stores}: what looks old may be young"))
            .then("set this machine's clock, then the same command again"));
    }
    Ok(Clock { now, uncertainty: drift })
}

#[cfg(test)]
pub(crate) mod tests;
