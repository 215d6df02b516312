//! Proving that what an archive stores is what was written, from a listing alone up to every BSON element.
//!
//! Reads only, and goes on after a finding: the report names every object that is wrong. It trusts nothing that it has not
//! checked itself, so a lineage whose own record is broken is verified as well. Called by `dr-cli verify`.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use archive::LineageId;
use archive::catalog::{Catalog, Finding};
use archive::coverage::{Coverage, CoverageProblem, CoveredRange, RestoreWindow};
use archive::high_water::{HighWater, Shortfall};
use archive::layout::ObjectKey;
use archive::lineage::LineageRecord;
use serde::Serialize;
use store::ObjectStoreExt;

use crate::archive_reader::{ArchiveReader, no_lineage};
use crate::failure::{Failure, FailureKind, Result};
use crate::progress::Progress;

pub(crate) mod content;
mod findings;
mod links;
mod oplog;
mod records;
mod sample;
mod snapshot;

use content::Unproven;
use findings::Findings;
pub use sample::{Sample, Share};

/// How far verification goes; each level includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyLevel {
    /// Everything is there, with the size that was written, and no history is missing between slices.
    List,
    /// Every byte: checksums, digests, names, and that each slice continues the one before it.
    Hash,
    /// Every BSON element and the meaning of every oplog entry.
    Decode,
}

impl FromStr for VerifyLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "list" => Ok(Self::List),
            "hash" => Ok(Self::Hash),
            "decode" => Ok(Self::Decode),
            other => Err(format!("`{other}` is not a level; use list, hash or decode")),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct VerifyOptions {
    pub level: VerifyLevel,
    pub sample: Sample,
    /// Objects that are read at the same time; each holds about one decompressed block.
    pub concurrency: usize,
}

/// What was looked at: by its listing at level `list`, else by its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    pub objects: u64,
    pub bytes: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct CoveredLineage {
    pub lineage: LineageId,
    /// Moments that can be restored.
    pub windows: Vec<RestoreWindow>,
    /// Unbroken history that slices hold.
    pub oplog: Vec<CoveredRange>,
    pub gaps: Vec<CoveredRange>,
    /// Snapshots that are complete by their manifest.
    pub snapshots: u64,
}

/// What there is to check, and which part of it was.
#[derive(Debug, Clone, Serialize)]
pub struct VerifyCoverage {
    pub objects: u64,
    pub bytes: u64,
    /// Of the bytes.
    pub checked_percent: f64,
    pub sample: Option<Sample>,
    pub lineages: Vec<CoveredLineage>,
}

/// Encrypted objects that could not be looked into with the identities that were given: not known to be good.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ClosedObjects {
    pub objects: u64,
    /// As stored.
    pub bytes: u64,
    /// Whose identities open them, as the archive records it.
    pub recipients: BTreeSet<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    pub level: VerifyLevel,
    pub checked: Checked,
    pub coverage: VerifyCoverage,
    /// Ascending by object, not more than a thousand; behind them the lineages of which nothing can be restored.
    pub findings: Vec<Finding>,
    pub findings_total: u64,
    /// Whether an object is wrong or missing: without that, findings say only that nothing can be restored yet.
    #[serde(skip)]
    pub is_damaged: bool,
    /// At level `list` only what hides the names of other objects counts.
    pub needs_key: Option<ClosedObjects>,
    /// What is remarkable but not wrong: unfinished snapshots, recorded gaps, foreign objects.
    pub notes: Vec<Finding>,
}

/// What every part of the verification works with.
struct Context<'a> {
    reader: &'a ArchiveReader,
    options: VerifyOptions,
    progress: &'a dyn Progress,
    findings: Findings,
}

impl Context<'_> {
    /// Takes down how the proof of one object ended; `None` when it is not proven.
    fn account<T>(&mut self, key: &ObjectKey, stored_bytes: u64, outcome: Result<T, Unproven>) -> Result<Option<T>> {
        match outcome {
            Ok(proven) => {
                self.findings.checked(stored_bytes);
                return Ok(Some(proven));
            }
            Err(Unproven::Wrong(problem)) => {
                self.findings.checked(stored_bytes);
                self.findings.add(key.to_string(), problem);
            }
            Err(Unproven::NeedsKey(needed)) => self.findings.needs_key(stored_bytes, &needed.recipients),
            Err(Unproven::Failed(failure)) => return Err(*failure),
        }
        Ok(None)
    }
}

