//! What is counted for one kind of operation, and for one shape.

use crate::entry::SlowQuery;
use crate::operation::Plan;
use crate::shape::{Origin, example};

/// Upper bounds of the histogram of durations.
pub const BOUNDS_MILLIS: [u64; 10] = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Not cumulative; the last one is above all bounds.
    pub counts: [u64; BOUNDS_MILLIS.len() + 1],
    pub sum_millis: u64,
}

impl Histogram {
    pub fn add(&mut self, millis: u64) {
        let bucket = BOUNDS_MILLIS.iter().position(|bound| millis <= *bound).unwrap_or(BOUNDS_MILLIS.len());
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum_millis = self.sum_millis.saturating_add(millis);
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Where time went, in the order of [`OperationFigures::times_micros`].
pub const TIMES: [&str; 9] = [
    "working",
    "queued",
    "lock_wait",
    "write_concern_wait",
    "flow_control",
    "cpu",
    "storage_read",
    "remote_wait",
    "planning",
];

/// How much was done, in the order of [`OperationFigures::work`].
pub const WORK: [&str; 7] =
    ["docs_examined", "keys_examined", "returned", "yields", "response_bytes", "read_bytes", "write_conflicts"];

/// What else was noted, in the order of [`OperationFigures::flags`].
pub const FLAGS: [&str; 6] = ["sort_stage", "used_disk", "multi_planner", "replanned", "error", "mirrored"];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperationFigures {
    pub duration: Histogram,
    pub times_micros: [u64; TIMES.len()],
    pub work: [u64; WORK.len()],
    pub flags: [u64; FLAGS.len()],
    /// In the order of [`Plan::ALL`].
    pub plans: [u64; Plan::ALL.len()],
}

impl OperationFigures {
    pub fn add(&mut self, query: &SlowQuery<'_>, plan: Plan) {
        self.duration.add(query.duration_millis);
        let work = [
            query.docs_examined,
            query.keys_examined,
            query.produced(),
            query.yields,
            query.response_bytes,
            query.read_bytes,
            query.write_conflicts,
        ];
        let flags =
            [query.sort_stage, query.used_disk, query.multi_planner, query.replanned, query.failed, query.mirrored];
        add_all(&mut self.times_micros, times(query));
        add_all(&mut self.work, work);
        add_all(&mut self.flags, flags.map(u64::from));
        add_all(&mut self.plans, Plan::ALL.map(|each| u64::from(each == plan)));
    }
}

/// Microseconds, in the order of [`TIMES`].
fn times(query: &SlowQuery<'_>) -> [u64; TIMES.len()] {
    [
        query.working_millis.unwrap_or(0).saturating_mul(1000),
        query.queued_micros,
        query.lock_wait_micros,
        query.write_concern_wait_millis.saturating_mul(1000),
        query.flow_control_micros,
        query.cpu_nanos / 1000,
        query.storage_read_micros,
        query.remote_wait_millis.saturating_mul(1000),
        query.planning_micros,
    ]
}

fn add_all<const N: usize>(sums: &mut [u64; N], numbers: [u64; N]) {
    for (sum, number) in sums.iter_mut().zip(numbers) {
        *sum = sum.saturating_add(number);
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShapeFigures {
    pub count: u64,
    pub failed: u64,
    pub millis: u64,
    pub longest_millis: u64,
    /// In the order of [`TIMES`].
    pub times_micros: [u64; TIMES.len()],
    pub docs_examined: u64,
    pub keys_examined: u64,
    pub returned: u64,
    /// In the order of [`Plan::ALL`].
    pub plans: [u64; Plan::ALL.len()],
    /// Milliseconds since 1970, of the log; unknown when no line had a time.
    pub first_millis: Option<i64>,
    pub last_millis: Option<i64>,
    pub origin: Option<Origin>,
    /// The command of the first complete line, without its values.
    pub example: Option<String>,
}

impl ShapeFigures {
    /// `origin` is where the shape's name is from; none for what shares its place with others, which has no example.
    pub fn add(&mut self, query: &SlowQuery<'_>, plan: Plan, origin: Option<Origin>) {
        self.count += 1;
        self.failed += u64::from(query.failed);
        self.millis = self.millis.saturating_add(query.duration_millis);
        self.longest_millis = self.longest_millis.max(query.duration_millis);
        add_all(&mut self.times_micros, times(query));
        self.docs_examined = self.docs_examined.saturating_add(query.docs_examined);
        self.keys_examined = self.keys_examined.saturating_add(query.keys_examined);
        self.returned = self.returned.saturating_add(query.produced());
        add_all(&mut self.plans, Plan::ALL.map(|each| u64::from(each == plan)));
        if let Some(at) = query.at_millis {
            self.first_millis = Some(self.first_millis.map_or(at, |first| first.min(at)));
            self.last_millis = Some(self.last_millis.map_or(at, |last| last.max(at)));
        }
        if origin.is_some() {
            self.origin = origin;
            if self.example.is_none() {
                self.example = example(query);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let mut histogram = Histogram::default();
        for millis in [0, 100, 101, 250, 300_000, 300_001, u64::MAX] {
            histogram.add(millis);
        }
        assert_eq!(histogram.counts, [2, 2, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!((histogram.count(), histogram.sum_millis), (7, u64::MAX));
    }

    #[test]
    fn the_first_and_last_time_are_those_of_the_log_in_any_order() {
        let mut shape = ShapeFigures::default();
        for at in [Some(20), None, Some(10), Some(30)] {
            shape.add(&SlowQuery { at_millis: at, ..SlowQuery::default() }, Plan::None, None);
        }
        assert_eq!((shape.first_millis, shape.last_millis, shape.count), (Some(10), Some(30), 4));
    }
}
