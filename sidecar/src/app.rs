//! Puts the parts together: what `run` and `snapshot` are made of.

use std::time::Duration;

use archive::manifest::SnapshotManifest;
use replset::privileges::{self, Task};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::archive_store::{ArchiveStore, Stores};
use crate::archiver::{self, ArchiveWindow, ArchiverSettings, CutPolicy, Refusals};
use crate::backoff::Backoff;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::http;
use crate::lease::LeaseTimes;
use crate::metrics::Metrics;
use crate::schedule::Scheduler;
use crate::snapshot::{CurrentSnapshot, PART_BYTES, SnapshotSettings, Snapshotter};
use crate::source::Source;
use crate::status::StatusBoard;

/// The replica set and its lineage in the archive.
#[derive(Debug, Clone)]
pub struct Site {
    pub source: Source,
    pub archive: ArchiveStore,
}

impl Site {
    pub async fn open(config: &Config) -> Result<Self> {
        let source = Source::new(&config.uri, config.member.as_deref());
        // The server first: nothing is created for a URI that is wrong.
        let record = source.lineage().await?;
        source.bind(&record.lineage);
        let member = source.choose().await?;
        privileges::require(&member.connection, Task::Source).await?;
        let stores = Stores::open(&config.archive, config.control_url()).await?;
        let archive =
            ArchiveStore::open(stores, &record, config.new_lineage).await?.encrypting(&config.encryption).await?;
        Ok(Self { source, archive })
    }

    /// Keeps trying while server or store is away or the user is refused.
    async fn open_patiently(config: &Config, board: &StatusBoard, stop: &CancellationToken) -> Result<Self> {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));
        let mut refusals = Refusals::default();
        loop {
            let opened = tokio::select! {
                opened = Self::open(config) => opened,
                () = stop.cancelled() => return Err(Error::Cancelled),
            };
            match opened {
                Err(error) if error.is_transient() || error.is_refused_user() => {
                    if !refusals.tell(&error) {
                        tracing::warn!(%error, "not started yet; trying again");
                    }
                    board.error(&error);
                    if !backoff.wait(stop).await {
                        return Err(Error::Cancelled);
                    }
                }
                opened => return opened,
            }
        }
    }

    fn snapshotter(
        &self,
        config: &Config,
        window: ArchiveWindow,
        current: CurrentSnapshot,
        metrics: Metrics,
    ) -> Snapshotter {
        let settings = SnapshotSettings {
            compression_level: config.compression_level,
            parallelism: config.scan_parallelism,
            lag_limit: config.lag_limit,
            part_bytes: PART_BYTES,
            lease: LeaseTimes::default(),
            holder: holder(),
        };
        Snapshotter { source: self.source.clone(), archive: self.archive.clone(), window, settings, current, metrics }
    }
}

fn archiver_settings(config: &Config, cut: CutPolicy, for_one_snapshot: bool) -> ArchiverSettings {
    ArchiverSettings {
        cut,
        compression_level: config.compression_level,
        grace: config.shutdown_grace,
        for_one_snapshot,
    }
}

/// Pod or host, and process: whom to look for when a lease is held.
fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    format!("{}/{}", if host.is_empty() { "unknown" } else { host }, std::process::id())
}

/// One snapshot, with an archiver of its own for as long as it takes.
pub async fn take_snapshot(config: &Config, stop: &CancellationToken) -> Result<SnapshotManifest> {
    let site = tokio::select! {
        site = Site::open(config) => site?,
        () = stop.cancelled() => return Err(Error::Cancelled),
    };
    let metrics = metrics()?;
    // Beside a running archiver nearly everything is archived by that one; alone, this one leaves no hole behind.
    let settings = archiver_settings(config, config.cut, true);
    let stop_archiving = CancellationToken::new();
    let (window, archiving) =
        archiver::spawn(site.source.clone(), site.archive.clone(), settings, metrics.clone(), stop_archiving.clone());
    let snapshotter = site.snapshotter(config, window, CurrentSnapshot::default(), metrics);
    let mut archiving = archiving;
    let taking = snapshotter.take(stop);
    tokio::pin!(taking);
    let result = tokio::select! {
        result = &mut taking => result,
        ended = &mut archiving => {
            // Going on would be wrong, so the snapshot cannot be completed either.
            return match ended {
                Ok(Err(error)) => Err(error),
                Ok(Ok(())) => Err(Error::Internal("archiving ended before the snapshot".to_owned())),
                Err(error) => Err(Error::Internal(error.to_string())),
            };
        }
    };
    stop_archiving.cancel();
    if let Err(error) = archiving.await.map_err(|error| Error::Internal(error.to_string())).flatten() {
        tracing::warn!(%error, "archiving ended with an error");
    }
    result
}

