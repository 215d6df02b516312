//! Sending a request until it succeeds, is refused for good, or has had its time. The SDKs' own retries are off: here
//! all backends wait alike, an error says how often it was tried, and a create-only request that is sent again knows
//! that the conflict it meets may be its own first attempt.

use std::future::Future;
use std::time::Duration;

use rand::RngExt;
use tokio::time::{Instant, sleep, timeout};

use super::failure::{Again, Failure, GaveUp};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// What an attempt may take before any byte of its body is counted.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// A connection slower than this counts as hanging. Per second.
const SLOWEST_BYTES: u64 = 256 * 1024;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// The time of a whole call with all its attempts and pauses. The last attempt may not exceed it either.
    pub deadline: Duration,
}

impl Patience {
    /// `attempt` is called with its number, from 1. `body_bytes` is what each attempt sends.
    pub async fn run<T, F>(&self, body_bytes: usize, mut attempt: impl FnMut(u32) -> F) -> Result<T, GaveUp>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let started = Instant::now();
        let transfer = Duration::from_secs(body_bytes as u64 / SLOWEST_BYTES);
        let mut number = 0;
        // Not the number of the attempt: a reset before it told the SDK nothing.
        let mut was_told = false;
        loop {
            number += 1;
            let left = (self.deadline + transfer).saturating_sub(started.elapsed());
            let limit = (ANSWER_LIMIT + transfer).min(left);
            let failure = match timeout(limit, Box::pin(attempt(number))).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(failure)) => failure,
                Err(_) => Failure::unreachable(format!("no answer within {limit:.1?}")),
            };
            let asked = match failure.again {
                Again::Never => return Err(GaveUp { failure, attempts: number }),
                Again::Once if was_told => return Err(GaveUp { failure, attempts: number }),
                Again::Once => {
                    was_told = true;
                    Duration::ZERO
                }
                Again::Soon => Duration::ZERO,
                Again::After(pause) => pause,
            };
            let pause = asked + jittered(number);
            if started.elapsed() + pause >= self.deadline + transfer {
                return Err(GaveUp { failure, attempts: number });
            }
            tracing::debug!(attempt = number, pause_ms = pause.as_millis(), failure = failure.detail, "request again");
            sleep(pause).await;
        }
    }
}

/// Anything up to an exponentially growing limit ("full jitter"), so that the writers of many members that lost their
/// store at the same moment do not come back at the same moment.
fn jittered(number: u32) -> Duration {
    let limit = FIRST_PAUSE.saturating_mul(1 << (number - 1).min(16)).min(LONGEST_PAUSE);
    limit.mul_f64(rand::rng().random_range(0.0..1.0))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::error::ErrorKind;

    const PATIENCE: Patience = Patience { deadline: Duration::from_secs(30) };

    async fn outcome(failures: &[Again]) -> (Result<u32, GaveUp>, Duration) {
        let started = Instant::now();
        let result = PATIENCE
            .run(0, |number| async move {
                match failures.get(number as usize - 1) {
                    Some(again) => Err(Failure::new(ErrorKind::Other, *again, "no")),
                    None => Ok(number),
                }
            })
            .await;
        (result, started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn passing_failures_are_outlived_and_counted() {
        assert_eq!(outcome(&[]).await.0.unwrap(), 1);
        assert_eq!(outcome(&[Again::Soon; 5]).await.0.unwrap(), 6);
        assert_eq!(outcome(&[Again::Once]).await.0.unwrap(), 2);
        assert_eq!(outcome(&[Again::Once, Again::Once]).await.0.unwrap_err().attempts, 2);
        assert_eq!(outcome(&[Again::Soon, Again::Once]).await.0.unwrap(), 3);
        assert_eq!(outcome(&[Again::Once, Again::Soon, Again::Once]).await.0.unwrap_err().attempts, 3);
        assert_eq!(outcome(&[Again::Soon, Again::Never]).await.0.unwrap_err().attempts, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_a_server_asks_for_is_kept() {
        let (result, took) = outcome(&[Again::After(Duration::from_secs(7))]).await;
        assert_eq!(result.unwrap(), 2);
        assert!(took >= Duration::from_secs(7), "{took:?}");
        // One that goes beyond the deadline is not waited for.
        let (result, took) = outcome(&[Again::After(Duration::from_mins(1))]).await;
        assert_eq!(result.unwrap_err().attempts, 1);
        assert!(took < Duration::from_secs(1), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_and_a_hanging_server_end_with_the_deadline() {
        let (result, took) = outcome(&vec![Again::Soon; 10_000]).await;
        assert!(result.unwrap_err().attempts > 5);
        assert!((Duration::from_secs(15)..=Duration::from_secs(30)).contains(&took), "{took:?}");

        let calls = Cell::new(0);
        let started = Instant::now();
        let hanging = PATIENCE
            .run(0, |number| {
                calls.set(number);
                std::future::pending::<Result<(), Failure>>()
            })
            .await;
        let gave_up = hanging.unwrap_err();
        assert_eq!(gave_up.failure.kind, ErrorKind::Unreachable);
        assert!(gave_up.failure.detail.starts_with("no answer within"), "{}", gave_up.failure.detail);
        assert!(calls.get() >= 3 && started.elapsed() <= Duration::from_secs(30), "{} calls", calls.get());
    }
}
