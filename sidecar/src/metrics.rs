//! Every metric of the sidecar with its name and help, in one place.
//!
//! Instants are absent until they are known; counters exist from the start. What follows from the state of the
//! archiver is computed when somebody scrapes.

use std::sync::Arc;

use archive::high_water::Shortfall;
use prometheus::{Encoder as _, Gauge, IntCounter, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

/// Every value of the label: [`Shortfall::kind`].
const SHORTFALLS: [&str; 2] = ["slices_missing", "snapshot_missing"];

#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
pub struct Inner {
    registry: Registry,
    pub slices_published: IntCounter,
    pub slice_bytes: IntCounter,
    pub slice_entries: IntCounter,
    pub slices_yielded: IntCounter,
    pub publish_failures: IntCounter,
    pub gaps: IntCounter,
    pub snapshots_completed: IntCounter,
    pub snapshots_failed: IntCounter,
    pub snapshot_running: IntGauge,
    pub archiver_leases_lost: IntCounter,
    pub archiver_lease_held: IntGauge,
    archiver_lease_epoch: Late,
    pub references_completed: IntCounter,
    pub references_failed: IntCounter,
    shortfall: IntGaugeVec,
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
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::with_opts(Opts::new(name, help))?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let late = |name: &str, help: &str| {
            Ok::<_, prometheus::Error>(Late {
                gauge: Gauge::with_opts(Opts::new(name, help))?,
                registry: registry.clone(),
            })
        };
        let running =
            IntGauge::with_opts(Opts::new("tidemark_snapshot_running", "1 while this sidecar takes a snapshot."))?;
        registry.register(Box::new(running.clone()))?;
        let lease_held = IntGauge::with_opts(Opts::new(
            "tidemark_archiver_lease_held",
            "1 while this sidecar archives, 0 while it stands by: of the sidecars of a replica set one has 1.",
        ))?;
        registry.register(Box::new(lease_held.clone()))?;
        let shortfall = IntGaugeVec::new(
            Opts::new(
                "tidemark_archive_shortfall",
                "1 while something is missing that was once archived, by its kind.",
            ),
            &["kind"],
        )?;
        registry.register(Box::new(shortfall.clone()))?;
        for kind in SHORTFALLS {
            shortfall.with_label_values(&[kind]).set(0);
        }
        let build = IntGauge::with_opts(
            Opts::new("tidemark_build_info", "Always 1; the version of the sidecar is a label.")
                .const_label("version", env!("CARGO_PKG_VERSION")),
        )?;
        build.set(1);
        registry.register(Box::new(build))?;
        let inner = Inner {
            slices_published: counter("tidemark_slices_published_total", "Oplog slices published by this sidecar.")?,
            slice_bytes: counter("tidemark_slice_bytes_total", "Bytes of published oplog slices, as stored.")?,
            slice_entries: counter("tidemark_slice_entries_total", "Oplog entries in published slices.")?,
            slices_yielded: counter(
                "tidemark_slices_yielded_total",
                "Oplog slices not published because another sidecar had archived the same history.",
            )?,
            publish_failures: counter(
                "tidemark_publish_failures_total",
                "Failed attempts to publish an oplog slice; each is tried again.",
            )?,
            gaps: counter(
                "tidemark_gaps_total",
                "Gaps recorded: oplog that was overwritten before it was archived, or that cannot be replayed.",
            )?,
            snapshots_completed: counter("tidemark_snapshots_completed_total", "Snapshots published by this sidecar.")?,
            snapshots_failed: counter("tidemark_snapshots_failed_total", "Attempts to take a snapshot that failed.")?,
            snapshot_running: running,
            archiver_leases_lost: counter(
                "tidemark_archiver_leases_lost_total",
                "How often another sidecar took over the archiver lease that this one held.",
            )?,
            archiver_lease_held: lease_held,
            archiver_lease_epoch: late(
                "tidemark_archiver_lease_epoch",
                "Newest epoch of the archiver lease that this sidecar knows; each holder has the next one.",
            )?,
            references_completed: counter(
                "tidemark_references_completed_total",
                "References (digests of collections at one cluster time) stored by this sidecar.",
            )?,
            references_failed: counter(
                "tidemark_references_failed_total",
                "Attempts to take a reference that failed.",
            )?,
            last_reference: late(
                "tidemark_last_reference_timestamp_seconds",
                "Cluster time of the newest reference that this sidecar stored.",
            )?,
            shortfall,
            last_snapshot: late(
                "tidemark_last_snapshot_timestamp_seconds",
                "Moment at which the newest complete snapshot of the lineage is consistent.",
            )?,
            snapshot_duration: late(
                "tidemark_snapshot_duration_seconds",
                "How long the last snapshot of this sidecar took.",
            )?,
            snapshot_bytes: late("tidemark_snapshot_bytes", "Plain bytes of the documents in the newest snapshot.")?,
            snapshot_stored_bytes: late(
                "tidemark_snapshot_stored_bytes",
                "Bytes of the newest snapshot's segments as stored.",
            )?,
            snapshot_documents: late("tidemark_snapshot_documents", "Documents in the newest snapshot.")?,
            archived_through: late(
                "tidemark_archived_through_timestamp_seconds",
                "Newest moment of the oplog that is in the archive.",
            )?,
            archive_lag: late(
                "tidemark_archive_lag_seconds",
                "Committed writes of so many seconds are not in the archive yet: what would be lost now.",
            )?,
            oplog_headroom: late(
                "tidemark_oplog_headroom_seconds",
                "Seconds of oplog between its oldest entry and what is archived, while that can be asked; at 0 there is a gap.",
            )?,
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

    pub fn set_archiver_lease(&self, epoch: u64, is_held: bool) {
        self.archiver_lease_held.set(i64::from(is_held));
        self.archiver_lease_epoch.set(float(epoch));
    }

    /// Whoever archives from now on knows the newest; an old one would raise an alarm.
    pub fn forget_snapshot(&self) {
        for late in [&self.last_snapshot, &self.snapshot_documents, &self.snapshot_bytes, &self.snapshot_stored_bytes] {
            late.forget();
        }
    }

    pub fn reference_taken(&self, at_seconds: u32) {
        self.references_completed.inc();
        self.last_reference.set(f64::from(at_seconds));
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
            tracing::error!(%error, "metrics not encoded");
        }
        text
    }
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
