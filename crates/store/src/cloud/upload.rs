//! The streaming writer of the cloud backends. An object that fits into one part is one request; a larger one is sent
//! in parts while it is written, a few at a time, so memory stays bounded whatever the object's size. Nothing is
//! visible before the last request, and that one is create-only.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::parts::part_bytes;
use crate::error::{ErrorKind, Operation, StoreError};
use crate::port::{Created, ObjectWriter, Result};

/// Parts under way, besides the one that is being gathered.
const PARTS_IN_FLIGHT: usize = 2;
/// Most objects are small; only beyond this a whole part is reserved at once.
const SMALL_BYTES: usize = 256 * 1024;

/// How long an upload that is given up waits for its parts under way.
const SETTLING: Duration = Duration::from_secs(5);

/// Where the parts go: one object of one backend. Its errors are final, retries lie below it.
#[async_trait]
pub(crate) trait PartSink: Send + Sync + 'static {
    /// What the server calls the upload.
    type Upload: Clone + Send + Sync + 'static;
    /// What the server returned for a part, to be named when the upload is completed.
    type Part: Send + 'static;

    async fn create_whole(&self, body: Bytes) -> Result<Created>;
    async fn begin(&self) -> Result<Self::Upload>;
    async fn send_part(&self, upload: &Self::Upload, number: u32, body: Bytes) -> Result<Self::Part>;
    /// `parts` in the order of their numbers, from 1.
    async fn complete(&self, upload: &Self::Upload, parts: Vec<Self::Part>, bytes: u64) -> Result<Created>;
    /// Makes the server forget the parts. Best effort: whatever fails here is left to the bucket's lifecycle rule.
    async fn discard(&self, upload: &Self::Upload);
    fn error(&self, kind: ErrorKind, operation: Operation) -> StoreError;
}

pub(crate) struct PartWriter<S: PartSink> {
    sink: Arc<S>,
    gathered: BytesMut,
    /// Set between the first part and the end, whichever it is.
    upload: Option<S::Upload>,
    sending: JoinSet<Result<(u32, S::Part)>>,
    sent: Vec<(u32, S::Part)>,
    next_part: u32,
    bytes: u64,
    failed: bool,
}

impl<S: PartSink> PartWriter<S> {
    pub fn new(sink: S) -> Self {
        Self {
            sink: Arc::new(sink),
            gathered: BytesMut::new(),
            upload: None,
            sending: JoinSet::new(),
            sent: Vec::new(),
            next_part: 1,
            bytes: 0,
            failed: false,
        }
    }

    /// Whoever gives up half-way, by an error or because the caller was cancelled, leaves the writer unusable.
    fn usable(&mut self, operation: Operation) -> Result<()> {
        if self.failed {
            return Err(self
                .sink
                .error(ErrorKind::Other, operation)
                .with_detail("an earlier write of this object failed or was cancelled, so it was discarded"));
        }
        self.failed = true;
        Ok(())
    }

    fn part_bytes(&self) -> Result<usize> {
        part_bytes(self.next_part).ok_or_else(|| {
            self.sink.error(ErrorKind::Other, Operation::Write).with_detail("it has more parts than an object can have")
        })
    }

    async fn send(&mut self, body: Bytes) -> Result<()> {
        let upload = match &self.upload {
            Some(upload) => upload.clone(),
            None => self.upload.insert(self.sink.begin().await?).clone(),
        };
        while self.sending.len() >= PARTS_IN_FLIGHT {
            self.receive().await?;
        }
        let (sink, number) = (Arc::clone(&self.sink), self.next_part);
        self.next_part += 1;
        self.sending.spawn(async move { Ok((number, sink.send_part(&upload, number, body).await?)) });
        Ok(())
    }

    /// Waits for one of the parts under way.
    async fn receive(&mut self) -> Result<()> {
        match self.sending.join_next().await {
            Some(Ok(part)) => self.sent.push(part?),
            Some(Err(error)) => return Err(self.sink.error(ErrorKind::Other, Operation::Write).with_source(error)),
            None => {}
        }
        Ok(())
    }

    async fn write_all(&mut self, mut chunk: Bytes) -> Result<()> {
        self.bytes += chunk.len() as u64;
        loop {
            let part = self.part_bytes()?;
            let fits = chunk.len().min(part - self.gathered.len());
            if self.gathered.len() + fits > SMALL_BYTES {
                self.gathered.reserve(part - self.gathered.len());
            }
            self.gathered.extend_from_slice(&chunk.split_to(fits));
            // A full part waits for the next byte: if there is none, the object is one request.
            if chunk.is_empty() {
                return Ok(());
            }
            let body = std::mem::take(&mut self.gathered).freeze();
            self.send(body).await?;
        }
    }

    async fn publish(&mut self) -> Result<Created> {
        let rest = std::mem::take(&mut self.gathered).freeze();
        if self.upload.is_none() {
            return self.sink.create_whole(rest).await;
        }
        self.send(rest).await?;
        while !self.sending.is_empty() {
            self.receive().await?;
        }
        let mut sent = std::mem::take(&mut self.sent);
        sent.sort_unstable_by_key(|(number, _)| *number);
        let parts = sent.into_iter().map(|(_, part)| part).collect();
        let Some(upload) = &self.upload else {
            return Err(self.sink.error(ErrorKind::Other, Operation::Finish).with_detail("the upload was discarded"));
        };
        let created = self.sink.complete(upload, parts, self.bytes).await?;
        if created == Created::New {
            self.upload = None;
        }
        Ok(created)
    }

    async fn discard(&mut self) {
        self.failed = true;
        let sending = std::mem::take(&mut self.sending);
        match self.upload.take() {
            Some(upload) => give_back(&*self.sink, &upload, sending).await,
            None => drop(sending),
        }
    }
}

/// A part that a server is still receiving when the upload is aborted may stay, and keep the upload. So the parts under
/// way are awaited, but not for ever.
async fn give_back<S: PartSink>(sink: &S, upload: &S::Upload, mut sending: JoinSet<Result<(u32, S::Part)>>) {
    let settled = timeout(SETTLING, async { while sending.join_next().await.is_some() {} }).await;
    sending.shutdown().await;
    sink.discard(upload).await;
    if settled.is_err() {
        sink.discard(upload).await;
    }
}

#[async_trait]
impl<S: PartSink> ObjectWriter for PartWriter<S> {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.usable(Operation::Write)?;
        match self.write_all(chunk).await {
            Ok(()) => {
                self.failed = false;
                Ok(())
            }
            Err(error) => {
                self.discard().await;
                Err(error)
            }
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<Created> {
        self.usable(Operation::Finish)?;
        let created = self.publish().await;
        // Servers keep the parts of an upload whose completion they refused.
        self.discard().await;
        created
    }

    async fn abort(mut self: Box<Self>) {
        self.discard().await;
    }
}

impl<S: PartSink> Drop for PartWriter<S> {
    fn drop(&mut self) {
        let Some(upload) = self.upload.take() else { return };
        // Without a runtime the process is ending, and nobody can send anything.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (sink, sending) = (Arc::clone(&self.sink), std::mem::take(&mut self.sending));
        runtime.spawn(async move { give_back(&*sink, &upload, sending).await });
    }
}

#[cfg(test)]
mod tests;
