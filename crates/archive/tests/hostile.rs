//! Whatever lies in an archive, reading it ends in a value or an error: no panic, no endless loop, and no more memory than
//! the limits say, whatever lengths are declared. Bytes are arbitrary, or valid ones that were changed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use archive::archive_marker::ArchiveMarker;
use archive::bson_run::{self, Documents};
use archive::collection_page::{CollectionRecord, PageHeader, decode_page};
use archive::drill::DrillReport;
use archive::encryption::{Decryptor, Identities, Recipients, RecipientsRecord};
use archive::framed::MAX_BLOCK_BYTES;
use archive::gap::Gap;
use archive::high_water::HighWater;
use archive::id_key::id_hash;
use archive::layout::{ControlPath, ObjectKey, SliceId};
use archive::lineage::LineageRecord;
use archive::manifest::{PublishedManifest, SnapshotStart};
use archive::oplog::{Entry, EntryError};
use archive::reference::Reference;
use archive::retention::{Expiring, Freeze, Pin, Protection};
use archive::segment::SegmentDecoder;
use archive::signature::{SigningKey, VerifyingKey};
use archive::slice::{EntryStamp, SliceDecoder};
use archive::target::RestoreTarget;
use bson::RawDocument;
use peak_alloc::PeakAlloc;
use proptest::prelude::*;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// One measurement at a time: the allocator counts for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// Memory beyond what was held before, at its highest.
fn peak_bytes(work: impl FnOnce()) -> usize {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    work();
    ALLOCATOR.peak_usage().saturating_sub(before)
}

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)).unwrap()
}

#[derive(Debug, Clone)]
enum Change {
    Flip(u8),
    Insert(Vec<u8>),
    Remove(usize),
    /// Where a length may stand.
    Number(u32),
    Wide(u64),
    Cut,
}

fn change() -> impl Strategy<Value = Change> {
    let number = prop_oneof![Just(u32::MAX), Just(0x7FFF_FFFF), Just(0), Just(16 * 1024 * 1024), any::<u32>()];
    prop_oneof![
        4 => any::<u8>().prop_map(Change::Flip),
        2 => proptest::collection::vec(any::<u8>(), 1..20).prop_map(Change::Insert),
        2 => (1..50_usize).prop_map(Change::Remove),
        3 => number.prop_map(Change::Number),
        2 => any::<u64>().prop_map(Change::Wide),
        1 => Just(Change::Cut),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: Vec<(prop::sample::Index, Change)>) -> Vec<u8> {
    for (at, change) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        let overwrite = |bytes: &mut Vec<u8>, new: &[u8]| {
            let end = bytes.len().min(at + new.len());
            bytes[at..end].copy_from_slice(&new[..end - at]);
        };
        match change {
            Change::Flip(mask) => bytes[at] ^= mask,
            Change::Insert(new) => drop(bytes.splice(at..at, new)),
            Change::Remove(length) => drop(bytes.drain(at..bytes.len().min(at + length))),
            Change::Number(number) => overwrite(&mut bytes, &number.to_le_bytes()),
            Change::Wide(number) => overwrite(&mut bytes, &number.to_le_bytes()),
            Change::Cut => bytes.truncate(at),
        }
    }
    bytes
}

/// Valid bytes that were changed, or bytes that never were anything.
fn hostile(valid: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), change()), 0..6);
    prop_oneof![
        5 => (prop::sample::select(valid), changes).prop_map(|(bytes, changes)| changed(bytes, changes)),
        1 => proptest::collection::vec(any::<u8>(), 0..600),
    ]
}

fn framed() -> Vec<Vec<u8>> {
    ["segment.bson.zst", "slice.bson.zst", "collections.bson.zst"].map(golden).into()
}

fn slice_key() -> (archive::LineageId, SliceId) {
    let text = String::from_utf8(golden("slice.key")).unwrap();
    match text.trim().parse() {
        Ok(ObjectKey::Slice { lineage, id, .. }) => (lineage, id),
        other => panic!("{other:?}"),
    }
}

fn read_framed(object: &[u8], piece: usize) {
    let key = "rs0-1/snapshots/s/data/0123456789abcdef0123456789abcdef-00001.bson.zst".parse().unwrap();
    let mut segment = SegmentDecoder::new(key);
    let (lineage, id) = slice_key();
    let mut slice = SliceDecoder::new(lineage, id);
    for piece in object.chunks(piece.max(1)) {
        segment.feed(piece);
        while let Ok(Some(_)) = segment.next_event() {}
        slice.feed(piece);
        while let Ok(Some(_)) = slice.next_event() {}
    }
    let _ = (segment.finish().is_ok(), slice.finish().is_ok());
    let header = PageHeader {
        lineage: "rs0-65a1b2c3d4e5f60718293a4b".parse().unwrap(),
        snapshot: "20260102T030405Z-7f3a".parse().unwrap(),
        page: 0,
    };
    drop(decode_page(&header, object));
}

