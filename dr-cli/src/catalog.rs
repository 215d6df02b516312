//! The catalog of a lineage with what a closer look at its snapshots adds.

use archive::LineageId;
use archive::catalog::{Catalog, Finding};
use archive::coverage::Coverage;
use archive::layout::ObjectKey;
use futures::{StreamExt, TryStreamExt, stream};
use recovery::{ArchiveReader, FailureKind, Result};

const CONCURRENT_SNAPSHOTS: usize = 4;

/// The catalog, in which snapshots that miss an object are marked as damaged: what `status` and `list` promise, `plan`
/// must be able to keep.
pub async fn inspect(reader: &ArchiveReader, lineage: &LineageId) -> Result<Catalog> {
    let mut catalog = reader.catalog(lineage).await?;
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
    for (snapshot, damage) in catalog.snapshots.iter_mut().zip(damages) {
        snapshot.damaged = damage;
    }
    Ok(catalog)
}

/// What is wrong with a lineage as far as a listing shows it. Foreign objects are not wrong.
pub fn findings(catalog: &Catalog, coverage: &Coverage) -> Vec<Finding> {
    let lineage = &catalog.lineage;
    let damaged = catalog.snapshots.iter().filter_map(|snapshot| {
        let manifest = ObjectKey::Manifest { lineage: lineage.clone(), snapshot: snapshot.id.clone() };
        snapshot.defect().map(|problem| Finding { object: manifest.to_string(), problem })
    });
    let contradictions = coverage.problems.iter().filter(|problem| problem.is_integrity());
    let contradictions = contradictions
        .map(|problem| Finding { object: ObjectKey::slices_prefix(lineage), problem: problem.to_string() });
    unusable(catalog).cloned().chain(damaged).chain(contradictions).collect()
}

/// Objects with the name of an archive object that cannot be used.
pub fn unusable(catalog: &Catalog) -> impl Iterator<Item = &Finding> {
    catalog.unusable.iter().filter(|finding| finding.object.parse::<ObjectKey>().is_ok())
}
