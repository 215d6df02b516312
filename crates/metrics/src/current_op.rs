//! Operations under way: what the server is asked, and what its answer means.
//!
//! The pipeline filters and adds up in the server, so that thousands of connections make a small answer. What it leaves
//! out is what runs for long by nature (see the group `CURRENT` of the catalogue).

use bson::{Bson, Document, doc};

use crate::bound::OTHER;
use crate::catalogue::{
    CURRENT_OP_LONGEST_SECONDS, CURRENT_OP_NAMESPACE_LONGEST_SECONDS, CURRENT_OPS_BY_NAMESPACE,
    CURRENT_OPS_OVER_THRESHOLD, CURRENT_OPS_WAITING, INDEX_BUILD_LONGEST_SECONDS, INDEX_BUILD_PROGRESS_RATIO,
    INDEX_BUILDS,
};
use crate::field::{documents, number, text};
use crate::sample::{Samples, float};

/// Names of our processes begin so, followed by nothing, a space or a hyphen.
const OWN: &str = "^tidemark([ -]|$)";
/// Clients that are servers: members of the set among themselves.
const SERVERS: &str = "^(NetworkInterfaceTL|MongoDB Internal Client)";
/// Threads that build indexes, on every member of a set.
const BUILDERS: &str = "^IndexBuildsCoordinator";
/// Commands that wait by nature, or have metrics of their own.
const LEFT_OUT: [&str; 4] = ["hello", "isMaster", "ismaster", "createIndexes"];

pub const KINDS: [&str; 10] =
    ["find", "getmore", "aggregate", "distinct", "count", "insert", "update", "delete", "findandmodify", "command"];
/// Label and seconds.
const THRESHOLDS: [(&str, i64); 4] = [("1", 1), ("10", 10), ("60", 60), ("600", 600)];
/// Operations on a namespace that take less are everyday life.
const LONG_SECONDS: i64 = 10;
/// With series of their own.
const NAMESPACES: usize = 10;
/// Of operation and name of command: more than a server has.
const COMBINATIONS: i64 = 500;

/// Operations of clients: for `aggregate: 1` on `admin`; gives exactly one document.
pub fn pipeline() -> Vec<Document> {
    let pattern = |pattern: &str| doc! { "$regex": pattern };
    // `client` is there for connections only, not for the server's own threads.
    let of_clients = doc! {
        "type": "op",
        "active": true,
        "op": { "$ne": "none" },
        "client": { "$exists": true },
        "ns": { "$not": pattern("^local\\.") },
        "appName": { "$not": pattern(OWN) },
        "cursor.tailable": { "$ne": true },
        "command.pipeline.$changeStream": { "$exists": false },
        // What a router sends is a client's.
        "$or": [
            { "clientMetadata.driver.name": { "$not": pattern(SERVERS) } },
            { "clientMetadata.mongos": { "$exists": true } },
        ],
    };
    vec![
        doc! { "$currentOp": { "allUsers": true, "idleConnections": false, "idleSessions": false, "truncateOps": true } },
        doc! { "$match": of_clients },
        doc! { "$project": {
            "op": 1,
            "ns": 1,
            "name": command_name(),
            "micros": { "$ifNull": ["$microsecs_running", 0] },
            "lock": "$waitingForLock",
            "flow": "$waitingForFlowControl",
        } },
        doc! { "$match": { "name": { "$nin": LEFT_OUT.map(Bson::from).to_vec() } } },
        doc! { "$facet": {
            "kinds": kinds(),
            "namespaces": [
                { "$match": long() },
                { "$group": { "_id": "$ns", "operations": { "$sum": 1 }, "longest": { "$max": "$micros" } } },
                { "$sort": { "longest": -1, "_id": 1 } },
                { "$limit": i64::try_from(NAMESPACES + 1).unwrap_or(i64::MAX) },
            ],
            "long": [{ "$match": long() }, { "$count": "operations" }],
        } },
    ]
}

/// Index builds: gives one document or, when there are none, nothing.
///
/// Their threads count as idle (seen on 6.0.5), so that all idle connections are looked at on the way: not to be asked as
/// often.
pub fn builds_pipeline() -> Vec<Document> {
    vec![
        doc! { "$currentOp": { "allUsers": true, "idleConnections": true, "idleSessions": false, "truncateOps": true } },
        doc! { "$match": { "type": "op", "desc": { "$regex": BUILDERS }, "ns": { "$gt": "" } } },
        doc! { "$group": {
            "_id": "$ns",
            "builds": { "$sum": 1 },
            "longest": { "$max": "$microsecs_running" },
            "progress": { "$min": { "$cond": [
                { "$gt": ["$progress.total", 0] }, { "$divide": ["$progress.done", "$progress.total"] }, Bson::Null,
            ] } },
        } },
        doc! { "$sort": { "longest": -1, "_id": 1 } },
        doc! { "$limit": COMBINATIONS },
        doc! { "$group": { "_id": Bson::Null, "builds": { "$push": "$$ROOT" } } },
    ]
}

/// The first member of the command. A long command comes as the beginning of its text: `{$truncated: "{ insert: …"}`.
fn command_name() -> Document {
    let object = doc! { "$cond": [
        { "$eq": [{ "$type": "$command" }, "object"] }, "$command", { "$literal": {} },
    ] };
    let beginning = doc! { "$trim": {
        "input": { "$arrayElemAt": [{ "$split": ["$$first.v", ":"] }, 0] }, "chars": "{ \"",
    } };
    doc! { "$let": {
        "vars": { "first": { "$arrayElemAt": [{ "$objectToArray": object }, 0] } },
        "in": { "$cond": [{ "$eq": ["$$first.k", { "$literal": "$truncated" }] }, beginning, "$$first.k"] },
    } }
}

