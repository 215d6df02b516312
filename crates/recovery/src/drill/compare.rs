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

/// The collections of the destination that hold documents of users.
pub async fn collections(destination: &Destination) -> Result<Vec<ListedName>> {
    let (names, _) = snapshot_read::list_names(destination.connection(), None).await?;
    let holds_documents = |listed: &ListedName| {
        let namespace = &listed.namespace;
        listed.uuid.is_some() && !(namespace.is_views() || namespace.is_users() || namespace.is_roles())
    };
    Ok(names.into_iter().filter(holds_documents).collect())
}

/// Reads everything that the reference has a digest of, and everything that it does not know.
pub async fn compare(
    destination: &Destination,
    reference: &Reference,
    collections: &[ListedName],
    progress: &dyn Progress,
) -> Result<Comparison> {
    let unread: BTreeSet<&Namespace> = reference.missing.iter().map(|missing| &missing.namespace).collect();
    let bytes = reference.collections.iter().map(|collection| collection.bytes).sum();
    progress.phase("compare", Some(bytes), Unit::Bytes);
    let reading = collections.iter().filter(|listed| !unread.contains(&listed.namespace));
    let reading = stream::iter(reading).map(|listed| digest(destination, listed, progress));
    let found: Vec<CollectionReference> =
        reading.buffer_unordered(CONCURRENT).try_filter_map(async |found| Ok(found)).try_collect().await?;
    Ok(reference.compare(&found))
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
