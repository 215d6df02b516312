//! Which of the sidecars of a replica set archives: the one beside the member that the replica set's state prefers.
//!
//! Every sidecar that does not archive is a candidate. It watches the archiver lease and shows itself below
//! `control/archiver-lease/candidates/`, with the rank of its own member. A lease that is free goes to the candidate of the
//! best rank, because the others give it a head start; one that is held by a worse one is handed over when that has
//! been so for a while. All of this saves work only: whoever archives proves continuity first, and overlap is harmless.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::archive_store::ArchiveStore;
use crate::error::{Error, Result};
use crate::lease::{self, ARCHIVER, Free, Holder, Lease, LeaseTimes, Look, Observer};
use crate::source::Source;
use crate::status::StatusBoard;

mod fitness;
mod policy;
mod roster;

pub use fitness::Fitness;
use policy::Handover;
pub use roster::{Rival, Roster};

#[derive(Debug, Clone)]
pub struct LeadershipTimes {
    pub lease: LeaseTimes,
    /// How often the lease is looked at.
    pub look: Duration,
    /// How often a candidate shows that it lives, looks at the others and judges its own member.
    pub candidate_beat: Duration,
    /// A candidate that did not for so long is dead.
    pub candidate_patience: Duration,
    /// How long a free lease is left to each better candidate: longer than one of them needs to see it.
    pub head_start: Duration,
    /// How long one beside another member than the chosen one waits for a better one to show itself.
    pub greeting: Duration,
    /// How long another must have been better without a break: replication lag and elections come and go.
    pub better_for: Duration,
    /// The same when the own member cannot be read at all.
    pub unfit_for: Duration,
}

impl Default for LeadershipTimes {
    fn default() -> Self {
        Self {
            lease: LeaseTimes::ARCHIVER,
            look: Duration::from_secs(2),
            candidate_beat: Duration::from_secs(5),
            candidate_patience: Duration::from_secs(16),
            head_start: Duration::from_secs(3),
            greeting: Duration::from_millis(1_500),
            better_for: Duration::from_secs(30),
            unfit_for: Duration::from_secs(8),
        }
    }
}

/// How often a lease that is free is looked at.
const LOOK_WHILE_FREE: Duration = Duration::from_millis(300);

/// One sidecar's part in the choice.
#[derive(Debug)]
pub struct Leadership {
    archive: ArchiveStore,
    holder: Holder,
    board: StatusBoard,
    times: LeadershipTimes,
    fitness: watch::Receiver<Fitness>,
    roster: Roster,
    _judging: tokio_util::sync::DropGuard,
}

impl Leadership {
    pub fn new(source: Source, archive: ArchiveStore, board: StatusBoard, times: LeadershipTimes) -> Self {
        let holder = Holder::own();
        let ended = CancellationToken::new();
        let fitness = fitness::watch(source, times.candidate_beat, ended.clone());
        let roster = Roster::new(archive.clone(), &holder, &times);
        Self { archive, holder, board, times, fitness, roster, _judging: ended.drop_guard() }
    }

    /// Waits until this sidecar is the one that archives. `None` when stopped.
    pub async fn stand_by(&mut self, stop: &CancellationToken) -> Result<Option<Lease>> {
        let lease = tokio::select! {
            lease = self.campaign() => lease?,
            () = stop.cancelled() => {
                self.roster.withdraw().await;
                return Ok(None);
            }
        };
        self.roster.withdraw().await;
        self.board.archives(lease.epoch, &self.holder.name);
        Ok(Some(lease))
    }

    async fn campaign(&mut self) -> Result<Lease> {
        self.fitness.wait_for(Fitness::is_known).await.map_err(|_| Error::Cancelled)?;
        let mut observer = Observer::new(self.archive.clone(), ARCHIVER, self.times.lease.clone());
        let mut free_since: Option<Instant> = None;
        loop {
            let pause = match self.look(&mut observer).await {
                Ok(Seen::Held) => {
                    free_since = None;
                    self.times.look
                }
                Ok(Seen::Free { newest, why, better }) => {
                    let since = *free_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= policy::head_start(self.rank(), better, &self.times) {
                        if let Some(lease) = self.claim(newest, &why).await? {
                            return Ok(lease);
                        }
                        free_since = None;
                    }
                    LOOK_WHILE_FREE
                }
                Err(error) if is_passing(&error) => {
                    tracing::warn!(event = "lease_not_read", %error, "archiver lease not looked at; trying again");
                    self.board.error(&error);
                    self.times.look
                }
                Err(error) => return Err(error),
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn look(&mut self, observer: &mut Observer) -> Result<Seen> {
        let look = observer.look().await?;
        let fitness = self.fitness.borrow().clone();
        match look {
            Look::Held { epoch, holder } | Look::Undecided { epoch, holder } => {
                self.board.stands_by(epoch, &holder);
                self.roster.announce(&fitness).await?;
                self.roster.glance().await?;
                Ok(Seen::Held)
            }
            Look::Free { newest, why } => {
                let rivals = self.roster.look().await?;
                let better = rivals.iter().filter(|rival| rival.precedes(fitness.rank, self.roster.name())).count();
                // Alone beside the chosen member there is nobody to show oneself to.
                if better > 0 || fitness.rank != Some(0) {
                    self.roster.announce(&fitness).await?;
                }
                Ok(Seen::Free { newest, why, better })
            }
        }
    }

    async fn claim(&self, newest: Option<u64>, why: &Free) -> Result<Option<Lease>> {
        why.tell(ARCHIVER, newest);
        let holder = self.holder.clone().beside(self.fitness.borrow().member.clone());
        let claimed = match lease::claim(&self.archive, ARCHIVER, &holder, &self.times.lease, newest).await {
            Err(error) if is_passing(&error) => {
                tracing::warn!(event = "lease_not_taken", %error, "archiver lease not taken; trying again");
                None
            }
            claimed => claimed?,
        };
        if let Some(lease) = &claimed {
            tracing::info!(event = "lease_taken", epoch = lease.epoch, member = holder.member, "archiver lease taken");
        }
        Ok(claimed)
    }

    fn rank(&self) -> Option<u32> {
        self.fitness.borrow().rank
    }

    /// Returns, for the holder, when another sidecar should archive instead: whom.
    pub async fn until_better(&mut self) -> String {
        let mut handover = Handover::default();
        loop {
            tokio::time::sleep(self.times.look).await;
            let rivals = match self.roster.glance().await {
                Ok(rivals) => rivals,
                Err(error) => {
                    tracing::debug!(%error, "candidates not looked at");
                    continue;
                }
            };
            self.roster.sweep().await;
            // A snapshot is not interrupted for a member that is merely better.
            let is_busy = self.board.current.report().is_some();
            if let Some(rival) = handover.due(Instant::now(), self.rank(), &rivals, is_busy, &self.times) {
                return rival.shown();
            }
        }
    }
}

/// Who waits for its turn can wait for the store, too, whatever is wrong with it.
fn is_passing(error: &Error) -> bool {
    error.is_transient() || matches!(error, Error::Store(_))
}

enum Seen {
    Held,
    Free { newest: Option<u64>, why: Free, better: usize },
}
