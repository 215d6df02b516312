//! What `/status` answers, and what the page is made of. Fields may be added, never renamed (docs/status-json.md).
//!
//! Moments are RFC 3339, durations seconds, sizes bytes; what is not known is `null`, never a zero.

use archive::ClusterTime;
use archive::catalog::{Finding, SnapshotSummary};
use serde::Serialize;

use super::members::{MemberReport, ServerReport};
use super::problems::{Problem, StatusVerdict};
use super::{LeaseReport, Role};
use crate::archiver::LastError;
use crate::holdings::Holdings;
use crate::snapshot::ProgressReport;

#[derive(Debug, Clone, Serialize)]
pub struct StatusReport {
    pub schema: u32,
    pub version: &'static str,
    /// When this was put together.
    pub at: String,
    pub verdict: StatusVerdict,
    /// Worst first.
    pub problems: Vec<Problem>,
    pub ready: bool,
    pub not_ready_because: Option<String>,
    pub role: Role,
    /// Who archives.
    pub archiver_lease: Option<LeaseReport>,
    pub replica_set: Option<String>,
    pub lineage: Option<String>,
    /// Without secrets.
    pub archive: String,
    /// Whose oplog is read.
    pub member: Option<String>,
    pub archived_through: Option<ClusterTime>,
    pub archive_lag_seconds: Option<f64>,
    pub oplog_headroom_seconds: Option<f64>,
    /// Recorded since the start of this process.
    pub gaps: u64,
    /// What was once archived and is missing.
    pub shortfalls: Vec<String>,
    /// `None` until the archive was listed, and at a sidecar that does not archive.
    pub holdings: Option<Holdings>,
    pub verified: Option<VerifiedReport>,
    /// Whether the archive answered when it was last asked.
    pub repository_up: Option<bool>,
    pub expected: Expected,
    pub backups: Vec<BackupReport>,
    /// The published snapshot that was started last.
    pub last_snapshot: Option<SnapshotSummary>,
    pub current_snapshot: Option<ProgressReport>,
    pub next_snapshot_at: Option<String>,
    pub server: ServerReport,
    /// As the server beside this sidecar sees them.
    pub members: Vec<MemberReport>,
    pub data_volume: Option<VolumeReport>,
    pub collectors: Vec<CollectorReport>,
    pub last_error: Option<LastError>,
}

/// Collectors that look at something else than the server.
const WITHOUT_SERVER: [&str; 2] = ["archive", "volume"];

impl StatusReport {
    /// Names of collectors without news. While the server is down or refuses, which is told as such, only those that do not
    /// ask it.
    pub fn stale_collectors(&self) -> Vec<&str> {
        let answers = self.server.up != Some(false) && self.server.authorized != Some(false);
        let stale = self.collectors.iter().filter(|collector| collector.stale).map(|collector| collector.name.as_str());
        stale.filter(|name| answers || WITHOUT_SERVER.contains(name)).collect()
    }
}

/// Targets by configuration. Seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Expected {
    pub rpo_seconds: Option<f64>,
    pub rto_seconds: Option<f64>,
    pub snapshot_interval_seconds: Option<f64>,
    pub drill_interval_seconds: Option<f64>,
    pub pitr_window_seconds: Option<f64>,
}

/// What the last verification of the listing came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerifiedReport {
    pub at: String,
    /// The last time that nothing was wrong.
    pub sound_at: Option<String>,
    /// The first of `findings_total`.
    pub findings: Vec<Finding>,
    pub findings_total: u64,
}

/// One kind of backup at this sidecar.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BackupReport {
    pub kind: &'static str,
    pub running: bool,
    pub attempted_at: Option<String>,
    pub failed_at: Option<String>,
}

/// The volume with the data of the server.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct VolumeReport {
    pub free_bytes: f64,
    pub size_bytes: f64,
}

/// A part of the background collection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CollectorReport {
    pub name: String,
    /// Of its last run.
    pub succeeded: bool,
    pub last_success_at: Option<String>,
    pub interval_seconds: Option<f64>,
    /// What it found is older than it should be.
    pub stale: bool,
}