/// Verifies one lineage, or all there are.
pub async fn verify(
    reader: &ArchiveReader,
    lineage: Option<&LineageId>,
    options: VerifyOptions,
    progress: Arc<dyn Progress>,
) -> Result<VerifyReport> {
    let mut context = Context { reader, options, progress: &*progress, findings: Findings::default() };
    let mut lineages = Vec::new();
    for lineage in lineage_folders(&mut context, lineage).await? {
        lineages.extend(verify_lineage(&mut context, &lineage).await?);
    }
    if lineages.is_empty() {
        context.findings.nothing_restorable(no_lineage());
    }
    Ok(context.findings.report(options, lineages))
}

async fn lineage_folders(context: &mut Context<'_>, wanted: Option<&LineageId>) -> Result<Vec<LineageId>> {
    let mut found = Vec::new();
    for folder in context.reader.store().list_folders("").await? {
        match folder.parse::<LineageId>() {
            Ok(lineage) if wanted.is_none_or(|wanted| *wanted == lineage) => found.push(lineage),
            Ok(_) => {}
            Err(_) => context.findings.note(folder, "a folder that is not a lineage"),
        }
    }
    match wanted {
        Some(wanted) if found.is_empty() => {
            Err(Failure::new(FailureKind::NotFound, format!("the archive has no lineage `{wanted}`"))
                .at(context.reader.store().location())
                .because("it holds another replica set, or the name is misspelled")
                .then("dr-cli status"))
        }
        _ => Ok(found),
    }
}

/// `None` for a folder that only looks like a lineage.
async fn verify_lineage(context: &mut Context<'_>, lineage: &LineageId) -> Result<Option<CoveredLineage>> {
    // Before everything else: what is archived meanwhile must not look like a loss.
    let mark = context.reader.high_water(lineage).await;
    let is_known = lineage_record(context, lineage).await?;
    let published = snapshot::published(context, lineage).await?;
    let mut catalog = oplog::verify(context, lineage).await?;
    if !is_known && catalog.slices.is_empty() && catalog.gaps.is_empty() && matches!(mark, Ok(None)) {
        let folders = context.reader.store().list_folders(&ObjectKey::snapshots_prefix(lineage)).await?;
        if folders.is_empty() {
            context.findings.note(lineage.to_string(), "a folder that is not a lineage");
            return Ok(None);
        }
    }
    if !is_known {
        let key = ObjectKey::Lineage { lineage: lineage.clone() };
        context.findings.add(key.to_string(), "it is missing: nothing says whose history this is");
    }
    snapshot::verify_all(context, &mut catalog, &published).await?;
    records::verify(context, lineage).await?;
    match mark {
        Ok(Some(mark)) => compare(context, &catalog, &mark).await?,
        Ok(None) => {}
        Err(finding) => context.findings.add(finding.object, finding.problem),
    }
    let coverage = Coverage::of_catalog(&catalog);
    if let Some(finding) = catalog.nothing_restorable(&coverage) {
        context.findings.nothing_restorable(finding);
    }
    Ok(Some(covered(&catalog, coverage)))
}

/// Whether everything that the mark speaks of is still there.
async fn compare(context: &mut Context<'_>, catalog: &Catalog, mark: &HighWater) -> Result<()> {
    let snapshots = catalog.snapshots.iter().map(|snapshot| &snapshot.id);
    for shortfall in mark.shortfalls(&Coverage::of_catalog(catalog), snapshots) {
        let Finding { object, problem } = catalog.about(&shortfall);
        let is_there = match shortfall {
            // A manifest that cannot be used was reported already.
            Shortfall::SnapshotMissing { .. } => context.reader.store().head(&object).await?.is_some(),
            Shortfall::SlicesMissing { .. } => false,
        };
        if !is_there {
            context.findings.add(object, problem);
        }
    }
    Ok(())
}

/// Whether there is a record; one that cannot be used is a finding.
async fn lineage_record(context: &mut Context<'_>, lineage: &LineageId) -> Result<bool> {
    let key = ObjectKey::Lineage { lineage: lineage.clone() }.to_string();
    let Some(bytes) = context.reader.store().get_bytes(&key, records::RECORD_LIMIT).await? else { return Ok(false) };
    context.findings.checked(bytes.len() as u64);
    match LineageRecord::from_json(&bytes) {
        Ok(record) if record.lineage == *lineage => {}
        Ok(record) => context.findings.add(key, format!("it is the record of lineage {}", record.lineage)),
        Err(error) => context.findings.add(key, error.to_string()),
    }
    Ok(true)
}

fn covered(catalog: &Catalog, coverage: Coverage) -> CoveredLineage {
    let gaps = coverage.problems.iter().filter(|problem| !problem.is_integrity());
    CoveredLineage {
        lineage: catalog.lineage.clone(),
        windows: coverage.restore_windows(&catalog.snapshots),
        gaps: gaps.map(CoverageProblem::range).collect(),
        oplog: coverage.windows,
        snapshots: catalog.snapshots.len() as u64,
    }
}
