//! What the operator wants to keep, and the clock by which age is judged. Both are plain values; `sidecar` and `dr-cli`
//! fill them from their configuration.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::ClusterTime;

pub const DEFAULT_UNFINISHED_GRACE: Duration = Duration::from_hours(24);
pub const DEFAULT_TOMBSTONES_FOR: Duration = Duration::from_hours(30 * 24);
const SHORTEST_UNFINISHED_GRACE: Duration = Duration::from_hours(1);

/// A snapshot is kept when *any* rule keeps it. Only snapshots that can be restored count; damaged ones are kept where a
/// good one in their place would be, and take nobody's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// The newest N.
    pub keep_last: Option<u32>,
    /// Those younger than this.
    pub keep_for: Option<Duration>,
    /// Every moment of this span before now stays restorable. Without it, every moment since the oldest snapshot that
    /// `keep_last`, `keep_for` or `minimum_redundancy` keeps does; slices are never thinned out by a rule about snapshots.
    pub pitr_window: Option<Duration>,
    /// The first snapshot of each UTC month, of the newest N months that have one. Kept to be restored as it is: the
    /// moments behind it are not kept for its sake.
    pub keep_monthly: Option<u32>,
    /// Never fewer than this, whatever the other rules say; at least 1.
    pub minimum_redundancy: u32,
    /// A snapshot without a manifest is left alone until nothing of it changed for so long.
    pub unfinished_grace: Duration,
    /// How long the *abandoned* manifest outlives the data, so that a paused writer which wakes cannot publish it again.
    pub tombstones_for: Duration,
}

/// No rule is set: refused by [`super::plan_retention`] until one is.
impl Default for RetentionPolicy {
    fn default() -> Self {
        Self {
            keep_last: None,
            keep_for: None,
            pitr_window: None,
            keep_monthly: None,
            minimum_redundancy: 1,
            unfinished_grace: DEFAULT_UNFINISHED_GRACE,
            tombstones_for: DEFAULT_TOMBSTONES_FOR,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error(
        "the retention policy has no rule, which would let everything but the newest snapshot expire; set at least one of \
         keep_last, keep_for, pitr_window, keep_monthly"
    )]
    Empty,
    #[error("`{rule}` is zero, which keeps nothing; leave the rule out instead")]
    KeepsNothing { rule: &'static str },
    #[error(
        "minimum_redundancy is zero; the newest snapshot that can be restored is never removed, so it is at least 1"
    )]
    NoRedundancy,
    #[error("unfinished_grace is below one hour; a snapshot whose writer is restarting would be taken for a dead one")]
    GraceTooShort,
}

impl RetentionPolicy {
    pub fn check(&self) -> Result<(), PolicyError> {
        let count = |rule, count: Option<u32>| (count == Some(0)).then_some(rule);
        let span = |rule, span: Option<Duration>| span.is_some_and(|span| span.is_zero()).then_some(rule);
        let zero = count("keep_last", self.keep_last)
            .or(span("keep_for", self.keep_for))
            .or(span("pitr_window", self.pitr_window))
            .or(count("keep_monthly", self.keep_monthly));
        if let Some(rule) = zero {
            return Err(PolicyError::KeepsNothing { rule });
        }
        let is_empty = self.keep_last.is_none()
            && self.keep_for.is_none()
            && self.pitr_window.is_none()
            && self.keep_monthly.is_none();
        if is_empty {
            return Err(PolicyError::Empty);
        }
        if self.minimum_redundancy == 0 {
            return Err(PolicyError::NoRedundancy);
        }
        if self.unfinished_grace < SHORTEST_UNFINISHED_GRACE {
            return Err(PolicyError::GraceTooShort);
        }
        Ok(())
    }
}

/// The time at which retention is decided. That the store's clock and ours agree well enough is checked by the caller
/// before it asks; what is left is the uncertainty, and everything is judged as young as it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    pub now: Timestamp,
    /// How far `now` may be from the truth, either way.
    pub uncertainty: Duration,
}

impl Clock {
    /// The earliest that it may be.
    pub fn earliest(&self) -> Timestamp {
        before(self.now, self.uncertainty)
    }

    /// Whether `span` has passed since `instant` for certain.
    pub(super) fn is_past(&self, instant: Timestamp, span: Duration) -> bool {
        instant <= before(self.earliest(), span)
    }

    /// The cluster time that for certain lies `span` or more in the past.
    pub(super) fn cluster_time_before(&self, span: Duration) -> ClusterTime {
        let seconds = before(self.earliest(), span).as_second();
        ClusterTime::new(u32::try_from(seconds.max(0)).unwrap_or(u32::MAX), 0)
    }
}

/// Saturates at the beginning of time, where nothing is old enough.
pub(super) fn before(instant: Timestamp, span: Duration) -> Timestamp {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    instant.checked_sub(span).unwrap_or(Timestamp::MIN)
}

pub(super) fn wall_time(time: ClusterTime) -> Timestamp {
    Timestamp::from_second(i64::from(time.seconds)).unwrap_or(Timestamp::MAX)
}
