//! Canonical extended JSON (version 2), written straight from BSON bytes so that the order of fields stays.
//!
//! Not by the `bson` crate: its conversion goes through a map that sorts keys, and the order of the keys of an index is
//! what the index is.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bson::raw::RawBsonRef;
use bson::{RawArray, RawDocument};

/// A value that has no extended JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` cannot be written as JSON: {problem}")]
pub struct NotJson {
    pub field: String,
    pub problem: String,
}

impl NotJson {
    fn new(field: &str, problem: impl Into<String>) -> Self {
        Self { field: field.to_owned(), problem: problem.into() }
    }
}

pub(super) fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

pub(super) fn write_document(document: &RawDocument, out: &mut String) -> Result<(), NotJson> {
    out.push('{');
    for (position, element) in document.iter().enumerate() {
        let (name, value) = element.map_err(|error| NotJson::new("a document", error.to_string()))?;
        if position > 0 {
            out.push(',');
        }
        write_text(name.as_str(), out);
        out.push(':');
        write_value(name.as_str(), value, out)?;
    }
    out.push('}');
    Ok(())
}

fn write_array(name: &str, array: &RawArray, out: &mut String) -> Result<(), NotJson> {
    out.push('[');
    for (position, value) in array.into_iter().enumerate() {
        let value = value.map_err(|error| NotJson::new(name, error.to_string()))?;
        if position > 0 {
            out.push(',');
        }
        write_value(name, value, out)?;
    }
    out.push(']');
    Ok(())
}

