use bson::{DateTime, Timestamp, doc};
use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_800_000_000_000;

/// A member whose newest entry is `behind` milliseconds older than `NOW`.
fn member(id: i32, state: i32, behind: i64) -> Document {
    let (applied, durable) = (DateTime::from_millis(NOW - behind), DateTime::from_millis(NOW - behind - 100));
    doc! {
        "_id": id, "name": format!("m{id}:1"), "health": 1.0, "state": state, "optimeDate": DateTime::from_millis((NOW - behind) / 1000 * 1000),
        "lastAppliedWallTime": applied, "lastDurableWallTime": durable, "pingMs": 3_i64, "lastHeartbeat": DateTime::from_millis(NOW),
    }
}

fn status(own: i32, members: Vec<Document>) -> Document {
    doc! { "set": "rs", "date": DateTime::from_millis(NOW), "myState": own, "term": 7_i64, "syncSourceHost": "", "members": members }
}

fn config(members: Vec<Document>) -> Document {
    doc! { "config": { "version": 3, "term": 7_i64, "members": members } }
}

fn read(status: &Document, config: Option<&Document>) -> Samples {
    samples(status, config, &mut Memory::default())
}

fn lag(samples: &Samples, id: i32) -> Option<f64> {
    samples.number(&REPLSET_MEMBER_LAG_SECONDS, &["rs", &format!("m{id}:1")])
}

fn excess(samples: &Samples, id: i32) -> Option<f64> {
    samples.number(&REPLSET_MEMBER_EXCESS_LAG_SECONDS, &["rs", &format!("m{id}:1")])
}

#[test]
fn lag_is_exact_to_the_millisecond_and_never_negative() {
    let samples = read(&status(1, vec![member(0, 1, 0), member(1, 2, 1234), member(2, 2, -5000)]), None);
    assert_eq!((lag(&samples, 0), lag(&samples, 1), lag(&samples, 2)), (Some(0.0), Some(1.234), Some(0.0)));
    let durable = samples.number(&REPLSET_MEMBER_DURABLE_LAG_SECONDS, &["rs", "m1:1"]);
    assert_eq!(durable, Some(1.334));
}

#[test]
fn a_paused_secondary_lags_more_and_more_until_it_is_down() {
    let paused = member(1, 2, 45_000);
    assert_eq!(lag(&read(&status(1, vec![member(0, 1, 0), paused.clone()]), None), 1), Some(45.0));
    let mut down = paused;
    down.insert("health", 0.0);
    down.insert("state", 8);
    let samples = read(&status(1, vec![member(0, 1, 0), down]), None);
    assert_eq!(lag(&samples, 1), None, "nobody knows");
    assert_eq!(samples.number(&REPLSET_MEMBER_HEALTH, &["rs", "m1:1"]), Some(0.0));
    assert_eq!(samples.number(&REPLSET_MEMBER_PING_SECONDS, &["rs", "m1:1"]), None);
}

#[test]
fn a_delayed_member_lags_but_not_in_excess_of_its_delay() {
    for name in ["secondaryDelaySecs", "slaveDelay"] {
        let mut delayed = doc! { "_id": 1, "host": "m1:1", "priority": 0, "hidden": true };
        delayed.insert(name, 3600_i64);
        let config = config(vec![doc! { "_id": 0, "host": "m0:1" }, delayed]);
        let samples = read(&status(1, vec![member(0, 1, 0), member(1, 2, 3_602_500)]), Some(&config));
        assert_eq!((lag(&samples, 1), excess(&samples, 1)), (Some(3602.5), Some(2.5)));
        let fresh = read(&status(1, vec![member(0, 1, 0), member(1, 2, 3_500_000)]), Some(&config));
        assert_eq!(excess(&fresh, 1), Some(0.0));
        let info = ["rs", "m1:1", "true", "false", "true", "1", "3600"];
        assert_eq!(samples.number(&REPLSET_MEMBER_INFO, &info), Some(1.0));
    }
}

