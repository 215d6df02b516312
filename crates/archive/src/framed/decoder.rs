//! Reading a framed object: bytes in, header, blocks and footer out, everything verified.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::skippable::{self, Check};
use super::zstd_frame::{self, FrameScan};
use super::{Block, FormatError, Kind, MAX_JSON_BYTES, Problem, Totals};
use crate::Digest;
use crate::bson_run::Documents;

/// What encrypted objects start with (`age-encryption.org/v1`).
const AGE_MAGIC: [u8; 4] = *b"age-";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub kind: Kind,
    json: Vec<u8>,
}

impl Header {
    /// Members that `T` does not name are ignored: later releases may add some.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, FormatError> {
        skippable::parse("header", &self.json).map_err(|problem| FormatError::new(0, problem))
    }

    pub fn json(&self) -> &[u8] {
        &self.json
    }
}

/// The end of an object. Its totals are those of the blocks before it; that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer {
    pub totals: Totals,
    offset: u64,
    json: Vec<u8>,
}

impl Footer {
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, FormatError> {
        skippable::parse("footer", &self.json).map_err(|problem| FormatError::new(self.offset, problem))
    }

    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// Where its frame starts in the object.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Header(Header),
    Block(Block),
    Footer(Footer),
}

#[derive(Deserialize)]
struct HeaderJson {
    kind: String,
}

#[derive(Deserialize)]
struct FooterJson {
    kind: String,
    #[serde(flatten)]
    totals: Totals,
    header: Check,
}

#[derive(Debug)]
enum State {
    Header,
    Body,
    Done(Totals),
    Failed(FormatError),
}

/// Feed it the bytes as they come, take the events after each [`Self::feed`] until there is none, then
/// [`Self::finish`]. Holds at most one compressed frame besides what was fed and not yet taken.
pub struct Decoder {
    expected: Kind,
    state: State,
    buffer: Vec<u8>,
    /// Bytes at the start of `buffer` that were used up already.
    used: usize,
    /// Where the unused part of `buffer` lies in the object.
    offset: u64,
    scan: Option<FrameScan>,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
    header: Option<Check>,
    documents: u64,
    bytes: u64,
    sha256: Sha256,
}

