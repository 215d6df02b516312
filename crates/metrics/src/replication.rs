//! The state of a replica set as one member sees it: `replSetGetStatus` and `replSetGetConfig` in, samples out.
//!
//! Lag is the difference of the wall clocks of the newest entries that primary and member have applied, to the
//! millisecond. The member asked knows itself exactly and the others as of their last heartbeat, so it can seem to be
//! ahead: that is no lag. Members that cannot have a lag have no series: arbiters, those that are down, start or are being
//! synchronised, and all while there is no primary.

use bson::Document;

#[allow(clippy::wildcard_imports, reason = "names of metrics, most of them")]
use crate::catalogue::*;
use crate::field::{documents, instant, millis, number, seconds, text};
use crate::sample::{Samples, float};

const PRIMARY: i64 = 1;
const SECONDARY: i64 = 2;
const RECOVERING: i64 = 3;
const STARTUP2: i64 = 5;
const UNKNOWN: i64 = 6;
const ROLLBACK: i64 = 9;

/// What must be remembered from one look to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    sync_source: Option<String>,
    changes: u64,
}

/// What the configuration says about a member.
#[derive(Debug, Clone, Copy, Default)]
struct Configured {
    is_arbiter: bool,
    delay_seconds: f64,
}

/// Everything that follows from the two replies. Without a configuration (`None`) delays count as none.
pub fn samples(status: &Document, config: Option<&Document>, memory: &mut Memory) -> Samples {
    let mut samples = Samples::default();
    let Some(set) = text(status, &["set"]) else { return samples };
    let config = config.and_then(|reply| reply.get_document("config").ok());
    let own = whole(status, "myState");
    samples.set_known(&REPLSET_SELF_STATE, &[set], own.map(as_float));
    let term = number(status, &["term"]).filter(|term| *term >= 0.0);
    samples.set_known(&REPLSET_TERM, &[set], term);
    members(set, status, config, &mut samples);
    if let Some(config) = config {
        configuration(set, config, &mut samples);
    }
    if own.is_some_and(|state| [PRIMARY, SECONDARY].contains(&state)) {
        let applied = millis(status, &["optimes", "lastAppliedWallTime"]);
        let committed = millis(status, &["optimes", "lastCommittedWallTime"]);
        let lag = applied.zip(committed).map(|(applied, committed)| seconds(applied.saturating_sub(committed).max(0)));
        samples.set_known(&REPLSET_MAJORITY_COMMIT_LAG_SECONDS, &[set], lag);
    }
    initial_sync(set, status, own == Some(STARTUP2), &mut samples);
    sync_source(set, status, memory, &mut samples);
    samples
}

/// Whether a member with this status still follows this configuration, the reply to `replSetGetConfig`. Every change makes
/// version or term larger, and a member tells those of its own (since 4.4 both; of older servers nothing is known).
pub fn is_in_force(config: &Document, status: &Document) -> bool {
    let Some(own) = documents(status, &["members"]).find(|member| is_self(member)) else { return false };
    let same = |told: &str, path: &[&str]| {
        let told = number(own, &[told]);
        told.is_some() && told == number(config, path)
    };
    same("configVersion", &["config", "version"]) && same("configTerm", &["config", "term"])
}

fn members(set: &str, status: &Document, config: Option<&Document>, samples: &mut Samples) {
    let all: Vec<&Document> = documents(status, &["members"]).collect();
    let primary = primary(&all);
    samples.set_flag(&REPLSET_HAS_PRIMARY, &[set], primary.is_some());
    let elected = primary.and_then(|primary| instant(primary, &["electionDate"]));
    samples.set_known(&REPLSET_ELECTION_LAST_TIMESTAMP_SECONDS, &[set], elected);
    for member in all {
        let Some(name) = text(member, &["name"]) else { continue };
        let labels = [set, name];
        samples.set(&REPLSET_MEMBER_STATE, &labels, as_float(state(member)));
        samples.set_flag(&REPLSET_MEMBER_HEALTH, &labels, is_healthy(member));
        if !is_self(member) {
            let heartbeat = instant(member, &["lastHeartbeat"]);
            samples.set_known(&REPLSET_MEMBER_LAST_HEARTBEAT_TIMESTAMP_SECONDS, &labels, heartbeat);
            let ping = number(member, &["pingMs"]).filter(|_| is_healthy(member)).map(|ping| ping / 1000.0);
            samples.set_known(&REPLSET_MEMBER_PING_SECONDS, &labels, ping);
        }
        if let Some(primary) = primary {
            lag(&labels, primary, member, configured(config, member), samples);
        }
    }
}

fn lag(labels: &[&str], primary: &Document, member: &Document, configured: Configured, samples: &mut Samples) {
    let can_lag = [PRIMARY, SECONDARY, RECOVERING, ROLLBACK].contains(&state(member));
    if !can_lag || !is_healthy(member) || configured.is_arbiter {
        return;
    }
    if let Some(lag) = behind(primary, member, "lastAppliedWallTime", "optimeDate") {
        samples.set(&REPLSET_MEMBER_LAG_SECONDS, labels, lag);
        let excess = (lag - configured.delay_seconds).max(0.0);
        samples.set(&REPLSET_MEMBER_EXCESS_LAG_SECONDS, labels, excess);
    }
    let durable = behind(primary, member, "lastDurableWallTime", "optimeDurableDate");
    samples.set_known(&REPLSET_MEMBER_DURABLE_LAG_SECONDS, labels, durable);
    let written = behind(primary, member, "lastWrittenWallTime", "optimeWrittenDate");
    samples.set_known(&REPLSET_MEMBER_WRITTEN_LAG_SECONDS, labels, written);
}

