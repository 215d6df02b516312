use std::io::Read as _;

use bson::rawdoc;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::bson_run::MAX_DOCUMENT_BYTES;

fn documents(sizes: &[usize]) -> Vec<Vec<u8>> {
    sizes
        .iter()
        .enumerate()
        .map(|(n, &size)| rawdoc! { "n": i64::try_from(n).unwrap(), "x": "y".repeat(size) }.into_bytes())
        .collect()
}

fn write(kind: Kind, documents: &[Vec<u8>], block_bytes: usize) -> (Vec<u8>, Totals) {
    let (mut encoder, mut object) = Encoder::new(kind, &json!({"name": "a"}), block_bytes).unwrap();
    let mut zstd = BlockCompressor::new(3).unwrap();
    for document in documents {
        if let Some(block) = encoder.push(document).unwrap() {
            object.extend(zstd.compress(&block).unwrap().bytes);
        }
    }
    let finished = encoder.finish(&json!({"end": true})).unwrap();
    if let Some(block) = finished.last_block {
        object.extend(block.compress(3).unwrap().bytes);
    }
    object.extend(finished.footer);
    (object, finished.totals)
}

#[derive(Debug, Default, PartialEq)]
struct Read {
    header: serde_json::Value,
    plain: Vec<u8>,
    footer: serde_json::Value,
}

/// Without the checks: they may differ where the content does not.
fn value(json: &[u8]) -> serde_json::Value {
    serde_json::from_slice(json).unwrap()
}

fn read_in(kind: Kind, chunks: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<(Read, Totals), FormatError> {
    let mut decoder = Decoder::new(kind);
    let mut read = Read::default();
    for chunk in chunks {
        decoder.feed(chunk.as_ref());
        while let Some(event) = decoder.next_event()? {
            match event {
                Event::Header(header) => read.header = value(header.json()),
                Event::Block(block) => {
                    assert_eq!(block.documents().count() as u64, block.count());
                    read.plain.extend_from_slice(block.bytes());
                }
                Event::Footer(footer) => read.footer = value(footer.json()),
            }
        }
    }
    Ok((read, decoder.finish()?))
}

fn read(object: &[u8]) -> Result<(Read, Totals), FormatError> {
    read_in(Kind::Segment, [object])
}

fn problem(object: &[u8]) -> Problem {
    read(object).unwrap_err().problem
}

fn compressed(plain: &[u8]) -> Vec<u8> {
    Block::new(plain.to_vec(), 0).compress(3).unwrap().bytes
}

/// A header, then `body`.
fn with_body(body: &[u8]) -> Vec<u8> {
    let (_, mut object) = Encoder::new(Kind::Segment, &NoExtra {}, 100).unwrap();
    object.extend_from_slice(body);
    object
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_written_is_read_whatever_the_blocks_and_chunks(
        sizes in prop::collection::vec(0usize..300, 0..40),
        block_bytes in 1usize..2000,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let documents = documents(&sizes);
        let (object, totals) = write(Kind::Slice, &documents, block_bytes);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(object.len())).collect();
        cuts.extend([0, object.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|ends| &object[ends[0]..ends[1]]);
        let (read, read_totals) = read_in(Kind::Slice, chunks).unwrap();
        prop_assert_eq!(&read.plain, &documents.concat());
        prop_assert_eq!(read_totals, totals);
        prop_assert_eq!(totals.documents, documents.len() as u64);
        prop_assert_eq!(totals.sha256, Digest::of(&read.plain));
        prop_assert_eq!(&read.header["name"], "a");
        prop_assert_eq!(&read.footer["end"], true);
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_err());
        prop_assert!(read(&with_body(&bytes)).is_err());
        let mut frame = zstd_frame::MAGIC.to_vec();
        frame.extend_from_slice(&bytes);
        prop_assert!(read(&with_body(&frame)).is_err());
        let mut frame = skippable::MAGIC.to_vec();
        frame.extend_from_slice(&bytes);
        prop_assert!(read(&frame).is_err());
        prop_assert!(read(&with_body(&frame)).is_err());
    }

    #[test]
    fn random_damage_in_several_places_is_found(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let (object, _) = write(Kind::Segment, &documents(&[30, 200, 5, 0]), 150);
        let original = read(&object).unwrap();
        let mut damaged = object.clone();
        for (at, byte) in changes {
            let at = at.index(damaged.len());
            damaged[at] = byte;
        }
        if let Ok(found) = read(&damaged) {
            prop_assert_eq!(found, original);
        }
    }
}

