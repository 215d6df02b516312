//! Where a snapshot may begin: just before the head of every transaction chain that spans the majority commit point.
//!
//! A large transaction is a chain of entries linked by `prevOpTime`. Replay needs the whole chain, so slices must
//! start before its first entry.

use archive::{ClusterTime, OpTime};
use bson::{RawDocument, RawDocumentBuf, rawdoc};

use super::{entry_at, entry_before, entry_op_time, overrun};
use crate::connect::{Connection, CursorSettings};
use crate::error::{ErrorKind, ReplsetError, Result};
use crate::topology::majority_commit_point;

/// A chain of 16 MB entries longer than this would be a transaction of a terabyte.
const MAX_CHAIN: usize = 65_536;

#[derive(Debug, Clone)]
pub struct SafeBegin {
    pub op_time: OpTime,
    /// The entry at that point, raw: its digest proves that slices continue it.
    pub entry: RawDocumentBuf,
    /// The member's own majority commit point when this was decided; not before `op_time`.
    pub majority_committed: OpTime,
}

/// The member's majority commit point, moved before the head of any transaction chain that spans it.
pub async fn safe_begin(member: &Connection) -> Result<SafeBegin> {
    begin_at_or_before(member, majority_commit_point(member).await?).await
}

/// The same for an entry that is known to be committed by a majority.
pub async fn begin_at_or_before(member: &Connection, majority_committed: OpTime) -> Result<SafeBegin> {
    let mut begin = majority_committed.ts;
    loop {
        let entry = entry_at(member, begin).await?.ok_or_else(|| overrun(member, begin, "the entry itself is gone"))?;
        let Some(head) = earliest_head(member, &entry, begin, majority_committed.ts).await? else {
            return Ok(SafeBegin { op_time: entry_op_time(&entry)?, entry, majority_committed });
        };
        let before = entry_before(member, head).await?;
        let before = before.ok_or_else(|| overrun(member, head, "a transaction chain starts at the oldest entry"))?;
        begin = entry_op_time(&before)?.ts;
    }
}

/// The first head at or before `begin` of a chain that goes on after it.
async fn earliest_head(
    member: &Connection,
    entry: &RawDocument,
    begin: ClusterTime,
    commit_point: ClusterTime,
) -> Result<Option<ClusterTime>> {
    let mut heads = Vec::new();
    // The entries of an unprepared chain are neighbours, so the entry at `begin` is one of them when it spans `begin`.
    if Link::of(entry).is_some_and(|link| link.continues) {
        heads.push(chain_head(member, entry).await?.ts);
    }
    // Of a prepared one they are not; it stands in `config.transactions` until it is committed …
    let (open, seen_at) = open_transaction(member, commit_point).await?;
    heads.extend(open.map(|open| open.ts));
    // … and when it was committed between the commit point and that look, its last entry came after `begin`.
    for ending in chain_entries(member, begin, seen_at).await? {
        heads.push(chain_head(member, &ending).await?.ts);
    }
    Ok(heads.into_iter().filter(|head| *head <= begin).min())
}

/// The smallest `startOpTime` of a transaction whose entries are being written or that is prepared.
pub async fn transaction_start(member: &Connection) -> Result<Option<OpTime>> {
    Ok(open_transaction(member, ClusterTime::ZERO).await?.0)
}

async fn open_transaction(member: &Connection, after: ClusterTime) -> Result<(Option<OpTime>, ClusterTime)> {
    let mut command = rawdoc! {
        "find": "transactions", "filter": { "state": { "$in": ["prepared", "inProgress"] }, "startOpTime": { "$exists": true } },
        "sort": { "startOpTime": 1 }, "limit": 1, "singleBatch": true,
    };
    // Majority reads of this collection are not causally consistent: secondaries write only every now and then what
    // its rows were. A local row may be newer than the commit point; then `begin` only moves further than needed.
    let mut concern = rawdoc! { "level": "local" };
    if after != ClusterTime::ZERO {
        concern.append(bson::raw::cstr!("afterClusterTime"), bson::Timestamp::from(after));
    }
    command.append(bson::raw::cstr!("readConcern"), concern);
    let found = member.collect("config", "read open transactions", command, CursorSettings::default()).await?;
    let start = found.documents.first().and_then(|row| link_time(row, "startOpTime"));
    Ok((start, found.operation_time.unwrap_or(after)))
}

