//! A small archive as the sidecar would have written it, through the same encoders and the same store.
//!
//! Two snapshots and three slices over thirty seconds of a shop: orders come in all the time, then somebody deletes
//! orders and drops the users.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use archive::archive_marker::ArchiveMarker;
use archive::collection_page::{CollectionRecord, PageHeader, ScanOutcome, ScanRecord, SegmentRecord, encode_page};
use archive::framed::{DEFAULT_BLOCK_BYTES, Totals};
use archive::gap::{Gap, GapReason};
use archive::high_water::HighWater;
use archive::layout::{ObjectKey, SliceId};
use archive::lineage::LineageRecord;
use archive::manifest::{
    Compression, Encryption, PageRecord, SnapshotManifest, SnapshotStart, SnapshotTotals, WallClock,
};
use archive::segment::{self, Order, SegmentHeader};
use archive::slice::{SliceEncoder, SliceHeader};
use archive::{ClusterTime, CollectionUuid, Digest, LineageId, Namespace, SnapshotId};
use bson::{Bson, DateTime, Document, RawDocumentBuf, Timestamp, doc, rawdoc};
use store::{Created, ObjectStore, ObjectStoreExt};
use tempfile::TempDir;

/// 2026-01-01T00:00:00Z
pub const START: u32 = 1_767_225_600;
pub const LINEAGE: &str = "rs0-65a1b2c3d4e5f60718293a4b";
pub const FIRST: &str = "20260101T000000Z-aaaa";
pub const SECOND: &str = "20260101T000020Z-bbbb";
pub const ORDERS: CollectionUuid = CollectionUuid([1; 16]);
pub const USERS: CollectionUuid = CollectionUuid([2; 16]);
pub const ARCHIVE_ID: &str = "6c1f0a52e0f94d3f8f5a5d1c4b7e9a10";

pub fn at(seconds: u32, increment: u32) -> ClusterTime {
    ClusterTime::new(START + seconds, increment)
}

pub struct Archive {
    folder: TempDir,
    runtime: tokio::runtime::Runtime,
    store: Arc<dyn ObjectStore>,
    pub lineage: LineageId,
    /// Ascending.
    pub slices: Vec<SliceId>,
    last_digest: Option<Digest>,
}

impl Archive {
    /// An archive and a lineage in it, and nothing else.
    pub fn empty() -> Self {
        Self::of_lineage(LINEAGE)
    }

    pub fn of_lineage(lineage: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let archive = Self {
            store: store::open_or_create(&format!("file://{}", folder.path().display())).unwrap(),
            folder,
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
            lineage: lineage.parse().unwrap(),
            slices: Vec::new(),
            last_digest: None,
        };
        let started = "2026-01-01T00:00:00Z";
        archive.put(&ObjectKey::Archive, ArchiveMarker::new(ARCHIVE_ID, started).to_json().unwrap());
        archive.add_lineage(lineage);
        archive
    }

    pub fn add_lineage(&self, lineage: &str) {
        let (set, id) = lineage.rsplit_once('-').unwrap();
        let record = LineageRecord::new(lineage.parse().unwrap(), set, id, "2026-01-01T00:00:00Z");
        self.put(&record.key(), record.to_json().unwrap());
    }

    /// Snapshots end at 0:10 and 0:20, slices run from 0:00 through 0:30.
    pub fn sample() -> Self {
        let mut archive = Self::empty();
        archive.add_slice(at(0, 1), &shop_entries(1, 10));
        archive.add_slice(at(10, 1), &shop_entries(11, 20));
        archive.add_slice(at(20, 1), &disaster());
        archive.add_snapshot(FIRST, at(5, 1), at(10, 1));
        archive.add_snapshot(SECOND, at(15, 1), at(20, 1));
        archive
    }

    /// What is added from here on belongs to another lineage.
    pub fn begin_lineage(&mut self, lineage: &str) {
        self.add_lineage(lineage);
        self.lineage = lineage.parse().unwrap();
        self.slices.clear();
        self.last_digest = None;
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }

    pub fn path(&self, key: &ObjectKey) -> PathBuf {
        self.folder.path().join(key.to_string())
    }

    pub fn put(&self, key: &ObjectKey, bytes: Vec<u8>) {
        let created = self.runtime.block_on(self.store.put_new(&key.to_string(), bytes.into())).unwrap();
        assert_eq!(created, Created::New, "{key}");
    }

    /// Changes an object in a way that the store never would.
    pub fn damage(&self, key: &ObjectKey, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.path(key);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        // The file may be write-protected; a new one in its place is not.
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    }

    pub fn delete(&self, key: &ObjectKey) {
        fs::remove_file(self.path(key)).unwrap();
    }

    pub fn slice_key(&self, number: usize) -> ObjectKey {
        self.slices[number].key(&self.lineage, false)
    }

