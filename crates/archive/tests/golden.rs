//! Objects as format 1 wrote them, kept in `golden/`. They were written once and are never written again: what is read
//! here is what archives in use hold. A change that fails these tests is a new format.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;

use archive::archive_marker::ArchiveMarker;
use archive::collection_page::{CollectionRecord, PageHeader, ScanOutcome, ScanRecord, SegmentRecord, decode_page};
use archive::framed::{DEFAULT_BLOCK_BYTES, Encoder, Kind};
use archive::gap::{Gap, GapReason};
use archive::high_water::HighWater;
use archive::layout::ObjectKey;
use archive::lineage::{LineageRecord, Parent};
use archive::manifest::{
    AbandonedSnapshot, Compression, Encryption, PageRecord, PublishedManifest, SnapshotManifest, SnapshotStart,
    SnapshotTotals, WallClock,
};
use archive::segment::{Bounds, Order, SegmentDecoder, SegmentEvent, SegmentHeader};
use archive::slice::{SliceDecoder, SliceEvent, SliceFooter, SliceHeader};
use archive::{ClusterTime, CollectionUuid, Digest, LineageId, Namespace, SnapshotId};
use bson::{RawDocumentBuf, rawdoc};

const STARTED: &str = "2026-01-02T03:04:05Z";

fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn lineage() -> LineageId {
    "rs0-65a1b2c3d4e5f60718293a4b".parse().unwrap()
}

fn snapshot() -> SnapshotId {
    "20260102T030405Z-7f3a".parse().unwrap()
}

fn uuid() -> CollectionUuid {
    "0123456789abcdef0123456789abcdef".parse().unwrap()
}

fn marker() -> ArchiveMarker {
    ArchiveMarker::new("6c1f0a52e0f94d3f8f5a5d1c4b7e9a10", STARTED)
}

fn lineage_record() -> LineageRecord {
    let mut record = LineageRecord::new(lineage(), "rs0", "65a1b2c3d4e5f60718293a4b", STARTED);
    record.server_version = "6.0.5".into();
    record.fcv = "6.0".into();
    record.parent = Some(Parent {
        lineage: "rs0-64000000d4e5f60718293a4b".parse().unwrap(),
        restored_to: ClusterTime::new(1_767_000_000, 3),
    });
    record
}

fn start() -> SnapshotStart {
    let mut start = SnapshotStart::new(lineage(), snapshot(), STARTED, "orders-db-1", "orders-db-1:27017");
    start.lease_epoch = Some(12);
    start
}

fn gap() -> Gap {
    Gap::new(
        ClusterTime::new(1_767_323_000, 4),
        ClusterTime::new(1_767_323_045, 0),
        GapReason::OplogOverrun,
        STARTED,
        "the oldest entry of all 3 members is 1767323045:1",
    )
}

fn high_water() -> HighWater {
    HighWater::new(ClusterTime::new(1_767_323_045, 9), Some(snapshot()), STARTED)
}

fn manifest() -> SnapshotManifest {
    SnapshotManifest {
        archive_id: "6c1f0a52e0f94d3f8f5a5d1c4b7e9a10".into(),
        lineage: lineage(),
        snapshot: snapshot(),
        begin: ClusterTime::new(1_767_323_045, 1),
        begin_term: 4,
        end: ClusterTime::new(1_767_323_099, 17),
        started_at: STARTED.into(),
        published_at: "2026-01-02T03:05:00Z".into(),
        server_version: "6.0.5".into(),
        fcv: "6.0".into(),
        member: "orders-db-1:27017".into(),
        totals: SnapshotTotals { collections: 1, documents: 2, bytes: 58, stored_bytes: 700, segments: 1 },
        pages: vec![PageRecord { page: 0, collections: 1, sha256: Digest::of(b"page"), stored_bytes: 900 }],
        compression: Compression { level: 3 },
        encryption: Encryption { recipients: Vec::new() },
        dropped_collections: 0,
        wall_clock: WallClock { begin: Some(STARTED.into()), end: None, note: Some("clock of orders-db-1".into()) },
    }
}

fn abandoned() -> AbandonedSnapshot {
    AbandonedSnapshot {
        lineage: lineage(),
        snapshot: snapshot(),
        abandoned_at: STARTED.into(),
        reason: "unfinished for 3 days".into(),
    }
}

fn segment_header() -> SegmentHeader {
    SegmentHeader {
        lineage: lineage(),
        snapshot: snapshot(),
        uuid: uuid(),
        namespace: Namespace::new("shop", "orders.2026\n\"old\""),
        part: 1,
        order: Order::Id,
        bounds: Some(Bounds { min: Some(rawdoc! { "_id": 1 }), max: None }),
    }
}

fn segment_documents() -> Vec<RawDocumentBuf> {
    vec![rawdoc! { "_id": 1, "total": 9.5 }, rawdoc! { "_id": 2, "total": 1_i64 }]
}

fn slice_header() -> SliceHeader {
    SliceHeader {
        lineage: lineage(),
        after: ClusterTime::new(1_767_323_045, 1),
        after_term: Some(4),
        after_digest: Some(Digest::of(b"entry")),
    }
}

fn slice_entries() -> Vec<RawDocumentBuf> {
    let ts = |increment| bson::Timestamp { time: 1_767_323_045, increment };
    let wall = bson::DateTime::from_millis(1_767_323_045_123);
    vec![
        rawdoc! { "op": "i", "ns": "shop.orders", "o": { "_id": 3 }, "ts": ts(2), "t": 4_i64, "v": 2_i64, "wall": wall },
        rawdoc! { "op": "n", "ns": "", "o": { "msg": "periodic noop" }, "ts": ts(9), "t": 5_i64, "v": 2_i64, "wall": wall },
    ]
}