impl Decoder {
    pub fn new(expected: Kind) -> Self {
        Self {
            expected,
            state: State::Header,
            buffer: Vec::new(),
            used: 0,
            offset: 0,
            scan: None,
            zstd: None,
            header: None,
            documents: 0,
            bytes: 0,
            sha256: Sha256::new(),
        }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        // After an error nothing more is needed; keeping it would only fill memory.
        if matches!(self.state, State::Failed(_)) {
            return;
        }
        if self.used > 0 {
            self.buffer.drain(..self.used);
            self.used = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next event; `None` when more bytes are needed or the object is complete. After an error, always that error.
    pub fn next_event(&mut self) -> Result<Option<Event>, FormatError> {
        let step = match &self.state {
            State::Failed(error) => return Err(error.clone()),
            State::Done(_) if self.buffer.len() > self.used => Err(Problem::TrailingBytes),
            State::Done(_) => return Ok(None),
            State::Header => self.header(),
            State::Body => self.body(),
        };
        step.map_err(|problem| self.fail(self.offset, problem))
    }

    /// Ends in failure: the typed layers report here what they find wrong, so that it stays an error.
    pub(crate) fn fail(&mut self, offset: u64, problem: Problem) -> FormatError {
        let error = FormatError::new(offset, problem);
        self.state = State::Failed(error.clone());
        self.buffer = Vec::new();
        self.used = 0;
        error
    }

    pub(crate) fn sticky<T>(&mut self, parsed: Result<T, FormatError>) -> Result<T, FormatError> {
        parsed.map_err(|error| self.fail(error.offset, error.problem))
    }

    /// How far into the object the events so far reach.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Ends the object; every event must have been taken. Without an error here, nothing is known to be complete.
    pub fn finish(mut self) -> Result<Totals, FormatError> {
        // Anything that is left over is an error, which this finds.
        if self.next_event()?.is_some() {
            return Err(FormatError::new(self.offset, Problem::Truncated { missing: "not all of it was read" }));
        }
        match self.state {
            State::Done(totals) => Ok(totals),
            State::Failed(error) => Err(error),
            State::Header => {
                Err(FormatError::new(self.end_offset(), Problem::Truncated { missing: "the header is not complete" }))
            }
            State::Body => Err(FormatError::new(
                self.end_offset(),
                Problem::Truncated {
                    missing: if self.rest().is_empty() { "the footer is missing" } else { "within a frame" },
                },
            )),
        }
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    fn end_offset(&self) -> u64 {
        self.offset + self.rest().len() as u64
    }

    fn consume(&mut self, length: usize) {
        self.used += length;
        self.offset += length as u64;
    }

    fn header(&mut self) -> Result<Option<Event>, Problem> {
        if self.rest().starts_with(&AGE_MAGIC) {
            return Err(Problem::Encrypted);
        }
        let Some((json, check, length)) = self.skippable(skippable::HEADER_TAG, "header")? else { return Ok(None) };
        let HeaderJson { kind } = skippable::parse("header", &json)?;
        self.check_kind(&kind)?;
        self.consume(length);
        self.header = Some(check);
        self.state = State::Body;
        Ok(Some(Event::Header(Header { kind: self.expected, json })))
    }

    fn body(&mut self) -> Result<Option<Event>, Problem> {
        let Some(magic) = self.rest().first_chunk::<4>() else { return Ok(None) };
        match *magic {
            zstd_frame::MAGIC => self.block(),
            skippable::MAGIC => self.footer(),
            other => Err(Problem::UnexpectedFrame { expected: "block or footer", found: hex::encode(other) }),
        }
    }

    fn block(&mut self) -> Result<Option<Event>, Problem> {
        let frame = &self.buffer[self.used..];
        let scan = match &mut self.scan {
            Some(scan) => scan,
            none => match FrameScan::start(frame)? {
                Some(scan) => none.insert(scan),
                None => return Ok(None),
            },
        };
        let Some(length) = scan.find_end(frame)? else { return Ok(None) };
        let content = scan.content;
        let damaged = |error: std::io::Error| Problem::Compressed { problem: error.to_string() };
        let zstd = match &mut self.zstd {
            Some(zstd) => zstd,
            none => none.insert(zstd::bulk::Decompressor::new().map_err(damaged)?),
        };
        // `content` is at most the size of the largest block.
        let mut plain = Vec::with_capacity(content);
        zstd.decompress_to_buffer(&frame[..length], &mut plain).map_err(damaged)?;
        if plain.len() != content {
            return Err(Problem::Compressed { problem: "it holds less than it declares".into() });
        }
        let mut documents = 0;
        for document in Documents::new(&plain) {
            document?;
            documents += 1;
        }
        self.sha256.update(&plain);
        self.documents += documents;
        self.bytes += plain.len() as u64;
        self.scan = None;
        self.consume(length);
        Ok(Some(Event::Block(Block::new(plain, documents))))
    }

    fn footer(&mut self) -> Result<Option<Event>, Problem> {
        let Some((json, _, length)) = self.skippable(skippable::FOOTER_TAG, "footer")? else { return Ok(None) };
        let FooterJson { kind, totals, header } = skippable::parse("footer", &json)?;
        self.check_kind(&kind)?;
        if self.header != Some(header) {
            return Err(Problem::Content { problem: "header and footer are of two different objects".into() });
        }
        let found = Totals {
            documents: self.documents,
            bytes: self.bytes,
            sha256: Digest(std::mem::take(&mut self.sha256).finalize().into()),
        };
        let mismatch = |what, stated: &dyn ToString, found: &dyn ToString| Problem::Mismatch {
            what,
            stated: stated.to_string(),
            found: found.to_string(),
        };
        if totals.documents != found.documents {
            return Err(mismatch("documents", &totals.documents, &found.documents));
        }
        if totals.bytes != found.bytes {
            return Err(mismatch("bytes", &totals.bytes, &found.bytes));
        }
        if totals.sha256 != found.sha256 {
            return Err(mismatch("as SHA-256", &totals.sha256, &found.sha256));
        }
        let offset = self.offset;
        self.consume(length);
        self.state = State::Done(totals);
        Ok(Some(Event::Footer(Footer { totals, offset, json })))
    }

    /// A complete skippable frame at the start of the rest: JSON, check and length of the whole frame.
    fn skippable(&self, tag: [u8; 4], what: &'static str) -> Result<Option<(Vec<u8>, Check, usize)>, Problem> {
        let rest = self.rest();
        let Some(magic) = rest.first_chunk::<4>() else { return Ok(None) };
        if *magic != skippable::MAGIC {
            return Err(Problem::UnexpectedFrame { expected: what, found: hex::encode(magic) });
        }
        let Some(length) = rest[4..].first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > MAX_JSON_BYTES {
            return Err(Problem::TooLarge { what, bytes: length as u64, limit: MAX_JSON_BYTES as u64 });
        }
        let end = skippable::PREFIX + length;
        let Some(content) = rest.get(skippable::PREFIX..end) else { return Ok(None) };
        let (json, check) = skippable::decode(tag, what, content)?;
        Ok(Some((json, check, end)))
    }

    fn check_kind(&self, found: &str) -> Result<(), Problem> {
        if found == self.expected.as_str() {
            Ok(())
        } else {
            Err(Problem::OtherKind { expected: self.expected.as_str(), found: found.chars().take(60).collect() })
        }
    }
}