    pub fn segment_key(&self, snapshot: &str, uuid: CollectionUuid, part: u32) -> ObjectKey {
        let (lineage, snapshot) = (self.lineage.clone(), snapshot.parse().unwrap());
        ObjectKey::Segment { lineage, snapshot, uuid, part, encrypted: false }
    }

    pub fn page_key(&self, snapshot: &str) -> ObjectKey {
        let (lineage, snapshot) = (self.lineage.clone(), snapshot.parse().unwrap());
        ObjectKey::Collections { lineage, snapshot, page: 0, encrypted: false }
    }

    pub fn manifest_key(&self, snapshot: &str) -> ObjectKey {
        ObjectKey::Manifest { lineage: self.lineage.clone(), snapshot: snapshot.parse().unwrap() }
    }

    pub fn add_gap(&self, after: ClusterTime, through: ClusterTime) {
        let gap = Gap::new(after, through, GapReason::OplogOverrun, "2026-01-01T01:00:00Z", "the sidecar was down");
        self.put(&gap.key(&self.lineage), gap.to_json().unwrap());
    }

    pub fn add_not_replayable(&self, at: ClusterTime, detail: &str) {
        let gap = Gap::not_replayable(at, at, "2026-01-01T01:00:00Z", detail);
        self.put(&gap.key(&self.lineage), gap.to_json().unwrap());
    }

    pub fn put_mark(&self, through: ClusterTime, last_snapshot: Option<&str>) {
        let last_snapshot = last_snapshot.map(|id| id.parse().unwrap());
        let mark = HighWater::new(through, last_snapshot, "2026-01-01T01:00:00Z");
        self.put(&HighWater::key(&self.lineage), mark.to_json().unwrap());
    }

    pub fn add_slice(&mut self, after: ClusterTime, entries: &[Document]) {
        let follows = self.slices.last().is_some_and(|last| last.through == after);
        self.add_slice_after(after, self.last_digest.filter(|_| follows), entries);
    }

    pub fn add_slice_after(&mut self, after: ClusterTime, after_digest: Option<Digest>, entries: &[Document]) {
        let after_term = after_digest.map(|_| 1);
        let header = SliceHeader { lineage: self.lineage.clone(), after, after_term, after_digest };
        let entries: Vec<_> =
            entries.iter().map(|entry| RawDocumentBuf::try_from(entry).unwrap().into_bytes()).collect();
        self.write_slice(&header, &entries);
    }

    /// A slice of one entry that need not be valid BSON inside.
    pub fn add_raw_slice(&mut self, after: ClusterTime, entry: &[u8]) {
        let (after_term, after_digest) = (Some(1), self.last_digest);
        let header = SliceHeader { lineage: self.lineage.clone(), after, after_term, after_digest };
        self.write_slice(&header, &[entry.to_vec()]);
    }

    fn write_slice(&mut self, header: &SliceHeader, entries: &[Vec<u8>]) {
        let (mut encoder, mut object) = SliceEncoder::new(header, DEFAULT_BLOCK_BYTES).unwrap();
        for entry in entries {
            if let Some(block) = encoder.push(entry).unwrap() {
                object.extend(block.compress(1).unwrap().bytes);
            }
        }
        let sealed = encoder.seal().unwrap();
        object.extend(sealed.last_block.unwrap().compress(1).unwrap().bytes);
        object.extend(sealed.footer_frame);
        self.put(&sealed.id.key(&self.lineage, false), object);
        self.slices.push(sealed.id);
        self.last_digest = Some(sealed.through_digest);
    }

    pub fn add_snapshot(&self, id: &str, begin: ClusterTime, end: ClusterTime) {
        self.add_snapshot_of(id, begin, end, [1]);
    }

    /// `users`: their ids.
    pub fn add_snapshot_of<const N: usize>(&self, id: &str, begin: ClusterTime, end: ClusterTime, users: [i32; N]) {
        let snapshot: SnapshotId = id.parse().unwrap();
        let orders =
            [self.segment(&snapshot, ORDERS, "orders", 0, 1..3), self.segment(&snapshot, ORDERS, "orders", 1, 3..4)];
        let users = [self.segment(&snapshot, USERS, "users", 0, users)];
        let collections =
            [collection(ORDERS, "orders", end, orders.to_vec()), collection(USERS, "users", end, users.to_vec())];
        let header = PageHeader { lineage: self.lineage.clone(), snapshot: snapshot.clone(), page: 0 };
        let (page, page_totals) = encode_page(&header, &collections, 1).unwrap();
        let page_record = PageRecord::new(0, &page_totals, page.len() as u64);
        self.put(&header.key(false), page);
        let started = "2026-01-01T00:00:00Z";
        let start = SnapshotStart::new(self.lineage.clone(), snapshot.clone(), started, "shop-0", "shop-0:27017");
        self.put(&start.key(), start.to_json().unwrap());
        let manifest = SnapshotManifest {
            archive_id: ARCHIVE_ID.into(),
            lineage: self.lineage.clone(),
            snapshot,
            begin,
            begin_term: 1,
            end,
            started_at: started.into(),
            published_at: "2026-01-01T00:01:00Z".into(),
            server_version: "6.0.5".into(),
            fcv: "6.0".into(),
            member: "shop-0:27017".into(),
            totals: SnapshotTotals {
                collections: 2,
                documents: collections.iter().map(CollectionRecord::documents).sum(),
                bytes: collections.iter().map(CollectionRecord::bytes).sum(),
                stored_bytes: collections.iter().map(CollectionRecord::stored_bytes).sum(),
                segments: 3,
            },
            pages: vec![page_record],
            compression: Compression { level: 1 },
            encryption: Encryption::default(),
            dropped_collections: 0,
            wall_clock: WallClock::default(),
        };
        self.put(&manifest.key(), manifest.to_json().unwrap());
    }

