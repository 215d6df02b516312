//! All slow queries of one server, counted in bounded space.
//!
//! However many databases, collections, shapes and users there are, an aggregate has at most [`Limits::most_series`]
//! series and takes at most [`Limits::most_bytes`] bytes; what found no place is in `__other__` and is counted as such.

use std::time::Duration;

use crate::entry::SlowQuery;
use crate::figures::{BOUNDS_MILLIS, FLAGS, OperationFigures, ShapeFigures, TIMES, WORK};
use crate::line::Verdict;
use crate::operation::{Namespace, Operation, Plan, classify};
use crate::redact::LONGEST_SHAPE;
use crate::shape::{ShapeKey, identify};
use crate::top::{Rules, Top};

const ADMISSION_EVERY: Duration = Duration::from_mins(5);
const MIN_RESIDENCY: Duration = Duration::from_hours(1);
const IDLE_EXPIRY: Duration = Duration::from_hours(1);
/// Names of a namespace and the hash of a shape.
const KEY_BYTES: usize = 255 + 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub namespaces: usize,
    pub shapes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { namespaces: 50, shapes: 100 }
    }
}

impl Limits {
    /// Series of [`crate::families`] at most, those of `__other__` included.
    pub fn most_series(&self) -> usize {
        let histogram = BOUNDS_MILLIS.len() + 1 + 2;
        let operation = histogram + TIMES.len() + WORK.len() + Plan::ALL.len();
        let namespaces = (self.namespaces + 1) * (Operation::ALL.len() * operation + FLAGS.len());
        namespaces + (self.shapes + 1) * 4 + LineCounts::RESULTS.len() + 5
    }

    /// Bytes of heap at most.
    pub fn most_bytes(&self) -> usize {
        let figures = Operation::ALL.len() * size_of::<OperationFigures>();
        let tables = Top::<Namespace, NamespaceFigures>::table_bytes(self.namespaces)
            + Top::<ShapeKey, ShapeFigures>::table_bytes(self.shapes);
        let keys = Top::<Namespace, NamespaceFigures>::most_keys(self.namespaces)
            + Top::<ShapeKey, ShapeFigures>::most_keys(self.shapes);
        // A text that grows byte by byte has up to twice the room it needs.
        tables + keys * KEY_BYTES + (self.namespaces + 1) * figures + self.shapes * 2 * (LONGEST_SHAPE + 512)
    }
}

/// Figures of the operations that occurred, in the order of [`Operation::ALL`].
#[derive(Debug, Clone, Default)]
pub struct NamespaceFigures([Option<Box<OperationFigures>>; Operation::ALL.len()]);

impl NamespaceFigures {
    fn of(&mut self, operation: Operation) -> Option<&mut OperationFigures> {
        let index = Operation::ALL.iter().position(|each| *each == operation)?;
        Some(self.0.get_mut(index)?.get_or_insert_default())
    }

    pub fn operations(&self) -> impl Iterator<Item = (Operation, &OperationFigures)> {
        Operation::ALL
            .into_iter()
            .zip(&self.0)
            .filter_map(|(operation, figures)| Some((operation, figures.as_deref()?)))
    }
}

/// What became of every line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct LineCounts {
    pub skipped: u64,
    pub parsed: u64,
    /// Counted like the parsed ones; the server left something out of them.
    pub truncated: u64,
    pub own: u64,
    pub malformed: u64,
    pub not_utf8: u64,
    /// Too long to be held.
    pub oversize: u64,
}

impl LineCounts {
    pub const RESULTS: [&str; 7] = ["skipped", "parsed", "truncated", "own", "malformed", "not_utf8", "oversize"];

    /// In the order of [`Self::RESULTS`].
    pub fn all(&self) -> [u64; 7] {
        [self.skipped, self.parsed, self.truncated, self.own, self.malformed, self.not_utf8, self.oversize]
    }
}

#[derive(Debug)]
pub struct Aggregate {
    limits: Limits,
    pub(crate) lines: LineCounts,
    pub(crate) namespaces: Top<Namespace, NamespaceFigures>,
    pub(crate) shapes: Top<ShapeKey, ShapeFigures>,
}

