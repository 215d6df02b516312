//! One lineage of one archive, as the sidecar uses it: typed keys in, typed facts out.
//!
//! Opening it makes sure that the location is an archive and that the lineage is the replica set's own; nothing is ever
//! written into another one. Mutable objects go to the control store, which may be another location.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use archive::archive_marker::ArchiveMarker;
use archive::catalog::StoredSlice;
use archive::coverage::Coverage;
use archive::encryption::{Encryptor, Recipients, RecipientsRecord};
use archive::gap::{Gap, GapReason};
use archive::json_record::RecordError;
use archive::layout::ObjectKey;
use archive::lineage::LineageRecord;
use archive::manifest::{PublishedManifest, SnapshotManifest};
use archive::slice::SliceDecoder;
use archive::{ClusterTime, Digest, LineageId, OpTime, SnapshotId};
use bytes::Bytes;
use store::{Created, ObjectStore, ObjectStoreExt as _};

use crate::clock::now_text;
use crate::config::EncryptionPolicy;
use crate::error::{Error, Result};
use crate::store_proof;

mod control;
mod sealed_writer;

pub use sealed_writer::SealedWriter;

const RECORD_LIMIT: usize = 64 * 1024;
const MANIFEST_LIMIT: usize = 16 * 1024 * 1024;
/// How far before a moment the slice that holds it may have started. Slices are cut every few seconds; only a server that
/// was down for longer leaves a longer one, and then everything is listed.
const LOOK_BACK_SECONDS: u32 = 3600;

/// A slice that is larger was not cut by a sidecar.
const SLICE_LIMIT: usize = 256 * 1024 * 1024;

/// The last entry of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveEnd {
    pub at: OpTime,
    /// SHA-256 of the entry, when it could be read.
    pub digest: Option<Digest>,
}

/// The two locations of an archive.
#[derive(Debug, Clone)]
pub struct Stores {
    pub archive: Arc<dyn ObjectStore>,
    pub control: Arc<dyn ObjectStore>,
}

impl Stores {
    pub async fn open(archive: &str, control: &str) -> Result<Self> {
        let (archive, control) = (archive.to_owned(), control.to_owned());
        let opened = tokio::task::spawn_blocking(move || {
            let first = store::open_or_create(&archive)?;
            let second = if control == archive { Arc::clone(&first) } else { store::open_or_create(&control)? };
            Ok::<_, store::StoreError>(Self { archive: first, control: second })
        });
        Ok(opened.await.map_err(|error| Error::Internal(error.to_string()))??)
    }
}

#[derive(Debug, Clone)]
pub struct ArchiveStore {
    stores: Stores,
    pub archive_id: Arc<str>,
    pub lineage: LineageId,
    recipients: Option<Arc<Recipients>>,
    /// Damaged objects that were told of.
    told_unreadable: Arc<Mutex<HashSet<String>>>,
}

impl ArchiveStore {
    /// `record` is the lineage of the replica set as it would be written now; the one that exists is kept.
    pub async fn open(stores: Stores, record: &LineageRecord, new_lineage: bool) -> Result<Self> {
        let archive_id = adopt_archive(&stores).await?;
        let archive = Self {
            stores,
            archive_id: archive_id.into(),
            lineage: record.lineage.clone(),
            recipients: None,
            told_unreadable: Arc::default(),
        };
        archive.open_lineage(record, new_lineage).await?;
        Ok(archive)
    }

    /// From now on what holds data is encrypted as the policy says. An archive that was encrypted does not go on in the
    /// clear just because somebody forgot a setting.
    pub async fn encrypting(mut self, policy: &EncryptionPolicy) -> Result<Self> {
        if *policy == EncryptionPolicy::Unset && !self.recipients_records().await?.is_empty() {
            return Err(Error::NoRecipients { lineage: self.lineage });
        }
        self.recipients = policy.recipients().cloned().map(Arc::new);
        Ok(self)
    }

