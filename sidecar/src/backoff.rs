//! Waiting between attempts: doubling, with an upper limit, ended by a stop.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// The next attempt after a success waits as little as the first.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    pub fn advance(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(self.most);
        now
    }

    /// `false` when asked to stop meanwhile.
    pub async fn wait(&mut self, stop: &CancellationToken) -> bool {
        let pause = self.advance();
        pause_unless_stopped(pause, stop).await
    }
}

/// `false` when asked to stop meanwhile.
pub async fn pause_unless_stopped(pause: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = tokio::time::sleep(pause) => true,
        () = stop.cancelled() => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_start_over_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(3));
        assert_eq!([backoff.advance(), backoff.advance(), backoff.advance()].map(|pause| pause.as_secs()), [1, 2, 3]);
        backoff.reset();
        assert_eq!(backoff.advance().as_secs(), 1);
    }
}