fn long() -> Document {
    doc! { "micros": { "$gte": LONG_SECONDS * 1_000_000 } }
}

fn kinds() -> Vec<Document> {
    let count = |condition: Bson| doc! { "$sum": { "$cond": [condition, 1, 0] } };
    let mut group = doc! {
        "_id": { "op": "$op", "name": "$name" },
        "longest": { "$max": "$micros" },
        "lock": count("$lock".into()),
        "flow_control": count("$flow".into()),
    };
    for (label, seconds) in THRESHOLDS {
        group.insert(format!("over{label}"), count(doc! { "$gte": ["$micros", seconds * 1_000_000] }.into()));
    }
    vec![doc! { "$group": group }, doc! { "$sort": { "longest": -1 } }, doc! { "$limit": COMBINATIONS }]
}

/// What the one document of [`pipeline`] says. Nothing at all when it is not what that promises.
pub fn samples(found: &Document) -> Samples {
    let mut samples = Samples::default();
    let parts = ["kinds", "namespaces", "long"];
    if parts.iter().any(|part| found.get_array(part).is_err()) {
        return samples;
    }
    by_kind(found, &mut samples);
    by_namespace(found, &mut samples);
    samples
}

fn by_kind(found: &Document, samples: &mut Samples) {
    let groups: Vec<(&str, &Document)> = documents(found, &["kinds"])
        .map(|group| (kind(text(group, &["_id", "op"]), text(group, &["_id", "name"])), group))
        .collect();
    let sum = |of: Option<&str>, field: &str| -> f64 {
        let wanted = groups.iter().filter(|(kind, _)| of.is_none_or(|of| of == *kind));
        // An empty sum is -0.
        wanted.filter_map(|(_, group)| number(group, &[field])).sum::<f64>() + 0.0
    };
    for of in KINDS {
        let longest = groups.iter().filter(|(kind, _)| *kind == of).filter_map(|(_, group)| micros(group));
        samples.set(&CURRENT_OP_LONGEST_SECONDS, &[of], longest.fold(0.0, f64::max));
        for (label, _) in THRESHOLDS {
            samples.set(&CURRENT_OPS_OVER_THRESHOLD, &[of, label], sum(Some(of), &format!("over{label}")));
        }
    }
    for reason in ["lock", "flow_control"] {
        samples.set(&CURRENT_OPS_WAITING, &[reason], sum(None, reason));
    }
}

/// By the command, else by what the server calls the operation: a statement of a write stands in the place of its command.
fn kind(op: Option<&str>, name: Option<&str>) -> &'static str {
    match name.unwrap_or_default() {
        "find" => return "find",
        "getMore" => return "getmore",
        "aggregate" => return "aggregate",
        "distinct" => return "distinct",
        "count" => return "count",
        "insert" => return "insert",
        "update" => return "update",
        "delete" => return "delete",
        "findAndModify" | "findandmodify" => return "findandmodify",
        _ => {}
    }
    match op.unwrap_or_default() {
        "query" => "find",
        "getmore" => "getmore",
        "insert" => "insert",
        "update" => "update",
        "remove" => "delete",
        _ => "command",
    }
}

fn by_namespace(found: &Document, samples: &mut Samples) {
    let all = documents(found, &["long"]).find_map(|long| number(long, &["operations"])).unwrap_or(0.0);
    let (mut named, mut rest) = (0.0, None);
    for (index, group) in documents(found, &["namespaces"]).enumerate() {
        let (Some(longest), Some(operations)) = (micros(group), number(group, &["operations"])) else { continue };
        if index >= NAMESPACES {
            // They are sorted: the oldest of all others.
            rest = Some(longest);
            continue;
        }
        let (db, coll) = namespace(group);
        samples.set(&CURRENT_OPS_BY_NAMESPACE, &[db, coll], operations);
        samples.set(&CURRENT_OP_NAMESPACE_LONGEST_SECONDS, &[db, coll], longest);
        named += operations;
    }
    if let Some(longest) = rest {
        samples.set(&CURRENT_OPS_BY_NAMESPACE, &[OTHER, OTHER], (all - named).max(1.0));
        samples.set(&CURRENT_OP_NAMESPACE_LONGEST_SECONDS, &[OTHER, OTHER], longest);
    }
}

/// What [`builds_pipeline`] found; it gives no document when nothing is built.
pub fn build_samples(found: Option<&Document>) -> Samples {
    let mut samples = Samples::default();
    let nothing = Document::new();
    let found = found.unwrap_or(&nothing);
    let builds: Vec<&Document> = documents(found, &["builds"]).collect();
    let count: f64 = builds.iter().filter_map(|group| number(group, &["builds"])).sum();
    samples.set(&INDEX_BUILDS, &[], count + 0.0);
    let longest = builds.iter().filter_map(|group| micros(group)).fold(0.0, f64::max);
    samples.set(&INDEX_BUILD_LONGEST_SECONDS, &[], longest);
    for group in builds.into_iter().take(NAMESPACES) {
        let (db, coll) = namespace(group);
        let progress = number(group, &["progress"]).map(|progress| progress.clamp(0.0, 1.0));
        samples.set_known(&INDEX_BUILD_PROGRESS_RATIO, &[db, coll], progress);
    }
    samples
}

/// Of the oldest operation of a group, in seconds.
fn micros(group: &Document) -> Option<f64> {
    number(group, &["longest"]).map(|micros| micros.max(0.0) / float(1_000_000))
}

fn namespace(group: &Document) -> (&str, &str) {
    let ns = group.get_str("_id").unwrap_or_default();
    ns.split_once('.').unwrap_or((ns, ""))
}

#[cfg(test)]
mod tests;
