//! `dr-cli list`: the snapshots, oldest first.

use archive::LineageId;
use archive::catalog::{Finding, SnapshotSummary};
use recovery::Result;
use serde::Serialize;

use crate::catalog;
use crate::context::Context;
use crate::output::Report;
use crate::output::table::{bytes, count, table};
use crate::output::time::moment;

#[derive(Serialize)]
struct List {
    snapshots: Vec<Listed>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Listed {
    lineage: LineageId,
    #[serde(flatten)]
    snapshot: SnapshotSummary,
}

pub async fn run(context: &Context) -> Result<Report> {
    let reader = context.open().await?;
    let (records, findings) = context.lineages(&reader).await?;
    let mut list = List { snapshots: Vec::new(), findings };
    for record in records {
        let catalog = catalog::inspect(&reader, &record.lineage).await?;
        // Contradictions between slices are no matter of a list of snapshots.
        list.findings.extend(catalog.snapshot_findings());
        list.snapshots.extend(catalog.snapshots.into_iter().map(|snapshot| listed(&record.lineage, snapshot)));
    }
    let has_findings = !list.findings.is_empty();
    let text = text(&list);
    Ok(Report::new(&list, text)?.with_findings_if(has_findings))
}

fn listed(lineage: &LineageId, snapshot: SnapshotSummary) -> Listed {
    let damaged = snapshot.defect();
    Listed { lineage: lineage.clone(), snapshot: SnapshotSummary { damaged, ..snapshot } }
}

fn text(list: &List) -> String {
    let rows = list.snapshots.iter().map(|Listed { lineage, snapshot }| {
        [
            snapshot.id.to_string(),
            lineage.to_string(),
            moment(snapshot.end),
            count(snapshot.documents),
            bytes(snapshot.bytes),
            bytes(snapshot.stored_bytes),
            match (&snapshot.damaged, snapshot.pinned) {
                (Some(_), _) => "DAMAGED".to_owned(),
                (None, true) => "pinned".to_owned(),
                (None, false) => String::new(),
            },
        ]
    });
    let mut text = if list.snapshots.is_empty() {
        "There is no snapshot. Next: sidecar snapshot\n".to_owned()
    } else {
        table(["SNAPSHOT", "LINEAGE", "CONSISTENT AT", "DOCUMENTS", "PLAIN", "STORED", ""], rows, &[3, 4, 5]) + "\n"
    };
    for finding in &list.findings {
        text.push_str(&format!("FINDING: {}: {}\n", finding.object, finding.problem));
    }
    text
}
