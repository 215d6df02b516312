//! What is not a snapshot: unfinished ones, the remains of abandoned and expired ones, objects that nothing speaks of, and
//! references to moments that can no longer be restored.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::slices::Chosen;
use super::{
    Decision, ExpireReason, KeepReason, Needed, ObjectDecision, Pinned, Protection, RemainsDecision, RetentionInput,
    RetentionPolicy, SnapshotDecision,
};
use crate::coverage::{Coverage, CoveredRange, RestoreWindow};
use crate::layout::ObjectKey;
use crate::{ClusterTime, SnapshotId};

/// A snapshot reads its `begin` from a member that may lag, and moves it back before open transactions. Where it is not
/// known, slices from so long before the start are kept for it.
const BEGIN_MARGIN: Duration = Duration::from_hours(1);

/// A folder below `snapshots/` without a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedSnapshot {
    pub id: SnapshotId,
    /// From `start.json`; `None` without one.
    pub started_at: Option<Timestamp>,
    /// The newest object in the folder, by the store's clock.
    pub last_modified: Option<Timestamp>,
    /// Where its replay will start, when its resume marks say so.
    pub begin: Option<ClusterTime>,
    /// Whether the lease under which it is taken is held, as the caller observed it.
    pub is_lease_alive: bool,
    pub stored_bytes: u64,
}

/// A folder below `snapshots/` with an *abandoned* manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbandonedRemains {
    pub id: SnapshotId,
    /// RFC 3339, as the manifest says.
    pub abandoned_at: String,
    /// Whether anything but the manifest is still there.
    pub has_data: bool,
    pub stored_bytes: u64,
}

/// An object of a published snapshot that its manifest does not speak of, or an empty one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    pub key: ObjectKey,
    pub last_modified: Option<Timestamp>,
}

/// Those that have not run out.
pub(super) fn protections<'a>(input: &RetentionInput<'a>) -> impl Iterator<Item = &'a Protection> {
    let earliest = input.clock.earliest();
    input.protections.iter().filter(move |protection| protection.expires_at > earliest)
}

pub(super) fn protected(protection: &Protection) -> KeepReason {
    KeepReason::Protected { id: protection.id.clone(), holder: protection.holder.clone(), until: protection.expires_at }
}

/// Unfinished and abandoned snapshots. Slices that an unfinished one may need are added to what is needed.
pub(super) fn decide(
    policy: &RetentionPolicy,
    input: &RetentionInput,
    needed: &mut Vec<Needed>,
) -> Vec<RemainsDecision> {
    let mut decisions = Vec::new();
    for one in input.unfinished {
        let (mut keep, untouched_since) = unfinished(policy, input, one);
        if let Some(freeze) = input.freeze {
            keep.insert(0, KeepReason::Frozen { reason: freeze.reason.clone() });
        }
        let decision = match untouched_since {
            Some(untouched_since) if keep.is_empty() => {
                Decision::Expire(vec![ExpireReason::Unfinished { untouched_since }])
            }
            _ => {
                let why = KeepReason::NeededByUnfinished { snapshot: one.id.clone() };
                needed.push(Needed { range: CoveredRange::new(first_needed(one), ClusterTime::MAX), why });
                Decision::Keep(keep)
            }
        };
        decisions.push(RemainsDecision { id: one.id.clone(), stored_bytes: one.stored_bytes, decision });
    }
    for one in input.abandoned {
        decisions.push(RemainsDecision {
            id: one.id.clone(),
            stored_bytes: one.stored_bytes,
            decision: abandoned(policy, input, one),
        });
    }
    decisions
}

fn first_needed(one: &UnfinishedSnapshot) -> ClusterTime {
    let early = |instant| {
        let seconds = super::policy::before(instant, BEGIN_MARGIN).as_second().max(0);
        ClusterTime::new(u32::try_from(seconds).unwrap_or(u32::MAX), 0)
    };
    one.begin.or(one.started_at.map(early)).unwrap_or(ClusterTime::ZERO)
}

fn unfinished(
    policy: &RetentionPolicy,
    input: &RetentionInput,
    one: &UnfinishedSnapshot,
) -> (Vec<KeepReason>, Option<Timestamp>) {
    let mut keep = held_back(input, &one.id);
    if one.is_lease_alive {
        keep.push(KeepReason::LeaseAlive);
    }
    let touched = one.started_at.max(one.last_modified);
    match touched {
        None => keep.push(KeepReason::UnknownAge),
        Some(touched) if !input.clock.is_past(touched, policy.unfinished_grace) => {
            keep.push(KeepReason::WithinGrace { until: later(touched, policy.unfinished_grace) });
        }
        Some(_) => {}
    }
    (keep, touched)
}

