//! What differs between two captures, said so that a person can start looking.

use std::collections::BTreeMap;

use mongodb::bson::RawDocument;

use super::{CollectionState, Documents, Fields, StateCapture, id_of};
use crate::bson_bytes::{self, ARRAY, DOCUMENT, DocumentWriter, Element};

/// Differences in documents that are listed per collection.
const LISTED: usize = 5;

#[derive(Debug, Clone, Default)]
pub struct DiffOptions {
    /// A restore parks what expires documents: accept any number of seconds, and none, where one is expected.
    pub ignore_ttl_seconds: bool,
}

pub(super) fn states(expected: &StateCapture, found: &StateCapture, options: &DiffOptions) -> Vec<String> {
    let mut out = Vec::new();
    for (namespace, state) in &expected.collections {
        match found.collections.get(namespace) {
            Some(other) => collections(namespace, state, other, options, &mut out),
            None => out.push(format!("{namespace}: missing ({}, {} documents)", state.kind, state.documents.count)),
        }
    }
    for (namespace, state) in &found.collections {
        if !expected.collections.contains_key(namespace) {
            out.push(format!("{namespace}: not expected ({}, {} documents)", state.kind, state.documents.count));
        }
    }
    out
}

fn collections(
    namespace: &str,
    expected: &CollectionState,
    found: &CollectionState,
    options: &DiffOptions,
    out: &mut Vec<String>,
) {
    if expected.kind != found.kind {
        out.push(format!("{namespace}: expected a {}, found a {}", expected.kind, found.kind));
        return;
    }
    definitions(&format!("{namespace}: option"), &expected.options, &found.options, options, out);
    let empty = Fields::new();
    let id_index = |state: &CollectionState| state.id_index.clone().unwrap_or_else(|| empty.clone());
    definitions(&format!("{namespace}: _id index"), &id_index(expected), &id_index(found), options, out);
    for (name, index) in &expected.indexes {
        match found.indexes.get(name) {
            Some(other) => definitions(&format!("{namespace}: index {name}"), index, other, options, out),
            None => out.push(format!("{namespace}: index {name}: missing")),
        }
    }
    for name in found.indexes.keys().filter(|name| !expected.indexes.contains_key(*name)) {
        out.push(format!("{namespace}: index {name}: not expected"));
    }
    documents(namespace, &expected.documents, &found.documents, out);
}

fn definitions(what: &str, expected: &Fields, found: &Fields, options: &DiffOptions, out: &mut Vec<String>) {
    let is_ignored = |name: &str| options.ignore_ttl_seconds && name == "expireAfterSeconds";
    for (name, value) in expected.iter().filter(|(name, _)| !is_ignored(name)) {
        match found.get(name) {
            None => out.push(format!("{what}.{name}: missing, expected {}", render(value))),
            Some(other) if value == other => {}
            Some(other) => out.push(format!("{what}.{name}: expected {}, found {}", render(value), render(other))),
        }
    }
    for (name, value) in found.iter().filter(|(name, _)| !expected.contains_key(*name)) {
        out.push(format!("{what}.{name}: not expected, found {}", render(value)));
    }
}

fn documents(namespace: &str, expected: &Documents, found: &Documents, out: &mut Vec<String>) {
    if expected.count == found.count && expected.digest == found.digest {
        return;
    }
    out.push(format!("{namespace}: documents differ: expected {}, found {}", expected.count, found.count));
    let (Some(left), Some(right)) = (&expected.kept, &found.kept) else { return };
    let before = out.len();
    if expected.natural_order {
        for (position, (left, right)) in left.iter().zip(right).enumerate().filter(|(_, (left, right))| left != right) {
            let difference = first_difference(left, right);
            out.push(format!("{namespace}: position {position}: {difference}"));
        }
    } else {
        // More than one document may have an `_id` of the same bytes only when the server's index is broken.
        let by_id = |documents: &[Vec<u8>]| -> BTreeMap<Vec<u8>, Vec<u8>> {
            documents.iter().map(|document| (id_of(document), document.clone())).collect()
        };
        let (left, right) = (by_id(left), by_id(right));
        for (id, document) in &left {
            match right.get(id) {
                Some(other) if other == document => {}
                Some(other) => {
                    out.push(format!("{namespace}: _id {}: {}", render(id), first_difference(document, other)));
                }
                None => out.push(format!("{namespace}: _id {}: missing", render(id))),
            }
        }
        for id in right.keys().filter(|id| !left.contains_key(*id)) {
            out.push(format!("{namespace}: _id {}: not expected", render(id)));
        }
    }
    let more = (out.len() - before).saturating_sub(LISTED);
    if more > 0 {
        out.truncate(before + LISTED);
        out.push(format!("{namespace}: and {more} more"));
    }
}

/// The path of the first field, in stored order, in which two documents differ.
pub(super) fn first_difference(expected: &[u8], found: &[u8]) -> String {
    let (mut left, mut right) = (bson_bytes::elements(expected), bson_bytes::elements(found));
    loop {
        return match (left.next(), right.next()) {
            (Some(a), Some(b)) if a == b => continue,
            (Some(a), Some(b)) if a.name != b.name => {
                format!("expected the field {}, found the field {}", name(&a), name(&b))
            }
            (Some(a), Some(b)) if a.kind == b.kind && matches!(a.kind, DOCUMENT | ARRAY) => {
                format!("{} > {}", name(&a), first_difference(a.value, b.value))
            }
            (Some(a), Some(b)) => {
                format!("{}: expected {}, found {}", name(&a), render(&a.typed_value()), render(&b.typed_value()))
            }
            (Some(a), None) => format!("{}: missing, expected {}", name(&a), render(&a.typed_value())),
            (None, Some(b)) => format!("{}: not expected, found {}", name(&b), render(&b.typed_value())),
            (None, None) => "no field differs".to_owned(),
        };
    }
}

fn name(element: &Element<'_>) -> String {
    String::from_utf8_lossy(element.name).into_owned()
}

/// A type and value as text; as hexadecimal when the library cannot read it.
fn render(typed_value: &[u8]) -> String {
    let Some((kind, value)) = typed_value.split_first() else { return "nothing".to_owned() };
    let document = DocumentWriter::new().element(*kind, "v", value).finish();
    let read = RawDocument::from_bytes(&document).ok().and_then(|document| document.get("v").ok().flatten());
    let text = match read.map(mongodb::bson::Bson::try_from) {
        Some(Ok(value)) => format!("{value:?}"),
        _ => format!("type {kind:#04x} {}", hex::encode(value)),
    };
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], value.len()),
        None => text,
    }
}
