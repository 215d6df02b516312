//! Creating blobs: the request that makes a name visible carries `If-None-Match: *`.
//!
//! Blocks of one blob that nobody committed yet are shared by everybody who writes it, so a block's id begins with the
//! mark of its upload. Whoever commits first makes Azure forget the blocks of the others; what is never committed it
//! forgets after a week, so there is nothing to discard.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::Etag;
use azure_core::time::OffsetDateTime;
use azure_storage_blob::models::{
    BlobClientGetPropertiesResultHeaders, BlockBlobClientCommitBlockListOptions, BlockBlobClientUploadOptions,
    BlockLookupList, ImmutabilityPolicyMode,
};
use bytes::Bytes;
use uuid::Uuid;

use super::blob::WHOLE;
use super::container::Container;
use crate::cloud::failure::{Again, Failure, GaveUp, Reason};
use crate::cloud::upload::PartSink;
use crate::error::{ErrorKind, Operation, StoreError};
use crate::lock::RetentionMode;
use crate::port::{Created, Result};

/// Names of metadata are identifiers: no hyphen.
const MARK: &str = "tidemark_upload";

#[derive(Debug, Clone, Copy)]
pub(super) struct Protect {
    pub mode: RetentionMode,
    pub until: jiff::Timestamp,
}

pub(super) fn policy_mode(mode: RetentionMode) -> ImmutabilityPolicyMode {
    match mode {
        RetentionMode::Governance => ImmutabilityPolicyMode::Unlocked,
        RetentionMode::Compliance => ImmutabilityPolicyMode::Locked,
    }
}

pub(super) fn offset_time(time: jiff::Timestamp) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(time.as_second()).ok()
}

pub(super) struct Upload {
    container: Arc<Container>,
    key: String,
    mark: Uuid,
    protect: Option<Protect>,
}

impl Upload {
    pub fn new(container: &Arc<Container>, key: &str, protect: Option<Protect>) -> Self {
        Self { container: Arc::clone(container), key: key.to_owned(), mark: Uuid::new_v4(), protect }
    }

    fn failed(&self, gave_up: GaveUp, operation: Operation) -> StoreError {
        gave_up.into_error(operation, &self.key, self.container.shown())
    }

    fn metadata(&self) -> HashMap<String, String> {
        HashMap::from([(MARK.to_owned(), self.mark.to_string())])
    }

    /// The name is taken. By us, when an earlier attempt of ours succeeded and its answer was lost.
    async fn taken(&self, attempts: u32) -> Result<Created> {
        if attempts == 1 {
            return Ok(Created::AlreadyExists);
        }
        Ok(if self.is_ours().await? == Some(true) { Created::New } else { Created::AlreadyExists })
    }

    /// Whether the blob under the name is the one of this upload, if there is one.
    async fn is_ours(&self) -> Result<Option<bool>> {
        let blob = self.container.blob(&self.key).await?;
        match self.container.call(0, || blob.get_properties(None)).await {
            Ok(found) => {
                let metadata = found.metadata().unwrap_or_default();
                // Servers do not agree on whether they keep the case of the name.
                let mark = metadata.iter().find(|(name, _)| name.eq_ignore_ascii_case(MARK));
                Ok(Some(mark.is_some_and(|(_, mark)| *mark == self.mark.to_string())))
            }
            Err(GaveUp { failure, .. }) if failure.reason == Reason::NoObject => Ok(None),
            Err(gave_up) => Err(self.failed(gave_up, Operation::Finish)),
        }
    }
}

#[async_trait]
impl PartSink for Upload {
    type Upload = ();
    type Part = Vec<u8>;

    async fn create_whole(&self, body: Bytes) -> Result<Created> {
        let blob = self.container.blob(&self.key).await?.block_blob_client();
        let put = self.container.call(body.len(), || {
            let options = BlockBlobClientUploadOptions {
                if_none_match: Some(Etag::from("*")),
                metadata: Some(self.metadata()),
                immutability_policy_expiry: self.protect.and_then(|protect| offset_time(protect.until)),
                immutability_policy_mode: self.protect.map(|protect| policy_mode(protect.mode)),
                partition_size: NonZero::new(WHOLE),
                ..Default::default()
            };
            blob.upload(body.clone().into(), Some(options))
        });
        match put.await {
            Ok(_) => Ok(Created::New),
            Err(gave_up) if gave_up.failure.reason == Reason::NameTaken => self.taken(gave_up.attempts).await,
            Err(gave_up) => Err(self.failed(gave_up, Operation::Finish)),
        }
    }

    async fn begin(&self) -> Result<()> {
        Ok(())
    }

    async fn send_part(&self, (): &(), number: u32, body: Bytes) -> Result<Vec<u8>> {
        // All ids of a blob have one length.
        let id = [self.mark.as_bytes().as_slice(), &number.to_be_bytes()].concat();
        let blob = self.container.blob(&self.key).await?.block_blob_client();
        let staged =
            self.container.call(body.len(), || blob.stage_block(&id, body.len() as u64, body.clone().into(), None));
        staged.await.map_err(|gave_up| self.failed(gave_up, Operation::Write))?;
        Ok(id)
    }

    async fn complete(&self, (): &(), parts: Vec<Vec<u8>>, _: u64) -> Result<Created> {
        let blob = self.container.blob(&self.key).await?.block_blob_client();
        let list = BlockLookupList { latest: Some(parts), ..Default::default() };
        let committed = self.container.call(0, || {
            let options = BlockBlobClientCommitBlockListOptions {
                if_none_match: Some(Etag::from("*")),
                metadata: Some(self.metadata()),
                immutability_policy_expiry: self.protect.and_then(|protect| offset_time(protect.until)),
                immutability_policy_mode: self.protect.map(|protect| policy_mode(protect.mode)),
                ..Default::default()
            };
            let (blob, list) = (&blob, list.clone());
            async move { blob.commit_block_list(list.try_into()?, Some(options)).await }
        });
        match committed.await {
            Ok(_) => Ok(Created::New),
            Err(gave_up) if gave_up.failure.reason == Reason::NameTaken => self.taken(gave_up.attempts).await,
            // Somebody committed, and with that our blocks were forgotten: whoever has the name decides.
            Err(gave_up) if gave_up.failure.reason == Reason::UploadGone => match self.is_ours().await? {
                Some(true) => Ok(Created::New),
                Some(false) => Ok(Created::AlreadyExists),
                None => {
                    let detail = format!("the staged blocks are gone [{}]", gave_up.failure.detail);
                    let failure = Failure::new(ErrorKind::Unreachable, Again::Never, detail);
                    Err(self.failed(GaveUp { failure, ..gave_up }, Operation::Finish))
                }
            },
            Err(gave_up) => Err(self.failed(gave_up, Operation::Finish)),
        }
    }

    async fn discard(&self, (): &()) {}

    fn error(&self, kind: ErrorKind, operation: Operation) -> StoreError {
        StoreError::new(kind, operation, self.container.shown()).with_key(&self.key)
    }
}
