//! Reading an object as one stream over as many connections as it takes: when a body breaks off, the rest is asked for
//! from where it broke, and only if the object is still the same one.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use tokio::time::timeout;

use super::attempts::Patience;
use super::failure::{Failure, GaveUp, Reason};
use crate::error::{ErrorKind, Operation, StoreError};
use crate::port::{ByteStream, Result};

/// Connections that may break without a single byte in between before the read fails.
const FRUITLESS: u32 = 5;
/// Without a byte for this long a connection counts as broken.
const SILENCE: Duration = Duration::from_secs(10);
/// Servers parse offsets as signed numbers, and at least one takes a larger one for no range at all.
const MOST_BYTES: u64 = i64::MAX as u64;
/// Upper layers may count on small chunks.
const LONGEST_CHUNK: usize = 1024 * 1024;

pub(crate) type Body = Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>;

/// The answer to a read.
pub(crate) struct Opened {
    pub body: Body,
    /// The part of the object that the body holds; always begins where it was asked to.
    pub range: Range<u64>,
    /// What tells this content from another one under the same name.
    pub tag: Option<String>,
}

#[async_trait]
pub(crate) trait Source: Send + Sync + 'static {
    /// Opens a range, open-ended when there is no end, of the object, as long as it still has the tag.
    async fn open(&self, key: &str, start: u64, end: Option<u64>, tag: Option<&str>) -> Result<Opened, Failure>;
    async fn exists(&self, key: &str) -> Result<bool>;
    fn patience(&self) -> Patience;
    fn location(&self) -> &str;
}

pub(crate) async fn read<S: Source>(source: Arc<S>, key: &str, range: Option<Range<u64>>) -> Result<ByteStream> {
    let range = range.unwrap_or(0..u64::MAX);
    // A server cannot be asked for nothing, but it can be asked whether there is something.
    if range.start >= range.end || range.start >= MOST_BYTES {
        return if source.exists(key).await? {
            Ok(Box::pin(stream::empty()))
        } else {
            Err(StoreError::new(ErrorKind::NotFound, Operation::Get, source.location()).with_key(key))
        };
    }
    let end = Some(range.end).filter(|end| *end < MOST_BYTES);
    let opened = source.patience().run(0, |_| source.open(key, range.start, end, None)).await;
    let Opened { body, range, tag } = match opened {
        Ok(opened) => opened,
        Err(gave_up) if gave_up.failure.reason == Reason::RangeBehindEnd => return Ok(Box::pin(stream::empty())),
        Err(gave_up) => return Err(gave_up.into_error(Operation::Get, key, source.location())),
    };
    let reader = Reader { source, key: key.to_owned(), body, position: range.start, end: range.end, tag, fruitless: 0 };
    Ok(Box::pin(stream::try_unfold(reader, |mut reader| async move {
        let chunk = reader.next_chunk().await?;
        Ok(chunk.map(|chunk| (chunk, reader)))
    })))
}

struct Reader<S> {
    source: Arc<S>,
    key: String,
    body: Body,
    position: u64,
    end: u64,
    tag: Option<String>,
    fruitless: u32,
}

impl<S: Source> Reader<S> {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            if self.position >= self.end {
                return Ok(None);
            }
            let failure = match timeout(SILENCE, self.body.next()).await {
                Ok(Some(Ok(chunk))) if chunk.is_empty() => continue,
                Ok(Some(Ok(chunk))) => return Ok(Some(self.accept(chunk))),
                Ok(Some(Err(failure))) => failure,
                Ok(None) => Failure::unreachable("the connection ended early"),
                Err(_) => Failure::unreachable(format!("nothing came for {SILENCE:?}")),
            };
            self.reopen(failure).await?;
        }
    }

    fn accept(&mut self, mut chunk: Bytes) -> Bytes {
        self.fruitless = 0;
        let wanted = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        chunk.truncate(wanted);
        if chunk.len() > LONGEST_CHUNK {
            let rest = chunk.split_off(LONGEST_CHUNK);
            let body = std::mem::replace(&mut self.body, Box::pin(stream::empty()));
            self.body = Box::pin(stream::iter([Ok(rest)]).chain(body));
        }
        self.position += chunk.len() as u64;
        chunk
    }

    async fn reopen(&mut self, broken: Failure) -> Result<()> {
        self.fruitless += 1;
        let attempts = self.fruitless;
        let failed = |gave_up: GaveUp| Err(gave_up.into_error(Operation::Read, &self.key, self.source.location()));
        if attempts > FRUITLESS {
            return failed(GaveUp { failure: broken, attempts });
        }
        tracing::debug!(key = self.key, position = self.position, failure = broken.detail, "resume a broken read");
        let tag = self.tag.as_deref();
        let patience = self.source.patience();
        let again = patience.run(0, |_| self.source.open(&self.key, self.position, Some(self.end), tag));
        match again.await {
            Ok(Opened { body, range, .. }) if range == (self.position..self.end) => {
                self.body = body;
                Ok(())
            }
            Ok(_) => failed(GaveUp { failure: Failure::unreachable("the object changed while it was read"), attempts }),
            Err(gave_up) => failed(gave_up),
        }
    }
}
