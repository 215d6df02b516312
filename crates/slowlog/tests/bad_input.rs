//! Any bytes at all: a verdict, never a panic, and nothing of a user's values in what comes out.

use std::time::Duration;

use proptest::prelude::*;
use slowlog::record::{Joiner, Step};
use slowlog::{Aggregate, Limits, Reader};

const OBSERVED: &str = include_str!("lines/6.0.5.log");

fn observed() -> Vec<&'static [u8]> {
    OBSERVED.lines().map(str::as_bytes).collect()
}

fn observe(records: &[Vec<u8>]) -> Aggregate {
    let reader = Reader::new(Some("tidemark"));
    let mut joiner = Joiner::new(1 << 16);
    let mut aggregate = Aggregate::new(Limits { namespaces: 2, shapes: 2 });
    for record in records {
        match joiner.line(record) {
            Step::Record(record) => aggregate.observe(&reader.read(record), Duration::ZERO),
            Step::Oversize => aggregate.observe_oversize(),
            Step::Partial => {}
        }
    }
    aggregate
}

/// A line with one thing wrong.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let lines = observed();
    (0..lines.len(), any::<prop::sample::Index>(), any::<u8>(), 0..4_u8).prop_map(move |(line, at, byte, damage)| {
        let mut line = lines[line].to_vec();
        let at = at.index(line.len());
        match damage {
            0 => line.truncate(at),
            1 => line[at] = byte,
            2 => line.insert(at, byte),
            _ => {
                line.remove(at);
            }
        }
        line
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_lines_are_counted(records in prop::collection::vec(damaged(), 1..8)) {
        let aggregate = observe(&records);
        prop_assert_eq!(aggregate.lines().all().iter().sum::<u64>(), records.len() as u64);
        let shown = format!("{} {:?}", serde_json::to_string(&aggregate.report()).unwrap(), aggregate.families());
        for secret in ["geheim", "p4ss", "127.0.0.1"] {
            prop_assert!(!shown.contains(secret), "{} in {}", secret, shown);
        }
    }

    #[test]
    fn arbitrary_bytes_with_the_mark_have_a_verdict(
        before in prop::collection::vec(any::<u8>(), 0..64),
        after in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let record = [before.as_slice(), br#"{"id":51803,"attr":{"ns":"#, after.as_slice()].concat();
        observe(&[record]);
    }

    #[test]
    fn values_of_any_type_in_any_field_do_no_harm(
        field in prop::sample::select(vec![
            "type", "ns", "appName", "command", "originatingCommand", "planSummary", "queryHash", "durationMillis", "workingMillis",
            "queues", "locks", "flowControl", "storage", "cpuNanos", "docsExamined", "hasSortStage", "ok",
        ]),
        value in prop::sample::select(vec![
            "null", "true", "-1", "1e400", "99999999999999999999999", "\"\"", "\"###\"", "[]", "{}", "[[[[{}]]]]",
            r#"{"$numberLong":{"$numberLong":"5"}}"#, r#"{"$date":[]}"#, r#"{"a":{"timeAcquiringMicros":{"r":"x"}}}"#, r#""\ud83d\ude00\u0000""#,
        ]),
    ) {
        let record = format!(r#"{{"id":51803,"attr":{{"ns":"a.b","{field}":{value}}}}}"#);
        let aggregate = observe(&[record.clone().into_bytes()]);
        let lines = aggregate.lines();
        prop_assert!(lines.parsed == 1 || (lines.malformed == 1 && value == "1e400"), "{} {:?}", record, lines);
    }
}
