//! A store that is as far away as a real one: every call, and every chunk written, waits a fixed time first. Shows
//! in tests whether upper layers overlap their calls.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::sleep;

use crate::lock::ObjectLock;
use crate::port::{ByteStream, Created, ListPage, ObjectMeta, ObjectStore, ObjectWriter, Result};

#[derive(Debug, Clone)]
pub struct DelayStore {
    inner: Arc<dyn ObjectStore>,
    latency: Duration,
}

impl DelayStore {
    pub fn new(inner: Arc<dyn ObjectStore>, latency: Duration) -> Self {
        Self { inner, latency }
    }
}

#[async_trait]
impl ObjectStore for DelayStore {
    fn location(&self) -> &str {
        self.inner.location()
    }

    async fn create(&self, key: &str) -> Result<Box<dyn ObjectWriter>> {
        sleep(self.latency).await;
        let inner = self.inner.create(key).await?;
        Ok(Box::new(DelayWriter { inner, latency: self.latency }))
    }

    async fn put_mutable(&self, key: &str, body: Bytes) -> Result<()> {
        sleep(self.latency).await;
        self.inner.put_mutable(key, body).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream> {
        sleep(self.latency).await;
        self.inner.get(key, range).await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        sleep(self.latency).await;
        self.inner.head(key).await
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<ListPage> {
        sleep(self.latency).await;
        self.inner.list(prefix, start_after, limit).await
    }

    async fn list_folders(&self, prefix: &str) -> Result<Vec<String>> {
        sleep(self.latency).await;
        self.inner.list_folders(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        sleep(self.latency).await;
        self.inner.delete(key).await
    }

    async fn clock(&self) -> Result<Option<jiff::Timestamp>> {
        sleep(self.latency).await;
        self.inner.clock().await
    }

    fn lock(&self) -> Option<&dyn ObjectLock> {
        self.inner.lock()
    }
}

struct DelayWriter {
    inner: Box<dyn ObjectWriter>,
    latency: Duration,
}

#[async_trait]
impl ObjectWriter for DelayWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        sleep(self.latency).await;
        self.inner.write(chunk).await
    }

    async fn finish(self: Box<Self>) -> Result<Created> {
        sleep(self.latency).await;
        self.inner.finish().await
    }

    async fn abort(self: Box<Self>) {
        self.inner.abort().await;
    }
}
