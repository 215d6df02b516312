//! Reading one object to its end and proving it.

use std::sync::Arc;

use archive::catalog::StoredSlice;
use archive::coverage::CoveredRange;
use archive::framed::{Block, FormatError, Totals};
use archive::layout::ObjectKey;
use archive::segment::{SegmentDecoder, SegmentEvent};
use archive::slice::{EntryStamp, SliceDecoder, SliceEvent};
use archive::timeline::check_entry;
use archive::{ClusterTime, Digest, LineageId};
use store::{ErrorKind, StoreError};

use super::links::SliceLinks;
use crate::archive_reader::{ArchiveReader, ContentError, NeedsKey};
use crate::failure::{Failure, FailureKind};

/// Why an object is not proven: it is wrong, it is closed to us, or it could not be reached.
pub(crate) enum Unproven {
    Wrong(String),
    NeedsKey(NeedsKey),
    Failed(Box<Failure>),
}

impl From<FormatError> for Unproven {
    fn from(error: FormatError) -> Self {
        Self::Wrong(error.to_string())
    }
}

impl From<StoreError> for Unproven {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            // The object itself cannot be had; others can.
            ErrorKind::NotFound if error.key().is_some() => Self::Wrong("it is missing".into()),
            ErrorKind::Other | ErrorKind::InvalidKey => Self::Wrong(error.to_string()),
            ErrorKind::PermissionDenied if error.key().is_some() => Self::Wrong(error.to_string()),
            _ => Self::Failed(Box::new(error.into())),
        }
    }
}

impl From<ContentError> for Unproven {
    fn from(error: ContentError) -> Self {
        match error {
            ContentError::Store(error) => error.into(),
            ContentError::Damaged(problem) => Self::Wrong(problem.to_string()),
            ContentError::NeedsKey(needed) => Self::NeedsKey(needed),
            ContentError::Failed(failure) => Self::Failed(Box::new(failure)),
        }
    }
}

pub(crate) fn task_failed(error: &tokio::task::JoinError) -> Failure {
    Failure::new(FailureKind::Unexpected, format!("verification of an object ended early: {error}"))
}

/// Reads a segment; the number of stored bytes.
pub(crate) async fn prove_segment(
    reader: ArchiveReader,
    key: ObjectKey,
    expected: Totals,
    decode: bool,
) -> Result<u64, Unproven> {
    let mut content = reader.content(&key).await?;
    let mut decoder = SegmentDecoder::new(key);
    while let Some(chunk) = content.next().await? {
        decoder.feed(&chunk);
        while let Some(event) = decoder.next_event()? {
            if let SegmentEvent::Documents(block) = event
                && decode
            {
                validate(&block)?;
            }
        }
    }
    let totals = decoder.finish()?;
    if totals == expected {
        Ok(content.stored_bytes())
    } else {
        Err(Unproven::Wrong(format!(
            "it is sound, but another one: {} documents with digest {}, the snapshot's list says {} with {}",
            totals.documents,
            totals.sha256.short(),
            expected.documents,
            expected.sha256.short()
        )))
    }
}

/// What is to be proven of slices besides their bytes.
#[derive(Clone)]
pub(super) struct SliceProof {
    pub lineage: LineageId,
    pub decode: bool,
    /// Where entries that cannot be replayed are on record.
    pub breaks: Arc<[CoveredRange]>,
}

/// Reads a slice; the number of stored bytes and what it says about its neighbours. `inner` are moments at which other
/// slices start, ascending.
pub(super) async fn prove_slice(
    reader: ArchiveReader,
    proof: SliceProof,
    slice: StoredSlice,
    inner: Vec<ClusterTime>,
) -> Result<(u64, SliceLinks), Unproven> {
    let SliceProof { lineage, decode, breaks } = proof;
    let mut content = reader.content(&slice.id.key(&lineage, slice.encrypted)).await?;
    let mut decoder = SliceDecoder::new(lineage, slice.id);
    let mut links = SliceLinks { id: slice.id, after_digest: None, entries: Vec::new() };
    while let Some(chunk) = content.next().await? {
        decoder.feed(&chunk);
        while let Some(event) = decoder.next_event()? {
            match event {
                SliceEvent::Header(header) => links.after_digest = header.after_digest,
                SliceEvent::Entries(block) => {
                    if !inner.is_empty() {
                        note_entries(&block, &inner, &mut links);
                    }
                    if decode {
                        validate(&block)?;
                        replayable_entries(&block, &breaks)?;
                    }
                }
                SliceEvent::Footer(..) => {}
            }
        }
    }
    if let Some(digest) = decoder.last_digest() {
        links.entries.push((slice.id.through, digest));
    }
    decoder.finish()?;
    Ok((content.stored_bytes(), links))
}

fn validate(block: &Block) -> Result<(), Unproven> {
    block.validate().map_err(|error| Unproven::Wrong(format!("a document is not valid: {error}")))
}

fn note_entries(block: &Block, inner: &[ClusterTime], links: &mut SliceLinks) {
    for entry in block.documents() {
        if let Ok(stamp) = EntryStamp::read(entry)
            && inner.binary_search(&stamp.at).is_ok()
        {
            links.entries.push((stamp.at, Digest::of(entry.as_bytes())));
        }
    }
}

/// A restore stops at an entry that it cannot replay; one that is on record breaks the restore windows instead.
fn replayable_entries(block: &Block, breaks: &[CoveredRange]) -> Result<(), Unproven> {
    for entry in block.documents() {
        let Err(problem) = check_entry(entry) else { continue };
        let at = EntryStamp::read(entry).map(|stamp| stamp.at).unwrap_or_default();
        if !breaks.iter().any(|range| range.holds_entry(at)) {
            // Names in it may hold any character.
            let problem = problem.to_string().escape_debug().to_string();
            return Err(Unproven::Wrong(format!("{problem}; no gap is recorded, so restores across it are refused")));
        }
    }
    Ok(())
}
