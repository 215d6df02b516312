//! Immutability of blob versions, for containers that have it switched on. Only [`protection_of`] reads what Azure says
//! about it, and is tested by recorded answers: Azurite answers these calls with 500 and deletes protected blobs.

use async_trait::async_trait;
use azure_storage_blob::models::{
    BlobClientGetPropertiesResultHeaders, BlobClientSetImmutabilityPolicyOptions, ImmutabilityPolicyMode,
};
use bytes::Bytes;
use jiff::Timestamp;

use super::AzureStore;
use super::failure::timestamp;
use super::upload::{Protect, Upload, offset_time, policy_mode};
use crate::cloud::failure::{GaveUp, Reason};
use crate::cloud::upload::PartWriter;
use crate::error::{ErrorKind, Operation, StoreError};
use crate::key::validate_key;
use crate::lock::{ObjectLock, Protection, Retention, RetentionMode};
use crate::port::{Created, ObjectWriter, Result};

/// What the headers of a blob say about its protection.
fn protection_of(headers: &impl BlobClientGetPropertiesResultHeaders) -> azure_core::Result<Protection> {
    let mode = headers.immutability_policy_mode()?.map(|mode| match mode {
        ImmutabilityPolicyMode::Unlocked | ImmutabilityPolicyMode::Mutable => RetentionMode::Governance,
        ImmutabilityPolicyMode::Locked => RetentionMode::Compliance,
    });
    let until = headers.immutability_policy_expires_on()?.and_then(timestamp);
    Ok(Protection { retained: mode.zip(until), held: headers.legal_hold()?.unwrap_or(false) })
}

#[async_trait]
impl ObjectLock for AzureStore {
    fn retention(&self) -> Option<Retention> {
        self.container.location.retention
    }

    async fn protection(&self, key: &str) -> Result<Option<Protection>> {
        self.check(validate_key(key), Operation::Head, key)?;
        let blob = self.container.blob(key).await?;
        let asked = self.container.call(0, || async { protection_of(&blob.get_properties(None).await?) });
        match asked.await {
            Ok(protection) => Ok(Some(protection)),
            Err(GaveUp { failure, .. }) if failure.reason == Reason::NoObject => {
                self.container.require(Operation::Head).await?;
                Ok(None)
            }
            Err(gave_up) => Err(gave_up.into_error(Operation::Head, key, self.container.shown())),
        }
    }

    async fn hold(&self, key: &str, held: bool) -> Result<()> {
        self.check(validate_key(key), Operation::Protect, key)?;
        let blob = self.container.blob(key).await?;
        let set = self.container.call(0, || blob.set_legal_hold(held, None));
        set.await.map(|_| ()).map_err(|gave_up| gave_up.into_error(Operation::Protect, key, self.container.shown()))
    }

    async fn retain(&self, key: &str, mode: RetentionMode, until: Timestamp) -> Result<()> {
        self.check(validate_key(key), Operation::Protect, key)?;
        let Some(until) = offset_time(until) else {
            let error = StoreError::new(ErrorKind::Other, Operation::Protect, self.container.shown()).with_key(key);
            return Err(error.with_detail("the end of the retention is out of range"));
        };
        let blob = self.container.blob(key).await?;
        let set = self.container.call(0, || {
            let mode = Some(policy_mode(mode));
            let options =
                BlobClientSetImmutabilityPolicyOptions { immutability_policy_mode: mode, ..Default::default() };
            blob.set_immutability_policy(&until, Some(options))
        });
        set.await.map(|_| ()).map_err(|gave_up| gave_up.into_error(Operation::Protect, key, self.container.shown()))
    }

    async fn put_retained(&self, key: &str, body: Bytes, mode: RetentionMode, until: Timestamp) -> Result<Created> {
        self.check(validate_key(key), Operation::Create, key)?;
        let upload = Upload::new(&self.container, key, Some(Protect { mode, until }));
        let mut writer = Box::new(PartWriter::new(upload));
        writer.write(body).await?;
        writer.finish().await
    }

    /// The version itself: deleting a blob by its name leaves its versions as they are.
    async fn purge(&self, key: &str) -> Result<()> {
        self.check(validate_key(key), Operation::Purge, key)?;
        let failed = |gave_up: GaveUp| gave_up.into_error(Operation::Purge, key, self.container.shown());
        let blob = self.container.blob(key).await?;
        let found = match self.container.call(0, || blob.get_properties(None)).await {
            Ok(found) => found,
            Err(GaveUp { failure, .. }) if failure.reason == Reason::NoObject => {
                return self.container.require(Operation::Purge).await;
            }
            Err(gave_up) => return Err(failed(gave_up)),
        };
        let version = found.version_id().ok().flatten();
        self.container.call(0, || blob.delete(None)).await.map_err(failed)?;
        if let Some(version) = version {
            let versioned = blob.with_version(&version).map_err(|error| {
                let error = super::failure::judge(&error);
                failed(GaveUp { failure: error, attempts: 1 })
            })?;
            match self.container.call(0, || versioned.delete(None)).await {
                Err(gave_up) if gave_up.failure.reason != Reason::NoObject => return Err(failed(gave_up)),
                _ => {}
            }
        }
        Ok(())
    }
}
