//! What an export wrote: for people and as JSON.

use archive::catalog::Finding;
use archive::{ClusterTime, LineageId, SnapshotId};
use serde::Serialize;

use super::Export;
use super::definitions::Written;
use super::layout::Role;
use crate::restore::{ReportedTarget, SkippedEntries};

#[derive(Debug, Clone, Default, Serialize)]
pub struct ExportCounts {
    /// Users, roles and views have their own numbers.
    pub collections: u64,
    pub views: u64,
    /// Of the snapshot: what `oplog.bson` does to them is not counted.
    pub documents: u64,
    /// Plain bytes of these documents.
    pub bytes: u64,
    pub indexes: u64,
    pub users: u64,
    pub roles: u64,
    /// Oplog entries of the window, all kinds.
    pub entries: u64,
}

/// What `oplog.bson` holds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ExportedOplog {
    pub entries: u64,
    pub bytes: u64,
    pub first: Option<ClusterTime>,
    pub last: Option<ClusterTime>,
    #[serde(skip)]
    pub(super) findings: Vec<Finding>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ExportReport {
    pub lineage: LineageId,
    pub snapshot_id: SnapshotId,
    pub target: ReportedTarget,
    pub slices: usize,
    /// Stored bytes that were read.
    pub bytes: u64,
    pub out: String,
    /// The last oplog entry that is part of the state which a restore of the folder gives.
    pub last_applied: ClusterTime,
    pub counts: ExportCounts,
    pub oplog: ExportedOplog,
    pub skipped: Vec<SkippedEntries>,
    /// The command that restores the folder, without a destination.
    pub mongorestore: String,
    pub notes: Vec<String>,
    /// Where a restore of the folder may differ from the target, and why the target may be an older one than was meant.
    pub findings: Vec<Finding>,
}

impl ExportReport {
    pub(super) fn new(export: &Export<'_>, oplog: ExportedOplog, written: &Written) -> Self {
        let Export { plan, window, layout, folder, .. } = export;
        let data = || layout.entries().filter(|entry| entry.role == Role::Data);
        let records = || data().filter_map(|entry| entry.record);
        let counts = ExportCounts {
            collections: data().count() as u64,
            views: written.views,
            documents: records().map(archive::collection_page::CollectionRecord::documents).sum(),
            bytes: records().map(archive::collection_page::CollectionRecord::bytes).sum(),
            indexes: data().map(|entry| entry.indexes).sum(),
            users: written.users,
            roles: written.roles,
            entries: window.resolution.entries,
        };
        let findings = plan.findings.iter().chain(&layout.findings).chain(&oplog.findings).chain(&written.findings);
        let out = folder.out().display().to_string();
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
            last_applied: window.last_entry,
            counts,
            skipped: SkippedEntries::of(&window.resolution),
            mongorestore: format!(
                "mongorestore --oplogReplay --bypassDocumentValidation --dir '{}'",
                out.replace('\'', r"'\''")
            ),
            out,
            notes: plan.notes.iter().chain(&layout.notes).cloned().collect(),
            findings: findings.cloned().collect(),
            oplog,
        }
    }

    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let (counts, oplog) = (&self.counts, &self.oplog);
        let mut line = |what: &str, value: String| text.push_str(&format!("{what:<18}{value}\n"));
        let inclusive = if self.target.inclusive { "inclusive" } else { "exclusive" };
        line("target", format!("{} = {} ({inclusive})", self.target.requested, self.target.resolved));
        line("lineage", self.lineage.to_string());
        line("snapshot", self.snapshot_id.to_string());
        line("folder", self.out.clone());
        line(
            "written",
            format!(
                "{} documents in {} collections, {} indexes, {} views, {} users, {} roles",
                counts.documents, counts.collections, counts.indexes, counts.views, counts.users, counts.roles
            ),
        );
        line("oplog.bson", format!("{} entries, {} bytes, from {} slices", oplog.entries, oplog.bytes, self.slices));
        line("last applied", self.last_applied.to_string());
        for note in self.notes.iter().filter(|note| !self.findings.iter().any(|finding| finding.problem == **note)) {
            line("note", note.clone());
        }
        for Finding { object, problem } in &self.findings {
            line("FINDING", format!("{object}: {problem}"));
        }
        text.push_str(&format!("Next: {} --uri URI\n", self.mongorestore));
        text
    }
}
