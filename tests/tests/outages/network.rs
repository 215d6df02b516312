//! Connections that are reset, cut, lost, delayed or refused at random, for as long as everything lasts.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::{Bucket, Scenario};
use mongodb::bson::doc;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use testkit::proxy::Fault;
use testkit::{load_shop, start_writers, writers};

const INTERNAL: &str = "<Error><Code>InternalError</Code><Message>We encountered an internal error</Message></Error>";

fn internal_error() -> Fault {
    Fault::status("500 Internal Server Error", "", INTERNAL)
}

/// About one request in five fails in one way or another.
fn anything(random: &mut Xoshiro256PlusPlus) -> Fault {
    match random.random_range(0..400) {
        0..20 => Fault::Reset,
        20..32 => Fault::LoseAnswer,
        32..44 => internal_error(),
        44..56 => Fault::slow_down(),
        56..72 => Fault::CutAnswer(random.random_range(1..5_000)),
        72..80 => Fault::Delay(Duration::from_millis(random.random_range(10..300))),
        // Waited for until the limit of one answer.
        80 => Fault::Hang,
        _ => Fault::Pass,
    }
}

/// Cases 1 to 4 and 32: snapshot, archive, verification, export and restore through such a network.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_behind_a_network_that_fails_all_the_time_is_whole() -> Result<()> {
    let bucket = Bucket::start().await?;
    let mut scenario = Scenario::start().await?;
    scenario.archive = bucket.archive("");
    load_shop(&scenario.client(), 4_000, 61).await?;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(crate::seed()?);
    bucket.proxy.plan(move |_| anything(&mut random));
    scenario.begin_archiving().await?;
    let running = start_writers(&scenario.client(), 61).await?;
    scenario.take_snapshot().await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    running.stop().await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let through_it = bucket.proxy.connections();

    ensure!(scenario.status().await?["gaps"].as_array().is_some_and(Vec::is_empty));
    scenario.cli_ok(&["verify", "--level", "decode"]).await?;
    let restored = scenario.restore(moment.at).await?;
    restored.assert_equals(&moment)?;
    let live = writers::check(&restored.client()).await?;
    ensure!(live.broken.is_empty(), "{:?}", live.broken);
    println!("{through_it} requests to archive, {} in all", bucket.proxy.connections());
    ensure!(through_it > 100, "only {through_it} requests");
    Ok(())
}

/// Case 1: longer than the store's own patience, so that every layer gives up and starts again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_busy_for_long_loses_nothing_and_a_stop_meanwhile_is_bounded() -> Result<()> {
    let bucket = Bucket::start().await?;
    let mut scenario = Scenario::start().await?;
    scenario.archive = bucket.archive("&deadline=2");
    scenario.flags = ["--shutdown-grace", "3s"].map(str::to_owned).to_vec();
    scenario.insert("shop", "orders", [doc! { "_id": 0 }]).await?;
    scenario.begin_archiving().await?;
    bucket.proxy.plan(|number| if number % 2 == 0 { Fault::slow_down() } else { internal_error() });
    for id in 1..=8 {
        scenario.insert("shop", "orders", [doc! { "_id": id }]).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    scenario.sidecar()?.wait_for_log("slice not published", Duration::from_secs(20)).await?;
    ensure!(scenario.sidecar()?.is_running(), "{}", scenario.sidecar_log());
    bucket.proxy.plan(|_| Fault::Pass);
    let moment = scenario.archived_moment().await?;
    scenario.assert_restores(&moment).await?;

    bucket.proxy.plan(|_| Fault::slow_down());
    scenario.insert("shop", "orders", [doc! { "_id": 99 }]).await?;
    let stopping = Instant::now();
    let log = scenario.stop_archiving().await?;
    ensure!(stopping.elapsed() < Duration::from_secs(20), "{:?}: {log}", stopping.elapsed());
    bucket.proxy.plan(|_| Fault::Pass);
    scenario.start_sidecar()?;
    let last = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    ensure!(scenario.status().await?["gaps"].as_array().is_some_and(Vec::is_empty));
    scenario.assert_restores(&last).await?;
    Ok(())
}

/// A snapshot that cannot be stored is not there, whatever else was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_whose_store_goes_away_in_the_middle_never_counts() -> Result<()> {
    let bucket = Bucket::start().await?;
    let mut scenario = Scenario::start().await?;
    scenario.archive = bucket.archive("&deadline=1");
    load_shop(&scenario.client(), 2_000, 62).await?;
    scenario.begin_archiving().await?;
    let listed = scenario.snapshots().await?.len();
    // Requests of one snapshot, undisturbed.
    bucket.proxy.plan(|_| Fault::Pass);
    scenario.take_snapshot().await?;
    let requests = bucket.proxy.connections();
    let mut published = 1;
    for part in 1..=4 {
        let from = requests * part / 5;
        let before = scenario.archive.manifests()?.len();
        bucket.proxy.plan(move |number| if number < from { Fault::Pass } else { Fault::slow_down() });
        let failed = tokio::time::timeout(
            Duration::from_secs(20),
            testkit::processes::sidecar(scenario.sidecar_arguments("snapshot")),
        );
        // It fails, or goes on trying; it never says that it is done.
        if let Ok(failed) = failed.await {
            let failed = failed?;
            ensure!(failed.exit_code == 8, "after {from} of {requests} requests: {failed:?}");
        }
        bucket.proxy.plan(|_| Fault::Pass);
        ensure!(scenario.archive.manifests()?.len() == before, "after {from} of {requests} requests");
        ensure!(scenario.snapshots().await?.len() == listed + published);
    }
    scenario.take_snapshot().await?;
    published += 1;
    ensure!(scenario.snapshots().await?.len() == listed + published);
    let moment = scenario.moment().await?;
    scenario.assert_restores(&moment).await?;
    scenario.cli_ok(&["verify", "--level", "decode"]).await?;
    Ok(())
}
