//! Resume marks in `control/snapshots/<id>/`: what of an unfinished snapshot need not be read again.
//!
//! `begin.json` says which moment the snapshot started from; `listed.bin` holds the UUIDs of its collections: one that
//! appears later is told by the oplog, so that further attempts read the same ones and write the same pages;
//!`done-<n>.bson` hold records of finished collections, many
//! in one object so that thousands of small collections cost few writes; `open-<uuid>.bson` holds the finished parts
//! of a large collection and the position behind them. Segments that no mark speaks of are never referred to.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};

use archive::bson_run::Documents;
use archive::collection_page::CollectionRecord;
use archive::encryption::Recipients;
use archive::layout::ObjectKey;
use archive::{ClusterTime, CollectionUuid, Digest, OpTime, SnapshotId};
use bson::raw::cstr;
use bson::{RawBson, RawDocumentBuf};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::archive_store::ArchiveStore;
use crate::error::{Error, Result};

const LIMIT: usize = 256 * 1024 * 1024;
/// Finished collections that a crash may make read again.
const MAX_UNMARKED: usize = 200;
const REMOVED_AT_ONCE: usize = 8;
const MAX_UNMARKED_BYTES: u64 = 32 << 20;
const MAX_UNMARKED_SECONDS: u64 = 2;

/// From which moment a snapshot was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginMark {
    format: u32,
    pub begin: ClusterTime,
    pub begin_term: i64,
    pub begin_wall_ms: Option<i64>,
    pub started_at: String,
    /// Digest of the recipients: a snapshot has the same ones for all of its objects.
    #[serde(default)]
    pub recipients: Option<Digest>,
}

impl BeginMark {
    pub fn new(begin: OpTime, begin_wall_ms: Option<i64>, started_at: String, recipients: Option<&Recipients>) -> Self {
        let recipients = recipients.map(Recipients::digest);
        Self { format: 1, begin: begin.ts, begin_term: begin.term, begin_wall_ms, started_at, recipients }
    }
}

/// The finished parts of a collection that is still being read.
#[derive(Debug, Clone)]
pub struct OpenMark {
    pub record: CollectionRecord,
    pub resume_token: RawBson,
    /// Whose record ids the token speaks of.
    pub member: String,
}

#[derive(Debug, Default)]
struct Unmarked {
    records: Vec<RawDocumentBuf>,
    bytes: u64,
    since: Option<Instant>,
    /// Open marks that the records make obsolete.
    obsolete: Vec<CollectionUuid>,
}

#[derive(Debug)]
pub struct Marks {
    archive: ArchiveStore,
    folder: String,
    next_done: AtomicU32,
    unmarked: Mutex<Unmarked>,
}

/// What an earlier attempt left.
#[derive(Debug, Default)]
pub struct Found {
    pub done: HashMap<CollectionUuid, CollectionRecord>,
    pub open: HashMap<CollectionUuid, OpenMark>,
    /// The first part number that no object has.
    pub next_part: HashMap<CollectionUuid, u32>,
    next_done: u32,
    /// The collections of the first attempt's listing.
    pub listed: Option<HashSet<CollectionUuid>>,
}

fn folder_of(id: &SnapshotId) -> String {
    format!("snapshots/{id}/")
}

impl Marks {
    pub fn new(archive: &ArchiveStore, id: &SnapshotId) -> Self {
        Self {
            archive: archive.clone(),
            folder: folder_of(id),
            next_done: AtomicU32::new(0),
            unmarked: Mutex::default(),
        }
    }

    /// Goes on behind the marks that were found.
    pub fn resumed(archive: &ArchiveStore, id: &SnapshotId, found: &Found) -> Self {
        Self { next_done: AtomicU32::new(found.next_done), ..Self::new(archive, id) }
    }

    pub async fn begin_of(archive: &ArchiveStore, id: &SnapshotId) -> Result<Option<BeginMark>> {
        let body = archive.get_control(&format!("{}begin.json", folder_of(id)), LIMIT).await?;
        // A mark of another release or a damaged one: the snapshot cannot be resumed, that is all.
        Ok(body.and_then(|body| serde_json::from_slice::<BeginMark>(&body).ok()).filter(|mark| mark.format == 1))
    }

    pub async fn begin(&self, mark: &BeginMark) -> Result<()> {
        let body = serde_json::to_vec(mark).map_err(|error| Error::Internal(error.to_string()))?;
        self.archive.put_control(&format!("{}begin.json", self.folder), body).await
    }

    pub async fn listed(&self, collections: impl Iterator<Item = CollectionUuid>) -> Result<()> {
        let body: Vec<u8> = collections.flat_map(|uuid| uuid.0).collect();
        self.archive.put_control(&format!("{}listed.bin", self.folder), body).await
    }