fn held_back(input: &RetentionInput, id: &SnapshotId) -> Vec<KeepReason> {
    let manifest = ObjectKey::Manifest { lineage: input.catalog.lineage.clone(), snapshot: id.clone() };
    let pins = input.pins.iter().filter(|pin| {
        pin.keeps == Pinned::Snapshot(id.clone()) && pin.until.is_none_or(|until| until > input.clock.earliest())
    });
    let pins = pins.map(|pin| KeepReason::Pinned { id: pin.id.clone(), reason: pin.reason.clone() });
    let locks = super::rules::lock_reason(input, &manifest);
    pins.chain(protections(input).filter(|held| held.snapshot == *id).map(protected)).chain(locks).collect()
}

fn abandoned(policy: &RetentionPolicy, input: &RetentionInput, one: &AbandonedRemains) -> Decision {
    if let Some(freeze) = input.freeze {
        return Decision::Keep(vec![KeepReason::Frozen { reason: freeze.reason.clone() }]);
    }
    let held = held_back(input, &one.id);
    if !held.is_empty() {
        return Decision::Keep(held);
    }
    let Ok(since) = one.abandoned_at.parse::<Timestamp>() else { return Decision::Keep(vec![KeepReason::Undated]) };
    let is_old = input.clock.is_past(since, policy.tombstones_for);
    match (one.has_data, is_old) {
        (true, false) => Decision::Expire(vec![ExpireReason::Abandoned]),
        (true, true) => {
            Decision::Expire(vec![ExpireReason::Abandoned, ExpireReason::TombstoneOld { since: since.to_string() }])
        }
        (false, true) => Decision::Expire(vec![ExpireReason::TombstoneOld { since: since.to_string() }]),
        (false, false) => Decision::Keep(vec![KeepReason::Tombstone { until: later(since, policy.tombstones_for) }]),
    }
}

fn later(instant: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span).ok().and_then(|span| instant.checked_add(span).ok()).unwrap_or(Timestamp::MAX)
}

/// References to moments that can be restored afterwards, or that lie where slices stay or may still come, are kept.
pub(super) fn references(
    input: &RetentionInput,
    chosen: &Chosen,
    windows_after: &[RestoreWindow],
    coverage: &Coverage,
) -> Vec<ObjectDecision> {
    let newest =
        input.catalog.snapshots.iter().filter(|one| one.defect().is_none() && coverage.covers(one.begin, one.end));
    let newest = newest.map(|one| one.begin).max().unwrap_or(ClusterTime::ZERO);
    let is_of_use = |at: ClusterTime| {
        at >= newest
            || windows_after.iter().any(|window| window.contains(at))
            || chosen.extents.iter().any(|range| range.touches(at))
    };
    let decide = |at: ClusterTime| {
        let key = ObjectKey::Reference { lineage: input.catalog.lineage.clone(), at };
        let lock = super::rules::lock_reason(input, &key);
        let frozen = input.freeze.map(|freeze| KeepReason::Frozen { reason: freeze.reason.clone() });
        let keep: Vec<_> =
            frozen.into_iter().chain(is_of_use(at).then_some(KeepReason::Restorable)).chain(lock).collect();
        let decision =
            if keep.is_empty() { Decision::Expire(vec![ExpireReason::NotRestorable]) } else { Decision::Keep(keep) };
        ObjectDecision { key, decision }
    };
    input.references.iter().map(|at| decide(*at)).collect()
}

/// Orphans of a snapshot that goes anyway, or that is still being written, are not decided on by themselves.
pub(super) fn orphans(
    policy: &RetentionPolicy,
    input: &RetentionInput,
    remains: &[RemainsDecision],
    snapshots: &[SnapshotDecision],
) -> Vec<ObjectDecision> {
    let is_settled = |key: &ObjectKey| {
        let Some(id) = key.snapshot() else { return true };
        let stays = snapshots.iter().any(|one| one.id == *id && one.decision.is_keep());
        stays && !remains.iter().any(|one| one.id == *id)
    };
    let is_data = |key: &ObjectKey| {
        matches!(key, ObjectKey::Segment { .. } | ObjectKey::Collections { .. } | ObjectKey::Slice { .. })
    };
    let decide = |orphan: &Orphan| {
        let mut keep: Vec<KeepReason> = super::rules::lock_reason(input, &orphan.key).into_iter().collect();
        keep.extend(orphan.key.snapshot().map(|id| held_back(input, id)).unwrap_or_default());
        keep.extend(input.freeze.map(|freeze| KeepReason::Frozen { reason: freeze.reason.clone() }));
        let decision = match orphan.last_modified {
            None => Decision::Keep(vec![KeepReason::UnknownAge]),
            Some(touched) if !input.clock.is_past(touched, policy.unfinished_grace) => {
                Decision::Keep(vec![KeepReason::WithinGrace { until: later(touched, policy.unfinished_grace) }])
            }
            Some(untouched_since) if keep.is_empty() => {
                Decision::Expire(vec![ExpireReason::Orphan { untouched_since }])
            }
            Some(_) => Decision::Keep(keep),
        };
        ObjectDecision { key: orphan.key.clone(), decision }
    };
    let ours = input.orphans.iter().filter(|orphan| orphan.key.lineage() == Some(&input.catalog.lineage));
    ours.filter(|orphan| is_data(&orphan.key) && is_settled(&orphan.key)).map(decide).collect()
}
