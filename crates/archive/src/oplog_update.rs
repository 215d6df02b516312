//! What an update entry makes of a document, without a server: for the few small documents (users, roles, views) that
//! have to be known as they are at a moment.
//!
//! The forms are those of the oplog: a whole document, `{$v: 2, diff: …}` (5.0 and newer), `$set` and `$unset` (before).
//! Source: the server's `update/document_diff_serialization.h`.

use bson::{Bson, Document, RawDocument};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an update cannot be applied: {0}")]
pub struct UpdateError(String);

fn unknown(what: &str) -> UpdateError {
    UpdateError(format!("`{what}` is not a form of an update that this version knows"))
}

/// The document after the update whose entry has `o`.
pub fn apply(document: &RawDocument, o: &RawDocument) -> Result<Document, UpdateError> {
    let decode = |raw: &RawDocument| Document::try_from(raw).map_err(|error| UpdateError(error.to_string()));
    let (mut document, change) = (decode(document)?, decode(o)?);
    let version = change.get("$v").and_then(|v| v.as_i32().map(i64::from).or(v.as_i64()));
    match (change.keys().next().map(String::as_str), version) {
        (Some("$v"), Some(2)) => {
            let diff = change.get_document("diff").map_err(|_| unknown("$v: 2 without diff"))?;
            document_diff(&mut document, diff)?;
        }
        (Some("$v"), Some(1)) => modify(&mut document, &change)?,
        (Some("$v"), _) => return Err(unknown("$v")),
        (Some(name), _) if name.starts_with('$') => modify(&mut document, &change)?,
        _ => {
            // A replacement keeps the `_id`, which the entry repeats.
            return Ok(change);
        }
    }
    Ok(document)
}

fn document_diff(document: &mut Document, diff: &Document) -> Result<(), UpdateError> {
    for (key, value) in diff {
        match (key.as_str(), value) {
            ("d", Bson::Document(removed)) => removed.keys().for_each(|name| drop(document.remove(name))),
            ("u", Bson::Document(set)) => {
                set.iter().for_each(|(name, value)| drop(document.insert(name, value.clone())));
            }
            ("i", Bson::Document(added)) => {
                for (name, value) in added {
                    // An insert goes to the end, even of what is there already.
                    document.remove(name);
                    document.insert(name, value.clone());
                }
            }
            (key, Bson::Document(inner)) if key.starts_with('s') => {
                if let Some(value) = document.get_mut(&key[1..]) {
                    value_diff(value, inner)?;
                }
            }
            (key, _) => return Err(unknown(key)),
        }
    }
    Ok(())
}

/// A diff of another kind than the value is no-op in the server: the document is newer than the entry.
fn value_diff(value: &mut Bson, diff: &Document) -> Result<(), UpdateError> {
    match (value, diff.get_bool("a").unwrap_or(false)) {
        (Bson::Array(array), true) => array_diff(array, diff),
        (Bson::Document(document), false) => document_diff(document, diff),
        _ => Ok(()),
    }
}

fn array_diff(array: &mut Vec<Bson>, diff: &Document) -> Result<(), UpdateError> {
    /// Nothing that is small enough to be kept here has more.
    const MOST: usize = 1_000_000;
    for (key, value) in diff {
        let position = |text: &str| text.parse::<usize>().ok().filter(|at| *at < MOST).ok_or_else(|| unknown(key));
        match (key.as_str(), value) {
            ("a", _) => {}
            ("l", length) => {
                let length = length.as_i32().map(i64::from).or(length.as_i64()).and_then(|n| usize::try_from(n).ok());
                array.truncate(length.ok_or_else(|| unknown("l"))?);
            }
            (key, value) if key.starts_with('u') => {
                let at = position(&key[1..])?;
                if at >= array.len() {
                    array.resize(at + 1, Bson::Null);
                }
                array[at] = value.clone();
            }
            (key, Bson::Document(inner)) if key.starts_with('s') => {
                if let Some(value) = array.get_mut(position(&key[1..])?) {
                    value_diff(value, inner)?;
                }
            }
            (key, _) => return Err(unknown(key)),
        }
    }
    Ok(())
}

