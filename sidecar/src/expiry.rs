//! Expiry on schedule: what `dr-cli expire --apply` does, by the sidecar, when it is told to. Without a schedule the
//! sidecar only appends, and its credentials need no permission to delete backups.

use std::time::Duration;

use archive::LineageId;
use archive::retention::RetentionPolicy;
use recovery::{ArchiveReader, Failure, FailureKind, Silent, expire};
use tokio_util::sync::CancellationToken;

use crate::archive_store::Stores;
use crate::clock::now_seconds;
use crate::config::Crontab;
use crate::error::{Error, Result};
use crate::status::StatusBoard;

/// When, by which rules, and as whom.
#[derive(Debug, Clone)]
pub struct ExpirySettings {
    pub schedule: Crontab,
    pub policy: RetentionPolicy,
    /// The same archive with credentials that may delete; those of the sidecar when absent.
    pub archive: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Expiry {
    pub lineage: LineageId,
    pub archive: String,
    pub control: String,
    pub settings: ExpirySettings,
    pub holder: String,
    pub board: StatusBoard,
    pub stop: CancellationToken,
}

impl Expiry {
    /// Ends when stopped. One that fails is told of and tried again at the next time: archiving must not depend on it.
    pub async fn run(self) -> Result<()> {
        while let Some(at) = self.settings.schedule.next_after(now_seconds()) {
            if !self.wait_until(at).await {
                break;
            }
            match self.clone().expire_apart().await {
                Ok(()) => {}
                Err(Error::Cancelled) => break,
                Err(Error::Expiry(failure)) if failure.kind == FailureKind::LeaseHeld => {
                    tracing::info!(event = "expiry_left_out", %failure, "another expiry is at work; this one is left out");
                }
                Err(error) => {
                    tracing::error!(event = "expiry_failed", %error, "nothing expired; trying again at the next time");
                    self.board.error(&error);
                }
            }
        }
        self.stop.cancelled().await;
        Ok(())
    }

    /// On a thread of its own: what an expiry holds across its requests cannot go from one thread to another.
    async fn expire_apart(self) -> Result<()> {
        let runtime = tokio::runtime::Handle::current();
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    done = self.expire() => done,
                    // It may stop anywhere; the next one goes on.
                    () = self.stop.cancelled() => Err(Error::Cancelled),
                }
            })
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| Error::Internal(error.to_string()))?
    }

    async fn expire(&self) -> Result<()> {
        let archive = self.settings.archive.as_deref().unwrap_or(&self.archive);
        let stores = Stores::open(archive, &self.control).await?;
        let reader = ArchiveReader::open(stores.archive).await?.with_control(stores.control);
        let by = format!("sidecar {}", self.holder);
        let (plan, expired) =
            expire::apply(&reader, &self.lineage, &self.settings.policy, (by.as_str(), None), &Silent).await?;
        self.board.metrics.expired.inc_by(expired.objects);
        tracing::info!(
            event = "expired",
            snapshots = expired.snapshots,
            slices = expired.slices,
            objects = expired.objects,
            freed_bytes = plan.freed_bytes(),
            "expired by the retention policy"
        );
        for note in &plan.notes {
            tracing::warn!(event = "expiry_note", note, "expiry");
        }
        Ok(())
    }

    /// `false` when it is stopped first. In steps, so that a wall clock that is set does not matter for long.
    async fn wait_until(&self, at: i64) -> bool {
        while now_seconds() < at {
            let rest = u64::try_from(at.saturating_sub(now_seconds())).unwrap_or(0);
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(rest.clamp(1, 30))) => {}
                () = self.stop.cancelled() => return false,
            }
        }
        true
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Expiry(Box::new(failure))
    }
}
