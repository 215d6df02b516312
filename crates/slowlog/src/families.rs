//! The aggregate as Prometheus metrics, independent of any client library.
//!
//! Every series of a family has the same label names in the same order. Counters of the closed sets (where time went, how
//! much was done, what was noted) exist as soon as their namespace does; plans appear when they are first seen.

use crate::aggregate::{Aggregate, LineCounts, NamespaceFigures};
use crate::figures::{BOUNDS_MILLIS, FLAGS, Histogram, ShapeFigures, TIMES, WORK};
use crate::operation::{Namespace, OTHER, Plan};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number(f64),
    /// Pairs of upper bound in seconds and cumulative count, without the one of infinity, which is `count`.
    Histogram {
        buckets: Vec<(f64, u64)>,
        sum: f64,
        count: u64,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Values for [`Family::labels`].
    pub labels: Vec<String>,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    pub name: String,
    pub help: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    /// In the order of their labels.
    pub series: Vec<Series>,
}

const BY_OPERATION: &[&str] = &["db", "coll", "op"];
const BY_PLAN: &[&str] = &["db", "coll", "op", "plan"];
const BY_FLAG: &[&str] = &["db", "coll", "flag"];
const BY_SHAPE: &[&str] = &["shape", "db", "coll", "op"];

const TIME_HELPS: [&str; TIMES.len()] = [
    "Time at work, without waiting for locks, tickets and write concern; from 8.0 on.",
    "Time in queues for admission and tickets; from 8.0 on.",
    "Time waiting for locks.",
    "Time waiting for write concern.",
    "Time waiting for flow control.",
    "CPU time.",
    "Time reading from storage.",
    "Time waiting for other servers.",
    "Time planning.",
];

const WORK_HELPS: [&str; WORK.len()] = [
    "Documents examined by slow operations.",
    "Index keys examined by slow operations.",
    "Documents that came out of slow operations: returned by reads, written by writes.",
    "Times that slow operations yielded.",
    "Bytes of responses of slow operations.",
    "Bytes read from storage for slow operations.",
    "Write conflicts of slow operations.",
];

impl Aggregate {
    /// All families, each with a name that begins with `tidemark_`; at most [`crate::Limits::most_series`] series.
    pub fn families(&self) -> Vec<Family> {
        let mut families = self.operation_families();
        families.push(self.flag_family());
        families.extend(self.shape_families());
        families.extend(self.own_families());
        families
    }

    fn operation_families(&self) -> Vec<Family> {
        let mut duration =
            family("slow_op_duration_seconds", "Duration of slow operations.", Kind::Histogram, BY_OPERATION);
        let mut plans = family("slow_ops_total", "Slow operations by their plan.", Kind::Counter, BY_PLAN);
        let mut times: Vec<Family> = TIMES
            .iter()
            .zip(TIME_HELPS)
            .map(|(time, help)| family(&format!("slow_op_{time}_seconds_total"), help, Kind::Counter, BY_OPERATION))
            .collect();
        let mut work: Vec<Family> = WORK
            .iter()
            .zip(WORK_HELPS)
            .map(|(work, help)| family(&format!("slow_op_{work}_total"), help, Kind::Counter, BY_OPERATION))
            .collect();
        for (namespace, figures) in self.all_namespaces() {
            for (operation, figures) in figures.operations() {
                let labels = vec![namespace.db.clone(), namespace.coll.clone(), operation.label().to_owned()];
                duration.series.push(Series { labels: labels.clone(), value: histogram(&figures.duration) });
                for (family, micros) in times.iter_mut().zip(figures.times_micros) {
                    family.push(labels.clone(), number(micros) / 1e6);
                }
                for (family, amount) in work.iter_mut().zip(figures.work) {
                    family.push(labels.clone(), number(amount));
                }
                for (plan, count) in Plan::ALL.into_iter().zip(figures.plans).filter(|(_, count)| *count > 0) {
                    let mut labels = labels.clone();
                    labels.push(plan.label().to_owned());
                    plans.push(labels, number(count));
                }
            }
        }
        let mut families = vec![duration, plans];
        families.extend(times);
        families.extend(work);
        families
    }

    fn flag_family(&self) -> Family {
        let mut flags =
            family("slow_op_flags_total", "Slow operations of which this was noted.", Kind::Counter, BY_FLAG);
        for (namespace, figures) in self.all_namespaces() {
            for (index, flag) in FLAGS.iter().enumerate() {
                let counts = figures.operations().filter_map(|(_, figures)| figures.flags.get(index));
                let labels = vec![namespace.db.clone(), namespace.coll.clone(), (*flag).to_owned()];
                flags.push(labels, number(counts.sum()));
            }
        }
        flags
    }

    fn shape_families(&self) -> Vec<Family> {
        let counter = |name, help| family(name, help, Kind::Counter, BY_SHAPE);
        let mut families = [
            counter("slow_shape_ops_total", "Slow operations of a query shape."),
            counter("slow_shape_seconds_total", "Duration of the slow operations of a query shape."),
            counter("slow_shape_docs_examined_total", "Documents examined for a query shape."),
            counter("slow_shape_returned_total", "Documents that came out of a query shape."),
        ];
        let mut shapes: Vec<(Vec<String>, &ShapeFigures)> = self
            .shapes
            .tracked()
            .map(|(key, figures)| {
                let Namespace { db, coll } = key.namespace.clone();
                (vec![key.id.clone(), db, coll, key.operation.label().to_owned()], figures)
            })
            .collect();
        shapes.push((vec![OTHER.to_owned(); BY_SHAPE.len()], self.shapes.other()));
        shapes.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (labels, shape) in shapes {
            let values = [shape.count, shape.millis, shape.docs_examined, shape.returned].map(number);
            for (index, (family, value)) in families.iter_mut().zip(values).enumerate() {
                let value = if index == 1 { value / 1000.0 } else { value };
                family.push(labels.clone(), value);
            }
        }
        families.into()
    }