    async fn open_lineage(&self, record: &LineageRecord, new_lineage: bool) -> Result<()> {
        let key = record.key().to_string();
        if let Some(found) = self.stores.archive.get_bytes(&key, RECORD_LIMIT).await? {
            let found = LineageRecord::from_json(&found).map_err(Error::record(&key))?;
            if found.lineage != record.lineage || found.replica_set_id != record.replica_set_id {
                return Err(Error::Conflict { key });
            }
            return Ok(());
        }
        if let Some(other) = self.other_lineage().await?
            && !new_lineage
        {
            return Err(Error::ForeignLineage { own: self.lineage.clone(), found: other.to_string() });
        }
        let body = record.to_json().map_err(Error::record(&key))?;
        // The loser of a race finds a record of the same lineage, which says the same but for its time.
        let _created: Created = self.stores.archive.put_new(&key, body.into()).await?;
        tracing::info!(event = "lineage_opened", lineage = %self.lineage, "lineage opened");
        Ok(())
    }

    async fn other_lineage(&self) -> Result<Option<LineageId>> {
        for folder in self.stores.archive.list_folders("").await? {
            let Ok(lineage) = folder.parse::<LineageId>() else { continue };
            let key = ObjectKey::Lineage { lineage: lineage.clone() }.to_string();
            if lineage != self.lineage && self.stores.archive.head(&key).await?.is_some() {
                return Ok(Some(lineage));
            }
        }
        Ok(None)
    }

    /// As they were opened: a location that went away since is not made anew.
    pub fn stores(&self) -> &Stores {
        &self.stores
    }

    pub fn location(&self) -> &str {
        self.stores.archive.location()
    }

    pub async fn put_new(&self, key: &ObjectKey, body: impl Into<Bytes> + Send) -> Result<Created> {
        Ok(self.stores.archive.put_new(&key.to_string(), body.into()).await?)
    }

    /// The same name is the same content: somebody else may have stored exactly this slice, but not an empty object.
    pub async fn put_slice(&self, key: &ObjectKey, body: Bytes) -> Result<Created> {
        let created = self.put_new(key, body).await?;
        if created == Created::AlreadyExists
            && self.stores.archive.head(&key.to_string()).await?.is_some_and(|stored| stored.size == 0)
        {
            return Err(Error::Conflict { key: key.to_string() });
        }
        Ok(created)
    }

    /// Whether what holds data is encrypted; keys of such objects say so.
    pub fn is_encrypted(&self) -> bool {
        self.recipients.is_some()
    }

    pub fn recipients(&self) -> Option<&Recipients> {
        self.recipients.as_deref()
    }

    /// The whole object as it is stored.
    pub fn seal(&self, object: Bytes) -> Result<Bytes> {
        match self.recipients() {
            None => Ok(object),
            Some(recipients) => Ok(Encryptor::whole(recipients, &object)?.into()),
        }
    }

    pub async fn create(&self, key: &ObjectKey) -> Result<SealedWriter> {
        SealedWriter::begin(self.stores.archive.create(&key.to_string()).await?, self.recipients()).await
    }

    /// Writes down whom slices from `since` on are encrypted to, unless the newest record says so already.
    pub async fn record_recipients(&self, since: ClusterTime) -> Result<()> {
        let Some(recipients) = self.recipients() else { return Ok(()) };
        let records = self.recipients_records().await?;
        let newest = records.iter().max_by_key(|record| record.since);
        if newest.is_some_and(|newest| newest.recipients == recipients.texts()) {
            return Ok(());
        }
        let record = RecipientsRecord::new(since, recipients);
        let key = record.key(&self.lineage).map_err(|problem| Error::Internal(problem.to_string()))?;
        // Its content follows from its name.
        let _created = self.put_new(&key, record.to_json().map_err(Error::record(&key))?).await?;
        tracing::info!(event = "recipients_changed", %since, recipients = recipients.texts().join(","), "encrypting to other recipients from now on");
        Ok(())
    }

    async fn recipients_records(&self) -> Result<Vec<RecipientsRecord>> {
        let mut records = Vec::new();
        for (key, _) in self.list(&ObjectKey::recipients_prefix(&self.lineage)).await? {
            if let Some(body) = self.get(&key, RECORD_LIMIT).await? {
                records.push(RecipientsRecord::from_json(&body).map_err(Error::record(&key))?);
            }
        }
        Ok(records)
    }

    pub async fn get(&self, key: &ObjectKey, limit: usize) -> Result<Option<Bytes>> {
        Ok(self.stores.archive.get_bytes(&key.to_string(), limit).await?)
    }

    pub async fn delete(&self, key: &ObjectKey) -> Result<()> {
        Ok(self.stores.archive.delete(&key.to_string()).await?)
    }

