//! What the sidecar knows about itself, put together when somebody asks: `/status`, `/readyz`, the page, the metrics.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use archive::ClusterTime;
use archive::catalog::SnapshotSummary;
use archive::manifest::SnapshotManifest;
use serde::Serialize;
use tokio::time::Instant;

use crate::archiver::{ArchiveWindow, LastError};
use crate::metrics::{Metrics, SnapshotFigures};
use crate::snapshot::{CurrentSnapshot, ProgressReport};

/// A standby that has not looked for longer would not take over.
const WATCHED: Duration = Duration::from_secs(15);

/// What this sidecar does for its replica set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Server and archive are not open, or nobody knows yet who archives.
    #[default]
    Starting,
    /// Beside an arbiter, which holds no data: only metrics are served.
    Watching,
    /// Another sidecar archives.
    Standby,
    Archiving,
}

/// The archiver lease as this sidecar sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeaseReport {
    pub epoch: u64,
    pub holder: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct StatusReport {
    pub schema: u32,
    pub version: &'static str,
    pub ready: bool,
    pub not_ready_because: Option<String>,
    pub role: Role,
    /// Who archives.
    pub archiver_lease: Option<LeaseReport>,
    pub lineage: Option<String>,
    pub archive: String,
    pub member: Option<String>,
    pub archived_through: Option<ClusterTime>,
    pub archive_lag_seconds: Option<f64>,
    pub oplog_headroom_seconds: Option<f64>,
    pub gaps: u64,
    /// What was once archived and is missing.
    pub shortfalls: Vec<String>,
    /// The published snapshot that was started last.
    pub last_snapshot: Option<SnapshotSummary>,
    pub current_snapshot: Option<ProgressReport>,
    pub next_snapshot_at: Option<String>,
    pub last_error: Option<LastError>,
}

/// Where the archive stands, for the one who archives.
#[derive(Debug, Clone, Copy)]
pub struct ArchivingPosition {
    pub archived_through: Option<ClusterTime>,
    pub lag_seconds: Option<f64>,
}

#[derive(Debug, Default)]
struct Facts {
    role: Role,
    lease: Option<LeaseReport>,
    /// When the lease of another sidecar was last looked at.
    watched_at: Option<Instant>,
    lineage: Option<String>,
    last_snapshot: Option<SnapshotSummary>,
    next_snapshot_at: Option<String>,
    last_error: Option<LastError>,
    window: Option<ArchiveWindow>,
}

/// Where the tasks leave what they know. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StatusBoard {
    facts: Arc<Mutex<Facts>>,
    pub current: CurrentSnapshot,
    pub metrics: Metrics,
    span: Duration,
    location: Arc<str>,
}

impl StatusBoard {
    /// `location`: of the archive, without secrets.
    pub fn new(metrics: Metrics, span: Duration, location: &str) -> Self {
        Self { facts: Arc::default(), current: CurrentSnapshot::default(), metrics, span, location: location.into() }
    }

