//! What the sidecar knows about itself, put together when somebody asks: `/status`, `/readyz`, the page, the metrics.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use archive::ClusterTime;
use archive::catalog::SnapshotSummary;
use archive::manifest::SnapshotManifest;
use metrics::{Samples, catalogue as known};
use serde::Serialize;
use tokio::time::Instant;

use crate::archiver::{ArchiveWindow, LastError};
use crate::backups::{Backups, Events, Repository, Verified};
use crate::clock::{now_text, text_of_float};
use crate::metrics::{Metrics, SnapshotFigures};
use crate::snapshot::CurrentSnapshot;

pub mod members;
pub mod problems;
mod report;

use members::ServerReport;
use problems::{Level, StatusVerdict};
pub use report::{BackupReport, CollectorReport, Expected, StatusReport, VerifiedReport, VolumeReport};

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
    runbook_base: Option<Arc<str>>,
}

impl StatusBoard {
    /// `location`: of the archive, without secrets.
    pub fn new(metrics: Metrics, span: Duration, location: &str) -> Self {
        let (facts, current) = (Arc::default(), CurrentSnapshot::default());
        Self { facts, current, metrics, span, location: location.into(), runbook_base: None }
    }

    /// Where `docs/runbooks/` is served.
    #[must_use]
    pub fn with_runbooks_at(mut self, base: Option<&str>) -> Self {
        self.runbook_base = base.map(|base| base.trim_end_matches('/').into());
        self
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
        self.metrics.backups.change(|backups| backups.repository = Repository { reads: Some(true), writes: None });
        self.change(|facts| {
            let lease = LeaseReport { epoch, holder: holder.to_owned() };
            if facts.role != Role::Standby || facts.lease.as_ref() != Some(&lease) {
                tracing::info!(event = "standing_by", epoch, holder, "standing by: another sidecar archives");
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

    /// What only the one who archives knows is not known any more, whether those who knew it have ended by themselves or not.
    pub fn steps_down(&self) {
        self.metrics.archiver_lease_held.set(0);
        self.metrics.forget_snapshot();
        self.metrics.snapshot_running.set(0);
        self.metrics.backups.steps_down();
        self.metrics.collected.forget("archive");
        self.current.set(None);
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
            self.metrics.backups.repository_reads(false);
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

    /// From what is in memory: nobody is asked.
    pub fn report(&self) -> StatusReport {
        let (samples, backups) = (self.metrics.collected.samples(), self.metrics.backups.read());
        let now = crate::monitor::now();
        let mut report = self.facts(&samples, &backups, now);
        report.problems = problems::find(&report, now);
        if let Some(base) = &self.runbook_base {
            for problem in &mut report.problems {
                problem.runbook_url = Some(format!("{base}/{}.md", problem.runbook));
            }
        }
        report.verdict = problems::verdict(&report);
        report
    }

    /// Without conclusions.
    fn facts(&self, samples: &Samples, backups: &Backups, now: f64) -> StatusReport {
        let not_ready_because = self.not_ready_because();
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let state = facts.window.as_ref().map(ArchiveWindow::state).unwrap_or_default();
        let set = backups.site.as_ref().map(|site| site.replica_set.clone()).or_else(|| members::replica_set(samples));
        let holdings = backups.holdings.as_deref().filter(|_| facts.role == Role::Archiving).cloned();
        StatusReport {
            schema: 1,
            version: env!("CARGO_PKG_VERSION"),
            at: now_text(),
            verdict: StatusVerdict { level: Level::Unknown, headline: String::new() },
            problems: Vec::new(),
            ready: not_ready_because.is_none(),
            not_ready_because,
            role: facts.role,
            archiver_lease: facts.lease.clone(),
            replica_set: set,
            lineage: facts.lineage.clone(),
            archive: self.location.to_string(),
            archive_lag_seconds: state.lag_seconds(),
            oplog_headroom_seconds: state.headroom_seconds(),
            members: members::members(samples, state.member.as_deref()),
            member: state.member,
            archived_through: state.archived_through,
            gaps: state.gaps,
            shortfalls: state.shortfalls.iter().map(ToString::to_string).collect(),
            holdings: holdings.map(|holdings| holdings.continued(state.archived_through)),
            verified: backups.verified.as_ref().map(verified),
            repository_up: backups.repository.is_up(),
            expected: expected(samples, backups),
            backups: backups.events.iter().map(|(kind, events)| backup(kind, events)).collect(),
            last_snapshot: facts.last_snapshot.clone(),
            current_snapshot: self.current.report(),
            next_snapshot_at: facts.next_snapshot_at.clone(),
            server: ServerReport::of(samples),
            data_volume: members::data_volume(samples),
            collectors: members::collectors(samples, now),
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

fn verified(verified: &Verified) -> VerifiedReport {
    VerifiedReport {
        at: text_of_float(verified.at).unwrap_or_default(),
        sound_at: verified.sound_at.and_then(text_of_float),
        findings: verified.shown.clone(),
        findings_total: verified.findings,
    }
}

fn backup(kind: &'static str, events: &Events) -> BackupReport {
    BackupReport {
        kind,
        running: events.is_running,
        attempted_at: events.attempted.and_then(text_of_float),
        failed_at: events.failed.and_then(text_of_float),
    }
}

/// The targets as the background collection exports them, and what the schedules say.
fn expected(samples: &Samples, backups: &Backups) -> Expected {
    let site = backups.site.as_ref();
    let of_set = |metric: &metrics::Metric| samples.number(metric, &[site?.replica_set.as_str()]);
    Expected {
        rpo_seconds: samples.number(&known::RPO_TARGET_SECONDS, &[]),
        rto_seconds: of_set(&known::RTO_TARGET_SECONDS),
        snapshot_interval_seconds: site.and_then(|site| site.snapshot_interval),
        drill_interval_seconds: of_set(&known::RESTORE_DRILL_EXPECTED_INTERVAL_SECONDS),
        pitr_window_seconds: site.and_then(|site| site.pitr_window),
    }
}
