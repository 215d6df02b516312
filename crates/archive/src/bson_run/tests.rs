use bson::{RawBsonRef, rawdoc};
use proptest::prelude::*;

use super::*;

fn sample() -> Vec<u8> {
    rawdoc! {
        "_id": bson::oid::ObjectId::from_bytes([1; 12]),
        "double": 1.5, "text": "hello", "none": bson::RawBson::Null, "flag": true, "int": 7, "long": 8_i64,
        "at": bson::DateTime::from_millis(5), "ts": bson::Timestamp { time: 1, increment: 2 },
        "inner": { "list": [1, "two", { "three": [] }], "deep": { "er": {} } },
        "bin": bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1, 2, 3] },
        "old": bson::Binary { subtype: bson::spec::BinarySubtype::BinaryOld, bytes: vec![1, 2, 3] },
        "decimal": bson::Decimal128::from_bytes([3; 16]),
        "min": bson::RawBson::MinKey, "max": bson::RawBson::MaxKey,
        "code": bson::RawBson::JavaScriptCode("f()".into()),
        "scoped": bson::RawJavaScriptCodeWithScope { code: "g()".into(), scope: rawdoc! { "x": 1 } },
        "regex": bson::Regex { pattern: bson::raw::CString::try_from("^a").unwrap(), options: bson::raw::CString::try_from("i").unwrap() },
    }
    .into_bytes()
}

/// The `bson` crate's view, all levels.
fn bson_accepts(document: &RawDocument) -> bool {
    document.iter_elements().all(|element| {
        let Ok(element) = element else { return false };
        match element.value() {
            Ok(RawBsonRef::Document(inner)) => bson_accepts(inner),
            Ok(RawBsonRef::Array(inner)) => RawDocument::from_bytes(inner.as_bytes()).is_ok_and(bson_accepts),
            Ok(RawBsonRef::JavaScriptCodeWithScope(inner)) => bson_accepts(inner.scope),
            Ok(_) => true,
            Err(_) => false,
        }
    })
}

#[test]
fn every_type_of_element_is_accepted() {
    validate(&sample()).unwrap();
    assert!(bson_accepts(whole_document(&sample()).unwrap()));
}

#[test]
fn strings_that_are_not_utf8_are_accepted() {
    let mut bytes = sample();
    let at = bytes.windows(5).position(|window| window == b"hello").unwrap();
    bytes[at] = 0xFF;
    validate(&bytes).unwrap();
    assert_eq!(Documents::new(&bytes).flatten().count(), 1);
}

proptest! {
    #[test]
    fn a_changed_document_is_judged_as_the_bson_crate_does(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0u8..0x80), 1..4)
    ) {
        // The tag of the smallest key is no ASCII, and may become a part of a string.
        let mut bytes: Vec<u8> = sample().into_iter().map(|byte| if byte == 0xFF { 0x7F } else { byte }).collect();
        for (at, byte) in changes {
            let at = at.index(bytes.len() - 4) + 4;
            bytes[at] = byte;
        }
        let theirs = whole_document(&bytes).is_ok_and(bson_accepts);
        // `bson` looks neither for the end of a document before its length nor at what follows code with scope, so it
        // may accept more; it must never accept less than we do (all strings here stay ASCII).
        if validate(&bytes).is_ok() {
            prop_assert!(theirs);
        }
    }

    #[test]
    fn any_bytes_are_walked_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(validate(&bytes));
        drop(validate_run(&bytes));
        let mut framed = u32::try_from(bytes.len() + 5).unwrap().to_le_bytes().to_vec();
        framed.extend_from_slice(&bytes);
        framed.push(0);
        prop_assert!(whole_document(&framed).is_ok());
        drop(validate(&framed));
    }

    #[test]
    fn a_run_gives_its_documents_back(sizes in prop::collection::vec(0usize..50, 0..20), cut in any::<prop::sample::Index>()) {
        let documents: Vec<Vec<u8>> = sizes.iter().map(|&n| rawdoc! { "x": "y".repeat(n) }.into_bytes()).collect();
        let run = documents.concat();
        let read: Vec<_> = Documents::new(&run).map(|document| document.unwrap().as_bytes().to_vec()).collect();
        prop_assert_eq!(&read, &documents);
        prop_assert_eq!(validate_run(&run).unwrap(), documents.len() as u64);
        let at = if run.is_empty() { 0 } else { cut.index(run.len()) };
        let whole = documents.iter().scan(0, |end, document| { *end += document.len(); Some(*end) });
        let at_border = at == 0 || whole.into_iter().any(|end| end == at);
        prop_assert_eq!(Documents::new(&run[..at]).all(|document| document.is_ok()), at_border);
    }
}

#[test]
fn truncations_and_wrong_inner_lengths_are_found() {
    let bytes = sample();
    for length in 0..bytes.len() {
        assert!(validate(&bytes[..length]).is_err(), "{length}");
    }
    let mut early = rawdoc! { "a": 1, "b": 2 }.into_bytes();
    early[11] = 0;
    assert!(validate(&early).is_err());
}

#[test]
fn a_million_levels_are_refused_without_recursion() {
    const LEVELS: u32 = 1_000_000;
    let mut bytes = Vec::new();
    for level in 0..LEVELS {
        bytes.extend_from_slice(&(5 + 8 * (LEVELS - level)).to_le_bytes());
        bytes.extend_from_slice(&[3, b'a', 0]);
    }
    bytes.extend_from_slice(&[5, 0, 0, 0, 0]);
    bytes.resize(bytes.len() + LEVELS as usize, 0);
    let error = validate(&bytes).unwrap_err();
    assert_eq!(error.problem, "nested deeper than the server allows");
}

#[test]
fn absurd_lengths_are_refused() {
    for prefix in [0i32, 4, -1, i32::MIN, i32::MAX, 64 * 1024 * 1024] {
        let mut bytes = prefix.to_le_bytes().to_vec();
        bytes.extend_from_slice(&[0; 64]);
        assert!(first_document(&bytes).is_err(), "{prefix}");
        assert_eq!(Documents::new(&bytes).count(), 1, "{prefix}");
    }
}
