//! `oplog.bson`: what is still to be done to the documents of the snapshot, one operation to an entry.
//!
//! Transactions are resolved (only what they committed is there), and every entry names its collection as it is called at
//! the target. What a restore leaves out is left out here as well: entries of dropped collections, and inserts that the
//! scan of a capped collection has seen.

use std::path::Path;

use archive::ClusterTime;
use archive::catalog::Finding;
use archive::oplog::{Entry as OplogEntry, EntryError, OpKind, Operation, TransactionRole};
use bson::raw::cstr;
use bson::{RawDocument, RawDocumentBuf, Timestamp};

use super::Export;
use super::definitions::Definitions;
use super::folder::DumpFile;
use super::layout::{Entry, Role};
use super::report::ExportedOplog;
use crate::failure::{Failure, Result};
use crate::oplog_stream::{OplogEvent, OplogStream};
use crate::progress::Unit;
use crate::restore::survey::entry_time;

const NAME: &str = "oplog.bson";
const BUFFER: usize = 1 << 20;
/// The version of the oplog's format.
const VERSION: i64 = 2;

/// Written even when it is empty: without it `mongorestore --oplogReplay` refuses the folder.
pub async fn write(export: &Export<'_>, definitions: &mut Definitions) -> Result<ExportedOplog> {
    export.progress.phase("oplog", Some(export.window.slice_bytes), Unit::Bytes);
    let file = export.folder.create(Path::new(NAME)).await?;
    let mut writer = Writer {
        export,
        file,
        buffer: Vec::new(),
        position: export.window.snapshot_begin,
        done: ExportedOplog::default(),
    };
    if export.window.snapshot_begin < export.window.last_entry {
        writer.window(definitions).await?;
    }
    writer.option_changes();
    writer.flush(0).await?;
    let Writer { file, mut done, .. } = writer;
    done.bytes = file.bytes();
    file.close().await?;
    Ok(done)
}

struct Writer<'a> {
    export: &'a Export<'a>,
    file: DumpFile,
    buffer: Vec<u8>,
    /// The last entry that was looked at; slices may overlap.
    position: ClusterTime,
    done: ExportedOplog,
}

/// What all entries have.
#[derive(Clone, Copy)]
struct Stamp {
    at: ClusterTime,
    term: i64,
    wall_ms: Option<i64>,
}

