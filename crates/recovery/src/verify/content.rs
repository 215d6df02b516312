//! Reading one object to its end and proving it.

use archive::catalog::StoredSlice;
use archive::framed::{Block, FormatError, Totals};
use archive::layout::ObjectKey;
use archive::oplog::{Entry, EntryError, OpKind};
use archive::segment::{SegmentDecoder, SegmentEvent};
use archive::slice::{EntryStamp, SliceDecoder, SliceEvent};
use archive::{ClusterTime, Digest, LineageId};
use bytes::Bytes;
use futures::StreamExt;
use store::{ByteStream, ErrorKind, StoreError};

use super::links::SliceLinks;
use crate::archive_reader::ArchiveReader;
use crate::failure::{Failure, FailureKind};

/// Why an object is not proven: it is wrong, or it could not be reached.
pub(crate) enum Unproven {
    Wrong(String),
    Failed(Box<Failure>),
}

impl From<FormatError> for Unproven {
    fn from(error: FormatError) -> Self {
        Self::Wrong(error.to_string())
    }
}

impl From<EntryError> for Unproven {
    fn from(error: EntryError) -> Self {
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

pub(crate) fn task_failed(error: &tokio::task::JoinError) -> Failure {
    Failure::new(FailureKind::Unexpected, format!("verification of an object ended early: {error}"))
}

/// An object's chunks with a count of the bytes.
struct Chunks {
    stream: ByteStream,
    bytes: u64,
}

impl Chunks {
    async fn open(reader: &ArchiveReader, key: &str) -> Result<Self, Unproven> {
        Ok(Self { stream: reader.store().get(key, None).await?, bytes: 0 })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Unproven> {
        let Some(chunk) = self.stream.next().await.transpose()? else { return Ok(None) };
        self.bytes += chunk.len() as u64;
        Ok(Some(chunk))
    }
}

/// Reads a segment; the number of stored bytes.
pub(crate) async fn prove_segment(
    reader: ArchiveReader,
    key: ObjectKey,
    expected: Totals,
    decode: bool,
) -> Result<u64, Unproven> {
    let mut chunks = Chunks::open(&reader, &key.to_string()).await?;
    let mut decoder = SegmentDecoder::new(key);
    while let Some(chunk) = chunks.next().await? {
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
        Ok(chunks.bytes)
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

/// Reads a slice; the number of stored bytes and what it says about its neighbours. `inner` are moments at which other
/// slices start, ascending.
pub(super) async fn prove_slice(
    reader: ArchiveReader,
    lineage: LineageId,
    slice: StoredSlice,
    inner: Vec<ClusterTime>,
    decode: bool,
) -> Result<(u64, SliceLinks), Unproven> {
    let key = slice.id.key(&lineage, false).to_string();
    let mut chunks = Chunks::open(&reader, &key).await?;
    let mut decoder = SliceDecoder::new(lineage, slice.id);
    let mut links = SliceLinks { id: slice.id, after_digest: None, entries: Vec::new() };
    while let Some(chunk) = chunks.next().await? {
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
                        known_entries(&block)?;
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
    Ok((chunks.bytes, links))
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

fn known_entries(block: &Block) -> Result<(), Unproven> {
    for document in block.documents() {
        let entry = Entry::parse(document)?;
        entry.for_each_operation(|operation| match operation.kind {
            OpKind::Unknown => Err(Unproven::Wrong(format!(
                "the oplog entry at {} is of the unknown type `{}` on `{}`",
                entry.at,
                operation.label().escape_debug(),
                operation.ns.escape_debug()
            ))),
            _ => Ok(()),
        })?;
    }
    Ok(())
}
