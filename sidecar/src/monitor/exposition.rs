//! Samples as the crate `prometheus` has them, and the collector that hands the last snapshot to a scrape.

use std::collections::HashMap;

use metrics::{Kind, Metric, Samples, Value, catalogue};
use prometheus::core::{Collector, Desc};
use prometheus::proto;

use super::Collected;

/// One family for each metric, in the order of the samples.
pub fn families(samples: &Samples) -> Vec<proto::MetricFamily> {
    let mut families: Vec<proto::MetricFamily> = Vec::new();
    let mut members: Vec<Vec<proto::Metric>> = Vec::new();
    let mut places: HashMap<&'static str, usize> = HashMap::new();
    for sample in &samples.0 {
        let place = *places.entry(sample.metric.name).or_insert_with(|| {
            families.push(family(sample.metric));
            members.push(Vec::new());
            members.len() - 1
        });
        members[place].push(series(sample));
    }
    for (family, members) in families.iter_mut().zip(members) {
        family.set_metric(members);
    }
    families
}

fn family(metric: &Metric) -> proto::MetricFamily {
    let mut family = proto::MetricFamily::default();
    family.set_name(metric.name.to_owned());
    family.set_help(metric.help.to_owned());
    family.set_field_type(match metric.kind {
        Kind::Counter => proto::MetricType::COUNTER,
        Kind::Gauge => proto::MetricType::GAUGE,
        Kind::Histogram => proto::MetricType::HISTOGRAM,
    });
    family
}

fn series(sample: &metrics::Sample) -> proto::Metric {
    let mut series = proto::Metric::default();
    let labels = sample.metric.labels.iter().zip(&sample.labels).map(|(name, value)| {
        let mut label = proto::LabelPair::default();
        label.set_name((*name).to_owned());
        label.set_value(value.clone());
        label
    });
    series.set_label(labels.collect());
    match (&sample.value, sample.metric.kind) {
        (Value::Number(value), Kind::Counter) => {
            let mut counter = proto::Counter::default();
            counter.set_value(*value);
            series.set_counter(counter);
        }
        (Value::Number(value), _) => {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(*value);
            series.set_gauge(gauge);
        }
        (Value::Histogram(value), _) => {
            let mut histogram = proto::Histogram::default();
            histogram.set_sample_count(value.count);
            histogram.set_sample_sum(value.sum);
            let buckets = value.bounds.iter().zip(&value.cumulative).map(|(bound, count)| {
                let mut bucket = proto::Bucket::default();
                bucket.set_upper_bound(*bound);
                bucket.set_cumulative_count(*count);
                bucket
            });
            histogram.set_bucket(buckets.collect());
            series.set_histogram(histogram);
        }
    }
    series
}

/// What loops have collected, for the registry.
#[derive(Debug)]
pub struct CollectedSeries {
    collected: Collected,
    descriptions: Vec<Desc>,
}

impl CollectedSeries {
    /// `except`: metrics that the registry has by other collectors.
    pub fn new(collected: Collected, except: impl Fn(&Metric) -> bool) -> prometheus::Result<Self> {
        let described = catalogue::all().filter(|metric| !except(metric)).map(|metric| {
            let labels = metric.labels.iter().map(|label| (*label).to_owned()).collect();
            Desc::new(metric.name.to_owned(), metric.help.to_owned(), labels, HashMap::new())
        });
        Ok(Self { collected, descriptions: described.collect::<prometheus::Result<_>>()? })
    }
}

impl Collector for CollectedSeries {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        self.collected.families().as_ref().clone()
    }
}