    /// How much of what was logged the figures above hold.
    fn own_families(&self) -> Vec<Family> {
        let mut lines = family("log_lines_total", "Log lines by what became of them.", Kind::Counter, &["result"]);
        for (result, count) in LineCounts::RESULTS.iter().zip(self.lines.all()) {
            lines.push(vec![(*result).to_owned()], number(count));
        }
        let single = |name, help, kind, value: u64| {
            let mut family = family(name, help, kind, &[]);
            family.push(Vec::new(), number(value));
            family
        };
        let tracked = self.shapes.len() as u64;
        vec![
            lines,
            single("slow_shapes_tracked", "Query shapes with series of their own.", Kind::Gauge, tracked),
            single(
                "slow_shape_evictions_total",
                "Query shapes that lost their series.",
                Kind::Counter,
                self.shapes.evictions(),
            ),
            single(
                "slow_shapes_overflow_total",
                "Slow operations counted for shape __other__.",
                Kind::Counter,
                self.shapes.overflow(),
            ),
            single(
                "slow_namespace_evictions_total",
                "Namespaces that lost their series.",
                Kind::Counter,
                self.namespaces.evictions(),
            ),
            single(
                "slow_namespaces_overflow_total",
                "Slow operations counted for namespace __other__.",
                Kind::Counter,
                self.namespaces.overflow(),
            ),
        ]
    }

    /// Sorted, with the one that all others share when it holds anything.
    pub(crate) fn all_namespaces(&self) -> Vec<(Namespace, &NamespaceFigures)> {
        let mut all: Vec<(Namespace, &NamespaceFigures)> =
            self.namespaces.tracked().map(|(namespace, figures)| (namespace.clone(), figures)).collect();
        if self.namespaces.overflow() > 0 {
            all.push((Namespace::other(), self.namespaces.other()));
        }
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }
}

impl Family {
    fn push(&mut self, labels: Vec<String>, value: f64) {
        self.series.push(Series { labels, value: Value::Number(value) });
    }
}

fn family(name: &str, help: &'static str, kind: Kind, labels: &'static [&'static str]) -> Family {
    Family { name: format!("tidemark_{name}"), help, kind, labels, series: Vec::new() }
}

fn histogram(histogram: &Histogram) -> Value {
    let mut below = 0;
    let buckets = BOUNDS_MILLIS.iter().zip(histogram.counts).map(|(bound, count)| {
        below += count;
        (number(*bound) / 1000.0, below)
    });
    let buckets = buckets.collect();
    Value::Histogram { buckets, sum: number(histogram.sum_millis) / 1000.0, count: histogram.count() }
}

/// Prometheus has no other numbers.
#[expect(clippy::cast_precision_loss, reason = "counters above 2^53 may be off by one")]
fn number(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;
    use crate::aggregate::Limits;
    use crate::line::Reader;

    fn observed() -> Aggregate {
        let mut aggregate = Aggregate::new(Limits::default());
        for line in include_str!("../tests/lines/6.0.5.log").lines() {
            aggregate.observe(&Reader::new(Some("tidemark")).read(line.as_bytes()), Duration::ZERO);
        }
        aggregate
    }

    #[test]
    fn every_series_has_its_labels_and_occurs_once() {
        let mut names = HashSet::new();
        for family in observed().families() {
            assert!(names.insert(family.name.clone()), "{} occurs twice", family.name);
            assert_eq!(family.name.ends_with("_total"), family.kind == Kind::Counter, "{}", family.name);
            let mut seen = HashSet::new();
            for series in &family.series {
                assert_eq!(series.labels.len(), family.labels.len(), "{}", family.name);
                assert!(seen.insert(series.labels.clone()), "{} {:?} occurs twice", family.name, series.labels);
            }
            assert!(!family.series.is_empty(), "{}", family.name);
        }
    }

    #[test]
    fn a_histogram_is_cumulative_and_in_seconds() {
        let mut counts = Histogram::default();
        for millis in [50, 200, 400, 1_000_000] {
            counts.add(millis);
        }
        let Value::Histogram { buckets, sum, count } = histogram(&counts) else { panic!("no histogram") };
        assert_eq!(buckets[..4], [(0.1, 1), (0.25, 2), (0.5, 3), (1.0, 3)]);
        assert_eq!((buckets.len(), sum, count), (10, 1000.65, 4));
    }

    #[test]
    fn no_value_of_a_user_is_in_a_label() {
        let shown = format!("{:?}", observed().families());
        for secret in ["geheim", "alice", "p4ss", "127.0.0.1", "shop-api", "xxxx", "yyyy"] {
            assert!(!shown.contains(secret), "{secret}");
        }
        assert!(shown.contains("COLLSCAN") && shown.contains("orders"));
    }
}
