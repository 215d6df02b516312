//! Says once that the server refuses the user: trying again is right, a log full of it is not.

use crate::error::Error;

/// Forgotten by whoever tries, with the next success.
#[derive(Debug, Default)]
pub struct Refusals {
    told: bool,
}

impl Refusals {
    /// `true` when the error is of that kind, whether it was told now or before.
    pub fn tell(&mut self, error: &Error) -> bool {
        if !error.is_refused_user() {
            return false;
        }
        // What is refused first differs from one attempt to the next, what has to be corrected does not.
        if self.told {
            tracing::debug!(%error, "the user is still refused");
        } else {
            let next = error.report().next;
            tracing::error!(event = "user_refused", %error, next, "the server refuses the user; trying again until that is corrected");
            self.told = true;
        }
        true
    }
}
