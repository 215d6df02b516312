//! Creating objects: each request that makes a name visible carries `If-None-Match: *`. Every upload is marked with a
//! random id, because an answer can be lost: the second attempt then meets the object of the first, and only the mark
//! tells it from somebody else's.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::primitives::{ByteStream as SdkBody, DateTime};
use aws_sdk_s3::types::{
    ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, ObjectLockMode, ServerSideEncryption, StorageClass,
};
use bytes::Bytes;
use uuid::Uuid;

use super::bucket::Bucket;
use super::location::{Encryption, S3Location};
use crate::cloud::failure::{Again, Failure, GaveUp, Reason};
use crate::cloud::upload::PartSink;
use crate::error::{ErrorKind, Operation, StoreError};
use crate::key::is_control;
use crate::lock::RetentionMode;
use crate::port::{Created, Result};

/// `x-amz-meta-tidemark-upload`.
const MARK: &str = "tidemark-upload";

#[derive(Debug, Clone, Copy)]
pub(super) struct Protect {
    pub mode: RetentionMode,
    pub until: jiff::Timestamp,
}

impl Protect {
    pub fn mode(&self) -> ObjectLockMode {
        match self.mode {
            RetentionMode::Governance => ObjectLockMode::Governance,
            RetentionMode::Compliance => ObjectLockMode::Compliance,
        }
    }

    /// Whole seconds; servers refuse or cut more.
    pub fn until(&self) -> DateTime {
        DateTime::from_secs(self.until.as_second())
    }
}

pub(super) fn encryption_of(location: &S3Location) -> Option<ServerSideEncryption> {
    location.encryption.map(|encryption| match encryption {
        Encryption::S3 => ServerSideEncryption::Aes256,
        Encryption::Kms => ServerSideEncryption::AwsKms,
        Encryption::KmsDual => ServerSideEncryption::AwsKmsDsse,
    })
}

pub(super) struct Upload {
    bucket: Arc<Bucket>,
    key: String,
    mark: String,
    protect: Option<Protect>,
}

impl Upload {
    pub fn new(bucket: &Arc<Bucket>, key: &str, protect: Option<Protect>) -> Self {
        let mark = Uuid::new_v4().to_string();
        Self { bucket: Arc::clone(bucket), key: key.to_owned(), mark, protect }
    }

    fn location(&self) -> &S3Location {
        &self.bucket.location
    }

    fn name(&self) -> String {
        self.location().name_of(&self.key)
    }

    /// Control objects live too shortly for the classes that are paid by the month.
    fn storage_class(&self) -> Option<StorageClass> {
        self.location().storage_class.as_deref().filter(|_| !is_control(&self.key)).map(StorageClass::from)
    }

    fn failed(&self, gave_up: GaveUp, operation: Operation) -> StoreError {
        gave_up.into_error(operation, &self.key, self.bucket.shown())
    }

    /// The name is taken. By us, when an earlier attempt of ours succeeded and its answer was lost.
    async fn taken(&self, attempts: u32) -> Result<Created> {
        if attempts == 1 {
            return Ok(Created::AlreadyExists);
        }
        let (mark, _) = self.published().await?.unwrap_or_default();
        Ok(if mark.as_deref() == Some(self.mark.as_str()) { Created::New } else { Created::AlreadyExists })
    }

    /// Mark and size of what is there under the name.
    async fn published(&self) -> Result<Option<(Option<String>, u64)>> {
        let client = self.bucket.client().await?;
        let head =
            self.bucket.call(0, |_| client.head_object().bucket(&self.location().bucket).key(self.name()).send()).await;
        match head {
            Ok(found) => {
                let size = found.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or_default();
                let mark = found.metadata().and_then(|metadata| metadata.get(MARK)).cloned();
                Ok(Some((mark, size)))
            }
            Err(GaveUp { failure, .. }) if failure.reason == Reason::NoObject => Ok(None),
            Err(gave_up) => Err(self.failed(gave_up, Operation::Finish)),
        }
    }
}

#[async_trait]
impl PartSink for Upload {
    type Upload = String;
    type Part = CompletedPart;

    async fn create_whole(&self, body: Bytes) -> Result<Created> {
        let client = self.bucket.client().await?;
        let put = self.bucket.call(body.len(), |_| {
            client
                .put_object()
                .bucket(&self.location().bucket)
                .key(self.name())
                .if_none_match("*")
                .metadata(MARK, &self.mark)
                .checksum_algorithm(ChecksumAlgorithm::Crc32C)
                .set_server_side_encryption(encryption_of(self.location()))
                .set_ssekms_key_id(self.location().kms_key.clone())
                .set_storage_class(self.storage_class())
                .set_object_lock_mode(self.protect.map(|protect| protect.mode()))
                .set_object_lock_retain_until_date(self.protect.map(|protect| protect.until()))
                .body(SdkBody::from(body.clone()))
                .send()
        });
        match put.await {
            Ok(_) => Ok(Created::New),
            Err(gave_up) if gave_up.failure.reason == Reason::NameTaken => self.taken(gave_up.attempts).await,
            Err(gave_up) => Err(self.failed(gave_up, Operation::Finish)),
        }
    }

