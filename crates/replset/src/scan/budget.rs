//! A limit in bytes for the replies that are being read, wait for their reader or are worked on.
//!
//! A reply is as large as the server makes it, up to 16 MB, and known only once it is there. Room is taken for what the
//! last one says, and what was not needed is given back; one that alone is larger than the budget gets all of it, so that
//! large replies come one after the other.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct ReplyBudget {
    bytes: u32,
    free: Arc<Semaphore>,
}

/// Room for one reply, until it is dropped.
#[derive(Debug)]
pub(super) struct Held(Option<OwnedSemaphorePermit>);

impl ReplyBudget {
    pub fn new(bytes: u32) -> Self {
        let permits = usize::try_from(bytes).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        Self { bytes, free: Arc::new(Semaphore::new(permits)) }
    }

    pub(super) async fn hold(&self, bytes: u64) -> Held {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.bytes);
        // Nobody closes it.
        Held(Arc::clone(&self.free).acquire_many_owned(bytes).await.ok())
    }
}

impl Held {
    pub(super) fn give_back_all_but(&mut self, bytes: usize) {
        if let Some(permit) = &mut self.0 {
            drop(permit.split(permit.num_permits().saturating_sub(bytes)));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn small_replies_share_the_budget_and_a_large_one_is_alone() {
        let budget = ReplyBudget::new(10);
        let mut first = budget.hold(8).await;
        assert!(budget.hold(4).now_or_never().is_none());
        first.give_back_all_but(5);
        let second = budget.hold(4).now_or_never().unwrap();
        assert!(budget.hold(1_000).now_or_never().is_none(), "two are there");
        drop((first, second));
        let mut large = budget.hold(1_000).now_or_never().unwrap();
        large.give_back_all_but(2_000);
        assert!(budget.hold(1).now_or_never().is_none());
    }
}
