//! How many requests `status` makes: what docs/object-stores.md promises for years of history.

use std::sync::Arc;

use archive::archive_marker::ArchiveMarker;
use archive::collection_page::{PageHeader, encode_page};
use archive::gap::{Gap, GapReason};
use archive::layout::{ObjectKey, SliceId};
use archive::manifest::{Compression, Encryption, PageRecord, SnapshotManifest, SnapshotTotals, WallClock};
use store::fault::FaultStore;
use store::{Created, MemoryStore, ObjectStore, ObjectStoreExt, Operation};

use super::*;

const LINEAGE: &str = "rs0-65a1b2c3d4e5f60718293a4b";
const NOW: &str = "2026-01-02T03:04:05Z";
const DAY: u32 = 86_400;
/// The beginning of a UTC day.
const START: u32 = 1_767_225_600;

/// An archive of one lineage with a slice every `span` seconds for so many days, and gaps behind them.
struct History {
    days: u32,
    span: u32,
    snapshots: u32,
    pages: u32,
    gaps: u32,
}

impl History {
    const SMALL: Self = Self { days: 1, span: DAY / 10, snapshots: 0, pages: 0, gaps: 0 };

    /// What the page about object stores says.
    fn promised(&self) -> u64 {
        let pages_of_names = u64::from(self.days) * u64::from(DAY / self.span).div_ceil(1_000);
        let snapshots = u64::from(self.snapshots) * (3 + u64::from(self.pages));
        2 + 9 + pages_of_names + snapshots + u64::from(self.gaps)
    }

    async fn put(store: &dyn ObjectStore, key: &ObjectKey, body: Vec<u8>) {
        assert_eq!(store.put_new(&key.to_string(), body.into()).await.unwrap(), Created::New, "{key}");
    }

    async fn store(&self) -> Arc<dyn ObjectStore> {
        let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
        let lineage: LineageId = LINEAGE.parse().unwrap();
        Self::put(&*store, &ObjectKey::Archive, ArchiveMarker::new("0b7e", NOW).to_json().unwrap()).await;
        let record = LineageRecord::new(lineage.clone(), "rs0", "1", NOW);
        Self::put(&*store, &ObjectKey::Lineage { lineage: lineage.clone() }, record.to_json().unwrap()).await;
        let at = |number: u32| ClusterTime::new(START + number * self.span, 1);
        let slices = self.days * (DAY / self.span);
        for number in 0..slices {
            let id = SliceId { after: at(number), through: at(number + 1), term: 1, digest: [7; 16] };
            Self::put(&*store, &id.key(&lineage, false), vec![1]).await;
        }
        for number in 0..self.snapshots {
            self.put_snapshot(&*store, &lineage, number, at(number), at(number + 1)).await;
        }
        for number in 0..self.gaps {
            let (after, through) = (at(slices + number), at(slices + number + 1));
            let gap = Gap::new(after, through, GapReason::OplogOverrun, NOW, "the sidecar was down");
            Self::put(&*store, &gap.key(&lineage), gap.to_json().unwrap()).await;
        }
        store
    }

    async fn put_snapshot(
        &self,
        store: &dyn ObjectStore,
        lineage: &LineageId,
        number: u32,
        begin: ClusterTime,
        end: ClusterTime,
    ) {
        let snapshot: archive::SnapshotId = format!("20260101T{number:06}Z-aaaa").parse().unwrap();
        let mut pages = Vec::new();
        for page in 0..self.pages {
            let header = PageHeader { lineage: lineage.clone(), snapshot: snapshot.clone(), page };
            let (bytes, totals) = encode_page(&header, &[], 1).unwrap();
            pages.push(PageRecord::new(page, &totals, bytes.len() as u64));
            Self::put(store, &header.key(false), bytes).await;
        }
        let manifest = SnapshotManifest {
            archive_id: "0b7e".into(),
            lineage: lineage.clone(),
            snapshot,
            begin,
            begin_term: 1,
            end,
            started_at: NOW.into(),
            published_at: NOW.into(),
            server_version: "6.0.5".into(),
            fcv: "6.0".into(),
            member: "shop-0:27017".into(),
            totals: SnapshotTotals { collections: 0, documents: 0, bytes: 0, stored_bytes: 0, segments: 0 },
            pages,
            compression: Compression { level: 1 },
            encryption: Encryption::default(),
            dropped_collections: 0,
            wall_clock: WallClock::default(),
        };
        Self::put(store, &manifest.key(), manifest.to_json().unwrap()).await;
    }

    /// The requests of `status`, and what it says about the lineage.
    async fn status(&self) -> (u64, LineageStatus) {
        let counted = FaultStore::new(self.store().await);
        let reader = ArchiveReader::open(Arc::new(counted.clone())).await.unwrap();
        let (records, findings) = reader.usable_lineages().await.unwrap();
        assert!(findings.is_empty(), "{findings:?}");
        let lineage = examine(&reader, records).await.unwrap().remove(0);
        let kinds = [Operation::Get, Operation::Head, Operation::List, Operation::ListFolders];
        (kinds.map(|kind| counted.calls(kind)).iter().sum(), lineage)
    }
}

#[tokio::test]
async fn status_makes_as_many_requests_as_is_promised() {
    for history in [
        History::SMALL,
        // Not one more for what fits onto the same page of names.
        History { span: DAY / 1_000, ..History::SMALL },
        History { span: 80, ..History::SMALL },
        History { days: 30, ..History::SMALL },
        History { days: 3, span: 30, snapshots: 4, pages: 1, gaps: 2 },
        History { days: 2, span: 60, snapshots: 30, pages: 3, gaps: 0 },
    ] {
        let (requests, lineage) = history.status().await;
        let what = format!("{} days, {} s, {} snapshots", history.days, history.span, history.snapshots);
        assert_eq!(requests, history.promised(), "{what}");
        // Nothing was left out to save them.
        let end = ClusterTime::new(START + history.days * DAY, 1);
        assert_eq!(lineage.windows.iter().map(|window| window.through).max(), (history.snapshots > 0).then_some(end));
        assert_eq!(lineage.gaps.len(), usize::try_from(history.gaps).unwrap(), "{what}");
    }
}

#[tokio::test]
async fn a_slice_that_is_missing_in_the_middle_of_a_day_is_seen_whatever_the_page() {
    let history = History { days: 2, span: 30, snapshots: 1, pages: 1, gaps: 0 };
    for number in [1, 999, 1_000, 1_001, 2_879, 2_880, 4_000] {
        let store = history.store().await;
        let lineage: LineageId = LINEAGE.parse().unwrap();
        let at = |number: u32| ClusterTime::new(START + number * history.span, 1);
        let id = SliceId { after: at(number), through: at(number + 1), term: 1, digest: [7; 16] };
        store.delete(&id.key(&lineage, false).to_string()).await.unwrap();
        let reader = ArchiveReader::open(store).await.unwrap();
        let (records, _) = reader.usable_lineages().await.unwrap();
        let status = examine(&reader, records).await.unwrap().remove(0);
        assert_eq!(status.windows[0].through, at(number), "slice {number}");
        assert!(!status.findings.is_empty(), "slice {number}");
    }
}