    /// Reads what an earlier attempt left, and what it stored.
    pub async fn load(&self, id: &SnapshotId) -> Result<Found> {
        let mut found = Found::default();
        for path in self.archive.list_control(&self.folder).await? {
            let Some(name) = path.strip_prefix(&self.folder) else { continue };
            if name == "listed.bin" {
                found.listed = self.archive.get_control(&path, LIMIT).await?.map(|body| {
                    body.chunks_exact(16).filter_map(|uuid| uuid.try_into().ok().map(CollectionUuid)).collect()
                });
            }
            let is_done = name.starts_with("done-");
            if !is_done && !name.starts_with("open-") {
                continue;
            }
            if let Some(number) =
                name.strip_prefix("done-").and_then(|rest| rest.strip_suffix(".bson")?.parse::<u32>().ok())
            {
                found.next_done = found.next_done.max(number + 1);
            }
            let Some(body) = self.archive.get_control(&path, LIMIT).await? else { continue };
            // An unreadable mark costs work, nothing else.
            for document in Documents::new(&body).map_while(Result::ok) {
                let Ok(record) = CollectionRecord::from_document(document) else { continue };
                if is_done {
                    found.done.insert(record.uuid, record);
                } else if let (Ok(Some(token)), Ok(member)) = (document.get("resumeToken"), document.get_str("member"))
                {
                    let mark = OpenMark { resume_token: token.into(), member: member.to_owned(), record };
                    found.open.insert(mark.record.uuid, mark);
                }
            }
        }
        let mut stored: HashMap<(CollectionUuid, u32), u64> = HashMap::new();
        for (key, size) in self.archive.list(&ObjectKey::segments_prefix(&self.archive.lineage, id)).await? {
            if let ObjectKey::Segment { uuid, part, .. } = key {
                let next = found.next_part.entry(uuid).or_default();
                *next = (*next).max(part + 1);
                stored.insert((uuid, part), size);
            }
        }
        let is_stored = |record: &CollectionRecord| {
            record.segments.iter().all(|one| stored.get(&(record.uuid, one.part)) == Some(&one.stored_bytes))
        };
        found.done.retain(|_, record| is_stored(record));
        found.open.retain(|_, mark| is_stored(&mark.record));
        Ok(found)
    }

    /// A collection is finished.
    pub async fn collection_done(&self, record: &CollectionRecord, was_open: bool) -> Result<()> {
        let mut unmarked = self.unmarked.lock().await;
        unmarked.records.push(record.to_document()?);
        unmarked.bytes += record.bytes();
        if was_open {
            unmarked.obsolete.push(record.uuid);
        }
        let since = *unmarked.since.get_or_insert_with(Instant::now);
        let due = unmarked.records.len() >= MAX_UNMARKED
            || unmarked.bytes >= MAX_UNMARKED_BYTES
            || since.elapsed().as_secs() >= MAX_UNMARKED_SECONDS;
        if due { self.write_done(&mut unmarked).await } else { Ok(()) }
    }

    async fn write_done(&self, unmarked: &mut Unmarked) -> Result<()> {
        let Unmarked { records, obsolete, .. } = std::mem::take(unmarked);
        if records.is_empty() {
            return Ok(());
        }
        let body: Vec<u8> = records.iter().flat_map(|record| record.as_bytes().iter().copied()).collect();
        let number = self.next_done.fetch_add(1, Ordering::Relaxed);
        self.archive.put_control(&format!("{}done-{number:08}.bson", self.folder), body).await?;
        for uuid in obsolete {
            self.archive.delete_control(&format!("{}open-{uuid}.bson", self.folder)).await?;
        }
        Ok(())
    }

    /// A part of a large collection is finished.
    pub async fn part_done(&self, mark: &OpenMark) -> Result<()> {
        let mut document = mark.record.to_document()?;
        document.append(cstr!("resumeToken"), mark.resume_token.clone());
        document.append(cstr!("member"), mark.member.as_str());
        let path = format!("{}open-{}.bson", self.folder, mark.record.uuid);
        self.archive.put_control(&path, document.into_bytes()).await
    }

    /// Writes what is not marked yet, before a stop.
    pub async fn flush(&self) -> Result<()> {
        self.write_done(&mut *self.unmarked.lock().await).await
    }

    /// The snapshot is published, or will never be resumed.
    pub async fn remove(archive: &ArchiveStore, id: &SnapshotId) -> Result<()> {
        let (begin, others): (Vec<String>, Vec<String>) =
            archive.list_control(&folder_of(id)).await?.into_iter().partition(|path| path.ends_with("/begin.json"));
        // First: without it nobody goes on with the others, some of which may be gone already.
        for path in begin {
            archive.delete_control(&path).await?;
        }
        let removed = others.into_iter().map(async |path| archive.delete_control(&path).await);
        futures::stream::iter(removed).buffer_unordered(REMOVED_AT_ONCE).try_collect().await
    }
}