    pub async fn list(&self, prefix: &str) -> Result<Vec<(ObjectKey, u64)>> {
        let objects = self.stores.archive.list_all(prefix).await?;
        // What is not ours may lie there; `dr-cli verify` reports it.
        Ok(objects.into_iter().filter_map(|object| Some((object.key.parse().ok()?, object.size))).collect())
    }

    /// The slices that start at or after `time`.
    async fn slices_from(&self, time: ClusterTime) -> Result<Vec<StoredSlice>> {
        let prefix = ObjectKey::slices_prefix(&self.lineage);
        let mut start_after = Some(ObjectKey::slices_from(&self.lineage, time));
        let mut slices = Vec::new();
        while let Some(after) = start_after {
            let page = self.stores.archive.list(&prefix, Some(&after), 1000).await?;
            slices.extend(page.objects.iter().filter_map(|object| stored_slice(&object.key, object.size)));
            start_after = page.next_start_after;
        }
        Ok(slices)
    }

    /// What the slices around and after a moment cover.
    pub async fn coverage_since(&self, time: ClusterTime) -> Result<Coverage> {
        Ok(Coverage::of(&self.slices_from(look_back(time)).await?, &self.gaps().await?))
    }

    /// What the slices around and after a moment hold, whether or not it can be replayed.
    pub async fn stored_since(&self, time: ClusterTime) -> Result<Coverage> {
        Ok(Coverage::of(&self.slices_from(look_back(time)).await?, &[]))
    }

    /// Whether `(from, through]` is in the archive without a break.
    pub async fn covers(&self, from: ClusterTime, through: ClusterTime) -> Result<bool> {
        if self.coverage_since(from).await?.covers(from, through) {
            return Ok(true);
        }
        Ok(Coverage::of(&self.slices_from(ClusterTime::ZERO).await?, &self.gaps().await?).covers(from, through))
    }

    /// Where the archive ends: the newest slice that nothing contradicts. Lists only the newest days.
    pub async fn archived_end(&self) -> Result<Option<ArchiveEnd>> {
        let prefix = ObjectKey::slices_prefix(&self.lineage);
        let days = self.stores.archive.list_folders(&prefix).await?;
        let mut slices = Vec::new();
        for day in days.iter().rev().take(2) {
            let objects = self.stores.archive.list_all(&format!("{prefix}{day}/")).await?;
            slices.extend(objects.iter().filter_map(|object| stored_slice(&object.key, object.size)));
        }
        if slices.is_empty() {
            return Ok(None);
        }
        let coverage = Coverage::of(&slices, &[]);
        match coverage.archived_optime() {
            Some(at) if coverage.claimed_through() == Some(at.ts) => {
                let ends_there = slices.iter().find(|slice| slice.id.through == at.ts && slice.id.term == at.term);
                let digest = match ends_there {
                    Some(slice) => self.last_entry_of(slice).await?,
                    None => None,
                };
                Ok(Some(ArchiveEnd { at, digest }))
            }
            _ => {
                let detail = coverage.problems.iter().find(|problem| problem.is_integrity());
                Err(Error::Forked {
                    detail: detail.map_or_else(|| "the newest slice is disputed".to_owned(), ToString::to_string),
                })
            }
        }
    }

    /// The digest of the last entry of a slice, `None` when it cannot be read here: encrypted, or damaged.
    async fn last_entry_of(&self, slice: &StoredSlice) -> Result<Option<Digest>> {
        if slice.encrypted {
            return Ok(None);
        }
        let key = slice.id.key(&self.lineage, false);
        let Some(object) = self.get(&key, SLICE_LIMIT).await? else { return Ok(None) };
        let mut decoder = SliceDecoder::new(self.lineage.clone(), slice.id);
        let decoded = tokio::task::block_in_place(|| {
            decoder.feed(&object);
            while decoder.next_event()?.is_some() {}
            let digest = decoder.last_digest();
            decoder.finish().map(|_| digest)
        });
        Ok(decoded.unwrap_or_else(|problem| {
            tracing::error!(event = "slice_damaged", %key, %problem, "the newest slice is damaged (`dr-cli verify --level decode`)");
            None
        }))
    }

