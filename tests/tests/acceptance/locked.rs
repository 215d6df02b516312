//! A bucket with Object Lock: what the store would refuse to delete is not planned, and a pin can make it refuse.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{ArchiveFolder, Scenario, ShiftedClock};
use mongodb::bson::doc;
use serde_json::Value;
use store::{ErrorKind, ObjectStoreExt as _};
use testkit::{S3Server, processes};

const BUCKET: &str = "locked";

struct Locked {
    server: S3Server,
    scenario: Scenario,
}

/// Two snapshots in a bucket with locks; `parameters` belong to the archive's URL.
async fn locked(parameters: &str) -> Result<Locked> {
    let server = S3Server::start().await?;
    server.create_locked_bucket(BUCKET).await?;
    let mut scenario = Scenario::start().await?;
    let url = format!("{}{parameters}", server.url(BUCKET, "rs0"));
    scenario.archive = ArchiveFolder::served(&server.bucket_folder(BUCKET).join("rs0"), url);
    scenario.insert("shop", "orders", (0..100).map(|n| doc! { "_id": n })).await?;
    scenario.begin_archiving().await?;
    // Ids of snapshots of one second have no order, and two of one moment are kept for each other.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    scenario.insert("shop", "orders", [doc! { "_id": 100 }]).await?;
    scenario.take_snapshot().await?;
    let moment = scenario.now().await?;
    scenario.wait_archived(moment).await?;
    scenario.stop_archiving().await?;
    Ok(Locked { server, scenario })
}

impl Locked {
    async fn expire(&self) -> Result<Value> {
        self.scenario.cli_ok(&["expire", "--keep-last", "1", "--apply", "--yes"]).await
    }

    async fn oldest(&self) -> Result<String> {
        let listed = self.scenario.snapshots().await?;
        Ok(listed[0]["id"].as_str().context("an id")?.to_owned())
    }

    /// What becomes of an attempt to destroy each object of a snapshot with all its versions.
    async fn purge(&self, snapshot: &str) -> Result<Vec<ErrorKind>> {
        let store = store::open(&self.server.url(BUCKET, "rs0"))?;
        let lock = store.lock().context("a store with locks")?;
        let mut refused = Vec::new();
        for object in store.list_all("").await?.into_iter().filter(|object| object.key.contains(snapshot)) {
            if let Err(error) = lock.purge(&object.key).await {
                refused.push(error.kind());
            }
        }
        Ok(refused)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_store_retains_is_kept_and_told() -> Result<()> {
    let locked = locked("&retention_days=1&retention_mode=governance").await?;
    let oldest = locked.oldest().await?;
    let done = locked.expire().await?;
    let kept = &done["snapshots"][0];
    ensure!(kept["decision"] == "keep" && kept["reasons"].to_string().contains("\"locked\""), "{done}");
    ensure!(done["expired"]["objects"] == 0, "{done}");
    locked.scenario.cli_ok(&["verify", "--level", "decode"]).await?;
    ensure!(!locked.purge(&oldest).await?.is_empty(), "the store let objects go that it retains");
    locked.scenario.cli_ok(&["verify", "--level", "decode"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_with_a_legal_hold_is_enforced_by_the_store_and_lifted_with_the_pin() -> Result<()> {
    let locked = locked("").await?;
    let oldest = locked.oldest().await?;
    let pinned = locked.scenario.cli_ok(&["pin", &oldest, "--id", "audit", "--legal-hold"]).await?;
    let held = pinned["held_objects"].as_u64().context("a number")?;
    ensure!(held >= 4, "{pinned}");
    ensure!(!locked.purge(&oldest).await?.is_empty(), "the store let objects go that it holds");
    locked.scenario.cli_ok(&["verify", "--level", "decode"]).await?;
    let done = locked.expire().await?;
    ensure!(done["expired"]["snapshots"] == 0, "{done}");
    let unpinned = locked.scenario.cli_ok(&["unpin", "audit"]).await?;
    ensure!(unpinned["held_objects"] == held, "{unpinned}");
    let done = locked.expire().await?;
    ensure!(done["expired"]["snapshots"] == 1, "{done}");
    locked.scenario.cli_ok(&["verify", "--level", "decode"]).await?;
    Ok(())
}

/// What looks old by a clock that is wrong may be young.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expiry_by_a_clock_that_is_wrong_is_refused() -> Result<()> {
    let locked = locked("").await?;
    let before = locked.scenario.archive.contents("")?;
    let clock = ShiftedClock::build()?;
    let url = locked.scenario.archive.url();
    let arguments = ["--archive", &url, "expire", "--keep-for", "1h", "--apply", "--yes", "--json"];
    for seconds in [-2 * 3600, 2 * 3600] {
        let shifted = clock.environment(seconds);
        let refused = processes::finish(&processes::binary("dr-cli")?, arguments, &shifted.each()).await?;
        ensure!(refused.exit_code == 9 && refused.stdout.contains("clock"), "{seconds}: {refused:?}");
    }
    ensure!(locked.scenario.archive.contents("")? == before, "a refused expiry changed something");
    Ok(())
}
