//! What a restore did: for people, for audits and as JSON.

use std::time::Instant;

use archive::catalog::Finding;
use archive::plan::RestorePlan;
use archive::timeline::SkipReason;
use archive::{ClusterTime, LineageId, Namespace, SnapshotId};
use replset::destination::MergedAccess;
use serde::Serialize;

use super::check::Checked;
use super::survey::Window;

/// A TTL index (or, without an index, a clustered or time-series collection) that does not expire anything now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parked {
    pub namespace: Namespace,
    pub index: Option<String>,
    pub seconds: i64,
}

#[derive(Debug, Clone, Serialize)]
pub struct ReportedTarget {
    pub requested: String,
    pub resolved: ClusterTime,
    pub inclusive: bool,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Counts {
    pub collections: u64,
    /// As the destination counts them at the end.
    pub documents: u64,
    /// Plain bytes of the segments that were loaded.
    pub bytes: u64,
    pub indexes: u64,
    pub users: u64,
    pub roles: u64,
    /// Oplog entries of the window, all kinds.
    pub entries: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct SkippedEntries {
    pub reason: &'static str,
    pub op: &'static str,
    pub namespace: String,
    pub count: u64,
    pub first: ClusterTime,
}

impl SkippedEntries {
    /// Whether what was restored may lack something because of it.
    pub fn matters(&self) -> bool {
        let harmless = [
            SkipReason::Noop.name(),
            SkipReason::Internal.name(),
            SkipReason::Dropped.name(),
            SkipReason::NotCommitted.name(),
            SkipReason::DbCheck.name(),
        ];
        !harmless.contains(&self.reason)
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    pub name: &'static str,
    pub seconds: f64,
    pub bytes: u64,
    pub documents: u64,
    pub entries: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct RestoreReport {
    pub lineage: LineageId,
    pub snapshot_id: SnapshotId,
    pub target: ReportedTarget,
    pub slices: usize,
    pub bytes: u64,
    pub predicted_seconds: f64,
    /// The last oplog entry that is part of the restored state.
    pub last_applied: Option<ClusterTime>,
    pub counts: Counts,
    pub skipped: Vec<SkippedEntries>,
    pub ttl_parked: Vec<Parked>,
    pub ttl_released: bool,
    /// Users and roles of the destination that were left as they were although the source had them too.
    pub access_kept: Vec<String>,
    pub phases: Vec<Phase>,
    pub recovery_time_actual_seconds: f64,
    pub notes: Vec<String>,
    /// Why the moment may be an older one than was meant; see [`RestorePlan::findings`].
    pub findings: Vec<Finding>,
}

/// Everything that a report is made of.
pub(super) struct Facts<'a> {
    pub plan: &'a RestorePlan,
    pub window: &'a Window,
    pub phases: Vec<Phase>,
    pub checked: Checked,
    pub access: MergedAccess,
    pub parked: Vec<Parked>,
    pub released: bool,
    pub seconds: f64,
}

impl RestoreReport {
    pub(super) fn new(facts: Facts<'_>) -> Self {
        let Facts { plan, window, phases, checked, access, parked, released, seconds } = facts;
        let skipped = window.resolution.skipped.iter().map(|skipped| SkippedEntries {
            reason: skipped.reason.name(),
            op: skipped.op,
            namespace: skipped.namespace.clone(),
            count: skipped.count,
            first: skipped.first,
        });
        let loaded_bytes = window.records.iter().map(archive::collection_page::CollectionRecord::bytes).sum();
        Self {
            lineage: plan.lineage.clone(),
            snapshot_id: plan.snapshot.id.clone(),
            target: ReportedTarget {
                requested: plan.target.requested.clone(),
                resolved: plan.target.resolved,
                inclusive: plan.target.inclusive,
            },
            slices: plan.slices.len(),
            bytes: plan.bytes,
            predicted_seconds: predict_seconds(plan),
            last_applied: window.resolution.last_entry.or(Some(plan.snapshot.begin)),
            counts: Counts {
                collections: checked.collections,
                documents: checked.documents,
                bytes: loaded_bytes,
                indexes: checked.indexes,
                users: access.users.len() as u64,
                roles: access.roles.len() as u64,
                entries: window.resolution.entries,
            },
            skipped: skipped.collect(),
            ttl_parked: parked,
            ttl_released: released,
            access_kept: access.kept_users.into_iter().chain(access.kept_roles).collect(),
            phases,
            recovery_time_actual_seconds: seconds,
            notes: plan.notes.clone(),
            findings: plan.findings.clone(),
        }
    }

    /// Whether a person should look: the plan had findings, or something was skipped that may matter. Entries that cannot be
    /// part of the restored state (no-ops, the server's own, dropped collections, transactions that did not commit) do not.
    pub fn has_findings(&self) -> bool {
        !self.findings.is_empty() || self.skipped.iter().any(SkippedEntries::matters)
    }

    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let counts = &self.counts;
        let mut line = |what: &str, value: String| text.push_str(&format!("{what:<18}{value}\n"));
        let inclusive = if self.target.inclusive { "inclusive" } else { "exclusive" };
        line("target", format!("{} = {} ({inclusive})", self.target.requested, self.target.resolved));
        line("lineage", self.lineage.to_string());
        line("snapshot", self.snapshot_id.to_string());
        line("last applied", self.last_applied.map_or_else(|| "-".to_owned(), |at| at.to_string()));
        line(
            "restored",
            format!(
                "{} documents in {} collections, {} indexes, {} users, {} roles",
                counts.documents, counts.collections, counts.indexes, counts.users, counts.roles
            ),
        );
        line("oplog", format!("{} entries from {} slices", counts.entries, self.slices));
        for skipped in &self.skipped {
            line(
                "skipped",
                format!(
                    "{} {} {} ({}, first at {})",
                    skipped.count, skipped.op, skipped.namespace, skipped.reason, skipped.first
                ),
            );
        }
        for parked in &self.ttl_parked {
            let index = parked.index.as_deref().unwrap_or("(collection)");
            let state = if self.ttl_released { "released TTL" } else { "parked TTL" };
            line(state, format!("{} {index}, {} s", parked.namespace, parked.seconds));
        }
        for kept in &self.access_kept {
            line("kept", format!("{kept} (the destination's own)"));
        }
        for note in self.notes.iter().filter(|note| !self.findings.iter().any(|finding| finding.problem == **note)) {
            line("note", note.clone());
        }
        for Finding { object, problem } in &self.findings {
            line("FINDING", format!("{object}: {problem}"));
        }
        for phase in &self.phases {
            line("phase", format!("{:<16}{:>8.2} s", phase.name, phase.seconds));
        }
        line("recovery time", format!("{:.1} s actual", self.recovery_time_actual_seconds));
        text
    }
}

/// A rough forecast from what was measured on two cores: a server takes about 30 µs of one core for an insert and
/// its share of index builds, and an oplog entry costs about as much; stored slices hold some 10 entries per KiB.
#[allow(clippy::cast_precision_loss, reason = "a forecast")]
pub fn predict_seconds(plan: &RestorePlan) -> f64 {
    let slice_bytes: u64 = plan.slices.iter().map(|slice| slice.stored_bytes).sum();
    let entries = slice_bytes as f64 / 100.0;
    1.0 + plan.documents as f64 * 20e-6 + entries * 45e-6
}

/// Measures one phase after the other.
#[derive(Debug, Default)]
pub(super) struct Phases {
    done: Vec<Phase>,
    current: Option<(&'static str, Instant)>,
    measured: (u64, u64, u64),
}

impl Phases {
    pub fn begin(&mut self, name: &'static str) {
        self.end();
        self.current = Some((name, Instant::now()));
    }

    /// What the current phase moved.
    pub fn measure(&mut self, bytes: u64, documents: u64, entries: u64) {
        self.measured = (bytes, documents, entries);
    }

    fn end(&mut self) {
        let (bytes, documents, entries) = std::mem::take(&mut self.measured);
        if let Some((name, since)) = self.current.take() {
            self.done.push(Phase { name, seconds: since.elapsed().as_secs_f64(), bytes, documents, entries });
        }
    }

    pub fn finish(mut self) -> Vec<Phase> {
        self.end();
        self.done
    }
}
