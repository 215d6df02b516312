//! Being asked to stop while something is under way that must not be cut.
//!
//! Most commands end where they are when a signal comes. One that has a Terraform running would leave behind what nobody wrote down: it
//! holds the interrupt, passes it on, and ends in order. A second signal ends it at once; what is to be said then is left here.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::failure::{Failure, FailureKind};

#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    asked: CancellationToken,
    signal: OnceLock<&'static str>,
    holders: AtomicUsize,
    parting: Mutex<Option<Failure>>,
}

/// As long as this lives, the first interrupt is passed on instead of ending the command.
#[derive(Debug)]
pub struct Held(Arc<Shared>);

impl Interrupt {
    pub fn hold(&self) -> Held {
        self.0.holders.fetch_add(1, Ordering::SeqCst);
        Held(Arc::clone(&self.0))
    }

    pub fn is_held(&self) -> bool {
        self.0.holders.load(Ordering::SeqCst) > 0
    }

    /// Asks whoever holds it to come to an end.
    pub fn ask(&self, signal: &'static str) {
        // The first one counts.
        self.0.signal.get_or_init(|| signal);
        self.0.asked.cancel();
    }

    pub fn is_asked(&self) -> bool {
        self.0.asked.is_cancelled()
    }

    /// Returns when somebody asks to stop.
    pub async fn asked(&self) {
        self.0.asked.cancelled().await;
    }

    /// An error when it was asked already: nothing further shall begin.
    pub fn check(&self) -> Result<(), Failure> {
        if self.is_asked() { Err(self.failure()) } else { Ok(()) }
    }

    pub fn failure(&self) -> Failure {
        Failure::new(FailureKind::Cancelled, "cancelled before the end")
            .because(*self.0.signal.get_or_init(|| "it was asked to stop"))
    }

    /// What to say when a second signal ends the command at once.
    pub fn set_parting(&self, parting: Option<Failure>) {
        *self.0.parting.lock().unwrap_or_else(PoisonError::into_inner) = parting;
    }

    pub fn parting(&self) -> Option<Failure> {
        self.0.parting.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.holders.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_as_long_as_somebody_holds_it_and_the_first_signal_counts() {
        let interrupt = Interrupt::default();
        let (first, second) = (interrupt.hold(), interrupt.clone().hold());
        drop(first);
        assert!(interrupt.is_held());
        drop(second);
        assert!(!interrupt.is_held());
        assert!(interrupt.check().is_ok());
        interrupt.ask("Ctrl-C");
        interrupt.ask("SIGTERM");
        let failure = interrupt.check().unwrap_err();
        assert_eq!((failure.kind, failure.cause.as_str()), (FailureKind::Cancelled, "Ctrl-C"));
    }
}
