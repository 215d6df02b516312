//! What the tasks know about backups, for the metrics: events as they happen, and what was read back from the archive.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use archive::catalog::Finding;
use metrics::backup::Summary;

use crate::clock::now_seconds;
use crate::config::Config;
use crate::holdings::Holdings;
use crate::monitor::longest_interval;

pub const SNAPSHOT: &str = "snapshot";
pub const REFERENCE: &str = "reference";

/// Who is backed up, and what is expected. Seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct BackedUp {
    pub replica_set: String,
    pub lineage: String,
    pub snapshot_interval: Option<f64>,
    pub reference_interval: Option<f64>,
    pub pitr_window: Option<f64>,
}

impl BackedUp {
    pub fn new(replica_set: &str, lineage: &str, config: &Config) -> Self {
        let now = now_seconds();
        Self {
            replica_set: replica_set.to_owned(),
            lineage: lineage.to_owned(),
            snapshot_interval: config.schedule.as_ref().and_then(|schedule| longest_interval(schedule, now)),
            reference_interval: config.reference_schedule.as_ref().and_then(|schedule| longest_interval(schedule, now)),
            pitr_window: config.pitr_window.map(|window| window.as_secs_f64()),
        }
    }
}

/// Of one kind of backup, at this sidecar. Seconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Events {
    pub attempted: Option<f64>,
    pub failed: Option<f64>,
    pub is_running: bool,
}

/// What the last verification of the listing came to. Seconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    pub at: f64,
    /// The last time that nothing was wrong.
    pub sound_at: Option<f64>,
    pub findings: u64,
    /// The first of them, for people.
    pub shown: Vec<Finding>,
}

/// `None`: it was not asked yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repository {
    pub reads: Option<bool>,
    pub writes: Option<bool>,
}

impl Repository {
    pub fn is_up(self) -> Option<bool> {
        match (self.reads, self.writes) {
            (None, None) => None,
            (reads, writes) => Some(reads != Some(false) && writes != Some(false)),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Backups {
    pub site: Option<BackedUp>,
    /// Whether the archive did what it was last asked for: reading and writing are refused for different reasons, and the
    /// one does not show that the other works.
    pub repository: Repository,
    /// `None` until the archive was listed, and at a sidecar that stands by.
    pub found: Option<Arc<Summary>>,
    /// Of the same listing.
    pub holdings: Option<Arc<Holdings>>,
    pub verified: Option<Verified>,
    pub events: BTreeMap<&'static str, Events>,
}

/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct BackupBoard(Arc<Mutex<Backups>>);

impl BackupBoard {
    fn lock(&self) -> MutexGuard<'_, Backups> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn read(&self) -> Backups {
        self.lock().clone()
    }

    pub fn change(&self, change: impl FnOnce(&mut Backups)) {
        change(&mut self.lock());
    }

    /// What only the one who archives knows is not known any more, and nothing is under way.
    pub fn steps_down(&self) {
        self.change(|backups| {
            (backups.found, backups.holdings, backups.verified) = (None, None, None);
            for events in backups.events.values_mut() {
                events.is_running = false;
            }
        });
    }

    pub fn repository_reads(&self, works: bool) {
        self.change(|backups| backups.repository.reads = Some(works));
    }

    pub fn repository_writes(&self, works: bool) {
        self.change(|backups| backups.repository.writes = Some(works));
    }

    pub fn started(&self, kind: &'static str) {
        self.change(|backups| {
            let events = backups.events.entry(kind).or_default();
            (events.attempted, events.is_running) = (Some(seconds()), true);
        });
    }

    /// `failed`: it was not merely stopped.
    pub fn ended(&self, kind: &'static str, failed: bool) {
        self.change(|backups| {
            let events = backups.events.entry(kind).or_default();
            events.is_running = false;
            if failed {
                events.failed = Some(seconds());
            }
        });
    }
}

fn seconds() -> f64 {
    crate::monitor::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_does_not_show_that_writing_works() {
        let board = BackupBoard::default();
        let is_up = || board.read().repository.is_up();
        assert_eq!(is_up(), None);
        board.repository_reads(true);
        assert_eq!(is_up(), Some(true));
        board.repository_writes(false);
        board.repository_reads(true);
        assert_eq!(is_up(), Some(false));
        board.repository_writes(true);
        assert_eq!(is_up(), Some(true));
    }

    #[test]
    fn a_backup_runs_from_its_start_to_its_end() {
        let board = BackupBoard::default();
        board.started(SNAPSHOT);
        let events = || board.read().events[SNAPSHOT];
        assert!(events().is_running && events().attempted.is_some() && events().failed.is_none());
        board.ended(SNAPSHOT, false);
        assert!(!events().is_running && events().failed.is_none());
        board.started(SNAPSHOT);
        board.ended(SNAPSHOT, true);
        assert!(events().failed >= events().attempted);
        board.started(SNAPSHOT);
        board.steps_down();
        assert!(!events().is_running, "who was ended in the middle of it says nothing");
    }
}
