//! Objects in a bucket: `s3://bucket/prefix`, at AWS or any server that honours `If-None-Match: *` on uploads. The store
//! proof finds those that do not. Requests are sent by the SDK of AWS, everything around them is the same for all
//! clouds.

mod bucket;
mod client;
mod failure;
mod listing;
mod location;
mod lock;
mod object;
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
use bucket::Bucket;
use location::S3Location;
use upload::{Protect, Upload};

#[derive(Debug, Clone)]
pub struct S3Store {
    bucket: Arc<Bucket>,
}

impl S3Store {
    /// Reads the URL and the files it names; nothing is sent before the first call.
    pub(crate) fn open(url: &str, shown: &str) -> Result<Self, StoreError> {
        Ok(Self { bucket: Arc::new(Bucket::new(S3Location::parse(url, shown)?)) })
    }

    fn check(&self, verdict: Result<(), &'static str>, operation: Operation, key: &str) -> Result<()> {
        checked(verdict, operation, key, self.bucket.shown())
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    fn location(&self) -> &str {
        self.bucket.shown()
    }

    async fn create(&self, key: &str) -> Result<Box<dyn ObjectWriter>> {
        self.check(validate_key(key), Operation::Create, key)?;
        let retention = self.bucket.location.retention.filter(|_| !is_control(key));
        let protect = retention.map(|retention| Protect { mode: retention.mode, until: retention.until() });
        Ok(Box::new(PartWriter::new(Upload::new(&self.bucket, key, protect))))
    }

    async fn put_mutable(&self, key: &str, body: Bytes) -> Result<()> {
        self.check(validate_mutable_key(key), Operation::PutMutable, key)?;
        object::replace(&self.bucket, key, body).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream> {
        self.check(validate_key(key), Operation::Get, key)?;
        resume::read(Arc::clone(&self.bucket), key, range).await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        self.check(validate_key(key), Operation::Head, key)?;
        object::head(&self.bucket, key).await
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<ListPage> {
        self.check(validate_prefix(prefix), Operation::List, prefix)?;
        listing::list(&self.bucket, prefix, start_after, limit).await
    }

    async fn list_folders(&self, prefix: &str) -> Result<Vec<String>> {
        self.check(validate_folder_prefix(prefix), Operation::ListFolders, prefix)?;
        listing::list_folders(&self.bucket, prefix).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.check(validate_key(key), Operation::Delete, key)?;
        object::delete(&self.bucket, key).await
    }

    async fn clock(&self) -> Result<Option<jiff::Timestamp>> {
        self.bucket.clock().await
    }

    fn lock(&self) -> Option<&dyn ObjectLock> {
        Some(self)
    }
}
