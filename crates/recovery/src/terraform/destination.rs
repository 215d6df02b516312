//! Waiting until what Terraform made answers, and looking whether it is fresh.

use std::time::{Duration, Instant};

use crate::failure::{Failure, FailureKind, Result};
use crate::interrupt::Interrupt;
use crate::restore::{examine_destination, require_fresh};

const TRIED_EVERY: Duration = Duration::from_millis(500);

/// Returns when the destination takes writes: it answers, has elected a primary, and that one is ours to write into. A destination that will never do is
/// refused at once. `is_resumed`: it may hold the unfinished restore of this run.
pub async fn wait_until_ready(uri: &str, limit: Duration, is_resumed: bool, interrupt: &Interrupt) -> Result<()> {
    let started = Instant::now();
    loop {
        interrupt.check()?;
        let failure = match look(uri, is_resumed).await {
            Ok(()) => return Ok(()),
            Err(failure) if failure.kind != FailureKind::Unreachable => return Err(failure),
            Err(failure) => failure,
        };
        if started.elapsed() >= limit {
            return Err(Failure {
                what: format!("the destination does not answer within {} s: {}", limit.as_secs(), failure.what),
                cause: "what Terraform made does not come up, or cannot be reached from here".to_owned(),
                ..failure
            });
        }
        tokio::select! {
            () = tokio::time::sleep(TRIED_EVERY) => {}
            () = interrupt.asked() => {}
        }
    }
}

/// Both ask the primary.
async fn look(uri: &str, is_resumed: bool) -> Result<()> {
    examine_destination(uri).await?;
    if is_resumed { Ok(()) } else { require_fresh(uri).await }
}
