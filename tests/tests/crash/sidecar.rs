//! SIGKILL of the sidecar at random moments of listing, scanning, archiving and publishing. Case 31.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Bucket, Scenario};
use mongodb::bson::doc;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use testkit::{load_shop, start_writers, writers};

/// `TIDEMARK_KILLS` for a soak.
const KILLS: u32 = 25;

fn kills() -> Result<u32> {
    Ok(std::env::var("TIDEMARK_KILLS").ok().map(|text| text.parse()).transpose()?.unwrap_or(KILLS))
}

/// Whatever is there is sound: every listed snapshot is complete, no slice is damaged, the windows have no hole.
async fn assert_sound(scenario: &Scenario) -> Result<()> {
    // The first sidecar proves the store before it begins an archive, and may die before it has.
    if !scenario.archive.files()?.contains(&"archive.json".to_owned()) {
        ensure!(scenario.archive.manifests()?.is_empty());
        return Ok(());
    }
    let listed = scenario.snapshots().await?.len();
    let manifests = scenario.archive.manifests()?.len();
    ensure!(listed == manifests, "{listed} snapshots are listed, {manifests} are published");
    if scenario.archive.slices()?.is_empty() {
        return Ok(());
    }
    // Before the first snapshot everything is sound, and still nothing can be restored.
    let (verify_code, status_code) = if manifests == 0 { (4, 10) } else { (0, 0) };
    let verified = scenario.cli(&["verify", "--level", "hash"]).await?;
    ensure!(verified.exit_code == verify_code, "{verified:?}");
    let shown = scenario.cli(&["status"]).await?;
    ensure!(shown.exit_code == status_code, "{shown:?}");
    let status = shown.json()?["lineages"][0].take();
    ensure!(status["gaps"].as_array().is_some_and(Vec::is_empty), "{status}");
    ensure!(status["windows"].as_array().is_some_and(|windows| windows.len() <= 1), "{status}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_killed_at_any_moment_leaves_a_sound_archive_and_goes_on() -> Result<()> {
    killed_at_any_moment(Scenario::start().await?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_killed_at_any_moment_leaves_a_sound_archive_in_a_bucket() -> Result<()> {
    let bucket = Bucket::start().await?;
    let mut scenario = Scenario::start().await?;
    scenario.archive = bucket.archive("");
    killed_at_any_moment(scenario).await
}

async fn killed_at_any_moment(mut scenario: Scenario) -> Result<()> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(crate::seed()?);
    load_shop(&scenario.client(), 8_000, 31).await?;
    scenario.run("shop", doc! { "create": "last", "collation": { "locale": "en" } }).await?;
    let running = start_writers(&scenario.client(), 31).await?;
    let kills = kills()?;
    for kill in 0..kills {
        scenario.start_sidecar()?;
        let life = random.random_range(20..1_500);
        tokio::time::sleep(Duration::from_millis(life)).await;
        let log = scenario.kill_sidecar()?;
        if kill % 5 == 4 {
            assert_sound(&scenario).await.map_err(|error| error.context(format!("killed after {life} ms:\n{log}")))?;
        }
    }
    // The scheduler takes a snapshot at once only when there is none.
    scenario.begin_archiving().await?;
    scenario.take_snapshot().await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    running.stop().await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    assert_sound(&scenario).await?;
    let restored = scenario.assert_restores(&moment).await?;
    let live = writers::check(&restored.client()).await?;
    ensure!(live.broken.is_empty(), "{:?}", live.broken);
    Ok(())
}

/// Killed in its last moments, `sidecar snapshot` leaves nothing that counts, and the next one reuses what was finished.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_snapshot_is_not_listed_and_the_next_one_completes() -> Result<()> {
    let seed = crate::seed()?;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut scenario = Scenario::start().await?;
    load_shop(&scenario.client(), 20_000, 32).await?;
    scenario.begin_archiving().await?;
    let listed = scenario.snapshots().await?.len();
    let mut unfinished = 0;
    for _ in 0..8 {
        let before = scenario.archive.manifests()?;
        let mut snapshot = testkit::Sidecar::run(scenario.sidecar_arguments("snapshot"))?;
        tokio::time::sleep(Duration::from_millis(random.random_range(30..900))).await;
        snapshot.kill9();
        let published = scenario.archive.manifests()?.len() - before.len();
        unfinished += 1 - published;
        assert_sound(&scenario).await?;
        ensure!(scenario.snapshots().await?.len() == before.len() + published);
    }
    println!("{unfinished} of 8 snapshots were killed before they were published");
    scenario.take_snapshot().await?;
    ensure!(scenario.snapshots().await?.len() > listed);
    let moment = scenario.moment().await?;
    scenario.assert_restores(&moment).await?;
    Ok(())
}
