//! Which slow queries are "the same": the server's own hash of the shape where it gives one, else one of ours.

use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::entry::SlowQuery;
use crate::operation::{Namespace, Operation};
use crate::redact::shape_of;

/// Of our own fingerprints: hex digits of the SHA-256.
const FINGERPRINT_DIGITS: usize = 16;
/// The longest hash of a server, that of 8.0.
const LONGEST_HASH: usize = 64;

/// Where the name of a shape comes from, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// 8.0 and newer.
    QueryShapeHash,
    /// The newer name of `queryHash`.
    PlanCacheShapeHash,
    QueryHash,
    /// Ours: namespace, operation and the command without its values. The same in all processes and versions.
    Fingerprint,
}

impl Origin {
    pub const fn text(self) -> &'static str {
        match self {
            Self::QueryShapeHash => "queryShapeHash",
            Self::PlanCacheShapeHash => "planCacheShapeHash",
            Self::QueryHash => "queryHash",
            Self::Fingerprint => "fingerprint",
        }
    }
}

/// A server's hash says nothing about namespace and operation, so these belong to the key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShapeKey {
    /// Hexadecimal; [`crate::operation::OTHER`] for what is not tracked.
    pub id: String,
    pub namespace: Namespace,
    pub operation: Operation,
}

/// The shape of a slow query.
pub fn identify(query: &SlowQuery<'_>, namespace: &Namespace, operation: Operation) -> (ShapeKey, Origin) {
    let hashes = [
        (query.query_shape_hash.as_deref(), Origin::QueryShapeHash),
        (query.plan_cache_shape_hash.as_deref(), Origin::PlanCacheShapeHash),
        (query.query_hash.as_deref(), Origin::QueryHash),
    ];
    let given = hashes.into_iter().find_map(|(hash, origin)| Some((hash.filter(|hash| is_hash(hash))?, origin)));
    let (id, origin) = match given {
        Some((hash, origin)) => (hash.to_owned(), origin),
        None => (fingerprint(query, namespace, operation), Origin::Fingerprint),
    };
    (ShapeKey { id, namespace: namespace.clone(), operation }, origin)
}

/// It becomes a label, so nothing else may pass for one.
fn is_hash(text: &str) -> bool {
    (1..=LONGEST_HASH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn fingerprint(query: &SlowQuery<'_>, namespace: &Namespace, operation: Operation) -> String {
    let mut hash = Sha256::new();
    for part in [&namespace.db, "\0", &namespace.coll, "\0", operation.label(), "\0"] {
        hash.update(part);
    }
    hash.update(example(query).as_deref().unwrap_or_default());
    hex::encode(hash.finalize().get(..FINGERPRINT_DIGITS / 2).unwrap_or_default())
}

/// The command without its values; of a `getMore` that of the command that opened its cursor. `None` when the server cut
/// the line, where the rest of a command would pass for another shape.
pub fn example(query: &SlowQuery<'_>) -> Option<String> {
    let command: &RawValue = query.originating_command.or(query.command)?;
    if query.truncated { None } else { shape_of(command) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::parse;
    use crate::operation::classify;

    fn identified(line: &str) -> (ShapeKey, Origin) {
        let query = parse(line).unwrap().unwrap();
        let (namespace, operation) = classify(&query);
        identify(&query, &namespace.unwrap(), operation)
    }

    fn line(attributes: &str, filter: &str) -> String {
        format!(
            r#"{{"id":51803,"attr":{{"type":"command","ns":"a.b","command":{{"find":"b","filter":{filter}}}{attributes}}}}}"#
        )
    }

    #[test]
    fn the_best_hash_of_the_server_is_taken() {
        let all = r#","queryHash":"AA","planCacheShapeHash":"BB","queryShapeHash":"CC""#;
        let cases = [
            (all, "CC", Origin::QueryShapeHash),
            (r#","queryHash":"AA","planCacheShapeHash":"BB""#, "BB", Origin::PlanCacheShapeHash),
            (r#","queryHash":"AA""#, "AA", Origin::QueryHash),
            (r#","queryHash":"AA","queryShapeHash":"no hash""#, "AA", Origin::QueryHash),
        ];
        for (attributes, id, origin) in cases {
            let (key, from) = identified(&line(attributes, "{}"));
            assert_eq!((key.id.as_str(), from), (id, origin), "{attributes}");
        }
    }

    #[test]
    fn our_fingerprint_is_of_the_shape_and_stays_the_same_for_ever() {
        let (first, origin) = identified(&line("", r#"{"a":1,"b":{"$in":[1,2]}}"#));
        assert_eq!(origin, Origin::Fingerprint);
        assert_eq!(first.id, "f309446869d17097");
        assert_eq!(identified(&line("", r#"{"a":99,"b":{"$in":[4]}}"#)).0, first);
        assert_ne!(identified(&line("", r#"{"a":"x","b":{"$in":[4]}}"#)).0, first);
        assert_ne!(identified(&line("", r#"{"c":1,"b":{"$in":[4]}}"#)).0, first);
        for bad in [r#""queryHash":"""#.to_owned(), format!(r#""queryHash":"{}""#, "A".repeat(65))] {
            assert_eq!(identified(&line(&format!(",{bad}"), "{}")).1, Origin::Fingerprint);
        }
    }
}
