//! The catalog of a lineage with what a closer look at its snapshots adds.

use archive::catalog::Catalog;
use archive::coverage::Coverage;
use archive::retention::Pinned;
use archive::{LineageId, SnapshotId};
use futures::{StreamExt, TryStreamExt, stream};
use recovery::{ArchiveReader, FailureKind, Result};

const CONCURRENT_SNAPSHOTS: usize = 16;

/// The catalog, in which snapshots that miss an object or their oplog are marked as damaged: what `status` and `list`
/// promise, `plan` must be able to keep.
pub async fn inspect(reader: &ArchiveReader, lineage: &LineageId) -> Result<Catalog> {
    examine(reader, reader.catalog(lineage).await?).await
}

/// Marks the snapshots of a catalog.
pub async fn examine(reader: &ArchiveReader, mut catalog: Catalog) -> Result<Catalog> {
    let lineage = &catalog.lineage;
    catalog.snapshots.sort_by(|a, b| (a.end, &a.id).cmp(&(b.end, &b.id)));
    let ids: Vec<_> = catalog.snapshots.iter().map(|snapshot| snapshot.id.clone()).collect();
    let damages: Vec<Option<String>> = stream::iter(ids)
        .map(|id| async move {
            match reader.missing_object(lineage, &id).await {
                Err(failure) if failure.kind == FailureKind::Integrity => Ok(Some(failure.what)),
                other => other,
            }
        })
        .buffered(CONCURRENT_SNAPSHOTS)
        .try_collect()
        .await?;
    let pins = reader.holds(lineage).await?.pins;
    let now = jiff::Timestamp::now();
    let is_pinned = |id: &SnapshotId| {
        let in_force = pins.iter().filter(|pin| pin.until.is_none_or(|until| until > now));
        in_force.map(|pin| &pin.keeps).any(|keeps| matches!(keeps, Pinned::Snapshot(pinned) if pinned == id))
    };
    let coverage = Coverage::of_catalog(&catalog);
    for (snapshot, damage) in catalog.snapshots.iter_mut().zip(damages) {
        snapshot.pinned = is_pinned(&snapshot.id);
        snapshot.damaged = damage.or_else(|| coverage.lacks_oplog_of(snapshot.begin, snapshot.end));
    }
    Ok(catalog)
}
