//! Reads `local.oplog.rs` raw: single entries, the tail up to the majority commit point, and where a snapshot may begin.
//!
//! An entry that is returned can never roll back: entries are read with read concern majority.

use archive::{ClusterTime, OpTime};
use bson::{RawDocument, RawDocumentBuf, rawdoc};

use crate::connect::{Connection, CursorSettings};
use crate::error::{ErrorKind, ReplsetError, Result};

mod begin;
mod tail;

pub use begin::{SafeBegin, begin_at_or_before, chain_head, safe_begin, transaction_start};
pub use tail::{OplogBatch, OplogTail, TailOptions, tail};

/// The fields of an entry that decide about continuity.
pub fn entry_op_time(entry: &RawDocument) -> Result<OpTime> {
    let malformed = |_| ReplsetError::protocol("read the oplog", "an entry has no `ts` and `t`");
    let ts = entry.get_timestamp("ts").map_err(malformed)?;
    // Entries of a set with protocol version 0 have no term.
    let term = entry.get_i64("t").or_else(|_| entry.get_i32("t").map(i64::from)).unwrap_or(-1);
    Ok(OpTime::new(ts.into(), term))
}

pub async fn oldest_entry(member: &Connection) -> Result<Option<RawDocumentBuf>> {
    first(member, rawdoc! {}, 1).await
}

/// The newest entry that is committed by a majority, as this member knows.
pub async fn newest_entry(member: &Connection) -> Result<Option<RawDocumentBuf>> {
    first(member, rawdoc! {}, -1).await
}

pub async fn entry_at(member: &Connection, at: ClusterTime) -> Result<Option<RawDocumentBuf>> {
    first(member, rawdoc! { "ts": bson::Timestamp::from(at) }, 1).await
}

/// The newest entry before `time`. Reads backwards from the end of the oplog, so `time` should be recent.
pub async fn entry_before(member: &Connection, time: ClusterTime) -> Result<Option<RawDocumentBuf>> {
    first(member, rawdoc! { "ts": { "$lt": bson::Timestamp::from(time) } }, -1).await
}

/// The newest committed write after `after`, the server's own no-ops aside. A secondary knows only what it has.
pub async fn newest_write_after(member: &Connection, after: ClusterTime) -> Result<Option<ClusterTime>> {
    // Reading backwards ends at `after`, which the server turns into a bound of the scan.
    let command = rawdoc! {
        "find": "oplog.rs", "filter": { "ts": { "$gt": bson::Timestamp::from(after) }, "op": { "$ne": "n" } },
        "sort": { "$natural": -1 }, "limit": 1, "singleBatch": true, "projection": { "ts": 1 },
        "readConcern": { "level": "majority" },
    };
    let found = member.collect("local", "look for the newest write", command, CursorSettings::default()).await?;
    let ts = found.documents.first().and_then(|entry| entry.get_timestamp("ts").ok());
    Ok(ts.map(Into::into))
}

async fn first(member: &Connection, filter: RawDocumentBuf, direction: i32) -> Result<Option<RawDocumentBuf>> {
    let command = rawdoc! {
        "find": "oplog.rs", "filter": filter, "sort": { "$natural": direction }, "limit": 1, "singleBatch": true,
        "readConcern": { "level": "majority" },
    };
    let found = member.collect("local", "read an oplog entry", command, CursorSettings::default()).await?;
    Ok(found.documents.into_iter().next())
}

fn overrun(member: &Connection, wanted: ClusterTime, detail: &str) -> ReplsetError {
    let detail = format!("the oplog no longer holds what follows {wanted}: {detail}");
    ReplsetError::new(ErrorKind::OplogOverrun, "read the oplog", member.server(), detail)
}
