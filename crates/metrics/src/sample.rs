//! Values of metrics at one moment.

use crate::catalogue::{Kind, Metric};

/// A histogram as Prometheus counts: each bound has the number of all observations up to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Ascending, without the infinite one.
    pub bounds: &'static [f64],
    /// One for each bound.
    pub cumulative: Vec<u64>,
    pub count: u64,
    /// In the unit of the metric.
    pub sum: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number(f64),
    Histogram(Histogram),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub metric: &'static Metric,
    /// Values of `metric.labels`, in their order.
    pub labels: Vec<String>,
    pub value: Value,
}

impl Sample {
    /// How many series Prometheus makes of it.
    pub fn series(&self) -> usize {
        match &self.value {
            Value::Number(_) => 1,
            // Every bound, the infinite one, sum and count.
            Value::Histogram(histogram) => histogram.bounds.len() + 3,
        }
    }
}

/// Samples of one collection, in no particular order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Samples(pub Vec<Sample>);

impl Samples {
    /// A value that is no number is left out, as is one whose labels are not those of the metric.
    pub fn set(&mut self, metric: &'static Metric, labels: &[&str], value: f64) {
        debug_assert_eq!(metric.labels.len(), labels.len(), "{}", metric.name);
        debug_assert_ne!(metric.kind, Kind::Histogram, "{}", metric.name);
        if value.is_finite() && metric.labels.len() == labels.len() {
            let labels = labels.iter().map(|label| (*label).to_owned()).collect();
            self.0.push(Sample { metric, labels, value: Value::Number(value) });
        }
    }

    pub fn set_known(&mut self, metric: &'static Metric, labels: &[&str], value: Option<f64>) {
        if let Some(value) = value {
            self.set(metric, labels, value);
        }
    }

    pub fn set_flag(&mut self, metric: &'static Metric, labels: &[&str], value: bool) {
        self.set(metric, labels, f64::from(u8::from(value)));
    }

    pub fn set_histogram(&mut self, metric: &'static Metric, labels: &[&str], histogram: Histogram) {
        debug_assert_eq!((metric.labels.len(), metric.kind), (labels.len(), Kind::Histogram), "{}", metric.name);
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        self.0.push(Sample { metric, labels, value: Value::Histogram(histogram) });
    }

    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of one series.
    pub fn number(&self, metric: &Metric, labels: &[&str]) -> Option<f64> {
        let found = self.0.iter().find(|sample| sample.metric.name == metric.name && sample.labels == labels)?;
        match found.value {
            Value::Number(value) => Some(value),
            Value::Histogram(_) => None,
        }
    }

    /// How many samples the metric has.
    pub fn count(&self, metric: &Metric) -> usize {
        self.0.iter().filter(|sample| sample.metric.name == metric.name).count()
    }
}

/// Metrics are doubles.
#[expect(clippy::cast_precision_loss, reason = "counters beyond 2^53 lose units, as everywhere in Prometheus")]
pub fn float(value: u64) -> f64 {
    value as f64
}
