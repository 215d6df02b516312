//! Reads back what the archive holds, while this sidecar archives: at once, when something was added, and now and then.
//!
//! Listing costs requests, so that it takes no more than a small share of the time however large the archive is.

use std::sync::Arc;
use std::time::Duration;

use metrics::backup::{Found, Summary};
use recovery::{ArchiveReader, Sample, Silent, VerifyLevel, VerifyOptions, verify};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::collectors::Collectors;
use crate::archive_store::ArchiveStore;
use crate::backoff::pause_unless_stopped;
use crate::backups::Verified;
use crate::error::{Error, Result};
use crate::holdings::Holdings;
use crate::metrics::{Metrics, SnapshotFigures};

const LOOK: Duration = Duration::from_secs(1);
const REFRESH: Duration = Duration::from_mins(5);
const RETRY: Duration = Duration::from_secs(15);
/// Listing takes at most one part in so many of the time.
const SHARE: u32 = 100;
/// What is missing or has another size is found by listing everything, which is done twice a day.
const VERIFY: Duration = Duration::from_hours(12);
const CONCURRENCY: usize = 4;
/// More drills than that are history.
const DRILLS: usize = 100;
/// Findings of a verification that are kept for people.
const SHOWN: usize = 10;

#[derive(Debug, Clone)]
pub struct ArchiveWatch {
    pub replica_set: String,
    pub archive: ArchiveStore,
    pub metrics: Metrics,
    pub stop: CancellationToken,
}

impl ArchiveWatch {
    /// Ends when stopped. What was found is forgotten by who ends the tenure ([`crate::status::StatusBoard::steps_down`]).
    pub async fn run(self) -> Result<()> {
        let (mut collectors, mut verified_at, mut is_told) = (Collectors::default(), None::<Instant>, false);
        while !self.stop.is_cancelled() {
            let (seen, started) = (self.additions(), Instant::now());
            // What was found is looked at each time, so that its mending is seen.
            let is_damaged = self.metrics.backups.read().verified.is_some_and(|verified| verified.findings > 0);
            let is_verify_due = is_damaged || verified_at.is_none_or(|at| at.elapsed() >= VERIFY);
            let found = match self.clone().look_apart(is_verify_due).await {
                Err(Error::Cancelled) => break,
                found => found,
            };
            let took = started.elapsed();
            collectors.note("archive", REFRESH.max(took * SHARE), took, found.is_ok());
            self.metrics.backups.repository_reads(found.is_ok());
            let pause = match found {
                Ok((found, holdings, is_verified)) => {
                    is_told = false;
                    if is_verified {
                        verified_at = Some(Instant::now());
                    }
                    let refresh = if holdings.has_slices { REFRESH } else { RETRY };
                    self.metrics.backups.change(|backups| {
                        (backups.found, backups.holdings) = (Some(Arc::new(found)), Some(Arc::new(holdings)));
                    });
                    refresh.max(took * SHARE)
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(event = "archive_not_listed", %error, "the archive was not listed for its metrics; trying again without saying so");
                    }
                    RETRY
                }
            };
            self.metrics.collected.put("archive", collectors.samples());
            let until = Instant::now() + pause;
            while Instant::now() < until && self.additions() == seen && !self.stop.is_cancelled() {
                pause_unless_stopped(LOOK, &self.stop).await;
            }
        }
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
    async fn look_apart(self, verifies: bool) -> Result<(Summary, Holdings, bool)> {
        let runtime = tokio::runtime::Handle::current();
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => Err(Error::Cancelled),
                    found = self.look(verifies) => found,
                }
            })
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| Error::Internal(error.to_string()))?
    }

    /// What is there, and whether it was verified.
    async fn look(&self, verifies: bool) -> Result<(Summary, Holdings, bool)> {
        let listed_at = crate::clock::now_text();
        let stores = self.archive.stores().clone();
        let reader = ArchiveReader::open(stores.archive).await?.with_control(stores.control);
        let lineage = &self.archive.lineage;
        let catalog = reader.catalog(lineage).await?;
        let (drills, unusable) = reader.drills(lineage, DRILLS).await?;
        for finding in &unusable {
            tracing::debug!(object = finding.object, problem = finding.problem, "drill report not read");
        }
        let references = reader.reference_times(lineage).await?;
        // One that is broken is a finding of the catalog, not of this.
        let created_at = reader.choose_lineage(Some(lineage.as_str())).await.map(|record| record.created_at);
        let created_at = created_at.unwrap_or_default();
        if let Some(newest) = catalog.snapshots.iter().max_by_key(|snapshot| snapshot.end) {
            let manifest = reader.manifest(lineage, &newest.id).await?;
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
        let mut is_verified = false;
        if verifies {
            match self.verify(&reader).await {
                Ok(()) => is_verified = true,
                Err(error) => {
                    tracing::warn!(event = "archive_not_verified", %error, "the archive was not verified; trying again");
                }
            }
        }
        let holdings = Holdings::of(&catalog, &drills, &created_at, listed_at);
        Ok((Summary::of(&self.replica_set, &Found { catalog, drills, references, created_at }), holdings, is_verified))
    }
}

impl ArchiveWatch {
    async fn verify(&self, reader: &ArchiveReader) -> Result<()> {
        let options = VerifyOptions { level: VerifyLevel::List, sample: Sample::Everything, concurrency: CONCURRENCY };
        let report = verify(reader, Some(&self.archive.lineage), options, Arc::new(Silent)).await?;
        // Without damage, findings say only that nothing can be restored yet.
        let findings = if report.is_damaged { report.findings_total } else { 0 };
        if let Some(finding) = report.findings.first().filter(|_| report.is_damaged) {
            let (object, problem) = (&finding.object, &finding.problem);
            tracing::error!(
                event = "archive_damaged",
                object,
                problem,
                findings,
                "something is wrong with the archive (`dr-cli verify`)"
            );
        }
        self.metrics.backups.change(|backups| {
            let (at, before) = (super::now(), backups.verified.as_ref().and_then(|verified| verified.sound_at));
            let sound_at = if findings == 0 { Some(at) } else { before };
            let shown = if findings == 0 { Vec::new() } else { report.findings.iter().take(SHOWN).cloned().collect() };
            backups.verified = Some(Verified { at, sound_at, findings, shown });
        });
        Ok(())
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
