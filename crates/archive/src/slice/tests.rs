use bson::{DateTime, RawDocumentBuf, Timestamp, rawdoc};
use proptest::prelude::*;

use super::*;
use crate::framed::{FormatError, Problem};

fn lineage() -> LineageId {
    "rs0-1".parse().unwrap()
}

fn header(after: u32) -> SliceHeader {
    SliceHeader { lineage: lineage(), after: time(after), after_term: Some(3), after_digest: Some(Digest::of(b"x")) }
}

fn time(increment: u32) -> ClusterTime {
    ClusterTime::new(1_700_000_000, increment)
}

fn entry(increment: u32, term: i64) -> RawDocumentBuf {
    let ts = Timestamp { time: 1_700_000_000, increment };
    rawdoc! { "op": "i", "ns": "a.b", "o": { "ts": "not this one", "_id": i64::from(increment) }, "ts": ts, "t": term,
    "v": 2_i64, "wall": DateTime::from_millis(1_700_000_000_000 + i64::from(increment)) }
}

fn write(header: &SliceHeader, entries: &[RawDocumentBuf], block_bytes: usize) -> (SealedSlice, Vec<u8>) {
    let (mut encoder, mut object) = SliceEncoder::new(header, block_bytes).unwrap();
    for entry in entries {
        if let Some(block) = encoder.push(entry.as_bytes()).unwrap() {
            object.extend(block.compress(1).unwrap().bytes);
        }
    }
    let sealed = encoder.seal().unwrap();
    object.extend(sealed.last_block.as_ref().unwrap().compress(1).unwrap().bytes);
    object.extend(&sealed.footer_frame);
    (sealed, object)
}

fn read(id: SliceId, object: &[u8]) -> Result<(SliceHeader, Vec<u8>, SliceFooter, Option<Digest>), FormatError> {
    let mut decoder = SliceDecoder::new(lineage(), id);
    let (mut header, mut plain, mut footer) = (None, Vec::new(), None);
    decoder.feed(object);
    while let Some(event) = decoder.next_event()? {
        match event {
            SliceEvent::Header(found) => header = Some(found),
            SliceEvent::Entries(block) => plain.extend_from_slice(block.bytes()),
            SliceEvent::Footer(found, _) => footer = Some(found),
        }
    }
    let digest = decoder.last_digest();
    decoder.finish()?;
    Ok((header.unwrap(), plain, footer.unwrap(), digest))
}

fn problem(id: SliceId, object: &[u8]) -> String {
    match read(id, object).unwrap_err().problem {
        Problem::Content { problem } => problem,
        other => panic!("{other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_slice_proves_its_key(after in 0u32..5, steps in prop::collection::vec(1u32..9, 1..40), block_bytes in 1usize..900) {
        let mut at = after;
        let entries: Vec<_> = steps.iter().map(|step| { at += step; entry(at, 7) }).collect();
        let (sealed, object) = write(&header(after), &entries, block_bytes);
        let (found, plain, footer, digest) = read(sealed.id, &object).unwrap();
        prop_assert_eq!(found, header(after));
        let written: Vec<u8> = entries.iter().flat_map(|entry| entry.as_bytes().to_vec()).collect();
        prop_assert_eq!(&plain, &written);
        prop_assert_eq!(footer, sealed.footer);
        prop_assert_eq!(digest, Some(sealed.through_digest));
        prop_assert_eq!(sealed.through_digest, Digest::of(entries.last().unwrap().as_bytes()));
        prop_assert_eq!((sealed.id.after, sealed.id.through, sealed.id.term), (time(after), time(at), 7));
        prop_assert_eq!(hex::encode(sealed.id.digest), Digest::of(&written).short());
        prop_assert_eq!(footer.first_wall_ms, Some(1_700_000_000_000 + i64::from(after + steps[0])));
    }
}

#[test]
fn a_slice_under_another_key_is_refused() {
    let (sealed, object) = write(&header(1), &[entry(2, 3), entry(4, 3)], 100);
    let id = sealed.id;
    let digest = {
        let mut digest = id.digest;
        digest[15] ^= 1;
        digest
    };
    for (other, says) in [
        (SliceId { after: time(0), ..id }, "starts after"),
        (SliceId { through: time(3), ..id }, "lies behind"),
        (SliceId { through: time(5), ..id }, "the last entry is at"),
        (SliceId { term: 4, ..id }, "term"),
        (SliceId { digest, ..id }, "digest"),
    ] {
        let found = problem(other, &object);
        assert!(found.contains(says), "{found}");
    }
    let mut decoder = SliceDecoder::new("rs1-1".parse().unwrap(), id);
    decoder.feed(&object);
    let error = decoder.next_event().unwrap_err();
    assert!(error.to_string().contains("lineage"), "{error}");
    assert_eq!(decoder.next_event().unwrap_err(), error);
}

#[test]
fn entries_out_of_order_repeated_or_before_the_start_are_not_taken() {
    let (mut encoder, _) = SliceEncoder::new(&header(5), 100).unwrap();
    assert!(encoder.push(entry(5, 1).as_bytes()).is_err());
    encoder.push(entry(7, 1).as_bytes()).unwrap();
    assert!(encoder.push(entry(7, 1).as_bytes()).is_err());
    assert!(encoder.push(entry(6, 1).as_bytes()).is_err());
    assert!(encoder.push(rawdoc! { "op": "n" }.as_bytes()).is_err());
    assert!(encoder.push(rawdoc! { "ts": 5_i64 }.as_bytes()).is_err());
    assert_eq!(encoder.entries(), 1);
    assert_eq!(encoder.last().unwrap().optime(), OpTime::new(time(7), 1));
    assert_eq!(encoder.seal().unwrap().through(), OpTime::new(time(7), 1));
}

#[test]
fn entries_out_of_order_in_a_stored_slice_are_found() {
    use crate::framed::{Encoder, Kind};
    let plain = [entry(4, 3), entry(2, 3)];
    let (mut encoder, mut object) = Encoder::new(Kind::Slice, &header(1), 10_000).unwrap();
    for entry in &plain {
        encoder.push(entry.as_bytes()).unwrap();
    }
    let footer = SliceFooter { through: time(2), term: 3, first: time(4), first_wall_ms: None, last_wall_ms: None };
    let finished = encoder.finish(&footer).unwrap();
    object.extend(finished.last_block.unwrap().compress(1).unwrap().bytes);
    object.extend(finished.footer);
    let id = SliceId::new(time(1), time(4), 3, &finished.totals.sha256);
    assert!(problem(id, &object).contains("does not come after"));
}

#[test]
fn a_slice_without_an_entry_cannot_be_sealed() {
    let (encoder, _) = SliceEncoder::new(&header(5), 100).unwrap();
    assert!(encoder.seal().is_err());
}

#[test]
fn the_first_entry_of_a_replica_set_has_no_term() {
    let initiating = rawdoc! { "op": "n", "ns": "", "ts": Timestamp { time: 1, increment: 1 } };
    assert_eq!(EntryStamp::read(&initiating).unwrap().term, 0);
    let uninitialised = rawdoc! { "ts": Timestamp { time: 1, increment: 1 }, "t": -1_i64 };
    assert_eq!(EntryStamp::read(&uninitialised).unwrap().term, 0);
}

#[test]
fn right_behind_a_gap_the_entry_at_the_start_is_unknown() {
    let header = SliceHeader { after_term: None, after_digest: None, ..header(1) };
    let (sealed, object) = write(&header, &[entry(2, 3)], 100);
    assert_eq!(read(sealed.id, &object).unwrap().0, header);
}
