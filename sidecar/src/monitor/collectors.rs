//! How the collectors themselves fare: success, duration, last success, and what they cost the server.

use std::collections::BTreeMap;
use std::time::Duration;

use metrics::Samples;
use metrics::catalogue::{
    COLLECTOR_DURATION_SECONDS, COLLECTOR_INTERVAL_SECONDS, COLLECTOR_LAST_SUCCESS_TIMESTAMP_SECONDS,
    COLLECTOR_SUCCESS, MONGO_COMMANDS_TOTAL,
};
use tokio::time::Instant;

#[derive(Debug, Clone, Copy)]
struct Run {
    succeeded: bool,
    took: Duration,
    last_success: Option<f64>,
    interval: Duration,
}

/// Of one loop: its collectors, and the commands that they sent.
#[derive(Debug, Clone, Default)]
pub struct Collectors {
    runs: BTreeMap<&'static str, Run>,
    commands: BTreeMap<(&'static str, &'static str), u64>,
}

impl Collectors {
    /// Runs one and remembers how it went.
    pub async fn run<T, E>(
        &mut self,
        name: &'static str,
        interval: Duration,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let started = Instant::now();
        let result = work.await;
        self.note(name, interval, started.elapsed(), result.is_ok());
        result
    }

    pub fn note(&mut self, name: &'static str, interval: Duration, took: Duration, succeeded: bool) {
        let before = self.runs.get(name).and_then(|run| run.last_success);
        let last_success = if succeeded { Some(now()) } else { before };
        self.runs.insert(name, Run { succeeded, took, last_success, interval });
    }

    /// It makes no sense beside this server any more.
    pub fn leave_out(&mut self, name: &'static str) {
        self.runs.remove(name);
    }

    pub fn sent(&mut self, command: &'static str, succeeded: bool) {
        // Both from the first on: a counter that appears with 1 hides its first event.
        for outcome in ["ok", "failed"] {
            self.commands.entry((command, outcome)).or_default();
        }
        *self.commands.entry((command, if succeeded { "ok" } else { "failed" })).or_default() += 1;
    }

    pub fn samples(&self) -> Samples {
        let mut samples = Samples::default();
        for (name, run) in &self.runs {
            samples.set_flag(&COLLECTOR_SUCCESS, &[name], run.succeeded);
            samples.set(&COLLECTOR_DURATION_SECONDS, &[name], run.took.as_secs_f64());
            samples.set_known(&COLLECTOR_LAST_SUCCESS_TIMESTAMP_SECONDS, &[name], run.last_success);
            samples.set(&COLLECTOR_INTERVAL_SECONDS, &[name], run.interval.as_secs_f64());
        }
        for ((command, outcome), count) in &self.commands {
            samples.set(&MONGO_COMMANDS_TOTAL, &[command, outcome], metrics::sample::float(*count));
        }
        samples
    }
}

/// Seconds since 1970, to the millisecond.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
pub fn now() -> f64 {
    jiff::Timestamp::now().as_millisecond() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_collector_that_fails_keeps_the_time_of_its_last_success() {
        let (mut collectors, interval) = (Collectors::default(), Duration::from_secs(10));
        let last = |collectors: &Collectors| {
            collectors.samples().number(&COLLECTOR_LAST_SUCCESS_TIMESTAMP_SECONDS, &["hello"])
        };
        collectors.run("hello", interval, async { Err::<(), _>(()) }).await.unwrap_err();
        assert_eq!(last(&collectors), None, "absent until known");
        collectors.run("hello", interval, async { Ok::<_, ()>(()) }).await.unwrap();
        let known = last(&collectors);
        collectors.run("hello", interval, async { Err::<(), _>(()) }).await.unwrap_err();
        assert!(known.is_some() && last(&collectors) == known);
        assert_eq!(collectors.samples().number(&COLLECTOR_SUCCESS, &["hello"]), Some(0.0));
    }
}
