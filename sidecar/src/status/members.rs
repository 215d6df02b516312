//! The server and the replica set as the background collection last saw them.

use std::collections::BTreeMap;

use metrics::catalogue as known;
use metrics::{Metric, Sample, Samples, Value};
use serde::Serialize;

use super::report::{CollectorReport, VolumeReport};
use crate::clock::text_of_float;

/// A collector that has not succeeded for so many of its intervals is stale: two may fail, or be slow.
const STALE_INTERVALS: f64 = 3.0;
/// Sooner than that nothing is stale.
const STALE_SECONDS: f64 = 30.0;

#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ServerReport {
    pub up: Option<bool>,
    /// Whether it lets this sidecar read its state.
    pub authorized: Option<bool>,
    pub version: Option<String>,
    pub has_primary: Option<bool>,
    pub majority_commit_lag_seconds: Option<f64>,
    pub oplog_window_seconds: Option<f64>,
    /// Entries of the oplog as a share of its limit; below about 0.95 nothing is overwritten yet.
    pub oplog_full_ratio: Option<f64>,
    /// Its wall clock minus the one here.
    pub clock_skew_seconds: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemberReport {
    pub name: String,
    /// As in `replSetGetStatus`: `PRIMARY`, `SECONDARY`, …
    pub state: &'static str,
    pub healthy: Option<bool>,
    /// Its oplog is the one that is archived.
    pub archived: bool,
    /// `None` for those that cannot have one.
    pub lag_seconds: Option<f64>,
    /// Without the delay that it is meant to have.
    pub excess_lag_seconds: Option<f64>,
    pub hidden: Option<bool>,
    /// Whether the configuration gives it a vote.
    pub votes: Option<bool>,
    pub last_heartbeat_at: Option<String>,
}

impl ServerReport {
    pub fn of(samples: &Samples) -> Self {
        let all = Found(samples);
        let window =
            all.only(&known::OPLOG_LAST_TIMESTAMP_SECONDS).zip(all.only(&known::OPLOG_FIRST_TIMESTAMP_SECONDS));
        let full = all.only(&known::OPLOG_SIZE_BYTES).zip(all.only(&known::OPLOG_MAX_BYTES).filter(|max| *max > 0.0));
        Self {
            up: all.only(&known::MONGOD_UP).map(is_set),
            authorized: all.only(&known::MONGOD_AUTHORIZED).map(is_set),
            version: all.of(&known::MONGOD_INFO).find_map(|sample| sample.labels.first().cloned()),
            has_primary: all.only(&known::REPLSET_HAS_PRIMARY).map(is_set),
            majority_commit_lag_seconds: all.only(&known::REPLSET_MAJORITY_COMMIT_LAG_SECONDS),
            oplog_window_seconds: window.map(|(last, first)| (last - first).max(0.0)),
            oplog_full_ratio: full.map(|(size, max)| size / max),
            clock_skew_seconds: all.only(&known::CLOCK_SKEW_SECONDS),
        }
    }
}

/// Name of the set, if the server is in one.
pub fn replica_set(samples: &Samples) -> Option<String> {
    Found(samples).of(&known::REPLSET_HAS_PRIMARY).find_map(|sample| sample.labels.first().cloned())
}

/// `archived`: whose oplog is read.
pub fn members(samples: &Samples, archived: Option<&str>) -> Vec<MemberReport> {
    let all = Found(samples);
    let mut members = BTreeMap::new();
    for sample in all.of(&known::REPLSET_MEMBER_STATE) {
        let [_, name] = sample.labels.as_slice() else { continue };
        let labels = || sample.labels.iter().map(String::as_str).collect::<Vec<_>>();
        let number = |metric| samples.number(metric, &labels());
        let heartbeat = number(&known::REPLSET_MEMBER_LAST_HEARTBEAT_TIMESTAMP_SECONDS);
        members.insert(
            name.clone(),
            MemberReport {
                name: name.clone(),
                state: state(number_of(sample)),
                healthy: number(&known::REPLSET_MEMBER_HEALTH).map(is_set),
                archived: archived == Some(name.as_str()),
                lag_seconds: number(&known::REPLSET_MEMBER_LAG_SECONDS),
                excess_lag_seconds: number(&known::REPLSET_MEMBER_EXCESS_LAG_SECONDS),
                hidden: all.info(name, "hidden").map(|is_hidden| is_hidden == "true"),
                votes: all.info(name, "votes").map(|votes| votes != "0"),
                last_heartbeat_at: heartbeat.and_then(text_of_float),
            },
        );
    }
    members.into_values().collect()
}

