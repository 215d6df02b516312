//! Expiries, pins and the freeze against archives in memory: what one of them must not do to the others.

use std::sync::Arc;

use archive::archive_marker::ArchiveMarker;
use archive::catalog::StoredSlice;
use archive::layout::SliceId;
use archive::manifest::{Compression, Encryption, PageRecord, SnapshotManifest, SnapshotTotals, WallClock};
use archive::{ClusterTime, Digest, SnapshotId};
use store::MemoryStore;

use super::*;
use crate::progress::Silent;

const NOW: &str = "2026-01-02T03:04:05Z";
const OLD: &str = "20260101T000000Z-aaaa";
const NEW: &str = "20260102T000000Z-bbbb";

pub(crate) fn at(seconds: u32) -> ClusterTime {
    ClusterTime::new(1_767_225_600 + seconds, 1)
}

/// An archive with the snapshots `OLD` (10 to 20) and `NEW` (30 to 40), and a slice for every ten seconds from 0 to 50.
pub(crate) struct Place {
    pub memory: MemoryStore,
    pub lineage: LineageId,
}

impl Place {
    pub async fn new() -> Self {
        let place = Self { memory: MemoryStore::new(), lineage: "rs0-a".parse().unwrap() };
        place.put("archive.json", ArchiveMarker::new("0b7e", NOW).to_json().unwrap()).await;
        let mark = archive::high_water::HighWater::new(at(50), Some(NEW.parse().unwrap()), NOW);
        place.put("rs0-a/control/archived.json", mark.to_json().unwrap()).await;
        for start in (0..50).step_by(10) {
            let id = SliceId { after: at(start), through: at(start + 10), term: 1, digest: [1; 16] };
            let slice = StoredSlice { id, stored_bytes: 1, encrypted: false };
            place.put(&slice.id.key(&place.lineage, false).to_string(), vec![0]).await;
        }
        place.snapshot(OLD, (10, 20), Vec::new()).await;
        place.snapshot(NEW, (30, 40), Vec::new()).await;
        place
    }

    async fn put(&self, key: &str, body: Vec<u8>) {
        assert_eq!(self.memory.put_new(key, body.into()).await.unwrap(), Created::New, "{key}");
    }

    async fn snapshot(&self, id: &str, (begin, end): (u32, u32), pages: Vec<PageRecord>) {
        self.publish(id, (at(begin), at(end)), pages).await;
    }

    async fn publish(&self, id: &str, (begin, end): (ClusterTime, ClusterTime), pages: Vec<PageRecord>) {
        let manifest = SnapshotManifest {
            archive_id: "0b7e".into(),
            lineage: self.lineage.clone(),
            snapshot: id.parse().unwrap(),
            begin,
            begin_term: 1,
            end,
            started_at: NOW.into(),
            published_at: NOW.into(),
            server_version: "6.0.5".into(),
            fcv: "6.0".into(),
            member: "a:1".into(),
            totals: SnapshotTotals {
                collections: pages.iter().map(|page| page.collections).sum(),
                ..SnapshotTotals::default()
            },
            pages,
            compression: Compression { level: 1 },
            encryption: Encryption::default(),
            dropped_collections: 0,
            wall_clock: WallClock::default(),
        };
        self.put(&manifest.key().to_string(), manifest.to_json().unwrap()).await;
    }

    pub async fn reader(&self) -> ArchiveReader {
        ArchiveReader::open(Arc::new(self.memory.clone())).await.unwrap()
    }

    async fn is_published(&self, id: &str) -> bool {
        let id: SnapshotId = id.parse().unwrap();
        self.reader().await.manifest(&self.lineage, &id).await.is_ok()
    }
}

/// A page of collections that is not there.
fn lost_page() -> PageRecord {
    PageRecord { page: 0, collections: 1, sha256: Digest::of(b""), stored_bytes: 9 }
}

fn keep_one() -> RetentionPolicy {
    RetentionPolicy { keep_last: Some(1), ..RetentionPolicy::default() }
}

async fn apply_one(reader: &ArchiveReader, place: &Place) -> Result<Expired> {
    apply(reader, &place.lineage, &keep_one(), "a test", &Silent).await.map(|(_, expired)| expired)
}

/// `list` and `plan` pass such a snapshot over; an older one is then all there is.
#[tokio::test]
async fn a_snapshot_that_lacks_an_object_does_not_pass_for_the_newest_good_one() {
    let place = Place::new().await;
    let id = "20260103T000000Z-cccc";
    place.snapshot(id, (40, 50), vec![lost_page()]).await;
    let reader = place.reader().await;
    assert_eq!(
        reader.missing_object(&place.lineage, &id.parse().unwrap()).await.unwrap_err().kind,
        FailureKind::Integrity
    );
    let plan = plan(&reader, &place.lineage, &keep_one()).await.unwrap();
    let kept: Vec<&str> =
        plan.snapshots.iter().filter(|one| one.decision.is_keep()).map(|one| one.id.as_str()).collect();
    assert_eq!(kept, [NEW, id]);
    apply_one(&reader, &place).await.unwrap();
    assert!(place.is_published(NEW).await && !place.is_published(OLD).await);
}