impl Aggregate {
    pub fn new(limits: Limits) -> Self {
        let rules = |capacity, idle_expiry| Rules {
            capacity,
            admission_every: ADMISSION_EVERY,
            min_residency: MIN_RESIDENCY,
            idle_expiry,
        };
        Self {
            limits,
            lines: LineCounts::default(),
            // A collection with a few slow queries a day keeps its series: one that comes anew hides its first event.
            namespaces: Top::new(rules(limits.namespaces, None)),
            shapes: Top::new(rules(limits.shapes, Some(IDLE_EXPIRY))),
        }
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    pub fn lines(&self) -> LineCounts {
        self.lines
    }

    /// Counts a record; `now` is the time since any fixed moment.
    pub fn observe(&mut self, verdict: &Verdict<'_>, now: Duration) {
        match verdict {
            Verdict::Skipped => self.lines.skipped += 1,
            Verdict::Parsed(query) => {
                self.lines.parsed += 1;
                self.add(query, now);
            }
            Verdict::Truncated(query) => {
                self.lines.truncated += 1;
                self.add(query, now);
            }
            Verdict::Own => self.lines.own += 1,
            Verdict::Malformed => self.lines.malformed += 1,
            Verdict::NotUtf8 => self.lines.not_utf8 += 1,
        }
    }

    /// Counts a record that was too long to be held.
    pub fn observe_oversize(&mut self) {
        self.lines.oversize += 1;
    }

    /// Lets idle shapes go, also when nothing is logged any more.
    pub fn advance(&mut self, now: Duration) {
        self.namespaces.advance(now);
        self.shapes.advance(now);
    }

    fn add(&mut self, query: &SlowQuery<'_>, now: Duration) {
        let plan = query.plan_summary.as_deref().map_or(Plan::None, Plan::of);
        // What took no measurable time weighs something, too.
        let weight = query.duration_millis.saturating_add(1);
        let (namespace, operation) = classify(query);
        let Some(namespace) = namespace else {
            if let Some(figures) = self.namespaces.other_mut().of(operation) {
                figures.add(query, plan);
            }
            return self.shapes.other_mut().add(query, plan, None);
        };
        let (figures, _) = self.namespaces.place(&namespace, weight, now);
        if let Some(figures) = figures.of(operation) {
            figures.add(query, plan);
        }
        let (key, origin) = identify(query, &namespace, operation);
        let (shape, own) = self.shapes.place(&key, weight, now);
        shape.add(query, plan, own.then_some(origin));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Reader;
    use crate::shape::Origin;

    #[test]
    fn observed_lines_count_for_their_namespace_operation_and_plan() {
        let mut aggregate = Aggregate::new(Limits::default());
        let reader = Reader::new(Some("tidemark"));
        for line in include_str!("../tests/lines/6.0.5.log").lines() {
            aggregate.observe(&reader.read(line.as_bytes()), Duration::ZERO);
        }
        let orders = Namespace { db: "shop".to_owned(), coll: "orders".to_owned() };
        let (_, figures) = aggregate.namespaces.tracked().find(|(key, _)| **key == orders).unwrap();
        let find = figures.operations().find(|(operation, _)| *operation == Operation::Find).unwrap().1;
        assert!(find.plans[0] > 0 && find.plans[1] > 0 && find.plans[2] > 0, "{:?}", find.plans);
        assert!(find.work[0] >= 3000);
        let seen: Vec<Operation> = figures.operations().map(|(operation, _)| operation).collect();
        assert_eq!(seen, Operation::ALL, "the fixture has a line of every operation");
        assert_eq!(aggregate.lines.malformed, 0);
        assert!(aggregate.lines.own > 0 && aggregate.lines.truncated == 1 && aggregate.lines.parsed > 30);
    }

    #[test]
    fn a_line_without_a_usable_namespace_counts_for_the_others() {
        let mut aggregate = Aggregate::new(Limits::default());
        let record = br#"{"id":51803,"attr":{"type":"command","durationMillis":7}}"#;
        aggregate.observe(&Reader::new(None).read(record), Duration::ZERO);
        assert_eq!(aggregate.namespaces.len(), 0);
        assert_eq!(aggregate.shapes.other().millis, 7);
        assert_eq!(aggregate.namespaces.other().operations().count(), 1);
    }

    /// Lines that were written after the documentation of these versions; not observed.
    #[test]
    fn documented_lines_of_other_versions_count_the_same_way() {
        let reader = Reader::new(Some("tidemark"));
        let mut aggregate = Aggregate::new(Limits::default());
        let documented =
            [include_str!("../tests/lines/4.4-documented.log"), include_str!("../tests/lines/8.0-documented.log")];
        for line in documented.into_iter().flat_map(str::lines) {
            aggregate.observe(&reader.read(line.as_bytes()), Duration::ZERO);
        }
        assert_eq!(aggregate.lines.parsed, 4);
        let mut seen: Vec<(String, Operation, Plan, Option<Origin>)> = aggregate
            .shapes
            .tracked()
            .map(|(key, figures)| {
                let plan = Plan::ALL.into_iter().zip(figures.plans).find(|(_, count)| *count > 0).unwrap().0;
                (key.namespace.to_string(), key.operation, plan, figures.origin)
            })
            .collect();
        seen.sort();
        let expected = [
            ("admin.$cmd", Operation::WriteCommand, Plan::None, Origin::Fingerprint),
            ("shop.orders", Operation::Find, Plan::Collscan, Origin::QueryShapeHash),
            ("shop.orders", Operation::Update, Plan::Ixscan, Origin::PlanCacheShapeHash),
            ("stocks.trades", Operation::Aggregate, Plan::Collscan, Origin::Fingerprint),
        ];
        assert_eq!(
            seen,
            expected.map(|(name, operation, plan, origin)| (name.to_owned(), operation, plan, Some(origin)))
        );
    }
}
