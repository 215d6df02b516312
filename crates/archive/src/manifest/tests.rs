use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::archive_marker::ArchiveMarker;
use crate::gap::Gap;
use crate::lineage::LineageRecord;

fn manifest() -> SnapshotManifest {
    let page = |page, collections| PageRecord { page, collections, sha256: Digest::of(b"p"), stored_bytes: 10 };
    SnapshotManifest {
        archive_id: "0b7e".into(),
        lineage: "rs0-1".parse().unwrap(),
        snapshot: "20260102T030405Z-1".parse().unwrap(),
        begin: ClusterTime::new(10, 1),
        begin_term: 4,
        end: ClusterTime::new(12, 7),
        started_at: "2026-01-02T03:04:05Z".into(),
        published_at: "2026-01-02T03:05:05.25+01:00".into(),
        server_version: "6.0.5".into(),
        fcv: "6.0".into(),
        member: "db-1:27017".into(),
        totals: SnapshotTotals { collections: 3, documents: 4, bytes: 200, stored_bytes: 90, segments: 2 },
        pages: vec![page(0, 2), page(1, 1)],
        compression: Compression { level: 3 },
        encryption: Encryption::default(),
        dropped_collections: 1,
        wall_clock: WallClock::default(),
    }
}

fn edited(pointer: &str, value: Value) -> Result<SnapshotManifest, RecordError> {
    let mut json: Value = serde_json::from_slice(&manifest().to_json().unwrap()).unwrap();
    *json.pointer_mut(pointer).unwrap() = value;
    SnapshotManifest::from_json(&serde_json::to_vec(&json).unwrap())
}

#[test]
fn a_manifest_reads_back_as_written_and_knows_its_key() {
    let read = SnapshotManifest::from_json(&manifest().to_json().unwrap()).unwrap();
    assert_eq!(read, manifest());
    assert_eq!(read.key().to_string(), "rs0-1/snapshots/20260102T030405Z-1/manifest.json");
}

#[test]
fn an_abandoned_snapshot_is_not_a_snapshot() {
    let abandoned = AbandonedSnapshot {
        lineage: "rs0-1".parse().unwrap(),
        snapshot: "20260102T030405Z-1".parse().unwrap(),
        abandoned_at: "2026-01-02T03:04:05Z".into(),
        reason: "expired unfinished".into(),
    };
    let json = abandoned.to_json().unwrap();
    assert!(SnapshotManifest::from_json(&json).unwrap_err().to_string().contains("expired unfinished"));
    assert_eq!(PublishedManifest::from_json(&json).unwrap(), PublishedManifest::Abandoned(abandoned));
    assert!(edited("/state", json!("paused")).is_err());
}

#[test]
fn a_newer_format_is_named_whatever_else_it_holds() {
    let newer = json!({"format": 3, "layers": []}).to_string();
    assert!(matches!(
        SnapshotManifest::from_json(newer.as_bytes()),
        Err(RecordError::NewerFormat { found: 3, newest: 1, .. })
    ));
    assert!(edited("/format", json!(0)).is_err());
    assert!(edited("/format", json!("1")).is_err());
}

#[test]
fn contradictions_are_refused() {
    assert!(edited("/dropped_collections", json!(2)).is_ok());
    for (pointer, value) in [
        ("/begin", json!("12:8")),
        ("/begin", json!("12")),
        ("/begin_term", json!(-1)),
        ("/pages/1/page", json!(2)),
        ("/pages/0/page", json!(1)),
        ("/pages/0/collections", json!(1)),
        ("/pages/0/collections", json!(u64::MAX)),
        ("/pages", json!([])),
        ("/totals/documents", json!(41)),
        ("/totals/documents", json!(u64::MAX)),
        ("/totals/documents", json!(0)),
        ("/totals/documents", json!(-1)),
        ("/totals/documents", json!(1.5)),
        ("/totals/segments", json!(0)),
        ("/dropped_collections", json!(-4)),
        ("/started_at", json!("today")),
        ("/published_at", json!("")),
        ("/lineage", json!("../x")),
        ("/snapshot", json!("a/b")),
    ] {
        assert!(edited(pointer, value.clone()).is_err(), "{pointer} = {value}");
    }
}

#[test]
fn an_object_that_is_too_large_is_not_parsed() {
    let bytes = vec![b' '; LIMIT + 1];
    assert!(matches!(SnapshotManifest::from_json(&bytes), Err(RecordError::TooLarge { .. })));
}

#[test]
fn a_start_record_reads_back_as_written() {
    let mut start = SnapshotStart::new(
        "rs0-1".parse().unwrap(),
        "20260102T030405Z-1".parse().unwrap(),
        "2026-01-02T03:04:05Z",
        "db-1",
        "db-1:27017",
    );
    assert_eq!(SnapshotStart::from_json(&start.to_json().unwrap()).unwrap(), start);
    start.lease_epoch = Some(7);
    assert_eq!(SnapshotStart::from_json(&start.to_json().unwrap()).unwrap(), start);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9]{1,10}:[0-9]{1,10}".prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z]{1,6}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn read_as_everything(bytes: &[u8]) {
    drop(PublishedManifest::from_json(bytes));
    drop(SnapshotStart::from_json(bytes));
    drop(Gap::from_json(bytes));
    drop(LineageRecord::from_json(bytes));
    drop(ArchiveMarker::from_json(bytes));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn random_json_is_read_or_refused(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any_json()), 1..4),
        other in any_json(),
    ) {
        let mut json: Value = serde_json::from_slice(&manifest().to_json().unwrap()).unwrap();
        let members = json.as_object_mut().unwrap();
        let names: Vec<String> = members.keys().cloned().collect();
        for (at, value) in edits {
            members.insert(names[at.index(names.len())].clone(), value);
        }
        let bytes = serde_json::to_vec(&json).unwrap();
        read_as_everything(&bytes);
        if let Ok(read) = SnapshotManifest::from_json(&bytes) {
            prop_assert_eq!(SnapshotManifest::from_json(&read.to_json().unwrap()).unwrap(), read);
        }
        read_as_everything(&serde_json::to_vec(&other).unwrap());
    }

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_as_everything(&bytes);
        prop_assert!(SnapshotManifest::from_json(&bytes).is_err());
    }
}
