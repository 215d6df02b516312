//! An entry of `system.profile`, written as the log line that says the same.
//!
//! The profiler names some things otherwise, and writes for a statement of a write only the statement, not the command around it.
//! Everything behind this module is the same for both sources, so that shapes and numbers are, too.

use bson::{RawBsonRef, RawDocument};

/// Names of the profiler and those of the log.
const RENAMED: [(&str, &str); 4] =
    [("op", "type"), ("millis", "durationMillis"), ("numYield", "numYields"), ("responseLength", "reslen")];

/// Members that are called the same; commands apart. Error texts are not among them.
const SAME: [&str; 29] = [
    "ns",
    "appName",
    "planSummary",
    "queryShapeHash",
    "planCacheShapeHash",
    "queryHash",
    "workingMillis",
    "queues",
    "locks",
    "flowControl",
    "waitForWriteConcernDurationMillis",
    "waitForWriteConcernDuration",
    "cpuNanos",
    "storage",
    "remoteOpWaitMillis",
    "planningTimeMicros",
    "docsExamined",
    "keysExamined",
    "nreturned",
    "ninserted",
    "nModified",
    "ndeleted",
    "writeConflicts",
    "hasSortStage",
    "usedDisk",
    "fromMultiPlanner",
    "replanned",
    "mirrored",
    "ok",
];

/// How long the operation took and when it ended, both in milliseconds, the latter since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    pub duration: i64,
    pub at: i64,
}

pub fn moment(entry: &RawDocument) -> Moment {
    let duration = entry.get_i32("millis").map(i64::from).or_else(|_| entry.get_i64("millis")).unwrap_or(0);
    let at = entry.get_datetime("ts").map_or(0, bson::DateTime::timestamp_millis);
    Moment { duration, at }
}

