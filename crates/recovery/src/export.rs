//! Writes a moment as the folder that `mongodump` would have written, for those who have `mongorestore` and not us.
//!
//! The same plan and the same survey as a restore: what every collection is at the target is known before the first
//! byte is written. So the folder has each collection under its name at the target, with the documents of the snapshot,
//! and `oplog.bson` has nothing but the inserts, updates and deletes that are still to be applied to them, by that name.
//! Renames, drops and re-created collections are settled here; replaying them by name would not be right. Users, roles
//! and views are few, so they are written as they are at the target.

mod definitions;
mod folder;
mod layout;
mod oplog;
mod report;

use std::path::Path;
use std::sync::Arc;

use archive::collection_page::CollectionRecord;
use archive::manifest::SnapshotManifest;
use archive::plan::RestorePlan;
use futures::{TryStreamExt, stream};

use crate::archive_reader::{ArchiveReader, segment_key};
use crate::failure::Result;
use crate::holds::protect;
use crate::progress::{Progress, Unit};
use crate::restore::survey::{self, Window};
use crate::segment_blocks::SegmentBlocks;

pub use report::{ExportCounts, ExportReport, ExportedOplog};

use definitions::Definitions;
use folder::Folder;
use layout::{Layout, Role};

/// Each holds about one decompressed block.
const CONCURRENT: usize = 4;

/// What everything that writes works with.
struct Export<'a> {
    reader: &'a ArchiveReader,
    progress: &'a dyn Progress,
    plan: &'a RestorePlan,
    manifest: &'a SnapshotManifest,
    window: &'a Window,
    layout: &'a Layout<'a>,
    folder: &'a Folder,
}

/// Writes what `plan` restores into the folder `out`, which must be new or empty.
///
/// It is written beside `out` under another name, and has its own name only when everything is there and on the disk.
pub async fn export(
    reader: &ArchiveReader,
    plan: &RestorePlan,
    out: &Path,
    progress: Arc<dyn Progress>,
) -> Result<ExportReport> {
    let folder = Folder::begin(out)?;
    let protection = protect(reader, plan, "an export").await?;
    if let Some(warning) = protection.warning() {
        progress.note(warning);
    }
    let manifest = reader.manifest(&plan.lineage, &plan.snapshot.id).await?;
    let window = survey::survey(reader, &*progress, plan, &manifest).await?;
    let layout = Layout::of(&window)?;
    let export = Export {
        reader,
        progress: &*progress,
        plan,
        manifest: &manifest,
        window: &window,
        layout: &layout,
        folder: &folder,
    };
    let mut definitions = export.definitions().await?;
    export.collections().await?;
    let oplog = oplog::write(&export, &mut definitions).await?;
    let written = definitions.write(&export).await?;
    folder.write(Path::new("prelude.json"), prelude(&manifest.server_version).as_bytes()).await?;
    let report = ExportReport::new(&export, oplog, &written);
    progress.phase("sync", None, Unit::Items);
    folder.finish()?;
    protection.release().await;
    Ok(report)
}

/// Which server the dump is from, for `mongorestore` 100.12 and newer: it judges users and roles by it.
fn prelude(server_version: &str) -> String {
    serde_json::json!({ "ServerVersion": server_version, "ToolVersion": concat!("tidemark ", env!("CARGO_PKG_VERSION")) })
        .to_string()
}

impl Export<'_> {
    /// Users, roles and views of the snapshot.
    async fn definitions(&self) -> Result<Definitions> {
        let mut definitions = Definitions::default();
        for record in &self.window.records {
            let Some(entry) = self.layout.get(record.uuid).filter(|entry| entry.role != Role::Data) else { continue };
            for segment in &record.segments {
                let key = segment_key(self.manifest, record, segment.part);
                let mut blocks = SegmentBlocks::open(self.reader, &key, segment).await?;
                while let Some(block) = blocks.next().await? {
                    block.documents().try_for_each(|document| definitions.load(entry, document))?;
                }
            }
        }
        Ok(definitions)
    }

    /// The files of every collection, several at a time.
    async fn collections(&self) -> Result<()> {
        let total = self.window.records.iter().map(CollectionRecord::bytes).sum();
        self.progress.phase("export", Some(total), Unit::Bytes);
        let data = self.layout.entries().filter(|entry| entry.role == Role::Data).map(Ok);
        stream::iter(data).try_for_each_concurrent(CONCURRENT, |entry| self.collection(entry)).await?;
        Ok(())
    }

    async fn collection(&self, entry: &layout::Entry<'_>) -> Result<()> {
        self.folder.write(&entry.metadata_file, entry.metadata.as_bytes()).await?;
        // One that was created in the window has no documents yet, and still a file: mongorestore goes by files.
        let mut file = self.folder.create(&entry.data_file).await?;
        let segments = entry.record.iter().flat_map(|record| record.segments.iter().map(move |one| (record, one)));
        for (record, segment) in segments {
            let key = segment_key(self.manifest, record, segment.part);
            let mut blocks = SegmentBlocks::open(self.reader, &key, segment).await?;
            while let Some(block) = blocks.next().await? {
                self.progress.advance(block.bytes().len() as u64);
                file.write(block.into_bytes()).await?;
            }
        }
        file.close().await
    }
}
