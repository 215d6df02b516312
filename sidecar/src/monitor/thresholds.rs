//! When the server calls an operation slow: read for the metrics and, when asked for, set for as long as this runs.
//!
//! What was there before is put back at a clean stop, unless somebody else changed it meanwhile: that is left and said.
//! Nothing is stored. After a crash the next run finds its own values, and puts back those that the server was started
//! with. The server itself forgets all of them when it restarts; then they are set again.

use std::time::Duration;

use bson::oid::ObjectId;
use metrics::Samples;
use metrics::catalogue::{SLOW_OP_SAMPLE_RATIO, SLOW_OP_THRESHOLD_SECONDS};
use replset::probe::{Profiling, ProfilingChange};
use replset::{ErrorKind, Probe, ReplsetError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::collectors::Collectors;
use super::{Collected, Reachable, anybody, other_process};
use crate::config::SlowThreshold;
use crate::error::Result;

const LOOK_EVERY: Duration = Duration::from_mins(1);
/// The threshold belongs to the process, whichever database is asked.
const DATABASE: &str = "admin";

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Nothing was set in this process.
    Untouched,
    /// What was there before.
    Set(SlowThreshold),
    /// Somebody else decides.
    LeftAlone,
}

pub struct Thresholds {
    wanted: Option<SlowThreshold>,
    collected: Collected,
    collectors: Collectors,
    state: State,
    /// The server whose state that is.
    server: Option<(Probe, Option<ObjectId>)>,
    told: Option<String>,
}

impl Thresholds {
    pub fn new(wanted: Option<SlowThreshold>, collected: Collected) -> Self {
        let collectors = Collectors::default();
        Self { wanted, collected, collectors, state: State::Untouched, server: None, told: None }
    }

