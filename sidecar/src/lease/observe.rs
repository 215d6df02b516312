//! Watches a lease that somebody else may hold.

use bytes::Bytes;
use tokio::time::Instant;

use super::process::ProcessMark;
use super::pulse::Pulse;
use super::record::{self, Heartbeat};
use super::{LeaseTimes, Purpose};
use crate::archive_store::ArchiveStore;
use crate::error::Result;

/// Why a lease can be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Free {
    NeverHeld,
    Released,
    /// Silent for the whole patience.
    Silent {
        holder: String,
    },
    /// Its process was of this machine and is not there any more.
    Gone {
        holder: String,
    },
}

impl Free {
    pub fn tell(&self, purpose: Purpose, newest: Option<u64>) {
        match self {
            Self::NeverHeld | Self::Released => {}
            Self::Silent { holder } => {
                tracing::warn!(
                    event = "lease_holder_dead",
                    epoch = newest,
                    holder,
                    "the holder of the {} is dead; taking over",
                    purpose.name
                );
            }
            Self::Gone { holder } => {
                tracing::info!(
                    event = "lease_holder_gone",
                    epoch = newest,
                    holder,
                    "the process that held the {} is gone; taking over",
                    purpose.name
                );
            }
        }
    }
}

/// What one look shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    Free {
        newest: Option<u64>,
        why: Free,
    },
    /// Its heartbeat was seen to change.
    Held {
        epoch: u64,
        holder: String,
    },
    /// Its heartbeat did not change since the first look, which was not long ago.
    Undecided {
        epoch: u64,
        holder: String,
    },
}

#[derive(Debug)]
pub struct Observer {
    archive: ArchiveStore,
    purpose: Purpose,
    times: LeaseTimes,
    seen: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    epoch: u64,
    holder: String,
    process: Option<ProcessMark>,
    pulse: Pulse,
}

impl Observer {
    pub fn new(archive: ArchiveStore, purpose: Purpose, times: LeaseTimes) -> Self {
        Self { archive, purpose, times, seen: None }
    }

    pub async fn look(&mut self) -> Result<Look> {
        // As long as it changes nobody else holds it; a listing costs as much as a write.
        if let Some(seen) = &mut self.seen {
            let body = heartbeat(&self.archive, self.purpose, seen.epoch).await?;
            let is_news = body.is_some() && seen.pulse.body() != body.as_ref();
            if is_news && !body.as_deref().is_some_and(Heartbeat::is_release) {
                seen.pulse.look(body, Instant::now());
                return Ok(Look::Held { epoch: seen.epoch, holder: seen.holder.clone() });
            }
        }
        let Some(newest) = record::newest_epoch(&self.archive, self.purpose).await? else {
            return Ok(Look::Free { newest: None, why: Free::NeverHeld });
        };
        let body = heartbeat(&self.archive, self.purpose, newest).await?;
        let is_released = body.as_deref().is_some_and(Heartbeat::is_release);
        match &mut self.seen {
            Some(seen) if seen.epoch == newest => seen.pulse.look(body, Instant::now()),
            _ => {
                let record = record::epoch(&self.archive, self.purpose, newest).await?;
                let holder = match &record {
                    Some(record) => record::show(record, newest),
                    None => format!("epoch {newest}"),
                };
                let process = record.and_then(|record| record.process);
                let pulse = Pulse::new(body, Instant::now(), self.times.heartbeat * 2);
                self.seen = Some(Seen { epoch: newest, holder, process, pulse });
            }
        }
        Ok(self.judge(newest, is_released))
    }

    fn judge(&self, newest: u64, is_released: bool) -> Look {
        let free = |why| Look::Free { newest: Some(newest), why };
        let Some(seen) = &self.seen else { return free(Free::NeverHeld) };
        let holder = seen.holder.clone();
        if is_released {
            free(Free::Released)
        } else if seen.process.as_ref().is_some_and(ProcessMark::is_gone) {
            free(Free::Gone { holder })
        } else if seen.pulse.silence() >= self.times.patience {
            free(Free::Silent { holder })
        } else if seen.pulse.has_changed() {
            Look::Held { epoch: newest, holder }
        } else {
            Look::Undecided { epoch: newest, holder }
        }
    }
}

async fn heartbeat(archive: &ArchiveStore, purpose: Purpose, epoch: u64) -> Result<Option<Bytes>> {
    archive.get_control(&record::heartbeat_path(purpose, epoch), record::LIMIT).await
}