/// `now`: seconds since 1970.
pub fn collectors(samples: &Samples, now: f64) -> Vec<CollectorReport> {
    let found = Found(samples);
    let mut all: Vec<CollectorReport> = found
        .of(&known::COLLECTOR_SUCCESS)
        .filter_map(|sample| {
            let name = sample.labels.first()?;
            let interval = samples.number(&known::COLLECTOR_INTERVAL_SECONDS, &[name]);
            let last_success = samples.number(&known::COLLECTOR_LAST_SUCCESS_TIMESTAMP_SECONDS, &[name]);
            let limit = interval.map_or(STALE_SECONDS, |interval| (interval * STALE_INTERVALS).max(STALE_SECONDS));
            Some(CollectorReport {
                name: name.clone(),
                succeeded: number_of(sample).is_some_and(is_set),
                last_success_at: last_success.and_then(text_of_float),
                interval_seconds: interval,
                stale: last_success.is_none_or(|at| now - at > limit),
            })
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

pub fn data_volume(samples: &Samples) -> Option<VolumeReport> {
    let free_bytes = samples.number(&known::DATA_VOLUME_FREE_BYTES, &["data"])?;
    let size_bytes = samples.number(&known::DATA_VOLUME_SIZE_BYTES, &["data"])?;
    Some(VolumeReport { free_bytes, size_bytes })
}

struct Found<'a>(&'a Samples);

impl<'a> Found<'a> {
    fn of(&self, metric: &'static Metric) -> impl Iterator<Item = &'a Sample> {
        self.0.0.iter().filter(move |sample| sample.metric.name == metric.name)
    }

    /// Of a metric with one series.
    fn only(&self, metric: &'static Metric) -> Option<f64> {
        self.of(metric).find_map(number_of)
    }

    /// What the configuration says about a member.
    fn info(&self, member: &str, label: &str) -> Option<&'a str> {
        let at = known::REPLSET_MEMBER_INFO.labels.iter().position(|name| *name == label)?;
        let sample = self
            .of(&known::REPLSET_MEMBER_INFO)
            .find(|sample| sample.labels.get(1).is_some_and(|name| name == member))?;
        sample.labels.get(at).map(String::as_str)
    }
}

fn number_of(sample: &Sample) -> Option<f64> {
    match sample.value {
        Value::Number(value) => Some(value),
        Value::Histogram(_) => None,
    }
}

fn is_set(value: f64) -> bool {
    value > 0.0
}

/// The names of the server's manual.
fn state(number: Option<f64>) -> &'static str {
    const STATES: [&str; 11] = [
        "STARTUP",
        "PRIMARY",
        "SECONDARY",
        "RECOVERING",
        "(4)",
        "STARTUP2",
        "UNKNOWN",
        "ARBITER",
        "DOWN",
        "ROLLBACK",
        "REMOVED",
    ];
    let mut numbered = (0_u8..).zip(STATES);
    numbered.find(|(n, _)| number == Some(f64::from(*n))).map_or("UNKNOWN", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_of_two() -> Samples {
        let mut samples = Samples::default();
        samples.set(&known::REPLSET_HAS_PRIMARY, &["rs0"], 1.0);
        for (name, state) in [("h:1", 1.0), ("h:2", 3.0)] {
            samples.set(&known::REPLSET_MEMBER_STATE, &["rs0", name], state);
            samples.set(&known::REPLSET_MEMBER_HEALTH, &["rs0", name], 1.0);
        }
        samples.set(&known::REPLSET_MEMBER_LAG_SECONDS, &["rs0", "h:2"], 7.5);
        samples.set(&known::REPLSET_MEMBER_INFO, &["rs0", "h:2", "true", "false", "true", "0", "0"], 1.0);
        samples
    }

    #[test]
    fn members_have_their_state_and_what_is_not_known_is_absent() {
        let samples = set_of_two();
        let members = members(&samples, Some("h:2"));
        assert_eq!(members.iter().map(|member| member.state).collect::<Vec<_>>(), ["PRIMARY", "RECOVERING"]);
        assert_eq!((members[0].archived, members[1].archived), (false, true));
        assert_eq!((members[0].lag_seconds, members[1].lag_seconds), (None, Some(7.5)));
        assert_eq!((members[0].hidden, members[1].hidden), (None, Some(true)));
        assert_eq!((members[0].votes, members[1].votes), (None, Some(false)));
        assert_eq!(replica_set(&samples).as_deref(), Some("rs0"));
        assert_eq!(ServerReport::of(&Samples::default()), ServerReport::default());
    }

    #[test]
    fn states_beyond_those_of_the_manual_are_unknown() {
        assert_eq!([Some(0.0), Some(10.0), Some(11.0), None].map(state), ["STARTUP", "REMOVED", "UNKNOWN", "UNKNOWN"]);
    }

    #[test]
    fn a_collector_is_stale_when_its_last_success_is_old_or_there_never_was_one() {
        let mut samples = Samples::default();
        for (name, last_success) in [("new", Some(995.0)), ("late", Some(900.0)), ("never", None)] {
            samples.set(&known::COLLECTOR_SUCCESS, &[name], 1.0);
            samples.set(&known::COLLECTOR_INTERVAL_SECONDS, &[name], 10.0);
            samples.set_known(&known::COLLECTOR_LAST_SUCCESS_TIMESTAMP_SECONDS, &[name], last_success);
        }
        let stale = collectors(&samples, 1000.0).into_iter().map(|collector| (collector.name, collector.stale));
        let expected = [("late", true), ("never", true), ("new", false)];
        assert_eq!(stale.collect::<Vec<_>>(), expected.map(|(name, stale)| (name.to_owned(), stale)));
    }
}
