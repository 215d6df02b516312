//! Reports to judge: one of an archive with which all is well, and what changes it.

use std::time::Duration;

use archive::ClusterTime;
use archive::catalog::SnapshotSummary;
use archive::coverage::{Break, RestoreWindow};
use archive::drill::Verdict;

use super::super::{find, verdict};
use crate::holdings::{Drill, Holdings};
use crate::metrics::Metrics;
use crate::status::members::{MemberReport, ServerReport};
use crate::status::report::StatusReport;
use crate::status::{CollectorReport, Expected, Role, StatusBoard, VerifiedReport, VolumeReport};

/// 2026-11-28T00:00:00Z
pub const NOW: f64 = 1_795_824_000.0;
pub const HOUR: u32 = 3_600;

pub fn at(hours_ago: u32) -> ClusterTime {
    ClusterTime::new(1_795_824_000 - hours_ago * HOUR, 1)
}

pub fn text(hours_ago: u32) -> String {
    crate::clock::text_of_seconds(at(hours_ago).seconds)
}

pub fn snapshot(hours_ago: u32) -> SnapshotSummary {
    SnapshotSummary {
        id: "20261127T180000Z-f07079".parse().unwrap(),
        begin: at(hours_ago + 1),
        end: at(hours_ago),
        published_at: text(hours_ago),
        documents: 526_299,
        bytes: 228_609_000,
        stored_bytes: 60_733_000,
        damaged: None,
        pinned: false,
    }
}

pub fn drill(hours_ago: u32, verdict: Verdict) -> Drill {
    Drill {
        id: "20261127T033000Z-0a1b2c".parse().unwrap(),
        verdict,
        reasons: Vec::new(),
        finished_at: text(hours_ago),
        restored_to: at(hours_ago + 2),
        recovery_time_seconds: Some(95),
        recovery_time_objective_seconds: None,
    }
}

pub fn member(name: &str, state: &'static str) -> MemberReport {
    MemberReport {
        name: name.to_owned(),
        state,
        healthy: Some(true),
        archived: state == "SECONDARY",
        lag_seconds: Some(0.0),
        excess_lag_seconds: Some(0.0),
        hidden: Some(false),
        votes: Some(true),
        last_heartbeat_at: None,
    }
}

pub fn gap(after: u32, through: u32) -> Break {
    Break { after: at(after), through: at(through), reason: "oplog_overrun".to_owned(), detail: String::new() }
}

/// All is well with an archive of two days.
pub fn well() -> StatusReport {
    let board = StatusBoard::new(Metrics::new().unwrap(), Duration::from_secs(5), "file:///backup/rs0");
    let mut report = board.report();
    report.at = crate::clock::text_of_float(NOW).unwrap();
    report.role = Role::Archiving;
    report.ready = true;
    report.not_ready_because = None;
    report.replica_set = Some("rs0".to_owned());
    report.lineage = Some("rs0-6b0b4ac7a5ec1f8ded39b15b".to_owned());
    report.archived_through = Some(at(0));
    report.archive_lag_seconds = Some(1.0);
    report.oplog_headroom_seconds = Some(81_234.0);
    report.repository_up = Some(true);
    report.last_snapshot = Some(snapshot(6));
    report.next_snapshot_at = Some(crate::clock::text_of_float(NOW + 3_600.0).unwrap());
    report.expected = Expected {
        rpo_seconds: Some(60.0),
        rto_seconds: Some(3_600.0),
        snapshot_interval_seconds: Some(86_400.0),
        drill_interval_seconds: Some(7.0 * 86_400.0),
        pitr_window_seconds: None,
    };
    report.holdings = Some(Holdings {
        listed_at: text(0),
        created_at: Some(text(48)),
        windows: vec![RestoreWindow { from: at(48), through: at(0) }],
        windows_total: 1,
        gaps: Vec::new(),
        gaps_total: 0,
        snapshots: vec![snapshot(6), snapshot(30)],
        snapshots_total: 2,
        drills: vec![drill(20, Verdict::Pass)],
        findings: Vec::new(),
        findings_total: 0,
        reaches_end: true,
        has_slices: true,
    });
    report.verified =
        Some(VerifiedReport { at: text(2), sound_at: Some(text(2)), findings: Vec::new(), findings_total: 0 });
    report.server = ServerReport {
        up: Some(true),
        authorized: Some(true),
        version: Some("6.0.5".to_owned()),
        has_primary: Some(true),
        majority_commit_lag_seconds: Some(0.0),
        oplog_window_seconds: Some(90_000.0),
        oplog_full_ratio: Some(0.97),
        clock_skew_seconds: Some(0.2),
    };
    report.members = vec![member("rs0-0.rs0:27017", "PRIMARY"), member("rs0-1.rs0:27017", "SECONDARY")];
    report.data_volume = Some(VolumeReport { free_bytes: 60e9, size_bytes: 100e9 });
    report.collectors = vec![CollectorReport {
        name: "server_status".to_owned(),
        succeeded: true,
        last_success_at: Some(text(0)),
        interval_seconds: Some(10.0),
        stale: false,
    }];
    concluded(report)
}

pub fn concluded(mut report: StatusReport) -> StatusReport {
    report.problems = find(&report, NOW);
    report.verdict = verdict(&report);
    report
}

pub fn changed(change: impl FnOnce(&mut StatusReport)) -> StatusReport {
    let mut report = well();
    change(&mut report);
    concluded(report)
}

pub fn holding(change: impl FnOnce(&mut Holdings)) -> StatusReport {
    changed(|report| change(report.holdings.as_mut().unwrap()))
}