#[test]
fn every_flipped_bit_is_found_or_harmless() {
    let (object, _) = write(Kind::Segment, &documents(&[3, 40, 0]), 60);
    let original = read(&object).unwrap();
    for at in 0..object.len() {
        for bit in 0..8 {
            let mut flipped = object.clone();
            flipped[at] ^= 1 << bit;
            if let Ok(found) = read(&flipped) {
                assert_eq!(found, original, "bit {bit} of byte {at}");
            }
        }
    }
}

#[test]
fn every_truncation_is_found() {
    let (object, _) = write(Kind::Segment, &documents(&[3, 40, 0]), 60);
    for length in 0..object.len() {
        assert!(matches!(problem(&object[..length]), Problem::Truncated { .. }), "{length}");
    }
    // One byte at a time is enough for the decoder to notice the same.
    let chunks = object[..object.len() - 1].chunks(1);
    let error = read_in(Kind::Segment, chunks).unwrap_err();
    assert_eq!(error.offset, object.len() as u64 - 1);
}

#[test]
fn lost_repeated_swapped_and_foreign_frames_are_found() {
    let documents = documents(&[10, 20, 30]);
    let (mut encoder, header) = Encoder::new(Kind::Segment, &json!({"name": "a"}), 1).unwrap();
    let mut blocks = Vec::new();
    for document in &documents {
        blocks.extend(encoder.push(document).unwrap());
    }
    let finished = encoder.finish(&NoExtra {}).unwrap();
    blocks.extend(finished.last_block);
    let blocks: Vec<Vec<u8>> = blocks.iter().map(|block| block.compress(1).unwrap().bytes).collect();
    let object = |order: &[usize], footer: &[u8]| {
        let body = order.iter().map(|&n| blocks[n].clone()).collect::<Vec<_>>().concat();
        [header.as_slice(), &body, footer].concat()
    };
    assert_eq!(read(&object(&[0, 1, 2], &finished.footer)).unwrap().0.plain, documents.concat());
    for order in [&[0, 2][..], &[0, 1, 2, 2], &[1, 0, 2], &[]] {
        assert!(matches!(problem(&object(order, &finished.footer)), Problem::Mismatch { .. }), "{order:?}");
    }
    let (_, other_header) = Encoder::new(Kind::Segment, &json!({"name": "b"}), 1).unwrap();
    let body = [other_header.as_slice(), &blocks.concat(), &finished.footer].concat();
    assert!(matches!(problem(&body), Problem::Content { .. }));
    assert!(matches!(problem(&[header.as_slice(), &header].concat()), Problem::UnexpectedFrame { .. }));
    assert!(matches!(problem(&finished.footer), Problem::UnexpectedFrame { .. }));
    assert!(matches!(problem(&blocks[0]), Problem::UnexpectedFrame { .. }));
}

#[test]
fn bytes_behind_the_footer_are_refused() {
    let (mut object, _) = write(Kind::Segment, &documents(&[3]), 60);
    object.push(0);
    assert_eq!(problem(&object), Problem::TrailingBytes);
    object.pop();
    let twice = [object.as_slice(), &object].concat();
    assert_eq!(problem(&twice), Problem::TrailingBytes);
}

#[test]
fn an_error_stays_and_nothing_more_is_kept() {
    let mut decoder = Decoder::new(Kind::Segment);
    decoder.feed(b"nonsense");
    let first = decoder.next_event().unwrap_err();
    let (object, _) = write(Kind::Segment, &documents(&[3]), 60);
    decoder.feed(&object);
    assert_eq!(decoder.next_event().unwrap_err(), first);
    assert_eq!(decoder.finish().unwrap_err(), first);
}

