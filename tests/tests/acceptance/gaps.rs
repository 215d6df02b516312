//! History that is lost is a fact in the archive, shown to everybody and never restored over.

use anyhow::{Context, Result, ensure};
use archive::ClusterTime;
use e2e::{Scenario, destination, oldest_entry};
use mongodb::bson::doc;
use testkit::ReplicaSet;

/// Cases 23 and 37.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oplog_that_rolled_over_while_nobody_archived_leaves_a_gap_that_everybody_sees() -> Result<()> {
    let source = ReplicaSet::builder().oplog_mb(16).argument("--syncdelay").argument("1");
    let mut scenario = Scenario::of(source.set_parameter("ttlMonitorEnabled", "false").start().await?)?;
    scenario.insert("shop", "orders", (0..10).map(|id| doc! { "_id": id })).await?;
    scenario.begin_archiving().await?;
    let before = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let archived = scenario.archive.archived_through()?;

    let lost = scenario.insert("shop", "orders", [doc! { "_id": 50, "in the gap": true }]).await?;
    let fill = "x".repeat(1 << 20);
    for id in 0..1_000 {
        scenario.insert("shop", "bulk", [doc! { "_id": id % 10 + 10 * id, "fill": &fill }]).await?;
        if id > 30 && oldest_entry(&scenario.client()).await? > lost {
            break;
        }
    }
    ensure!(oldest_entry(&scenario.client()).await? > lost, "the oplog did not roll over");
    scenario.run("shop", doc! { "drop": "bulk" }).await?;
    scenario.start_sidecar()?;
    scenario.wait_for_snapshots(2).await?;
    scenario.insert("shop", "orders", [doc! { "_id": 100 }]).await?;
    let after = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;

    let status = scenario.status().await?;
    let gaps = status["gaps"].as_array().context("gaps")?;
    ensure!(gaps.len() == 1 && gaps[0]["after"] == archived.to_string(), "{status}");
    ensure!(gaps[0]["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{status}");
    ensure!(status["windows"].as_array().is_some_and(|windows| windows.len() == 2), "{status}");
    let gap_ends: ClusterTime = gaps[0]["through"].as_str().context("through")?.parse()?;

    // What was written there is not found, and not said not to have happened.
    let at = lost.to_string();
    let within = ["find", "--namespace", "shop.orders", "--since", &at, "--until", &at];
    let found = scenario.cli(&within).await?;
    let object = found.json()?;
    let gap = &object["scanned"]["gaps"][0];
    ensure!(found.exit_code == 10 && object["matches"] == serde_json::json!([]), "{found:?}");
    ensure!(gap["through"] == at.as_str() && gap["reason"] == gaps[0]["reason"], "{found:?}");
    let found = scenario.cli(&["find", "--namespace", "shop.orders", "--op", "insert"]).await?;
    ensure!(found.exit_code == 10 && found.json()?["scanned"]["gaps"] == status["gaps"], "{found:?}");

    let set = destination().await?;
    let error = scenario.assert_refused(&set, lost, 4).await?;
    let snapshots = scenario.snapshots().await?;
    let second_end = snapshots.iter().filter_map(|snapshot| snapshot["end"].as_str()).max().context("the second")?;
    for nearest in [archived.to_string(), second_end.to_owned()] {
        ensure!(error.to_string().contains(&nearest), "the nearest moment {nearest} is not named: {error}");
    }
    // Archived, but behind the gap and before the new snapshot.
    let second_end: ClusterTime = second_end.parse()?;
    if gap_ends < second_end.predecessor() {
        scenario.assert_refused(&set, second_end.predecessor(), 4).await?;
    }
    scenario.restore_into(set, before.at).await?.assert_equals(&before)?;
    scenario.assert_restores(&after).await?;
    Ok(())
}

/// A set that archives again in time has no gap: the same oplog, restarted sidecars, nothing lost and nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_that_starts_again_in_time_goes_on_without_a_gap() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.begin_archiving().await?;
    for round in 0..3 {
        scenario.insert("shop", "orders", (0..50).map(|id| doc! { "_id": round * 100 + id })).await?;
        scenario.stop_archiving().await?;
        scenario.insert("shop", "orders", (50..99).map(|id| doc! { "_id": round * 100 + id })).await?;
        scenario.start_sidecar()?;
        let archiving = "event=\"archiving_started\"";
        scenario.sidecar()?.wait_for_log(archiving, std::time::Duration::from_secs(20)).await?;
    }
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let status = scenario.status().await?;
    ensure!(status["gaps"].as_array().is_some_and(Vec::is_empty), "{status}");
    ensure!(status["windows"].as_array().is_some_and(|windows| windows.len() == 1), "{status}");
    ensure!(scenario.archive.manifests()?.len() == 1, "a restart needs no new snapshot");
    scenario.assert_restores(&moment).await?;
    Ok(())
}

/// Elections: the archive follows the history that the majority kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_goes_on_through_elections_and_deaths() -> Result<()> {
    let source = ReplicaSet::builder().members(3).set_parameter("ttlMonitorEnabled", "false").start().await?;
    let mut scenario = Scenario::of(source)?;
    let running = testkit::start_writers(&scenario.client(), 23).await?;
    scenario.begin_archiving().await?;
    scenario.source.step_down().await?;
    scenario.take_snapshot().await?;
    let primary = scenario.source.primary().await?;
    scenario.source.kill(primary)?;
    scenario.source.primary().await?;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let counts = running.stop().await?;
    let moment = scenario.archived_moment().await?;
    scenario.source.restart(primary).await?;
    scenario.insert("shop", "orders", [doc! { "_id": 1 }]).await?;
    let last = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let restored = scenario.assert_restores(&moment).await?;
    let live = testkit::writers::check(&restored.client()).await?;
    ensure!(live.broken.is_empty(), "{:?}", live.broken);
    ensure!(
        live.ledger.iter().zip(&counts.acknowledged).all(|(found, written)| found >= written),
        "{live:?} {counts:?}"
    );
    drop(restored);
    scenario.assert_restores(&last).await?;
    Ok(())
}
