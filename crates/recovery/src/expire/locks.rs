//! What the store itself would refuse to delete, asked for what a plan wants to delete.

use std::collections::BTreeMap;

use archive::layout::ObjectKey;
use archive::retention::{ObjectLock, RetentionPlan};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use store::ObjectStoreExt as _;

use crate::archive_reader::ArchiveReader;
use crate::failure::Result;

const CONCURRENT: usize = 32;

/// Of a snapshot the longest lock of any of its objects stands under the key of its manifest.
pub async fn of(reader: &ArchiveReader, plan: &RetentionPlan) -> Result<BTreeMap<ObjectKey, ObjectLock>> {
    if reader.store().lock().is_none() {
        return Ok(BTreeMap::new());
    }
    let mut wanted: Vec<(ObjectKey, String)> = Vec::new();
    let expired = plan.expired_snapshots().map(|one| &one.id);
    let remains = plan.unfinished.iter().filter(|one| !one.decision.is_keep()).map(|one| &one.id);
    for snapshot in expired.chain(remains) {
        let manifest = ObjectKey::Manifest { lineage: plan.lineage.clone(), snapshot: snapshot.clone() };
        for object in reader.store().list_all(&ObjectKey::snapshot_prefix(&plan.lineage, snapshot)).await? {
            wanted.push((manifest.clone(), object.key));
        }
    }
    for step in &plan.steps {
        if let archive::retention::Step::DeleteSlices(slices) = step {
            let keys = slices.iter().map(|slice| slice.id.key(&plan.lineage, slice.encrypted));
            wanted.extend(keys.map(|key| (key.clone(), key.to_string())));
        }
    }
    wanted.extend(
        plan.objects
            .iter()
            .filter(|object| !object.decision.is_keep())
            .map(|object| (object.key.clone(), object.key.to_string())),
    );
    let found: Vec<(ObjectKey, Option<ObjectLock>)> = stream::iter(wanted)
        .map(|(stands_for, key)| async move { Ok::<_, crate::Failure>((stands_for, lock_of(reader, &key).await?)) })
        .buffer_unordered(CONCURRENT)
        .try_collect()
        .await?;
    let mut locks = BTreeMap::new();
    for (key, lock) in found {
        let Some(lock) = lock else { continue };
        let longest = match (locks.get(&key), lock) {
            (Some(ObjectLock::LegalHold), _) | (_, ObjectLock::LegalHold) => ObjectLock::LegalHold,
            (Some(ObjectLock::Until(known)), ObjectLock::Until(until)) => ObjectLock::Until(until.max(*known)),
            (None, lock) => lock,
        };
        locks.insert(key, longest);
    }
    Ok(locks)
}

async fn lock_of(reader: &ArchiveReader, key: &str) -> Result<Option<ObjectLock>> {
    let Some(lock) = reader.store().lock() else { return Ok(None) };
    let Some(protection) = lock.protection(key).await? else { return Ok(None) };
    Ok(match (protection.held, protection.retained) {
        (true, _) => Some(ObjectLock::LegalHold),
        (false, Some((_, until))) => Some(ObjectLock::Until(until)),
        (false, None) => None,
    })
}