fn page_header() -> PageHeader {
    PageHeader { lineage: lineage(), snapshot: snapshot(), page: 0 }
}

fn collection() -> CollectionRecord {
    CollectionRecord {
        uuid: uuid(),
        namespace: Namespace::new("shop", "orders"),
        options: rawdoc! { "capped": true, "size": 4096 },
        id_index: Some(rawdoc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }),
        indexes: vec![
            rawdoc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" },
            rawdoc! { "v": 2, "key": { "at": -1 }, "name": "at_-1", "expireAfterSeconds": 60 },
        ],
        scan: ScanRecord {
            outcome: ScanOutcome::Complete,
            last_id: Some(bson::RawBson::Int32(2)),
            through: ClusterTime::new(1_767_323_099, 17),
        },
        segments: vec![SegmentRecord {
            part: 1,
            documents: 2,
            bytes: 58,
            stored_bytes: 700,
            sha256: Digest::of(b"segment"),
        }],
    }
}

fn concatenated(documents: &[RawDocumentBuf]) -> Vec<u8> {
    documents.iter().flat_map(|document| document.as_bytes().to_vec()).collect()
}

/// What is written today is what was written then, byte for byte: for JSON that is easy to keep.
#[test]
fn json_objects_of_format_1_are_read_and_still_written_alike() {
    assert_eq!(ArchiveMarker::from_json(&golden("archive.json")).unwrap(), marker());
    assert_eq!(marker().to_json().unwrap(), golden("archive.json"));
    assert_eq!(LineageRecord::from_json(&golden("lineage.json")).unwrap(), lineage_record());
    assert_eq!(lineage_record().to_json().unwrap(), golden("lineage.json"));
    assert_eq!(SnapshotStart::from_json(&golden("start.json")).unwrap(), start());
    assert_eq!(start().to_json().unwrap(), golden("start.json"));
    assert_eq!(Gap::from_json(&golden("gap.json")).unwrap(), gap());
    assert_eq!(gap().to_json().unwrap(), golden("gap.json"));
    assert_eq!(HighWater::from_json(&golden("archived.json")).unwrap(), high_water());
    assert_eq!(high_water().to_json().unwrap(), golden("archived.json"));
    assert_eq!(SnapshotManifest::from_json(&golden("manifest.json")).unwrap(), manifest());
    assert_eq!(manifest().to_json().unwrap(), golden("manifest.json"));
    assert_eq!(
        PublishedManifest::from_json(&golden("manifest-abandoned.json")).unwrap(),
        PublishedManifest::Abandoned(abandoned())
    );
    assert_eq!(abandoned().to_json().unwrap(), golden("manifest-abandoned.json"));
}

#[test]
fn the_segment_of_format_1_is_read() {
    let object = golden("segment.bson.zst");
    let mut decoder = SegmentDecoder::new(segment_header().key(false));
    decoder.feed(&object);
    assert_eq!(decoder.next_event().unwrap(), Some(SegmentEvent::Header(Box::new(segment_header()))));
    let Some(SegmentEvent::Documents(block)) = decoder.next_event().unwrap() else { panic!("no block") };
    assert_eq!(block.bytes(), concatenated(&segment_documents()));
    assert!(matches!(decoder.next_event().unwrap(), Some(SegmentEvent::Footer(totals)) if totals.documents == 2));
    decoder.finish().unwrap();
    assert_eq!(zstd::stream::decode_all(object.as_slice()).unwrap(), concatenated(&segment_documents()));
    // Header and footer do not depend on the compressor, so they are still written alike.
    let (mut encoder, header) = Encoder::new(Kind::Segment, &segment_header(), DEFAULT_BLOCK_BYTES).unwrap();
    for document in segment_documents() {
        assert_eq!(encoder.push(document.as_bytes()).unwrap(), None);
    }
    assert!(object.starts_with(&header));
    assert!(object.ends_with(&archive::segment::finish(encoder).unwrap().footer));
}

#[test]
fn the_slice_of_format_1_is_read() {
    let key = String::from_utf8(golden("slice.key")).unwrap();
    let Ok(ObjectKey::Slice { lineage: in_lineage, id, encrypted: false }) = key.trim_end().parse() else {
        panic!("{key}")
    };
    assert_eq!(in_lineage, lineage());
    let object = golden("slice.bson.zst");
    let mut decoder = SliceDecoder::new(in_lineage, id);
    decoder.feed(&object);
    assert_eq!(decoder.next_event().unwrap(), Some(SliceEvent::Header(slice_header())));
    let Some(SliceEvent::Entries(block)) = decoder.next_event().unwrap() else { panic!("no block") };
    assert_eq!(block.bytes(), concatenated(&slice_entries()));
    let footer = SliceFooter {
        through: ClusterTime::new(1_767_323_045, 9),
        term: 5,
        first: ClusterTime::new(1_767_323_045, 2),
        first_wall_ms: Some(1_767_323_045_123),
        last_wall_ms: Some(1_767_323_045_123),
    };
    assert!(matches!(decoder.next_event().unwrap(), Some(SliceEvent::Footer(found, _)) if found == footer));
    decoder.finish().unwrap();
}

#[test]
fn the_collection_page_of_format_1_is_read() {
    let (collections, totals) = decode_page(&page_header(), &golden("collections.bson.zst")).unwrap();
    assert_eq!(collections, [collection()]);
    assert_eq!(totals.documents, 1);
}
