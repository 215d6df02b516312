//! Whether a restore goes on by itself: an election of the destination or a store that was away for a moment should not
//! need a person to type the same command again.
//!
//! Only what passes is tried again, only after this process has begun to write (before that it is more likely a wrong
//! address), and only while nobody else has taken the destination over.

use std::time::{Duration, Instant};

use super::state::RestoreState;
use crate::failure::{Failure, FailureKind, Result};

/// Together longer than an election with the server's default timeout of 10 s.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10), Duration::from_secs(20)];
/// An attempt that lasted so long came further than the one before; the pauses start over.
const LASTING: Duration = Duration::from_mins(2);
/// Something that stops every attempt is not an accident.
const MOST: usize = 20;

/// The attempts of one process.
#[derive(Debug)]
pub(super) struct Attempts {
    /// Those that have marked the destination as theirs.
    own: Vec<String>,
    reasons: Vec<String>,
    in_a_row: usize,
    since: Instant,
}

impl Attempts {
    pub fn new() -> Self {
        Self { own: Vec::new(), reasons: Vec::new(), in_a_row: 0, since: Instant::now() }
    }

    /// Call before the destination is marked; fails when it is no longer that of this process.
    pub fn begin(&mut self, attempt: &str, holder: Option<&str>) -> Result<()> {
        let is_own = |holder: &str| self.own.iter().any(|own| own == holder);
        if !self.own.is_empty() && !holder.is_none_or(is_own) {
            return Err(RestoreState::taken_over());
        }
        self.own.push(attempt.to_owned());
        Ok(())
    }

    /// How long to wait before the next attempt; the failure itself when there should be none.
    pub fn next(&mut self, failure: Failure) -> Result<Duration> {
        if failure.kind != FailureKind::Unreachable || self.own.is_empty() || self.reasons.len() >= MOST {
            return Err(failure);
        }
        if self.since.elapsed() >= LASTING {
            self.in_a_row = 0;
        }
        let Some(pause) = PAUSES.get(self.in_a_row) else { return Err(failure) };
        self.in_a_row += 1;
        self.reasons.push(failure.what);
        self.since = Instant::now();
        Ok(*pause)
    }

    /// For the report: why the restore had to go on.
    pub fn notes(self) -> impl Iterator<Item = String> {
        self.reasons.into_iter().map(|reason| format!("went on by itself after: {reason}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Failure {
        Failure::new(FailureKind::Unreachable, "no primary")
    }

    fn begun() -> Attempts {
        let mut attempts = Attempts::new();
        attempts.begin("one", Some("of an earlier process")).unwrap();
        attempts
    }

    #[test]
    fn what_passes_is_tried_again_a_few_times_and_told() {
        let mut attempts = begun();
        let pauses: Vec<u64> = (0..4).map(|_| attempts.next(away()).unwrap().as_secs()).collect();
        assert_eq!(pauses, [2, 5, 10, 20]);
        assert_eq!(attempts.next(away()), Err(away()));
        assert_eq!(attempts.notes().last().unwrap(), "went on by itself after: no primary");
    }

    #[test]
    fn nothing_is_tried_again_before_the_first_write() {
        assert_eq!(Attempts::new().next(away()), Err(away()));
    }

    #[test]
    fn nothing_that_stays_is_tried_again() {
        for kind in [FailureKind::Integrity, FailureKind::LeaseHeld, FailureKind::Unsafe, FailureKind::Unexpected] {
            assert!(begun().next(Failure::new(kind, "stays")).is_err());
        }
    }

    #[test]
    fn a_destination_that_somebody_else_took_over_is_left_alone() {
        let mut attempts = begun();
        attempts.begin("two", Some("one")).unwrap();
        attempts.begin("three", Some("one")).unwrap();
        attempts.begin("four", None).unwrap();
        assert_eq!(attempts.begin("five", Some("somebody else's")).unwrap_err().kind, FailureKind::LeaseHeld);
    }
}
