//! Measures the phases of a drill.

use std::time::{Duration, Instant};

use archive::drill::Phase;
use jiff::{SignedDuration, Timestamp};

use crate::failure::Failure;

#[derive(Debug, Clone)]
pub struct Stopwatch {
    name: &'static str,
    started_at: Timestamp,
    started: Instant,
}

impl Stopwatch {
    pub fn start(name: &'static str) -> Self {
        Self { name, started_at: Timestamp::now(), started: Instant::now() }
    }

    /// Begun seconds count.
    pub fn whole_seconds(&self) -> u64 {
        self.started.elapsed().as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX)
    }

    pub fn stop(self, failure: Option<&Failure>) -> Phase {
        let milliseconds = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Phase {
            failure: failure.map(|failure| failure.what.clone()),
            ..phase(self.name, self.started_at, milliseconds)
        }
    }

    /// The phases of the restore that was measured, which follow each other without a pause.
    pub fn parts(&self, parts: &[crate::restore::Phase]) -> Vec<Phase> {
        let mut passed = 0.0;
        let mut phases = Vec::new();
        for part in parts {
            let begun = Duration::try_from_secs_f64(passed).ok().and_then(|begun| SignedDuration::try_from(begun).ok());
            let started_at = begun.and_then(|begun| self.started_at.checked_add(begun).ok()).unwrap_or(self.started_at);
            phases.push(Phase {
                bytes: part.bytes,
                documents: part.documents,
                entries: part.entries,
                ..phase(&format!("{}: {}", self.name, part.name), started_at, milliseconds(part.seconds))
            });
            passed += part.seconds;
        }
        phases
    }
}

fn phase(name: &str, started_at: Timestamp, milliseconds: u64) -> Phase {
    Phase {
        name: name.to_owned(),
        started_at: text(started_at),
        milliseconds,
        bytes: 0,
        documents: 0,
        entries: 0,
        retries: 0,
        predicted_milliseconds: None,
        failure: None,
    }
}

pub fn milliseconds(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds).map_or(0, |duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// RFC 3339, to the millisecond.
pub fn now() -> String {
    text(Timestamp::now())
}

fn text(time: Timestamp) -> String {
    format!("{time:.3}")
}
