//! Where archiving goes on: the proof that the oplog continues what is archived, or what stands there instead.
//!
//! The entry at which the archive ends must still be in the oplog with the same term. The decision is a function of what
//! a member's oplog shows; asking the members is below it.

use archive::gap::{Gap, GapReason};
use archive::slice::EntryStamp;
use archive::{ClusterTime, Digest, OpTime};
use replset::oplog::{self, OplogBatch};

use crate::archive_store::{ArchiveEnd, ArchiveStore};
use crate::clock::now_text;
use crate::error::{Error, Result};
use crate::source::{Source, SourceMember};

/// The entry that the next slice starts after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub after: ClusterTime,
    /// Unknown right behind a gap.
    pub entry: Option<EntryProof>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryProof {
    pub term: i64,
    pub digest: Digest,
}

/// What a member's majority-committed oplog shows about the end of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OplogView {
    pub oldest: OpTime,
    pub newest: OpTime,
    /// The entry exactly where the archive ends.
    pub at_end: Option<EntryProof>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuity {
    Proven(EntryProof),
    /// The oplog ends before the archive does.
    Behind,
    /// The oplog starts after the archive ends.
    Overrun {
        oldest: ClusterTime,
    },
    /// The oplog spans the end of the archive and has another history there.
    Diverged {
        found: Option<i64>,
    },
}

/// `archived` is the last entry of the archive.
pub fn judge(end: &ArchiveEnd, view: &OplogView) -> Continuity {
    let archived = end.at;
    match view.at_end {
        // A server that was set back with its memory goes on in the same term, and may be in the same second again.
        Some(proof) if proof.term == archived.term && end.digest.is_none_or(|digest| digest == proof.digest) => {
            Continuity::Proven(proof)
        }
        Some(other) => Continuity::Diverged { found: Some(other.term) },
        None if view.newest.ts < archived.ts => Continuity::Behind,
        None if view.oldest.ts > archived.ts => Continuity::Overrun { oldest: view.oldest.ts },
        None => Continuity::Diverged { found: None },
    }
}

/// A member to read from, and the position from which on.
#[derive(Debug)]
pub struct Start {
    pub member: SourceMember,
    pub position: Position,
    /// Recorded just now.
    pub gap: Option<Gap>,
}

/// `archived`: where the archive ends; nothing is archived of this lineage yet when absent.
pub async fn find_start(source: &Source, archive: &ArchiveStore, archived: Option<ArchiveEnd>) -> Result<Start> {
    let chosen = source.choose().await?;
    let Some(end) = archived else {
        let begin = oplog::safe_begin(&chosen.connection).await?;
        let stamp = stamp(&begin.entry)?;
        let proof = EntryProof { term: stamp.term, digest: Digest::of(begin.entry.as_bytes()) };
        tracing::info!(event = "archive_begins", member = chosen.host, after = %stamp.at, "archive begins");
        return Ok(Start { member: chosen, position: Position { after: stamp.at, entry: Some(proof) }, gap: None });
    };
    let archived = end.at;
    let proven = |member: SourceMember, proof: EntryProof| Start {
        member,
        position: Position { after: archived.ts, entry: Some(proof) },
        gap: None,
    };
    let first = continuity(&chosen, &end).await?;
    match first {
        Continuity::Proven(proof) => return Ok(proven(chosen, proof)),
        Continuity::Diverged { found } => return Err(diverged(&chosen.host, archived, found)),
        Continuity::Behind | Continuity::Overrun { .. } => {
            tracing::warn!(event = "member_cannot_continue", member = chosen.host, %archived, ?first, "member cannot continue the archive; asking the others");
        }
    }
    let mut oldest: Vec<(SourceMember, ClusterTime)> = Vec::new();
    let mut behind = None;
    let note = |member: SourceMember, continuity: Continuity, oldest: &mut Vec<_>, behind: &mut Option<String>| {
        match continuity {
            Continuity::Overrun { oldest: at } => oldest.push((member, at)),
            _ => *behind = Some(member.host),
        }
    };
    for other in source.others(&chosen.host).await? {
        match continuity(&other, &end).await {
            Ok(Continuity::Proven(proof)) => return Ok(proven(other, proof)),
            Ok(Continuity::Diverged { found }) => return Err(diverged(&other.host, archived, found)),
            Ok(continuity) => note(other, continuity, &mut oldest, &mut behind),
            Err(error) => {
                tracing::warn!(event = "member_unreachable", member = other.host, %error, "member cannot be asked");
            }
        }
    }
    note(chosen, first, &mut oldest, &mut behind);
    // One that is behind may still get there; as long as there is one, nothing is lost.
    if let Some(member) = behind {
        return Err(Error::Behind { member, wanted: archived.ts });
    }
    let count = oldest.len();
    let Some((member, at)) = oldest.into_iter().min_by_key(|(_, at)| *at) else {
        return Err(Error::Behind { member: "no member".to_owned(), wanted: archived.ts });
    };
    let gap = record_gap(archive, archived.ts, at.predecessor(), count).await?;
    Ok(Start { member, position: Position { after: at.predecessor(), entry: None }, gap: Some(gap) })
}