#[test]
fn without_a_primary_nobody_lags() {
    let samples = read(&status(2, vec![member(0, 2, 0), member(1, 2, 90_000)]), None);
    assert_eq!((lag(&samples, 0), lag(&samples, 1)), (None, None));
    assert_eq!(samples.number(&REPLSET_HAS_PRIMARY, &["rs"]), Some(0.0));
    assert_eq!(samples.count(&REPLSET_MEMBER_STATE), 2, "states are still known");
    let mut silent = member(0, 1, 0);
    silent.insert("health", 0.0);
    assert_eq!(lag(&read(&status(2, vec![silent, member(1, 2, 90_000)]), None), 1), None);
}

#[test]
fn two_that_call_themselves_primary_are_measured_by_the_one_elected_last() {
    let (mut old, mut new) = (member(0, 1, 60_000), member(1, 1, 0));
    old.insert("electionTime", Timestamp { time: 10, increment: 1 });
    new.insert("electionTime", Timestamp { time: 20, increment: 1 });
    new.insert("electionDate", DateTime::from_millis(20_000));
    let samples = read(&status(2, vec![old, new, member(2, 2, 1000)]), None);
    assert_eq!(lag(&samples, 2), Some(1.0));
    assert_eq!(samples.number(&REPLSET_ELECTION_LAST_TIMESTAMP_SECONDS, &["rs"]), Some(20.0));
}

#[test]
fn arbiters_and_members_that_start_or_are_synchronised_have_no_lag() {
    let mut arbiter = member(1, 7, 0);
    arbiter.remove("lastAppliedWallTime");
    let mut starting = member(2, 5, 0);
    starting.insert("optimeDate", DateTime::from_millis(0));
    starting.insert("lastAppliedWallTime", DateTime::from_millis(0));
    let mut empty = member(3, 2, 0);
    empty.insert("optimeDate", DateTime::from_millis(0));
    empty.insert("lastAppliedWallTime", DateTime::from_millis(0));
    let samples = read(&status(1, vec![member(0, 1, 0), arbiter, starting, empty]), None);
    assert_eq!(samples.count(&REPLSET_MEMBER_LAG_SECONDS), 1, "of the primary, 0");
}

#[test]
fn a_server_without_wall_times_is_read_by_whole_seconds() {
    let (mut primary, mut secondary) = (member(0, 1, 0), member(1, 2, 4000));
    primary.remove("lastAppliedWallTime");
    secondary.remove("lastAppliedWallTime");
    secondary.remove("lastDurableWallTime");
    assert_eq!(lag(&read(&status(1, vec![primary, secondary]), None), 1), Some(4.0));
}

#[test]
fn a_clock_of_the_primary_that_jumps_back_makes_no_lag() {
    // Its new entries carry an earlier time than what the secondary has applied.
    assert_eq!(lag(&read(&status(1, vec![member(0, 1, 3_600_000), member(1, 2, 0)]), None), 1), Some(0.0));
}

#[test]
fn majority_commit_lag_is_that_of_the_member_itself() {
    let mut status = status(1, vec![member(0, 1, 0)]);
    let optimes = doc! { "lastAppliedWallTime": DateTime::from_millis(NOW), "lastCommittedWallTime": DateTime::from_millis(NOW - 31_500) };
    status.insert("optimes", optimes);
    assert_eq!(read(&status, None).number(&REPLSET_MAJORITY_COMMIT_LAG_SECONDS, &["rs"]), Some(31.5));
    status.insert("myState", 3);
    assert_eq!(read(&status, None).count(&REPLSET_MAJORITY_COMMIT_LAG_SECONDS), 0);
}

#[test]
fn a_source_that_changes_is_counted_once_and_the_old_series_goes() {
    let mut memory = Memory::default();
    let mut look = |source: &str| {
        let mut status = status(2, vec![member(0, 1, 0)]);
        status.insert("syncSourceHost", source);
        let samples = samples(&status, None, &mut memory);
        let changes = samples.number(&REPLSET_SYNC_SOURCE_CHANGES_TOTAL, &["rs"]).unwrap();
        (changes, samples.count(&REPLSET_SYNC_SOURCE_INFO))
    };
    assert_eq!(look("a:1"), (0.0, 1));
    assert_eq!(look(""), (0.0, 0));
    assert_eq!(look("a:1"), (0.0, 1), "it is the same again");
    assert_eq!(look("b:1"), (1.0, 1));
    assert_eq!(look("a:1"), (2.0, 1));
}