    pub async fn gaps(&self) -> Result<Vec<Gap>> {
        let mut gaps = Vec::new();
        for (key, _) in self.list(&ObjectKey::gaps_prefix(&self.lineage)).await? {
            if let ObjectKey::Gap { .. } = key
                && let Some(body) = self.stores.archive.get_bytes(&key.to_string(), RECORD_LIMIT).await?
            {
                gaps.push(self.gap_or_break(&key, &body)?);
            }
        }
        Ok(gaps)
    }

    /// A record that cannot be read still says by its name where history may be broken, so it is taken to be: at worst a
    /// snapshot more is taken.
    fn gap_or_break(&self, key: &ObjectKey, body: &[u8]) -> Result<Gap> {
        let problem = match Gap::from_json(body) {
            Ok(gap) => return Ok(gap),
            Err(problem) => problem,
        };
        let ObjectKey::Gap { after, through, .. } = *key else { return Err(Error::record(key)(problem)) };
        self.tell_unreadable(key, problem)?;
        Ok(Gap::new(after, through, GapReason::HistoryReplaced, now_text(), "the record of this gap cannot be read"))
    }

    /// Once for each object. Of a newer release it is an error: that one knows more.
    fn tell_unreadable(&self, key: &ObjectKey, problem: RecordError) -> Result<()> {
        if matches!(problem, RecordError::NewerFormat { .. }) {
            return Err(Error::record(key)(problem));
        }
        let mut told = self.told_unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(key.to_string()) {
            tracing::error!(event = "object_damaged", %key, %problem, "an object of the archive is damaged; going on without it (`dr-cli verify --level list`)");
        }
        Ok(())
    }

    /// The ids of all snapshots that were begun, oldest first.
    pub async fn snapshot_ids(&self) -> Result<Vec<SnapshotId>> {
        let folders = self.stores.archive.list_folders(&ObjectKey::snapshots_prefix(&self.lineage)).await?;
        Ok(folders.into_iter().filter_map(|folder| folder.parse().ok()).collect())
    }

    pub async fn manifest(&self, snapshot: &SnapshotId) -> Result<Option<PublishedManifest>> {
        let key = ObjectKey::Manifest { lineage: self.lineage.clone(), snapshot: snapshot.clone() };
        let Some(body) = self.stores.archive.get_bytes(&key.to_string(), MANIFEST_LIMIT).await? else {
            return Ok(None);
        };
        PublishedManifest::from_json(&body).map(Some).map_err(Error::record(&key))
    }

