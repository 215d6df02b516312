//! Reading gives way to replication: the more the scanned member lags behind, the longer the pauses between batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::backoff::pause_unless_stopped;
use crate::source::Source;

const LOOK_EVERY: Duration = Duration::from_secs(2);
const FIRST_PAUSE_MS: u64 = 50;
const LONGEST_PAUSE_MS: u64 = 5_000;

#[derive(Debug, Clone, Default)]
pub struct Throttle {
    pause_ms: Arc<AtomicU64>,
}

impl Throttle {
    /// Between two batches.
    pub async fn pause(&self) {
        let pause = self.pause_ms.load(Ordering::Relaxed);
        if pause > 0 {
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    /// Watches the lag of `host` until stopped.
    pub async fn watch(self, source: Source, host: String, limit: Duration, stop: CancellationToken) {
        while pause_unless_stopped(LOOK_EVERY, &stop).await {
            let lag = match source.topology().await {
                Ok(topology) => {
                    topology.members.iter().find(|member| member.host == host).and_then(|member| member.lag_seconds)
                }
                // The scan itself finds out what is wrong with the server.
                Err(_) => continue,
            };
            let before = self.pause_ms.load(Ordering::Relaxed);
            let after = next_pause(before, Duration::from_secs(u64::from(lag.unwrap_or(0))) > limit);
            self.pause_ms.store(after, Ordering::Relaxed);
            if after > before {
                tracing::warn!(
                    event = "scan_throttled",
                    member = host,
                    lag_seconds = lag,
                    pause_ms = after,
                    "member lags behind; scanning more slowly"
                );
            }
        }
    }
}

fn next_pause(before: u64, lags: bool) -> u64 {
    match (lags, before) {
        (true, 0) => FIRST_PAUSE_MS,
        (true, pause) => (pause * 2).min(LONGEST_PAUSE_MS),
        (false, pause) if pause <= FIRST_PAUSE_MS => 0,
        (false, pause) => pause / 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_the_member_lags_and_shrink_to_nothing() {
        let mut pause = 0;
        for _ in 0..20 {
            pause = next_pause(pause, true);
        }
        assert_eq!(pause, LONGEST_PAUSE_MS);
        for _ in 0..20 {
            pause = next_pause(pause, false);
        }
        assert_eq!(pause, 0);
    }
}
