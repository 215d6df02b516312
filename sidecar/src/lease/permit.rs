//! What a holder shows before it writes.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// Good as long as the lease was asked for a moment ago. A process that was paused finds that it was not, and waits for
/// the answer. A store that does not answer is no reason to stop archiving: nobody can take the lease over there, and
/// if somebody did, two would store the same.
#[derive(Debug, Clone)]
pub struct Permit {
    lost: CancellationToken,
    asked: watch::Receiver<Instant>,
    every: Duration,
}

impl Permit {
    pub fn new(lost: CancellationToken, asked: watch::Receiver<Instant>, every: Duration) -> Self {
        Self { lost, asked, every }
    }

    /// Waits until it is known, by a question of now, that nobody is known to have taken over.
    pub async fn confirm(&self) -> Result<()> {
        let enough = Instant::now().checked_sub(self.every * 2);
        let mut asked = self.asked.clone();
        tokio::select! {
            biased;
            () = self.lost.cancelled() => Err(Error::LeaseLost),
            fresh = asked.wait_for(|asked| enough.is_none_or(|enough| *asked >= enough)) => {
                // It was released, or is about to be.
                fresh.map(|_| ()).map_err(|_| Error::LeaseLost)
            }
        }
    }

    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    pub fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }
}
