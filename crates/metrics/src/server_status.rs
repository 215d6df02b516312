//! The closed schema of `serverStatus`: which field becomes which metric. Fields that are not named here are ignored,
//! fields that are missing or of another type leave their series out.
//!
//! Fields of 8.0 (and those that 7.0 added) are read from the manual and the source; no such server was observed. Where a
//! field moved, both places are named and the newer one wins.

use bson::Document;

use crate::catalogue::{
    CLOCK_SKEW_SECONDS, COLLSCANS_TOTAL, CURSORS_OPEN, Metric, OP_LATENCY_SECONDS, OP_WORKING_SECONDS,
    OPLOG_FIRST_TIMESTAMP_SECONDS, OPLOG_LAST_TIMESTAMP_SECONDS, REPLSET_ROLLBACKS_TOTAL, WT_EVICTIONS_TOTAL,
    WT_OLDEST_PINNED_AGE_SECONDS,
};
use crate::field::{as_number, at, cluster_seconds, number, text};
use crate::latency::recut;
use crate::sample::Samples;

mod fields;

use fields::{FIELDS, Field, REPLICATION_FIELDS};

/// Counters that the server itself keeps over its restarts.
pub static LASTING: [&Metric; 1] = [&REPLSET_ROLLBACKS_TOTAL];

/// Ages beyond this mean that nothing is pinned yet.
const YEAR: f64 = 366.0 * 86_400.0;

/// What the reply to `serverStatus` (with `oplog: 1` and `opLatencies: {histograms: true}`) says.
pub fn samples(status: &Document) -> Samples {
    let mut samples = Samples::default();
    read(FIELDS, status, None, &mut samples);
    derived(status, &mut samples);
    latencies(status, &mut samples);
    if let Some(set) = set_name(status) {
        read(REPLICATION_FIELDS, status, Some(set), &mut samples);
        let rollbacks = number(status, &["repl", "rbid"]).filter(|rbid| *rbid >= 1.0).map(|rbid| rbid - 1.0);
        samples.set_known(&REPLSET_ROLLBACKS_TOTAL, &[set], rollbacks);
        let first = cluster_seconds(status, &["oplog", "earliestOptime"]);
        samples.set_known(&OPLOG_FIRST_TIMESTAMP_SECONDS, &[set], first);
        samples.set_known(&OPLOG_LAST_TIMESTAMP_SECONDS, &[set], cluster_seconds(status, &["oplog", "latestOptime"]));
    }
    samples
}

/// The replica set that the server says it belongs to.
pub fn set_name(status: &Document) -> Option<&str> {
    text(status, &["repl", "setName"])
}

pub fn storage_engine(status: &Document) -> Option<&str> {
    text(status, &["storageEngine", "name"])
}

/// Server minus own clock, in seconds, when the reply was asked for and came at these moments (milliseconds since 1970).
/// Within the time that the request took, nothing is known: it counts as no difference.
pub fn clock_skew(local: bson::DateTime, asked: i64, answered: i64) -> Samples {
    let local = local.timestamp_millis();
    let skew = if local < asked {
        local.saturating_sub(asked)
    } else if local > answered {
        local.saturating_sub(answered)
    } else {
        0
    };
    let mut samples = Samples::default();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
    samples.set(&CLOCK_SKEW_SECONDS, &[], skew as f64 / 1000.0);
    samples
}

fn read(fields: &[Field], status: &Document, set: Option<&str>, samples: &mut Samples) {
    for field in fields {
        let found = field.paths.iter().find_map(|path| {
            let path: Vec<&str> = path.split('/').collect();
            at(status, &path).and_then(as_number)
        });
        let Some(value) = found.filter(|value| *value >= 0.0) else { continue };
        let labels: Vec<&str> = match set {
            Some(set) if field.metric.labels.first() == Some(&"replset") => {
                std::iter::once(set).chain(field.labels.iter().copied()).collect()
            }
            _ => field.labels.to_vec(),
        };
        samples.set(field.metric, &labels, value * field.scale);
    }
}

/// What is not in one field.
fn derived(status: &Document, samples: &mut Samples) {
    let executor = |name: &str| number(status, &["metrics", "queryExecutor", "collectionScans", name]);
    if let (Some(total), Some(nontailable)) = (executor("total"), executor("nonTailable")) {
        samples.set(&COLLSCANS_TOTAL, &["nontailable"], nontailable);
        samples.set(&COLLSCANS_TOTAL, &["tailable"], (total - nontailable).max(0.0));
    }
    let open = |name: &str| number(status, &["metrics", "cursor", "open", name]);
    if let (Some(total), Some(pinned)) = (open("total"), open("pinned")) {
        samples.set(&CURSORS_OPEN, &["pinned"], pinned);
        samples.set(&CURSORS_OPEN, &["idle"], (total - pinned).max(0.0));
    }
    let cache = |name: &str| number(status, &["wiredTiger", "cache", name]);
    let server = [cache("eviction server evicting pages"), cache("eviction worker thread evicting pages")];
    if server.iter().any(Option::is_some) {
        samples.set(&WT_EVICTIONS_TOTAL, &["server"], server.iter().flatten().sum());
    }
    samples.set_known(&WT_EVICTIONS_TOTAL, &["application"], cache("pages evicted by application threads"));
    // A difference of cluster times: seconds in the upper half.
    let pinned = number(status, &["wiredTiger", "transaction", "transaction range of timestamps currently pinned"]);
    let age = pinned.map(|range| (range / 4_294_967_296.0).floor()).filter(|age| (0.0..YEAR).contains(age));
    samples.set_known(&WT_OLDEST_PINNED_AGE_SECONDS, &[], age);
}

fn latencies(status: &Document, samples: &mut Samples) {
    let types = [("reads", "read"), ("writes", "write"), ("commands", "command"), ("transactions", "transaction")];
    for (section, metric) in [("opLatencies", &OP_LATENCY_SECONDS), ("opWorkingTime", &OP_WORKING_SECONDS)] {
        for (name, label) in types {
            let latency = status.get_document(section).ok().and_then(|section| section.get_document(name).ok());
            if let Some(histogram) = latency.and_then(recut) {
                samples.set_histogram(metric, &[label], histogram);
            }
        }
    }
}

#[cfg(test)]
mod tests;