#[test]
fn events_that_were_not_taken_are_an_error() {
    let (object, _) = write(Kind::Segment, &documents(&[3]), 60);
    let mut decoder = Decoder::new(Kind::Segment);
    decoder.feed(&object);
    assert!(decoder.finish().is_err());
}

#[test]
fn a_newer_format_another_kind_an_unknown_tag_and_encryption_are_named() {
    let newer = |tag, json: &serde_json::Value| skippable::encode(tag, "header", json).unwrap().0;
    let header = newer(skippable::HEADER_TAG, &json!({"format": 7, "kind": "hologram"}));
    let error = read(&header).unwrap_err();
    assert_eq!(error.problem, Problem::NewerFormat { found: 7, newest: 1 });
    assert!(error.is_newer_format());
    let zero = newer(skippable::HEADER_TAG, &json!({"format": 0, "kind": "segment"}));
    assert!(matches!(problem(&zero), Problem::Json { .. }));

    let (slice, _) = write(Kind::Slice, &documents(&[1]), 60);
    assert_eq!(problem(&slice), Problem::OtherKind { expected: "segment", found: "slice".into() });

    let unknown = newer(*b"TMXX", &json!({"format": 1}));
    assert_eq!(problem(&with_body(&unknown)), Problem::UnknownTag { tag: "TMXX".into() });
    assert_eq!(problem(b"age-encryption.org/v1\n-> X25519"), Problem::Encrypted);
}

#[test]
fn members_of_later_releases_are_ignored() {
    #[derive(serde::Deserialize)]
    struct Name {
        name: String,
    }
    let header = json!({"format": 1, "kind": "segment", "name": "n", "colour": {"r": [1]}});
    let (mut object, check) = skippable::encode(skippable::HEADER_TAG, "header", &header).unwrap();
    let footer = json!({"format": 1, "kind": "segment", "documents": 0, "bytes": 0, "sha256": Digest::of(b""),
        "header": check, "index": {"a": 1}});
    object.extend(skippable::encode(skippable::FOOTER_TAG, "footer", &footer).unwrap().0);
    let mut decoder = Decoder::new(Kind::Segment);
    decoder.feed(&object);
    let Some(Event::Header(header)) = decoder.next_event().unwrap() else { panic!() };
    assert_eq!(header.parse::<Name>().unwrap().name, "n");
    assert!(matches!(decoder.next_event(), Ok(Some(Event::Footer(_)))));
    assert_eq!(decoder.finish().unwrap().documents, 0);
}

#[test]
fn absurd_lengths_are_refused_before_anything_is_kept() {
    for length in [u32::MAX, 1 << 30, 1024 * 1024 + 1] {
        let mut frame = skippable::MAGIC.to_vec();
        frame.extend_from_slice(&length.to_le_bytes());
        assert!(matches!(problem(&frame), Problem::TooLarge { .. }), "{length}");
        assert!(matches!(problem(&with_body(&frame)), Problem::TooLarge { .. }), "{length}");
    }
    // A zstd frame that declares 2^63 bytes, with a checksum, as one segment.
    let mut frame = zstd_frame::MAGIC.to_vec();
    frame.push(0b1110_0100);
    frame.extend_from_slice(&(1u64 << 63).to_le_bytes());
    assert!(matches!(problem(&with_body(&frame)), Problem::TooLarge { bytes, .. } if bytes == 1 << 63));
    // One that declares little and goes on and on in empty blocks.
    let mut endless = zstd_frame::MAGIC.to_vec();
    endless.extend_from_slice(&[0b0010_0100, 200]);
    endless.resize(10_000, 0);
    assert!(matches!(problem(&with_body(&endless)), Problem::Compressed { .. }));
}