#[test]
fn an_initial_sync_shows_how_far_it_is() {
    let mut status = status(5, vec![member(0, 1, 0), member(1, 5, 0)]);
    let sync = doc! { "approxTotalDataSize": 200_i64, "approxTotalBytesCopied": 50_i64, "initialSyncStart": DateTime::from_millis(NOW - 90_000) };
    status.insert("initialSyncStatus", sync);
    let samples = read(&status, None);
    assert_eq!(samples.number(&REPLSET_INITIAL_SYNC_RUNNING, &["rs"]), Some(1.0));
    assert_eq!(samples.number(&REPLSET_INITIAL_SYNC_PROGRESS_RATIO, &["rs"]), Some(0.25));
    assert_eq!(samples.number(&REPLSET_INITIAL_SYNC_ELAPSED_SECONDS, &["rs"]), Some(90.0));
}

#[test]
fn written_lag_of_8_0_is_read_from_the_manual() {
    let (mut primary, mut secondary) = (member(0, 1, 0), member(1, 2, 2000));
    primary.insert("lastWrittenWallTime", DateTime::from_millis(NOW));
    secondary.insert("lastWrittenWallTime", DateTime::from_millis(NOW - 500));
    let samples = read(&status(1, vec![primary, secondary]), None);
    assert_eq!(samples.number(&REPLSET_MEMBER_WRITTEN_LAG_SECONDS, &["rs", "m1:1"]), Some(0.5));
}

proptest! {
    /// Whatever states, health and times: series only of members that can lag, never below 0, excess never above lag.
    #[test]
    fn lag_is_never_nonsense(members in prop::collection::vec((0_i32..12, any::<bool>(), -1_000_000_i64..1_000_000, 0_i64..7200), 0..8)) {
        let (mut documents, mut configured) = (Vec::new(), Vec::new());
        for (id, (state, healthy, behind, delay)) in (0_i32..).zip(&members) {
            let mut document = member(id, *state, *behind);
            document.insert("health", f64::from(u8::from(*healthy)));
            documents.push(document);
            configured.push(doc! { "_id": id, "host": format!("m{id}:1"), "secondaryDelaySecs": *delay });
        }
        let samples = read(&status(2, documents), Some(&config(configured)));
        for (id, (state, healthy, ..)) in (0_i32..).zip(&members) {
            let (lag, excess) = (lag(&samples, id), excess(&samples, id));
            prop_assert_eq!(lag.is_some(), excess.is_some());
            if let Some((lag, excess)) = lag.zip(excess) {
                prop_assert!(*healthy && [1, 2, 3, 9].contains(state));
                prop_assert!(0.0 <= excess && excess <= lag);
            }
        }
        let has_primary = members.iter().any(|(state, healthy, ..)| *state == 1 && *healthy);
        prop_assert_eq!(has_primary, samples.count(&REPLSET_MEMBER_LAG_SECONDS) > 0);
    }
}

#[test]
fn a_configuration_is_in_force_while_version_and_term_of_the_member_itself_are_its_own() {
    let own = |version: i32, term: i64| {
        let mut own = member(1, 2, 0);
        own.extend(doc! { "self": true, "configVersion": version, "configTerm": term });
        let mut other = member(0, 1, 0);
        other.extend(doc! { "configVersion": 3, "configTerm": 7_i64 });
        status(2, vec![other, own])
    };
    let config = config(vec![]);
    assert!(is_in_force(&config, &own(3, 7)));
    assert!(!is_in_force(&config, &own(4, 7)), "a reconfiguration");
    assert!(!is_in_force(&config, &own(3, 8)), "an election");
    assert!(!is_in_force(&config, &status(2, vec![member(1, 2, 0)])), "nobody knows");
    assert!(!is_in_force(&doc! {}, &own(3, 7)));
}