fn write_value(name: &str, value: RawBsonRef<'_>, out: &mut String) -> Result<(), NotJson> {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let written = match value {
        RawBsonRef::Document(document) => return write_document(document, out),
        RawBsonRef::Array(array) => return write_array(name, array, out),
        RawBsonRef::JavaScriptCodeWithScope(code) => {
            out.push_str(&format!(r#"{{"$code":{},"$scope":"#, text(code.code)));
            write_document(code.scope, out)?;
            "}".to_owned()
        }
        RawBsonRef::String(string) => text(string),
        RawBsonRef::Boolean(flag) => flag.to_string(),
        RawBsonRef::Null => "null".to_owned(),
        RawBsonRef::Int32(number) => format!(r#"{{"$numberInt":"{number}"}}"#),
        RawBsonRef::Int64(number) => format!(r#"{{"$numberLong":"{number}"}}"#),
        RawBsonRef::Double(number) => format!(r#"{{"$numberDouble":"{}"}}"#, double(number)),
        RawBsonRef::Decimal128(number) => format!(r#"{{"$numberDecimal":"{number}"}}"#),
        RawBsonRef::ObjectId(id) => format!(r#"{{"$oid":"{id}"}}"#),
        RawBsonRef::DateTime(time) => format!(r#"{{"$date":{{"$numberLong":"{}"}}}}"#, time.timestamp_millis()),
        RawBsonRef::Timestamp(time) => format!(r#"{{"$timestamp":{{"t":{},"i":{}}}}}"#, time.time, time.increment),
        RawBsonRef::Binary(binary) => {
            let bytes = BASE64_STANDARD.encode(binary.bytes);
            format!(r#"{{"$binary":{{"base64":"{bytes}","subType":"{:02x}"}}}}"#, u8::from(binary.subtype))
        }
        RawBsonRef::RegularExpression(regex) => {
            let (pattern, options) = (text(regex.pattern.as_str()), text(regex.options.as_str()));
            format!(r#"{{"$regularExpression":{{"pattern":{pattern},"options":{options}}}}}"#)
        }
        RawBsonRef::JavaScriptCode(code) => format!(r#"{{"$code":{}}}"#, text(code)),
        RawBsonRef::Symbol(symbol) => format!(r#"{{"$symbol":{}}}"#, text(symbol)),
        RawBsonRef::Undefined => r#"{"$undefined":true}"#.to_owned(),
        RawBsonRef::MinKey => r#"{"$minKey":1}"#.to_owned(),
        RawBsonRef::MaxKey => r#"{"$maxKey":1}"#.to_owned(),
        RawBsonRef::DbPointer(_) => return Err(NotJson::new(name, "a DBPointer has no place in options")),
    };
    out.push_str(&written);
    Ok(())
}

fn double(number: f64) -> String {
    match number {
        number if number.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        number => format!("{number:?}"),
    }
}

/// Names by which extended JSON marks a type. A document whose first field has such a name comes back from JSON as a value
/// of that type, which nothing in the format prevents.
const TYPE_MARKS: [&str; 19] = [
    "$binary",
    "$code",
    "$date",
    "$dbPointer",
    "$maxKey",
    "$minKey",
    "$numberDecimal",
    "$numberDouble",
    "$numberInt",
    "$numberLong",
    "$oid",
    "$regularExpression",
    "$scope",
    "$symbol",
    "$timestamp",
    "$undefined",
    "$uuid",
    "$regex",
    "$options",
];

/// The name of the first field anywhere in `document` that a reader of extended JSON takes for the mark of a type.
pub fn looks_like_a_type(document: &RawDocument) -> Option<String> {
    document.iter().flatten().enumerate().find_map(|(position, (name, value))| {
        if position == 0 && TYPE_MARKS.contains(&name.as_str()) {
            return Some(name.as_str().to_owned());
        }
        inside(value)
    })
}

fn inside(value: RawBsonRef<'_>) -> Option<String> {
    match value {
        RawBsonRef::Document(document) => looks_like_a_type(document),
        RawBsonRef::Array(array) => array.into_iter().flatten().find_map(inside),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bson::{Bson, DateTime, Document, RawDocumentBuf, doc, oid::ObjectId, rawdoc};

    use super::*;

    fn json(document: &RawDocument) -> String {
        let mut out = String::new();
        write_document(document, &mut out).unwrap();
        out
    }

    #[test]
    fn fields_keep_their_order_and_numbers_their_type() {
        let index = rawdoc! { "v": 2, "key": { "b": 1, "a": -1.0, "c": 1_i64 }, "name": "b \"a\"\n" };
        assert_eq!(
            json(&index),
            r#"{"v":{"$numberInt":"2"},"key":{"b":{"$numberInt":"1"},"a":{"$numberDouble":"-1.0"},"c":{"$numberLong":"1"}},"name":"b \"a\"\n"}"#
        );
    }

    #[test]
    fn every_type_comes_back_as_it_was() {
        let document = doc! {
            "date": DateTime::from_millis(-1), "id": ObjectId::from_bytes([7; 12]),
            "time": Bson::Timestamp(bson::Timestamp { time: 5, increment: 9 }),
            "bytes": Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![1; 16] }),
            "old": Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::BinaryOld, bytes: vec![1; 3] }),
            "regex": Bson::RegularExpression(bson::Regex {
                pattern: "^a\\d".try_into().unwrap(), options: "i".try_into().unwrap(),
            }),
            "code": Bson::JavaScriptCode("f()".into()),
            "scoped": Bson::JavaScriptCodeWithScope(bson::JavaScriptCodeWithScope { code: "g()".into(), scope: doc! { "x": 1 } }),
            "null": Bson::Null, "min": Bson::MinKey, "max": Bson::MaxKey, "undefined": Bson::Undefined,
            "symbol": Bson::Symbol("s".into()), "list": [1, 2_i64, "drei", { "vier": true }],
            "doubles": [1.5, f64::INFINITY, -1e300, 5e-324, 1e20], "decimal": "1.50".parse::<bson::Decimal128>().unwrap(),
        };
        let read: Document = serde_json::from_str(&json(&RawDocumentBuf::try_from(&document).unwrap())).unwrap();
        assert_eq!(read, document);
    }

    #[test]
    fn options_that_a_reader_takes_for_a_type_are_seen() {
        let validator = rawdoc! { "validator": { "$and": [ { "a": { "$regex": "x" } } ] } };
        assert_eq!(looks_like_a_type(&validator).as_deref(), Some("$regex"));
        assert_eq!(looks_like_a_type(&rawdoc! { "validator": { "a": { "$gt": 1, "$date": 1 } } }), None);
    }
}
