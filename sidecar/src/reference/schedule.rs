//! When `run` takes references: by the crontab line, one sidecar of the set for each run.
//!
//! Who takes it is settled by a claim that only one can create; it is not a lease, because a run whose sidecar dies is left out
//! and not made up for, as every run is that was missed. A reference that fails stops nothing else.

use std::time::Duration;

use store::Created;
use tokio_util::sync::CancellationToken;

use super::ReferenceTaker;
use crate::backoff::Backoff;
use crate::backups::REFERENCE;
use crate::clock::now_seconds;
use crate::config::Crontab;
use crate::error::{Error, Result};
use crate::metrics::Metrics;

const FOLDER: &str = "reference-claims/";
/// Attempts of one run.
const MAX_ATTEMPTS: u32 = 5;

#[derive(Debug)]
pub struct ReferenceSchedule {
    pub taker: ReferenceTaker,
    pub crontab: Option<Crontab>,
    pub metrics: Metrics,
    /// Who claims a run, for people.
    pub holder: String,
    pub stop: CancellationToken,
}

impl ReferenceSchedule {
    /// Ends when stopped.
    pub async fn run(self) -> Result<()> {
        while let Some(due) = self.next() {
            if !self.wait_until(due).await {
                return Ok(());
            }
            let taken = self.take(due).await;
            let has_failed = taken.as_ref().is_err_and(|error| !matches!(error, Error::Cancelled));
            self.metrics.backups.ended(REFERENCE, has_failed);
            match taken {
                Ok(()) => {}
                Err(Error::Cancelled) => return Ok(()),
                Err(error) => {
                    self.metrics.references_failed.inc();
                    tracing::error!(event = "reference_failed", %error, "reference not taken; the next one is by schedule");
                }
            }
        }
        self.stop.cancelled().await;
        Ok(())
    }

    fn next(&self) -> Option<i64> {
        self.crontab.as_ref()?.next_after(now_seconds())
    }

    /// `false` when stopped. In steps, so that a wall clock that is set does not matter for long.
    async fn wait_until(&self, at: i64) -> bool {
        let timer = async {
            while now_seconds() < at {
                let rest = u64::try_from(at.saturating_sub(now_seconds())).unwrap_or(0);
                tokio::time::sleep(Duration::from_secs(rest.clamp(1, 30))).await;
            }
        };
        tokio::select! {
            () = timer => true,
            () = self.stop.cancelled() => false,
        }
    }

    async fn take(&self, due: i64) -> Result<()> {
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_mins(1));
        let mut is_claimed = false;
        for attempt in 1.. {
            let result = async {
                is_claimed = is_claimed || self.claim(due).await?;
                if is_claimed {
                    self.metrics.backups.started(REFERENCE);
                }
                if is_claimed { self.taker.take(&self.stop).await.map(Some) } else { Ok(None) }
            };
            match result.await {
                Ok(Some(reference)) => {
                    self.metrics.reference_taken(reference.at.seconds);
                    return Ok(());
                }
                Ok(None) => {
                    tracing::debug!(due, "another sidecar takes this reference");
                    return Ok(());
                }
                Err(error) if error.is_transient() && attempt < MAX_ATTEMPTS => {
                    tracing::warn!(event = "reference_interrupted", %error, attempt, "reference interrupted; trying again");
                    if !backoff.wait(&self.stop).await {
                        return Err(Error::Cancelled);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether this sidecar is the one that takes the reference of this run.
    async fn claim(&self, due: i64) -> Result<bool> {
        let archive = &self.taker.archive;
        let path = format!("{FOLDER}{due:012}");
        if archive.create_control(&path, self.holder.clone()).await? == Created::AlreadyExists {
            return Ok(false);
        }
        // Earlier runs are over. Their claims say nothing any more.
        for old in archive.list_control(FOLDER).await?.iter().filter(|old| **old < path) {
            if let Err(error) = archive.delete_control(old).await {
                tracing::debug!(%error, "old claim of a reference not removed");
            }
        }
        Ok(true)
    }
}
