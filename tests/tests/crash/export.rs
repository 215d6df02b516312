//! Exports that are killed, or whose disk is full: nothing that is half written has the name of an export.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use e2e::mongorestore::mongorestore;
use e2e::small_disk::SmallDisk;
use e2e::{Scenario, destination};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use testkit::processes::binary;
use testkit::{Detail, Sidecar, capture, load_shop};

const KILLS: u32 = 12;

async fn archived() -> Result<(Scenario, e2e::Moment)> {
    let mut scenario = Scenario::start().await?;
    load_shop(&scenario.client(), 10_000, 41).await?;
    scenario.begin_archiving().await?;
    load_shop(&scenario.client(), 500, 42).await.ok();
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    Ok((scenario, moment))
}

fn arguments<'a>(url: &'a str, out: &'a Path) -> Result<[&'a str; 7]> {
    let out = out.to_str().context("a path")?;
    Ok(["--archive", url, "export", "--to", "latest", "--out", out])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_export_has_no_name_and_the_next_one_takes_its_place() -> Result<()> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(crate::seed()?);
    let (scenario, moment) = archived().await?;
    let root = testkit::mongod::temp_folder("export")?;
    let (out, url) = (root.path().join("dump"), scenario.archive.url());
    // How long it takes undisturbed, so that the deaths spread over all of it.
    let undisturbed = Instant::now();
    let first = root.path().join("first");
    scenario.cli_ok(&["export", "--to", "latest", "--out", first.to_str().context("a path")?]).await?;
    std::fs::remove_dir_all(&first)?;
    let whole = undisturbed.elapsed();
    let (mut killed, mut attempts) = (0, 0);
    while killed < KILLS {
        attempts += 1;
        ensure!(attempts < 20 * KILLS, "only {killed} of {attempts} exports could be killed");
        let mut export = Sidecar::run_program(&binary("dr-cli")?, arguments(&url, &out)?, &[])?;
        tokio::time::sleep(whole.mul_f64(random.random_range(0.0..0.9))).await;
        let was_running = export.is_running();
        export.kill9();
        if was_running && !out.exists() {
            killed += 1;
            continue;
        }
        // It was quicker: then it is whole, and makes room for the next one.
        ensure!(out.join("oplog.bson").exists() && out.join("prelude.json").exists(), "{}", export.log());
        std::fs::remove_dir_all(&out)?;
    }
    scenario.cli_ok(&["export", "--to", "latest", "--out", out.to_str().context("a path")?]).await?;
    let left: Vec<_> = std::fs::read_dir(root.path())?.flatten().map(|entry| entry.file_name()).collect();
    ensure!(left == ["dump"], "{left:?}");
    let set = destination().await?;
    mongorestore(&set, &out).await?;
    let differences = moment.state.diff(&capture(&set.client(), None, Detail::Documents).await?);
    ensure!(differences.is_empty(), "{differences:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_to_a_full_disk_says_so_and_leaves_the_room_free() -> Result<()> {
    // Where nobody may mount, there is nothing to be full: said on standard error by `mount`.
    let Some(disk) = SmallDisk::mount(2)? else { return Ok(()) };
    let (scenario, _) = archived().await?;
    let out = disk.path().join("dump");
    let full = scenario.cli(&["export", "--to", "latest", "--out", out.to_str().context("a path")?]).await?;
    let error = full.json()?["error"].clone();
    ensure!(full.exit_code == 8 && error["cause"] == "the disk is full", "{full:?}");
    ensure!(std::fs::read_dir(disk.path())?.next().is_none(), "something is left");
    let mounted = scenario.cli(&["export", "--to", "latest", "--out", disk.path().to_str().context("a path")?]).await?;
    ensure!(mounted.exit_code == 2, "a disk cannot be renamed: {mounted:?}");
    Ok(())
}
