//! The slow loop: how large the databases and the oplog are. Bounded in time, so that thousands of databases cost the
//! server no more than a few: what was not reached in one round comes first in the next.

use std::collections::BTreeMap;
use std::time::Duration;

use bson::{Document, rawdoc};
use metrics::Samples;
use metrics::databases::{oplog_samples, samples};
use replset::{Probe, ReplsetError};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::collectors::Collectors;
use super::{Collected, Reachable};
use crate::error::Result;

/// Of one round.
const BUDGET: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct Sizes {
    known: BTreeMap<String, Document>,
    /// The last database that was read.
    position: Option<String>,
    collectors: Collectors,
}

/// Ends when stopped.
pub async fn run(
    mut reachable: watch::Receiver<Option<Reachable>>,
    collected: Collected,
    interval: Duration,
    stop: CancellationToken,
) -> Result<()> {
    let mut sizes = Sizes::default();
    loop {
        let now = reachable.borrow_and_update().clone();
        if let Some(server) = now {
            let samples = tokio::select! {
                samples = sizes.look(&server, interval) => samples,
                () = stop.cancelled() => return Ok(()),
            };
            collected.put("sizes", samples);
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = gone(&mut reachable) => {}
                () = stop.cancelled() => return Ok(()),
            }
        } else {
            // A server that cannot be asked has no size that is known.
            sizes.known.clear();
            collected.forget("sizes");
            tokio::select! {
                changed = reachable.changed() => {
                    if changed.is_err() {
                        stop.cancelled().await;
                    }
                }
                () = stop.cancelled() => return Ok(()),
            }
        }
        if stop.is_cancelled() {
            return Ok(());
        }
    }
}

async fn gone(reachable: &mut watch::Receiver<Option<Reachable>>) {
    if reachable.wait_for(Option::is_none).await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Sizes {
    async fn look(&mut self, server: &Reachable, interval: Duration) -> Samples {
        let mut all = Samples::default();
        let started = Instant::now();
        let databases = self.databases(&server.probe).await;
        let succeeded = matches!(databases, Ok((_, None)));
        self.collectors.note("databases", interval, started.elapsed(), succeeded);
        match databases {
            Ok((count, failed)) => {
                if let Some(error) = failed {
                    tracing::debug!(%error, "size of a database not read");
                }
                let known: Vec<_> = self.known.iter().map(|(name, stats)| (name.clone(), stats.clone())).collect();
                all.extend(samples(count, &known));
            }
            Err(error) => tracing::debug!(%error, "sizes of databases not read"),
        }
        if let Some(set) = &server.set {
            let stats = self.collectors.run("oplog", interval, server.probe.oplog_sizes()).await;
            self.collectors.sent("collStats", stats.is_ok());
            match stats {
                Ok(stats) => all.extend(oplog_samples(set, &stats)),
                Err(error) => tracing::debug!(%error, "size of the oplog not read"),
            }
        }
        all.extend(self.collectors.samples());
        all
    }

    /// How many there are, and the error of one that could not be read.
    async fn databases(&mut self, probe: &Probe) -> Result<(usize, Option<ReplsetError>), ReplsetError> {
        let started = Instant::now();
        let names = probe.databases().await;
        self.collectors.sent("listDatabases", names.is_ok());
        let mut names = names?;
        names.sort();
        self.known.retain(|name, _| names.binary_search(name).is_ok());
        let first = self.position.as_ref().map_or(0, |last| names.partition_point(|name| name <= last));
        names.rotate_left(first);
        // One that cannot be read keeps its last size, and none of the others from theirs.
        let mut failed = None;
        for name in &names {
            if started.elapsed() > BUDGET {
                break;
            }
            let stats = probe.run(name, "read the size of a database", rawdoc! { "dbStats": 1 }).await;
            self.collectors.sent("dbStats", stats.is_ok());
            match stats {
                Ok(stats) => {
                    self.known.insert(name.clone(), stats);
                }
                Err(error) => failed = Some(error),
            }
            self.position = Some(name.clone());
        }
        Ok((names.len(), failed))
    }
}
