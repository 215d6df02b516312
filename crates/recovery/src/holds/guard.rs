//! Keeps what a running command reads from being expired under it.
//!
//! The protection is written first and the notice of an expiry read second; an expiry does it the other way round, so
//! whichever comes second sees the other. It is renewed while the command runs, and runs out by itself when that dies.

use std::time::Duration;

use archive::LineageId;
use archive::coverage::CoveredRange;
use archive::plan::RestorePlan;
use archive::retention::Protection;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;

use crate::archive_reader::ArchiveReader;
use crate::failure::{Failure, FailureKind, Result};

const LASTS: Duration = Duration::from_mins(15);
const RENEWED: Duration = Duration::from_mins(3);

/// Ends the protection when it is dropped, as soon as the store answers.
#[derive(Debug)]
pub struct ProtectionGuard {
    reader: ArchiveReader,
    key: Option<String>,
    renewing: Option<JoinHandle<()>>,
    /// Why nothing is protected.
    pub unprotected: Option<String>,
}

/// Protects what `plan` reads. Credentials that may only read are no reason not to restore: then the guard says why there
/// is no protection.
pub async fn protect(reader: &ArchiveReader, plan: &RestorePlan, holder: &str) -> Result<ProtectionGuard> {
    let id = bson::oid::ObjectId::new().to_hex();
    let range = CoveredRange::new(plan.snapshot.begin, plan.target.resolved.max(plan.snapshot.begin));
    let make = {
        let (snapshot, holder) = (plan.snapshot.id.clone(), holder.to_owned());
        move || Protection::new(id.clone(), snapshot.clone(), range, holder.clone(), end())
    };
    let protection = make();
    if let Err(failure) = write(reader, &plan.lineage, &protection).await {
        return Ok(ProtectionGuard {
            reader: reader.clone(),
            key: None,
            renewing: None,
            unprotected: Some(format!("it is not protected against an expiry that begins meanwhile: {}", failure.what)),
        });
    }
    let key = protection.key(&plan.lineage).map(|key| key.to_string()).ok();
    let renewing = {
        let (reader, lineage) = (reader.clone(), plan.lineage.clone());
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEWED).await;
                if let Err(failure) = write(&reader, &lineage, &make()).await {
                    tracing::warn!(%failure, "protection against expiry not renewed; trying again");
                }
            }
        })
    };
    let guard = ProtectionGuard { reader: reader.clone(), key, renewing: Some(renewing), unprotected: None };
    if let Some(notice) = reader.expiring(&plan.lineage).await?
        && notice.expires_at > Timestamp::now()
        && notice.conflicts_with(&protection)
    {
        return Err(Failure::new(FailureKind::LeaseHeld, "an expiry is deleting what this plan reads")
            .at(reader.place(plan.lineage.as_str()))
            .because(format!("{} began it", notice.by))
            .then("dr-cli status shows what is left; then the same command again"));
    }
    Ok(guard)
}

async fn write(reader: &ArchiveReader, lineage: &LineageId, protection: &Protection) -> Result<()> {
    let key = protection.key(lineage).map_err(|error| Failure::new(FailureKind::Unexpected, error.to_string()))?;
    reader.put_control(&key, protection.to_json()).await
}

fn end() -> Timestamp {
    let lasts = SignedDuration::try_from(LASTS).unwrap_or(SignedDuration::ZERO);
    Timestamp::now().checked_add(lasts).unwrap_or(Timestamp::MAX)
}

impl ProtectionGuard {
    /// Takes the protection away.
    pub async fn release(mut self) {
        self.stop();
        if let Some(key) = self.key.take()
            && let Err(error) = self.reader.control().delete(&key).await
        {
            tracing::warn!(%error, "protection against expiry not taken away; it runs out by itself");
        }
    }

    fn stop(&mut self) {
        if let Some(renewing) = self.renewing.take() {
            renewing.abort();
        }
    }
}

impl Drop for ProtectionGuard {
    fn drop(&mut self) {
        self.stop();
    }
}
