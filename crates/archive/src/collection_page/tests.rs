use bson::rawdoc;
use proptest::prelude::*;

use super::*;

fn header() -> PageHeader {
    PageHeader { lineage: "rs0-1".parse().unwrap(), snapshot: "20260102T030405Z-1".parse().unwrap(), page: 2 }
}

fn record(name: &str, parts: u32) -> CollectionRecord {
    CollectionRecord {
        uuid: CollectionUuid([9; 16]),
        namespace: Namespace::new("shop", name),
        options: rawdoc! { "capped": true, "size": 4096_i64, "future": { "nested": [1, 2.5] } },
        id_index: Some(rawdoc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }),
        indexes: vec![rawdoc! { "v": 2, "key": { "at": 1 }, "name": "at_1", "expireAfterSeconds": 60.0 }],
        scan: ScanRecord {
            outcome: ScanOutcome::Complete,
            last_id: Some(RawBson::Decimal128(bson::Decimal128::from_bytes([5; 16]))),
            through: ClusterTime::new(7, 8),
        },
        segments: (0..parts)
            .map(|part| SegmentRecord { part, documents: 3, bytes: 90, stored_bytes: 40, sha256: Digest::of(b"s") })
            .collect(),
    }
}

#[test]
fn a_page_is_read_back_as_it_was_written() {
    let mut dropped = record("gone", 0);
    dropped.scan = ScanRecord { outcome: ScanOutcome::Dropped, last_id: None, through: ClusterTime::new(1, 1) };
    dropped.id_index = None;
    dropped.indexes.clear();
    let records = [record("orders", 3), record("a.b\n$c\u{1F600}", 1), dropped];
    let (object, totals) = encode_page(&header(), &records, 3).unwrap();
    let (read, read_totals) = decode_page(&header(), &object).unwrap();
    assert_eq!(read, records);
    assert_eq!((read_totals, totals.documents), (totals, 3));
    assert_eq!((read[0].documents(), read[0].bytes(), read[0].stored_bytes()), (9, 270, 120));
}

#[test]
fn options_and_indexes_keep_every_byte() {
    // A double where an integer would do, a text that is not UTF-8, fields in an odd order: all stay.
    let mut options = rawdoc! { "size": 1e3, "capped": 1, "comment": "abc" }.into_bytes();
    let at = options.windows(3).position(|window| window == b"abc").unwrap();
    options[at] = 0xFE;
    let mut odd = record("x", 0);
    odd.options = RawDocumentBuf::from_bytes(options.clone()).unwrap();
    let read = CollectionRecord::from_document(&odd.to_document().unwrap()).unwrap();
    assert_eq!(read.options.as_bytes(), options);
}

#[test]
fn a_page_of_another_snapshot_is_refused() {
    let (object, _) = encode_page(&header(), &[record("x", 1)], 3).unwrap();
    let other = PageHeader { page: 3, ..header() };
    let error = decode_page(&other, &object).unwrap_err();
    assert!(error.to_string().contains("collections-00002"), "{error}");
}

#[test]
fn records_that_make_no_sense_are_refused() {
    let good = record("x", 2).to_document().unwrap();
    let with = |name: &str, value: RawBson| {
        let mut document = RawDocumentBuf::new();
        for element in good.iter_elements() {
            let element = element.unwrap();
            let value = if element.key().as_str() == name { value.clone() } else { element.value().unwrap().into() };
            document.append(element.key(), value);
        }
        CollectionRecord::from_document(&document)
    };
    assert_eq!(with("unrelated", RawBson::Null).unwrap(), record("x", 2));
    for (name, value) in [
        ("uuid", RawBson::String("9".into())),
        ("db", RawBson::Null),
        ("kind", RawBson::String("hologram".into())),
        ("options", RawBson::Int32(1)),
        ("idIndex", RawBson::Null),
        ("indexes", RawBson::Document(rawdoc! {})),
        (
            "scan",
            RawBson::Document(rawdoc! { "outcome": "half", "through": bson::Timestamp { time: 1, increment: 1 } }),
        ),
        ("scan", RawBson::Document(rawdoc! { "outcome": "complete" })),
    ] {
        assert!(with(name, value.clone()).is_err(), "{name}: {value:?}");
    }
    let mut repeated = record("x", 2);
    repeated.segments[1].part = 0;
    assert!(repeated.to_document().is_err());
    let mut beyond = record("x", 1);
    beyond.segments[0].bytes = u64::MAX;
    assert!(beyond.to_document().is_err());
}

#[test]
fn sums_of_hostile_numbers_do_not_overflow() {
    let mut huge = record("x", 3);
    for segment in &mut huge.segments {
        segment.bytes = i64::MAX as u64;
    }
    assert_eq!(huge.bytes(), u64::MAX);
}

proptest! {
    #[test]
    fn a_damaged_record_is_refused_or_read_without_a_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5)
    ) {
        let mut bytes = record("x", 2).to_document().unwrap().into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len() - 5) + 4;
            bytes[at] = byte;
        }
        if let Ok(document) = bson::RawDocument::from_bytes(&bytes)
            && let Ok(read) = CollectionRecord::from_document(document) {
            drop(read.to_document());
        }
    }
}