fn metrics() -> Result<Metrics> {
    Metrics::new().map_err(|error| Error::Internal(format!("metrics cannot be registered: {error}")))
}

/// Archives and takes snapshots until stopped; the first task that ends otherwise ends the process.
pub async fn run(config: &Config, stop: CancellationToken) -> Result<()> {
    let board = StatusBoard::new(metrics()?, config.cut.span, &telemetry::redact_uri(&config.archive));
    let listener = http::bind(config.listen).await?;
    tracing::info!(address = %config.listen, "serving /livez /readyz /metrics /status");
    let stop_serving = CancellationToken::new();
    let mut tasks = Tasks::new(stop.clone());
    tasks.spawn("http", http::serve(listener, board.clone(), stop_serving.clone()));

    let opened = Site::open_patiently(config, &board, &stop).await;
    let result = match opened {
        Ok(site) => {
            tasks.start(&site, config, &board);
            tasks.wait(config.shutdown_grace).await
        }
        Err(Error::Cancelled) => {
            tracing::warn!(
                "stopped before server and archive could be opened: nothing was archived; the next start goes on"
            );
            Ok(())
        }
        Err(error) => Err(error),
    };
    stop_serving.cancel();
    result
}

/// The named tasks of `run`.
#[derive(Debug)]
struct Tasks {
    stop: CancellationToken,
    tracker: TaskTracker,
    ended: tokio::sync::mpsc::UnboundedSender<(&'static str, Result<()>)>,
    seen: tokio::sync::mpsc::UnboundedReceiver<(&'static str, Result<()>)>,
}

impl Tasks {
    fn new(stop: CancellationToken) -> Self {
        let (ended, seen) = tokio::sync::mpsc::unbounded_channel();
        Self { stop, tracker: TaskTracker::new(), ended, seen }
    }

    fn spawn(&self, name: &'static str, task: impl Future<Output = Result<()>> + Send + 'static) {
        let ended = self.ended.clone();
        let task = tokio::spawn(task);
        self.tracker.spawn(async move {
            // A panic is an end like any other: the process must not go on without the task.
            let result = task.await.map_err(|error| Error::Internal(format!("task `{name}`: {error}"))).flatten();
            ended.send((name, result)).ok();
        });
    }

    fn start(&self, site: &Site, config: &Config, board: &StatusBoard) {
        let settings = archiver_settings(config, config.cut, false);
        let (source, archive) = (site.source.clone(), site.archive.clone());
        let (window, archiving) = archiver::spawn(source, archive, settings, board.metrics.clone(), self.stop.clone());
        board.opened(site.archive.lineage.as_str(), window.clone());
        self.spawn("archiver", async { archiving.await.map_err(|error| Error::Internal(error.to_string()))? });
        let scheduler = Scheduler {
            snapshotter: site.snapshotter(config, window, board.current.clone(), board.metrics.clone()),
            crontab: config.schedule.clone(),
            board: board.clone(),
            stop: self.stop.clone(),
        };
        self.spawn("scheduler", scheduler.run());
    }

    /// Until all but `http` have ended after a stop, or one has ended by itself.
    async fn wait(&mut self, grace: Duration) -> Result<()> {
        let mut running = 2;
        let mut result = Ok(());
        let overdue = async {
            self.stop.cancelled().await;
            tokio::time::sleep(grace + Duration::from_secs(5)).await;
        };
        tokio::pin!(overdue);
        while running > 0 {
            tokio::select! {
                ended = self.seen.recv() => {
                    let Some((name, outcome)) = ended else { break };
                    if let Err(error) = &outcome {
                        tracing::error!(task = name, %error, "task failed");
                    } else if !self.stop.is_cancelled() {
                        tracing::error!(task = name, "task ended unexpectedly");
                    }
                    if result.is_ok() {
                        result = match outcome {
                            Ok(()) if !self.stop.is_cancelled() => {
                                Err(Error::Internal(format!("task `{name}` ended unexpectedly")))
                            }
                            outcome => outcome,
                        };
                    }
                    running -= 1;
                    // The others end in an orderly way; the open slice is published.
                    self.stop.cancel();
                }
                () = &mut overdue => {
                    tracing::warn!("tasks did not end within the grace period");
                    break;
                }
            }
        }
        result
    }
}