/// What was proven is still so for the cursor that was opened afterwards: the server may have been replaced in between.
pub fn prove_first(batch: &OplogBatch, member: &SourceMember, after: ClusterTime, proof: EntryProof) -> Result<()> {
    let first = batch.entries()?.next().transpose()?;
    if first.is_some_and(|entry| Digest::of(entry.as_bytes()) == proof.digest) {
        return Ok(());
    }
    Err(Error::PositionLost { member: member.host.clone(), after })
}

async fn record_gap(archive: &ArchiveStore, after: ClusterTime, through: ClusterTime, members: usize) -> Result<Gap> {
    let detail = format!("the oplogs of {members} reachable member(s) start after {through}");
    let gap = Gap::new(after, through, GapReason::OplogOverrun, now_text(), detail);
    let key = gap.key(&archive.lineage);
    // The same gap may be recorded by two sidecars: its name is all that matters.
    let _created = archive.put_new(&key, gap.to_json().map_err(Error::record(&key))?).await?;
    tracing::error!(event = "gap_recorded", %after, %through, "gap recorded: the oplog was overwritten before it was archived");
    Ok(gap)
}

fn diverged(member: &str, archived: OpTime, found: Option<i64>) -> Error {
    let detail = match found {
        Some(term) if term == archived.term => {
            format!("the entry at {} in term {term} has other content than in the archive", archived.ts)
        }
        Some(term) => {
            format!("the entry at {} has term {term}, in the archive it has term {}", archived.ts, archived.term)
        }
        None => format!("the oplog spans {} but has no entry there, where the archive ends", archived.ts),
    };
    Error::Diverged { member: member.to_owned(), detail }
}

/// The newest entry is read first and the oldest last: what the member replicates or discards in between must not look as
/// if it had skipped the entry that is looked for.
async fn continuity(member: &SourceMember, end: &ArchiveEnd) -> Result<Continuity> {
    let connection = &member.connection;
    let newest = oplog::newest_entry(connection).await?;
    let at_end = match oplog::entry_at(connection, end.at.ts).await? {
        Some(entry) => Some(EntryProof { term: stamp(&entry)?.term, digest: Digest::of(entry.as_bytes()) }),
        None => None,
    };
    let (Some(oldest), Some(newest)) = (oplog::oldest_entry(connection).await?, newest) else {
        return Ok(Continuity::Behind);
    };
    Ok(judge(end, &OplogView { oldest: stamp(&oldest)?.optime(), newest: stamp(&newest)?.optime(), at_end }))
}

fn stamp(entry: &bson::RawDocument) -> Result<EntryStamp> {
    EntryStamp::read(entry).map_err(|problem| Error::Internal(problem.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u32, term: i64) -> OpTime {
        OpTime::new(ClusterTime::new(seconds, 1), term)
    }

    const fn end(seconds: u32, term: i64) -> ArchiveEnd {
        ArchiveEnd { at: at(seconds, term), digest: None }
    }

    fn view(oldest: u32, newest: u32, at_end: Option<i64>) -> OplogView {
        let at_end = at_end.map(|term| EntryProof { term, digest: Digest([0; 32]) });
        OplogView { oldest: at(oldest, 1), newest: at(newest, 2), at_end }
    }

    #[test]
    fn the_same_entry_in_the_same_term_proves_continuity() {
        assert!(matches!(judge(&end(50, 2), &view(10, 90, Some(2))), Continuity::Proven(proof) if proof.term == 2));
        assert!(matches!(judge(&end(50, 2), &view(50, 50, Some(2))), Continuity::Proven(_)));
    }

    #[test]
    fn the_same_time_and_term_with_other_content_is_another_history() {
        let read = |digest| ArchiveEnd { digest: Some(Digest([digest; 32])), ..end(50, 2) };
        assert!(matches!(judge(&read(0), &view(10, 90, Some(2))), Continuity::Proven(_)));
        assert_eq!(judge(&read(1), &view(10, 90, Some(2))), Continuity::Diverged { found: Some(2) });
    }

    #[test]
    fn the_same_time_in_another_term_is_another_history() {
        assert_eq!(judge(&end(50, 2), &view(10, 90, Some(3))), Continuity::Diverged { found: Some(3) });
    }

    #[test]
    fn an_oplog_that_spans_the_moment_without_the_entry_is_another_history() {
        assert_eq!(judge(&end(50, 2), &view(10, 90, None)), Continuity::Diverged { found: None });
    }

    #[test]
    fn a_member_that_is_behind_has_no_gap_and_one_that_rolled_over_has() {
        assert_eq!(judge(&end(50, 2), &view(10, 49, None)), Continuity::Behind);
        assert_eq!(judge(&end(50, 2), &view(51, 90, None)), Continuity::Overrun { oldest: ClusterTime::new(51, 1) });
    }
}
