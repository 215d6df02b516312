//! Object Lock. Protection belongs to versions, so a bucket that has it keeps them all: to remove an object for good is
//! to remove each of its versions, and that is what the server refuses.

use async_trait::async_trait;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockMode, ObjectLockRetention,
    ObjectLockRetentionMode,
};
use bytes::Bytes;
use jiff::Timestamp;

use super::S3Store;
use super::object::timestamp;
use super::upload::{Protect, Upload};
use crate::cloud::failure::{GaveUp, Reason};
use crate::cloud::upload::PartWriter;
use crate::error::Operation;
use crate::key::validate_key;
use crate::lock::{ObjectLock, Protection, Retention, RetentionMode};
use crate::port::{Created, ObjectWriter, Result};

#[async_trait]
impl ObjectLock for S3Store {
    fn retention(&self) -> Option<Retention> {
        self.bucket.location.retention
    }

    async fn protection(&self, key: &str) -> Result<Option<Protection>> {
        self.check(validate_key(key), Operation::Head, key)?;
        let client = self.bucket.client().await?;
        let location = &self.bucket.location;
        let head =
            self.bucket.call(0, |_| client.head_object().bucket(&location.bucket).key(location.name_of(key)).send());
        let found = match head.await {
            Ok(found) => found,
            Err(GaveUp { failure, .. }) if failure.reason == Reason::NoObject => {
                self.bucket.require(Operation::Head).await?;
                return Ok(None);
            }
            Err(gave_up) => return Err(gave_up.into_error(Operation::Head, key, self.bucket.shown())),
        };
        let mode = found.object_lock_mode().map(|mode| match mode {
            ObjectLockMode::Governance => RetentionMode::Governance,
            // An unknown mode is treated as the strictest one.
            _ => RetentionMode::Compliance,
        });
        let until = found.object_lock_retain_until_date().and_then(timestamp);
        let held = found.object_lock_legal_hold_status() == Some(&ObjectLockLegalHoldStatus::On);
        Ok(Some(Protection { retained: mode.zip(until), held }))
    }

    async fn hold(&self, key: &str, held: bool) -> Result<()> {
        self.check(validate_key(key), Operation::Protect, key)?;
        let client = self.bucket.client().await?;
        let location = &self.bucket.location;
        let status = if held { ObjectLockLegalHoldStatus::On } else { ObjectLockLegalHoldStatus::Off };
        let hold = ObjectLockLegalHold::builder().status(status).build();
        let put = self.bucket.call(0, |_| {
            client
                .put_object_legal_hold()
                .bucket(&location.bucket)
                .key(location.name_of(key))
                .legal_hold(hold.clone())
                .checksum_algorithm(ChecksumAlgorithm::Crc32C)
                .send()
        });
        put.await.map(|_| ()).map_err(|gave_up| gave_up.into_error(Operation::Protect, key, self.bucket.shown()))
    }

    async fn retain(&self, key: &str, mode: RetentionMode, until: Timestamp) -> Result<()> {
        self.check(validate_key(key), Operation::Protect, key)?;
        let client = self.bucket.client().await?;
        let location = &self.bucket.location;
        let mode = match mode {
            RetentionMode::Governance => ObjectLockRetentionMode::Governance,
            RetentionMode::Compliance => ObjectLockRetentionMode::Compliance,
        };
        let until = aws_sdk_s3::primitives::DateTime::from_secs(until.as_second());
        let retention = ObjectLockRetention::builder().mode(mode).retain_until_date(until).build();
        let put = self.bucket.call(0, |_| {
            client
                .put_object_retention()
                .bucket(&location.bucket)
                .key(location.name_of(key))
                .retention(retention.clone())
                .checksum_algorithm(ChecksumAlgorithm::Crc32C)
                .send()
        });
        put.await.map(|_| ()).map_err(|gave_up| gave_up.into_error(Operation::Protect, key, self.bucket.shown()))
    }

    async fn put_retained(&self, key: &str, body: Bytes, mode: RetentionMode, until: Timestamp) -> Result<Created> {
        self.check(validate_key(key), Operation::Create, key)?;
        let upload = Upload::new(&self.bucket, key, Some(Protect { mode, until }));
        let mut writer = Box::new(PartWriter::new(upload));
        writer.write(body).await?;
        writer.finish().await
    }

    async fn purge(&self, key: &str) -> Result<()> {
        self.check(validate_key(key), Operation::Purge, key)?;
        let client = self.bucket.client().await?;
        let location = &self.bucket.location;
        let name = location.name_of(key);
        let failed = |gave_up: GaveUp| gave_up.into_error(Operation::Purge, key, self.bucket.shown());
        loop {
            let page =
                self.bucket.call(0, |_| client.list_object_versions().bucket(&location.bucket).prefix(&name).send());
            let page = page.await.map_err(failed)?;
            let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
            let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
            // Markers last: without them an object whose versions are protected would be back.
            let ids: Vec<String> = versions
                .chain(markers)
                .filter(|(found, _)| *found == Some(name.as_str()))
                .filter_map(|(_, id)| id.map(str::to_owned))
                .collect();
            for id in &ids {
                let delete = self
                    .bucket
                    .call(0, |_| client.delete_object().bucket(&location.bucket).key(&name).version_id(id).send());
                delete.await.map_err(failed)?;
            }
            // Names that begin with this one come after it, so all its versions are on the first page, or fill it.
            if ids.is_empty() || page.is_truncated() != Some(true) {
                return Ok(());
            }
        }
    }
}
