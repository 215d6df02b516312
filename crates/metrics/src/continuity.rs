//! Counters of a server that go on when its process starts again.
//!
//! A server counts from 0 after a restart. Prometheus notices a value that falls, but not one that has already overtaken
//! the old one when it looks again. So what a process had counted when it was last seen is added to what the next counts.

use std::collections::HashMap;

use bson::oid::ObjectId;

use crate::catalogue::{Kind, Metric};
use crate::sample::{Histogram, Samples, Value};

#[derive(Debug, Clone)]
struct Carried {
    process: Option<ObjectId>,
    /// Of all processes before.
    before: Value,
    /// Of this process, when last seen.
    last: Value,
}

/// Remembers the counters of one server. As many as the catalogue has, because their labels are closed.
#[derive(Debug, Clone, Default)]
pub struct Continuity {
    carried: HashMap<(&'static str, Vec<String>), Carried>,
}

impl Continuity {
    /// Turns what the process counts into what all processes have counted. Counters of `lasting` survive a restart in the
    /// server itself.
    pub fn apply(&mut self, process: Option<ObjectId>, samples: &mut Samples, lasting: &[&Metric]) {
        for sample in &mut samples.0 {
            if sample.metric.kind == Kind::Gauge {
                continue;
            }
            let is_lasting = lasting.iter().any(|metric| metric.name == sample.metric.name);
            let key = (sample.metric.name, sample.labels.clone());
            let now = sample.value.clone();
            let carried = self.carried.entry(key).or_insert_with(|| Carried {
                process,
                before: zero_like(&now),
                last: zero_like(&now),
            });
            let is_other_process = !is_lasting && carried.process != process;
            if is_other_process || falls(&carried.last, &now) {
                carried.before = sum(&carried.before, &carried.last);
            }
            carried.process = process;
            sample.value = sum(&carried.before, &now);
            carried.last = now;
        }
    }
}

fn zero_like(value: &Value) -> Value {
    match value {
        Value::Number(_) => Value::Number(0.0),
        Value::Histogram(histogram) => Value::Histogram(Histogram {
            bounds: histogram.bounds,
            cumulative: vec![0; histogram.cumulative.len()],
            count: 0,
            sum: 0.0,
        }),
    }
}

fn falls(last: &Value, now: &Value) -> bool {
    match (last, now) {
        (Value::Number(last), Value::Number(now)) => now < last,
        (Value::Histogram(last), Value::Histogram(now)) => {
            now.count < last.count
                || now.sum < last.sum
                || now.cumulative.iter().zip(&last.cumulative).any(|(now, last)| now < last)
        }
        _ => false,
    }
}

fn sum(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Value::Number(a + b),
        (Value::Histogram(a), Value::Histogram(b)) => Value::Histogram(Histogram {
            bounds: b.bounds,
            cumulative: a.cumulative.iter().zip(&b.cumulative).map(|(a, b)| a.saturating_add(*b)).collect(),
            count: a.count.saturating_add(b.count),
            sum: a.sum + b.sum,
        }),
        (_, b) => b.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalogue::{CONNECTIONS, DOCS_EXAMINED_TOTAL, REPLSET_ROLLBACKS_TOTAL};
    use crate::sample::float;

    fn process(number: u8) -> ObjectId {
        ObjectId::from_bytes([number; 12])
    }

    fn shown(
        continuity: &mut Continuity,
        process: ObjectId,
        metric: &'static Metric,
        labels: &[&str],
        value: f64,
    ) -> Option<f64> {
        let mut samples = Samples::default();
        samples.set(metric, labels, value);
        continuity.apply(Some(process), &mut samples, &[&REPLSET_ROLLBACKS_TOTAL]);
        samples.number(metric, labels)
    }

    #[test]
    fn a_restarted_server_that_has_overtaken_its_old_count_goes_on() {
        let mut continuity = Continuity::default();
        assert_eq!(shown(&mut continuity, process(1), &DOCS_EXAMINED_TOTAL, &[], 100.0), Some(100.0));
        assert_eq!(shown(&mut continuity, process(2), &DOCS_EXAMINED_TOTAL, &[], 150.0), Some(250.0));
        assert_eq!(shown(&mut continuity, process(2), &DOCS_EXAMINED_TOTAL, &[], 160.0), Some(260.0));
        assert_eq!(shown(&mut continuity, process(2), &DOCS_EXAMINED_TOTAL, &[], 5.0), Some(265.0), "it fell");
    }

    #[test]
    fn gauges_are_left_alone_and_lasting_counters_count_themselves() {
        let mut continuity = Continuity::default();
        assert_eq!(shown(&mut continuity, process(1), &CONNECTIONS, &["current"], 9.0), Some(9.0));
        assert_eq!(shown(&mut continuity, process(2), &CONNECTIONS, &["current"], 3.0), Some(3.0));
        assert_eq!(shown(&mut continuity, process(1), &REPLSET_ROLLBACKS_TOTAL, &["rs"], 2.0), Some(2.0));
        assert_eq!(shown(&mut continuity, process(2), &REPLSET_ROLLBACKS_TOTAL, &["rs"], 2.0), Some(2.0));
        assert_eq!(shown(&mut continuity, process(3), &REPLSET_ROLLBACKS_TOTAL, &["rs"], 3.0), Some(3.0));
    }

    proptest! {
        #[test]
        fn what_is_shown_never_falls_and_counts_every_step(steps in prop::collection::vec((any::<bool>(), 0_u32..50), 1..60)) {
            let (mut continuity, mut number, mut counts, mut all, mut seen) = (Continuity::default(), 1, 0_u64, 0_u64, 0.0);
            for (restarts, events) in steps {
                if restarts {
                    (number, counts) = (number + 1, 0);
                }
                counts += u64::from(events);
                all += u64::from(events);
                let value = shown(&mut continuity, process(number), &DOCS_EXAMINED_TOTAL, &[], float(counts)).unwrap();
                prop_assert!(value >= seen);
                prop_assert!((value - float(all)).abs() < 0.5, "{value} {all}");
                seen = value;
            }
        }
    }
}
