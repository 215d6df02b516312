//! A store with just enough in it to carry out steps one by one and to see what is left after each.

use std::collections::{BTreeMap, BTreeSet};

use super::{AbandonedRemains, Case, HOUR, Operation, Step, UnfinishedSnapshot};
use crate::SnapshotId;
use crate::catalog::SnapshotSummary;
use crate::gap::Gap;
use crate::layout::ObjectKey;
use crate::manifest::PublishedManifest;

enum Manifest {
    Complete,
    Abandoned(String),
}

struct Folder {
    summary: SnapshotSummary,
    start: bool,
    data: bool,
    manifest: Option<Manifest>,
}

pub(super) struct Store {
    folders: BTreeMap<SnapshotId, Folder>,
    deleted: BTreeSet<String>,
}

impl Store {
    pub fn of(case: &Case) -> Self {
        let folder = |summary: SnapshotSummary, manifest| {
            (summary.id.clone(), Folder { summary, start: true, data: true, manifest })
        };
        let published = case.catalog.snapshots.iter().map(|one| folder(one.clone(), Some(Manifest::Complete)));
        let unfinished = case.unfinished.iter().map(|one| folder(super::snapshot(one.id.as_str(), 0, 1), None));
        Self { folders: published.chain(unfinished).collect(), deleted: BTreeSet::new() }
    }

    /// Every single request of all steps.
    pub fn requests(case: &Case, steps: &[Step]) -> Vec<Operation> {
        steps.iter().flat_map(|step| step.operations(&case.catalog.lineage).unwrap()).collect()
    }

    pub fn carry_out(&mut self, operation: &Operation, case: &mut Case) {
        match operation {
            Operation::Create { key: ObjectKey::Manifest { snapshot, .. }, body } => {
                let PublishedManifest::Abandoned(abandoned) = PublishedManifest::from_json(body).unwrap() else {
                    panic!("only tombstones are written");
                };
                let folder = self.folders.get_mut(snapshot).unwrap();
                assert!(folder.manifest.is_none(), "create-only: {snapshot}");
                folder.manifest = Some(Manifest::Abandoned(abandoned.abandoned_at));
            }
            Operation::Create { key, body } => {
                let gap = Gap::from_json(body).unwrap();
                assert_eq!(*key, gap.key(&case.catalog.lineage));
                case.catalog.gaps.push(gap);
            }
            Operation::DeleteBelow { prefix, except } => {
                let id = except[1].snapshot().unwrap();
                assert_eq!(*prefix, ObjectKey::snapshot_prefix(&case.catalog.lineage, id));
                self.folders.get_mut(id).unwrap().data = false;
            }
            Operation::Delete(key) => {
                assert!(self.deleted.insert(key.to_string()), "twice: {key}");
                self.delete(key, case);
            }
        }
        self.show(case);
    }

    /// A further expiry may ask again for what an interrupted one has deleted.
    pub fn forget_deletions(&mut self) {
        self.deleted.clear();
    }

    fn delete(&mut self, key: &ObjectKey, case: &mut Case) {
        match key {
            ObjectKey::Manifest { snapshot, .. } => self.folders.get_mut(snapshot).unwrap().manifest = None,
            ObjectKey::SnapshotStart { snapshot, .. } => self.folders.get_mut(snapshot).unwrap().start = false,
            ObjectKey::Slice { id, encrypted, .. } => {
                let before = case.catalog.slices.len();
                case.catalog.slices.retain(|slice| (slice.id, slice.encrypted) != (*id, *encrypted));
                assert!(case.catalog.slices.len() < before);
            }
            ObjectKey::Gap { after, through, .. } => {
                case.catalog.gaps.retain(|gap| (gap.after, gap.through) != (*after, *through));
            }
            ObjectKey::Reference { at, .. } => case.references.retain(|reference| reference != at),
            other => panic!("{other} is not deleted by retention"),
        }
    }

    /// What a listing now says. Nothing that says it is complete may be without its data.
    fn show(&self, case: &mut Case) {
        let complete = |folder: &&Folder| matches!(folder.manifest, Some(Manifest::Complete));
        for folder in self.folders.values().filter(complete) {
            assert!(folder.data && folder.start, "{} claims to be complete", folder.summary.id);
        }
        case.catalog.snapshots = self.folders.values().filter(complete).map(|folder| folder.summary.clone()).collect();
        let known = std::mem::take(&mut case.unfinished);
        case.abandoned.clear();
        for (id, folder) in &self.folders {
            let has_data = folder.data || folder.start;
            match &folder.manifest {
                None if has_data => {
                    case.unfinished.push(known.iter().find(|one| one.id == *id).cloned().unwrap_or(
                        UnfinishedSnapshot {
                            id: id.clone(),
                            started_at: Some(super::policy::before(case.now, HOUR * 48)),
                            last_modified: None,
                            begin: None,
                            is_lease_alive: false,
                            stored_bytes: 1,
                        },
                    ));
                }
                Some(Manifest::Abandoned(at)) => case.abandoned.push(AbandonedRemains {
                    id: id.clone(),
                    abandoned_at: at.clone(),
                    has_data,
                    stored_bytes: 1,
                }),
                _ => {}
            }
        }
    }
}