fn walk(bytes: &[u8]) {
    let _ = (bson_run::validate(bytes).is_ok(), bson_run::validate_run(bytes).is_ok());
    drop(bson_run::whole_document(bytes));
    for document in Documents::new(bytes) {
        let Ok(document) = document else { break };
        let _ = (EntryStamp::read(document).is_ok(), CollectionRecord::from_document(document).is_ok());
        if let Ok(entry) = Entry::parse(document) {
            let visited = entry.for_each_operation::<EntryError>(|operation| {
                let _ = (operation.namespace(), operation.document_id().map(id_hash));
                Ok(())
            });
            let _ = (visited.is_ok(), entry.transaction_role(), entry.transaction_key());
        }
        for element in document.iter().flatten() {
            id_hash(element.1);
        }
    }
}

fn records() -> Vec<Vec<u8>> {
    let manifests = ["manifest.json", "manifest-abandoned.json", "start.json"];
    ["archive.json", "archived.json", "gap.json", "lineage.json"].into_iter().chain(manifests).map(golden).collect()
}

fn read_record(bytes: &[u8]) {
    let _ = (ArchiveMarker::from_json(bytes).is_ok(), HighWater::from_json(bytes).is_ok());
    let _ = (Gap::from_json(bytes).is_ok(), LineageRecord::from_json(bytes).is_ok());
    let _ = (PublishedManifest::from_json(bytes).is_ok(), SnapshotStart::from_json(bytes).is_ok());
    let _ = (Pin::from_json(bytes).is_ok(), Protection::from_json(bytes).is_ok());
    let _ = (Freeze::from_json(bytes).is_ok(), Expiring::from_json(bytes).is_ok());
    let _ = (Reference::from_json(bytes).is_ok(), RecipientsRecord::from_json(bytes).is_ok());
    if let Ok(report) = DrillReport::from_json(bytes) {
        report.to_markdown();
    }
}

fn read_text(text: &str) {
    if let Ok(key) = text.parse::<ObjectKey>() {
        assert_eq!(key.to_string(), text);
        assert!(!text.starts_with('/') && text.split('/').all(|part| !part.is_empty() && !part.starts_with('.')));
    }
    let _ = (text.parse::<SliceId>().is_ok(), text.parse::<ControlPath>().is_ok());
    if let Ok(target) = text.parse::<RestoreTarget>() {
        assert_eq!(target.to_string().parse::<RestoreTarget>().unwrap(), target);
    }
    let _ = (Recipients::parse(text).is_ok(), Identities::parse(text).is_ok());
    let _ = (VerifyingKey::parse(text).is_ok(), SigningKey::parse(text, None).is_ok());
}

fn texts() -> Vec<Vec<u8>> {
    let texts = [
        "rs0-6b03/oplog/20231114/1700000000-0000000001_1700000005-0000000002_0000000007_000102030405060708090a0b0c0d0e0f.bson.zst",
        "rs0-6b03/snapshots/20231114T221320Z-ab12/data/000102030405060708090a0b0c0d0e0f-00003.bson.zst.age",
        "rs0-6b03/control/pins/x.json",
        "rs0-6b03/recipients/1700000000-0000000001_000102030405060708090a0b0c0d0e0f.json",
        "before:1714566600:3",
        "2024-05-01T12:30:00.250+02:00",
        "-1d2h3m4s",
        "snapshot:20231114T221320Z-ab12",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn documents() -> Vec<Vec<u8>> {
    let plain = |name: &str| zstd::stream::decode_all(golden(name).as_slice()).unwrap();
    ["segment.bson.zst", "slice.bson.zst", "collections.bson.zst"].map(plain).into()
}

/// A document in a document in a document.
fn nested(levels: usize, tag: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(levels * 8 + 8);
    let total = levels * 8 + 5;
    for level in 0..levels {
        bytes.extend(i32::try_from(total - level * 8).unwrap().to_le_bytes());
        bytes.extend([tag, b'0', 0]);
    }
    bytes.extend([5, 0, 0, 0, 0]);
    bytes.resize(bytes.len() + levels, 0);
    bytes
}

const MIB: usize = 1024 * 1024;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn framed_objects(object in hostile(framed()), piece in 1..400_usize) {
        let peak = peak_bytes(|| read_framed(&object, piece));
        prop_assert!(peak <= MAX_BLOCK_BYTES + 8 * MIB, "{} bytes for {}", peak, object.len());
    }

    #[test]
    fn runs_of_documents(bytes in hostile(documents())) {
        let peak = peak_bytes(|| walk(&bytes));
        prop_assert!(peak <= 32 * bytes.len() + 8 * MIB, "{} bytes for {}", peak, bytes.len());
    }

    #[test]
    fn json_records(bytes in hostile(records())) {
        let peak = peak_bytes(|| read_record(&bytes));
        prop_assert!(peak <= 64 * bytes.len() + 8 * MIB, "{} bytes for {}", peak, bytes.len());
    }

    #[test]
    fn keys_targets_and_key_files(bytes in hostile(texts())) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let peak = peak_bytes(|| read_text(&text));
        prop_assert!(peak <= 64 * text.len() + 8 * MIB, "{} bytes for {}", peak, text.len());
    }

    #[test]
    fn encrypted_objects(rest in proptest::collection::vec(any::<u8>(), 0..2_000), stanzas in 0..30_usize) {
        let stanza = "-> X25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";
        let object = [b"age-encryption.org/v1\n", stanza.repeat(stanzas).as_bytes(), &rest].concat();
        let (identities, _) = Identities::generate();
        let peak = peak_bytes(|| {
            let mut decryptor = Decryptor::new(Some(&identities), &[]);
            for piece in object.chunks(77) {
                if decryptor.push(piece).is_err() {
                    break;
                }
            }
            assert!(decryptor.finish().is_err());
        });
        prop_assert!(peak <= 8 * MIB, "{} bytes", peak);
    }
}

