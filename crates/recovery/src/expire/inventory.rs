//! What is there, for the decision: the catalog, what is no snapshot, references, and what holds expiry back.

use std::collections::BTreeSet;
use std::time::Duration;

use archive::catalog::Catalog;
use archive::layout::ObjectKey;
use archive::manifest::{PublishedManifest, SnapshotStart};
use archive::retention::{AbandonedRemains, RetentionPlan, UnfinishedSnapshot};
use archive::{ClusterTime, LineageId, SnapshotId};
use serde::Deserialize;
use store::{ListedObject, ObjectStoreExt as _};

use crate::archive_reader::{ArchiveReader, mark_damaged};
use crate::failure::{FailureKind, Result};
use crate::holds::{Holds, LIMIT};

/// A writer beats its lease every second; one that did not for so long is dead.
const PATIENCE: Duration = Duration::from_secs(7);

pub struct Inventory {
    pub catalog: Catalog,
    pub unfinished: Vec<UnfinishedSnapshot>,
    pub abandoned: Vec<AbandonedRemains>,
    pub references: Vec<ClusterTime>,
    pub holds: Holds,
}

impl Inventory {
    pub async fn take(reader: &ArchiveReader, lineage: &LineageId) -> Result<Self> {
        let catalog = reader.catalog(lineage).await?;
        let holds = reader.holds(lineage).await?;
        let (mut unfinished, mut abandoned) = (Vec::new(), Vec::new());
        let folders = reader.store().list_folders(&ObjectKey::snapshots_prefix(lineage)).await?;
        for id in folders.iter().filter_map(|folder| folder.parse::<SnapshotId>().ok()) {
            if catalog.snapshots.iter().any(|snapshot| snapshot.id == id) {
                continue;
            }
            let manifest = ObjectKey::Manifest { lineage: lineage.clone(), snapshot: id.clone() }.to_string();
            let body = reader.store().get_bytes(&manifest, LIMIT).await?;
            let objects = reader.store().list_all(&ObjectKey::snapshot_prefix(lineage, &id)).await?;
            match body.map(|body| PublishedManifest::from_json(&body)) {
                None => unfinished.push(unfinished_snapshot(reader, lineage, id, &objects).await?),
                Some(Ok(PublishedManifest::Abandoned(record))) => abandoned.push(AbandonedRemains {
                    id,
                    abandoned_at: record.abandoned_at,
                    has_data: objects.iter().any(|object| object.key != manifest),
                    stored_bytes: total(&objects),
                }),
                // Published since the catalog was listed, or a manifest that cannot be read: nobody knows what it needs.
                Some(Ok(PublishedManifest::Complete(_)) | Err(_)) => {}
            }
        }
        if !unfinished.is_empty() {
            let alive = living_epoch(reader, lineage).await?;
            for one in &mut unfinished {
                one.is_lease_alive = alive.is_some();
            }
        }
        let references = reader.store().list_all(&ObjectKey::references_prefix(lineage)).await?;
        let references = references.iter().filter_map(|object| match object.key.parse() {
            Ok(ObjectKey::Reference { at, .. }) => Some(at),
            _ => None,
        });
        Ok(Self { catalog, unfinished, abandoned, references: references.collect(), holds })
    }

    /// Looks for the objects of the snapshots that `plan` keeps and takes for good, unless nothing is to go. Those that lack
    /// one are marked, and count for no rule when it is planned again; `whole` remembers the others.
    pub async fn find_damage(
        &mut self,
        reader: &ArchiveReader,
        plan: &RetentionPlan,
        whole: &mut BTreeSet<SnapshotId>,
    ) -> Result<bool> {
        let mut is_news = false;
        let kept = plan.snapshots.iter().filter(|one| one.decision.is_keep() && one.defect.is_none());
        for one in kept.filter(|_| !plan.steps.is_empty()) {
            if whole.contains(&one.id) {
                continue;
            }
            if let Some(problem) = damage(reader, &plan.lineage, &one.id).await? {
                mark_damaged(&mut self.catalog, &one.id, &problem);
                is_news = true;
            } else {
                whole.insert(one.id.clone());
            }
        }
        Ok(is_news)
    }
}

/// What is missing of a snapshot, by listing alone.
pub async fn damage(reader: &ArchiveReader, lineage: &LineageId, id: &SnapshotId) -> Result<Option<String>> {
    match reader.missing_object(lineage, id).await {
        // The manifest was there a moment ago.
        Err(failure) if matches!(failure.kind, FailureKind::Integrity | FailureKind::NotFound) => {
            Ok(Some(failure.what))
        }
        found => found,
    }
}

fn total(objects: &[ListedObject]) -> u64 {
    objects.iter().map(|object| object.size).sum()
}

async fn unfinished_snapshot(
    reader: &ArchiveReader,
    lineage: &LineageId,
    id: SnapshotId,
    objects: &[ListedObject],
) -> Result<UnfinishedSnapshot> {
    #[derive(Deserialize)]
    struct Begin {
        begin: ClusterTime,
    }
    let start = ObjectKey::SnapshotStart { lineage: lineage.clone(), snapshot: id.clone() }.to_string();
    let start = reader.store().get_bytes(&start, LIMIT).await?;
    let start = start.and_then(|body| SnapshotStart::from_json(&body).ok());
    let begin = format!("{}snapshots/{id}/begin.json", ObjectKey::control_prefix(lineage));
    let begin = reader.control().get_bytes(&begin, LIMIT).await?;
    let begin = begin.and_then(|body| serde_json::from_slice::<Begin>(&body).ok());
    Ok(UnfinishedSnapshot {
        id,
        started_at: start.and_then(|start| start.started_at.parse().ok()),
        last_modified: objects.iter().map(|object| object.modified).max(),
        begin: begin.map(|begin| begin.begin),
        is_lease_alive: false,
        stored_bytes: total(objects),
    })
}

/// The newest heartbeat of the snapshot lease, when it changes while it is watched: clocks are not compared.
async fn living_epoch(reader: &ArchiveReader, lineage: &LineageId) -> Result<Option<String>> {
    let prefix = format!("{}snapshot-lease/heartbeat-", ObjectKey::control_prefix(lineage));
    let Some(newest) = reader.control().list_all(&prefix).await?.pop() else { return Ok(None) };
    let first = reader.control().get_bytes(&newest.key, LIMIT).await?;
    let ends = tokio::time::Instant::now() + PATIENCE;
    while tokio::time::Instant::now() < ends {
        tokio::time::sleep(Duration::from_millis(500)).await;
        if reader.control().get_bytes(&newest.key, LIMIT).await? != first {
            return Ok(Some(newest.key));
        }
    }
    Ok(None)
}
