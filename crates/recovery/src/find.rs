//! Looking for the harmful write: every operation that an archive holds, as runs that a person can tell apart.
//!
//! Reads slices in order, looks inside `applyOps` and transactions, and gives for each run the target that restores to
//! just before it. A transaction counts from its first entry, so that `before:` leaves out all of it; one that was
//! aborted never happened and is not shown. Memory is bounded by the limit of matches. Called by `dr-cli find`.

use std::sync::Arc;

use archive::coverage::{Break, Coverage, CoveredRange};
use archive::oplog::{Entry, OpKind};
use archive::target::WallTarget;
use archive::{ClusterTime, CollectionUuid, LineageId};
use serde::Serialize;

use crate::archive_reader::ArchiveReader;
use crate::failure::{Failure, FailureKind, Result};
use crate::oplog_stream::{OplogEvent, OplogStream};
use crate::progress::{Progress, Unit};

mod kept;
mod query;
mod runs;
mod scanner;
#[cfg(test)]
mod tests;

pub use query::{FindQuery, NamespaceFilter, ParseBoundError, ParseFilterError, TimeBound, searched_by_default};
use scanner::Scanner;

/// Seconds that are read before and behind what was asked for: a transaction whose first entry lies before `since`, or
/// whose commit lies behind `until`, is told apart from an unfinished one only by reading there. The server aborts
/// transactions after 60 s (`transactionLifetimeLimitSeconds`).
const MARGIN_SECONDS: u32 = 60;

/// A run of operations of one kind on one collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Match {
    /// The first entry; of a transaction that of its first entry, whichever operation that one holds.
    pub at: ClusterTime,
    pub last: ClusterTime,
    /// The server's wall clock at `at`, RFC 3339.
    pub wall: String,
    pub op: String,
    /// The database alone for `dropDatabase`.
    pub namespace: String,
    /// The new name, of a rename.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    pub uuid: Option<CollectionUuid>,
    /// Documents, or commands.
    pub count: u64,
    /// The restore target that leaves the run out.
    pub before: String,
}

/// What was looked at; the times are absent when the archive holds nothing of the range that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Scanned {
    pub after: Option<ClusterTime>,
    pub through: Option<ClusterTime>,
    pub slices: u64,
    /// What of the asked range could not be searched, because it is lost: nobody knows what happened there.
    pub gaps: Vec<Break>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindResult {
    pub scanned: Scanned,
    /// Ascending by `at`.
    pub matches: Vec<Match>,
    /// There were more than the limit; those kept are drops and renames first, then the largest.
    pub truncated: bool,
}

pub async fn find(
    reader: &ArchiveReader,
    lineage: &LineageId,
    query: FindQuery,
    progress: Arc<dyn Progress>,
) -> Result<FindResult> {
    let catalog = reader.catalog(lineage).await?;
    // What cannot be replayed can be read, and is the more worth finding.
    let coverage = Coverage::of_stored(&catalog);
    let asked = query.range(coverage.archived_through());
    let mut scanned = Scanned { gaps: catalog.unseen(&coverage, asked), ..Scanned::default() };
    let mut scans = Vec::new();
    for window in &coverage.windows {
        let wanted = CoveredRange::new(window.from.max(asked.from), window.through.min(asked.through));
        if wanted.is_empty() {
            continue;
        }
        scanned.after.get_or_insert(wanted.from);
        scanned.through = Some(wanted.through);
        let read = with_margin(wanted, window);
        let chain = coverage.chain(read.from, read.through).map_err(|broken| {
            Failure::new(FailureKind::NotRestorable, broken.to_string())
                .at(format!("lineage {lineage} in {}", reader.store().location()))
                .then("dr-cli status")
        })?;
        scans.push((read, chain));
    }
    let total = scans.iter().flat_map(|(_, chain)| chain).map(|slice| slice.stored_bytes).sum();
    progress.phase("find", Some(total), Unit::Bytes);
    let mut scanner = Scanner::new(query, asked);
    for (read, chain) in scans {
        scanned.slices += chain.len() as u64;
        let stream = OplogStream::open(reader.clone(), lineage.clone(), chain);
        scan(stream, read, &mut scanner, &*progress).await.map_err(|failure| {
            let next = format!("{}; dr-cli find --since … looks behind it", failure.next);
            failure.then(next)
        })?;
        // What is open where history breaks has no known end.
        scanner.forget_open_transactions();
    }
    let (matches, truncated) = scanner.finish();
    Ok(FindResult { scanned, matches, truncated })
}

async fn scan(
    mut stream: OplogStream,
    read: CoveredRange,
    scanner: &mut Scanner,
    progress: &dyn Progress,
) -> Result<()> {
    let mut position = read.from;
    while let Some(event) = stream.next().await? {
        match event {
            OplogEvent::SliceEnd { stored_bytes, .. } => progress.advance(stored_bytes),
            OplogEvent::Entries(block) => {
                for document in block.documents() {
                    let entry = Entry::parse(document).map_err(|error| unreadable(&error, position))?;
                    if entry.at <= position {
                        continue;
                    }
                    position = entry.at;
                    if position > read.through || scanner.is_done_at(position) {
                        return Ok(());
                    }
                    scanner.take(&entry).map_err(|error| unreadable(&error, position))?;
                }
            }
        }
    }
    Ok(())
}

fn unreadable(error: &archive::oplog::EntryError, position: ClusterTime) -> Failure {
    Failure::integrity(error.to_string()).at(format!("the oplog at or behind {position}"))
}

fn with_margin(wanted: CoveredRange, window: &CoveredRange) -> CoveredRange {
    let earlier = ClusterTime::new(wanted.from.seconds.saturating_sub(MARGIN_SECONDS), 0);
    let later = ClusterTime::end_of_second(wanted.through.seconds.saturating_add(MARGIN_SECONDS));
    CoveredRange::new(window.from.max(earlier), window.through.min(later))
}

/// A wall clock time as text; the second of the cluster time when the entry has none.
fn wall_text(at: ClusterTime, wall_ms: Option<i64>) -> String {
    let read = |ms: i64| {
        let seconds = u32::try_from(ms.div_euclid(1000)).ok()?;
        Some(WallTarget { seconds, millis: u16::try_from(ms.rem_euclid(1000)).ok() })
    };
    wall_ms.and_then(read).unwrap_or(WallTarget { seconds: at.seconds, millis: Some(0) }).to_string()
}

/// The name of a kind in results, `--op` and reports.
fn op_name(kind: OpKind, label: &str) -> String {
    match kind {
        OpKind::Unknown => format!("unknown ({})", label.escape_debug()),
        known => known.name().to_owned(),
    }
}
