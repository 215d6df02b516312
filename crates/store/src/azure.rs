//! Objects as block blobs in a container: `azblob://account/container/prefix`. Requests are made by Azure's SDK and sent
//! by a transport of ours; everything around them is the same for all clouds.
//!
//! The account needs a flat namespace: one with a hierarchy lists its names in another order, which the store proof
//! finds.

mod blob;
mod container;
mod credentials;
mod failure;
mod listing;
mod location;
mod lock;
mod transport;
mod upload;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::cloud::resume;
use crate::cloud::upload::PartWriter;
use crate::error::{Operation, StoreError};
use crate::key::{checked, is_control, validate_folder_prefix, validate_key, validate_mutable_key, validate_prefix};
use crate::lock::ObjectLock;
use crate::port::{ByteStream, ListPage, ObjectMeta, ObjectStore, ObjectWriter, Result};
use container::Container;
use location::AzureLocation;
use upload::{Protect, Upload};

#[derive(Debug, Clone)]
pub struct AzureStore {
    container: Arc<Container>,
}

impl AzureStore {
    /// Reads the URL and the files it names; nothing is sent before the first call.
    pub(crate) fn open(url: &str, shown: &str) -> Result<Self, StoreError> {
        Ok(Self { container: Arc::new(Container::new(AzureLocation::parse(url, shown)?)) })
    }

    fn check(&self, verdict: Result<(), &'static str>, operation: Operation, key: &str) -> Result<()> {
        checked(verdict, operation, key, self.container.shown())
    }
}

#[async_trait]
impl ObjectStore for AzureStore {
    fn location(&self) -> &str {
        self.container.shown()
    }

    async fn create(&self, key: &str) -> Result<Box<dyn ObjectWriter>> {
        self.check(validate_key(key), Operation::Create, key)?;
        let retention = self.container.location.retention.filter(|_| !is_control(key));
        let protect = retention.map(|retention| Protect { mode: retention.mode, until: retention.until() });
        Ok(Box::new(PartWriter::new(Upload::new(&self.container, key, protect))))
    }

    async fn put_mutable(&self, key: &str, body: Bytes) -> Result<()> {
        self.check(validate_mutable_key(key), Operation::PutMutable, key)?;
        blob::replace(&self.container, key, body).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream> {
        self.check(validate_key(key), Operation::Get, key)?;
        resume::read(Arc::clone(&self.container), key, range).await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        self.check(validate_key(key), Operation::Head, key)?;
        blob::head(&self.container, key).await
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<ListPage> {
        self.check(validate_prefix(prefix), Operation::List, prefix)?;
        listing::list(&self.container, prefix, start_after, limit).await
    }

    async fn list_folders(&self, prefix: &str) -> Result<Vec<String>> {
        self.check(validate_folder_prefix(prefix), Operation::ListFolders, prefix)?;
        listing::list_folders(&self.container, prefix).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.check(validate_key(key), Operation::Delete, key)?;
        blob::delete(&self.container, key).await
    }

    async fn clock(&self) -> Result<Option<jiff::Timestamp>> {
        self.container.clock().await
    }

    fn lock(&self) -> Option<&dyn ObjectLock> {
        Some(self)
    }
}
