//! The first pass over the window: what every collection is at the target. Reads only.

use archive::ClusterTime;
use archive::collection_page::{CollectionRecord, ScanOutcome};
use archive::manifest::SnapshotManifest;
use archive::plan::RestorePlan;
use archive::timeline::{Flow, ListedCollection, ReplayLimit, Resolution, Survey};

use super::Context;
use crate::failure::{Failure, Result};
use crate::oplog_stream::{OplogEvent, OplogStream};
use crate::progress::Unit;

/// Everything that is known before the first write.
pub struct Window {
    pub resolution: Resolution,
    /// The snapshot's collections that still exist at the target: what there is to load.
    pub records: Vec<CollectionRecord>,
    /// Replay goes up to here, inclusive; nothing is to be replayed when it is not after the snapshot's begin.
    pub last_entry: ClusterTime,
    pub snapshot_begin: ClusterTime,
    pub snapshot_end: ClusterTime,
    /// Stored bytes of the slices.
    pub slice_bytes: u64,
}

pub async fn survey(context: &Context, plan: &RestorePlan, manifest: &SnapshotManifest) -> Result<Window> {
    let limit = ReplayLimit {
        at: plan.target.resolved,
        inclusive: plan.target.inclusive,
        wall_ms: plan.target.wall_limit_ms,
        must_exist: plan.target.must_exist,
    };
    let mut survey = Survey::new(manifest.begin, manifest.end, limit);
    let mut records = context.reader.all_collections(manifest).await?;
    for record in &records {
        survey.add_listed(listed(record));
    }

    let slice_bytes = plan.slices.iter().map(|slice| slice.stored_bytes).sum();
    context.progress.phase("survey", Some(slice_bytes), Unit::Bytes);
    let mut stream = OplogStream::open(context.reader.clone(), plan.lineage.clone(), plan.slices.clone());
    let mut position = manifest.begin;
    // After the target the rest is still read: a slice proves itself only at its end.
    let mut flow = Flow::Continue;
    while let Some(event) = stream.next().await? {
        match event {
            OplogEvent::Entries(block) if flow == Flow::Continue => {
                for entry in block.documents() {
                    let at = entry_time(entry)?;
                    if at <= position {
                        continue;
                    }
                    position = at;
                    flow = survey.observe(entry)?;
                    if flow == Flow::Stop {
                        break;
                    }
                }
            }
            OplogEvent::Entries(_) => {}
            OplogEvent::SliceEnd { stored_bytes, .. } => context.progress.advance(stored_bytes),
        }
    }
    let resolution = survey.finish()?;
    records.retain(|record| resolution.collections.contains_key(&record.uuid));
    Ok(Window {
        last_entry: resolution.last_entry.unwrap_or(manifest.begin),
        resolution,
        records,
        snapshot_begin: manifest.begin,
        snapshot_end: manifest.end,
        slice_bytes,
    })
}

/// Cluster time of a raw entry; slices were checked to have one, so a missing one is damage.
pub fn entry_time(entry: &bson::RawDocument) -> Result<ClusterTime> {
    archive::slice::EntryStamp::read(entry)
        .map(|stamp| stamp.at)
        .map_err(|problem| Failure::integrity(format!("an oplog entry cannot be used: {problem}")))
}

fn listed(record: &CollectionRecord) -> ListedCollection {
    ListedCollection {
        uuid: record.uuid,
        namespace: record.namespace.clone(),
        options: record.options.clone(),
        id_index: record.id_index.clone(),
        indexes: record.indexes.clone(),
        read: record.scan.outcome == ScanOutcome::Complete,
        last_id: record.scan.last_id.clone(),
        scanned_through: record.scan.through,
    }
}