/// Seconds from the member's `wall` to what the primary has applied; by whole seconds of `date` where an older server has
/// nothing finer. `None` while the member has no entry at all.
fn behind(primary: &Document, member: &Document, wall: &str, date: &str) -> Option<f64> {
    let has_entries = millis(member, &["optimeDate"]).is_some() || millis(member, &[wall]).is_some();
    let fine = millis(primary, &["lastAppliedWallTime"]).zip(millis(member, &[wall]));
    let coarse = || millis(primary, &["optimeDate"]).zip(millis(member, &[date]));
    let (newest, own) = fine.or_else(coarse).filter(|_| has_entries)?;
    Some(seconds(newest.saturating_sub(own).max(0)))
}

/// The one that was elected last, should two believe in themselves.
fn primary<'a>(members: &[&'a Document]) -> Option<&'a Document> {
    let primaries = members.iter().copied().filter(|member| state(member) == PRIMARY && is_healthy(member));
    primaries.max_by_key(|member| member.get_timestamp("electionTime").map_or((0, 0), |at| (at.time, at.increment)))
}

fn configuration(set: &str, config: &Document, samples: &mut Samples) {
    samples.set_known(&REPLSET_CONFIG_VERSION, &[set], number(config, &["version"]));
    samples.set_known(&REPLSET_CONFIG_TERM, &[set], number(config, &["term"]).filter(|term| *term >= 0.0));
    for member in documents(config, &["members"]) {
        let Some(host) = text(member, &["host"]) else { continue };
        let says = |name: &str| if flag(member, name) { "true" } else { "false" };
        let has_no_priority = number(member, &["priority"]).is_some_and(|priority| priority == 0.0);
        let votes = number(member, &["votes"]).unwrap_or(1.0).to_string();
        let delay = delay_seconds(member).to_string();
        let zero = if has_no_priority { "true" } else { "false" };
        samples.set(&REPLSET_MEMBER_INFO, &[set, host, says("hidden"), says("arbiterOnly"), zero, &votes, &delay], 1.0);
    }
}

fn initial_sync(set: &str, status: &Document, is_running: bool, samples: &mut Samples) {
    samples.set_flag(&REPLSET_INITIAL_SYNC_RUNNING, &[set], is_running);
    let Ok(sync) = status.get_document("initialSyncStatus") else { return };
    if !is_running {
        return;
    }
    let (copied, whole) = (number(sync, &["approxTotalBytesCopied"]), number(sync, &["approxTotalDataSize"]));
    let ratio = copied.zip(whole.filter(|whole| *whole > 0.0)).map(|(copied, whole)| (copied / whole).clamp(0.0, 1.0));
    samples.set_known(&REPLSET_INITIAL_SYNC_PROGRESS_RATIO, &[set], ratio);
    let elapsed = number(sync, &["totalInitialSyncElapsedMillis"]).map(|elapsed| elapsed / 1000.0);
    let since_start = || Some(seconds(millis(status, &["date"])?.saturating_sub(millis(sync, &["initialSyncStart"])?)));
    let elapsed = elapsed.or_else(since_start).map(|elapsed| elapsed.max(0.0));
    samples.set_known(&REPLSET_INITIAL_SYNC_ELAPSED_SECONDS, &[set], elapsed);
}

fn sync_source(set: &str, status: &Document, memory: &mut Memory, samples: &mut Samples) {
    let source = text(status, &["syncSourceHost"]);
    if let Some(source) = source {
        samples.set(&REPLSET_SYNC_SOURCE_INFO, &[set, source], 1.0);
        // For a moment there is none while another one is looked for.
        if memory.sync_source.as_deref().is_some_and(|known| known != source) {
            memory.changes += 1;
        }
        memory.sync_source = Some(source.to_owned());
    }
    samples.set(&REPLSET_SYNC_SOURCE_CHANGES_TOTAL, &[set], float(memory.changes));
}

fn configured(config: Option<&Document>, member: &Document) -> Configured {
    let id = whole(member, "_id");
    let found = config.and_then(|config| {
        documents(config, &["members"]).find(|configured| id.is_some() && whole(configured, "_id") == id)
    });
    found.map_or_else(Configured::default, |found| Configured {
        is_arbiter: flag(found, "arbiterOnly"),
        delay_seconds: delay_seconds(found),
    })
}

/// `slaveDelay` before 5.0.
fn delay_seconds(member: &Document) -> f64 {
    let delay = number(member, &["secondaryDelaySecs"]).or_else(|| number(member, &["slaveDelay"]));
    delay.unwrap_or(0.0).max(0.0)
}

fn state(member: &Document) -> i64 {
    whole(member, "state").filter(|state| (0..=10).contains(state)).unwrap_or(UNKNOWN)
}

/// The member asked says 1 about itself.
fn is_healthy(member: &Document) -> bool {
    is_self(member) || number(member, &["health"]).is_some_and(|health| health > 0.0)
}

fn is_self(member: &Document) -> bool {
    flag(member, "self")
}

fn flag(document: &Document, name: &str) -> bool {
    document.get_bool(name).unwrap_or(false)
}

#[expect(clippy::cast_possible_truncation, reason = "states and ids are small whole numbers")]
fn whole(document: &Document, name: &str) -> Option<i64> {
    number(document, &[name]).filter(|value| value.fract() == 0.0 && value.abs() < 1e9).map(|value| value as i64)
}

#[expect(clippy::cast_precision_loss, reason = "states are small")]
fn as_float(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests;
