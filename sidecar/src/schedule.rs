//! When `run` takes a snapshot: at once when there is none that reaches the present, else by the crontab line.
//!
//! Runs that were missed are not made up for. A gap makes a new snapshot necessary at once, because nothing after it
//! can be restored from the older ones.

use std::time::Duration;

use archive::manifest::SnapshotManifest;
use tokio_util::sync::CancellationToken;

use crate::archiver::ArchiveWindow;
use crate::backoff::{Backoff, pause_unless_stopped};
use crate::clock::{now_seconds, text_of_seconds};
use crate::config::Crontab;
use crate::error::{Error, Result};
use crate::snapshot::Snapshotter;
use crate::status::StatusBoard;

/// Another sidecar's snapshot is waited for in these steps.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub struct Scheduler {
    pub snapshotter: Snapshotter,
    pub crontab: Option<Crontab>,
    pub board: StatusBoard,
    pub stop: CancellationToken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Now(&'static str),
    /// Seconds since the epoch.
    At(i64),
    OnlyAfterGap,
}

impl Scheduler {
    /// Ends when stopped. A snapshot that fails is tried again and never an end: archiving must not depend on it.
    pub async fn run(self) -> Result<()> {
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_mins(5));
        while !self.stop.is_cancelled() {
            match self.next().await {
                Ok(()) => backoff.reset(),
                Err(Error::Cancelled) => {
                    if self.stop.is_cancelled() {
                        return Ok(());
                    }
                }
                Err(error) => {
                    self.board.error(&error);
                    let pause = match &error {
                        Error::LeaseHeld { .. } => {
                            tracing::info!(event = "snapshot_waits_for_other", %error, "waiting for the snapshot of another sidecar");
                            LOOK_AGAIN
                        }
                        error => {
                            tracing::error!(event = "snapshot_failed", %error, "snapshot not taken; trying again");
                            backoff.advance()
                        }
                    };
                    pause_unless_stopped(pause, &self.stop).await;
                }
            }
        }
        Ok(())
    }

    async fn next(&self) -> Result<()> {
        let mut window = self.snapshotter.window.clone();
        window.wait_started(&self.stop).await?;
        // Before the archive is looked at: a gap that is recorded meanwhile ends the wait for the next one at once.
        let known_gaps = window.state().gaps;
        let due = self.due(&window).await.inspect_err(|_| self.snapshotter.metrics.snapshots_failed.inc())?;
        match due {
            Due::Now(reason) => {
                tracing::info!(event = "snapshot_due", reason, "taking a snapshot");
                self.take().await
            }
            Due::At(at) => {
                self.board.next_snapshot(Some(text_of_seconds(u32::try_from(at).unwrap_or(u32::MAX))));
                if self.wait_until(at, &mut window, known_gaps).await {
                    tracing::info!(event = "snapshot_due", reason = "schedule", "taking a snapshot");
                    self.take().await
                } else {
                    Ok(())
                }
            }
            Due::OnlyAfterGap => {
                self.board.next_snapshot(None);
                self.wait_until(i64::MAX, &mut window, known_gaps).await;
                Ok(())
            }
        }
    }

    async fn due(&self, window: &ArchiveWindow) -> Result<Due> {
        let newest = self.snapshotter.archive.newest_snapshot().await?;
        if let Some(manifest) = &newest {
            self.board.snapshot_known(manifest);
        }
        let is_usable = match &newest {
            Some(manifest) => self.reaches_present(manifest, window).await?,
            None => false,
        };
        Ok(due(newest.is_some(), is_usable, self.crontab.as_ref(), now_seconds()))
    }

    async fn take(&self) -> Result<()> {
        let manifest = self.snapshotter.take(&self.stop).await?;
        self.board.snapshot_known(&manifest);
        Ok(())
    }

    /// Whether replay from the snapshot gets to where the archive is now.
    async fn reaches_present(&self, manifest: &SnapshotManifest, window: &ArchiveWindow) -> Result<bool> {
        let through = window.state().archived_through.unwrap_or_default().max(manifest.begin);
        self.snapshotter.archive.covers(manifest.begin, through).await
    }

    /// `true` when the time has come; `false` when a gap or a stop came first.
    async fn wait_until(&self, at: i64, window: &mut ArchiveWindow, known_gaps: u64) -> bool {
        // In steps, so that a wall clock that is set does not matter for long.
        let timer = async {
            while now_seconds() < at {
                let rest = u64::try_from(at.saturating_sub(now_seconds())).unwrap_or(0);
                tokio::time::sleep(Duration::from_secs(rest.clamp(1, 30))).await;
            }
        };
        tokio::select! {
            () = timer => true,
            _gaps = window.wait_for_gap(known_gaps) => false,
            () = self.stop.cancelled() => false,
        }
    }
}

fn due(any: bool, is_usable: bool, crontab: Option<&Crontab>, now: i64) -> Due {
    match (any, is_usable) {
        (false, _) => Due::Now("the lineage has no snapshot"),
        (true, false) => Due::Now("no oplog reaches from the last snapshot to the present"),
        (true, true) => crontab.and_then(|crontab| crontab.next_after(now)).map_or(Due::OnlyAfterGap, Due::At),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_due_at_once_only_when_nothing_reaches_the_present() {
        let daily: Crontab = "0 1 * * *".parse().unwrap();
        assert!(matches!(due(false, false, Some(&daily), 0), Due::Now(_)));
        assert!(matches!(due(false, false, None, 0), Due::Now(_)));
        assert!(matches!(due(true, false, None, 0), Due::Now(_)));
        assert_eq!(due(true, true, Some(&daily), 0), Due::At(3600));
        assert_eq!(due(true, true, None, 0), Due::OnlyAfterGap);
    }
}
