//! While this sidecar holds the archiver lease: it archives, and does what goes by schedule (snapshots, references, expiry).

use std::convert::Infallible;
use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::app::{Site, archiver_settings};
use crate::archiver;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::expiry::Expiry;
use crate::leadership::{Leadership, LeadershipTimes};
use crate::lease::{Holder, Lease};
use crate::monitor::ArchiveWatch;
use crate::reference::ReferenceSchedule;
use crate::schedule::Scheduler;
use crate::status::StatusBoard;
use crate::tasks::Tasks;

/// Why a tenure ended that ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Lost,
    HandedOver(String),
}

/// Stands by and archives by turns, until stopped or until going on would be wrong.
pub async fn stand_by_and_archive(
    site: Site,
    config: Config,
    board: StatusBoard,
    times: LeadershipTimes,
    stop: CancellationToken,
) -> Result<()> {
    let mut leadership = Leadership::new(site.source.clone(), site.archive.clone(), board.clone(), times);
    while let Some(lease) = leadership.stand_by(&stop).await? {
        let ended = hold(&site, &config, &board, lease, &mut leadership, &stop).await;
        match ended? {
            Some(End::Lost) => {
                board.metrics.archiver_leases_lost.inc();
                tracing::warn!(
                    event = "lease_lost",
                    "the archiver lease was lost; standing by, nothing more is published"
                );
            }
            Some(End::HandedOver(to)) => {
                tracing::info!(event = "archiving_handed_over", to, "archiving was handed over; standing by");
            }
            None => break,
        }
    }
    Ok(())
}

/// `None` when stopped.
async fn hold(
    site: &Site,
    config: &Config,
    board: &StatusBoard,
    lease: Lease,
    leadership: &mut Leadership,
    stop: &CancellationToken,
) -> Result<Option<End>> {
    let ending = stop.child_token();
    let mut tasks = Tasks::new(ending.clone());
    start(&mut tasks, site, config, board, &lease, &ending);
    let end = OnceLock::new();
    let result = {
        let watching = watch(&lease, leadership, &end, &ending);
        tokio::select! {
            result = tasks.wait(config.shutdown_grace) => result,
            never = watching => match never {},
        }
    };
    // All of this tenure's tasks are gone, and nobody else archives yet: what comes later is of another tenure.
    board.steps_down();
    lease.release().await;
    // The archiver may have noticed first that the lease is lost.
    result.map(|()| (!stop.is_cancelled()).then(|| end.into_inner().unwrap_or(End::Lost)))
}

fn start(
    tasks: &mut Tasks,
    site: &Site,
    config: &Config,
    board: &StatusBoard,
    lease: &Lease,
    ending: &CancellationToken,
) {
    let mut settings = archiver_settings(config, config.cut, false);
    settings.permit = Some(lease.permit());
    let (source, archive) = (site.source.clone(), site.archive.clone());
    let (window, archiving) = archiver::spawn(source, archive, settings, board.metrics.clone(), ending.clone());
    board.opened(site.archive.lineage.as_str(), window.clone());
    let ended = ending.clone();
    // Ended with its task, when it does not end by itself.
    let archiving = AbortOnDropHandle::new(archiving);
    tasks.spawn("archiver", async move {
        match archiving.await.map_err(|error| Error::Internal(error.to_string()))? {
            // Somebody else archives.
            Err(Error::LeaseLost) => {
                ended.cancel();
                Ok(())
            }
            result => result,
        }
    });
    let watch = ArchiveWatch {
        replica_set: site.replica_set.clone(),
        archive: site.archive.clone(),
        metrics: board.metrics.clone(),
        stop: ending.clone(),
    };
    tasks.spawn("archive metrics", watch.run());
    let scheduler = Scheduler {
        snapshotter: site.snapshotter(config, window, board.current.clone(), board.metrics.clone()),
        crontab: config.schedule.clone(),
        board: board.clone(),
        stop: ending.clone(),
    };
    tasks.spawn("scheduler", scheduler.run());
    let holder = Holder::own().name;
    let references = ReferenceSchedule {
        taker: site.reference_taker(config),
        crontab: config.reference_schedule.clone(),
        metrics: board.metrics.clone(),
        holder: holder.clone(),
        stop: ending.clone(),
    };
    tasks.spawn("references", references.run());
    if let Some(settings) = config.expiry.clone() {
        let expiry = Expiry {
            lineage: site.archive.lineage.clone(),
            archive: config.archive.clone(),
            control: config.control_url().to_owned(),
            settings,
            holder,
            board: board.clone(),
            stop: ending.clone(),
        };
        tasks.spawn("expiry", expiry.run());
    }
}

/// Ends the tenure when the lease is lost or somebody else should have it.
async fn watch(
    lease: &Lease,
    leadership: &mut Leadership,
    end: &OnceLock<End>,
    ending: &CancellationToken,
) -> Infallible {
    let why = tokio::select! {
        () = lease.lost.cancelled() => End::Lost,
        rival = leadership.until_better() => {
            tracing::info!(event = "handing_over", to = rival, "a sidecar beside a better member is there; handing over");
            End::HandedOver(rival)
        }
    };
    end.set(why).ok();
    ending.cancel();
    std::future::pending().await
}
