//! Where a snapshot begins: with what an interrupted one left, or anew at the member's majority commit point.

use std::time::Duration;

use archive::encryption::Recipients;
use archive::manifest::SnapshotStart;
use archive::slice::EntryStamp;
use archive::{OpTime, SnapshotId};
use replset::oplog;
use tokio_util::sync::CancellationToken;

use super::Snapshotter;
use super::marks::{BeginMark, Found, Marks};
use crate::archive_store::ArchiveStore;
use crate::archiver::ArchiveWindow;
use crate::backoff::pause_unless_stopped;
use crate::clock::{compact_now, now_text};
use crate::error::{Error, Result};
use crate::source::SourceMember;

/// Everything since `begin` is replayed in a restore: an old one costs more there than reading again costs now.
const OLDEST_RESUMED_SECONDS: u32 = 24 * 3600;

#[derive(Debug)]
pub struct Beginning {
    pub id: SnapshotId,
    pub mark: BeginMark,
}

pub async fn begin(
    snapshotter: &Snapshotter,
    member: &SourceMember,
    window: &mut ArchiveWindow,
    epoch: u64,
    stop: &CancellationToken,
) -> Result<(Beginning, Found)> {
    if let Some(resumed) = unfinished(snapshotter, window).await? {
        return Ok(resumed);
    }
    let archive = &snapshotter.archive;
    let (begin, wall) = loop {
        let begin = oplog::safe_begin(&member.connection).await?;
        let stamp = EntryStamp::read(&begin.entry).map_err(|problem| Error::Internal(problem.to_owned()))?;
        let state = window.state();
        let archived_since = state.started_after.max(state.broken_at).unwrap_or_default();
        // A member behind the one that is archived from: what lies before may not be in the archive, or not replayable.
        if stamp.at >= archived_since || archive.covers(stamp.at, archived_since).await? {
            break (stamp.optime(), stamp.wall_ms);
        }
        tracing::info!(event = "snapshot_waits_for_member", begin = %stamp.at, %archived_since, "member is behind the archive; waiting");
        if !pause_unless_stopped(Duration::from_millis(500), stop).await {
            return Err(Error::Cancelled);
        }
    };
    let id = format!("{}-{}", compact_now(), hex::encode(rand::random::<[u8; 3]>()));
    let id: SnapshotId = id.parse().map_err(|error| Error::Internal(format!("{error}")))?;
    let started_at = now_text();
    let mut start = SnapshotStart::new(
        archive.lineage.clone(),
        id.clone(),
        started_at.as_str(),
        snapshotter.settings.holder.name.as_str(),
        member.host.as_str(),
    );
    start.lease_epoch = Some(epoch);
    let key = start.key();
    let _created = archive.put_new(&key, start.to_json().map_err(Error::record(&key))?).await?;
    let mark = BeginMark::new(begin, wall, started_at, archive.recipients());
    Marks::new(archive, &id).begin(&mark).await?;
    tracing::info!(event = "snapshot_begun", snapshot_id = %id, begin = %mark.begin, member = member.host, "snapshot begun");
    Ok((Beginning { id, mark }, Found::default()))
}

/// The newest unfinished snapshot that can be gone on with. Older ones are forgotten: their marks are removed, and
/// without a manifest their segments are nothing that anybody refers to.
async fn unfinished(snapshotter: &Snapshotter, window: &ArchiveWindow) -> Result<Option<(Beginning, Found)>> {
    let archive = &snapshotter.archive;
    let state = window.state();
    let through = state.archived_through.unwrap_or_default();
    for id in with_marks(archive).await?.into_iter().rev() {
        if !archive.has_manifest(&id).await?
            && let Some(mark) = Marks::begin_of(archive, &id).await?
            && mark.recipients == archive.recipients().map(Recipients::digest)
            && through.seconds.saturating_sub(mark.begin.seconds) <= OLDEST_RESUMED_SECONDS
            && archive.covers(mark.begin, through.max(mark.begin)).await?
        {
            let found = Marks::new(archive, &id).load(&id).await?;
            tracing::info!(event = "snapshot_resumed", snapshot_id = %id, begin = %mark.begin, finished = found.done.len(), open = found.open.len(), "going on with an unfinished snapshot");
            return Ok(Some((Beginning { id, mark }, found)));
        }
        tracing::info!(event = "snapshot_abandoned", snapshot_id = %id, "unfinished snapshot cannot be gone on with; its marks are removed");
        Marks::remove(archive, &id).await?;
    }
    Ok(None)
}

/// Where archiving has to begin in a lineage that has no slice yet, so that the snapshots which were begun there can
/// be used: on a server without writes, nothing is published for a while.
pub async fn oldest_begin(archive: &ArchiveStore) -> Result<Option<OpTime>> {
    let mut oldest = archive.newest_snapshot().await?.map(|manifest| manifest.begin_optime());
    for id in with_marks(archive).await? {
        let begin = Marks::begin_of(archive, &id).await?.map(|mark| OpTime::new(mark.begin, mark.begin_term));
        oldest = oldest.into_iter().chain(begin).min_by_key(|begin| begin.ts);
    }
    Ok(oldest)
}

async fn with_marks(archive: &ArchiveStore) -> Result<Vec<SnapshotId>> {
    let mut ids: Vec<SnapshotId> = Vec::new();
    for path in archive.list_control("snapshots/").await? {
        let id = path.strip_prefix("snapshots/").and_then(|rest| rest.split('/').next()?.parse::<SnapshotId>().ok());
        if let Some(id) = id.filter(|id| ids.last() != Some(id)) {
            ids.push(id);
        }
    }
    Ok(ids)
}
