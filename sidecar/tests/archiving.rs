//! `sidecar run` against real replica sets: continuity, restarts, gaps, other histories, stores and servers that go away.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use archive::ClusterTime;
use archive::gap::GapReason;
use archive::layout::ObjectKey;
use archive::slice::{SliceEncoder, SliceHeader};
use bson::{Timestamp, doc};
use sidecar::archive_store::{ArchiveStore, Stores};
use sidecar::archiver;
use sidecar::metrics::Metrics;
use sidecar::source::Source;
use store::fault::{Fault, FaultStore};
use store::{ErrorKind, MemoryStore, ObjectStoreExt as _, Operation};
use support::{Archive, archiver_settings, fill, get, note, sidecar, site, start_run, until};
use testkit::ReplicaSet;
use tokio_util::sync::CancellationToken;

type Test = Result<()>;

const LIMIT: Duration = Duration::from_secs(30);

async fn wait_archived(archive: &Archive, through: ClusterTime) -> Result<()> {
    until("archived", LIMIT, async || {
        archive.coverage().archived_through().is_some_and(|reached| reached >= through).then_some(())
    })
    .await
}

/// Puts a slice into the archive as if it had been archived: one entry at `through` in `term`.
async fn pretend_archived(
    set: &ReplicaSet,
    archive: &Archive,
    after: ClusterTime,
    through: ClusterTime,
    term: i64,
) -> Result<()> {
    let record = Source::new(&set.uri(), None).lineage().await?;
    let stores = Stores::open(&archive.url(), &archive.url()).await?;
    let opened = ArchiveStore::open(stores, &record, false).await?;
    let header = SliceHeader { lineage: opened.lineage.clone(), after, after_term: None, after_digest: None };
    let (mut encoder, mut object) = SliceEncoder::new(&header, 1 << 20)?;
    let entry = doc! { "op": "n", "ns": "", "o": {}, "ts": Timestamp::from(through), "t": term };
    encoder.push(&bson::serialize_to_vec(&entry)?)?;
    let sealed = encoder.seal()?;
    object.extend(sealed.last_block.unwrap().compress(1)?.bytes);
    object.extend(sealed.footer_frame);
    let _created = opened.put_new(&sealed.id.key(&opened.lineage, false), object).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_at_any_moment_leaves_no_hole() -> Test {
    let set = ReplicaSet::single().await?;
    let writers = testkit::start_writers(&set.client(), 11).await?;
    let archive = Archive::new();
    let start = note(&set, "start").await?;
    for round in 0..8_u64 {
        let (mut running, _) = start_run(&set.uri(), &archive, &[]);
        // From the middle of starting to the middle of publishing.
        tokio::time::sleep(Duration::from_millis(150 + round * round * 60)).await;
        assert!(running.is_running(), "{}", running.log());
        running.kill9();
        let coverage = archive.coverage();
        assert!(coverage.problems.is_empty(), "{:?}", coverage.problems);
    }
    let (mut running, _) = start_run(&set.uri(), &archive, &[]);
    let end = note(&set, "end").await?;
    wait_archived(&archive, end).await?;
    // One attempt or another has published it; all went on with the same one.
    until("a snapshot", LIMIT, async || (!archive.manifests().is_empty()).then_some(())).await?;
    writers.stop().await?;
    let status = running.terminate(LIMIT).await?;
    assert_eq!(status.code(), Some(0), "{}", running.log());
    let coverage = archive.assert_unbroken();
    let window = coverage.windows[0];
    assert!(window.through >= end && window.from >= start, "{window}");
    let manifest = archive.manifests().pop().unwrap();
    assert!(coverage.covers(manifest.begin, window.through), "everything since the snapshot can be restored");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_publishes_the_open_slice() -> Test {
    let set = ReplicaSet::single().await?;
    let archive = Archive::new();
    let (mut running, _) = start_run(&set.uri(), &archive, &["--slice-span", "1h", "--slice-idle", "1h"]);
    running.wait_for_log("snapshot published", LIMIT).await?;
    let last = note(&set, "last").await?;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(archive.coverage().archived_through().is_none_or(|through| through < last));
    assert_eq!(running.terminate(LIMIT).await?.code(), Some(0), "{}", running.log());
    assert!(archive.assert_unbroken().archived_through().unwrap() >= last);
    assert!(!running.log().contains("panicked"), "{}", running.log());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_moves_the_window_on_and_is_ready() -> Test {
    let set = ReplicaSet::builder().set_parameter("periodicNoopIntervalSecs", "1").start().await?;
    let archive = Archive::new();
    let (mut running, listen) = start_run(&set.uri(), &archive, &[]);
    running.wait_for_log("snapshot published", LIMIT).await?;
    let start = note(&set, "last write").await?;
    wait_archived(&archive, ClusterTime::new(start.seconds + 3, 0)).await?;
    assert_eq!(get(&listen, "/livez").await?.0, 200);
    assert_eq!(get(&listen, "/readyz").await?, (200, "ok\n".to_owned()));
    let (_, metrics) = get(&listen, "/metrics").await?;
    for name in [
        "tidemark_last_snapshot_timestamp_seconds",
        "tidemark_archived_through_timestamp_seconds",
        "tidemark_archive_lag_seconds",
        "tidemark_oplog_headroom_seconds",
        "tidemark_gaps_total",
        "tidemark_slices_published_total",
        "tidemark_slice_bytes_total",
        "tidemark_publish_failures_total",
        "tidemark_snapshot_duration_seconds",
        "tidemark_build_info",
    ] {
        assert!(metrics.contains(&format!("# HELP {name} ")), "{name} is missing:\n{metrics}");
    }
    let status: serde_json::Value = serde_json::from_str(&get(&listen, "/status").await?.1)?;
    assert_eq!(status["ready"], true, "{status}");
    assert_eq!(status["last_snapshot"]["id"], archive.manifests()[0].snapshot.as_str());
    assert!(get(&listen, "/").await?.1.contains("archiving"));
    archive.assert_unbroken();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overwritten_oplog_is_a_recorded_gap_and_a_new_snapshot() -> Test {
    let set = ReplicaSet::single().await?;
    let archive = Archive::new();
    // Archived long before the oldest entry that the server has.
    pretend_archived(&set, &archive, ClusterTime::new(900, 1), ClusterTime::new(1000, 1), 1).await?;
    let (mut running, listen) = start_run(&set.uri(), &archive, &[]);
    running.wait_for_log("snapshot published", LIMIT).await?;
    let end = note(&set, "end").await?;
    wait_archived(&archive, end).await?;
    let gaps = archive.gaps();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!((gaps[0].after, &gaps[0].reason), (ClusterTime::new(1000, 1), &GapReason::OplogOverrun));
    let coverage = archive.coverage();
    assert_eq!(coverage.windows.len(), 2, "{:?}", coverage.windows);
    assert_eq!(coverage.windows[1].from, gaps[0].through, "the archive goes on right behind the gap");
    let manifest = archive.manifests().pop().unwrap();
    assert!(coverage.covers(manifest.begin, end));
    assert!(get(&listen, "/metrics").await?.1.contains("tidemark_gaps_total 1"));
    // A restart finds the history proven and records nothing more.
    assert_eq!(running.terminate(LIMIT).await?.code(), Some(0));
    let (mut running, _) = start_run(&set.uri(), &archive, &[]);
    let end = note(&set, "after the restart").await?;
    wait_archived(&archive, end).await?;
    assert_eq!(running.terminate(LIMIT).await?.code(), Some(0));
    assert_eq!(archive.gaps().len(), 1);
    assert_eq!(archive.manifests().len(), 1, "the snapshot behind the gap is enough");
    archive.assert_slices_are_sound();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_history_is_refused_and_nothing_is_written() -> Test {
    let set = ReplicaSet::single().await?;
    let at = note(&set, "somewhere").await?;
    note(&set, "later").await?;
    for (name, through, term) in [
        ("another term", at, 99),
        ("other content", at, 1),
        ("no such entry", ClusterTime::new(at.seconds, at.increment + 500), 1),
    ] {
        let later = note(&set, "spans it").await?;
        if later.seconds == through.seconds {
            tokio::time::sleep(Duration::from_millis(1100)).await;
            note(&set, "in the next second").await?;
        }
        let archive = Archive::new();
        pretend_archived(&set, &archive, ClusterTime::new(1, 1), through, term).await?;
        let before = archive.objects().len();
        let (mut running, _) = start_run(&set.uri(), &archive, &[]);
        let status = running.wait(LIMIT).await?;
        assert_eq!(status.code(), Some(5), "{name}: {}", running.log());
        assert!(running.log().contains("different histories"), "{name}: {}", running.log());
        let refused = sidecar(&["snapshot", "--uri", &set.uri(), "--archive", &archive.url()]).await;
        assert_eq!(refused.exit_code, 5, "{name}: {}", refused.stderr);
        let written: Vec<_> = archive.objects().into_iter().filter(|(key, _)| !key.is_mutable()).collect();
        assert!(written.len() <= before && archive.manifests().is_empty() && archive.gaps().is_empty(), "{written:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_election_does_not_break_the_archive() -> Test {
    let set = ReplicaSet::builder().members(3).start().await?;
    let archive = Archive::new();
    let writers = testkit::start_writers(&set.client(), 5).await?;
    let (mut running, _) = start_run(&set.uri(), &archive, &[]);
    running.wait_for_log("snapshot published", LIMIT).await?;
    let (_, chosen) = running
        .log()
        .split_once("event=\"archiving_started\" member=\"")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let chosen = chosen.split('"').next().unwrap().to_owned();
    let index = set.hosts().iter().position(|host| *host == chosen).unwrap();
    set.kill(index)?;
    set.step_down().await.ok();
    tokio::time::sleep(Duration::from_secs(3)).await;
    set.restart(index).await?;
    writers.stop().await?;
    let end = note(&set, "end").await?;
    wait_archived(&archive, end).await?;
    assert_eq!(running.terminate(LIMIT).await?.code(), Some(0), "{}", running.log());
    let coverage = archive.assert_unbroken();
    assert!(coverage.covers(archive.manifests()[0].begin, end));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn run_waits_for_a_server_that_is_away_and_says_so() -> Test {
    let set = ReplicaSet::single().await?;
    let archive = Archive::new();
    set.stop(0).await?;
    let (mut running, listen) = start_run(&set.uri(), &archive, &[]);
    running.wait_for_log("not started yet", LIMIT).await?;
    assert_eq!(get(&listen, "/livez").await?.0, 200, "a server that is away is no reason to restart the sidecar");
    let (code, reason) = get(&listen, "/readyz").await?;
    assert_eq!(code, 503);
    assert!(!reason.trim().is_empty());
    assert!(!get(&listen, "/metrics").await?.1.contains("archived_through"), "unknown instants are absent");
    set.restart(0).await?;
    running.wait_for_log("snapshot published", LIMIT).await?;
    set.stop(0).await?;
    running.wait_for_log("archiving interrupted", LIMIT).await?;
    set.restart(0).await?;
    let end = note(&set, "back").await?;
    wait_archived(&archive, end).await?;
    archive.assert_unbroken();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_stops_reading_and_nothing_is_lost_when_space_is_back() -> Test {
    let set = ReplicaSet::single().await?;
    let memory = MemoryStore::new();
    let faulty = FaultStore::new(Arc::new(memory.clone()));
    let store: Arc<dyn store::ObjectStore> = Arc::new(faulty.clone());
    let (source, archive) = site(&set, Arc::clone(&store), store).await?;
    let settings = archiver_settings();
    let (metrics, stop) = (Metrics::new()?, CancellationToken::new());
    let (window, task) = archiver::spawn(source, archive.clone(), settings, metrics.clone(), stop.clone());
    let start = window.clone().wait_started(&stop).await?;

    let full = Fault::fail_before(Operation::Finish, ErrorKind::NoSpace).on_key("/oplog/").lasting();
    faulty.add(full);
    fill(&set, "shop", "orders", 0, 3_000, 500).await?;
    let end = note(&set, "while full").await?;
    until("failures", LIMIT, async || (metrics.publish_failures.get() >= 2).then_some(())).await?;
    assert!(window.state().why_not_ready(Duration::from_millis(1)).is_some());
    assert!(memory.list_all(&ObjectKey::slices_prefix(&archive.lineage)).await?.is_empty());
    faulty.clear();
    window.clone().wait_archived(end, &stop).await?;
    assert!(archive.covers(start, end).await?);
    // The reply to a write that arrived is lost: the same name is the same content.
    faulty.add(Fault::fail_after(Operation::Finish, ErrorKind::Unreachable).on_key("/oplog/"));
    let later = note(&set, "lost reply").await?;
    window.clone().wait_archived(later, &stop).await?;
    assert!(archive.covers(start, later).await?);
    stop.cancel();
    task.await??;
    Ok(())
}

/// An upgrade from 5.0 as the oplog shows it; a moment behind it.
async fn change_version(set: &ReplicaSet) -> Result<ClusterTime> {
    for version in ["5.0", "6.0"] {
        set.client().database("admin").run_command(doc! { "setFeatureCompatibilityVersion": version }).await?;
    }
    note(set, "the version was changed").await
}

async fn assert_all_not_replayable(archive: &ArchiveStore, after: ClusterTime) -> Test {
    let gaps = archive.gaps().await?;
    assert!(!gaps.is_empty());
    assert!(gaps.iter().all(|gap| gap.reason == GapReason::NotReplayable && gap.after >= after), "{gaps:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_cannot_be_replayed_is_on_record_before_its_slice_is_there() -> Test {
    let set = ReplicaSet::single().await?;
    let faulty = FaultStore::new(Arc::new(MemoryStore::new()));
    let store: Arc<dyn store::ObjectStore> = Arc::new(faulty.clone());
    let (source, archive) = site(&set, Arc::clone(&store), store).await?;
    let settings = archiver_settings();
    let (metrics, stop) = (Metrics::new()?, CancellationToken::new());
    let outage = |folder| Fault::fail_before(Operation::Finish, ErrorKind::Unreachable).on_key(folder).lasting();
    let (window, task) =
        archiver::spawn(source.clone(), archive.clone(), settings.clone(), metrics.clone(), stop.clone());
    let start = window.clone().wait_started(&stop).await?;
    let before = note(&set, "before").await?;
    window.clone().wait_archived(before, &stop).await?;

    faulty.add(outage("/gaps/"));
    let after = change_version(&set).await?;
    until("a failure", LIMIT, async || (metrics.publish_failures.get() >= 1).then_some(())).await?;
    assert!(archive.stored_since(start).await?.archived_through() < Some(after), "the slice must not be there first");
    faulty.clear();
    faulty.add(outage("/oplog/"));
    until("a record", LIMIT, async || (!archive.gaps().await.unwrap().is_empty()).then_some(())).await?;
    assert!(archive.stored_since(start).await?.archived_through() < Some(after));
    assert_eq!(window.state().gaps, 0, "whoever looks for a new snapshot must find the break in the archive");
    // As if it was killed between the two.
    task.abort();
    faulty.clear();

    let (window, task) = archiver::spawn(source, archive.clone(), settings, metrics.clone(), stop.clone());
    window.clone().wait_archived(after, &stop).await?;
    let (state, coverage) = (window.state(), archive.coverage_since(start).await?);
    assert_all_not_replayable(&archive, before).await?;
    assert!(state.gaps >= 1 && coverage.windows.len() >= 2, "{state:?} {:?}", coverage.windows);
    let broken_at = state.broken_at.unwrap();
    assert!(!coverage.covers(before, broken_at) && coverage.covers(broken_at, after));
    assert!(archive.stored_since(start).await?.covers(start, after), "nothing is lost");
    stop.cancel();
    task.await??;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn slices_that_another_sidecar_has_stored_are_left_to_it_whatever_is_in_them() -> Test {
    let set = ReplicaSet::single().await?;
    let memory: Arc<dyn store::ObjectStore> = Arc::new(MemoryStore::new());
    let source = Source::new(&set.uri(), None);
    let stores = Stores { archive: Arc::clone(&memory), control: memory };
    let archive = ArchiveStore::open(stores, &source.lineage().await?, false).await?;
    let stop = CancellationToken::new();
    let start = |span, for_one_snapshot| {
        let cut = support::config("mongodb://x:1", "file:///x", &[("slice_span", span)]).cut;
        let settings = archiver::ArchiverSettings { cut, for_one_snapshot, ..archiver_settings() };
        let metrics = Metrics::new().unwrap();
        let (window, task) = archiver::spawn(source.clone(), archive.clone(), settings, metrics.clone(), stop.clone());
        (window, task, metrics)
    };
    let (mut continuous, first, _) = start("1s", false);
    let before = note(&set, "before").await?;
    continuous.wait_archived(before, &stop).await?;
    let (mut beside, second, metrics) = start("4s", true);
    beside.wait_started(&stop).await?;
    let after = change_version(&set).await?;
    continuous.wait_archived(after, &stop).await?;
    until("the end of the slice", LIMIT, async || (beside.state().archived_through >= Some(after)).then_some(()))
        .await?;
    assert_eq!(metrics.slices_published.get(), 0);
    assert!(beside.state().gaps >= 1, "it has recorded them, too: the other may be of an older release");
    assert_all_not_replayable(&archive, before).await?;
    stop.cancel();
    first.await??;
    second.await??;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_beside_run_leaves_the_oplog_to_it() -> Test {
    let set = ReplicaSet::single().await?;
    fill(&set, "shop", "orders", 0, 20_000, 300).await?;
    let archive = Archive::new();
    let (mut running, _) = start_run(&set.uri(), &archive, &[]);
    running.wait_for_log("snapshot published", LIMIT).await?;
    let writers = testkit::start_writers(&set.client(), 9).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let taken = sidecar(&["snapshot", "--uri", &set.uri(), "--archive", &archive.url(), "--slice-span", "1s"]).await;
    assert_eq!(taken.exit_code, 0, "{}", taken.stderr);
    writers.stop().await?;
    let end = note(&set, "end").await?;
    wait_archived(&archive, end).await?;
    assert_eq!(running.terminate(LIMIT).await?.code(), Some(0));
    archive.assert_unbroken();
    assert_eq!(archive.manifests().len(), 2);
    // Its last slice may come before the one that the other has still open.
    let by_run = running.log().matches("slice published").count();
    let by_snapshot = archive.slices().len() - by_run;
    assert!(by_snapshot <= 1, "{by_snapshot} slices beside {by_run}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_the_store_is_away_is_orderly_and_the_next_start_goes_on() -> Test {
    let set = ReplicaSet::single().await?;
    let archive = Archive::new();
    let (mut running, _) = start_run(&set.uri(), &archive, &["--shutdown-grace", "2s"]);
    running.wait_for_log("snapshot published", LIMIT).await?;
    fill(&set, "shop", "orders", 0, 10, 10).await?;
    let start = note(&set, "archived").await?;
    wait_archived(&archive, ClusterTime::new(start.seconds, 0)).await?;

    let away = archive.path().with_extension("away");
    std::fs::rename(archive.path(), &away)?;
    fill(&set, "shop", "orders", 10, 10, 10).await?;
    running.wait_for_log("slice not published", LIMIT).await?;
    let stopped = std::time::Instant::now();
    let status = running.terminate(LIMIT).await?;
    assert_eq!(status.code(), Some(0), "{}", running.log());
    assert!(stopped.elapsed() < Duration::from_secs(5), "{:?}", stopped.elapsed());
    std::fs::rename(&away, archive.path())?;
    let through = archive.coverage().archived_through().unwrap();
    let told = format!("stopped with writes not archived: those after {through} are only in the server's oplog");
    assert!(running.log().contains(&told), "{told}: {}", running.log());

    let (mut running, _) = start_run(&set.uri(), &archive, &[]);
    let end = note(&set, "end").await?;
    wait_archived(&archive, end).await?;
    assert_eq!(running.terminate(LIMIT).await?.code(), Some(0), "{}", running.log());
    assert!(running.log().contains("archiving stopped"), "{}", running.log());
    assert!(archive.assert_unbroken().covers(start, end));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_does_not_wait() -> Test {
    let set = ReplicaSet::single().await?;
    let archive = Archive::new();
    let (mut running, _) = start_run(&set.uri(), &archive, &["--shutdown-grace", "60s"]);
    running.wait_for_log("snapshot published", LIMIT).await?;
    let away = archive.path().with_extension("away");
    std::fs::rename(archive.path(), &away)?;
    fill(&set, "shop", "orders", 0, 10, 10).await?;
    running.wait_for_log("slice not published", LIMIT).await?;
    assert!(running.terminate(Duration::from_secs(2)).await.is_err(), "it drains for as long as it may");
    let status = running.terminate(Duration::from_secs(2)).await?;
    assert_eq!(status.code(), Some(130), "{}", running.log());
    std::fs::remove_dir_all(&away)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_before_anything_could_be_opened_is_orderly() -> Test {
    let set = ReplicaSet::single().await?;
    let archive = Archive::new();
    set.stop(0).await?;
    let (mut running, _) = start_run(&set.uri(), &archive, &[]);
    running.wait_for_log("not started yet", LIMIT).await?;
    assert_eq!(running.terminate(LIMIT).await?.code(), Some(0), "{}", running.log());
    assert!(running.log().contains("nothing was archived"), "{}", running.log());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn run_waits_for_a_user_that_is_refused_and_says_so_once() -> Test {
    let set = ReplicaSet::builder().auth(true).start().await?;
    let admin = set.client().database("admin");
    let role = |name: &str| doc! { "role": name, "db": "admin" };
    admin.run_command(doc! { "createUser": "u", "pwd": "p", "roles": [role("clusterMonitor")] }).await?;
    let archive = Archive::new();
    let (mut running, listen) = start_run(&set.uri_as("u", "p"), &archive, &[]);
    running.wait_for_log("the server refuses the user", LIMIT).await?;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(get(&listen, "/readyz").await?.1.contains("grant the user the roles backup"));
    assert!(running.is_running(), "{}", running.log());
    admin.run_command(doc! { "grantRolesToUser": "u", "roles": [role("backup")] }).await?;
    running.wait_for_log("snapshot published", LIMIT).await?;
    assert_eq!(running.log().matches("the server refuses the user").count(), 1, "{}", running.log());

    // Also while it archives: roles that are taken away are no end.
    let roles = [role("backup"), role("clusterMonitor")];
    admin.run_command(doc! { "revokeRolesFromUser": "u", "roles": &roles[..] }).await?;
    until("refused again", LIMIT, async || {
        (running.log().matches("the server refuses the user").count() == 2).then_some(())
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    admin.run_command(doc! { "grantRolesToUser": "u", "roles": &roles[..] }).await?;
    let end = note(&set, "granted again").await?;
    wait_archived(&archive, end).await?;
    assert_eq!(running.log().matches("the server refuses the user").count(), 2, "{}", running.log());
    assert_eq!(running.terminate(LIMIT).await?.code(), Some(0), "{}", running.log());
    archive.assert_unbroken();
    Ok(())
}
