//! A full disk under the archive: what is there stays readable, and nothing is lost once there is room again.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::small_disk::SmallDisk;
use e2e::{ArchiveFolder, Scenario};
use mongodb::bson::doc;
use testkit::weird;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_on_a_full_disk_stays_readable_and_goes_on_when_there_is_room() -> Result<()> {
    // Where nobody may mount, there is nothing to be full: said on standard error by `mount`.
    let Some(disk) = SmallDisk::mount(4)? else { return Ok(()) };
    let mut scenario = Scenario::start().await?;
    scenario.archive = ArchiveFolder::at(&disk.path().join("archive"));
    scenario.insert("shop", "orders", (0..100).map(|id| doc! { "_id": id })).await?;
    scenario.begin_archiving().await?;
    let before = scenario.archived_moment().await?;

    // More than fits, and hard to compress.
    let mut seed = 1_u64;
    let mut noise = || {
        let byte = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed.to_le_bytes()[0]
        };
        let bytes = std::iter::repeat_with(byte).take(256 << 10).collect();
        mongodb::bson::Binary { subtype: mongodb::bson::spec::BinarySubtype::Generic, bytes }
    };
    for id in 0..40 {
        scenario.insert("shop", "noise", [doc! { "_id": id, "noise": noise() }]).await?;
    }
    let after = scenario.moment().await?;
    scenario.sidecar()?.wait_for_log("no space", Duration::from_secs(20)).await?;
    let snapshot = testkit::processes::sidecar(scenario.sidecar_arguments("snapshot"));
    let snapshot = tokio::time::timeout(Duration::from_secs(30), snapshot).await;
    // It fails, or waits for room; it never says that it is done.
    if let Ok(snapshot) = snapshot {
        let snapshot = snapshot?;
        ensure!(snapshot.exit_code == 8, "{snapshot:?}");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    ensure!(scenario.sidecar()?.is_running(), "{}", scenario.sidecar_log());
    ensure!(scenario.archive.archived_through()? < after.at, "the disk is not full");
    scenario.cli_ok(&["verify", "--level", "decode"]).await?;
    scenario.restore(before.at).await?.assert_equals(&before)?;

    disk.resize(64)?;
    scenario.assert_restores(&after).await?;
    scenario.take_snapshot().await?;
    weird::load(&scenario.client()).await?;
    let last = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let status = scenario.status().await?;
    ensure!(status["gaps"].as_array().is_some_and(Vec::is_empty), "{status}");
    scenario.cli_ok(&["verify", "--level", "decode"]).await?;
    scenario.assert_restores(&last).await?;
    Ok(())
}
