//! Publishes what was read: the pages of collections, then the manifest, whose presence is the snapshot.

use archive::ClusterTime;
use archive::collection_page::{CollectionRecord, PageHeader, ScanOutcome, encode_page};
use archive::layout::ObjectKey;
use archive::manifest::{
    Compression, Encryption, PageRecord, PublishedManifest, SnapshotManifest, SnapshotTotals, WallClock,
};
use bytes::Bytes;
use store::Created;

use super::Snapshotter;
use super::begin::Beginning;
use super::marks::Marks;
use crate::archive_store::ArchiveStore;
use crate::clock::{now_text, text_of_millis, text_of_seconds};
use crate::error::{Error, Result};
use crate::source::SourceMember;

const COLLECTIONS_PER_PAGE: usize = 500;
const PAGE_LIMIT: usize = 1 << 30;

/// A snapshot that was read.
#[derive(Debug)]
pub struct Taken {
    pub beginning: Beginning,
    pub end: ClusterTime,
    pub records: Vec<CollectionRecord>,
}

pub async fn publish(snapshotter: &Snapshotter, member: &SourceMember, mut taken: Taken) -> Result<SnapshotManifest> {
    taken.records.sort_unstable_by(|a, b| (&a.namespace, a.uuid).cmp(&(&b.namespace, b.uuid)));
    // A set that was re-initialised under the same name during the scan looks like one whose collections were dropped.
    snapshotter.source.verify(&member.connection).await?;
    let pages = publish_pages(snapshotter, &taken).await?;
    let version = member.version().await?;
    let Taken { beginning, end, records } = &taken;
    let manifest = SnapshotManifest {
        archive_id: snapshotter.archive.archive_id.to_string(),
        lineage: snapshotter.archive.lineage.clone(),
        snapshot: beginning.id.clone(),
        begin: beginning.mark.begin,
        begin_term: beginning.mark.begin_term,
        end: *end,
        started_at: beginning.mark.started_at.clone(),
        published_at: now_text(),
        server_version: version.version,
        fcv: version.feature_compatibility_version,
        member: member.host.clone(),
        totals: totals(records),
        pages,
        compression: Compression { level: snapshotter.settings.compression_level },
        encryption: Encryption {
            recipients: snapshotter.archive.recipients().map(|to| to.texts().to_vec()).unwrap_or_default(),
        },
        dropped_collections: records.iter().filter(|record| record.scan.outcome == ScanOutcome::Dropped).count() as u64,
        wall_clock: WallClock {
            begin: beginning.mark.begin_wall_ms.and_then(text_of_millis),
            end: Some(text_of_seconds(end.seconds)),
            note: None,
        },
    };
    let key = manifest.key();
    let body = manifest.to_json().map_err(Error::record(&key))?;
    if snapshotter.archive.put_new(&key, body).await? == Created::AlreadyExists {
        return already_published(snapshotter, &manifest).await;
    }
    tracing::info!(event = "snapshot_published", snapshot_id = %manifest.snapshot, begin = %manifest.begin, end = %manifest.end,
        documents = manifest.totals.documents, bytes = manifest.totals.bytes, "snapshot published");
    clean_up(snapshotter, &manifest, records).await;
    Ok(manifest)
}

async fn publish_pages(snapshotter: &Snapshotter, taken: &Taken) -> Result<Vec<PageRecord>> {
    let archive = &snapshotter.archive;
    let mut pages = Vec::new();
    for (number, collections) in (0_u32..).zip(taken.records.chunks(COLLECTIONS_PER_PAGE)) {
        let header =
            PageHeader { lineage: archive.lineage.clone(), snapshot: taken.beginning.id.clone(), page: number };
        let (object, totals) = encode_page(&header, collections, snapshotter.settings.compression_level)?;
        let object = archive.seal(object.into())?;
        let record = PageRecord::new(number, &totals, object.len() as u64);
        let key = header.key(archive.is_encrypted());
        if archive.put_new(&key, object.clone()).await? == Created::AlreadyExists
            && !replace_page(archive, &key, object).await?
        {
            let Taken { beginning, end, .. } = taken;
            Marks::remove(archive, &beginning.id).await?;
            // Transient for the caller: the next attempt starts a new snapshot.
            return Err(Error::Uncovered { begin: beginning.mark.begin, end: *end });
        }
        pages.push(record);
    }
    Ok(pages)
}

