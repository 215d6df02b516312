//! The recovery point objective as seconds: how long it was watched, and how long it was kept.

use crate::catalogue::{RPO_GOOD_SECONDS_TOTAL, RPO_OBSERVED_SECONDS_TOTAL};
use crate::sample::Samples;

/// A longer pause between two looks was a process that did not run: nobody archived meanwhile.
const PAUSE: f64 = 30.0;

/// Adds up elapsed time. Time is given by a clock that never goes back, in seconds.
#[derive(Debug, Clone, Default)]
pub struct RpoClock {
    last: Option<f64>,
    observed: f64,
    good: f64,
}

impl RpoClock {
    /// While this sidecar archives: at `now` the archive lags by `lag` seconds, `None` when that is not known.
    pub fn look(&mut self, now: f64, lag: Option<f64>, target: f64) {
        let elapsed = self.last.replace(now).map_or(0.0, |last| (now - last).max(0.0));
        self.observed += elapsed;
        if elapsed <= PAUSE && lag.is_some_and(|lag| lag <= target) {
            self.good += elapsed;
        }
    }

    /// Somebody else archives: the time until the next look is not this sidecar's.
    pub fn rest(&mut self) {
        self.last = None;
    }

    pub fn samples(&self, set: &str) -> Samples {
        let mut samples = Samples::default();
        samples.set(&RPO_OBSERVED_SECONDS_TOTAL, &[set], self.observed);
        samples.set(&RPO_GOOD_SECONDS_TOTAL, &[set], self.good);
        samples
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(clock: &RpoClock) -> (f64, f64) {
        let samples = clock.samples("rs");
        let number = |metric| samples.number(metric, &["rs"]).unwrap();
        (number(&RPO_GOOD_SECONDS_TOTAL), number(&RPO_OBSERVED_SECONDS_TOTAL))
    }

    #[test]
    fn unknown_late_and_paused_time_is_observed_and_not_good() {
        let mut clock = RpoClock::default();
        clock.look(100.0, Some(0.0), 60.0);
        assert_eq!(of(&clock), (0.0, 0.0), "nothing has elapsed yet");
        clock.look(110.0, Some(60.0), 60.0);
        clock.look(115.0, Some(61.0), 60.0);
        clock.look(120.0, None, 60.0);
        assert_eq!(of(&clock), (10.0, 20.0));
        clock.look(220.0, Some(0.0), 60.0);
        assert_eq!(of(&clock), (10.0, 120.0), "the process was stopped");
        clock.rest();
        clock.look(500.0, Some(0.0), 60.0);
        clock.look(501.0, Some(0.0), 60.0);
        assert_eq!(of(&clock), (11.0, 121.0), "another sidecar archived meanwhile");
    }

    proptest! {
        #[test]
        fn both_only_grow_and_good_is_a_part(steps in prop::collection::vec((0.0_f64..50.0, prop::option::of(0.0_f64..120.0)), 0..50)) {
            let (mut clock, mut now, mut seen) = (RpoClock::default(), 0.0, (0.0, 0.0));
            for (elapsed, lag) in steps {
                now += elapsed;
                clock.look(now, lag, 60.0);
                let (good, observed) = of(&clock);
                prop_assert!(good >= seen.0 && observed >= seen.1 && good <= observed + 1e-9);
                seen = (good, observed);
            }
        }
    }
}