fn modify(document: &mut Document, change: &Document) -> Result<(), UpdateError> {
    for (operator, fields) in change {
        match (operator.as_str(), fields) {
            ("$v", _) => {}
            ("$set", Bson::Document(fields)) => {
                fields.iter().try_for_each(|(path, value)| set(document, path, value.clone()))?;
            }
            ("$unset", Bson::Document(fields)) => fields.keys().try_for_each(|path| unset(document, path))?,
            (operator, _) => return Err(unknown(operator)),
        }
    }
    Ok(())
}

fn set(document: &mut Document, path: &str, value: Bson) -> Result<(), UpdateError> {
    let Some((name, rest)) = path.split_once('.') else {
        document.insert(path, value);
        return Ok(());
    };
    match document.entry(name.to_owned()).or_insert_with(|| Bson::Document(Document::new())) {
        Bson::Document(inner) => set(inner, rest, value),
        Bson::Array(array) if !rest.contains('.') => {
            let at: usize = rest.parse().ok().filter(|at| *at <= array.len()).ok_or_else(|| unknown(path))?;
            array.resize(array.len().max(at + 1), Bson::Null);
            array[at] = value;
            Ok(())
        }
        _ => Err(unknown(path)),
    }
}

fn unset(document: &mut Document, path: &str) -> Result<(), UpdateError> {
    let Some((name, rest)) = path.split_once('.') else {
        document.remove(path);
        return Ok(());
    };
    match document.get_mut(name) {
        Some(Bson::Document(inner)) => unset(inner, rest),
        None => Ok(()),
        Some(_) => Err(unknown(path)),
    }
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, doc};

    use super::*;

    fn after(document: &Document, o: &Document) -> Result<Document, UpdateError> {
        let raw = |document: &Document| RawDocumentBuf::try_from(document).unwrap();
        apply(&raw(document), &raw(o))
    }

    fn diffed(document: &Document, diff: Document) -> Document {
        after(document, &doc! { "$v": 2, "diff": diff }).unwrap()
    }

    #[test]
    fn a_replacement_is_the_whole_document() {
        assert_eq!(after(&doc! { "_id": 1, "a": 1 }, &doc! { "_id": 1, "b": 2 }), Ok(doc! { "_id": 1, "b": 2 }));
    }

    #[test]
    fn diffs_delete_update_insert_and_go_inside() {
        let before = doc! { "_id": 1, "a": 1, "b": { "x": 1, "y": [1, 2, { "z": 3 }] }, "c": 3 };
        let diff = doc! {
            "d": { "a": false }, "u": { "c": 4 }, "i": { "n": 5 },
            "sb": { "u": { "x": 9 }, "sy": { "a": true, "u1": 7, "s2": { "u": { "z": 8 } }, "u4": 6 } },
        };
        let expected = doc! { "_id": 1, "b": { "x": 9, "y": [1, 7, { "z": 8 }, null, 6] }, "c": 4, "n": 5 };
        let result = diffed(&before, diff);
        // The order of fields is part of a document.
        assert_eq!(result.to_string(), expected.to_string());
        assert_eq!(diffed(&doc! { "a": [1, 2, 3] }, doc! { "sa": { "a": true, "l": 1 } }), doc! { "a": [1] });
        assert_eq!(
            diffed(&doc! { "a": 1, "b": 2 }, doc! { "i": { "a": 3 } }).to_string(),
            doc! { "b": 2, "a": 3 }.to_string()
        );
    }

    #[test]
    fn a_diff_of_another_shape_changes_nothing() {
        let before = doc! { "a": 1, "b": [1] };
        assert_eq!(
            diffed(&before, doc! { "sa": { "u": { "x": 1 } }, "sb": { "u": { "x": 1 } }, "sn": { "d": {} } }),
            before
        );
    }

    #[test]
    fn modifiers_of_older_servers_are_applied() {
        let changed = after(
            &doc! { "_id": 1, "a": { "b": 1, "c": [1, 2] } },
            &doc! { "$v": 1, "$set": { "a.c.1": 5, "x.y": 2 }, "$unset": { "a.b": true } },
        );
        assert_eq!(changed, Ok(doc! { "_id": 1, "a": { "c": [1, 5] }, "x": { "y": 2 } }));
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        for o in [
            doc! { "$v": 3, "diff": {} },
            doc! { "$v": 2, "diff": { "q": 1 } },
            doc! { "$v": 2, "diff": { "sa": { "a": true, "u99999999999": 1 } } },
            doc! { "$push": { "a": 1 } },
        ] {
            assert!(after(&doc! { "a": [1] }, &o).is_err(), "{o}");
        }
    }
}
