//! What stands in the destination, as the same digests that a reference holds.

use std::collections::BTreeSet;

use archive::Namespace;
use archive::reference::{CollectionReference, Comparison, DigestSum, ListedName, Reference};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use replset::scan::{ScanBatch, ScanOptions, scan_collection};
use replset::{Destination, snapshot_read};

use crate::failure::{Failure, FailureKind, Result};
use crate::progress::{Progress, Unit};

/// Collections that are read side by side; each holds two replies of at most 16 MB.
const CONCURRENT: usize = 2;

/// Everything in the destination that a backup protects.
pub async fn listed(destination: &Destination) -> Result<Vec<ListedName>> {
    Ok(snapshot_read::list_names(destination.connection(), None).await?.0)
}

/// Whether it holds documents of users.
pub fn holds_documents(listed: &ListedName) -> bool {
    let namespace = &listed.namespace;
    listed.uuid.is_some() && !(namespace.is_views() || namespace.is_users() || namespace.is_roles())
}

/// Reads everything that the reference has a digest of, and everything that it does not know. `listed` is all there is.
pub async fn compare(
    destination: &Destination,
    reference: &Reference,
    listed: &[ListedName],
    progress: &dyn Progress,
) -> Result<Comparison> {
    let unread: BTreeSet<&Namespace> = reference.missing.iter().map(|missing| &missing.namespace).collect();
    let bytes = reference.collections.iter().map(|collection| collection.bytes).sum();
    progress.phase("compare", Some(bytes), Unit::Bytes);
    let reading = listed.iter().filter(|one| holds_documents(one) && !unread.contains(&one.namespace));
    let reading = stream::iter(reading).map(|listed| digest(destination, listed, progress));
    let found: Vec<CollectionReference> =
        reading.buffer_unordered(CONCURRENT).try_filter_map(async |found| Ok(found)).try_collect().await?;
    Ok(reference.compare(&found, &listed.iter().map(|one| &one.namespace).collect()))
}

async fn digest(
    destination: &Destination,
    listed: &ListedName,
    progress: &dyn Progress,
) -> Result<Option<CollectionReference>> {
    let Some(uuid) = listed.uuid else { return Ok(None) };
    let mut scan = scan_collection(destination.connection(), &listed.namespace, uuid, ScanOptions::default());
    let mut sum = DigestSum::default();
    while let Some(batch) = scan.next_batch().await? {
        let adding = tokio::task::spawn_blocking(move || add(sum, &batch));
        let before = sum.bytes();
        sum = adding.await.map_err(|error| Failure::new(FailureKind::Unexpected, error.to_string()))??;
        progress.advance(sum.bytes() - before);
    }
    Ok(Some(CollectionReference::new(listed.namespace.clone(), uuid, &sum)))
}

fn add(mut sum: DigestSum, batch: &ScanBatch) -> Result<DigestSum, replset::ReplsetError> {
    for document in batch.documents()? {
        sum.add(document?.as_bytes());
    }
    Ok(sum)
}
