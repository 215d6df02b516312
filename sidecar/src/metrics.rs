//! What the sidecar counts itself, and everything that it serves to Prometheus. Names and helps are those of the catalogue
//! (crate `metrics`).
//!
//! Instants are absent until they are known; counters exist from the start. What follows from the state of the
//! archiver is computed when somebody scrapes; what was collected in the background is served as it last was.

use std::sync::Arc;

use archive::high_water::Shortfall;
use metrics::Metric;
use metrics::catalogue as known;
use prometheus::{Encoder as _, Gauge, IntCounter, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::backups::BackupBoard;
use crate::http::listener::Closed;
use crate::monitor::{Collected, CollectedSeries, SlowSeries};

/// Every value of the label: [`Shortfall::kind`].
const SHORTFALLS: [&str; 2] = ["slices_missing", "snapshot_missing"];

#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
pub struct Inner {
    registry: Registry,
    /// What is collected in the background.
    pub collected: Collected,
    /// Slow operations, when the profiler is read.
    pub slow: SlowSeries,
    pub backups: BackupBoard,
    pub expired: IntCounter,
    scrapes: IntCounter,
    scrape_bytes: Late,
    pub slices_published: IntCounter,
    pub slice_bytes: IntCounter,
    pub slice_entries: IntCounter,
    pub slices_yielded: IntCounter,
    pub publish_failures: IntCounter,
    pub gaps: IntCounter,
    pub snapshots_completed: IntCounter,
    pub snapshots_failed: IntCounter,
    pub snapshot_running: IntGauge,
    pub references_completed: IntCounter,
    pub references_failed: IntCounter,
    pub archiver_leases_lost: IntCounter,
    pub archiver_lease_held: IntGauge,
    archiver_lease_epoch: Late,
    shortfall: IntGaugeVec,
    pub closed_connections: Closed,
    last_snapshot: Late,
    snapshot_duration: Late,
    snapshot_bytes: Late,
    snapshot_stored_bytes: Late,
    snapshot_documents: Late,
    last_reference: Late,
    archived_through: Late,
    archive_lag: Late,
    oplog_headroom: Late,
}

/// A gauge that is not there until it has a value.
#[derive(Debug)]
struct Late {
    gauge: Gauge,
    registry: Registry,
}

impl Late {
    fn set(&self, value: f64) {
        self.gauge.set(value);
        // Fails when it is registered already, which is the usual case.
        self.registry.register(Box::new(self.gauge.clone())).ok();
    }

    fn forget(&self) {
        self.registry.unregister(Box::new(self.gauge.clone())).ok();
    }
}

impl std::ops::Deref for Metrics {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// A snapshot in numbers.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotFigures {
    pub end_seconds: u32,
    pub duration_seconds: f64,
    pub documents: u64,
    pub bytes: u64,
    pub stored_bytes: u64,
}

impl Metrics {
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let opts = |metric: &Metric| Opts::new(metric.name, metric.help);
        let counter = |metric: &Metric| {
            let counter = IntCounter::with_opts(opts(metric))?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let gauge = |metric: &Metric| {
            let gauge = IntGauge::with_opts(opts(metric))?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let late = |metric: &Metric| {
            Ok::<_, prometheus::Error>(Late { gauge: Gauge::with_opts(opts(metric))?, registry: registry.clone() })
        };
        let shortfall = IntGaugeVec::new(opts(&known::ARCHIVE_SHORTFALL), known::ARCHIVE_SHORTFALL.labels)?;
        registry.register(Box::new(shortfall.clone()))?;
        for kind in SHORTFALLS {
            shortfall.with_label_values(&[kind]).set(0);
        }
        let closed_connections = Closed::new()?;
        registry.register(Box::new(closed_connections.counters().clone()))?;
        let build = IntGauge::with_opts(opts(&known::BUILD_INFO).const_label("version", env!("CARGO_PKG_VERSION")))?;
        build.set(1);
        registry.register(Box::new(build))?;
        let collected = Collected::default();
        registry.register(Box::new(CollectedSeries::new(collected.clone(), is_own)?))?;
        let slow = SlowSeries::new()?;
        registry.register(Box::new(slow.clone()))?;
        let inner = Inner {
            collected,
            slow,
            backups: BackupBoard::default(),
            snapshot_running: gauge(&known::SNAPSHOT_RUNNING)?,
            archiver_lease_held: gauge(&known::ARCHIVER_LEASE_HELD)?,
            shortfall,
            closed_connections,
            slices_published: counter(&known::SLICES_PUBLISHED_TOTAL)?,
            slice_bytes: counter(&known::SLICE_BYTES_TOTAL)?,
            slice_entries: counter(&known::SLICE_ENTRIES_TOTAL)?,
            slices_yielded: counter(&known::SLICES_YIELDED_TOTAL)?,
            publish_failures: counter(&known::PUBLISH_FAILURES_TOTAL)?,
            gaps: counter(&known::GAPS_TOTAL)?,
            snapshots_completed: counter(&known::SNAPSHOTS_COMPLETED_TOTAL)?,
            snapshots_failed: counter(&known::SNAPSHOTS_FAILED_TOTAL)?,
            references_completed: counter(&known::REFERENCES_COMPLETED_TOTAL)?,
            references_failed: counter(&known::REFERENCES_FAILED_TOTAL)?,
            archiver_leases_lost: counter(&known::ARCHIVER_LEASES_LOST_TOTAL)?,
            expired: counter(&known::BACKUP_EXPIRED_TOTAL)?,
            scrapes: counter(&known::SCRAPES_TOTAL)?,
            archiver_lease_epoch: late(&known::ARCHIVER_LEASE_EPOCH)?,
            last_snapshot: late(&known::LAST_SNAPSHOT_TIMESTAMP_SECONDS)?,
            snapshot_duration: late(&known::SNAPSHOT_DURATION_SECONDS)?,
            snapshot_bytes: late(&known::SNAPSHOT_BYTES)?,
            snapshot_stored_bytes: late(&known::SNAPSHOT_STORED_BYTES)?,
            snapshot_documents: late(&known::SNAPSHOT_DOCUMENTS)?,
            last_reference: late(&known::LAST_REFERENCE_TIMESTAMP_SECONDS)?,
            archived_through: late(&known::ARCHIVED_THROUGH_TIMESTAMP_SECONDS)?,
            archive_lag: late(&known::ARCHIVE_LAG_SECONDS)?,
            oplog_headroom: late(&known::OPLOG_HEADROOM_SECONDS)?,
            scrape_bytes: late(&known::SCRAPE_BYTES)?,
            registry: registry.clone(),
        };
        Ok(Self(Arc::new(inner)))
    }

    pub fn snapshot_known(&self, figures: &SnapshotFigures) {
        self.last_snapshot.set(f64::from(figures.end_seconds));
        self.snapshot_documents.set(float(figures.documents));
        self.snapshot_bytes.set(float(figures.bytes));
        self.snapshot_stored_bytes.set(float(figures.stored_bytes));
        if figures.duration_seconds > 0.0 {
            self.snapshot_duration.set(figures.duration_seconds);
        }
    }

    pub fn reference_taken(&self, at_seconds: u32) {
        self.references_completed.inc();
        self.last_reference.set(f64::from(at_seconds));
    }

    pub fn set_archiver_lease(&self, epoch: u64, is_held: bool) {
        self.archiver_lease_held.set(i64::from(is_held));
        self.archiver_lease_epoch.set(float(epoch));
    }

    /// Whoever archives from now on knows the newest; an old one would raise an alarm.
    pub fn forget_snapshot(&self) {
        let figures = [&self.snapshot_documents, &self.snapshot_bytes, &self.snapshot_stored_bytes];
        for late in figures.into_iter().chain([&self.last_snapshot, &self.snapshot_duration]) {
            late.forget();
        }
    }

    pub fn set_archived_through(&self, seconds: Option<u32>) {
        set(&self.archived_through, seconds.map(f64::from));
    }

    pub fn set_archive_lag(&self, seconds: Option<f64>) {
        set(&self.archive_lag, seconds);
    }

    pub fn set_oplog_headroom(&self, seconds: Option<f64>) {
        set(&self.oplog_headroom, seconds);
    }

    pub fn set_shortfalls(&self, shortfalls: &[Shortfall]) {
        for kind in SHORTFALLS {
            let is_missing = shortfalls.iter().any(|shortfall| shortfall.kind() == kind);
            self.shortfall.with_label_values(&[kind]).set(i64::from(is_missing));
        }
    }

    /// In the text format of Prometheus.
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(event = "metrics_not_encoded", %error, "metrics not encoded");
        }
        self.scrapes.inc();
        self.scrape_bytes.set(float(text.len() as u64));
        text
    }
}

