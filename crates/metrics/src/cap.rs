//! The hard limit of series: what is beyond it is left out, counted by metric, and the same every time.

use std::collections::{BTreeMap, HashMap};

use crate::catalogue::{self, Metric, SERIES_ACTIVE, SERIES_DROPPED_TOTAL, SERIES_LIMIT};
use crate::sample::{Samples, float};

/// More than a set of 50 members with 50 databases needs.
pub const DEFAULT_LIMIT: usize = 2000;
/// Labels that can have any number of values.
const OPEN: [&str; 4] = ["coll", "db", "member", "sync_source"];

#[derive(Debug, Clone)]
pub struct SeriesCap {
    limit: usize,
    dropped: BTreeMap<&'static str, u64>,
    /// Where a metric stands in the catalogue.
    order: HashMap<&'static str, usize>,
}

impl SeriesCap {
    pub fn new(limit: usize) -> Self {
        let is_open = |metric: &&Metric| metric.labels.iter().any(|label| OPEN.contains(label));
        let dropped = catalogue::all().filter(is_open).map(|metric| (metric.name, 0)).collect();
        let order = catalogue::all().enumerate().map(|(at, metric)| (metric.name, at)).collect();
        Self { limit, dropped, order }
    }

    /// Keeps as many as the limit allows, in the order of the catalogue, and adds what says so. A series that is there twice
    /// is kept once: Prometheus refuses the whole scrape for it.
    pub fn apply(&mut self, samples: Samples) -> Samples {
        let Samples(mut samples) = samples;
        samples.sort_by(|a, b| {
            let place = |metric: &Metric| self.order.get(metric.name).copied().unwrap_or(usize::MAX);
            (place(a.metric), &a.labels).cmp(&(place(b.metric), &b.labels))
        });
        samples.dedup_by(|a, b| a.metric.name == b.metric.name && a.labels == b.labels);
        let mut active = 0;
        let mut kept = Samples::default();
        for sample in samples {
            let series = sample.series();
            if active + series <= self.limit {
                active += series;
                kept.0.push(sample);
            } else {
                *self.dropped.entry(sample.metric.name).or_default() += series as u64;
            }
        }
        kept.set(&SERIES_ACTIVE, &[], float(active as u64));
        kept.set(&SERIES_LIMIT, &[], float(self.limit as u64));
        for (metric, dropped) in &self.dropped {
            kept.set(&SERIES_DROPPED_TOTAL, &[metric], float(*dropped));
        }
        kept
    }
}

impl Default for SeriesCap {
    fn default() -> Self {
        Self::new(DEFAULT_LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{DB_DATA_BYTES, MONGOD_UP};

    fn many(count: usize) -> Samples {
        let mut samples = Samples::default();
        for number in 0..count {
            samples.set(&DB_DATA_BYTES, &[&format!("db.collection{number}")], 1.0);
        }
        samples.set(&MONGOD_UP, &[], 1.0);
        samples
    }

    #[test]
    fn five_thousand_labels_end_at_the_limit_and_are_counted() {
        let mut cap = SeriesCap::new(700);
        let kept = cap.apply(many(5000));
        assert_eq!(kept.number(&SERIES_ACTIVE, &[]), Some(700.0));
        assert_eq!(kept.number(&SERIES_DROPPED_TOTAL, &[DB_DATA_BYTES.name]), Some(4301.0));
        assert_eq!(kept.number(&MONGOD_UP, &[]), Some(1.0), "the first of the catalogue stays, wherever it came");
        assert!(kept.0.len() < 760, "{} with what says so", kept.0.len());
        let again = cap.apply(many(5000));
        assert_eq!(again.number(&SERIES_DROPPED_TOTAL, &[DB_DATA_BYTES.name]), Some(8602.0), "it counts on");
        let names = |samples: &Samples| {
            let of_db = samples.0.iter().filter(|sample| sample.metric.name == DB_DATA_BYTES.name);
            of_db.map(|sample| sample.labels.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&kept), names(&again), "always the same ones");
    }

    #[test]
    fn what_can_be_dropped_is_counted_from_the_start_and_a_series_is_there_once() {
        let mut cap = SeriesCap::default();
        let mut samples = many(3);
        samples.set(&MONGOD_UP, &[], 0.0);
        let kept = cap.apply(samples);
        assert_eq!(kept.number(&SERIES_DROPPED_TOTAL, &["tidemark_replset_member_lag_seconds"]), Some(0.0));
        assert_eq!(kept.count(&MONGOD_UP), 1);
    }
}
