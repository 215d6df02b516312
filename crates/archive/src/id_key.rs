//! Which `_id` values are one key to the server, so that operations on one document stay in order.
//!
//! Replay is split by (collection, `_id`). Two values that the `_id` index holds equal must get the same hash: `1`,
//! `1.0`, `NumberLong(1)` and `NumberDecimal("1.00")` are one key; a string equals the symbol of the same text. Equal
//! hashes of different keys only cost balance, never correctness.

use std::hash::{DefaultHasher, Hash, Hasher};

use bson::RawDocument;
use bson::raw::RawBsonRef;

/// Deeper than the server stores. What lies below has no part in the hash, so that no document can exhaust the stack.
const MAX_DEPTH: usize = 300;

/// A hash that is equal for all values which an `_id` index with simple collation holds equal.
pub fn id_hash(id: RawBsonRef<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    feed(id, 0, &mut hasher);
    hasher.finish()
}

fn feed(value: RawBsonRef<'_>, depth: usize, hasher: &mut impl Hasher) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        RawBsonRef::Int32(number) => feed_integer(i64::from(number), hasher),
        RawBsonRef::Int64(number) => feed_integer(number, hasher),
        RawBsonRef::Double(number) => feed_double(number, hasher),
        RawBsonRef::Decimal128(number) => feed_decimal(&number.to_string(), hasher),
        RawBsonRef::String(text) | RawBsonRef::Symbol(text) => (2_u8, text).hash(hasher),
        RawBsonRef::Document(document) => feed_document(document, depth, hasher),
        RawBsonRef::Array(array) => {
            4_u8.hash(hasher);
            for element in array.into_iter().flatten() {
                feed(element, depth + 1, hasher);
            }
        }
        RawBsonRef::Binary(binary) => (5_u8, u8::from(binary.subtype), binary.bytes).hash(hasher),
        RawBsonRef::ObjectId(id) => (7_u8, id.bytes()).hash(hasher),
        RawBsonRef::Boolean(flag) => (8_u8, flag).hash(hasher),
        RawBsonRef::DateTime(date) => (9_u8, date.timestamp_millis()).hash(hasher),
        RawBsonRef::Timestamp(ts) => (17_u8, ts.time, ts.increment).hash(hasher),
        // Types that hardly ever are an `_id`: one hash for each, which is safe.
        other => (20_u8, other.element_type() as u8).hash(hasher),
    }
}

fn feed_document(document: &RawDocument, depth: usize, hasher: &mut impl Hasher) {
    3_u8.hash(hasher);
    for (key, value) in document.iter().flatten() {
        key.as_str().hash(hasher);
        feed(value, depth + 1, hasher);
    }
}

fn feed_integer(number: i64, hasher: &mut impl Hasher) {
    (1_u8, number).hash(hasher);
}

fn feed_double(number: f64, hasher: &mut impl Hasher) {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if number.is_nan() {
        (1_u8, "nan").hash(hasher);
    } else if number.fract() == 0.0 && (-LIMIT..LIMIT).contains(&number) {
        #[allow(clippy::cast_possible_truncation, reason = "integral and inside the range of i64")]
        feed_integer(number as i64, hasher);
    } else {
        (1_u8, number.to_bits()).hash(hasher);
    }
}

/// Integral decimals inside `i64` hash as integers; all others by the nearest double, which is the same double for all
/// spellings of one number and for a double that equals it.
fn feed_decimal(text: &str, hasher: &mut impl Hasher) {
    match integral(text) {
        Some(number) => feed_integer(number, hasher),
        None => feed_double(text.parse().unwrap_or(f64::NAN), hasher),
    }
}

/// The integer that a decimal's text stands for, when it is one and fits.
fn integral(text: &str) -> Option<i64> {
    let (mantissa, exponent) = match text.split_once(['E', 'e']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, digits) = mantissa.strip_prefix('-').map_or((1_i128, mantissa), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut number: i128 = format!("{whole}{fraction}").parse().ok()?;
    let mut scale = exponent - i32::try_from(fraction.len()).ok()?;
    if number == 0 {
        return Some(0);
    }
    while scale > 0 {
        number = number.checked_mul(10)?;
        scale -= 1;
    }
    while scale < 0 {
        if number % 10 != 0 {
            return None;
        }
        number /= 10;
        scale += 1;
    }
    i64::try_from(sign * number).ok()
}

#[cfg(test)]
mod tests {
    use bson::{Bson, RawDocumentBuf, doc};
    use proptest::prelude::*;

    use super::*;

    fn hash(value: impl Into<Bson>) -> u64 {
        let document = RawDocumentBuf::try_from(&doc! { "_id": value.into() }).unwrap();
        id_hash(document.get("_id").unwrap().unwrap())
    }

    fn decimal(text: &str) -> Bson {
        Bson::Decimal128(text.parse().unwrap())
    }

    #[test]
    fn equal_keys_of_different_types_hash_alike() {
        for one in [
            Bson::Int32(1),
            Bson::Int64(1),
            Bson::Double(1.0),
            decimal("1"),
            decimal("1.000"),
            decimal("0.1E1"),
            decimal("10E-1"),
        ] {
            assert_eq!(hash(one.clone()), hash(1), "{one:?}");
        }
        assert_eq!(hash(-0.0), hash(0));
        assert_eq!(hash(decimal("-0")), hash(0));
        assert_eq!(hash(0.5), hash(decimal("0.50")));
        assert_eq!(hash(f64::NAN), hash(decimal("NaN")));
        assert_eq!(hash(f64::INFINITY), hash(decimal("Infinity")));
        assert_eq!(hash(1e300), hash(decimal("1E300")));
        assert_eq!(hash("a"), hash(Bson::Symbol("a".into())));
        assert_eq!(hash(doc! { "a": 1, "b": [1.0] }), hash(doc! { "a": 1_i64, "b": [1] }));
        assert_eq!(hash(i64::MAX), hash(decimal("9223372036854775807")));
    }

    #[test]
    fn different_keys_are_spread() {
        let hashes: std::collections::HashSet<u64> = (0..10_000).map(|n: i32| hash(n)).collect();
        assert!(hashes.len() > 9_990);
        assert_ne!(hash("1"), hash(1));
        assert_ne!(hash(doc! { "a": 1, "b": 2 }), hash(doc! { "b": 2, "a": 1 }));
    }

    proptest! {
        #[test]
        fn a_number_hashes_alike_in_every_type_that_holds_it(number in any::<i32>()) {
            prop_assert_eq!(hash(number), hash(f64::from(number)));
            prop_assert_eq!(hash(number), hash(i64::from(number)));
            prop_assert_eq!(hash(number), hash(decimal(&number.to_string())));
        }

        #[test]
        #[allow(clippy::cast_precision_loss)]
        fn a_large_double_and_its_decimal_hash_alike(mantissa in any::<i64>(), exponent in 0..50_i32) {
            // Exact: fewer than the 34 digits that a decimal holds.
            let number = mantissa as f64 * f64::from(exponent).exp2();
            prop_assert_eq!(hash(number), hash(decimal(&format!("{number:.0}"))));
        }
    }
}