/// Whether the registry has the metric by a collector of its own, and not from the background.
fn is_own(metric: &Metric) -> bool {
    let single = [
        &known::HTTP_CONNECTIONS_CLOSED_TOTAL,
        &known::BUILD_INFO,
        &known::BACKUP_EXPIRED_TOTAL,
        &known::SCRAPES_TOTAL,
        &known::SCRAPE_BYTES,
    ];
    known::ARCHIVE.metrics.iter().chain(&single).any(|own| own.name == metric.name)
}

fn set(late: &Late, value: Option<f64>) {
    match value {
        Some(value) => late.set(value),
        None => late.forget(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "metrics are doubles")]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_shortfall_is_a_series_from_the_start() {
        let metrics = Metrics::new().unwrap();
        let shown = |kind: &str, value: i64| {
            let text = String::from_utf8(metrics.render()).unwrap();
            text.contains(&format!("tidemark_archive_shortfall{{kind=\"{kind}\"}} {value}"))
        };
        let at = archive::ClusterTime::new(1, 1);
        let slices = Shortfall::SlicesMissing { recorded_through: at, archived_through: None };
        let snapshot = Shortfall::SnapshotMissing { id: "a".parse().unwrap() };
        for shortfall in [slices, snapshot] {
            assert!(shown(shortfall.kind(), 0));
            metrics.set_shortfalls(std::slice::from_ref(&shortfall));
            assert!(shown(shortfall.kind(), 1));
            metrics.set_shortfalls(&[]);
            assert!(shown(shortfall.kind(), 0));
        }
    }

    #[test]
    fn counters_exist_from_the_start_and_instants_only_once_they_are_known() {
        let metrics = Metrics::new().unwrap();
        let text = String::from_utf8(metrics.render()).unwrap();
        assert!(text.contains("tidemark_gaps_total 0"), "{text}");
        assert!(text.contains("tidemark_build_info{version=\""), "{text}");
        assert!(!text.contains("archived_through"), "{text}");
        metrics.set_archived_through(Some(5));
        metrics.set_archived_through(Some(7));
        let text = String::from_utf8(metrics.render()).unwrap();
        assert!(text.contains("tidemark_archived_through_timestamp_seconds 7"), "{text}");
        metrics.set_archived_through(None);
        assert!(!String::from_utf8(metrics.render()).unwrap().contains("archived_through"));
        for line in text.lines().filter(|line| line.starts_with("# HELP")) {
            assert!(
                line.starts_with("# HELP tidemark_") && line.ends_with('.')
                    || line.contains("lost now")
                    || line.contains("gap"),
                "{line}"
            );
        }
    }
}
