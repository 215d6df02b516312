//! The families of all pods as one exposition, with labels for namespace and pod.
//!
//! With a `PodMonitor` these labels are those of the pods whose logs were read, not of this process: `honorLabels: true`.

use std::collections::BTreeMap;

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder as _, TextEncoder};
use slowlog::families::{Family, Kind, Series, Value};

use super::agent::{Following, PodName};

/// Of one process; what is beyond is left out and counted.
const MOST_SERIES: usize = 100_000;

pub fn render(pods: Vec<(&PodName, Vec<Family>)>, following: &Following) -> Vec<u8> {
    let mut merged: BTreeMap<String, MetricFamily> = BTreeMap::new();
    let mut left = MOST_SERIES;
    let mut dropped = 0;
    for (pod, families) in pods {
        for family in families {
            let into =
                merged.entry(family.name.clone()).or_insert_with(|| named(&family.name, family.help, family.kind));
            for series in family.series {
                let size = series_of(&series.value);
                if left < size {
                    dropped += size;
                    continue;
                }
                left -= size;
                let (namespace, pod) = pod;
                let labels = vec![label("namespace", namespace.clone()), label("pod", pod.clone())];
                into.mut_metric().push(metric(labels, family.labels, series, family.kind));
            }
        }
    }
    let mut families: Vec<MetricFamily> = own(following, dropped);
    families.extend(merged.into_values());
    // The encoder refuses a family without a metric.
    families.retain(|family| !family.get_metric().is_empty());
    let mut text = Vec::new();
    if let Err(error) = TextEncoder::new().encode(&families, &mut text) {
        tracing::error!(event = "metrics_not_encoded", %error, "metrics not encoded");
    }
    text
}

fn series_of(value: &Value) -> usize {
    match value {
        Value::Number(_) => 1,
        Value::Histogram { buckets, .. } => buckets.len() + 3,
    }
}

fn named(name: &str, help: &str, kind: Kind) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(match kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram => MetricType::HISTOGRAM,
    });
    family
}

fn label(name: &str, value: String) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.to_owned());
    label.set_value(value);
    label
}

/// Of one server, without labels that say which.
pub fn families_of_one(families: Vec<Family>) -> Vec<MetricFamily> {
    let families = families.into_iter().map(|family| {
        let mut named = named(&family.name, family.help, family.kind);
        let series = family.series.into_iter().map(|series| metric(Vec::new(), family.labels, series, family.kind));
        named.set_metric(series.collect());
        named
    });
    families.filter(|family| !family.get_metric().is_empty()).collect()
}

fn metric(mut labels: Vec<LabelPair>, names: &[&str], series: Series, kind: Kind) -> Metric {
    labels.extend(names.iter().zip(series.labels).map(|(name, value)| label(name, value)));
    let mut metric = Metric::default();
    metric.set_label(labels);
    set(&mut metric, series.value, kind);
    metric
}

fn set(metric: &mut Metric, value: Value, kind: Kind) {
    match value {
        Value::Histogram { buckets, sum, count } => {
            let buckets = buckets.into_iter().map(|(bound, below)| {
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(bound);
                bucket.set_cumulative_count(below);
                bucket
            });
            let mut histogram = Histogram::default();
            histogram.set_bucket(buckets.collect());
            histogram.set_sample_sum(sum);
            histogram.set_sample_count(count);
            metric.set_histogram(histogram);
        }
        Value::Number(number) if kind == Kind::Counter => {
            let mut counter = Counter::default();
            counter.set_value(number);
            metric.set_counter(counter);
        }
        Value::Number(number) => {
            let mut gauge = Gauge::default();
            gauge.set_value(number);
            metric.set_gauge(gauge);
        }
    }
}

/// How the following itself fares: what the numbers above may be missing.
fn own(following: &Following, dropped: usize) -> Vec<MetricFamily> {
    let Following { counters, progress, save_failures, pods, root_readable, polled_at } = *following;
    let counter = |name, help, value: u64| single(name, help, Kind::Counter, value);
    let gauge = |name, help, value: u64| single(name, help, Kind::Gauge, value);
    vec![
        counter("tidemark_log_read_bytes_total", "Bytes of logs that were read.", counters.read_bytes),
        counter("tidemark_log_lost_bytes_total", "Bytes of logs that were seen and went unread.", counters.lost_bytes),
        counter(
            "tidemark_log_loss_uncertain_total",
            "Times that lines may have been lost, without any way to know whether or how many.",
            counters.uncertain,
        ),
        counter(
            "tidemark_log_truncations_total",
            "Logs that were truncated while they were read.",
            counters.truncations,
        ),
        counter("tidemark_log_read_errors_total", "Failed reads of logs; each is tried again.", counters.read_errors),
        counter("tidemark_log_position_save_failures_total", "Positions that could not be saved.", save_failures),
        gauge("tidemark_log_lag_bytes", "Bytes of logs that were seen and not read yet.", progress.behind_bytes),
        gauge(
            "tidemark_log_root_readable",
            "1 while the folder of the logs can be listed, else 0.",
            u64::from(root_readable),
        ),
        gauge("tidemark_log_last_poll_timestamp_seconds", "When the logs were last looked through.", polled_at),
        gauge("tidemark_log_files", "Log files that are followed.", progress.families as u64),
        gauge("tidemark_log_files_not_followed", "Matching files beyond the limit.", progress.not_followed as u64),
        gauge("tidemark_log_files_unreadable", "Log files that cannot be opened.", progress.unreadable as u64),
        gauge("tidemark_agent_watched_pods", "Pods with numbers here.", pods as u64),
        gauge("tidemark_agent_series_dropped", "Series left out of this answer.", dropped as u64),
        build_info(),
    ]
}

fn single(name: &str, help: &str, kind: Kind, value: u64) -> MetricFamily {
    let mut family = named(name, help, kind);
    let mut metric = Metric::default();
    #[expect(clippy::cast_precision_loss, reason = "metrics are doubles")]
    set(&mut metric, Value::Number(value as f64), kind);
    family.mut_metric().push(metric);
    family
}

fn build_info() -> MetricFamily {
    let mut family = single("tidemark_build_info", "Always 1; the version of the sidecar is a label.", Kind::Gauge, 1);
    for metric in family.mut_metric() {
        metric.set_label(vec![label("version", env!("CARGO_PKG_VERSION").to_owned())]);
    }
    family
}
