//! Which snapshots are kept, and which ranges of history must stay for them and for the moments behind them.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::policy::wall_time;
use super::{
    Decision, ExpireReason, KeepReason, Needed, ObjectLock, Pinned, RetentionInput, RetentionPolicy, SnapshotDecision,
};
use crate::ClusterTime;
use crate::catalog::SnapshotSummary;
use crate::coverage::{Coverage, CoveredRange};
use crate::layout::ObjectKey;

pub(super) struct Judgement {
    pub snapshots: Vec<SnapshotDecision>,
    pub needed: Vec<Needed>,
    pub notes: Vec<String>,
}

struct Judged<'a> {
    snapshot: &'a SnapshotSummary,
    defect: Option<String>,
    keep: Vec<KeepReason>,
    expire: Vec<ExpireReason>,
}

/// Moments `[from, through]` that keep their plans.
struct Moments {
    from: ClusterTime,
    through: ClusterTime,
    why: fn(ClusterTime) -> KeepReason,
    /// Absent when a snapshot that is kept anyway ends at `from`: then none before it is needed.
    anchor: Option<fn(ClusterTime) -> KeepReason>,
}

pub(super) fn judge(policy: &RetentionPolicy, input: &RetentionInput, coverage: &Coverage) -> Judgement {
    let mut judged: Vec<Judged> =
        input.catalog.snapshots.iter().map(|snapshot| Judged::new(snapshot, coverage)).collect();
    // As the planner prefers them: the last one is the newest.
    judged.sort_by_key(|one| (one.snapshot.end, one.snapshot.begin, one.snapshot.id.clone()));

    count(policy, &mut judged);
    age(policy, input, &mut judged);
    months(policy, &mut judged);
    held_back(input, &mut judged);

    let mut needed = Vec::new();
    let from = match policy.pitr_window {
        Some(window) => Some(input.clock.cluster_time_before(window)),
        None => oldest_by_count_or_age(&judged),
    };
    if let Some(from) = from {
        let moments = Moments {
            from,
            through: ClusterTime::MAX,
            why: |from| KeepReason::PitrWindow { from },
            anchor: policy.pitr_window.map(|_| (|from| KeepReason::PitrAnchor { from }) as fn(_) -> _),
        };
        moments.keep(&mut judged, coverage, &mut needed, policy.pitr_window.is_some());
    }
    let notes = pins(input, &mut judged, coverage, &mut needed);

    if let Some(newest) = judged.iter_mut().rfind(|one| one.defect.is_none()) {
        newest.keep.insert(0, KeepReason::NewestGood);
        let range = CoveredRange::new(newest.snapshot.begin, ClusterTime::MAX);
        needed.push(Needed { range, why: KeepReason::NewestGood });
    } else {
        keep_all(&mut judged, &mut needed, &KeepReason::NothingRestorable);
    }
    if let Some(freeze) = input.freeze {
        keep_all(&mut judged, &mut needed, &KeepReason::Frozen { reason: freeze.reason.clone() });
    }
    needed.extend(judged.iter().filter(|one| !one.keep.is_empty()).map(|one| Needed {
        range: CoveredRange::new(one.snapshot.begin, one.snapshot.end),
        why: KeepReason::NeededBy { snapshot: one.snapshot.id.clone() },
    }));
    Judgement { snapshots: judged.into_iter().map(Judged::decided).collect(), needed, notes }
}

fn keep_all(judged: &mut [Judged], needed: &mut Vec<Needed>, why: &KeepReason) {
    for one in judged {
        one.keep.insert(0, why.clone());
    }
    needed.push(Needed { range: CoveredRange::new(ClusterTime::ZERO, ClusterTime::MAX), why: why.clone() });
}

impl<'a> Judged<'a> {
    fn new(snapshot: &'a SnapshotSummary, coverage: &Coverage) -> Self {
        let uncovered = || {
            let is_covered = coverage.covers(snapshot.begin, snapshot.end);
            (!is_covered).then(|| format!("the slices from {} to {} are not all there", snapshot.begin, snapshot.end))
        };
        Self { snapshot, defect: snapshot.defect().or_else(uncovered), keep: Vec::new(), expire: Vec::new() }
    }