    async fn begin(&self) -> Result<String> {
        let client = self.bucket.client().await?;
        let begun = self.bucket.call(0, |_| {
            client
                .create_multipart_upload()
                .bucket(&self.location().bucket)
                .key(self.name())
                .metadata(MARK, &self.mark)
                .checksum_algorithm(ChecksumAlgorithm::Crc32C)
                .set_server_side_encryption(encryption_of(self.location()))
                .set_ssekms_key_id(self.location().kms_key.clone())
                .set_storage_class(self.storage_class())
                .set_object_lock_mode(self.protect.map(|protect| protect.mode()))
                .set_object_lock_retain_until_date(self.protect.map(|protect| protect.until()))
                .send()
        });
        let begun = begun.await.map_err(|gave_up| self.failed(gave_up, Operation::Write))?;
        let named = begun.upload_id().map(str::to_owned);
        named.ok_or_else(|| self.error(ErrorKind::Other, Operation::Write).with_detail("the upload was given no id"))
    }

    async fn send_part(&self, upload: &String, number: u32, body: Bytes) -> Result<CompletedPart> {
        let client = self.bucket.client().await?;
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        let sent = self.bucket.call(body.len(), |_| {
            client
                .upload_part()
                .bucket(&self.location().bucket)
                .key(self.name())
                .upload_id(upload)
                .part_number(number)
                .checksum_algorithm(ChecksumAlgorithm::Crc32C)
                .body(SdkBody::from(body.clone()))
                .send()
        });
        let sent = sent.await.map_err(|gave_up| self.failed(gave_up, Operation::Write))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag().map(str::to_owned))
            .set_checksum_crc32_c(sent.checksum_crc32_c().map(str::to_owned))
            .build())
    }

    async fn complete(&self, upload: &String, parts: Vec<CompletedPart>, bytes: u64) -> Result<Created> {
        let client = self.bucket.client().await?;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let completed = self.bucket.call(0, |_| {
            client
                .complete_multipart_upload()
                .bucket(&self.location().bucket)
                .key(self.name())
                .upload_id(upload)
                .if_none_match("*")
                .multipart_upload(parts.clone())
                .send()
        });
        match completed.await {
            Ok(_) => {}
            Err(gave_up) if gave_up.failure.reason == Reason::NameTaken => return self.taken(gave_up.attempts).await,
            // Completed by an attempt whose answer was lost, or by nobody: then whoever has the name decides.
            Err(gave_up) if gave_up.failure.reason == Reason::UploadGone => {
                return match self.published().await? {
                    Some((mark, _)) if mark.as_deref() == Some(self.mark.as_str()) => Ok(Created::New),
                    Some(_) => Ok(Created::AlreadyExists),
                    None => Err(self.failed(gave_up, Operation::Finish)),
                };
            }
            Err(gave_up) => return Err(self.failed(gave_up, Operation::Finish)),
        }
        // An answer of success was sent before the work was done, and is not proof of the whole object.
        match self.published().await? {
            Some((_, size)) if size == bytes => Ok(Created::New),
            found => {
                let size = found.map_or("no object".to_owned(), |(_, size)| format!("an object of {size} bytes"));
                let detail = format!("{bytes} bytes were uploaded and acknowledged, but there is {size}");
                let failure = Failure::new(ErrorKind::Other, Again::Never, detail);
                Err(self.failed(GaveUp { failure, attempts: 1 }, Operation::Finish))
            }
        }
    }

    async fn discard(&self, upload: &String) {
        let Ok(client) = self.bucket.client().await else { return };
        let aborted = self.bucket.call(0, |_| {
            client.abort_multipart_upload().bucket(&self.location().bucket).key(self.name()).upload_id(upload).send()
        });
        if let Err(gave_up) = aborted.await
            && gave_up.failure.reason != Reason::UploadGone
        {
            tracing::warn!(
                event = "upload_parts_left",
                key = self.key,
                location = self.bucket.shown(),
                failure = gave_up.failure.detail,
                "parts of an unfinished object stay until the bucket's lifecycle rule removes them"
            );
        }
    }

    fn error(&self, kind: ErrorKind, operation: Operation) -> StoreError {
        StoreError::new(kind, operation, self.bucket.shown()).with_key(&self.key)
    }
}
