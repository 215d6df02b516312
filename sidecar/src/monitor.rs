//! Watches the server, its disk and the archive in the background, and leaves what it sees for whoever scrapes.
//!
//! A scrape reads the last complete snapshot and waits for nothing: neither for a server that is down or frozen, nor for a
//! disk or a store that hangs. Each part has its own loop: the server every few seconds (`server`), sizes in a slow loop with
//! a budget (`sizes`), when an operation is slow (`thresholds`), the database profiler when asked for (`profiler`), the
//! volume and what the sidecar itself knows (`local`), the archive while this sidecar archives (`archive`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bson::oid::ObjectId;
use replset::probe::{Credentials, Probe};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, ProfilerMode, ProfilerSettings, SlowThreshold};
use crate::error::Result;
use crate::status::StatusBoard;
use crate::tasks::Tasks;

mod archive;
mod collected;
mod collectors;
mod exposition;
mod local;
mod profiler;
mod server;
mod sizes;
mod slow_series;
mod thresholds;
mod volume;

pub use archive::{ArchiveWatch, longest_interval};
pub use collected::Collected;
pub use collectors::now;
pub use exposition::CollectedSeries;
pub use slow_series::SlowSeries;

/// How often, where and against what is watched.
#[derive(Debug, Clone)]
pub struct MonitorSettings {
    pub interval: Duration,
    /// Of the slow loop.
    pub storage_interval: Duration,
    /// The server's data, as this process sees it.
    pub data_path: Option<PathBuf>,
    pub rpo_target: Duration,
    pub rto_target: Option<Duration>,
    pub drill_interval: Option<Duration>,
    /// Absent: what the server has is left alone.
    pub slow_threshold: Option<SlowThreshold>,
    pub profiler: ProfilerSettings,
}

impl MonitorSettings {
    /// Whether something in the server has to be set back before the process ends.
    pub fn changes_the_server(&self) -> bool {
        self.slow_threshold.is_some() || self.profiler.mode == ProfilerMode::On
    }
}

/// What the slow loop may ask, while there is somebody to ask.
#[derive(Debug, Clone)]
struct Reachable {
    probe: Probe,
    /// Of the replica set, when it is a member of one that holds data.
    set: Option<Arc<str>>,
    /// Of the server: what a process was told is forgotten with it.
    process: Option<ObjectId>,
}

/// Until there is another process to talk to, or none any more.
async fn other_process(reachable: &mut watch::Receiver<Option<Reachable>>, known: Option<ObjectId>) {
    let is_other = |now: &Option<Reachable>| now.as_ref().is_none_or(|now| now.process != known);
    if reachable.wait_for(is_other).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Until there is somebody to ask.
async fn anybody(reachable: &mut watch::Receiver<Option<Reachable>>) -> Reachable {
    if let Ok(found) = reachable.wait_for(Option::is_some).await
        && let Some(found) = found.clone()
    {
        return found;
    }
    std::future::pending().await
}

/// Ends when stopped.
pub async fn run(config: Config, board: StatusBoard, stop: CancellationToken) -> Result<()> {
    let settings = config.monitor.clone();
    let collected = board.metrics.collected.clone();
    let (found, reachable) = watch::channel(None);
    let mut tasks = Tasks::new(stop.clone());
    let slow = board.metrics.slow.clone();
    tasks.spawn("volume and own state", local::run(settings.clone(), board, stop.clone()));
    let probe = Probe::new(&config.uri, config.member.as_deref(), Credentials::Used).await;
    let bare = Probe::new(&config.uri, config.member.as_deref(), Credentials::LeftOut).await;
    match (probe, bare) {
        (Ok(probe), Ok(bare)) => {
            let watch = server::ServerWatch::new(probe, bare, collected.clone(), settings.interval, found);
            tasks.spawn("server metrics", watch.run(stop.clone()));
            let thresholds = thresholds::Thresholds::new(settings.slow_threshold, collected.clone());
            tasks.spawn("slow threshold", thresholds.run(reachable.clone(), stop.clone()));
            if settings.profiler.mode != ProfilerMode::None {
                let profiler =
                    profiler::Profiler::new(settings.profiler.clone(), settings.interval, collected.clone(), slow);
                tasks.spawn("profiler", profiler.run(reachable.clone(), stop.clone()));
            }
            tasks.spawn("sizes", sizes::run(reachable, collected, settings.storage_interval, stop.clone()));
        }
        (Err(error), _) | (_, Err(error)) => {
            // Whoever opens the replica set says the same, and ends.
            tracing::warn!(event = "server_not_watched", %error, "the server is not watched");
            collected.put("server", server::down());
        }
    }
    tasks.wait(Duration::ZERO).await
}
