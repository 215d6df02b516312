//! Requests about one blob, apart from creating it.

use std::num::NonZero;

use async_trait::async_trait;
use azure_storage_blob::models::{
    BlobClientDownloadOptions, BlobClientGetPropertiesResultHeaders, BlockBlobClientUploadOptions, HttpRange,
};
use bytes::Bytes;
use futures::StreamExt;

use super::container::Container;
use super::failure::{judge, timestamp};
use crate::cloud::attempts::Patience;
use crate::cloud::failure::{Again, Failure, GaveUp, Reason};
use crate::cloud::resume::{Body, Opened, Source};
use crate::error::{ErrorKind, Operation, StoreError};
use crate::port::{ObjectMeta, Result};

/// So much that the SDK never cuts a transfer into several requests: that is done by our own code.
pub(super) const WHOLE: u64 = 1 << 40;

pub(super) async fn replace(container: &Container, key: &str, body: Bytes) -> Result<()> {
    let blob = container.blob(key).await?.block_blob_client();
    let put = container.call(body.len(), || {
        let options = BlockBlobClientUploadOptions { partition_size: NonZero::new(WHOLE), ..Default::default() };
        blob.upload(body.clone().into(), Some(options))
    });
    put.await.map(|_| ()).map_err(|gave_up| gave_up.into_error(Operation::PutMutable, key, container.shown()))
}

pub(super) async fn head(container: &Container, key: &str) -> Result<Option<ObjectMeta>> {
    let blob = container.blob(key).await?;
    match container.call(0, || blob.get_properties(None)).await {
        Ok(found) => {
            let size = found.content_length().ok().flatten();
            let modified = found.last_modified().ok().flatten().and_then(timestamp);
            let (Some(size), Some(modified)) = (size, modified) else {
                let error = StoreError::new(ErrorKind::Other, Operation::Head, container.shown()).with_key(key);
                return Err(error.with_detail("the answer has no size or no date"));
            };
            Ok(Some(ObjectMeta { size, modified }))
        }
        Err(GaveUp { failure, .. }) if failure.reason == Reason::NoObject => {
            container.require(Operation::Head).await?;
            Ok(None)
        }
        Err(gave_up) => Err(gave_up.into_error(Operation::Head, key, container.shown())),
    }
}

pub(super) async fn delete(container: &Container, key: &str) -> Result<()> {
    let blob = container.blob(key).await?;
    match container.call(0, || blob.delete(None)).await {
        Ok(_) => Ok(()),
        Err(GaveUp { failure, .. }) if failure.reason == Reason::NoObject => container.require(Operation::Delete).await,
        Err(gave_up) => Err(gave_up.into_error(Operation::Delete, key, container.shown())),
    }
}

#[async_trait]
impl Source for Container {
    async fn open(&self, key: &str, start: u64, end: Option<u64>, tag: Option<&str>) -> Result<Opened, Failure> {
        let blob = self.blob(key).await.map_err(|error| Failure::new(error.kind(), Again::Never, error.to_string()))?;
        let range = match end {
            Some(end) => Some(HttpRange::new(start, end - start)),
            None => (start > 0).then(|| HttpRange::from_offset(start)),
        };
        let options = BlobClientDownloadOptions {
            range,
            if_match: tag.map(Into::into),
            parallel: NonZero::new(1),
            partition_size: usize::try_from(WHOLE).ok().and_then(NonZero::new),
            ..Default::default()
        };
        let answer = blob.download(Some(options)).await.map_err(|error| match judge(&error) {
            failure if failure.reason == Reason::NameTaken => {
                Failure::new(ErrorKind::Unreachable, Again::Never, "the object was replaced while it was read")
                    .because(Reason::Replaced)
            }
            failure => failure,
        })?;
        let length = answer.properties.content_length.unwrap_or_default();
        let tag = answer.properties.etag.map(|tag| tag.to_string());
        let body: Body = Box::pin(
            answer
                .body
                .map(|chunk| chunk.map_err(|error| Failure::unreachable(format!("the connection broke: {error}")))),
        );
        Ok(Opened { body, range: start..start + length, tag })
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        Ok(head(self, key).await?.is_some())
    }

    fn patience(&self) -> Patience {
        self.patience()
    }

    fn location(&self) -> &str {
        self.shown()
    }
}
