//! Reads one collection as it was at a cluster time, as raw batches.
//!
//! `find` with read concern `snapshot` and `atClusterTime`, outside of a transaction: since server 5.0, on any member, for as
//! long as the server keeps history (`minSnapshotHistoryWindowInSeconds`, 300 s by default), not for capped collections
//! (server documentation of read concern "snapshot"). Nothing is read but what a majority had committed. Used for references.

use archive::reference::{ListedName, MissingReason};
use archive::{ClusterTime, CollectionUuid, Namespace};
use bson::RawDocument;
use mongodb::raw_batch_cursor::RawBatch;

use crate::connect::{Batches, Connection, CursorSettings};
use crate::error::{ErrorKind, ReplsetError, Result};
use crate::listing::{Entry, entries, list_databases, parse_entry};
use crate::raw::{RawDocuments, RawWriter};
use crate::topology::Hello;

const WHAT: &str = "read a collection at a cluster time";
/// Wire version of server 5.0.
const OLDEST_WIRE_VERSION: i32 = 13;
/// `SnapshotTooOld`: the history that the read needs is gone.
const TOO_OLD: i32 = 239;
/// `SnapshotUnavailable`: the collection is capped, or its definition was changed behind the moment.
const UNAVAILABLE: i32 = 246;

/// A collection's documents at one moment. Dropping it ends the server's cursor.
pub struct SnapshotRead {
    batches: Batches,
}

/// One reply of the server.
#[derive(Debug)]
pub struct SnapshotBatch(RawBatch);

impl SnapshotBatch {
    pub fn documents(&self) -> Result<RawDocuments<'_>> {
        RawDocuments::of_reply(self.reply())
    }

    /// Of the whole reply.
    pub fn len(&self) -> usize {
        self.reply().as_bytes().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn reply(&self) -> &RawDocument {
        self.0.as_raw_document()
    }
}

/// Whether the member can read at a cluster time at all.
pub async fn is_possible(member: &Connection) -> Result<bool> {
    Ok(Hello::fetch(member).await?.max_wire_version >= OLDEST_WIRE_VERSION)
}

/// By UUID: a name could mean another collection by now.
pub async fn read_at(
    member: &Connection,
    namespace: &Namespace,
    uuid: CollectionUuid,
    at: ClusterTime,
) -> Result<SnapshotRead> {
    let mut command = RawWriter::default();
    // As many documents as fit into a reply; the default of a first batch would be 101.
    command.uuid("find", uuid).i32("batchSize", i32::MAX);
    command.begin_document("readConcern").str("level", "snapshot").timestamp("atClusterTime", at).end();
    let batches = member.batches(&namespace.db, WHAT, command.finish(), CursorSettings::default()).await?;
    Ok(SnapshotRead { batches })
}

impl SnapshotRead {
    /// `None` after the last one.
    pub async fn next_batch(&mut self) -> Result<Option<SnapshotBatch>> {
        Ok(self.batches.next().await?.map(SnapshotBatch))
    }
}

/// Why a collection could not be read at its moment; `None` when the failure is about the server and not about the
/// collection, so that nothing else could be read either.
pub fn missing_reason(error: &ReplsetError) -> Option<MissingReason> {
    match error.kind() {
        ErrorKind::Command { code: UNAVAILABLE, .. } if error.detail().contains("capped") => {
            Some(MissingReason::Capped)
        }
        ErrorKind::CollectionGone | ErrorKind::QueryPlanKilled | ErrorKind::Command { code: UNAVAILABLE, .. } => {
            Some(MissingReason::Changed)
        }
        ErrorKind::Command { code: TOO_OLD, .. } => Some(MissingReason::HistoryGone),
        ErrorKind::MissingPrivilege(_) => Some(MissingReason::Failed),
        _ if error.is_retryable() => None,
        ErrorKind::Command { .. } => Some(MissingReason::Failed),
        _ => None,
    }
}

/// The names of all protected collections and of views, as the member's catalog has them now, or at the earliest when the
/// member has come to `after`; with the cluster time that the member had reached.
pub async fn list_names(member: &Connection, after: Option<ClusterTime>) -> Result<(Vec<ListedName>, ClusterTime)> {
    let (databases, mut reached) = list_databases(member, after).await?;
    let mut names = Vec::new();
    for database in databases {
        let listed = entries(member, &database, after).await?;
        reached = reached.max(listed.operation_time.unwrap_or_default());
        for entry in &listed.documents {
            match parse_entry(&database, entry)? {
                Entry::View(view) => {
                    names.push(ListedName { namespace: view.namespace, uuid: None, is_capped: false });
                }
                Entry::Collection(collection) if collection.namespace.is_protected() => names.push(ListedName {
                    is_capped: collection.is_capped(),
                    uuid: Some(collection.uuid),
                    namespace: collection.namespace,
                }),
                Entry::Collection(_) => {}
            }
        }
    }
    Ok((names, reached))
}
