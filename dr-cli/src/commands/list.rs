//! `dr-cli list`: the snapshots, oldest first.

use archive::catalog::{Finding, SnapshotSummary};
use archive::{ClusterTime, LineageId, SnapshotId};
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
    id: SnapshotId,
    lineage: LineageId,
    begin: ClusterTime,
    end: ClusterTime,
    published_at: String,
    documents: u64,
    bytes: u64,
    stored_bytes: u64,
    pinned: bool,
    /// Why it cannot be restored from.
    damaged: Option<String>,
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
    Listed {
        damaged: snapshot.defect(),
        id: snapshot.id,
        lineage: lineage.clone(),
        begin: snapshot.begin,
        end: snapshot.end,
        published_at: snapshot.published_at,
        documents: snapshot.documents,
        bytes: snapshot.bytes,
        stored_bytes: snapshot.stored_bytes,
        pinned: snapshot.pinned,
    }
}

fn text(list: &List) -> String {
    let rows = list.snapshots.iter().map(|snapshot| {
        [
            snapshot.id.to_string(),
            snapshot.lineage.to_string(),
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
