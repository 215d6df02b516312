//! Requests about one object, apart from creating it.

use async_trait::async_trait;
use aws_sdk_s3::primitives::{ByteStream as SdkBody, DateTime};
use aws_sdk_s3::types::ChecksumAlgorithm;
use bytes::Bytes;
use futures::stream;

use super::bucket::Bucket;
use super::failure::judge;
use super::upload::encryption_of;
use crate::cloud::attempts::Patience;
use crate::cloud::failure::{Again, Failure, GaveUp, Reason};
use crate::cloud::resume::{Body, Opened, Source};
use crate::error::{ErrorKind, Operation, StoreError};
use crate::port::{ObjectMeta, Result};

pub(super) async fn replace(bucket: &Bucket, key: &str, body: Bytes) -> Result<()> {
    let client = bucket.client().await?;
    let location = &bucket.location;
    let put = bucket.call(body.len(), |_| {
        client
            .put_object()
            .bucket(&location.bucket)
            .key(location.name_of(key))
            .checksum_algorithm(ChecksumAlgorithm::Crc32C)
            .set_server_side_encryption(encryption_of(location))
            .set_ssekms_key_id(location.kms_key.clone())
            .body(SdkBody::from(body.clone()))
            .send()
    });
    put.await.map(|_| ()).map_err(|gave_up| gave_up.into_error(Operation::PutMutable, key, bucket.shown()))
}

pub(super) async fn head(bucket: &Bucket, key: &str) -> Result<Option<ObjectMeta>> {
    let client = bucket.client().await?;
    let location = &bucket.location;
    let head =
        bucket.call(0, |_| client.head_object().bucket(&location.bucket).key(location.name_of(key)).send()).await;
    match head {
        Ok(found) => {
            let size = found.content_length().and_then(|length| u64::try_from(length).ok());
            let modified = found.last_modified().and_then(timestamp);
            let (Some(size), Some(modified)) = (size, modified) else {
                let error = StoreError::new(ErrorKind::Other, Operation::Head, bucket.shown()).with_key(key);
                return Err(error.with_detail("the answer has no size or no date"));
            };
            Ok(Some(ObjectMeta { size, modified }))
        }
        Err(GaveUp { failure, .. }) if failure.reason == Reason::NoObject => {
            bucket.require(Operation::Head).await?;
            Ok(None)
        }
        Err(gave_up) => Err(gave_up.into_error(Operation::Head, key, bucket.shown())),
    }
}

pub(super) async fn delete(bucket: &Bucket, key: &str) -> Result<()> {
    let client = bucket.client().await?;
    let location = &bucket.location;
    let delete = bucket.call(0, |_| client.delete_object().bucket(&location.bucket).key(location.name_of(key)).send());
    match delete.await {
        Ok(_) => Ok(()),
        Err(GaveUp { failure, .. }) if failure.reason == Reason::NoObject => bucket.require(Operation::Delete).await,
        // A name below that of an object, on a server that keeps objects as files: there is nothing there.
        Err(GaveUp { failure, .. }) if failure.kind == ErrorKind::InvalidKey => Ok(()),
        Err(gave_up) => Err(gave_up.into_error(Operation::Delete, key, bucket.shown())),
    }
}

/// In whole seconds, as `Last-Modified` has it: listings of some servers are more precise, and one object must not have
/// two dates.
pub(super) fn timestamp(date: &DateTime) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_second(date.secs()).ok()
}

#[async_trait]
impl Source for Bucket {
    async fn open(&self, key: &str, start: u64, end: Option<u64>, tag: Option<&str>) -> Result<Opened, Failure> {
        let client =
            self.client().await.map_err(|error| Failure::new(error.kind(), Again::Never, error.to_string()))?;
        let whole = start == 0 && end.is_none();
        let range = match end {
            Some(end) => format!("bytes={start}-{}", end - 1),
            None => format!("bytes={start}-"),
        };
        let request = client
            .get_object()
            .bucket(&self.location.bucket)
            .key(self.location.name_of(key))
            .set_range((!whole).then_some(range))
            .set_if_match(tag.map(str::to_owned));
        let answer = request.send().await.map_err(|error| match judge(&error) {
            failure if failure.reason == Reason::NameTaken => {
                Failure::new(ErrorKind::Unreachable, Again::Never, "the object was replaced while it was read")
                    .because(Reason::Replaced)
            }
            failure => failure,
        })?;
        let length = answer.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or_default();
        if !whole
            && length > 0
            && !answer.content_range().is_some_and(|range| range.starts_with(&format!("bytes {start}-")))
        {
            return Err(Failure::new(ErrorKind::Other, Again::Never, "the server does not honour ranges"));
        }
        let tag = answer.e_tag().map(str::to_owned);
        let body: Body = Box::pin(stream::unfold(answer.body, |mut body| async move {
            let chunk = body.next().await?;
            Some((chunk.map_err(|error| Failure::unreachable(format!("the connection broke: {error}"))), body))
        }));
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