    fn decided(self) -> SnapshotDecision {
        SnapshotDecision {
            id: self.snapshot.id.clone(),
            begin: self.snapshot.begin,
            end: self.snapshot.end,
            stored_bytes: self.snapshot.stored_bytes,
            defect: self.defect,
            decision: if self.keep.is_empty() { Decision::Expire(self.expire) } else { Decision::Keep(self.keep) },
        }
    }
}

/// `keep_last` and `minimum_redundancy`: those with fewer than so many newer ones that can be restored. A damaged one that
/// is newer than them, or only looks damaged because the slices were listed before it, is kept by the same measure.
fn count(policy: &RetentionPolicy, judged: &mut [Judged]) {
    let mut newer = 0;
    for one in judged.iter_mut().rev() {
        let keep_last = policy.keep_last.unwrap_or(0);
        if newer < keep_last {
            one.keep.push(KeepReason::KeepLast { rank: newer + 1, of: keep_last });
        } else if policy.keep_last.is_some() {
            one.expire.push(ExpireReason::NotAmongLast { newer, keep: keep_last });
        }
        if newer >= keep_last && newer < policy.minimum_redundancy {
            one.keep.push(KeepReason::MinimumRedundancy { of: policy.minimum_redundancy });
        }
        newer += u32::from(one.defect.is_none());
    }
}

/// `keep_for`, by the later of the two dates that a snapshot has.
fn age(policy: &RetentionPolicy, input: &RetentionInput, judged: &mut [Judged]) {
    let Some(keep_for) = policy.keep_for else { return };
    for one in judged {
        let Ok(published_at) = one.snapshot.published_at.parse::<Timestamp>() else {
            one.keep.push(KeepReason::Undated);
            continue;
        };
        let since = published_at.max(wall_time(one.snapshot.end));
        if input.clock.is_past(since, keep_for) {
            one.expire.push(ExpireReason::TooOld { since, keep_for });
        } else {
            let until = jiff::SignedDuration::try_from(keep_for).ok().and_then(|span| since.checked_add(span).ok());
            one.keep.push(KeepReason::KeepFor { until: until.unwrap_or(Timestamp::MAX) });
        }
    }
}

/// `keep_monthly`, by the month of `end`.
fn months(policy: &RetentionPolicy, judged: &mut [Judged]) {
    let Some(keep) = policy.keep_monthly else { return };
    let month = |one: &Judged| wall_time(one.snapshot.end).to_string()[..7].to_owned();
    let all: BTreeSet<String> = judged.iter().filter(|one| one.defect.is_none()).map(month).collect();
    let mut kept: BTreeSet<String> = all.into_iter().rev().take(usize::try_from(keep).unwrap_or(usize::MAX)).collect();
    for one in judged {
        let month = month(one);
        if one.defect.is_none() && kept.remove(&month) {
            one.keep.push(KeepReason::Monthly { month });
        } else {
            one.expire.push(ExpireReason::NotMonthly);
        }
    }
}

fn oldest_by_count_or_age(judged: &[Judged]) -> Option<ClusterTime> {
    let is_by_count_or_age = |reason: &KeepReason| {
        matches!(
            reason,
            KeepReason::KeepLast { .. }
                | KeepReason::MinimumRedundancy { .. }
                | KeepReason::KeepFor { .. }
                | KeepReason::Undated
        )
    };
    judged
        .iter()
        .find(|one| one.defect.is_none() && one.keep.iter().any(is_by_count_or_age))
        .map(|one| one.snapshot.end)
}

/// Object locks, and protections of what runs now.
fn held_back(input: &RetentionInput, judged: &mut [Judged]) {
    for one in judged {
        let id = &one.snapshot.id;
        let key = ObjectKey::Manifest { lineage: input.catalog.lineage.clone(), snapshot: id.clone() };
        one.keep.extend(lock_reason(input, &key));
        if one.snapshot.pinned {
            one.keep.push(KeepReason::Pinned { id: id.to_string(), reason: String::new() });
        }
        for held in super::remains::protections(input).filter(|held| held.snapshot == *id) {
            one.keep.push(super::remains::protected(held));
        }
    }
}