impl Writer<'_> {
    async fn window(&mut self, definitions: &mut Definitions) -> Result<()> {
        let (plan, last) = (self.export.plan, self.export.window.last_entry);
        let mut stream = OplogStream::open(self.export.reader.clone(), plan.lineage.clone(), plan.slices.clone());
        // To the end: a slice proves itself only there.
        while let Some(event) = stream.next().await? {
            match event {
                OplogEvent::Entries(block) => {
                    for entry in block.documents() {
                        let at = entry_time(entry)?;
                        if at > self.position && at <= last {
                            self.position = at;
                            self.entry(entry, definitions)?;
                            self.flush(BUFFER).await?;
                        }
                    }
                }
                OplogEvent::SliceEnd { stored_bytes, .. } => self.export.progress.advance(stored_bytes),
            }
        }
        Ok(())
    }

    fn entry(&mut self, raw: &RawDocument, definitions: &mut Definitions) -> Result<()> {
        let unreadable = |error: EntryError| Failure::integrity(format!("an oplog entry cannot be used: {error}"));
        let entry = OplogEntry::parse(raw).map_err(unreadable)?;
        if !self.export.window.resolution.transactions.applies(&entry) {
            return Ok(());
        }
        let by_hand = entry.operation.kind == OpKind::ApplyOps && entry.transaction_role() == TransactionRole::None;
        let stamp = Stamp { at: entry.at, term: entry.term, wall_ms: entry.wall_ms };
        let mut result = Ok(());
        entry
            .for_each_operation::<EntryError>(|operation| {
                if result.is_ok() {
                    result = self.operation(stamp, &operation, by_hand, definitions);
                }
                Ok(())
            })
            .map_err(unreadable)?;
        result
    }

    fn operation(
        &mut self,
        stamp: Stamp,
        operation: &Operation<'_>,
        by_hand: bool,
        definitions: &mut Definitions,
    ) -> Result<()> {
        let entry = operation.uuid.and_then(|uuid| self.export.layout.get(uuid));
        let Some(entry) = entry.filter(|_| operation.kind.is_crud()) else { return Ok(()) };
        if entry.role != Role::Data {
            return definitions.apply(entry, stamp.at, operation);
        }
        let seen = |through| stamp.at <= through;
        if operation.kind == OpKind::Insert && entry.collection.skip_inserts_through.is_some_and(seen) {
            return Ok(());
        }
        self.note_capped_update(stamp.at, operation, entry);
        let mut document = RawDocumentBuf::new();
        document.append(cstr!("op"), operation.code);
        document.append(cstr!("ns"), entry.collection.namespace.to_string());
        document.append(cstr!("ui"), entry.collection.uuid.to_binary());
        document.append(cstr!("o"), operation.o);
        if let Some(o2) = operation.o2 {
            document.append(cstr!("o2"), o2);
        }
        if operation.kind == OpKind::Update && (operation.upsert || by_hand) {
            document.append(cstr!("b"), true);
        }
        self.push(document, stamp);
        Ok(())
    }

    /// An update of a document that was evicted before the scan came by makes it again, at the cost of another one.
    fn note_capped_update(&mut self, at: ClusterTime, operation: &Operation<'_>, entry: &Entry<'_>) {
        let scanned = entry.record.filter(|_| entry.collection.capped).map(|record| record.scan.through);
        if operation.kind == OpKind::Update && scanned.is_some_and(|through| at <= through) {
            let object = entry.collection.namespace.to_string();
            if !self.done.findings.iter().any(|finding| finding.object == object) {
                let problem = "documents of this capped collection were updated while it was scanned; mongorestore may evict \
                               others in their place, `dr-cli restore` does not";
                self.done.findings.push(Finding { object, problem: problem.to_owned() });
            }
        }
    }

    /// Changes of options that only the server can carry out, after everything else. Those of time series are in the
    /// metadata already.
    fn option_changes(&mut self) {
        let last = Stamp { at: self.export.window.last_entry, term: -1, wall_ms: None };
        for entry in self.export.layout.entries().filter(|entry| entry.role == Role::Data) {
            let namespace = &entry.collection.namespace;
            for change in &entry.collection.coll_mods {
                let mut command = RawDocumentBuf::new();
                command.append(cstr!("collMod"), namespace.coll.as_str());
                let parts = change.iter().flatten().filter(|(name, _)| name.as_str() != "timeseries");
                let mut is_empty = true;
                for (name, value) in parts {
                    command.append(name, value);
                    is_empty = false;
                }
                if is_empty {
                    continue;
                }
                let mut document = RawDocumentBuf::new();
                document.append(cstr!("op"), "c");
                document.append(cstr!("ns"), format!("{}.$cmd", namespace.db));
                document.append(cstr!("ui"), entry.collection.uuid.to_binary());
                document.append(cstr!("o"), command);
                self.push(document, last);
            }
        }
    }

    fn push(&mut self, mut document: RawDocumentBuf, stamp: Stamp) {
        document.append(cstr!("ts"), Timestamp::from(stamp.at));
        if stamp.term >= 0 {
            document.append(cstr!("t"), stamp.term);
        }
        document.append(cstr!("v"), VERSION);
        if let Some(wall_ms) = stamp.wall_ms {
            document.append(cstr!("wall"), bson::DateTime::from_millis(wall_ms));
        }
        self.buffer.extend_from_slice(document.as_bytes());
        self.done.entries += 1;
        self.done.first.get_or_insert(stamp.at);
        self.done.last = Some(stamp.at);
    }

    /// Writes what is buffered when it is at least so much.
    async fn flush(&mut self, at_least: usize) -> Result<()> {
        if self.buffer.len() < at_least.max(1) {
            return Ok(());
        }
        self.file.write(std::mem::take(&mut self.buffer)).await
    }
}
