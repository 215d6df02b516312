//! `<lineage>/drills/<id>.json`: the report of a practice restore, as evidence.
//!
//! A plain value that whoever ran the drill fills in. What follows from it is decided here: the verdict with its reasons and
//! the exit code. A drill passes only when something real was compared *and* a seeded fault was caught: a check that
//! cannot fail proves nothing, so without it the drill is inconclusive. [`DrillReport::to_markdown`] is the same for people.

use serde::{Deserialize, Serialize};

use crate::json_record::{self, FORMAT, RecordError};
use crate::layout::ObjectKey;
use crate::reference::Comparison;
use crate::{ClusterTime, Digest, DrillId, LineageId, SnapshotId};

mod markdown;
mod moment;
mod verdict;

#[cfg(test)]
mod tests;

pub use moment::random_moment;
pub use verdict::{Verdict, VerdictReason};

const WHAT: &str = "drill report";
const LIMIT: usize = 64 * 1024 * 1024;

/// What was practised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrillKind {
    RestoreOnly,
    /// With a cluster made for it.
    Full,
    RegionLoss,
    Ransomware,
    KeyLoss,
    #[serde(untagged)]
    Other(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    Schedule,
    Manual,
    PostIncident,
}

/// How the moment was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelectionRule {
    Latest,
    Random,
    Oldest,
    Boundary,
    Reference,
    Given,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tools {
    pub tidemark_version: String,
    #[serde(default)]
    pub build_digest: Option<Digest>,
    #[serde(default)]
    pub config_digest: Option<Digest>,
    #[serde(default)]
    pub server_version: String,
    #[serde(default)]
    pub fcv: String,
    #[serde(default)]
    pub terraform: Option<Terraform>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Terraform {
    pub version: String,
    #[serde(default)]
    pub plan_digest: Option<Digest>,
    #[serde(default)]
    pub provider_lock_digest: Option<Digest>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryPoint {
    /// As it was typed.
    pub requested: String,
    pub rule: SelectionRule,
    pub resolved: ClusterTime,
    pub snapshot: SnapshotId,
    pub manifest_sha256: Option<Digest>,
    pub slices: u64,
    /// `None` when the restore did not get so far.
    pub last_applied: Option<ClusterTime>,
    /// Gaps and other problems of coverage that were seen, in words.
    #[serde(default)]
    pub coverage_problems: Vec<String>,
}

/// A target and what was measured; either may be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Objective {
    pub objective_seconds: Option<u64>,
    pub actual_seconds: Option<u64>,
}

impl Objective {
    /// `None` without both.
    pub fn is_met(&self) -> Option<bool> {
        Some(self.actual_seconds? <= self.objective_seconds?)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    pub name: String,
    /// RFC 3339.
    pub started_at: String,
    pub milliseconds: u64,
    #[serde(default)]
    pub bytes: u64,
    #[serde(default)]
    pub documents: u64,
    #[serde(default)]
    pub entries: u64,
    #[serde(default)]
    pub retries: u64,
    #[serde(default)]
    pub predicted_milliseconds: Option<u64>,
    /// Why it stopped before it was done.
    #[serde(default)]
    pub failure: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Passed,
    Failed,
    /// Not done; `detail` says why.
    Skipped,
}

/// Anything that was looked at: indexes, users, `validate` of a collection, isolation, object lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    pub outcome: Outcome,
    #[serde(default)]
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Integrity {
    /// Objects whose bytes were verified while they were read.
    pub objects: u64,
    pub bytes: u64,
    /// The reference that it was compared with.
    pub reference_at: Option<ClusterTime>,
    pub comparison: Option<Comparison>,
    /// `validate` of each collection, indexes, options, views, users and roles. One that failed fails the drill.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// A query that the operator gave, with the answer that he expects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryResult {
    pub name: String,
    pub outcome: Outcome,
    pub expected: String,
    pub found: String,
    pub milliseconds: u64,
    /// Whether an empty destination would give another answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expects_data: bool,
}

/// The seeded fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NegativeControl {
    /// "a bit of … was flipped".
    pub fault: String,
    pub was_detected: bool,
    /// By what it was detected, or what happened instead.
    pub detail: String,
}

/// Entries that were not applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedEntries {
    pub reason: String,
    pub op: String,
    pub namespace: String,
    pub count: u64,
    pub first: Option<ClusterTime>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CleanUp {
    pub outcome: Option<Outcome>,
    #[serde(default)]
    pub leftovers: Vec<String>,
    #[serde(default)]
    pub cost: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEvent {
    /// RFC 3339.
    pub at: String,
    pub what: String,
    #[serde(default)]
    pub exit_code: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Low,
    Medium,
    High,
}

/// Something to mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillFinding {
    pub severity: Severity,
    pub what: String,
    #[serde(default)]
    pub owner: String,
    #[serde(default)]
    pub due: String,
}

/// An earlier drill, for the trend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierDrill {
    pub id: DrillId,
    pub at: String,
    pub verdict: Verdict,
    pub recovery_time_actual_seconds: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub name: String,
    pub bytes: u64,
    pub sha256: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillReport {
    format: u32,
    pub id: DrillId,
    pub lineage: LineageId,
    pub kind: DrillKind,
    pub scenario: String,
    pub trigger: Trigger,
    pub operator: String,
    #[serde(default)]
    pub approver: String,
    /// RFC 3339. Recovery time counts from here.
    pub declared_at: String,
    pub finished_at: String,
    pub tools: Tools,
    pub recovery_point: RecoveryPoint,
    /// Loss: from the newest write to the last one that was restored.
    pub recovery_point_objective: Objective,
    pub recovery_time_objective: Objective,
    /// Of the recovery time, what people were waited for.
    #[serde(default)]
    pub human_wait_seconds: u64,
    pub phases: Vec<Phase>,
    pub integrity: Integrity,
    #[serde(default)]
    pub queries: Vec<QueryResult>,
    /// Write test, restart test.
    #[serde(default)]
    pub usability: Vec<Check>,
    pub negative_control: Option<NegativeControl>,
    #[serde(default)]
    pub skipped: Vec<SkippedEntries>,
    #[serde(default)]
    pub warnings: Vec<String>,
    /// That the copy could reach neither production nor the archive's writer.
    #[serde(default)]
    pub isolation: Vec<Check>,
    pub clean_up: CleanUp,
    /// Which key path was used, and when the escrowed one was last tried.
    #[serde(default)]
    pub keys: Vec<Check>,
    /// Lock mode, retention of the objects that were used, a deletion that was denied.
    #[serde(default)]
    pub immutability: Vec<Check>,
    /// That nothing of the lost site was needed.
    #[serde(default)]
    pub independence: Vec<Check>,
    #[serde(default)]
    pub timeline: Vec<TimelineEvent>,
    #[serde(default)]
    pub findings: Vec<DrillFinding>,
    #[serde(default)]
    pub earlier: Vec<EarlierDrill>,
    #[serde(default)]
    pub next_due: Option<String>,
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// Controls of SOC 2, ISO 27001 and others that this is evidence for.
    #[serde(default)]
    pub controls: Vec<String>,
    pub verdict: Verdict,
    pub verdict_reasons: Vec<VerdictReason>,
}

impl DrillReport {
    /// A report of which nothing is known yet but what was to be done: inconclusive.
    pub fn new(
        id: DrillId,
        lineage: LineageId,
        declared_at: impl Into<String>,
        tools: Tools,
        recovery_point: RecoveryPoint,
    ) -> Self {
        let declared_at = declared_at.into();
        let report = Self {
            format: FORMAT,
            id,
            lineage,
            kind: DrillKind::RestoreOnly,
            scenario: String::new(),
            trigger: Trigger::Manual,
            operator: String::new(),
            approver: String::new(),
            finished_at: declared_at.clone(),
            declared_at,
            tools,
            recovery_point,
            recovery_point_objective: Objective::default(),
            recovery_time_objective: Objective::default(),
            human_wait_seconds: 0,
            phases: Vec::new(),
            integrity: Integrity::default(),
            queries: Vec::new(),
            usability: Vec::new(),
            negative_control: None,
            skipped: Vec::new(),
            warnings: Vec::new(),
            isolation: Vec::new(),
            clean_up: CleanUp::default(),
            keys: Vec::new(),
            immutability: Vec::new(),
            independence: Vec::new(),
            timeline: Vec::new(),
            findings: Vec::new(),
            earlier: Vec::new(),
            next_due: None,
            evidence: Vec::new(),
            controls: Vec::new(),
            verdict: Verdict::Inconclusive,
            verdict_reasons: Vec::new(),
        };
        report.judged()
    }

    /// With the verdict that follows from what is in it. Called when the report is complete.
    #[must_use]
    pub fn judged(mut self) -> Self {
        (self.verdict, self.verdict_reasons) = verdict::judge(&self);
        self
    }

    pub fn key(&self) -> ObjectKey {
        ObjectKey::Drill { lineage: self.lineage.clone(), id: self.id.clone() }
    }

    /// Refuses a report whose verdict does not follow from it.
    pub fn to_json(&self) -> Result<Vec<u8>, RecordError> {
        self.check()?;
        if !self.is_judged() {
            return Err(RecordError::invalid(WHAT, format!("{} is not what follows from it", self.verdict)));
        }
        json_record::encode(WHAT, self)
    }

    /// Takes the verdict as it stands there: another release may have judged by other rules. See [`Self::is_judged`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        let report: Self = json_record::decode(WHAT, LIMIT, bytes)?;
        report.check()?;
        Ok(report)
    }

    /// Whether the verdict is the one that this release would give.
    pub fn is_judged(&self) -> bool {
        verdict::judge(self).0 == self.verdict
    }

    pub fn to_markdown(&self) -> String {
        markdown::render(self)
    }

    fn check(&self) -> Result<(), RecordError> {
        json_record::check_instant(WHAT, "declared_at", &self.declared_at)?;
        json_record::check_instant(WHAT, "finished_at", &self.finished_at)
    }
}