#[test]
fn decompression_bombs_are_refused() {
    // 64 MiB of zeros in a few kB, as `zstd` writes a stream: without a declared size.
    let mut bomb = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    bomb.include_checksum(true).unwrap();
    for _ in 0..64 {
        std::io::Write::write_all(&mut bomb, &vec![0; 1024 * 1024]).unwrap();
    }
    assert!(matches!(problem(&with_body(&bomb.finish().unwrap())), Problem::Compressed { .. }));
    // The size is declared, and it is too much.
    let large = zstd_frame_with_checksum(&vec![0; MAX_BLOCK_BYTES + 1]);
    assert!(matches!(problem(&with_body(&large)), Problem::TooLarge { .. }));
    // The size is a lie: the frame holds more than it declares.
    let mut lie = compressed(&rawdoc! { "x": "y".repeat(1000) }.into_bytes());
    assert_eq!(lie[4] >> 6, 1, "two bytes of size");
    lie[5] = lie[5].wrapping_sub(10);
    assert!(matches!(problem(&with_body(&lie)), Problem::Compressed { .. }));
}

fn zstd_frame_with_checksum(plain: &[u8]) -> Vec<u8> {
    let mut zstd = zstd::bulk::Compressor::new(1).unwrap();
    zstd.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true)).unwrap();
    zstd.compress(plain).unwrap()
}

#[test]
fn a_block_without_a_checksum_is_refused() {
    let frame = zstd::bulk::compress(&documents(&[3]).concat(), 1).unwrap();
    assert!(matches!(problem(&with_body(&frame)), Problem::Compressed { .. }));
}

#[test]
fn a_block_that_is_not_whole_documents_is_refused() {
    let whole = documents(&[3]).concat();
    for plain in [&whole[..whole.len() - 1], &whole[1..], &[0xFF; 64], &[0; 64]] {
        assert!(matches!(problem(&with_body(&compressed(plain))), Problem::Bson(_)));
    }
}

#[test]
fn only_whole_documents_are_taken() {
    let (mut encoder, _) = Encoder::new(Kind::Segment, &NoExtra {}, 100).unwrap();
    let whole = documents(&[3]).concat();
    let twice = [whole.as_slice(), &whole].concat();
    for bytes in [&[][..], &whole[..4], &whole[..whole.len() - 1], &twice] {
        assert!(encoder.push(bytes).is_err());
    }
    let mut huge = vec![0; MAX_DOCUMENT_BYTES + 1];
    huge[..4].copy_from_slice(&u32::try_from(MAX_DOCUMENT_BYTES + 1).unwrap().to_le_bytes());
    assert!(encoder.push(&huge).is_err());
    assert_eq!(encoder.documents(), 0);
    encoder.push(&whole).unwrap();
    assert_eq!(encoder.last_document(), Some(whole.as_slice()));
    assert_eq!(encoder.totals().sha256, Digest::of(&whole));
}

#[test]
fn the_largest_document_passes_in_a_block_of_its_own() {
    let mut huge = vec![0; MAX_DOCUMENT_BYTES];
    huge[..4].copy_from_slice(&u32::try_from(MAX_DOCUMENT_BYTES).unwrap().to_le_bytes());
    let small = documents(&[1]).concat();
    let (object, totals) = write(Kind::Segment, &[small.clone(), huge, small], 1000);
    assert_eq!(read(&object).unwrap().1, totals);
}

#[test]
fn a_plain_zstd_decoder_yields_the_concatenated_documents() {
    let documents = documents(&[10, 2000, 0, 77]);
    let (object, _) = write(Kind::Segment, &documents, 500);
    let mut plain = Vec::new();
    zstd::stream::Decoder::new(object.as_slice()).unwrap().read_to_end(&mut plain).unwrap();
    assert_eq!(plain, documents.concat());
    let (empty, _) = write(Kind::Segment, &[], 500);
    assert_eq!(zstd::stream::decode_all(empty.as_slice()).unwrap(), b"");
}

#[test]
fn a_header_that_is_too_large_is_not_written() {
    let error = Encoder::new(Kind::Segment, &json!({"name": "x".repeat(MAX_JSON_BYTES)}), 1).unwrap_err();
    assert!(matches!(error.problem, Problem::TooLarge { .. }));
}
