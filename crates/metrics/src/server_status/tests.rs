use bson::{DateTime, doc};
use proptest::prelude::*;

use super::*;
use crate::catalogue::*;

/// Fields as the manual of 7.0 has them. Not observed on a server.
fn of_7_0() -> Document {
    doc! {
        "connections": { "current": 5, "available": 100, "totalCreated": 9_i64, "rejected": 2_i64 },
        "metrics": { "query": { "sort": { "spillToDisk": 4_i64 } },
            "operation": { "killedDueToClientDisconnect": 3_i64, "killedDueToMaxTimeMSExpired": 1_i64 } },
        "wiredTiger": { "concurrentTransactions": {
            "read": { "out": 1, "available": 7, "totalTickets": 8,
                "normalPriority": { "queueLength": 6_i64, "totalTimeQueuedMicros": 2_500_000_i64 } },
            "write": { "out": 2, "available": 6, "totalTickets": 8 },
        } },
    }
}

/// Fields as the manual of 8.0 has them. Not observed on a server.
fn of_8_0() -> Document {
    doc! {
        "repl": { "setName": "rs" },
        "queues": { "execution": {
            "read": { "out": 3, "available": 5, "totalTickets": 8,
                "normalPriority": { "queueLength": 2_i64, "totalTimeQueuedMicros": 1_000_000_i64 } },
            "write": { "out": 0, "available": 8, "totalTickets": 8 },
        } },
        "opWorkingTime": { "reads": { "ops": 1_i64, "latency": 100_i64, "histogram": [{ "micros": 64_i64, "count": 1_i64 }] } },
        "metrics": { "repl": { "buffer": {
            "apply": { "count": 7_i64, "sizeBytes": 70_i64, "maxSizeBytes": 1000_i64 },
            "write": { "count": 8_i64, "sizeBytes": 80_i64, "maxSizeBytes": 2000_i64 },
        } } },
        "wiredTiger": { "checkpoint": { "most recent time (msecs)": 1500_i64 },
            "concurrentTransactions": { "read": { "out": 99, "totalTickets": 99 } } },
    }
}

#[test]
fn fields_that_moved_are_found_where_each_version_has_them() {
    let seven = samples(&of_7_0());
    assert_eq!(seven.number(&TICKETS_LIMIT, &["read"]), Some(8.0));
    assert_eq!(seven.number(&TICKET_QUEUE_LENGTH, &["read"]), Some(6.0));
    assert_eq!(seven.number(&TICKET_QUEUE_SECONDS_TOTAL, &["read"]), Some(2.5));
    assert_eq!(seven.number(&TICKET_QUEUE_LENGTH, &["write"]), None);
    assert_eq!(seven.number(&CONNECTIONS_REJECTED_TOTAL, &[]), Some(2.0));
    assert_eq!(seven.number(&SORT_SPILLS_TOTAL, &[]), Some(4.0));
    assert_eq!(seven.number(&KILLED_OPS_TOTAL, &["client_disconnect"]), Some(3.0));
    let eight = samples(&of_8_0());
    assert_eq!(eight.number(&TICKETS_IN_USE, &["read"]), Some(3.0), "the newer place wins");
    assert_eq!(eight.number(&TICKET_QUEUE_SECONDS_TOTAL, &["read"]), Some(1.0));
    assert_eq!(eight.number(&REPL_BUFFER_BYTES, &["apply"]), Some(70.0));
    assert_eq!(eight.number(&REPL_BUFFER_ENTRIES, &["write"]), Some(8.0));
    assert_eq!(eight.number(&WT_CHECKPOINT_LAST_SECONDS, &[]), Some(1.5));
    assert_eq!(eight.count(&OP_WORKING_SECONDS), 1);
}

#[test]
fn everything_that_is_not_observed_is_read_by_one_of_these() {
    let read = [samples(&of_7_0()), samples(&of_8_0())];
    let of_the_set = [&REPLSET_MEMBER_WRITTEN_LAG_SECONDS];
    for metric in all().filter(|metric| metric.not_observed && !of_the_set.contains(metric)) {
        assert!(read.iter().any(|samples| samples.count(metric) > 0), "{}", metric.name);
    }
}

#[test]
fn a_clock_within_the_time_of_the_request_is_right() {
    let skew = |local: i64| {
        clock_skew(DateTime::from_millis(local), 1_000_000, 1_000_400).number(&CLOCK_SKEW_SECONDS, &[]).unwrap()
    };
    assert_eq!((skew(1_000_000), skew(1_000_400)), (0.0, 0.0));
    assert_eq!((skew(1_002_400), skew(997_500)), (2.0, -2.5));
}

#[test]
fn ages_before_anything_is_pinned_are_left_out() {
    let pinned = |range: i64| {
        samples(
            &doc! { "wiredTiger": { "transaction": { "transaction range of timestamps currently pinned": range } } },
        )
        .number(&WT_OLDEST_PINNED_AGE_SECONDS, &[])
    };
    assert_eq!(pinned(17_179_870_184), Some(4.0));
    assert_eq!(pinned(7_713_321_020_878_226_409), None);
}

fn any_bson() -> impl Strategy<Value = bson::Bson> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(bson::Bson::Int64),
        any::<i32>().prop_map(bson::Bson::Int32),
        any::<f64>().prop_map(bson::Bson::Double),
        any::<bool>().prop_map(bson::Bson::Boolean),
        ".{0,8}".prop_map(bson::Bson::String),
        any::<i64>().prop_map(|at| bson::Bson::DateTime(DateTime::from_millis(at))),
        Just(bson::Bson::Null),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(bson::Bson::Array),
            prop::collection::vec(("[a-z]{1,6}", inner), 0..4)
                .prop_map(|fields| bson::Bson::Document(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Any field that the schema names, with any value under it: no panic, no value that Prometheus cannot have, no
    /// counter below 0.
    #[test]
    fn malformed_fields_leave_series_out(which in 0..fields::FIELDS.len() + fields::REPLICATION_FIELDS.len(), value in any_bson()) {
        let field = fields::FIELDS.iter().chain(fields::REPLICATION_FIELDS).nth(which).unwrap();
        for path in field.paths {
            let mut nested = value.clone();
            for name in path.split('/').rev() {
                nested = bson::Bson::Document(doc! { name: nested });
            }
            let mut status = nested.as_document().unwrap().clone();
            status.entry("repl".to_owned()).or_insert(doc! { "setName": "rs" }.into());
            for sample in samples(&status).0 {
                let crate::Value::Number(number) = sample.value else { continue };
                prop_assert!(number.is_finite() && number >= 0.0, "{} {number}", sample.metric.name);
            }
        }
    }
}
