//! Reading an archive: which lineages, snapshots and slices it holds, as the plain values that plans are made of.
//!
//! A listing alone tells what there is; only manifests and gap records are read on top of it. What cannot be used is a
//! finding in the catalog, never silently absent.

use std::collections::HashMap;
use std::sync::Arc;

use archive::archive_marker::ArchiveMarker;
use archive::catalog::{Catalog, Finding};
use archive::collection_page::{CollectionRecord, PageHeader, decode_page};
use archive::encryption::{Identities, RecipientsRecord};
use archive::gap::Gap;
use archive::high_water::HighWater;
use archive::layout::ObjectKey;
use archive::manifest::{PublishedManifest, SnapshotManifest};
use archive::plan::{Nearest, NotRestorable, RestorePlan, plan_restore};
use archive::target::{ParseTargetError, RestoreTarget};
use archive::{LineageId, SnapshotId};
use futures::{StreamExt, TryStreamExt, stream};
use store::{ObjectStore, ObjectStoreExt};

use crate::failure::{Failure, FailureKind, Result};

mod content;
mod lineages;
mod proofs;
mod slices;

pub use content::NeedsKey;
pub(crate) use content::{Content, ContentError};
pub use lineages::Lineages;
pub(crate) use lineages::no_lineage;

/// The largest of the small JSON objects.
const RECORD_LIMIT: usize = 16 * 1024 * 1024;
const PAGE_LIMIT: usize = 64 * 1024 * 1024;
const CONCURRENT_READS: usize = 16;

/// An archive that exists and is of a format that this build reads.
#[derive(Debug, Clone)]
pub struct ArchiveReader {
    store: Arc<dyn ObjectStore>,
    /// Where `control/` lies.
    control: Arc<dyn ObjectStore>,
    marker: ArchiveMarker,
    identities: Option<Arc<Identities>>,
    /// Of the lineages for which somebody asked.
    recipients: Arc<tokio::sync::Mutex<HashMap<LineageId, Arc<[RecipientsRecord]>>>>,
}