    /// Ends when stopped, after the threshold was set back.
    pub async fn run(
        mut self,
        mut reachable: watch::Receiver<Option<Reachable>>,
        stop: CancellationToken,
    ) -> Result<()> {
        while !stop.is_cancelled() {
            let server = tokio::select! {
                server = anybody(&mut reachable) => server,
                () = stop.cancelled() => break,
            };
            // Not given up half-way: what was set has to be known.
            let samples = self.look(&server).await;
            self.collected.put("slow threshold", samples);
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = other_process(&mut reachable, server.process) => {}
                () = stop.cancelled() => break,
            }
            if reachable.borrow().is_none() {
                self.collected.forget("slow threshold");
            }
        }
        self.set_back().await;
        Ok(())
    }

    async fn look(&mut self, server: &Reachable) -> Samples {
        let is_same = self.server.as_ref().is_some_and(|(_, process)| *process == server.process);
        if !is_same {
            self.state = State::Untouched;
        }
        self.server = Some((server.probe.clone(), server.process));
        let probe = server.probe.clone();
        let found = self.collectors.run("slow_threshold", LOOK_EVERY, probe.profiling(DATABASE)).await;
        self.collectors.sent("profile", found.is_ok());
        let mut samples = Samples::default();
        match found {
            Ok(found) => {
                let now = self.decide(&probe, found).await;
                #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
                samples.set(&SLOW_OP_THRESHOLD_SECONDS, &[], now.slow_millis as f64 / 1000.0);
                samples.set(&SLOW_OP_SAMPLE_RATIO, &[], now.sample_rate);
            }
            Err(error) => self.tell("the slow threshold cannot be read", &error),
        }
        samples.extend(self.collectors.samples());
        samples
    }

    /// Returns what is in effect then.
    async fn decide(&mut self, probe: &Probe, found: Profiling) -> Profiling {
        let Some(wanted) = self.wanted else {
            self.told = None;
            return found;
        };
        match self.state {
            State::Untouched => self.set(probe, found, wanted).await,
            State::Set(_) if !is_as(&found, &wanted) => {
                tracing::warn!(
                    event = "slow_threshold_changed_by_other",
                    found = show(&found),
                    wanted = %wanted,
                    "somebody else changed the slow threshold; it stays so, also when this ends"
                );
                self.state = State::LeftAlone;
                found
            }
            State::Set(_) | State::LeftAlone => found,
        }
    }

    async fn set(&mut self, probe: &Probe, found: Profiling, wanted: SlowThreshold) -> Profiling {
        if is_as(&found, &wanted) {
            self.found_as_wanted(probe, wanted).await;
            return found;
        }
        match self.change(probe, wanted).await {
            Ok(before) => {
                self.told = None;
                tracing::info!(
                    event = "slow_threshold_set",
                    server = probe.server(),
                    before = show(&before),
                    now = %wanted,
                    "slow threshold set"
                );
                if before.has_filter {
                    tracing::warn!(
                        event = "slow_threshold_without_effect",
                        "the server has a profile filter, which decides instead of threshold and sample rate"
                    );
                }
                self.state = State::Set(SlowThreshold {
                    millis: before.slow_millis,
                    sample_rate: wanted.sample_rate.map(|_| before.sample_rate),
                });
                let sample_rate = wanted.sample_rate.unwrap_or(before.sample_rate);
                Profiling { slow_millis: wanted.millis, sample_rate, ..before }
            }
            Err(error) => {
                self.tell("the slow threshold cannot be set (it needs `enableProfiler` on `admin`)", &error);
                found
            }
        }
    }

    /// An earlier run may have set it and not come to its end; what was there before it is not known.
    async fn found_as_wanted(&mut self, probe: &Probe, wanted: SlowThreshold) {
        let started = probe.slow_settings_at_start().await;
        self.collectors.sent("getCmdLineOpts", started.is_ok());
        match started {
            Ok((millis, sample_rate)) => {
                let before = SlowThreshold { millis, sample_rate: wanted.sample_rate.map(|_| sample_rate) };
                tracing::info!(
                    event = "slow_threshold_found",
                    server = probe.server(),
                    now = %wanted,
                    at_start = %before,
                    "the slow threshold is as it shall be, perhaps from a run that crashed; at the end it becomes what the server was started with"
                );
                self.state = State::Set(before);
            }
            Err(error) => {
                tracing::warn!(
                    event = "slow_threshold_not_known",
                    %error,
                    now = %wanted,
                    "the slow threshold is as it shall be, and stays so when this ends"
                );
                self.state = State::LeftAlone;
            }
        }
    }

    async fn change(&mut self, probe: &Probe, to: SlowThreshold) -> Result<Profiling, ReplsetError> {
        let change = ProfilingChange { level: None, slow_millis: Some(to.millis), sample_rate: to.sample_rate };
        let changed = probe.change_profiling(DATABASE, change).await;
        self.collectors.sent("profile", changed.is_ok());
        changed
    }

    async fn set_back(&mut self) {
        let (State::Set(before), Some(wanted), Some((probe, _))) = (self.state, self.wanted, self.server.clone())
        else {
            return;
        };
        match probe.profiling(DATABASE).await {
            Ok(found) if !is_as(&found, &wanted) => {
                tracing::warn!(
                    event = "slow_threshold_changed_by_other",
                    found = show(&found),
                    "somebody else changed the slow threshold (or the server restarted); it stays so"
                );
            }
            Ok(_) => match self.change(&probe, before).await {
                Ok(_) => tracing::info!(
                    event = "slow_threshold_set_back",
                    server = probe.server(),
                    now = %before,
                    "slow threshold set back"
                ),
                Err(error) => not_set_back(&error, before),
            },
            Err(error) => not_set_back(&error, before),
        }
    }

    /// The same trouble once; a server that is away is told by others.
    fn tell(&mut self, what: &str, error: &ReplsetError) {
        let kind = format!("{what}: {:?}", error.kind());
        let is_refusal = matches!(error.kind(), ErrorKind::AuthFailed | ErrorKind::MissingPrivilege(_));
        if self.told.as_ref() == Some(&kind) {
            return;
        }
        if is_refusal || self.wanted.is_some() {
            tracing::warn!(event = "slow_threshold_refused", %error, "{what}; trying again without saying so");
        }
        self.told = Some(kind);
    }
}

fn not_set_back(error: &ReplsetError, before: SlowThreshold) {
    tracing::warn!(
        event = "slow_threshold_not_set_back",
        %error,
        %before,
        "slow threshold not set back; a restart of the server does it, too"
    );
}

fn is_as(found: &Profiling, wanted: &SlowThreshold) -> bool {
    let same_rate = wanted.sample_rate.is_none_or(|rate| (rate - found.sample_rate).abs() < 1e-9);
    found.slow_millis == wanted.millis && same_rate
}

fn show(found: &Profiling) -> String {
    format!("{} (sample rate {})", found.slow_millis, found.sample_rate)
}
