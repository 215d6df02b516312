//! A command without its values: what is left is its shape.
//!
//! Every value becomes the name of its type, `"string"` or `"number"`; field names, operators and the order of members
//! stay. Kept are the name of the command with its collection, and the directions 1, -1 and 0 of sorts, hints and projections.
//! An array is the list of the different shapes of its members, so that a long `$in` is the same shape as a short one.
//! What tells nothing of the shape (sessions, cluster times, limits of time) is left out. The result is JSON, of
//! bounded length and depth.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::entry::Key;
use crate::operation::names_collection;

/// A shape is cut off after so many bytes: enough to tell what a query does, and what each shape may cost.
pub const LONGEST_SHAPE: usize = 2048;
const LONGEST_KEY: usize = 128;
/// Deeper than any query somebody wrote by hand; the server allows 100 and more.
const DEEPEST: usize = 32;
/// Different members of one array that are told apart.
const MEMBERS: usize = 16;

/// Members of a command that every driver adds, or that do not change what is done.
const LEFT_OUT: [&str; 25] = [
    "lsid",
    "$clusterTime",
    "$db",
    "$readPreference",
    "$configTime",
    "$topologyTime",
    "$audit",
    "$client",
    "readConcern",
    "writeConcern",
    "txnNumber",
    "autocommit",
    "startTransaction",
    "stmtId",
    "stmtIds",
    "comment",
    "maxTimeMS",
    "maxTimeMSOpOnly",
    "batchSize",
    "apiVersion",
    "apiStrict",
    "mayBypassWriteBlocking",
    "shardVersion",
    "databaseVersion",
    "clientOperationKey",
];

/// The shape of a command, or `None` when it is no object.
pub fn shape_of(command: &RawValue) -> Option<String> {
    let mut text = String::new();
    let at = Place { depth: 0, directions: false };
    let mut deserializer = serde_json::Deserializer::from_str(command.get());
    Shaper { out: &mut text, at }.deserialize(&mut deserializer).ok()?;
    if !text.starts_with('{') {
        return None;
    }
    if text.len() > LONGEST_SHAPE {
        let end = text.floor_char_boundary(LONGEST_SHAPE);
        text.truncate(end);
        text.push('…');
    }
    Some(text)
}

#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    /// Within a sort, hint or projection.
    directions: bool,
}

struct Shaper<'o> {
    out: &'o mut String,
    at: Place,
}

impl Shaper<'_> {
    fn put(self, kind: &str) {
        self.out.push('"');
        self.out.push_str(kind);
        self.out.push('"');
    }
}

