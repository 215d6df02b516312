//! The snapshots of a lineage: manifest, pages, segments.

use std::collections::{HashMap, HashSet};

use archive::catalog::Catalog;
use archive::collection_page::{CollectionRecord, SegmentRecord};
use archive::coverage::Coverage;
use archive::layout::ObjectKey;
use archive::manifest::{PublishedManifest, SnapshotManifest, SnapshotStart, SnapshotTotals};
use archive::{LineageId, SnapshotId};
use futures::{StreamExt, stream};
use store::ObjectStoreExt;

use super::content::{prove_segment, task_failed};
use super::records::RECORD_LIMIT;
use super::{Context, VerifyLevel};
use crate::archive_reader::segment_key;
use crate::failure::{FailureKind, Result};
use crate::progress::Unit;

/// Objects of a snapshot by key, with their size; what has been accounted for is taken out.
type Listed = HashMap<String, u64>;

/// Whether the lists of a snapshot's collections could be read, or need a key that nobody gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lists {
    Open,
    Closed,
}

/// The snapshots that have a manifest. Asked before the slices are listed: those that are published later need later ones.
pub(super) async fn published(context: &Context<'_>, lineage: &LineageId) -> Result<HashSet<SnapshotId>> {
    let mut published = HashSet::new();
    for folder in context.reader.store().list_folders(&ObjectKey::snapshots_prefix(lineage)).await? {
        let Ok(snapshot) = folder.parse::<SnapshotId>() else { continue };
        let key = ObjectKey::Manifest { lineage: lineage.clone(), snapshot: snapshot.clone() };
        if context.reader.store().head(&key.to_string()).await?.is_some() {
            published.insert(snapshot);
        }
    }
    Ok(published)
}

/// Verifies every snapshot and adds the complete ones to the catalog.
pub(super) async fn verify_all(
    context: &mut Context<'_>,
    catalog: &mut Catalog,
    published: &HashSet<SnapshotId>,
) -> Result<()> {
    let coverage = Coverage::of_catalog(catalog);
    let prefix = ObjectKey::snapshots_prefix(&catalog.lineage);
    for folder in context.reader.store().list_folders(&prefix).await? {
        let Ok(snapshot) = folder.parse::<SnapshotId>() else {
            context.findings.note(format!("{prefix}{folder}"), "a foreign folder");
            continue;
        };
        let Some((manifest, is_damaged)) = verify_one(context, catalog, &snapshot).await? else { continue };
        let mut summary = manifest.summary();
        // It opens no restore window then.
        summary.damaged = is_damaged.then(|| "its collections are not all sound".to_owned());
        if published.contains(&snapshot)
            && let Some(problem) = coverage.lacks_oplog_of(manifest.begin, manifest.end)
        {
            context.findings.add(manifest.key().to_string(), problem);
        }
        catalog.snapshots.push(summary);
    }
    Ok(())
}

/// The manifest, when there is one that can be used, and whether something that it names is damaged.
async fn verify_one(
    context: &mut Context<'_>,
    catalog: &Catalog,
    snapshot: &SnapshotId,
) -> Result<Option<(SnapshotManifest, bool)>> {
    let lineage = &catalog.lineage;
    let prefix = ObjectKey::snapshot_prefix(lineage, snapshot);
    let objects = context.reader.store().list_all(&prefix).await?;
    let mut listed: Listed = objects.into_iter().map(|object| (object.key, object.size)).collect();
    let key = ObjectKey::Manifest { lineage: lineage.clone(), snapshot: snapshot.clone() }.to_string();
    verify_start(context, catalog, snapshot, &mut listed).await?;
    if listed.remove(&key).is_none() {
        let what = format!("an unfinished snapshot of {} objects: it has no manifest", listed.len());
        context.findings.note(prefix, what);
        return Ok(None);
    }
    let Some(bytes) = context.reader.store().get_bytes(&key, RECORD_LIMIT).await? else { return Ok(None) };
    context.findings.checked(bytes.len() as u64);
    let manifest = match PublishedManifest::from_json(&bytes) {
        Ok(PublishedManifest::Complete(manifest)) => *manifest,
        Ok(PublishedManifest::Abandoned(abandoned)) => {
            context.findings.note(prefix, format!("an abandoned snapshot: {}", abandoned.reason));
            return Ok(None);
        }
        Err(error) => {
            context.findings.add(key, error.to_string());
            return Ok(None);
        }
    };
    if manifest.lineage != *lineage || manifest.snapshot != *snapshot {
        context.findings.add(key, format!("it is the manifest of `{}`", manifest.key()));
        return Ok(None);
    }
    if manifest.archive_id != context.reader.id() {
        context.findings.add(key.clone(), format!("it was written for another archive, {}", manifest.archive_id));
    }
    let wrong_before = context.findings.wrong();
    if verify_collections(context, &manifest, &key, &mut listed).await? == Lists::Closed {
        verify_closed(context, &manifest, &key, &mut listed);
    }
    let is_damaged = context.findings.wrong() > wrong_before;
    for foreign in listed.into_keys() {
        context.findings.note(foreign, "it lies in the snapshot but is not part of it");
    }
    Ok(Some((manifest, is_damaged)))
}

async fn verify_start(
    context: &mut Context<'_>,
    catalog: &Catalog,
    snapshot: &SnapshotId,
    listed: &mut Listed,
) -> Result<()> {
    let key = ObjectKey::SnapshotStart { lineage: catalog.lineage.clone(), snapshot: snapshot.clone() }.to_string();
    if listed.remove(&key).is_none() {
        return Ok(());
    }
    let Some(bytes) = context.reader.store().get_bytes(&key, RECORD_LIMIT).await? else { return Ok(()) };
    context.findings.checked(bytes.len() as u64);
    match SnapshotStart::from_json(&bytes) {
        Ok(start) if start.key().to_string() == key => {}
        Ok(start) => context.findings.add(key, format!("it is the start record of `{}`", start.snapshot)),
        Err(error) => context.findings.add(key, error.to_string()),
    }
    Ok(())
}

