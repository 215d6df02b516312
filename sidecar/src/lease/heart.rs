//! Beats for a holder, and finds out that somebody else has taken over.

use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::record::{self, Heartbeat};
use super::{LeaseTimes, Purpose};
use crate::archive_store::ArchiveStore;
use crate::backoff::pause_unless_stopped;
use crate::error::Result;

pub struct Heart {
    pub archive: ArchiveStore,
    pub purpose: Purpose,
    pub epoch: u64,
    pub times: LeaseTimes,
    /// When the newest question began that was answered, or that nobody answered in time.
    pub asked: watch::Sender<Instant>,
}

impl Heart {
    /// Beats until the end or until a newer epoch shows that the lease is lost. The number of the last beat.
    pub async fn beat(self, lost: CancellationToken, end: CancellationToken) -> u64 {
        let name = self.purpose.name;
        let mut beat = 0;
        while pause_unless_stopped(self.times.heartbeat, &end).await {
            beat += 1;
            let began = Instant::now();
            match timeout(self.times.answer, self.once(beat)).await {
                Ok(Ok(Some(newest))) => {
                    tracing::error!(
                        event = "lease_taken_over",
                        epoch = self.epoch,
                        newest,
                        "the {name} was taken over"
                    );
                    lost.cancel();
                    break;
                }
                Ok(Ok(None)) => {}
                // A store that is away stops everybody: nobody can take over either.
                Ok(Err(error)) => {
                    tracing::warn!(event = "lease_heartbeat_failed", %error, "heartbeat of the {name} not written");
                }
                Err(_) => tracing::warn!(
                    event = "lease_heartbeat_failed",
                    "heartbeat of the {name} not written: the store does not answer"
                ),
            }
            self.asked.send_replace(began);
        }
        beat
    }

    /// A newer epoch when there is one. First the question: a holder that was paused has to know at once.
    async fn once(&self, beat: u64) -> Result<Option<u64>> {
        let newest = record::newest_epoch(&self.archive, self.purpose).await?;
        if newest.is_some_and(|newest| newest > self.epoch) {
            return Ok(newest);
        }
        let body = record::json(&Heartbeat { beat, released: false })?;
        self.archive.put_control(&record::heartbeat_path(self.purpose, self.epoch), body).await?;
        Ok(None)
    }
}
