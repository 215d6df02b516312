//! Reads back what the archive holds, while this sidecar archives: at once, when something was added, and now and then.
//!
//! Listing costs requests, so that it takes no more than a small share of the time however large the archive is.

use std::sync::Arc;
use std::time::Duration;

use archive::LineageId;
use metrics::backup::{Found, Summary};
use recovery::ArchiveReader;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::collectors::Collectors;
use crate::archive_store::Stores;
use crate::backoff::pause_unless_stopped;
use crate::error::{Error, Result};
use crate::metrics::{Metrics, SnapshotFigures};

const LOOK: Duration = Duration::from_secs(1);
const REFRESH: Duration = Duration::from_mins(5);
const RETRY: Duration = Duration::from_secs(15);
/// Listing takes at most one part in so many of the time.
const SHARE: u32 = 100;
/// More drills than that are history.
const DRILLS: usize = 100;

#[derive(Debug, Clone)]
pub struct ArchiveWatch {
    pub replica_set: String,
    pub lineage: LineageId,
    pub archive: String,
    pub control: String,
    pub metrics: Metrics,
    pub stop: CancellationToken,
}

impl ArchiveWatch {
    /// Ends when stopped; then what was found is not known any more.
    pub async fn run(self) -> Result<()> {
        let mut collectors = Collectors::default();
        while !self.stop.is_cancelled() {
            let (seen, started) = (self.additions(), Instant::now());
            let found = match self.clone().look_apart().await {
                Err(Error::Cancelled) => break,
                found => found,
            };
            let took = started.elapsed();
            collectors.note("archive", REFRESH.max(took * SHARE), took, found.is_ok());
            self.metrics.backups.repository(found.is_ok());
            let pause = match found {
                Ok(found) => {
                    self.metrics.backups.change(|backups| backups.found = Some(Arc::new(found)));
                    REFRESH.max(took * SHARE)
                }
                Err(error) => {
                    tracing::warn!(%error, "the archive was not listed for its metrics; trying again");
                    RETRY
                }
            };
            self.metrics.collected.put("archive", collectors.samples());
            let until = Instant::now() + pause;
            while Instant::now() < until && self.additions() == seen && !self.stop.is_cancelled() {
                pause_unless_stopped(LOOK, &self.stop).await;
            }
        }
        self.metrics.backups.change(|backups| backups.found = None);
        self.metrics.collected.forget("archive");
        Ok(())
    }

    /// Something that only a listing shows in full.
    fn additions(&self) -> (u64, u64, u64, u64) {
        let metrics = &self.metrics;
        (
            metrics.snapshots_completed.get(),
            metrics.references_completed.get(),
            metrics.gaps.get(),
            metrics.expired.get(),
        )
    }

    /// On a thread of its own: what a listing holds across its requests cannot go from one thread to another.
    async fn look_apart(self) -> Result<Summary> {
        let runtime = tokio::runtime::Handle::current();
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    found = self.look() => found,
                    () = self.stop.cancelled() => Err(Error::Cancelled),
                }
            })
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| Error::Internal(error.to_string()))?
    }

    async fn look(&self) -> Result<Summary> {
        let stores = Stores::open(&self.archive, &self.control).await?;
        let reader = ArchiveReader::open(stores.archive).await?.with_control(stores.control);
        let catalog = reader.catalog(&self.lineage).await?;
        let (drills, unusable) = reader.drills(&self.lineage, DRILLS).await?;
        for finding in &unusable {
            tracing::debug!(object = finding.object, problem = finding.problem, "drill report not read");
        }
        let references = reader.reference_times(&self.lineage).await?;
        if let Some(newest) = catalog.snapshots.iter().max_by_key(|snapshot| snapshot.end) {
            let manifest = reader.manifest(&self.lineage, &newest.id).await?;
            let instant = metrics::backup::instant;
            let duration = instant(&manifest.published_at).zip(instant(&manifest.started_at));
            self.metrics.snapshot_known(&SnapshotFigures {
                end_seconds: manifest.end.seconds,
                duration_seconds: duration.map_or(0.0, |(published, started)| (published - started).max(0.0)),
                documents: manifest.totals.documents,
                bytes: manifest.totals.bytes,
                stored_bytes: manifest.totals.stored_bytes,
            });
        }
        Ok(Summary::of(&self.replica_set, &Found { catalog, drills, references }))
    }
}

/// The longest time between two firings of a schedule, in seconds, over the coming week and at least a year's worth of
/// months: for schedules that fire seldom as for those that rest on some days.
pub fn longest_interval(schedule: &crate::config::Crontab, now: i64) -> Option<f64> {
    const WEEK: i64 = 8 * 86_400;
    const AT_LEAST: usize = 13;
    let mut last = schedule.next_after(now)?;
    let (until, mut longest) = (last.saturating_add(WEEK), 0);
    for fired in 0_usize.. {
        if fired >= AT_LEAST && last > until {
            break;
        }
        let Some(next) = schedule.next_after(last) else { break };
        longest = longest.max(next - last);
        last = next;
    }
    u32::try_from(longest).ok().filter(|longest| *longest > 0).map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_interval_is_that_over_a_weekend_or_a_long_month() {
        let of = |line: &str| longest_interval(&line.parse().unwrap(), 1_767_225_600);
        assert_eq!(of("0 1 * * *"), Some(86_400.0));
        assert_eq!(of("*/5 * * * *"), Some(300.0));
        assert_eq!(of("0 1 * * 1-5"), Some(3.0 * 86_400.0));
        assert_eq!(of("*/5 8-18 * * 1-5"), Some((2.0 * 24.0 + 13.0) * 3600.0 + 300.0));
        assert_eq!(of("0 0 1 * *"), Some(31.0 * 86_400.0));
    }
}
