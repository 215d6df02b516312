//! Single facts of a drill report, in the words of the report.

use archive::catalog::Catalog;
use archive::coverage::Coverage;
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

/// More is a clock that is wrong.
const MOST_DRIFT_SECONDS: i64 = 300;

/// What would be lost if the source were gone `now` (seconds since 1970): everything behind the newest moment that can be
/// restored. What is archived behind a gap is lost with it as long as no snapshot follows. `None` also when that moment lies in
/// the future: this clock is wrong, and says nothing about ages.
pub fn loss_seconds(catalog: &Catalog, coverage: &Coverage, now: i64) -> Option<u64> {
    let newest = coverage.restore_windows(&catalog.snapshots).last()?.through;
    let age = now - i64::from(newest.seconds);
    (age >= -MOST_DRIFT_SECONDS).then(|| u64::try_from(age).unwrap_or(0))
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

#[cfg(test)]
mod tests {
    use archive::catalog::{SnapshotSummary, StoredSlice};
    use archive::layout::SliceId;
    use archive::{ClusterTime, Digest};

    use super::*;

    fn at(seconds: u32) -> ClusterTime {
        ClusterTime::new(seconds, 1)
    }

    /// With one snapshot of (100, 110], and slices of these ranges.
    fn catalog(slices: &[(u32, u32)]) -> Catalog {
        let mut catalog = Catalog::new("rs0-1".parse().unwrap());
        catalog.slices.extend(slices.iter().map(|(after, through)| StoredSlice {
            id: SliceId::new(at(*after), at(*through), 1, &Digest::of(&through.to_le_bytes())),
            stored_bytes: 1_000,
            encrypted: false,
        }));
        catalog.snapshots.push(SnapshotSummary {
            id: "20260102T030405Z-7f3a".parse().unwrap(),
            begin: at(100),
            end: at(110),
            published_at: "2026-01-02T03:04:05Z".to_owned(),
            documents: 1,
            bytes: 1,
            stored_bytes: 1,
            damaged: None,
            pinned: false,
        });
        catalog
    }

    fn loss(catalog: &Catalog) -> Option<u64> {
        loss_seconds(catalog, &Coverage::of_catalog(catalog), 1_000)
    }

    #[test]
    fn what_cannot_be_restored_counts_as_lost_though_it_is_archived() {
        assert_eq!(loss(&catalog(&[(100, 500), (500, 990)])), Some(10));
        assert_eq!(loss(&catalog(&[(100, 500), (600, 990)])), Some(500), "no snapshot behind the hole");
        assert_eq!(loss(&catalog(&[])), None);
        assert_eq!(loss(&catalog(&[(100, 1_200)])), Some(0), "clocks differ a little");
        assert_eq!(loss(&catalog(&[(100, 5_000)])), None, "by a clock that is wrong nothing is known");
        let mut idle = catalog(&[]);
        idle.snapshots[0].begin = at(110);
        assert_eq!(loss(&idle), Some(890), "a snapshot alone is restorable when nothing was written meanwhile");
    }
}