/// The line for [`crate::Reader`]. `None` when the entry is damaged.
pub fn record(entry: &RawDocument) -> Option<Vec<u8>> {
    let mut attributes = b"{".to_vec();
    let mut truncated = false;
    let collection = entry.get_str("ns").ok().and_then(|ns| ns.split_once('.')).map_or("", |(_, coll)| coll);
    for member in entry {
        let (name, value) = member.ok()?;
        let name = name.as_str();
        if let "command" | "originatingCommand" = name {
            if let Some(command) = cut_command(value, collection) {
                truncated = true;
                put(&mut attributes, name, &command)?;
            } else {
                put(&mut attributes, name, &value)?;
            }
        } else if let Some((_, renamed)) = RENAMED.iter().find(|(profiled, _)| *profiled == name) {
            put(&mut attributes, renamed, &value)?;
        } else if SAME.contains(&name) {
            put(&mut attributes, name, &value)?;
        } else if name == "errCode" {
            put(&mut attributes, "ok", &0)?;
        }
    }
    attributes.push(b'}');
    let at = moment(entry).at;
    let mut line = format!(r#"{{"t":{at},"id":51803,"attr":"#).into_bytes();
    line.extend(attributes);
    line.extend_from_slice(if truncated { br#","truncated":{}}"# } else { b"}" });
    Some(line)
}

fn put(out: &mut Vec<u8>, name: &str, value: &impl serde::Serialize) -> Option<()> {
    if out.len() > 1 {
        out.push(b',');
    }
    serde_json::to_writer(&mut *out, name).ok()?;
    out.push(b':');
    serde_json::to_writer(out, value).ok()
}

/// A command that was too long stands there as the beginning of its text: `{$truncated: "{ find: \"orders\", …"}`. Its
/// name and collection are enough to tell what kind of operation it was.
fn cut_command(command: RawBsonRef<'_>, collection: &str) -> Option<serde_json::Value> {
    let text = command.as_document()?.get_str("$truncated").ok()?;
    let name = text.trim_start_matches(['{', ' ', '"']).split([':', '"']).next().unwrap_or_default().trim();
    Some(serde_json::json!({ name: collection }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bson::rawdoc;

    use super::*;
    use crate::aggregate::{Aggregate, Limits};
    use crate::line::{Reader, Verdict};
    use crate::operation::{Operation, classify};

    fn entry(more: &bson::RawDocumentBuf) -> bson::RawDocumentBuf {
        let mut entry = rawdoc! {
            "op": "query", "ns": "shop.orders", "keysExamined": 0, "docsExamined": 3000, "nreturned": 2, "numYield": 3,
            "queryHash": "FC6D44A5", "responseLength": 225, "millis": 7, "planSummary": "COLLSCAN",
            "ts": bson::DateTime::from_millis(1_764_360_502_000), "client": "10.1.2.3", "appName": "shop-api", "user": "alice@admin",
            "locks": { "Global": { "acquireCount": { "r": 4_i64 }, "timeAcquiringMicros": { "r": 120_i64 } } },
        };
        for member in more {
            let (name, value) = member.unwrap();
            entry.append(name, bson::RawBson::from(value));
        }
        entry
    }

    #[test]
    fn an_entry_counts_as_the_line_of_the_same_operation() {
        let command = rawdoc! { "command": { "find": "orders", "filter": { "total": { "$gt": 5_i64 }, "note": "geheim" }, "$db": "shop" } };
        let line = record(&entry(&command)).unwrap();
        let reader = Reader::new(Some("tidemark"));
        let Verdict::Parsed(query) = reader.read(&line) else { panic!("{}", String::from_utf8_lossy(&line)) };
        assert_eq!((query.docs_examined, query.returned, query.yields, query.duration_millis), (3000, 2, 3, 7));
        assert_eq!(
            (query.response_bytes, query.lock_wait_micros, query.at_millis),
            (225, 120, Some(1_764_360_502_000))
        );
        assert_eq!(classify(&query).1, Operation::Find);
        let mut aggregate = Aggregate::new(Limits::default());
        aggregate.observe(&reader.read(&line), Duration::ZERO);
        let report = serde_json::to_string(&aggregate.report()).unwrap();
        assert!(report.contains(r#"\"filter\":{\"total\":{\"$gt\":\"number\"},\"note\":\"string\"}"#), "{report}");
        for secret in ["geheim", "10.1.2.3", "alice", "shop-api"] {
            assert!(!report.contains(secret), "{secret}");
        }
    }

    #[test]
    fn a_failed_operation_has_failed_and_its_error_text_is_left_out() {
        let failed = rawdoc! { "command": { "count": "orders" }, "errCode": 50, "errMsg": "near geheim", "errName": "MaxTimeMSExpired" };
        let line = record(&entry(&failed)).unwrap();
        assert!(!String::from_utf8_lossy(&line).contains("geheim"));
        let reader = Reader::new(None);
        let Verdict::Parsed(query) = reader.read(&line) else { panic!("{}", String::from_utf8_lossy(&line)) };
        assert!(query.failed);
    }

    #[test]
    fn of_a_cut_command_the_kind_is_known_and_no_example_is_given() {
        let mut cut = rawdoc! { "ns": "shop.orders", "op": "command", "millis": 9 };
        cut.append(
            bson::cstr!("command"),
            rawdoc! { "$truncated": "{ aggregate: \"orders\", pipeline: [ { $match: { a: \"geheim" },
        );
        let line = record(&cut).unwrap();
        let reader = Reader::new(None);
        let Verdict::Truncated(query) = reader.read(&line) else { panic!("{}", String::from_utf8_lossy(&line)) };
        assert_eq!(classify(&query).1, Operation::Aggregate);
        assert_eq!(crate::shape::example(&query), None);
        assert!(!String::from_utf8_lossy(&line).contains("geheim"));
    }

    #[test]
    fn an_empty_and_a_damaged_entry_are_no_panic() {
        assert!(record(&rawdoc! {}).is_some());
        let mut bytes = rawdoc! { "ns": "shop.orders", "op": "query" }.into_bytes();
        let at = bytes.windows(4).position(|four| four == b"shop").unwrap();
        bytes[at] = 0xff;
        let damaged = bson::RawDocumentBuf::from_bytes(bytes).unwrap();
        assert!(record(&damaged).is_none());
    }
}
