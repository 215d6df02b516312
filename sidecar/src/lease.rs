//! Leases: of several sidecars of one replica set, who archives, and who takes the snapshot.
//!
//! Below the folder of a lease each holder creates the next epoch (create-only, so of two that try one wins) and then
//! overwrites its heartbeat. Whether a holder lives is judged by watching its heartbeat change, by our own monotonic
//! clock: other machines' clocks are never compared. A lease saves work; no store can refuse what a paused holder
//! still sends. What makes an archive right is that its objects are create-only and that overlap is harmless.

use std::time::Duration;

use store::Created;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::archive_store::ArchiveStore;
use crate::backoff::pause_unless_stopped;
use crate::error::{Error, Result};

mod heart;
mod holder;
mod observe;
mod permit;
mod process;
mod pulse;
mod record;

pub use holder::Holder;
pub use observe::{Free, Look, Observer};
pub use permit::Permit;
pub use process::ProcessMark;
pub use pulse::Pulse;

use heart::Heart;
use record::{Epoch, Heartbeat};

/// What a lease is for: its folder below `control/`, and its name in logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purpose {
    pub folder: &'static str,
    pub name: &'static str,
}

pub const ARCHIVER: Purpose = Purpose { folder: "archiver-lease/", name: "archiver lease" };
pub const SNAPSHOT: Purpose = Purpose { folder: "snapshot-lease/", name: "snapshot lease" };

#[derive(Debug, Clone)]
pub struct LeaseTimes {
    pub heartbeat: Duration,
    /// A heartbeat that did not change for so long belongs to a dead holder: several beats, so that one that a
    /// slow store delayed does not cost the lease.
    pub patience: Duration,
    /// A store that is silent for longer does not answer; less than the patience.
    pub answer: Duration,
}

impl LeaseTimes {
    /// Held for minutes, and waited for by a person.
    pub const SNAPSHOT: Self =
        Self { heartbeat: Duration::from_secs(1), patience: Duration::from_secs(6), answer: Duration::from_secs(3) };
    /// Held for months, so that each beat is paid for; with the ranks of those who wait, the next one archives within 30 s.
    pub const ARCHIVER: Self =
        Self { heartbeat: Duration::from_secs(3), patience: Duration::from_secs(10), answer: Duration::from_secs(4) };
}

/// Held until it is released, or until `lost` fires because somebody else took over.
#[derive(Debug)]
pub struct Lease {
    archive: ArchiveStore,
    purpose: Purpose,
    times: LeaseTimes,
    pub epoch: u64,
    pub lost: CancellationToken,
    end: CancellationToken,
    asked: watch::Receiver<Instant>,
    beating: tokio::task::JoinHandle<u64>,
}

/// Takes the lease, from a dead holder if need be. `LeaseHeld` when another one lives.
pub async fn acquire(
    archive: &ArchiveStore,
    purpose: Purpose,
    holder: &Holder,
    times: &LeaseTimes,
    stop: &CancellationToken,
) -> Result<Lease> {
    let mut observer = Observer::new(archive.clone(), purpose, times.clone());
    let mut is_told = false;
    let newest = loop {
        match observer.look().await? {
            Look::Free { newest, why } => {
                why.tell(purpose, newest);
                break newest;
            }
            Look::Held { holder, .. } => return Err(Error::LeaseHeld { holder }),
            Look::Undecided { epoch, .. } if !is_told => {
                let patience_seconds = times.patience.as_secs();
                tracing::info!(
                    event = "lease_watched",
                    epoch,
                    patience_seconds,
                    "watching whether the holder of the {} lives",
                    purpose.name
                );
                is_told = true;
            }
            Look::Undecided { .. } => {}
        }
        if !pause_unless_stopped(times.heartbeat / 2, stop).await {
            return Err(Error::Cancelled);
        }
    };
    match claim(archive, purpose, holder, times, newest).await? {
        Some(lease) => Ok(lease),
        None => Err(Error::LeaseHeld {
            holder: record::shown(archive, purpose, newest.map_or(1, |epoch| epoch + 1)).await?,
        }),
    }
}

/// Creates the epoch after `newest`, which is free. `None` when somebody else was faster.
pub async fn claim(
    archive: &ArchiveStore,
    purpose: Purpose,
    holder: &Holder,
    times: &LeaseTimes,
    newest: Option<u64>,
) -> Result<Option<Lease>> {
    let epoch = newest.map_or(1, |epoch| epoch + 1);
    let body = record::json(&Epoch::new(holder))?;
    let asked_at = Instant::now();
    if !create_epoch(archive, &record::epoch_path(purpose, epoch), body).await? {
        return Ok(None);
    }
    archive.put_control(&record::heartbeat_path(purpose, epoch), record::json(&Heartbeat::default())?).await?;
    record::forget_before(archive, purpose, epoch).await;
    let (lost, end) = (CancellationToken::new(), CancellationToken::new());
    let (asking, asked) = watch::channel(asked_at);
    let (archive, times) = (archive.clone(), times.clone());
    let heart = Heart { archive: archive.clone(), purpose, epoch, times: times.clone(), asked: asking };
    let beating = tokio::spawn(heart.beat(lost.clone(), end.clone()));
    Ok(Some(Lease { archive, purpose, times, epoch, lost, end, asked, beating }))
}

/// `false` when somebody else has it. The reply to our own request may have been lost, and then only the record says
/// whose it is: it names process and moment.
async fn create_epoch(archive: &ArchiveStore, path: &str, body: Vec<u8>) -> Result<bool> {
    let created = archive.create_control(path, body.clone()).await;
    if let Ok(Created::New) = created {
        return Ok(true);
    }
    let found = archive.get_control(path, record::LIMIT).await?;
    let is_ours = found.is_some_and(|found| *found == *body);
    if is_ours { Ok(true) } else { created.map(|_| false) }
}

impl Lease {
    /// What has to be shown before each write that the lease is for.
    pub fn permit(&self) -> Permit {
        Permit::new(self.lost.clone(), self.asked.clone(), self.times.heartbeat)
    }

    /// Lets the next holder begin without waiting.
    pub async fn release(mut self) {
        self.end.cancel();
        let Ok(beat) = (&mut self.beating).await else { return };
        if self.lost.is_cancelled() {
            return;
        }
        let released = async {
            let body = record::json(&Heartbeat { beat: beat + 1, released: true })?;
            self.archive.put_control(&record::heartbeat_path(self.purpose, self.epoch), body).await
        };
        let name = self.purpose.name;
        match timeout(self.times.answer, released).await {
            Ok(Ok(())) => tracing::info!(event = "lease_released", epoch = self.epoch, "{name} released"),
            Ok(Err(error)) => {
                tracing::warn!(event = "lease_not_released", %error, "{name} not released; the next holder waits until it looks dead");
            }
            Err(_) => tracing::warn!(
                event = "lease_not_released",
                "{name} not released: the store does not answer; the next holder waits until it looks dead"
            ),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

#[cfg(test)]
mod tests;