#[test]
fn a_length_of_four_gibibytes_is_refused_before_anything_is_set_aside() {
    let header = [0x5D, 0x2A, 0x4D, 0x18, 0xFF, 0xFF, 0xFF, 0xFF];
    let valid = golden("segment.bson.zst");
    let length = u32::from_le_bytes(valid[4..8].try_into().unwrap()) as usize;
    let behind_header = |frame: &[u8]| [&valid[..8 + length], frame].concat();
    let objects = [
        header.to_vec(),
        behind_header(&header),
        // A zstd frame that declares 2^63 bytes, and one that declares just the most that is allowed.
        behind_header(&[&[0x28, 0xB5, 0x2F, 0xFD, 0b1110_0100][..], &(1_u64 << 63).to_le_bytes(), &[0; 64]].concat()),
        behind_header(&[&[0x28, 0xB5, 0x2F, 0xFD, 0b1010_0100][..], &(64_u32 << 20).to_le_bytes(), &[0; 64]].concat()),
    ];
    for object in objects {
        let peak = peak_bytes(|| read_framed(&object, 7));
        // Other tests of this process allocate at the same time; what must not happen is sixty-four times as much.
        assert!(peak <= 16 * MIB, "{peak} bytes");
    }
}

#[test]
fn a_block_that_unpacks_to_more_than_it_may_is_refused() {
    let valid = golden("segment.bson.zst");
    let length = u32::from_le_bytes(valid[4..8].try_into().unwrap()) as usize;
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.set_pledged_src_size(Some(512 * MIB as u64)).unwrap();
    encoder.include_checksum(true).unwrap();
    (0..512).for_each(|_| encoder.write_all(&vec![0; MIB]).unwrap());
    let mut bomb = encoder.finish().unwrap();
    assert!(bomb.len() < MIB, "{} bytes", bomb.len());
    let object = [&valid[..8 + length], &bomb].concat();
    assert!(peak_bytes(|| read_framed(&object, 1000)) <= 8 * MIB);
    // The size in the frame's header made small: eight bytes behind the descriptor, or four.
    let wide = if bomb[4] >> 6 == 3 { 8 } else { 4 };
    bomb[5..5 + wide].copy_from_slice(&(MIB as u64).to_le_bytes()[..wide]);
    let object = [&valid[..8 + length], &bomb].concat();
    assert!(peak_bytes(|| read_framed(&object, 1000)) <= 16 * MIB);
}

#[test]
fn documents_of_two_million_levels_do_not_exhaust_the_stack() {
    // Measured only so that it does not disturb the others.
    peak_bytes(|| {
        for tag in [3, 4] {
            let bytes = nested(1_800_000, tag);
            assert!(bytes.len() <= bson_run::MAX_DOCUMENT_BYTES);
            walk(&bytes);
            id_hash(RawDocument::from_bytes(&bytes).unwrap().into_iter().next().unwrap().unwrap().1);
        }
        read_record("[".repeat(100_000).as_bytes());
        read_record(format!("{{\"format\":1,\"x\":{}", "{\"a\":".repeat(100_000)).as_bytes());
    });
}
