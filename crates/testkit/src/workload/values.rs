//! Random ids, documents, filters and updates, chosen so that operations meet each other's documents.

use mongodb::bson::{Bson, DateTime, Decimal128, Document, doc};
use rand::RngExt;

use crate::dataset::Random;
use crate::dataset::words::{hexadecimal, vocabulary};

/// 2024-01-01: dates lie after it, and TTL indexes are set so that nothing expires.
const EPOCH_MILLISECONDS: i64 = 1_704_067_200_000;
const KEYS: i32 = 60;

/// From a small set of keys, in any type that compares equal to another: 1, 1.0, `Long(1)`, `Decimal(1.0)`.
pub(super) fn id(random: &mut Random) -> Bson {
    let key = random.random_range(0..KEYS);
    match random.random_range(0..10) {
        0..=3 => key.into(),
        4 => i64::from(key).into(),
        5 => f64::from(key).into(),
        6 => decimal(&format!("{key}.{}", "0".repeat(random.random_range(1..4)))),
        7 => format!("Key {key}").into(),
        8 => format!("key {key}").into(),
        _ if random.random() => doc! { "a": key % 7, "b": "x" }.into(),
        _ => doc! { "b": "x", "a": f64::from(key % 7) }.into(),
    }
}

fn decimal(text: &str) -> Bson {
    text.parse::<Decimal128>().map_or(Bson::Null, Bson::Decimal128)
}

pub(super) fn date(random: &mut Random) -> DateTime {
    DateTime::from_millis(EPOCH_MILLISECONDS + random.random_range(0..1_000_000) * 1_000)
}

pub(super) fn scalar(random: &mut Random) -> Bson {
    match random.random_range(0..9) {
        0 => random.random_range(-50..50).into(),
        1 => (f64::from(random.random_range(-400..400)) / 8.0).into(),
        2 => vocabulary().sentence(random, 1..8).into(),
        3 => date(random).into(),
        4 => decimal(&format!("{}.{:02}", random.random_range(-9..9), random.random_range(0..99))),
        5 => Bson::Null,
        6 => random.random::<bool>().into(),
        7 => hexadecimal(random, 4).into(),
        _ => i64::from(random.random_range(-50..50)).into(),
    }
}

/// Everything but the `_id`.
pub(super) fn body(random: &mut Random) -> Document {
    let mut body = doc! {
        "n": random.random_range(0..100),
        "s": vocabulary().sentence(random, 1..12),
        "d": { "x": scalar(random), "y": { "z": scalar(random) } },
    };
    if random.random_bool(0.7) {
        body.insert("a", (0..random.random_range(0..6)).map(|_| scalar(random)).collect::<Vec<_>>());
    }
    if random.random_bool(0.3) {
        body.insert("items", vec![doc! { "k": 1, "v": scalar(random) }, doc! { "k": 2, "v": scalar(random) }]);
    }
    if random.random_bool(0.5) {
        body.insert("u", random.random_range(0..5_000));
    }
    if random.random_bool(0.5) {
        body.insert("t", date(random));
    }
    if random.random_bool(0.2) {
        let position = vec![random.random_range(-90.0..90.0), random.random_range(-60.0..60.0)];
        body.insert("place", doc! { "type": "Point", "coordinates": position });
    }
    if random.random_bool(0.02) {
        body.insert("bulk", hexadecimal(random, 40_000));
    }
    body
}

pub(super) fn document(random: &mut Random) -> Document {
    let mut document = doc! { "_id": id(random) };
    document.extend(body(random));
    document
}

/// Mostly by `_id`, so that each hits one document.
pub(super) fn filter(random: &mut Random) -> Document {
    match random.random_range(0..10) {
        0..=6 => doc! { "_id": id(random) },
        7 => doc! { "n": random.random_range(0..100) },
        8 => doc! { "n": { "$gte": random.random_range(80..100) } },
        _ => doc! { "d.x": { "$type": "string" }, "n": { "$lt": 40 } },
    }
}

pub(super) fn update(random: &mut Random) -> Document {
    let word = vocabulary().words.pick(random);
    let number = random.random_range(-20..20);
    match random.random_range(0..19) {
        0 => doc! { "$set": { "n": random.random_range(0..100), "d.y.z": scalar(random) } },
        1 => doc! { "$set": { "a.2": scalar(random) } },
        2 => doc! { "$inc": { "n": number, "count": 1_i64 } },
        3 => doc! { "$unset": { "s": "", "d.x": "" } },
        4 => doc! { "$push": { "a": scalar(random) } },
        5 => doc! { "$push": { "a": { "$each": [scalar(random), scalar(random)], "$position": 0, "$slice": 8 } } },
        6 => doc! { "$push": { "items": { "$each": [{ "k": number, "v": word }], "$sort": { "k": 1 } } } },
        7 => doc! { "$addToSet": { "a": word } },
        8 => doc! { "$pull": { "a": { "$type": "string" } } },
        9 => doc! { "$pop": { "a": if number < 0 { -1 } else { 1 } } },
        10 => doc! { "$rename": { "s": "title" } },
        11 => doc! { "$rename": { "title": "s" }, "$set": { "renamed": true } },
        12 => doc! { "$mul": { "n": 1.5 } },
        13 => doc! { "$min": { "low": number }, "$max": { "high": number } },
        14 => doc! { "$bit": { "bits": { "xor": 5 } } },
        15 => doc! { "$set": { "items.$[].v": word } },
        16 => doc! { "$set": { format!("wide.f{}", random.random_range(0..30)): scalar(random) } },
        17 => doc! { "$set": { "d": { "y": scalar(random), "x": scalar(random) } }, "$unset": { "a": "" } },
        _ => doc! { "$set": { "s": vocabulary().sentence(random, 1..30), "u": random.random_range(0..5_000) } },
    }
}

pub(super) fn pipeline(random: &mut Random) -> Vec<Document> {
    match random.random_range(0..4) {
        0 => vec![doc! { "$set": { "n": { "$add": [{ "$ifNull": ["$n", 0] }, 1] }, "both": ["$n", "$s"] } }],
        1 => vec![doc! { "$unset": ["s", "d.x"] }, doc! { "$set": { "trimmed": true } }],
        2 => vec![doc! { "$replaceWith": { "_id": "$_id", "n": "$n", "was": "$d" } }],
        _ => vec![doc! { "$set": { "a": { "$reverseArray": { "$cond": [{ "$isArray": "$a" }, "$a", []] } } } }],
    }
}

/// One measurement of a time-series collection.
pub(super) fn measurement(random: &mut Random) -> Document {
    let mut measurement = doc! { "t": date(random), "m": random.random_range(0..4), "v": scalar(random) };
    if random.random_bool(0.3) {
        measurement.insert("w", scalar(random));
    }
    measurement
}
