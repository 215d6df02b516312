//! Snapshots and archives taken under load are states of one moment.

use anyhow::{Context, Result, ensure};
use archive::ClusterTime;
use e2e::Scenario;
use mongodb::bson::{Timestamp, doc};
use testkit::writers;
use testkit::{Detail, capture, start_writers};
use tokio::time::{Duration, sleep};

/// Of the writers' collections, the one that a server cannot show as it was.
const CAPPED: &str = "live.ring";

/// Case 1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_under_load_holds_every_write_before_it_and_none_after_it() -> Result<()> {
    let scenario = Scenario::start().await?;
    let running = start_writers(&scenario.client(), 1).await?;
    sleep(Duration::from_millis(500)).await;
    let before = running.acknowledged();
    let id = scenario.take_snapshot().await?;
    let after = running.acknowledged();
    running.stop().await?;

    let listed = scenario.snapshots().await?;
    let end: ClusterTime = listed[0]["end"].as_str().context("end")?.parse()?;
    let at = Timestamp { time: end.seconds, increment: end.increment };
    let mut expected = capture(&scenario.client(), Some(at), Detail::Documents).await?;
    expected.collections.remove(CAPPED);

    let mut restored = scenario.restore(format!("snapshot:{id}")).await?;
    let live = writers::check(&restored.client()).await?;
    ensure!(live.broken.is_empty(), "{:?}", live.broken);
    for ((before, found), after) in before.iter().zip(&live.ledger).zip(&after) {
        // One entry of each writer may have been written and not yet acknowledged.
        ensure!(before <= found && *found <= after + 1, "{before} <= {found} <= {after} + 1");
    }
    restored.state.collections.remove(CAPPED);
    restored.assert_state(&expected)
}

/// Case 3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_second_between_several_snapshots_is_restored_as_it_was() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    let running = start_writers(&scenario.client(), 3).await?;
    scenario.begin_archiving().await?;
    sleep(Duration::from_millis(1_500)).await;
    scenario.take_snapshot().await?;
    sleep(Duration::from_millis(2_500)).await;
    let last = scenario.take_snapshot().await?;
    running.stop().await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;

    let listed = scenario.snapshots().await?;
    let last = listed.iter().find(|snapshot| snapshot["id"] == last.as_str()).context("the last snapshot")?;
    let end: ClusterTime = last["end"].as_str().context("end")?.parse()?;
    // Before the last snapshot: from the one before it and the oplog, under load.
    let second = end.seconds - 1;
    let at = Timestamp { time: second, increment: u32::MAX };
    let mut expected = capture(&scenario.client(), Some(at), Detail::Documents).await?;
    let mut restored = scenario.restore(format!("{second}:{}", u32::MAX)).await?;
    ensure!(restored.report["snapshot_id"] != last["id"], "an older snapshot serves");
    ensure!(writers::check(&restored.client()).await?.broken.is_empty(), "{:?}", restored.report);
    expected.collections.remove(CAPPED);
    restored.state.collections.remove(CAPPED);
    restored.assert_state(&expected)?;

    scenario.assert_restores(&moment).await?;
    Ok(())
}

/// Cases 4 and 5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_snapshot_and_more_oplog_give_the_same_as_a_newer_snapshot() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.begin_archiving().await?;
    let running = start_writers(&scenario.client(), 4).await?;
    sleep(Duration::from_millis(700)).await;
    let newer = scenario.take_snapshot().await?;
    sleep(Duration::from_millis(700)).await;
    running.stop().await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;

    let from_newer = scenario.assert_restores(&moment).await?;
    ensure!(from_newer.report["snapshot_id"] == newer.as_str(), "{}", from_newer.report);
    drop(from_newer);
    let manifests = scenario.archive.manifests()?;
    let manifest = manifests.iter().find(|key| key.contains(&newer)).context("the newer manifest")?;
    scenario.archive.remove(manifest)?;
    let from_older = scenario.assert_restores(&moment).await?;
    ensure!(from_older.report["snapshot_id"] != newer.as_str(), "{}", from_older.report);
    Ok(())
}

/// Case 30.
#[tokio::test]
async fn the_restore_window_advances_although_nobody_writes() -> Result<()> {
    let set = testkit::ReplicaSet::builder().set_parameter("periodicNoopIntervalSecs", "1").start().await?;
    let mut scenario = Scenario::of(set)?;
    let inserted = scenario.insert("shop", "orders", [doc! { "_id": 1 }]).await?;
    scenario.begin_archiving().await?;
    scenario.wait_archived(ClusterTime::new(inserted.seconds + 4, 0)).await?;
    let status = scenario.status().await?;
    let through: ClusterTime = status["archived_through"].as_str().context("archived_through")?.parse()?;
    ensure!(through.seconds >= inserted.seconds + 4, "{status}");
    let target = format!("{}:0", through.seconds);
    let restored = scenario.restore(&target).await?;
    ensure!(restored.report["target"]["resolved"] == target, "{}", restored.report);
    ensure!(restored.ids("shop", "orders").await? == [1]);
    Ok(())
}

/// Case 43. Two sidecars of one source, one of them paused for a while, so that their slices overlap with other cuts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_slices_and_snapshots_of_two_sidecars_are_one_history() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.begin_archiving().await?;
    let running = start_writers(&scenario.client(), 43).await?;
    sleep(Duration::from_millis(300)).await;
    scenario.sidecar()?.pause()?;
    let mut arguments = scenario.run_arguments();
    arguments.extend(["--slice-bytes".to_owned(), "64KiB".to_owned()]);
    let mut second = testkit::Sidecar::run(arguments)?;
    let slices = scenario.archive.slices()?.len();
    let limit = tokio::time::Instant::now() + Duration::from_secs(30);
    while scenario.archive.slices()?.len() < slices + 2 {
        ensure!(second.is_running() && tokio::time::Instant::now() < limit, "{}", second.log());
        sleep(Duration::from_millis(50)).await;
    }
    scenario.sidecar()?.resume()?;
    let (one, two) = tokio::join!(
        testkit::processes::sidecar(scenario.sidecar_arguments("snapshot")),
        testkit::processes::sidecar(scenario.sidecar_arguments("snapshot"))
    );
    let codes = [one?.exit_code, two?.exit_code];
    ensure!(codes.contains(&0) && codes.iter().all(|code| matches!(code, 0 | 7)), "{codes:?}");
    sleep(Duration::from_millis(1_200)).await;
    running.stop().await?;
    let moment = scenario.archived_moment().await?;
    ensure!(second.terminate(Duration::from_secs(30)).await?.code() == Some(0), "{}", second.log());
    scenario.stop_archiving().await?;

    let status = scenario.status().await?;
    ensure!(status["gaps"].as_array().is_some_and(Vec::is_empty), "{status}");
    ensure!(status["windows"].as_array().is_some_and(|windows| windows.len() == 1), "{status}");
    scenario.cli_ok(&["verify", "--level", "decode"]).await?;
    scenario.assert_restores(&moment).await?;
    Ok(())
}