/// The page of an attempt that was killed between its pages and its manifest. Once all collections are read, the marks
/// make later attempts write the same page; one that differs was made from fewer marks, and nobody refers to it. An encrypted
/// one always differs. `false` when it cannot be replaced, because this writer may only create: then the snapshot cannot be
/// gone on with under this id.
async fn replace_page(archive: &ArchiveStore, key: &ObjectKey, object: Bytes) -> Result<bool> {
    if archive.get(key, PAGE_LIMIT).await?.is_some_and(|found| found == object) {
        return Ok(true);
    }
    match archive.delete(key).await {
        Ok(()) => {}
        Err(Error::Store(error)) if error.kind() == store::ErrorKind::PermissionDenied => {
            tracing::warn!(event = "snapshot_page_in_the_way", %key, %error, "a page of an interrupted attempt is in the way and may not be removed");
            return Ok(false);
        }
        Err(error) => return Err(error),
    }
    match archive.put_new(key, object).await? {
        Created::New => Ok(true),
        Created::AlreadyExists => Err(Error::Conflict { key: key.to_string() }),
    }
}

fn totals(records: &[CollectionRecord]) -> SnapshotTotals {
    SnapshotTotals {
        collections: records.len() as u64,
        documents: records.iter().map(CollectionRecord::documents).sum(),
        bytes: records.iter().map(CollectionRecord::bytes).sum(),
        stored_bytes: records.iter().map(CollectionRecord::stored_bytes).sum(),
        segments: records.iter().map(|record| record.segments.len() as u64).sum(),
    }
}

/// Our own manifest whose reply was lost, somebody else's of the same snapshot, or the mark that it was abandoned.
async fn already_published(snapshotter: &Snapshotter, own: &SnapshotManifest) -> Result<SnapshotManifest> {
    let found = snapshotter.archive.manifest(&own.snapshot).await?;
    Marks::remove(&snapshotter.archive, &own.snapshot).await?;
    match found {
        Some(PublishedManifest::Complete(found)) => Ok(*found),
        // Transient for the caller: the next attempt starts a new snapshot.
        _ => Err(Error::Uncovered { begin: own.begin, end: own.end }),
    }
}

/// Marks, and segments of interrupted attempts that the manifest does not name. Only once the manifest is published:
/// from then on no other attempt can refer to them. What cannot be removed does no harm.
async fn clean_up(snapshotter: &Snapshotter, manifest: &SnapshotManifest, records: &[CollectionRecord]) {
    let named: std::collections::HashSet<_> =
        records.iter().flat_map(|record| record.segments.iter().map(|segment| (record.uuid, segment.part))).collect();
    let archive = &snapshotter.archive;
    let prefix = ObjectKey::segments_prefix(&archive.lineage, &manifest.snapshot);
    let cleaned = async {
        for (key, _) in archive.list(&prefix).await? {
            if let ObjectKey::Segment { uuid, part, .. } = &key
                && !named.contains(&(*uuid, *part))
            {
                archive.delete(&key).await?;
            }
        }
        Marks::remove(archive, &manifest.snapshot).await
    };
    if let Err(error) = cleaned.await {
        tracing::warn!(event = "snapshot_leftovers", %error, "left-overs of interrupted attempts not removed");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use archive::lineage::LineageRecord;
    use store::fault::{Fault, FaultStore};
    use store::{ErrorKind, MemoryStore, Operation};

    use super::*;
    use crate::archive_store::Stores;

    #[tokio::test]
    async fn a_page_that_may_not_be_removed_ends_the_snapshot_and_not_all_later_ones() {
        let memory = FaultStore::new(Arc::new(MemoryStore::new()));
        let stores = Stores { archive: Arc::new(memory.clone()), control: Arc::new(memory.clone()) };
        let record = LineageRecord::new("rs0-a".parse().unwrap(), "rs0", "a", now_text());
        let archive = ArchiveStore::open(stores, &record, false).await.unwrap();
        let lineage = archive.lineage.clone();
        let snapshot = "20260101T000000Z-aaaa".parse().unwrap();
        let key = PageHeader { lineage, snapshot, page: 0 }.key(true);
        assert_eq!(archive.put_new(&key, Bytes::from_static(b"first")).await.unwrap(), Created::New);
        memory.add(Fault::fail_before(Operation::Delete, ErrorKind::PermissionDenied).on_key("collections").lasting());
        assert!(replace_page(&archive, &key, Bytes::from_static(b"first")).await.unwrap());
        assert!(!replace_page(&archive, &key, Bytes::from_static(b"second")).await.unwrap());
        assert_eq!(archive.get(&key, 9).await.unwrap().unwrap(), "first");
    }
}
