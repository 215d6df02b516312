//! `dr-cli show ID`: one snapshot and its collections.

use archive::catalog::{Catalog, Finding, SnapshotSummary};
use archive::collection_page::{CollectionRecord, ScanOutcome};
use archive::layout::ObjectKey;
use archive::manifest::SnapshotManifest;
use archive::{ClusterTime, CollectionUuid, LineageId, Namespace, SnapshotId};
use recovery::{Failure, FailureKind, Result};
use serde::Serialize;

use crate::args::ShowArgs;
use crate::catalog;
use crate::context::Context;
use crate::output::Report;
use crate::output::table::{bytes, count, facts, table};
use crate::output::time::moment;

#[derive(Serialize)]
struct Shown {
    snapshot: ShownSnapshot,
    collections: Vec<ShownCollection>,
    /// Newer snapshots that cannot be shown, when the latest one was asked for.
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct ShownSnapshot {
    id: SnapshotId,
    lineage: LineageId,
    begin: ClusterTime,
    end: ClusterTime,
    started_at: String,
    published_at: String,
    documents: u64,
    bytes: u64,
    stored_bytes: u64,
    segments: u64,
    collections: u64,
    dropped_collections: u64,
    server_version: String,
    fcv: String,
    member: String,
    pinned: bool,
    damaged: Option<String>,
}

#[derive(Serialize)]
struct ShownCollection {
    namespace: Namespace,
    uuid: CollectionUuid,
    documents: u64,
    bytes: u64,
    stored_bytes: u64,
    segments: usize,
    indexes: usize,
    /// It was dropped while the snapshot was taken.
    dropped: bool,
}

pub async fn run(context: &Context, args: &ShowArgs) -> Result<Report> {
    let reader = context.open().await?;
    let lineage = context.lineage(&reader).await?.lineage;
    let catalog = reader.catalog(&lineage).await?;
    let is_latest = args.snapshot == "latest";
    let id = if is_latest { latest(&catalog)? } else { snapshot_id(&args.snapshot)? };
    let findings = if is_latest { newer_than(&id, &catalog) } else { Vec::new() };
    let manifest = reader.manifest(&lineage, &id).await?;
    let mut collections: Vec<_> = reader.all_collections(&manifest).await?.iter().map(shown_collection).collect();
    collections.sort_by(|a, b| a.namespace.cmp(&b.namespace));
    let examined = catalog::examine(&reader, catalog.with_only(&id)).await?;
    let examined = examined.snapshots.first();
    let damaged = examined.and_then(SnapshotSummary::defect);
    let pinned = examined.is_some_and(|snapshot| snapshot.pinned);
    let shown = Shown { snapshot: shown_snapshot(manifest, damaged, pinned), collections, findings };
    let has_findings = shown.snapshot.damaged.is_some() || !shown.findings.is_empty();
    Ok(Report::new(&shown, text(&shown))?.with_findings_if(has_findings))
}

/// The one that is consistent at the latest moment.
fn latest(catalog: &Catalog) -> Result<SnapshotId> {
    let latest = catalog.snapshots.iter().max_by_key(|snapshot| (snapshot.end, &snapshot.id));
    latest.map(|snapshot| snapshot.id.clone()).ok_or_else(|| {
        Failure::new(FailureKind::NotFound, "there is no snapshot")
            .at(format!("lineage {}", catalog.lineage))
            .because("none was published yet, or all have expired")
            .then("sidecar snapshot")
    })
}

/// What is wrong with snapshots that were started after this one: the latest one may be among them.
fn newer_than(id: &SnapshotId, catalog: &Catalog) -> Vec<Finding> {
    let is_newer = |finding: &Finding| match finding.object.parse() {
        Ok(ObjectKey::Manifest { snapshot, .. }) => snapshot > *id,
        _ => false,
    };
    catalog.snapshot_findings().into_iter().filter(is_newer).collect()
}

fn snapshot_id(text: &str) -> Result<SnapshotId> {
    text.strip_prefix("snapshot:").unwrap_or(text).parse().map_err(|error: archive::ids::ParseIdError| {
        Failure::new(FailureKind::Usage, error.to_string())
            .at("the command line")
            .because("an id is letters, digits, `-`, `_` and `.`")
            .then("dr-cli list")
    })
}

fn shown_snapshot(manifest: SnapshotManifest, damaged: Option<String>, pinned: bool) -> ShownSnapshot {
    ShownSnapshot {
        id: manifest.snapshot,
        lineage: manifest.lineage,
        begin: manifest.begin,
        end: manifest.end,
        started_at: manifest.started_at,
        published_at: manifest.published_at,
        documents: manifest.totals.documents,
        bytes: manifest.totals.bytes,
        stored_bytes: manifest.totals.stored_bytes,
        segments: manifest.totals.segments,
        collections: manifest.totals.collections,
        dropped_collections: manifest.dropped_collections,
        server_version: manifest.server_version,
        fcv: manifest.fcv,
        member: manifest.member,
        pinned,
        damaged,
    }
}

fn shown_collection(record: &CollectionRecord) -> ShownCollection {
    ShownCollection {
        namespace: record.namespace.clone(),
        uuid: record.uuid,
        documents: record.documents(),
        bytes: record.bytes(),
        stored_bytes: record.stored_bytes(),
        segments: record.segments.len(),
        indexes: record.indexes.len(),
        dropped: record.scan.outcome == ScanOutcome::Dropped,
    }
}

fn text(shown: &Shown) -> String {
    let snapshot = &shown.snapshot;
    let mut list = vec![
        ("lineage", snapshot.lineage.to_string()),
        ("consistent at", moment(snapshot.end)),
        ("replay from", moment(snapshot.begin)),
        ("published", snapshot.published_at.clone()),
        ("read from", format!("{}, MongoDB {} (FCV {})", snapshot.member, snapshot.server_version, snapshot.fcv)),
        (
            "holds",
            format!(
                "{} documents in {} collections, {} ({} stored in {} segments)",
                count(snapshot.documents),
                count(snapshot.collections),
                bytes(snapshot.bytes),
                bytes(snapshot.stored_bytes),
                count(snapshot.segments)
            ),
        ),
    ];
    if let Some(problem) = &snapshot.damaged {
        list.push(("DAMAGED", problem.clone()));
    }
    let rows = shown.collections.iter().map(|collection| {
        [
            collection.namespace.to_string().escape_debug().to_string(),
            count(collection.documents),
            bytes(collection.bytes),
            bytes(collection.stored_bytes),
            count(collection.indexes as u64),
            if collection.dropped { "dropped meanwhile".to_owned() } else { String::new() },
        ]
    });
    let collections = table(["COLLECTION", "DOCUMENTS", "PLAIN", "STORED", "INDEXES", ""], rows, &[1, 2, 3, 4]);
    let findings = shown.findings.iter().map(|finding| format!("FINDING: {}: {}\n", finding.object, finding.problem));
    format!(
        "Snapshot {}\n{}\n{collections}\n\n{}Next: dr-cli plan --to snapshot:{}\n",
        snapshot.id,
        facts(&list),
        findings.collect::<String>(),
        snapshot.id
    )
}