    fn segment(
        &self,
        snapshot: &SnapshotId,
        uuid: CollectionUuid,
        coll: &str,
        part: u32,
        ids: impl IntoIterator<Item = i32>,
    ) -> SegmentRecord {
        let header = SegmentHeader {
            lineage: self.lineage.clone(),
            snapshot: snapshot.clone(),
            uuid,
            namespace: Namespace::new("shop", coll),
            part,
            order: Order::Natural,
            bounds: None,
        };
        let (object, totals) = encode_segment(&header, ids.into_iter().map(|id| rawdoc! { "_id": id, "total": 9.5 }));
        let record = SegmentRecord::new(part, &totals, object.len() as u64);
        self.put(&header.key(false), object);
        record
    }
}

fn encode_segment(header: &SegmentHeader, documents: impl Iterator<Item = RawDocumentBuf>) -> (Vec<u8>, Totals) {
    let (mut encoder, mut object) = segment::encoder(header, DEFAULT_BLOCK_BYTES).unwrap();
    for document in documents {
        assert_eq!(encoder.push(document.as_bytes()).unwrap(), None);
    }
    let finished = segment::finish(encoder).unwrap();
    object.extend(finished.last_block.unwrap().compress(1).unwrap().bytes);
    object.extend(finished.footer);
    (object, finished.totals)
}

fn collection(
    uuid: CollectionUuid,
    coll: &str,
    through: ClusterTime,
    segments: Vec<SegmentRecord>,
) -> CollectionRecord {
    let id_index = rawdoc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" };
    CollectionRecord {
        uuid,
        namespace: Namespace::new("shop", coll),
        options: RawDocumentBuf::new(),
        id_index: Some(id_index.clone()),
        indexes: vec![id_index],
        scan: ScanRecord { outcome: ScanOutcome::Complete, last_id: None, through },
        segments,
    }
}

/// One oplog entry.
pub fn entry(at: ClusterTime, op: &str, ns: &str, uuid: Option<CollectionUuid>, o: Document) -> Document {
    let mut entry = doc! {
        "op": op, "ns": ns, "o": o, "t": 1_i64, "v": 2_i64, "ts": Bson::Timestamp(Timestamp::from(at)),
        "wall": DateTime::from_millis(i64::from(at.seconds) * 1000 + i64::from(at.increment)),
    };
    if let Some(uuid) = uuid {
        entry.insert("ui", uuid.to_binary());
    }
    entry
}

fn order(at: ClusterTime, id: u32) -> Document {
    let mut entry = entry(at, "i", "shop.orders", Some(ORDERS), doc! { "_id": i64::from(id) });
    entry.insert("lsid", doc! { "id": 7 });
    entry.insert("txnNumber", i64::from(id));
    entry
}

/// One order per second; the last entry of the range closes a slice.
pub fn shop_entries(from: u32, through: u32) -> Vec<Document> {
    (from..=through).map(|second| order(at(second, 1), 100 + second)).collect()
}

/// Seconds 21 to 30: three orders are deleted at 0:25, beside an order that comes in, and the users are dropped at 0:27.
fn disaster() -> Vec<Document> {
    let delete = |increment, id: i32| entry(at(25, increment), "d", "shop.orders", Some(ORDERS), doc! { "_id": id });
    let mut entries = shop_entries(21, 24);
    entries.extend([delete(1, 1), order(at(25, 2), 125), delete(3, 2), delete(4, 3)]);
    entries.push(order(at(26, 1), 126));
    entries.push(entry(at(27, 1), "c", "shop.$cmd", Some(USERS), doc! { "drop": "users" }));
    entries.extend(shop_entries(28, 29));
    entries.push(entry(at(30, 1), "n", "", None, doc! { "msg": "periodic noop" }));
    entries
}