impl ArchiveReader {
    pub async fn open(store: Arc<dyn ObjectStore>) -> Result<Self> {
        let key = ObjectKey::Archive.to_string();
        let bytes = store.get_bytes(&key, RECORD_LIMIT).await?.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, "there is no archive here")
                .at(store.location())
                .because("archive.json does not exist: the URL is wrong, or nothing was ever archived to it")
                .then("check --archive; `sidecar run` makes the archive")
        })?;
        let marker = ArchiveMarker::from_json(&bytes).map_err(|error| record_failure(&error, &*store, &key))?;
        Ok(Self { control: Arc::clone(&store), store, marker, identities: None, recipients: Arc::default() })
    }

    /// Mutable objects lie in another place, because the archive itself cannot be overwritten.
    #[must_use]
    pub fn with_control(self, control: Arc<dyn ObjectStore>) -> Self {
        Self { control, ..self }
    }

    /// Where the mutable objects are.
    pub fn control(&self) -> &Arc<dyn ObjectStore> {
        &self.control
    }

    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    pub fn id(&self) -> &str {
        &self.marker.archive_id
    }

    /// Everything that the archive's listing says about a lineage.
    pub async fn catalog(&self, lineage: &LineageId) -> Result<Catalog> {
        let mut catalog = Catalog::new(lineage.clone());
        // Before everything else: what is archived meanwhile must not look like a loss.
        match self.high_water(lineage).await {
            Ok(mark) => catalog.high_water = mark,
            Err(finding) => catalog.unusable.push(finding),
        }
        // Before the slices: a snapshot that is published meanwhile must not look like one without its oplog.
        let folders = self.store.list_folders(&ObjectKey::snapshots_prefix(lineage)).await?;
        let manifests: Vec<_> = stream::iter(folders.iter().filter_map(|folder| folder.parse::<SnapshotId>().ok()))
            .map(|snapshot| self.published(lineage, snapshot))
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        for (key, manifest) in manifests {
            match manifest {
                Some(Ok(PublishedManifest::Complete(manifest))) => catalog.snapshots.push(manifest.summary()),
                // Without a manifest, or with an abandoned one, it is no snapshot.
                Some(Ok(PublishedManifest::Abandoned(_))) | None => {}
                Some(Err(problem)) => catalog.unusable.push(finding(key, problem)),
            }
        }
        self.add_slices(&mut catalog).await?;
        for object in self.store.list_all(&ObjectKey::gaps_prefix(lineage)).await? {
            let gap = match self.store.get_bytes(&object.key, RECORD_LIMIT).await? {
                Some(bytes) => Gap::from_json(&bytes).map_err(|error| error.to_string()),
                None => continue,
            };
            match gap {
                Ok(gap) => catalog.gaps.push(gap),
                Err(problem) => catalog.unusable.push(finding(object.key, problem)),
            }
        }
        Ok(catalog)
    }

    /// How far the archive once reached. It is only a hint, so a mark that cannot be read or used never stops anybody.
    pub async fn high_water(&self, lineage: &LineageId) -> Result<Option<HighWater>, Finding> {
        let key = HighWater::key(lineage).to_string();
        match self.control.get_bytes(&key, RECORD_LIMIT).await {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => HighWater::from_json(&bytes).map(Some).map_err(|error| finding(key, error.to_string())),
            Err(error) => Err(finding(key, format!("it cannot be read: {error}"))),
        }
    }

    async fn published(
        &self,
        lineage: &LineageId,
        snapshot: SnapshotId,
    ) -> Result<(String, Option<Result<PublishedManifest, String>>)> {
        let key = ObjectKey::Manifest { lineage: lineage.clone(), snapshot: snapshot.clone() }.to_string();
        let Some(bytes) = self.store.get_bytes(&key, RECORD_LIMIT).await? else { return Ok((key, None)) };
        let manifest = PublishedManifest::from_json(&bytes).map_err(|error| error.to_string()).and_then(|manifest| {
            let named = match &manifest {
                PublishedManifest::Complete(m) => m.snapshot == snapshot && m.lineage == *lineage,
                PublishedManifest::Abandoned(m) => m.snapshot == snapshot && m.lineage == *lineage,
            };
            if named { Ok(manifest) } else { Err("it is the manifest of another snapshot".to_owned()) }
        });
        Ok((key, Some(manifest)))
    }

    /// The manifest of a complete snapshot.
    pub async fn manifest(&self, lineage: &LineageId, snapshot: &SnapshotId) -> Result<SnapshotManifest> {
        let (key, manifest) = self.published(lineage, snapshot.clone()).await?;
        match manifest {
            Some(Ok(PublishedManifest::Complete(manifest))) => Ok(*manifest),
            Some(Err(problem)) => {
                Err(Failure::integrity(format!("the manifest cannot be used: {problem}")).at(self.place(&key)))
            }
            Some(Ok(PublishedManifest::Abandoned(_))) | None => {
                Err(Failure::new(FailureKind::NotFound, format!("there is no complete snapshot `{snapshot}`"))
                    .at(self.place(&key))
                    .because("it was never finished, or it is expired")
                    .then("dr-cli list"))
            }
        }
    }

    /// The collections of one page of a snapshot, checked against what the manifest says about it.
    pub async fn collections(&self, manifest: &SnapshotManifest, page: usize) -> Result<Vec<CollectionRecord>> {
        let record = &manifest.pages[page];
        let header =
            PageHeader { lineage: manifest.lineage.clone(), snapshot: manifest.snapshot.clone(), page: record.page };
        let object = header.key(manifest.is_encrypted());
        let key = object.to_string();
        let unreadable = |error: ContentError| error.into_failure("the snapshot's collection list", self.place(&key));
        let bytes = self.whole(&object, PAGE_LIMIT).await.map_err(unreadable)?.ok_or_else(|| {
            Failure::integrity(format!("`{key}`, a part of the snapshot's collection list, is missing"))
                .at(self.place(&key))
        })?;
        let damaged = |problem: String| {
            Failure::integrity(format!("`{key}`, a part of the snapshot's collection list, cannot be used: {problem}"))
                .at(self.place(&key))
        };
        let (collections, totals) = decode_page(&header, &bytes).map_err(|error| damaged(error.to_string()))?;
        if totals.sha256 != record.sha256 || totals.documents != record.collections {
            return Err(damaged("it is not the page that the manifest means".into()));
        }
        Ok(collections)
    }

    /// All collections of a snapshot.
    pub async fn all_collections(&self, manifest: &SnapshotManifest) -> Result<Vec<CollectionRecord>> {
        let mut collections = Vec::new();
        for page in 0..manifest.pages.len() {
            collections.extend(self.collections(manifest, page).await?);
        }
        Ok(collections)
    }

    /// The plan for a target, starting from the snapshot `from` when it is given. A snapshot of which an object is missing
    /// is passed over, with a note.
    pub async fn plan(
        &self,
        lineage: &LineageId,
        target: &RestoreTarget,
        from: Option<&SnapshotId>,
    ) -> Result<RestorePlan> {
        let catalog = self.catalog(lineage).await?;
        let Some(from) = from else { return self.plan_of(catalog, target).await };
        if !catalog.snapshots.iter().any(|snapshot| snapshot.id == *from) {
            // It says that there is no such snapshot, and which ones there are.
            return self.plan_of(catalog, &RestoreTarget::Snapshot(from.clone())).await;
        }
        let mut plan = self.plan_of(catalog.with_only(from), target).await?;
        plan.snapshot.named = true;
        Ok(plan)
    }

    async fn plan_of(&self, mut catalog: Catalog, target: &RestoreTarget) -> Result<RestorePlan> {
        loop {
            let plan = plan_restore(&catalog, target).map_err(|refusal| self.refusal(&refusal))?;
            match self.missing_object(&catalog.lineage, &plan.snapshot.id).await {
                Ok(None) => return Ok(plan),
                Ok(Some(problem)) => mark_damaged(&mut catalog, &plan.snapshot.id, &problem),
                Err(failure) if failure.kind == FailureKind::Integrity => {
                    mark_damaged(&mut catalog, &plan.snapshot.id, &failure.what);
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// The next command for somebody whose plan cannot be carried out because its snapshot is damaged.
    pub async fn without_snapshot(&self, plan: &RestorePlan) -> Result<String> {
        let invalid = |error: ParseTargetError| Failure::new(FailureKind::Unexpected, error.to_string());
        let target: RestoreTarget = plan.target.requested.parse().map_err(invalid)?;
        let mut catalog = self.catalog(&plan.lineage).await?;
        mark_damaged(&mut catalog, &plan.snapshot.id, "an object of it cannot be used");
        match self.plan_of(catalog, &target).await {
            Ok(other) => Ok(format!("dr-cli restore --to {target} --snapshot {} --destination URI", other.snapshot.id)),
            Err(refusal) => Ok(refusal.next),
        }
    }

    /// What is missing of a snapshot, or has another size, by listing alone.
    pub async fn missing_object(&self, lineage: &LineageId, snapshot: &SnapshotId) -> Result<Option<String>> {
        let manifest = self.manifest(lineage, snapshot).await?;
        let prefix = ObjectKey::segments_prefix(lineage, snapshot);
        let stored: HashMap<String, u64> =
            self.store.list_all(&prefix).await?.into_iter().map(|object| (object.key, object.size)).collect();
        for page in 0..manifest.pages.len() {
            let collections = match self.collections(&manifest, page).await {
                Ok(collections) => collections,
                // Which ones there should be is not known without the key, but how many and how large they are.
                Err(failure) if failure.kind == FailureKind::Key => return Ok(missing_by_totals(&manifest, &stored)),
                Err(failure) => return Err(failure),
            };
            for collection in collections {
                for segment in &collection.segments {
                    let key = segment_key(&manifest, &collection, segment.part).to_string();
                    match stored.get(&key) {
                        Some(size) if *size == segment.stored_bytes => {}
                        Some(size) => {
                            let stated = segment.stored_bytes;
                            return Ok(Some(format!("`{key}` has {size} bytes, {stated} were written")));
                        }
                        None => return Ok(Some(format!("`{key}` is missing"))),
                    }
                }
            }
        }
        Ok(None)
    }

    fn refusal(&self, refusal: &NotRestorable) -> Failure {
        let kind = match refusal.exit_code() {
            3 => FailureKind::NotFound,
            5 => FailureKind::Integrity,
            _ => FailureKind::NotRestorable,
        };
        let nearest = match refusal.nearest {
            none if none == Nearest::default() => String::new(),
            nearest => format!(". {nearest}"),
        };
        Failure::new(kind, refusal.what())
            .at(format!("{} in {}", refusal.place(), self.store.location()))
            .because(format!("{}{nearest}", refusal.cause()))
            .then(refusal.next())
    }

    /// An object of this archive, for messages.
    pub fn place(&self, key: &str) -> String {
        format!("{key} in {}", self.store.location())
    }
}

/// What the manifest alone says about segments that are gone.
fn missing_by_totals(manifest: &SnapshotManifest, stored: &HashMap<String, u64>) -> Option<String> {
    let (count, bytes) = (stored.len() as u64, stored.values().sum::<u64>());
    let totals = &manifest.totals;
    // Segments of an interrupted scan may lie there besides.
    (count < totals.segments || bytes < totals.stored_bytes).then(|| {
        let (segments, stored_bytes) = (totals.segments, totals.stored_bytes);
        format!("{count} segments of {bytes} bytes are there, {segments} of {stored_bytes} were written")
    })
}

/// The key of a collection's segment in a snapshot.
pub fn segment_key(manifest: &SnapshotManifest, collection: &CollectionRecord, part: u32) -> ObjectKey {
    ObjectKey::Segment {
        lineage: manifest.lineage.clone(),
        snapshot: manifest.snapshot.clone(),
        uuid: collection.uuid,
        part,
        encrypted: manifest.is_encrypted(),
    }
}

pub(crate) fn mark_damaged(catalog: &mut Catalog, snapshot: &SnapshotId, problem: &str) {
    for summary in catalog.snapshots.iter_mut().filter(|summary| summary.id == *snapshot) {
        summary.damaged = Some(problem.to_owned());
    }
}

fn finding(object: String, problem: impl Into<String>) -> Finding {
    Finding { object, problem: problem.into() }
}

fn record_failure(error: &archive::json_record::RecordError, store: &dyn ObjectStore, key: &str) -> Failure {
    Failure::integrity(format!("an object of the archive cannot be read: {error}"))
        .at(format!("{key} in {}", store.location()))
}
