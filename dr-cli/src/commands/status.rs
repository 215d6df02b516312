//! `dr-cli status`: can I restore, and to when?

use archive::catalog::{Catalog, Finding, SnapshotSummary};
use archive::coverage::{Break, Coverage, CoverageProblem, RestoreWindow};
use archive::drill::Verdict;
use archive::lineage::{LineageRecord, Parent};
use archive::{ClusterTime, DrillId, LineageId};
use recovery::{ArchiveReader, Result};
use serde::Serialize;

use crate::catalog;
use crate::context::Context;
use crate::output::Report;
use crate::output::table::{bytes, count, facts};
use crate::output::time::{length, moment};

#[derive(Serialize)]
struct Status {
    archive_id: String,
    location: String,
    lineages: Vec<LineageStatus>,
    /// Lineages that cannot be shown, or that there is none.
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct LineageStatus {
    id: LineageId,
    replica_set: String,
    parent: Option<Parent>,
    /// Every moment in one of them, both ends included, can be restored.
    windows: Vec<RestoreWindow>,
    gaps: Vec<Break>,
    archived_through: Option<ClusterTime>,
    archived_through_age_seconds: Option<i64>,
    last_snapshot: Option<SnapshotSummary>,
    last_drill: Option<LastDrill>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct LastDrill {
    id: DrillId,
    verdict: Verdict,
    at: String,
}

/// The newest drill whose report can be read, and what is wrong with newer ones.
async fn last_drill(reader: &ArchiveReader, lineage: &LineageId) -> Result<(Option<LastDrill>, Vec<Finding>)> {
    let (drills, unusable) = reader.drills(lineage, 1).await?;
    let last = drills.into_iter().next();
    Ok((last.map(|report| LastDrill { id: report.id, verdict: report.verdict, at: report.finished_at }), unusable))
}

pub async fn run(context: &Context) -> Result<Report> {
    let reader = context.open().await?;
    let (records, findings) = context.lineages(&reader).await?;
    let lineages = examine(&reader, records).await?;
    let has_findings = !findings.is_empty() || lineages.iter().any(|lineage| !lineage.findings.is_empty());
    let location = reader.store().location().to_owned();
    let status = Status { archive_id: reader.id().to_owned(), location, lineages, findings };
    Ok(Report::new(&status, text(&status))?.with_findings_if(has_findings))
}

async fn examine(reader: &ArchiveReader, records: Vec<LineageRecord>) -> Result<Vec<LineageStatus>> {
    let mut lineages = Vec::new();
    for record in records {
        let catalog = catalog::inspect(reader, &record.lineage).await?;
        let (last_drill, unusable) = last_drill(reader, &record.lineage).await?;
        let mut status = lineage_status(record, &catalog, jiff::Timestamp::now().as_second());
        status.last_drill = last_drill;
        status.findings.extend(unusable);
        lineages.push(status);
    }
    Ok(lineages)
}

fn lineage_status(record: LineageRecord, catalog: &Catalog, now: i64) -> LineageStatus {
    let coverage = Coverage::of_catalog(catalog);
    let archived_through = coverage.archived_through();
    LineageStatus {
        id: record.lineage,
        replica_set: record.replica_set,
        parent: record.parent,
        windows: coverage.restore_windows(&catalog.snapshots),
        gaps: coverage.problems.iter().filter_map(CoverageProblem::as_break).collect(),
        archived_through,
        archived_through_age_seconds: archived_through.map(|at| (now - i64::from(at.seconds)).max(0)),
        last_snapshot: catalog.snapshots.last().cloned(),
        last_drill: None,
        findings: catalog.findings(&coverage),
    }
}

fn text(status: &Status) -> String {
    let mut text = format!("Archive {} at {}\n", status.archive_id, status.location);
    for finding in &status.findings {
        text.push_str(&format!("FINDING: {}: {}\n", finding.object, finding.problem));
    }
    if status.lineages.is_empty() {
        text.push_str("NOTHING CAN BE RESTORED. Next: check --archive; `sidecar run` archives and takes a snapshot\n");
    }
    for lineage in &status.lineages {
        text.push_str(&format!("\nLineage {} (replica set {})\n", lineage.id, lineage.replica_set));
        text.push_str(&facts(&lineage_facts(lineage)));
        for finding in &lineage.findings {
            text.push_str(&format!("  FINDING: {}: {}\n", finding.object, finding.problem));
        }
        text.push_str(&format!("  {}\n", answer(lineage)));
    }
    text
}

fn lineage_facts(lineage: &LineageStatus) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(parent) = &lineage.parent {
        facts.push(("born from", format!("{} restored to {}", parent.lineage, moment(parent.restored_to))));
    }
    for window in &lineage.windows {
        let seconds = i64::from(window.through.seconds) - i64::from(window.from.seconds);
        let range = format!("{} through {}, {}", moment(window.from), moment(window.through), length(seconds));
        facts.push(("restorable", range));
    }
    for gap in &lineage.gaps {
        let range = format!("after {} through {}", moment(gap.after), moment(gap.through));
        facts.push(if gap.is_archived() {
            let advice = "restore to before it, or from a later snapshot";
            ("not replayable", format!("{range}: {}; {advice}", gap.detail.escape_debug()))
        } else {
            ("lost", format!("{range}: {}", gap.reason))
        });
    }
    facts.push((
        "archived through",
        match (lineage.archived_through, lineage.archived_through_age_seconds) {
            (Some(at), Some(age)) => format!("{}, {} ago", moment(at), length(age)),
            _ => "no oplog yet".to_owned(),
        },
    ));
    facts.push((
        "last snapshot",
        match &lineage.last_snapshot {
            Some(snapshot) => format!(
                "{} at {}, {} documents, {} ({} stored)",
                snapshot.id,
                moment(snapshot.end),
                count(snapshot.documents),
                bytes(snapshot.bytes),
                bytes(snapshot.stored_bytes)
            ),
            None => "none".to_owned(),
        },
    ));
    facts.push((
        "last drill",
        match &lineage.last_drill {
            Some(drill) => format!("{} at {}: {}", drill.id, drill.at, drill.verdict),
            None => "never".to_owned(),
        },
    ));
    facts
}

/// What somebody wants to know who is called at night.
fn answer(lineage: &LineageStatus) -> String {
    match (lineage.windows.first(), lineage.windows.last()) {
        (Some(first), Some(last)) => {
            let breaks = if lineage.windows.len() > 1 { ", but for the breaks between the windows" } else { "" };
            format!(
                "You can restore any moment from {} through {}{breaks}. Next: dr-cli plan --to {}",
                moment(first.from),
                moment(last.through),
                last.through
            )
        }
        _ if lineage.last_snapshot.is_some() => {
            "NOTHING CAN BE RESTORED: no sound snapshot has the oplog that it needs. Next: dr-cli verify --level list"
                .to_owned()
        }
        _ => "NOTHING CAN BE RESTORED YET: there is no snapshot. `sidecar run` takes the first one as soon as it starts. \
              Next: sidecar snapshot"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests;
