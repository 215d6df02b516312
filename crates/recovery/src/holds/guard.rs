//! Keeps what a running command reads from being expired under it.
//!
//! The protection is written first and the notice of an expiry read second; an expiry does it the other way round, so
//! whichever comes second sees the other. It is renewed while the command runs, and runs out by itself when that dies.

use std::collections::BTreeSet;
use std::time::Duration;

use archive::LineageId;
use archive::catalog::StoredSlice;
use archive::coverage::CoveredRange;
use archive::layout::ObjectKey;
use archive::plan::RestorePlan;
use archive::retention::Protection;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;

use super::notice;
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
    unprotected: Option<String>,
}

/// Protects what `plan` reads. Credentials that may only read are no reason not to restore: then the guard says why there
/// is no protection.
pub async fn protect(reader: &ArchiveReader, plan: &RestorePlan, holder: &str) -> Result<ProtectionGuard> {
    let id = bson::oid::ObjectId::new().to_hex();
    let range = CoveredRange::new(plan.snapshot.begin, plan.target.resolved.max(plan.snapshot.begin));
    let make = {
        let (snapshot, holder) = (plan.snapshot.id.clone(), holder.to_owned());
        move |end| Protection::new(id.clone(), snapshot.clone(), range, holder.clone(), end)
    };
    let protection = make(end(reader).await);
    let written = match reader.require_control(&plan.lineage).await {
        Ok(()) => write(reader, &plan.lineage, &protection).await,
        Err(failure) => Err(failure),
    };
    if let Err(failure) = written {
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
                let protection = make(end(&reader).await);
                if let Err(failure) = write(&reader, &lineage, &protection).await {
                    tracing::warn!(event = "protection_not_renewed", %failure, "protection against expiry not renewed; trying again");
                }
            }
        })
    };
    let guard = ProtectionGuard { reader: reader.clone(), key, renewing: Some(renewing), unprotected: None };
    let notices = notice::look(reader, &plan.lineage, None).await?;
    if let Some(notice) = notices.living.iter().find(|notice| notice.conflicts_with(&protection)) {
        return Err(Failure::new(FailureKind::LeaseHeld, "an expiry is deleting what this plan reads")
            .at(reader.place(plan.lineage.as_str()))
            .because(format!("{} began it", notice.by))
            .then("dr-cli status shows what is left; then the same command again"));
    }
    still_there(reader, plan).await?;
    Ok(guard)
}

/// Before the protection was written an expiry may have come and gone.
async fn still_there(reader: &ArchiveReader, plan: &RestorePlan) -> Result<()> {
    let expired = |what: String| {
        Err(Failure::new(FailureKind::NotRestorable, format!("{what}, which the plan reads, is gone"))
            .at(reader.place(plan.lineage.as_str()))
            .because("it was expired or deleted after the plan was made")
            .then(format!("dr-cli plan --to {}", plan.target.requested)))
    };
    match reader.manifest(&plan.lineage, &plan.snapshot.id).await {
        Ok(_) => {}
        Err(failure) if failure.kind == FailureKind::NotFound => {
            return expired(format!("snapshot {}", plan.snapshot.id));
        }
        Err(failure) => return Err(failure),
    }
    let key = |slice: &StoredSlice| slice.id.key(&plan.lineage, slice.encrypted).to_string();
    let mut wanted: BTreeSet<String> = plan.slices.iter().map(key).collect();
    let (Some(first), Some(last)) = (plan.slices.iter().map(|slice| slice.id.after).min(), wanted.last().cloned())
    else {
        return Ok(());
    };
    let prefix = ObjectKey::slices_prefix(&plan.lineage);
    let mut start_after = Some(ObjectKey::slices_from(&plan.lineage, first));
    while let Some(after) = start_after.filter(|after| *after < last) {
        let page = reader.store().list(&prefix, Some(&after), 1000).await?;
        for object in &page.objects {
            wanted.remove(&object.key);
        }
        start_after = page.next_start_after;
    }
    match wanted.pop_first() {
        Some(key) => expired(format!("slice `{key}`")),
        None => Ok(()),
    }
}

async fn write(reader: &ArchiveReader, lineage: &LineageId, protection: &Protection) -> Result<()> {
    let key = protection.key(lineage).map_err(|error| Failure::new(FailureKind::Unexpected, error.to_string()))?;
    reader.put_control(&key, protection.to_json()).await
}

/// By the store's clock where it has one, as an expiry reads it: this machine's may be off by hours.
async fn end(reader: &ArchiveReader) -> Timestamp {
    let lasts = SignedDuration::try_from(LASTS).unwrap_or(SignedDuration::ZERO);
    let now = reader.store().clock().await.ok().flatten().unwrap_or_else(Timestamp::now);
    now.checked_add(lasts).unwrap_or(Timestamp::MAX)
}

impl ProtectionGuard {
    /// A line for people where nothing is protected.
    pub fn warning(&self) -> Option<&str> {
        self.unprotected.as_deref()
    }

    /// Takes the protection away.
    pub async fn release(mut self) {
        self.stop();
        if let Some(key) = self.key.take()
            && let Err(error) = self.reader.control().delete(&key).await
        {
            tracing::warn!(event = "protection_not_removed", %error, "protection against expiry not taken away; it runs out by itself");
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
