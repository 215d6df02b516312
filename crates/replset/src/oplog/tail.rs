//! Follows the oplog with a tailable cursor.

use std::time::Duration;

use archive::ClusterTime;
use bson::RawDocument;
use mongodb::raw_batch_cursor::RawBatch;

use super::{entry_op_time, oldest_entry, overrun};
use crate::connect::{Batches, Connection, CursorSettings, operation_time};
use crate::error::{ErrorKind, ReplsetError, Result};
use crate::raw::{RawDocuments, RawWriter};

#[derive(Debug, Clone)]
pub struct TailOptions {
    /// Without new entries an empty batch comes after this long.
    pub await_data: Duration,
    /// Entries per batch; by default as many as fit into a reply of 16 MB.
    pub batch_entries: Option<u32>,
}

impl Default for TailOptions {
    fn default() -> Self {
        Self { await_data: Duration::from_secs(1), batch_entries: None }
    }
}

/// One reply: owns the bytes, the entries are slices of it.
#[derive(Debug, Clone)]
pub struct OplogBatch {
    batch: RawBatch,
    pub operation_time: ClusterTime,
}

impl OplogBatch {
    pub fn entries(&self) -> Result<RawDocuments<'_>> {
        RawDocuments::of_reply(self.batch.as_raw_document())
    }

    /// The entries up to and including `limit`, and whether one behind it was seen.
    pub fn entries_through(&self, limit: ClusterTime) -> Result<(Vec<&RawDocument>, bool)> {
        let mut entries = Vec::new();
        for entry in self.entries()? {
            let entry = entry?;
            if entry_op_time(entry)?.ts > limit {
                return Ok((entries, true));
            }
            entries.push(entry);
        }
        Ok((entries, false))
    }

    /// Size of the reply in memory.
    pub fn bytes(&self) -> usize {
        self.batch.as_raw_document().as_bytes().len()
    }
}

/// The majority-committed entries from a position on, without end.
pub struct OplogTail {
    cursor: Batches,
    member: Connection,
    options: TailOptions,
    from: ClusterTime,
    last: Option<ClusterTime>,
    /// Whether the cursor was opened again, behind entries that were seen already.
    is_reopened: bool,
    /// Whether the last batch had an entry behind those.
    is_moving: bool,
}

impl std::fmt::Debug for OplogTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OplogTail").field("from", &self.from).field("last", &self.last).finish_non_exhaustive()
    }
}

/// Opens the tail at `from`, inclusive: when the entry at `from` exists it comes first, which proves continuity.
///
/// A member whose oplog ends before `from` yields empty batches until it has caught up. When the oldest entry is
/// newer than `from`, the first batch is `OplogOverrun`.
pub async fn tail(member: &Connection, from: ClusterTime, options: TailOptions) -> Result<OplogTail> {
    let cursor = open(member, from, &options).await?;
    let member = member.clone();
    Ok(OplogTail { cursor, member, options, from, last: None, is_reopened: false, is_moving: false })
}

async fn open(member: &Connection, from: ClusterTime, options: &TailOptions) -> Result<Batches> {
    let batch_size = options.batch_entries.map_or(i32::MAX, |count| i32::try_from(count).unwrap_or(i32::MAX));
    let mut command = RawWriter::default();
    command.str("find", "oplog.rs").begin_document("filter").begin_document("ts").timestamp("$gte", from).end().end();
    command.bool("tailable", true).bool("awaitData", true).i32("batchSize", batch_size);
    command.begin_document("readConcern").str("level", "majority").end();
    let settings = CursorSettings { await_data: Some(options.await_data), batch_documents: options.batch_entries };
    member.batches("local", "follow the oplog", command.finish(), settings).await
}

impl OplogTail {
    /// The next batch, empty when nothing was committed for a while; it may begin with entries of the one before. Nothing
    /// useful follows an error: open a new tail.
    pub async fn next_batch(&mut self) -> Result<OplogBatch> {
        let batch = loop {
            match self.cursor.next().await {
                Ok(Some(batch)) => break batch,
                Ok(None) => self.reopen().await?,
                Err(error) => {
                    let position = self.last.unwrap_or(self.from);
                    return Err(explain(&self.member, position, error).await);
                }
            }
        };
        let batch = OplogBatch { operation_time: operation_time(batch.as_raw_document()).unwrap_or_default(), batch };
        let (mut first, mut last) = (None, None);
        for entry in batch.entries()? {
            let ts = entry_op_time(entry?)?.ts;
            first.get_or_insert(ts);
            last = Some(ts);
        }
        if let Some(first) = first
            && std::mem::take(&mut self.is_reopened)
            && self.last.is_some_and(|last| first != last)
        {
            return Err(self.lost("the entry that was read last is not there any more"));
        }
        if self.last.is_none() && first.is_some_and(|first| first > self.from) {
            refuse_overrun(&self.member, self.from).await?;
        }
        self.is_moving = last > self.last;
        self.last = last.or(self.last);
        Ok(batch)
    }

    /// A server that was killed before its first checkpoint can count its oplog as empty until it is restarted, and then
    /// ends every tailable cursor behind its first batch (seen on 6.0.5).
    async fn reopen(&mut self) -> Result<()> {
        if !self.is_moving {
            tokio::time::sleep(self.options.await_data).await;
        }
        self.cursor = open(&self.member, self.last.unwrap_or(self.from), &self.options).await?;
        (self.is_reopened, self.is_moving) = (true, false);
        Ok(())
    }

    fn lost(&self, detail: &str) -> ReplsetError {
        ReplsetError::new(ErrorKind::CursorLost, "follow the oplog", self.member.server(), detail)
    }
}

// The cursor cannot be shared between threads: no reference to the tail itself may be held while these wait.

/// The first entry is newer than asked for: because `from` is no entry, or because it was overwritten.
async fn refuse_overrun(member: &Connection, from: ClusterTime) -> Result<()> {
    let Some(oldest) = oldest_entry(member).await? else { return Ok(()) };
    let oldest = entry_op_time(&oldest)?.ts;
    if oldest > from {
        return Err(overrun(member, from, &format!("its oldest entry is {oldest}")));
    }
    Ok(())
}

async fn explain(member: &Connection, position: ClusterTime, error: ReplsetError) -> ReplsetError {
    if *error.kind() != ErrorKind::CursorLost {
        return error;
    }
    // A cursor that was forgotten can be opened again; one whose position was overwritten cannot.
    match oldest_entry(member).await {
        Ok(Some(oldest)) if entry_op_time(&oldest).is_ok_and(|oldest| oldest.ts > position) => {
            overrun(member, position, error.detail())
        }
        _ => error,
    }
}