    fn change(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn opened(&self, lineage: &str, window: ArchiveWindow) {
        self.change(|facts| {
            facts.lineage = Some(lineage.to_owned());
            facts.window = Some(window);
        });
    }

    /// Another sidecar archives.
    pub fn stands_by(&self, epoch: u64, holder: &str) {
        self.metrics.set_archiver_lease(epoch, false);
        self.metrics.backups.repository(true);
        self.change(|facts| {
            let lease = LeaseReport { epoch, holder: holder.to_owned() };
            if facts.role != Role::Standby || facts.lease.as_ref() != Some(&lease) {
                tracing::info!(epoch, holder, "standing by: another sidecar archives");
            }
            facts.role = Role::Standby;
            facts.lease = Some(lease);
            facts.watched_at = Some(Instant::now());
            facts.last_error = None;
        });
    }

    pub fn archives(&self, epoch: u64, holder: &str) {
        self.metrics.set_archiver_lease(epoch, true);
        self.change(|facts| {
            facts.role = Role::Archiving;
            facts.lease = Some(LeaseReport { epoch, holder: holder.to_owned() });
            facts.last_error = None;
        });
    }

    /// What only the one who archives knows is not known any more.
    pub fn steps_down(&self) {
        self.metrics.archiver_lease_held.set(0);
        self.metrics.forget_snapshot();
        self.change(|facts| {
            let lineage = facts.lineage.take();
            *facts = Facts { role: Role::Starting, lineage, ..Facts::default() };
        });
    }

    /// There is nothing to archive beside this server.
    pub fn only_watches(&self) {
        self.change(|facts| *facts = Facts { role: Role::Watching, ..Facts::default() });
    }

    pub fn snapshot_known(&self, manifest: &SnapshotManifest) {
        self.metrics.snapshot_known(&SnapshotFigures {
            end_seconds: manifest.end.seconds,
            duration_seconds: 0.0,
            documents: manifest.totals.documents,
            bytes: manifest.totals.bytes,
            stored_bytes: manifest.totals.stored_bytes,
        });
        self.change(|facts| facts.last_snapshot = Some(manifest.summary()));
    }

    pub fn next_snapshot(&self, at: Option<String>) {
        self.change(|facts| facts.next_snapshot_at = at);
    }

    pub fn error(&self, error: &crate::error::Error) {
        if matches!(error, crate::error::Error::Store(_)) {
            self.metrics.backups.repository(false);
        }
        self.change(|facts| facts.last_error = Some(LastError::now(error)));
    }

    /// `None` while another sidecar archives, or nobody knows who does.
    pub fn archiving_position(&self) -> Option<ArchivingPosition> {
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let state = facts.window.as_ref().map(ArchiveWindow::state).filter(|_| facts.role == Role::Archiving)?;
        Some(ArchivingPosition { archived_through: state.archived_through, lag_seconds: state.lag_seconds() })
    }

    pub fn not_ready_because(&self) -> Option<String> {
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        match (&facts.window, facts.role, facts.watched_at) {
            (Some(window), ..) => window.state().why_not_ready(self.span),
            (None, Role::Watching, _) => None,
            (None, Role::Standby, Some(at)) if at.elapsed() <= WATCHED => None,
            _ => Some(facts.last_error.as_ref().map_or_else(
                || "the replica set and the archive were not opened yet".to_owned(),
                |error| error.what.clone(),
            )),
        }
    }

    pub fn report(&self) -> StatusReport {
        let not_ready_because = self.not_ready_because();
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let state = facts.window.as_ref().map(ArchiveWindow::state).unwrap_or_default();
        StatusReport {
            schema: 1,
            version: env!("CARGO_PKG_VERSION"),
            ready: not_ready_because.is_none(),
            not_ready_because,
            role: facts.role,
            archiver_lease: facts.lease.clone(),
            lineage: facts.lineage.clone(),
            archive: self.location.to_string(),
            archive_lag_seconds: state.lag_seconds(),
            oplog_headroom_seconds: state.headroom_seconds(),
            member: state.member,
            archived_through: state.archived_through,
            gaps: state.gaps,
            shortfalls: state.shortfalls.iter().map(ToString::to_string).collect(),
            last_snapshot: facts.last_snapshot.clone(),
            current_snapshot: self.current.report(),
            next_snapshot_at: facts.next_snapshot_at.clone(),
            last_error: state.last_error.or_else(|| facts.last_error.clone()),
        }
    }

    /// The metrics, with what follows from the archiver's state brought up to date.
    pub fn scrape(&self) -> Vec<u8> {
        let state = {
            let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
            facts.window.as_ref().map(ArchiveWindow::state).unwrap_or_default()
        };
        self.metrics.set_archived_through(state.archived_through.map(|through| through.seconds));
        self.metrics.set_archive_lag(state.lag_seconds());
        self.metrics.set_oplog_headroom(state.headroom_seconds());
        self.metrics.set_shortfalls(&state.shortfalls);
        self.metrics.render()
    }
}