async fn verify_collections(
    context: &mut Context<'_>,
    manifest: &SnapshotManifest,
    manifest_key: &str,
    listed: &mut Listed,
) -> Result<Lists> {
    context.progress.phase("snapshot", Some(manifest.totals.stored_bytes), Unit::Bytes);
    let mut totals = SnapshotTotals::default();
    let (mut complete, mut lists) = (true, Lists::Open);
    let mut uuids = HashSet::new();
    for (number, page) in manifest.pages.iter().enumerate() {
        let (lineage, snapshot) = (manifest.lineage.clone(), manifest.snapshot.clone());
        let key = ObjectKey::Collections { lineage, snapshot, page: page.page, encrypted: manifest.is_encrypted() }
            .to_string();
        let stored = listed.remove(&key);
        let problem = match stored {
            None => Some("it is missing".to_owned()),
            Some(size) if size != page.stored_bytes => {
                Some(format!("it has {size} bytes, {} were written", page.stored_bytes))
            }
            Some(_) => None,
        };
        if let Some(problem) = problem {
            complete = false;
            context.findings.add(key, problem);
            continue;
        }
        let collections = match context.reader.collections(manifest, number).await {
            Ok(collections) => collections,
            Err(failure) if failure.kind == FailureKind::Key => {
                (complete, lists) = (false, Lists::Closed);
                context.findings.needs_key(page.stored_bytes, &manifest.encryption.recipients);
                continue;
            }
            Err(failure) if failure.kind == FailureKind::Integrity => {
                complete = false;
                context.findings.checked(page.stored_bytes);
                context.findings.add(key, failure.what);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        context.findings.checked(page.stored_bytes);
        for collection in &collections {
            if !uuids.insert(collection.uuid) {
                context.findings.add(key.clone(), format!("it lists collection {} twice", collection.uuid));
            }
            add(&mut totals, collection);
        }
        verify_segments(context, manifest, &collections, listed).await?;
    }
    if complete && totals != manifest.totals {
        context.findings.add(manifest_key, format!("its totals are not those of its collections: {totals:?}"));
    }
    Ok(lists)
}

fn add(totals: &mut SnapshotTotals, collection: &CollectionRecord) {
    totals.collections += 1;
    totals.segments += collection.segments.len() as u64;
    totals.documents = totals.documents.saturating_add(collection.documents());
    totals.bytes = totals.bytes.saturating_add(collection.bytes());
    totals.stored_bytes = totals.stored_bytes.saturating_add(collection.stored_bytes());
}

async fn verify_segments(
    context: &mut Context<'_>,
    manifest: &SnapshotManifest,
    collections: &[CollectionRecord],
    listed: &mut Listed,
) -> Result<()> {
    let is_listing = context.options.level == VerifyLevel::List;
    let mut chosen: Vec<(ObjectKey, SegmentRecord)> = Vec::new();
    for collection in collections {
        for segment in &collection.segments {
            let key = segment_key(manifest, collection, segment.part);
            let text = key.to_string();
            match listed.remove(&text) {
                None => context.findings.add(text, format!("it is missing (`{}`)", collection.namespace)),
                Some(0) => context.findings.add(text, format!("it is empty (`{}`)", collection.namespace)),
                Some(size) if size != segment.stored_bytes => {
                    let stated = segment.stored_bytes;
                    let namespace = &collection.namespace;
                    context.findings.add(text, format!("it has {size} bytes, {stated} were written (`{namespace}`)"));
                }
                Some(size) if is_listing => context.findings.checked(size),
                Some(_) if context.options.sample.holds(&text) => chosen.push((key, *segment)),
                Some(size) => context.findings.left_out(size),
            }
        }
    }
    let decode = context.options.level == VerifyLevel::Decode;
    let tasks = chosen.into_iter().map(|(key, segment)| {
        let work = prove_segment(context.reader.clone(), key.clone(), segment.totals(), decode);
        async move { (key, segment, tokio::spawn(work).await) }
    });
    let mut proven = stream::iter(tasks).buffered(context.options.concurrency);
    while let Some((key, segment, outcome)) = proven.next().await {
        context.progress.advance(segment.stored_bytes);
        let outcome = outcome.map_err(|error| task_failed(&error))?;
        context.account(&key, segment.stored_bytes, outcome)?;
    }
    Ok(())
}

/// Without the key of its lists nobody knows which segments a snapshot has; the manifest still says how many, and how large.
fn verify_closed(context: &mut Context<'_>, manifest: &SnapshotManifest, manifest_key: &str, listed: &mut Listed) {
    let prefix = ObjectKey::segments_prefix(&manifest.lineage, &manifest.snapshot);
    let segments: Vec<(String, u64)> = listed.extract_if(|key, _| key.starts_with(&prefix)).collect();
    let bytes: u64 = segments.iter().map(|(_, size)| size).sum();
    let totals = &manifest.totals;
    if (segments.len() as u64) < totals.segments || bytes < totals.stored_bytes {
        let (count, there) = (totals.segments, segments.len());
        let problem =
            format!("of its {count} segments with {} bytes {there} with {bytes} are there", totals.stored_bytes);
        context.findings.add(manifest_key, problem);
    }
    for (_, size) in segments {
        context.findings.needs_key(size, &manifest.encryption.recipients);
    }
}
