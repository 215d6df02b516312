//! What an expiry does, in order. The executor carries out [`Operation`]s one after another and may die between any two.

use super::remains::AbandonedRemains;
use super::slices::Chosen;
use super::{Decision, ExpireReason, RetentionInput, RetentionPlan};
use crate::catalog::StoredSlice;
use crate::gap::Gap;
use crate::json_record::RecordError;
use crate::layout::ObjectKey;
use crate::manifest::AbandonedSnapshot;
use crate::{LineageId, SnapshotId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Takes a snapshot away, published or not. The tombstone is created where the manifest was or would be, so that no
    /// writer can publish it (again).
    RemoveSnapshot {
        is_published: bool,
        tombstone: AbandonedSnapshot,
    },
    /// Goes on with a removal that was interrupted; the tombstone is there.
    RemoveRemains {
        snapshot: SnapshotId,
    },
    /// Says that history is about to be removed; from here on no plan uses it.
    RecordGap(Gap),
    DeleteSlices(Vec<StoredSlice>),
    Delete(ObjectKey),
}

/// One request to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Create-only. When the key is taken, what lies there decides: the same kind of record is success; a *complete* manifest
    /// means that the snapshot was published meanwhile, and the other operations of the step are left out.
    Create { key: ObjectKey, body: Vec<u8> },
    /// A missing object is success.
    Delete(ObjectKey),
    /// Everything below the prefix but the objects named.
    DeleteBelow { prefix: String, except: [ObjectKey; 2] },
}

impl Step {
    pub fn operations(&self, lineage: &LineageId) -> Result<Vec<Operation>, RecordError> {
        let manifest =
            |snapshot: &SnapshotId| ObjectKey::Manifest { lineage: lineage.clone(), snapshot: snapshot.clone() };
        let start =
            |snapshot: &SnapshotId| ObjectKey::SnapshotStart { lineage: lineage.clone(), snapshot: snapshot.clone() };
        // The start record goes last: without it nobody would know what the data once was.
        let data = |snapshot: &SnapshotId| {
            let prefix = ObjectKey::snapshot_prefix(lineage, snapshot);
            let except = [start(snapshot), manifest(snapshot)];
            [Operation::DeleteBelow { prefix, except }, Operation::Delete(start(snapshot))]
        };
        Ok(match self {
            Self::RemoveSnapshot { is_published, tombstone } => {
                let key = manifest(&tombstone.snapshot);
                let unpublish = is_published.then(|| Operation::Delete(key.clone()));
                let create = Operation::Create { key, body: tombstone.to_json()? };
                unpublish.into_iter().chain([create]).chain(data(&tombstone.snapshot)).collect()
            }
            Self::RemoveRemains { snapshot } => data(snapshot).into(),
            Self::RecordGap(gap) => vec![Operation::Create { key: gap.key(lineage), body: gap.to_json()? }],
            Self::DeleteSlices(slices) => {
                slices.iter().map(|slice| Operation::Delete(slice.id.key(lineage, slice.encrypted))).collect()
            }
            Self::Delete(key) => vec![Operation::Delete(key.clone())],
        })
    }
}

pub(super) fn order(input: &RetentionInput, plan: &RetentionPlan, chosen: Chosen, tombstones: Vec<Gap>) -> Vec<Step> {
    let remove = |snapshot: &SnapshotId, is_published, reasons: &[ExpireReason]| {
        let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
        Step::RemoveSnapshot {
            is_published,
            tombstone: AbandonedSnapshot {
                lineage: plan.lineage.clone(),
                snapshot: snapshot.clone(),
                abandoned_at: input.clock.now.to_string(),
                reason: format!("expired: {}", reasons.join("; ")),
            },
        }
    };
    let mut steps = Vec::new();
    for one in &plan.snapshots {
        if let Decision::Expire(reasons) = &one.decision {
            steps.push(remove(&one.id, true, reasons));
        }
    }
    let mut old_tombstones = Vec::new();
    for one in &plan.unfinished {
        let Decision::Expire(reasons) = &one.decision else { continue };
        match input.abandoned.iter().find(|abandoned| abandoned.id == one.id) {
            Some(AbandonedRemains { has_data, .. }) => {
                if *has_data {
                    steps.push(Step::RemoveRemains { snapshot: one.id.clone() });
                }
                if reasons.iter().any(|reason| matches!(reason, ExpireReason::TombstoneOld { .. })) {
                    let (lineage, snapshot) = (plan.lineage.clone(), one.id.clone());
                    old_tombstones.push(Step::Delete(ObjectKey::Manifest { lineage, snapshot }));
                }
            }
            None => steps.push(remove(&one.id, false, reasons)),
        }
    }
    steps.extend(tombstones.into_iter().map(Step::RecordGap));
    if chosen.has_expired() {
        steps.push(Step::DeleteSlices(chosen.expired()));
    }
    let objects = plan.objects.iter().filter(|object| !object.decision.is_keep());
    steps.extend(objects.map(|object| Step::Delete(object.key.clone())));
    steps.extend(old_tombstones);
    steps
}