/// Entries in `(after, through]` that continue a chain which started at or before `after`.
async fn chain_entries(member: &Connection, after: ClusterTime, through: ClusterTime) -> Result<Vec<RawDocumentBuf>> {
    if through <= after {
        return Ok(Vec::new());
    }
    let (after, through) = (bson::Timestamp::from(after), bson::Timestamp::from(through));
    let command = rawdoc! {
        "find": "oplog.rs",
        "filter": {
            "ts": { "$gt": after, "$lte": through }, "op": "c",
            "prevOpTime.ts": { "$gt": bson::Timestamp { time: 0, increment: 0 }, "$lte": after },
        },
        // Not majority: the entry that ended a transaction may be as new as the row that says so.
        "readConcern": { "level": "local", "afterClusterTime": through },
    };
    let found = member.collect("local", "look for spanning transactions", command, CursorSettings::default()).await?;
    Ok(found.documents.into_iter().filter(|entry| Link::of(entry).is_some()).collect())
}

/// The first entry of the transaction chain that `entry` belongs to; the entry itself when it belongs to none.
pub async fn chain_head(member: &Connection, entry: &RawDocument) -> Result<OpTime> {
    let mut head = entry_op_time(entry)?;
    let mut previous = Link::of(entry).and_then(|link| link.previous);
    for _ in 0..MAX_CHAIN {
        let Some(at) = previous else { return Ok(head) };
        let found = entry_at(member, at.ts).await?;
        let found = found.ok_or_else(|| overrun(member, at.ts, "a transaction chain has lost its head"))?;
        head = at;
        previous = Link::of(&found).and_then(|link| link.previous);
    }
    let detail = format!("the transaction chain that ends at {} has no head", entry_op_time(entry)?);
    Err(ReplsetError::new(ErrorKind::Protocol, "follow a transaction chain", member.server(), detail))
}

/// An entry's place in a transaction chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link {
    previous: Option<OpTime>,
    /// Whether the transaction is not decided by this entry.
    continues: bool,
}

impl Link {
    /// `None` for entries of no transaction. Retryable writes are linked by `prevOpTime` too, but are no commands, and
    /// a vectored insert of 8.0 (`multiOpType` 1) is an `applyOps` that is complete in itself.
    fn of(entry: &RawDocument) -> Option<Self> {
        let is_command = entry.get_str("op").is_ok_and(|op| op == "c");
        if !is_command || entry.get_i32("multiOpType").is_ok_and(|kind| kind == 1) {
            return None;
        }
        let command = entry.get_document("o").ok()?;
        let flag = |name: &str| command.get_bool(name).unwrap_or(false);
        let has = |name: &str| command.get(name).ok().flatten().is_some();
        let previous = link_time(entry, "prevOpTime");
        if has("applyOps") && (previous.is_some() || flag("partialTxn") || flag("prepare")) {
            return Some(Self { previous, continues: flag("partialTxn") || flag("prepare") });
        }
        ((has("commitTransaction") || has("abortTransaction")) && previous.is_some())
            .then_some(Self { previous, continues: false })
    }
}

/// `{ts, t}` under `name`; a null time (`0:0`) is none.
fn link_time(document: &RawDocument, name: &str) -> Option<OpTime> {
    entry_op_time(document.get_document(name).ok()?).ok().filter(|time| time.ts != ClusterTime::ZERO)
}

#[cfg(test)]
mod tests {
    use bson::Timestamp;

    use super::*;

    #[test]
    fn only_transactions_are_chains() {
        let previous = rawdoc! { "ts": Timestamp { time: 5, increment: 1 }, "t": 1_i64 };
        let none = rawdoc! { "ts": Timestamp { time: 0, increment: 0 }, "t": -1_i64 };
        let ops = bson::RawArrayBuf::new();
        let at = Some(OpTime::new(ClusterTime::new(5, 1), 1));
        let cases = [
            (rawdoc! { "op": "i", "prevOpTime": previous.clone(), "o": {} }, None),
            (rawdoc! { "op": "c", "o": { "create": "c" } }, None),
            (rawdoc! { "op": "c", "prevOpTime": none.clone(), "o": { "applyOps": ops.clone() } }, None),
            (
                rawdoc! { "op": "c", "prevOpTime": previous.clone(), "multiOpType": 1, "o": { "applyOps": ops.clone() } },
                None,
            ),
            (
                rawdoc! { "op": "c", "prevOpTime": none.clone(), "o": { "applyOps": ops.clone(), "partialTxn": true } },
                Some(Link { previous: None, continues: true }),
            ),
            (
                rawdoc! { "op": "c", "prevOpTime": previous.clone(), "o": { "applyOps": ops.clone(), "count": 3_i64 } },
                Some(Link { previous: at, continues: false }),
            ),
            (
                rawdoc! { "op": "c", "prevOpTime": previous.clone(), "o": { "applyOps": ops, "prepare": true } },
                Some(Link { previous: at, continues: true }),
            ),
            (
                rawdoc! { "op": "c", "prevOpTime": previous, "o": { "commitTransaction": 1 } },
                Some(Link { previous: at, continues: false }),
            ),
        ];
        for (entry, expected) in cases {
            assert_eq!(Link::of(&entry), expected, "{entry:?}");
        }
    }
}