    /// The complete snapshot that was started last. One whose manifest is damaged is none.
    pub async fn newest_snapshot(&self) -> Result<Option<SnapshotManifest>> {
        for id in self.snapshot_ids().await?.iter().rev() {
            match self.manifest(id).await {
                Ok(Some(PublishedManifest::Complete(manifest))) => return Ok(Some(*manifest)),
                Ok(_) => {}
                Err(Error::Record { problem, .. }) => {
                    let key = ObjectKey::Manifest { lineage: self.lineage.clone(), snapshot: id.clone() };
                    self.tell_unreadable(&key, problem)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Whether the snapshot's manifest is there, whatever it says.
    pub async fn has_manifest(&self, snapshot: &SnapshotId) -> Result<bool> {
        let key = ObjectKey::Manifest { lineage: self.lineage.clone(), snapshot: snapshot.clone() };
        Ok(self.stores.archive.head(&key.to_string()).await?.is_some())
    }

    /// Of those begun at or after `first`, the snapshots that have a manifest.
    pub async fn manifests_from(&self, first: Option<&SnapshotId>) -> Result<Vec<SnapshotId>> {
        let mut found = Vec::new();
        for id in self.snapshot_ids().await? {
            if first.is_none_or(|first| id >= *first) && self.has_manifest(&id).await? {
                found.push(id);
            }
        }
        Ok(found)
    }
}

fn look_back(time: ClusterTime) -> ClusterTime {
    ClusterTime::new(time.seconds.saturating_sub(LOOK_BACK_SECONDS), 0)
}

fn stored_slice(key: &str, size: u64) -> Option<StoredSlice> {
    match key.parse() {
        // An empty object holds nothing of what its name says.
        Ok(ObjectKey::Slice { id, encrypted, .. }) if size > 0 => {
            Some(StoredSlice { id, stored_bytes: size, encrypted })
        }
        _ => None,
    }
}

/// The archive's id: ours when we came first.
async fn adopt_archive(stores: &Stores) -> Result<String> {
    let key = ObjectKey::Archive.to_string();
    if let Some(id) = archive_id(stores, &key).await? {
        return Ok(id);
    }
    // Before anything is kept here: what the store does not honour is seen now, and not when somebody restores.
    store_proof::require(stores).await?;
    let id = hex::encode(rand::random::<[u8; 16]>());
    let body = ArchiveMarker::new(id, now_text()).to_json().map_err(Error::record(&key))?;
    let _created: Created = stores.archive.put_new(&key, body.into()).await?;
    archive_id(stores, &key)
        .await?
        .ok_or_else(|| Error::Internal(format!("`{key}` vanished right after it was written")))
}

async fn archive_id(stores: &Stores, key: &str) -> Result<Option<String>> {
    let Some(body) = stores.archive.get_bytes(key, RECORD_LIMIT).await? else { return Ok(None) };
    Ok(Some(ArchiveMarker::from_json(&body).map_err(Error::record(key))?.archive_id))
}

#[cfg(test)]
mod tests {
    use store::MemoryStore;

    use super::*;

    fn stores(memory: &MemoryStore) -> Stores {
        Stores { archive: Arc::new(memory.clone()), control: Arc::new(memory.clone()) }
    }

    fn record(lineage: &str, id: &str) -> LineageRecord {
        LineageRecord::new(lineage.parse().unwrap(), "rs0", id, now_text())
    }

    #[tokio::test]
    async fn everybody_adopts_the_first_archive_id() {
        let memory = MemoryStore::new();
        let first = ArchiveStore::open(stores(&memory), &record("rs0-a", "a"), false).await.unwrap();
        let second = ArchiveStore::open(stores(&memory), &record("rs0-a", "a"), false).await.unwrap();
        assert_eq!(first.archive_id, second.archive_id);
    }

    #[tokio::test]
    async fn another_lineage_is_refused_until_it_is_allowed() {
        let memory = MemoryStore::new();
        ArchiveStore::open(stores(&memory), &record("rs0-a", "a"), false).await.unwrap();
        let refused = ArchiveStore::open(stores(&memory), &record("rs0-b", "b"), false).await.unwrap_err();
        assert!(matches!(refused, Error::ForeignLineage { .. }), "{refused}");
        assert_eq!(refused.exit_code(), 9);
        ArchiveStore::open(stores(&memory), &record("rs0-b", "b"), true).await.unwrap();
        ArchiveStore::open(stores(&memory), &record("rs0-b", "b"), false).await.unwrap();
    }

    #[tokio::test]
    async fn an_empty_object_is_no_slice_and_does_not_pass_for_one() {
        let memory = MemoryStore::new();
        let archive = ArchiveStore::open(stores(&memory), &record("rs0-a", "a"), false).await.unwrap();
        let (after, through) = (ClusterTime::new(10, 1), ClusterTime::new(20, 1));
        let id = archive::layout::SliceId { after, through, term: 1, digest: [7; 16] };
        let key = id.key(&archive.lineage, false);
        let _created = memory.put_new(&key.to_string(), Bytes::new()).await.unwrap();
        assert!(!archive.covers(after, through).await.unwrap());
        assert_eq!(archive.archived_end().await.unwrap(), None);
        let refused = archive.put_slice(&key, Bytes::from_static(b"entries")).await.unwrap_err();
        assert!(matches!(refused, Error::Conflict { .. }), "{refused}");
        memory.delete(&key.to_string()).await.unwrap();
        for created in [Created::New, Created::AlreadyExists] {
            assert_eq!(archive.put_slice(&key, Bytes::from_static(b"entries")).await.unwrap(), created);
        }
        assert!(archive.covers(after, through).await.unwrap());
    }

    #[tokio::test]
    async fn an_archive_of_a_newer_format_is_left_alone() {
        let memory = MemoryStore::new();
        let newer = r#"{"format": 99, "archive_id": "x", "created_at": "2030-01-01T00:00:00Z"}"#;
        let _created = memory.put_new("archive.json", Bytes::from_static(newer.as_bytes())).await.unwrap();
        let refused = ArchiveStore::open(stores(&memory), &record("rs0-a", "a"), false).await.unwrap_err();
        assert_eq!(refused.exit_code(), 5);
        assert!(memory.list_all("rs0-a/").await.unwrap().is_empty(), "nothing was written");
    }
}
