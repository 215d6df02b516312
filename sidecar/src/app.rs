//! Puts the parts together: what `run` and `snapshot` are made of.

use std::time::Duration;

use archive::manifest::SnapshotManifest;
use archive::reference::Reference;
use replset::privileges::{self, Task};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::archive_store::{ArchiveStore, Stores};
use crate::archiver::{self, ArchiveWindow, ArchiverSettings, CutPolicy, Refusals};
use crate::backoff::Backoff;
use crate::backups::BackedUp;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::http;
use crate::leadership::LeadershipTimes;
use crate::lease::{Holder, LeaseTimes};
use crate::metrics::Metrics;
use crate::monitor;
use crate::reference::ReferenceTaker;
use crate::snapshot::{CurrentSnapshot, PART_BYTES, SnapshotSettings, Snapshotter};
use crate::source::Source;
use crate::status::StatusBoard;
use crate::tenure;

/// How long the end waits for what was changed in the server to be set back.
const SET_BACK_LIMIT: Duration = Duration::from_secs(8);

/// The replica set and its lineage in the archive.
#[derive(Debug, Clone)]
pub struct Site {
    pub replica_set: String,
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
        Ok(Self { replica_set: record.replica_set, source, archive })
    }

    /// Keeps trying while server or store is away or refuses who asks. Credentials are corrected outside as often as here, and
    /// a sidecar that ends and is started again and again takes its member out of service for the sake of backups.
    async fn open_patiently(config: &Config, board: &StatusBoard, stop: &CancellationToken) -> Result<Self> {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));
        let mut refusals = Refusals::default();
        loop {
            let opened = tokio::select! {
                opened = Self::open(config) => opened,
                () = stop.cancelled() => return Err(Error::Cancelled),
            };
            match opened {
                Err(error) if error.is_transient() || error.is_refused_user() || error.is_refused_by_store() => {
                    if !refusals.tell(&error) {
                        let next = error.report().next;
                        tracing::warn!(event = "start_retried", %error, next, "not started yet; trying again");
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

    pub fn reference_taker(&self, config: &Config) -> ReferenceTaker {
        ReferenceTaker {
            source: self.source.clone(),
            archive: self.archive.clone(),
            budget: config.reference_budget,
            parallelism: config.scan_parallelism,
        }
    }

    pub fn snapshotter(
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
            lease: LeaseTimes::SNAPSHOT,
            holder: Holder::own(),
        };
        Snapshotter { source: self.source.clone(), archive: self.archive.clone(), window, settings, current, metrics }
    }
}

pub fn archiver_settings(config: &Config, cut: CutPolicy, for_one_snapshot: bool) -> ArchiverSettings {
    ArchiverSettings {
        cut,
        compression_level: config.compression_level,
        grace: config.shutdown_grace,
        for_one_snapshot,
        permit: None,
    }
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
        tracing::warn!(event = "archiver_ended_badly", %error, "archiving ended with an error");
    }
    result
}

/// One reference, stored when this returns.
pub async fn take_reference(config: &Config, stop: &CancellationToken) -> Result<Reference> {
    let site = tokio::select! {
        site = Site::open(config) => site?,
        () = stop.cancelled() => return Err(Error::Cancelled),
    };
    site.reference_taker(config).take(stop).await
}

fn metrics() -> Result<Metrics> {
    Metrics::new().map_err(|error| Error::Internal(format!("metrics cannot be registered: {error}")))
}

/// Archives and takes snapshots, or stands by for the sidecar that does, until stopped.
pub async fn run(config: &Config, stop: CancellationToken) -> Result<()> {
    let board = StatusBoard::new(metrics()?, config.cut.span, &telemetry::redact_uri(&config.archive))
        .with_runbooks_at(config.runbook_base.as_deref());
    let listener = http::bind(config.listen, board.metrics.closed_connections.clone()).await?;
    tracing::info!(event = "serving", address = %config.listen, "serving /livez /readyz /metrics /status /slow-queries and a page at /");
    let stop_serving = CancellationToken::new();
    let serving = tokio::spawn(http::serve(listener, board.clone(), stop_serving.clone()));
    // It ends with the process: whatever it waits for, nobody waits for it, unless it has to set something back.
    let stop_watching = CancellationToken::new();
    let watching = tokio::spawn(monitor::run(config.clone(), board.clone(), stop_watching.clone()));
    let result = match Site::open_patiently(config, &board, &stop).await {
        Ok(site) => {
            let backed_up = BackedUp::new(&site.replica_set, site.archive.lineage.as_str(), config);
            board.metrics.backups.change(|backups| {
                backups.site = Some(backed_up);
                backups.repository.reads = Some(true);
            });
            work(site, config, &board, &stop, serving).await
        }
        Err(Error::Cancelled) => {
            tracing::warn!(
                event = "stopped_before_start",
                "stopped before server and archive could be opened: nothing was archived; the next start goes on"
            );
            Ok(())
        }
        Err(Error::Replset(error)) if *error.kind() == replset::ErrorKind::Arbiter => {
            tracing::info!(event = "beside_arbiter", "beside an arbiter, which holds no data: only metrics are served");
            board.only_watches();
            stop.cancelled().await;
            Ok(())
        }
        Err(error) => Err(error),
    };
    stop_watching.cancel();
    if config.monitor.changes_the_server() && tokio::time::timeout(SET_BACK_LIMIT, watching).await.is_err() {
        tracing::warn!(
            event = "not_set_back",
            "slow threshold and profiler may not have been set back: the server does not answer"
        );
    }
    stop_serving.cancel();
    result
}

/// A process that cannot be looked at any more must not go on.
async fn work(
    site: Site,
    config: &Config,
    board: &StatusBoard,
    stop: &CancellationToken,
    mut serving: JoinHandle<Result<()>>,
) -> Result<()> {
    let times = LeadershipTimes::default();
    let working = tenure::stand_by_and_archive(site, config.clone(), board.clone(), times, stop.clone());
    let mut working = tokio::spawn(working);
    let broken = |error: JoinError| Error::Internal(error.to_string());
    tokio::select! {
        ended = &mut working => ended.map_err(broken).flatten(),
        ended = &mut serving => {
            let ended = ended.map_err(broken).flatten();
            tracing::error!(event = "http_ended", ?ended, "serving HTTP ended; stopping");
            stop.cancel();
            working.await.map_err(broken).flatten()?;
            ended.and_then(|()| Err(Error::Internal("serving HTTP ended unexpectedly".to_owned())))
        }
    }
}
