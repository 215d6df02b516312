//! When an open slice is cut: a function of what it holds and how long it has been open.

use std::time::Duration;

use archive::ClusterTime;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutPolicy {
    /// A write is published at most this long after it was read.
    pub span: Duration,
    pub bytes: u64,
    /// A slice that holds only the server's own no-ops, so that the restore window advances while nobody writes.
    pub idle: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutReason {
    Span,
    Bytes,
    Idle,
    /// Somebody waits for a moment that the slice has reached.
    Wanted,
}

/// What is known about an open slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenSliceAge {
    pub bytes: u64,
    /// The newest entry; absent in an empty slice.
    pub last: Option<ClusterTime>,
    pub since_first_entry: Duration,
    /// Since the first entry that is not a no-op.
    pub since_first_write: Option<Duration>,
}

impl CutPolicy {
    /// `after`: where the slice starts. `wanted`: the newest moment that somebody has waited for.
    pub fn due(&self, open: &OpenSliceAge, after: ClusterTime, wanted: ClusterTime) -> Option<CutReason> {
        let last = open.last?;
        if open.bytes >= self.bytes {
            return Some(CutReason::Bytes);
        }
        if after < wanted && wanted <= last {
            return Some(CutReason::Wanted);
        }
        if open.since_first_write.is_some_and(|age| age >= self.span) {
            return Some(CutReason::Span);
        }
        (open.since_first_entry >= self.idle).then_some(CutReason::Idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: CutPolicy = CutPolicy { span: Duration::from_secs(5), bytes: 1000, idle: Duration::from_mins(1) };
    const AFTER: ClusterTime = ClusterTime::new(90, 1);
    const NOBODY: ClusterTime = ClusterTime::ZERO;

    fn open(bytes: u64, first: u64, write: Option<u64>) -> OpenSliceAge {
        OpenSliceAge {
            bytes,
            last: Some(ClusterTime::new(100, 1)),
            since_first_entry: Duration::from_secs(first),
            since_first_write: write.map(Duration::from_secs),
        }
    }

    #[test]
    fn an_empty_slice_is_never_cut() {
        let empty = OpenSliceAge { last: None, ..open(5000, 600, None) };
        assert_eq!(POLICY.due(&empty, AFTER, ClusterTime::new(91, 1)), None);
    }

    #[test]
    fn writes_are_cut_by_span_and_noops_when_idle() {
        assert_eq!(POLICY.due(&open(10, 4, Some(4)), AFTER, NOBODY), None);
        assert_eq!(POLICY.due(&open(10, 5, Some(5)), AFTER, NOBODY), Some(CutReason::Span));
        assert_eq!(POLICY.due(&open(10, 59, None), AFTER, NOBODY), None, "only no-ops");
        assert_eq!(POLICY.due(&open(10, 60, None), AFTER, NOBODY), Some(CutReason::Idle));
        assert_eq!(POLICY.due(&open(10, 50, Some(4)), AFTER, NOBODY), None, "the span counts from the first write");
    }

    #[test]
    fn a_full_slice_is_cut_at_once() {
        assert_eq!(POLICY.due(&open(999, 0, Some(0)), AFTER, NOBODY), None);
        assert_eq!(POLICY.due(&open(1000, 0, Some(0)), AFTER, NOBODY), Some(CutReason::Bytes));
    }

    #[test]
    fn a_wanted_moment_is_cut_as_soon_as_it_is_reached() {
        assert_eq!(POLICY.due(&open(10, 0, None), AFTER, ClusterTime::new(100, 2)), None);
        assert_eq!(POLICY.due(&open(10, 0, None), AFTER, ClusterTime::new(100, 1)), Some(CutReason::Wanted));
        assert_eq!(POLICY.due(&open(10, 0, None), AFTER, AFTER), None, "it was published before");
    }
}
