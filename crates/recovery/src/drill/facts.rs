//! Single facts of a drill report, in the words of the report.

use archive::drill::{Check, DrillReport, EarlierDrill, Outcome, RecoveryPoint};
use archive::layout::ObjectKey;
use archive::plan::RestorePlan;
use archive::{Digest, DrillId};
use bson::rawdoc;
use jiff::Timestamp;
use rand::RngExt as _;
use replset::Destination;

use super::DrillOptions;
use crate::failure::{Failure, FailureKind, Result};

pub fn point(plan: &RestorePlan, options: &DrillOptions) -> RecoveryPoint {
    RecoveryPoint {
        requested: options.requested.clone(),
        rule: options.rule,
        resolved: plan.target.resolved,
        snapshot: plan.snapshot.id.clone(),
        manifest_sha256: None,
        slices: plan.slices.len() as u64,
        last_applied: None,
        coverage_problems: plan.findings.iter().map(|one| format!("{}: {}", one.object, one.problem)).collect(),
    }
}

/// Ids start with the time, so that names sort by age.
pub fn drill_id() -> Result<DrillId> {
    let chance: u32 = rand::rng().random();
    let id = format!("{}-{chance:08x}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ"));
    id.parse().map_err(|error: archive::ids::ParseIdError| Failure::new(FailureKind::Unexpected, error.to_string()))
}

/// Of the program that runs, so that a report names it exactly.
pub async fn own_digest() -> Option<Digest> {
    let program = std::env::current_exe().ok()?;
    tokio::task::spawn_blocking(move || std::fs::read(program).ok().map(|bytes| Digest::of(&bytes))).await.ok()?
}

/// Objects whose bytes are checked by their digests whenever they are read.
pub fn is_proven(key: &ObjectKey) -> bool {
    matches!(key, ObjectKey::Segment { .. } | ObjectKey::Slice { .. } | ObjectKey::Collections { .. })
}

pub fn skipped(skipped: &crate::restore::SkippedEntries) -> archive::drill::SkippedEntries {
    archive::drill::SkippedEntries {
        reason: skipped.reason.to_owned(),
        op: skipped.op.to_owned(),
        namespace: skipped.namespace.clone(),
        count: skipped.count,
        first: Some(skipped.first),
    }
}

pub fn earlier_drill(report: DrillReport) -> EarlierDrill {
    EarlierDrill {
        recovery_time_actual_seconds: report.recovery_time_objective.actual_seconds,
        id: report.id,
        at: report.finished_at,
        verdict: report.verdict,
    }
}

/// A database that takes no write is not back.
pub async fn try_to_write(destination: &Destination) -> Check {
    const DATABASE: &str = "tidemark_drill";
    let command = rawdoc! {
        "insert": "probe", "documents": [{ "_id": 1 }], "writeConcern": { "w": "majority" },
    };
    let written = match destination.run_raw(DATABASE, command).await {
        Ok(_) => destination.drop_database(DATABASE).await,
        Err(error) => Err(error),
    };
    let (outcome, detail) = match written {
        Ok(()) => (Outcome::Passed, "one document, acknowledged by a majority, and removed again".to_owned()),
        Err(error) => (Outcome::Failed, error.to_string()),
    };
    Check { name: "write".to_owned(), outcome, detail }
}
