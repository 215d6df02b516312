//! The snapshot lease: who may take a snapshot of the lineage now.
//!
//! Below `control/snapshot-lease/` each holder creates the next epoch (create-only, so of two that try one wins) and
//! then overwrites its heartbeat. Whether a holder lives is judged by watching its heartbeat change, by our own
//! monotonic clock: other machines' clocks are never compared. The lease saves work; what makes an archive right is that
//! its objects are create-only.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::Created;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::archive_store::ArchiveStore;
use crate::backoff::pause_unless_stopped;
use crate::clock::now_text;
use crate::error::{Error, Result};

const FOLDER: &str = "snapshot-lease/";
const LIMIT: usize = 64 * 1024;

#[derive(Debug, Clone)]
pub struct LeaseTimes {
    pub heartbeat: Duration,
    /// A heartbeat that did not change for so long belongs to a dead holder: several beats, so that one that a
    /// slow store delayed does not cost the lease.
    pub patience: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(1), patience: Duration::from_secs(6) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Epoch {
    format: u32,
    holder: String,
    started_at: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Heartbeat {
    beat: u64,
    released: bool,
}

/// Held until it is released, or until `lost` fires because somebody else took over.
#[derive(Debug)]
pub struct Lease {
    archive: ArchiveStore,
    pub epoch: u64,
    pub lost: CancellationToken,
    end: CancellationToken,
    beating: tokio::task::JoinHandle<u64>,
}

fn epoch_path(epoch: u64) -> String {
    format!("{FOLDER}epoch-{epoch:010}.json")
}

fn heartbeat_path(epoch: u64) -> String {
    format!("{FOLDER}heartbeat-{epoch:010}.json")
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::Internal(error.to_string()))
}

/// Takes the lease, from a dead holder if need be. `LeaseHeld` when another one lives.
pub async fn acquire(
    archive: &ArchiveStore,
    holder: &str,
    times: &LeaseTimes,
    stop: &CancellationToken,
) -> Result<Lease> {
    let newest = newest_epoch(archive).await?;
    if let Some(epoch) = newest {
        wait_until_free(archive, epoch, times, stop).await?;
    }
    let epoch = newest.map_or(1, |epoch| epoch + 1);
    let body = json(&Epoch { format: 1, holder: holder.to_owned(), started_at: now_text() })?;
    if archive.create_control(&epoch_path(epoch), body).await? == Created::AlreadyExists {
        return Err(Error::LeaseHeld { holder: holder_of(archive, epoch).await? });
    }
    archive.put_control(&heartbeat_path(epoch), json(&Heartbeat { beat: 0, released: false })?).await?;
    forget_before(archive, epoch).await;
    let (lost, end) = (CancellationToken::new(), CancellationToken::new());
    let beating = tokio::spawn(beat(archive.clone(), epoch, times.heartbeat, lost.clone(), end.clone()));
    Ok(Lease { archive: archive.clone(), epoch, lost, end, beating })
}

impl Lease {
    /// Lets the next holder begin without waiting.
    pub async fn release(mut self) {
        self.end.cancel();
        let Ok(beat) = (&mut self.beating).await else { return };
        if !self.lost.is_cancelled()
            && let Ok(body) = json(&Heartbeat { beat: beat + 1, released: true })
            && let Err(error) = self.archive.put_control(&heartbeat_path(self.epoch), body).await
        {
            tracing::warn!(%error, "lease not released; the next holder waits until it looks dead");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

async fn newest_epoch(archive: &ArchiveStore) -> Result<Option<u64>> {
    let paths = archive.list_control(&format!("{FOLDER}epoch-")).await?;
    Ok(paths.iter().rev().find_map(|path| epoch_of(path)))
}

fn epoch_of(path: &str) -> Option<u64> {
    path.rsplit_once('-')?.1.strip_suffix(".json")?.parse().ok()
}

async fn holder_of(archive: &ArchiveStore, epoch: u64) -> Result<String> {
    let body = archive.get_control(&epoch_path(epoch), LIMIT).await?;
    let known = body.and_then(|body| serde_json::from_slice::<Epoch>(&body).ok());
    Ok(known.map_or_else(
        || format!("epoch {epoch}"),
        |record| format!("{} since {} (epoch {epoch})", record.holder, record.started_at),
    ))
}

async fn wait_until_free(
    archive: &ArchiveStore,
    epoch: u64,
    times: &LeaseTimes,
    stop: &CancellationToken,
) -> Result<()> {
    let path = heartbeat_path(epoch);
    let seen = archive.get_control(&path, LIMIT).await?;
    let is_released = |body: &[u8]| serde_json::from_slice::<Heartbeat>(body).is_ok_and(|heartbeat| heartbeat.released);
    if seen.as_deref().is_some_and(is_released) {
        return Ok(());
    }
    tracing::info!(
        epoch,
        patience_seconds = times.patience.as_secs(),
        "watching whether the holder of the snapshot lease lives"
    );
    let dead_at = Instant::now() + times.patience;
    while Instant::now() < dead_at {
        if !pause_unless_stopped(times.heartbeat / 2, stop).await {
            return Err(Error::Cancelled);
        }
        let now = archive.get_control(&path, LIMIT).await?;
        if now.as_deref().is_some_and(is_released) {
            return Ok(());
        }
        if now != seen {
            return Err(Error::LeaseHeld { holder: holder_of(archive, epoch).await? });
        }
    }
    tracing::warn!(epoch, "the holder of the snapshot lease is dead; taking over");
    Ok(())
}

/// Beats until the end or until a newer epoch shows that the lease is lost. The number of the last beat.
async fn beat(
    archive: ArchiveStore,
    epoch: u64,
    every: Duration,
    lost: CancellationToken,
    end: CancellationToken,
) -> u64 {
    let mut beat = 0;
    while pause_unless_stopped(every, &end).await {
        beat += 1;
        let written = match json(&Heartbeat { beat, released: false }) {
            Ok(body) => archive.put_control(&heartbeat_path(epoch), body).await,
            Err(error) => Err(error),
        };
        // A store that is away stops everybody: nobody can take over either.
        if let Err(error) = written {
            tracing::warn!(%error, "heartbeat of the snapshot lease not written");
            continue;
        }
        match newest_epoch(&archive).await {
            Ok(Some(newest)) if newest > epoch => {
                tracing::error!(epoch, newest, "the snapshot lease was taken over");
                lost.cancel();
                break;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "snapshot lease not checked"),
        }
    }
    beat
}

/// Old epochs say nothing any more; the newest must stay, or its number would be given out again.
async fn forget_before(archive: &ArchiveStore, epoch: u64) {
    let Ok(paths) = archive.list_control(FOLDER).await else { return };
    for path in paths.iter().filter(|path| epoch_of(path).is_some_and(|old| old < epoch)) {
        if let Err(error) = archive.delete_control(path).await {
            tracing::debug!(%error, "old lease epoch not removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use archive::lineage::LineageRecord;
    use store::MemoryStore;

    use super::*;
    use crate::archive_store::Stores;

    const TIMES: LeaseTimes = LeaseTimes { heartbeat: Duration::from_millis(20), patience: Duration::from_millis(200) };

    async fn archive() -> ArchiveStore {
        let memory = MemoryStore::new();
        let stores = Stores { archive: Arc::new(memory.clone()), control: Arc::new(memory) };
        let record = LineageRecord::new("rs-1".parse().unwrap(), "rs", "1", now_text());
        ArchiveStore::open(stores, &record, false).await.unwrap()
    }

    async fn take(archive: &ArchiveStore) -> Result<Lease> {
        acquire(archive, "test", &TIMES, &CancellationToken::new()).await
    }

    #[tokio::test]
    async fn a_living_holder_keeps_the_lease_and_a_released_one_is_free_at_once() {
        let archive = archive().await;
        let first = take(&archive).await.unwrap();
        let refused = take(&archive).await.unwrap_err();
        assert_eq!(refused.exit_code(), 7);
        assert!(refused.to_string().contains("test since"), "{refused}");
        first.release().await;
        let started = Instant::now();
        let second = take(&archive).await.unwrap();
        assert!(started.elapsed() < TIMES.patience);
        assert_eq!(second.epoch, 2);
    }

    #[tokio::test]
    async fn a_dead_holder_is_replaced_and_notices_when_it_comes_back() {
        let archive = archive().await;
        let dead = take(&archive).await.unwrap();
        dead.end.cancel();
        tokio::time::sleep(TIMES.heartbeat * 3).await;
        let second = take(&archive).await.unwrap();
        assert_eq!(second.epoch, 2);
        let returned =
            tokio::spawn(beat(archive.clone(), 1, TIMES.heartbeat, dead.lost.clone(), CancellationToken::new()));
        returned.await.unwrap();
        assert!(dead.lost.is_cancelled());
        assert!(!second.lost.is_cancelled());
    }

    #[tokio::test]
    async fn of_two_that_take_over_one_wins() {
        let archive = archive().await;
        let dead = take(&archive).await.unwrap();
        dead.end.cancel();
        tokio::time::sleep(TIMES.heartbeat * 3).await;
        let (one, other) = tokio::join!(take(&archive), take(&archive));
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    }
}