pub(super) fn lock_reason(input: &RetentionInput, key: &ObjectKey) -> Option<KeepReason> {
    match input.locks.get(key)? {
        ObjectLock::LegalHold => Some(KeepReason::LegalHold),
        ObjectLock::Until(until) => (*until > input.clock.earliest()).then_some(KeepReason::Locked { until: *until }),
    }
}

/// Slices that the store would refuse to delete stay, and with them whatever lies beside them.
pub(super) fn locked_slices(input: &RetentionInput) -> Vec<Needed> {
    let slices = input.locks.keys().filter_map(|key| match key {
        ObjectKey::Slice { lineage, id, .. } if *lineage == input.catalog.lineage => Some((key, id)),
        _ => None,
    });
    slices
        .filter_map(|(key, id)| {
            let why = lock_reason(input, key)?;
            Some(Needed { range: CoveredRange::new(id.after, id.through), why })
        })
        .collect()
}

/// A snapshot whose manifest cannot be read may be a good one of a newer release: nobody knows which slices it needs.
pub(super) fn unreadable_manifests(input: &RetentionInput) -> Vec<Needed> {
    let snapshots = input.catalog.unusable().filter_map(|finding| match finding.object.parse() {
        Ok(ObjectKey::Manifest { snapshot, .. }) => Some(snapshot),
        _ => None,
    });
    let range = CoveredRange::new(ClusterTime::ZERO, ClusterTime::MAX);
    snapshots.map(|snapshot| Needed { range, why: KeepReason::NeededByUnreadable { snapshot } }).collect()
}

impl Moments {
    /// Keeps the snapshots that end inside, and the one before from which the first moments are restored. Of all that can
    /// be restored and end earlier, the one that ends last reaches furthest: if it does not reach, none does.
    fn keep(&self, judged: &mut [Judged], coverage: &Coverage, needed: &mut Vec<Needed>, explain: bool) {
        let inside = judged.partition_point(|one| one.snapshot.end < self.from);
        let mut start = self.from;
        if let Some(why) = self.anchor
            && let Some(anchor) = judged[..inside].iter_mut().rfind(|one| one.defect.is_none())
            && coverage.reach(anchor.snapshot.begin) >= self.from
        {
            start = start.min(anchor.snapshot.begin);
            anchor.keep.push(why(self.from));
        }
        for one in &mut judged[inside..] {
            if one.snapshot.end <= self.through {
                start = start.min(one.snapshot.begin);
                one.keep.push((self.why)(self.from));
            }
        }
        if explain {
            for one in &mut judged[..inside] {
                one.expire.push(ExpireReason::BeforePitrWindow { from: self.from });
            }
        }
        needed.push(Needed { range: CoveredRange::new(start, self.through), why: (self.why)(self.from) });
    }
}

/// Pins, and what running restores replay.
fn pins(input: &RetentionInput, judged: &mut [Judged], coverage: &Coverage, needed: &mut Vec<Needed>) -> Vec<String> {
    let mut notes = Vec::new();
    for pin in input.pins {
        if pin.until.is_some_and(|until| until <= input.clock.earliest()) {
            notes.push(format!("pin {} has ended and keeps nothing; remove it with `dr-cli unpin`", pin.id));
            continue;
        }
        let reason = KeepReason::Pinned { id: pin.id.clone(), reason: pin.reason.clone() };
        match &pin.keeps {
            Pinned::Snapshot(id) => match judged.iter_mut().find(|one| one.snapshot.id == *id) {
                Some(one) => one.keep.push(reason),
                None => notes.push(format!("pin {} names snapshot {id}, which is not there", pin.id)),
            },
            Pinned::Moments { from, through } => {
                let placeholder = |from| KeepReason::PitrWindow { from };
                let moments = Moments { from: *from, through: *through, why: placeholder, anchor: Some(placeholder) };
                let before: Vec<usize> = judged.iter().map(|one| one.keep.len()).collect();
                let at = needed.len();
                moments.keep(judged, coverage, needed, false);
                for (one, before) in judged.iter_mut().zip(before) {
                    one.keep[before..].fill(reason.clone());
                }
                needed[at..].iter_mut().for_each(|needed| needed.why = reason.clone());
            }
        }
    }
    for held in super::remains::protections(input) {
        needed.push(Needed { range: held.range(), why: super::remains::protected(held) });
    }
    notes
}
