//! Reading single fields of a reply: whatever is not of the expected type is not there.

use bson::{Bson, Document, Timestamp};

/// The value at a path of names; names may hold spaces and dots.
pub fn at<'a>(document: &'a Document, path: &[&str]) -> Option<&'a Bson> {
    let (last, parents) = path.split_last()?;
    parents.iter().try_fold(document, |document, name| document.get_document(name).ok())?.get(last)
}

#[expect(clippy::cast_precision_loss, reason = "metrics are doubles")]
pub fn as_number(value: &Bson) -> Option<f64> {
    match value {
        Bson::Int32(value) => Some(f64::from(*value)),
        Bson::Int64(value) => Some(*value as f64),
        Bson::Double(value) => Some(*value).filter(|value| value.is_finite()),
        Bson::Boolean(value) => Some(f64::from(u8::from(*value))),
        _ => None,
    }
}

pub fn number(document: &Document, path: &[&str]) -> Option<f64> {
    at(document, path).and_then(as_number)
}

/// A whole number that is not negative.
pub fn whole(value: &Bson) -> Option<u64> {
    match value {
        Bson::Int32(value) => u64::try_from(*value).ok(),
        Bson::Int64(value) => u64::try_from(*value).ok(),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked: whole, positive, small")]
        Bson::Double(value) if *value >= 0.0 && *value < 9.0e15 && value.fract() == 0.0 => Some(*value as u64),
        _ => None,
    }
}

pub fn text<'a>(document: &'a Document, path: &[&str]) -> Option<&'a str> {
    at(document, path)?.as_str().filter(|text| !text.is_empty())
}

/// A moment after 1970, in milliseconds.
pub fn millis(document: &Document, path: &[&str]) -> Option<i64> {
    match at(document, path)? {
        Bson::DateTime(value) => Some(value.timestamp_millis()).filter(|millis| *millis > 0),
        _ => None,
    }
}

/// The same in seconds.
pub fn instant(document: &Document, path: &[&str]) -> Option<f64> {
    millis(document, path).map(seconds)
}

/// Milliseconds as seconds. Differences are taken before: seconds since 1970 have no exact milliseconds.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
pub fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// The seconds of a cluster time that stands there by itself or as `{ts, t}`; the zero time is none.
pub fn cluster_seconds(document: &Document, path: &[&str]) -> Option<f64> {
    let of = |time: &Timestamp| (time.time > 0).then_some(f64::from(time.time));
    match at(document, path)? {
        Bson::Timestamp(time) => of(time),
        Bson::Document(time) => time.get_timestamp("ts").ok().as_ref().and_then(of),
        _ => None,
    }
}

pub fn documents<'a>(document: &'a Document, path: &[&str]) -> impl Iterator<Item = &'a Document> {
    at(document, path).and_then(Bson::as_array).into_iter().flatten().filter_map(Bson::as_document)
}