impl<'de> DeserializeSeed<'de> for Shaper<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.at.depth > DEEPEST || self.out.len() > LONGEST_SHAPE {
            self.put("…");
            return deserializer.deserialize_ignored_any(IgnoredAny).map(drop);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Shaper<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.put("bool");
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        if self.at.directions && value == -1 {
            self.out.push_str("-1");
        } else {
            self.put("number");
        }
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        match value {
            0 if self.at.directions => self.out.push('0'),
            1 if self.at.directions => self.out.push('1'),
            _ => self.put("number"),
        }
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.put("number");
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.put("string");
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.put("null");
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let at = Place { depth: self.at.depth + 1, ..self.at };
        let start = self.out.len();
        self.out.push('[');
        // Where each different member stands in `out`; a member that was there before is taken back.
        let mut members: Vec<(usize, usize)> = Vec::new();
        loop {
            let before = self.out.len();
            if before > start + 1 {
                self.out.push(',');
            }
            let begin = self.out.len();
            if members.len() >= MEMBERS || begin > LONGEST_SHAPE {
                self.out.truncate(before);
                while values.next_element::<IgnoredAny>()?.is_some() {}
                break;
            }
            if values.next_element_seed(Shaper { out: self.out, at })?.is_none() {
                self.out.truncate(before);
                break;
            }
            let (known, new) = self.out.split_at(begin);
            if members.iter().any(|&(from, to)| known.get(from..to) == Some(new)) {
                self.out.truncate(before);
            } else {
                members.push((begin, self.out.len()));
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut first = true;
        // Of which command a later member is a name: `collection` of a `getMore`, `key` of a `distinct`.
        let mut name_of = "";
        let start = self.out.len();
        self.out.push('{');
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            if first && let Some(kind) = extended_type(&key) {
                self.out.truncate(start);
                map.next_value::<IgnoredAny>()?;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Shaper { out: self.out, at: self.at }.put(kind);
                return Ok(());
            }
            if self.out.len() > LONGEST_SHAPE || (self.at.depth == 0 && LEFT_OUT.contains(&&*key)) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            if self.out.len() > start + 1 {
                self.out.push(',');
            }
            write_key(self.out, &key);
            if first {
                name_of = match &*key {
                    "getMore" => "collection",
                    "distinct" => "key",
                    _ => "",
                };
            }
            let is_name = self.at.depth == 0 && if first { names_collection(&key) } else { *key == *name_of };
            first = false;
            if is_name {
                map.next_value_seed(Name(Shaper { out: self.out, at: self.at.below(&key) }))?;
            } else {
                map.next_value_seed(Shaper { out: self.out, at: self.at.below(&key) })?;
            }
        }
        self.out.push('}');
        Ok(())
    }
}

impl Place {
    fn below(self, key: &str) -> Self {
        let begins = matches!(key, "sort" | "$sort" | "hint" | "projection" | "$project" | "fields" | "key");
        Self { depth: self.depth + 1, directions: self.directions || begins }
    }
}

fn write_key(out: &mut String, key: &str) {
    let end = key.floor_char_boundary(LONGEST_KEY);
    let (shown, cut) = (key.get(..end).unwrap_or_default(), if end < key.len() { "…" } else { "" });
    write_quoted(out, shown, cut);
    out.push(':');
}

/// As JSON writes it, with `cut` behind it.
fn write_quoted(out: &mut String, text: &str, cut: &str) {
    // Nearly all names are like this, and there are many in each line.
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        for part in ["\"", text, cut, "\""] {
            out.push_str(part);
        }
    } else {
        // A string serialises without fail; this is how JSON escapes it.
        out.push_str(&serde_json::to_string(&format!("{text}{cut}")).unwrap_or_default());
    }
}

/// A string that is no value of a user: the name of a collection, or of a field.
struct Name<'o>(Shaper<'o>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        struct NameVisitor<'o>(Shaper<'o>);
        impl<'de> Visitor<'de> for NameVisitor<'_> {
            type Value = ();
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_str<E>(self, name: &str) -> Result<(), E> {
                write_quoted(self.0.out, name.get(..name.floor_char_boundary(255)).unwrap_or_default(), "");
                Ok(())
            }
            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
                self.0.visit_bool(value)
            }
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
                self.0.visit_i64(value)
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
                self.0.visit_u64(value)
            }
            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
                self.0.visit_f64(value)
            }
            fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
                self.0.visit_unit()
            }
            fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<(), A::Error> {
                self.0.visit_seq(values)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
                self.0.visit_map(map)
            }
        }
        deserializer.deserialize_any(NameVisitor(self.0))
    }
}

/// The type of a value that is written as an object, by the first key of that object.
fn extended_type(key: &str) -> Option<&'static str> {
    Some(match key {
        "$date" => "date",
        "$oid" => "objectId",
        "$numberLong" | "$numberInt" | "$numberDouble" | "$numberDecimal" => "number",
        "$binary" => "binary",
        "$uuid" => "uuid",
        "$timestamp" => "timestamp",
        "$regularExpression" => "regex",
        "$minKey" => "minKey",
        "$maxKey" => "maxKey",
        "$undefined" => "undefined",
        "$symbol" => "symbol",
        "$code" => "code",
        "$dbPointer" => "dbPointer",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
