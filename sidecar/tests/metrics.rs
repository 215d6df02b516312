//! What `/metrics` serves beside real servers of every kind: names, types and labels are those of the golden scrapes, which
//! rules, dashboards and runbooks are checked against.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use archive::ClusterTime;
use archive::drill::DrillReport;
use archive::gap::{Gap, GapReason};
use archive::reference::Reference;
use bson::doc;
use support::golden::{assert_golden, golden_folder};
use support::watched::{Watched, is, value};
use support::{Archive, fill, get, start_run, until};
use testkit::ReplicaSet;
use testkit::Standalone;
use tokio::time::Instant;

mod support;

const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_of_a_set_have_the_golden_scrapes() -> Result<()> {
    let set = ReplicaSet::builder().members(2).arbiter(true).set_name("golden").start().await?;
    let (hosts, primary) = (set.hosts(), set.primary().await?);
    let secondary = 1 - primary;
    for (role, index) in [("primary", primary), ("secondary", secondary), ("arbiter", 2)] {
        let watched = Watched::start(&set.uri(), Some(&hosts[index]));
        assert_golden(role, async || Ok(watched.scrape())).await?;
        let text = watched.scrape();
        assert!(is(&text, "tidemark_mongod_up", 1.0), "{text}");
        let series = text.lines().filter(|line| !line.starts_with('#')).count();
        assert!(series < 700, "{series} series beside a {role}");
        let connections = value(&text, "tidemark_mongo_pool_connections").unwrap();
        assert!(connections <= 2.0, "{connections} connections");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_outside_of_a_set_have_the_golden_scrapes() -> Result<()> {
    let standalone = Standalone::start().await?;
    let watched = Watched::start(&standalone.uri(), None);
    assert_golden("standalone", async || Ok(watched.scrape())).await?;
    let set = ReplicaSet::builder().set_name("golden").start_uninitiated().await?;
    let watched = Watched::start(&set.member_uri(0), None);
    assert_golden("uninitiated", async || Ok(watched.scrape())).await?;
    set.kill(0)?;
    assert_golden("down", async || Ok(watched.scrape())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_that_archives_has_the_golden_scrape_and_knows_its_backups_again_after_a_restart() -> Result<()> {
    let set = ReplicaSet::builder().set_name("golden").start().await?;
    fill(&set, "shop", "orders", 0, 100, 10).await?;
    let archive = Archive::new();
    let environment = [
        "--metrics-interval=1s",
        "--storage-interval=2s",
        "--data-path=/",
        "--pitr-window=7d",
        "--drill-interval=30d",
        "--rto-target=1h",
        "--reference-schedule=0 3 * * 0",
    ];
    let success = "tidemark_backup_last_success_timestamp_seconds{replset=\"golden\",kind=\"snapshot\"}";
    let mut known = None;
    for start in 0..2 {
        let (mut sidecar, listen) = start_run(&set.member_uri(0), &archive, &environment);
        let scrape = async || Some(get(&listen, "/metrics").await.ok()?.1);
        let text = until("the snapshot is known", LIMIT, async || {
            scrape().await.filter(|text| value(text, success).is_some())
        })
        .await
        .with_context(|| sidecar.log())?;
        assert!(is(&text, "tidemark_backup_catalog_loaded", 1.0), "{text}");
        let at = value(&text, success);
        assert!(known.is_none() || known == at, "{known:?} before the restart, {at:?} after it");
        known = at;
        until("seconds are counted", LIMIT, async || {
            let text = scrape().await?;
            let good = value(&text, "tidemark_rpo_good_seconds_total{replset=\"golden\"}")?;
            let observed = value(&text, "tidemark_rpo_observed_seconds_total{replset=\"golden\"}")?;
            assert!(good <= observed, "{text}");
            (good > 1.0).then_some(())
        })
        .await?;
        let daily = "tidemark_backup_expected_interval_seconds{replset=\"golden\",kind=\"snapshot\"}";
        assert!(is(&text, daily, 86_400.0), "{text}");
        let role = ["archiving", "archiving-with-history"][start];
        let scrape = async || Ok(get(&listen, "/metrics").await?.1);
        assert_golden(role, scrape).await.with_context(|| sidecar.log())?;
        sidecar.terminate(LIMIT).await?;
        add_history(&archive)?;
    }
    Ok(())
}

/// A gap before everything else, a reference, and a drill that passed.
fn add_history(archive: &Archive) -> Result<()> {
    let snapshot = archive.manifests().remove(0);
    let lineage = &snapshot.lineage;
    let at = |before: u32| ClusterTime::new(snapshot.begin.seconds - before, 1);
    let gap = Gap::new(at(200), at(100), GapReason::OplogOverrun, "2026-11-22T02:00:00Z", "");
    let reference = Reference::new(lineage.clone(), at(50), "h:1", "2026-11-22T02:00:00Z");
    let golden = include_bytes!("../../crates/archive/tests/golden/drill.json");
    let mut drill = DrillReport::from_json(golden)?;
    drill.lineage = lineage.clone();
    drill.recovery_time_objective.actual_seconds = Some(95);
    drill.recovery_point_objective.actual_seconds = Some(4);
    let drill = drill.judged();
    let objects =
        [(gap.key(lineage), gap.to_json()?), (reference.key(), reference.to_json()?), (drill.key(), drill.to_json()?)];
    for (key, body) in objects {
        let path = archive.path().join(key.to_string());
        std::fs::create_dir_all(path.parent().unwrap())?;
        std::fs::write(path, body)?;
    }
    Ok(())
}

/// Those that real servers of the test kit do not show within seconds, by nature.
const NOT_IN_A_SCRAPE: [&str; 15] = [
    "tidemark_backup_last_failure_timestamp_seconds",
    "tidemark_backup_progress_ratio",
    "tidemark_backup_started_timestamp_seconds",
    "tidemark_current_op_namespace_longest_seconds",
    "tidemark_current_ops_by_namespace",
    "tidemark_index_build_progress_ratio",
    "tidemark_last_reference_timestamp_seconds",
    "tidemark_oplog_min_retention_seconds",
    // Only when asked for: tests/operations.rs.
    "tidemark_profiler_databases",
    "tidemark_profiler_databases_not_read",
    "tidemark_profiler_loss_uncertain_total",
    "tidemark_profiler_lost_entries_total",
    "tidemark_profiler_read_entries_total",
    "tidemark_replset_initial_sync_elapsed_seconds",
    "tidemark_replset_initial_sync_progress_ratio",
];

#[test]
fn every_metric_that_was_observed_is_in_a_golden_scrape() {
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir(golden_folder()).unwrap() {
        let path = entry.unwrap().path();
        // The agent's are in docs/slow-queries.md, which the tests of the dashboards compare with that scrape.
        if path.ends_with("node.txt") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        seen.extend(text.lines().map(|line| line.split(' ').next().unwrap().to_owned()));
    }
    for metric in ::metrics::catalogue::all().filter(|metric| !metric.not_observed) {
        let is_excepted = NOT_IN_A_SCRAPE.contains(&metric.name);
        assert!(seen.remove(metric.name) || is_excepted, "{} is in no golden scrape", metric.name);
    }
    assert!(seen.is_empty(), "not in the catalogue: {seen:?}");
}

fn lag_of(text: &str, member: &str) -> Option<f64> {
    let part = format!("member=\"{member}\"");
    let is_lag = |line: &&str| line.starts_with("tidemark_replset_member_excess_lag_seconds{") && line.contains(&part);
    text.lines().find(is_lag)?.rsplit_once(' ')?.1.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lag_grows_with_a_paused_secondary_and_is_absent_without_a_primary() -> Result<()> {
    let set = ReplicaSet::builder().members(3).start().await?;
    // A member is down for the others after this time of silence.
    set.set_election_timeout(Duration::from_secs(30)).await?;
    let (hosts, primary) = (set.hosts(), set.primary().await?);
    let (paused, other) = ((primary + 1) % 3, (primary + 2) % 3);
    let watched = Watched::start(&set.uri(), Some(&hosts[primary]));
    watched.until("nobody lags", LIMIT, |text| lag_of(text, &hosts[paused]).is_some_and(|lag| lag < 1.0)).await?;
    set.pause(paused)?;
    let (mut written, deadline) = (0, Instant::now() + LIMIT);
    loop {
        let text = watched.scrape();
        let (lag, lag_of_other) = (lag_of(&text, &hosts[paused]), lag_of(&text, &hosts[other]));
        // The other one lags as well for as long as it takes it to notice that whom it replicates from is paused.
        if lag.is_some_and(|lag| lag >= 3.0) && lag_of_other < lag {
            break;
        }
        ensure!(Instant::now() < deadline, "it does not lag, or the other one does as well: {text}");
        fill(&set, "shop", "orders", written, 1, 10).await?;
        written += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    set.resume(paused)?;
    watched.until("it has caught up", LIMIT, |text| lag_of(text, &hosts[paused]).is_some_and(|lag| lag < 1.0)).await?;
    let beside = Watched::start(&set.uri(), Some(&hosts[other]));
    beside.until("there is a primary", LIMIT, |text| lag_of(text, &hosts[paused]).is_some()).await?;
    set.kill(primary)?;
    set.kill(paused)?;
    let has_primary = format!("tidemark_replset_has_primary{{replset=\"{}\"}}", set.set_name);
    let text = beside.until("nobody is primary", LIMIT, |text| is(text, &has_primary, 0.0)).await?;
    ensure!(!text.contains("tidemark_replset_member_lag_seconds{"), "{text}");
    ensure!(text.contains("tidemark_replset_member_state{"), "states are still known: {text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_go_on_over_a_restart_of_the_server_and_nothing_waits_for_one_that_is_frozen_or_down() -> Result<()> {
    let set = ReplicaSet::single().await?;
    fill(&set, "shop", "orders", 0, 3000, 10).await?;
    let watched = Watched::start(&set.member_uri(0), None);
    let text = watched.scrape();
    assert!(value(&text, "tidemark_mongod_up").is_none_or(|up| up <= 1.0), "it answers before anything is known");
    let inserted = "tidemark_documents_total{action=\"inserted\"}";
    let text = watched.until("the inserts are seen", LIMIT, |text| value(text, inserted) >= Some(3000.0)).await?;
    let before = value(&text, inserted).unwrap();
    set.kill(0)?;
    let text = watched.until("it is down", LIMIT, |text| is(text, "tidemark_mongod_up", 0.0)).await?;
    assert_eq!(value(&text, inserted), None, "nothing old is shown: {text}");
    assert!(value(&text, "tidemark_data_volume_free_bytes{volume=\"data\"}").is_some(), "{text}");
    set.restart(0).await?;
    let text = watched.until("it is up", LIMIT, |text| value(text, inserted).is_some()).await?;
    assert!(value(&text, inserted).unwrap() >= before, "the counter fell");
    set.pause(0)?;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(2) {
        let asked = Instant::now();
        watched.scrape();
        // Whoever waited for the server would wait for as long as it is frozen.
        assert!(asked.elapsed() < Duration::from_secs(2), "a scrape waited for {:?}", asked.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    watched.until("it is down for whoever watches", LIMIT, |text| is(text, "tidemark_mongod_up", 0.0)).await?;
    set.resume(0)?;
    watched.until("it is up again", LIMIT, |text| is(text, "tidemark_mongod_up", 1.0)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_credentials_are_shown_and_an_arbiter_needs_none() -> Result<()> {
    let set = ReplicaSet::builder().members(1).arbiter(true).auth(true).set_name("guarded").start().await?;
    let hosts = set.hosts();
    let wrong = set.uri_as("nobody", "wrong");
    let watched = Watched::start(&wrong, Some(&hosts[0]));
    let refused = |text: &str| is(text, "tidemark_mongod_authorized", 0.0);
    let text = watched.until("it is refused", LIMIT, refused).await?;
    assert!(is(&text, "tidemark_mongod_up", 1.0), "it is up all the same: {text}");
    let arbiter = Watched::start(&set.uri(), Some(&hosts[1]));
    let state = "tidemark_replset_self_state{replset=\"guarded\"}";
    let text = arbiter.until("the arbiter is known", LIMIT, |text| is(text, state, 7.0)).await?;
    assert!(is(&text, "tidemark_replset_has_primary{replset=\"guarded\"}", 1.0), "{text}");
    assert!(value(&text, "tidemark_mongod_authorized").is_none(), "{text}");
    let roles = [doc! { "role": "backup", "db": "admin" }, doc! { "role": "clusterMonitor", "db": "admin" }];
    let user = doc! { "createUser": "tidemark", "pwd": "secret", "roles": roles.to_vec() };
    set.client().database("admin").run_command(user).await?;
    let right = Watched::start(&set.uri_as("tidemark", "secret"), Some(&hosts[0]));
    right.until("it is accepted", LIMIT, |text| is(text, "tidemark_mongod_authorized", 1.0)).await?;
    for collector in ["hello", "replication", "server_status", "current_op", "slow_threshold", "oplog", "databases"] {
        let success = format!("tidemark_collector_success{{collector=\"{collector}\"}}");
        right.until("the documented roles are enough", LIMIT, |text| is(text, &success, 1.0)).await?;
    }
    Ok(())
}
