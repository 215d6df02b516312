//! History that is archived and cannot be replayed: it breaks the restore windows as soon as it is archived, and a
//! snapshot behind it opens the next one.

use anyhow::{Context, Result, ensure};
use archive::ClusterTime;
use archive::gap::Gap;
use archive::layout::ObjectKey;
use e2e::scenario::{cli, refused};
use e2e::{ArchiveFolder, Scenario, destination, faults};
use futures::TryStreamExt;
use mongodb::bson::{Document, doc};

/// Down to 5.0 and up to 6.0 again, as an upgrade does it; the times of the entries that say so.
async fn change_version(scenario: &Scenario) -> Result<Vec<ClusterTime>> {
    for version in ["5.0", "6.0"] {
        scenario.run("admin", doc! { "setFeatureCompatibilityVersion": version }).await?;
    }
    let oplog = scenario.client().database("local").collection::<Document>("oplog.rs");
    let found = oplog.find(doc! { "ns": "admin.system.version" }).await?;
    let entries: Vec<Document> = found.try_collect().await?;
    ensure!(entries.len() == 4, "each change writes when it begins and when it ends: {entries:?}");
    entries.iter().map(|entry| Ok(entry.get_timestamp("ts")?.into())).collect()
}

fn gaps(archive: &ArchiveFolder) -> Result<Vec<(String, Gap)>> {
    let keys = archive.keys(|key| matches!(key, ObjectKey::Gap { .. }))?;
    keys.into_iter().map(|key| Ok((key.clone(), Gap::from_json(&archive.read(&key)?)?))).collect()
}

fn times(value: &serde_json::Value, field: &str) -> Result<ClusterTime> {
    Ok(value[field].as_str().with_context(|| format!("no `{field}` in {value}"))?.parse()?)
}

/// Case 10, in the window instead of during the dump.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_feature_compatibility_version_splits_the_windows_and_a_new_snapshot_follows_by_itself() -> Result<()>
{
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", (0..10).map(|id| doc! { "_id": id })).await?;
    scenario.begin_archiving().await?;
    scenario.insert("shop", "orders", [doc! { "_id": 50, "before": true }]).await?;
    // Nothing is in the open slice any more, so that the next snapshot cannot come before the write between.
    let before = scenario.archived_moment().await?;

    let changes = change_version(&scenario).await?;
    let (first, last) = (changes[0], changes[3]);
    let between = scenario.insert("shop", "orders", [doc! { "_id": 60, "between": true }]).await?;
    scenario.insert("shop", "orders", [doc! { "_id": 61 }]).await?;
    let has_new_snapshot = async |scenario: &Scenario| {
        let snapshots = scenario.snapshots().await?;
        Ok(snapshots.iter().map(|snapshot| times(snapshot, "begin")).any(|begin| begin.is_ok_and(|at| at >= last)))
    };
    scenario.wait("a snapshot behind the change", has_new_snapshot).await?;
    scenario.insert("shop", "orders", [doc! { "_id": 100, "after": true }]).await?;
    let after = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;

    let status = scenario.status().await?;
    let windows = status["windows"].as_array().context("windows")?;
    let (first_window, last_window) = (&windows[0], windows.last().context("a window")?);
    ensure!(windows.len() >= 2 && times(first_window, "through")? == first.predecessor(), "{status}");
    ensure!(times(last_window, "from")? > last && times(last_window, "through")? >= after.at, "{status}");
    for gap in status["gaps"].as_array().context("gaps")? {
        ensure!(gap["reason"] == "not_replayable", "{status}");
        ensure!(gap["detail"].as_str().is_some_and(|why| why.contains("feature compatibility version")), "{status}");
    }
    let recorded = gaps(&scenario.archive)?;
    for change in changes {
        ensure!(recorded.iter().any(|(_, gap)| gap.after < change && change <= gap.through), "{change}: {recorded:?}");
    }

    let set = destination().await?;
    let error = scenario.assert_refused(&set, between, 4).await?;
    let (nearest_before, nearest_after) = (first.predecessor().to_string(), times(last_window, "from")?.to_string());
    for text in [&nearest_before, &nearest_after, "feature compatibility version"] {
        ensure!(error.to_string().contains(text), "`{text}` is not said: {error}");
    }
    let verified = scenario.cli(&["verify", "--level", "decode"]).await?;
    ensure!(verified.exit_code == 0, "{verified:?}");

    // As an older release archived it: without the record only a reader of the entries can tell.
    let copy = scenario.archive.duplicate()?;
    for (key, _) in recorded {
        copy.remove(&key)?;
    }
    let error = refused(&copy, &set, &between.to_string(), 4).await?;
    ensure!(error.to_string().contains(&first.to_string()), "{error}");
    let verified = cli(&copy, &["verify", "--level", "decode"]).await?;
    ensure!(verified.exit_code == 5 && verified.stdout.contains(&format!("changed at {first}")), "{verified:?}");

    let found = scenario.cli(&["find", "--since", &first.to_string(), "--namespace", "shop.orders"]).await?;
    ensure!(found.stdout.contains(&between.to_string()), "what cannot be replayed can be searched: {found:?}");
    scenario.restore_into(set, format!("before:{first}")).await?.assert_state(&before.state)?;
    scenario.assert_restores(&after).await?;
    Ok(())
}

async fn assert_begins_after(scenario: &Scenario, changes: &[ClusterTime]) -> Result<()> {
    let snapshots = scenario.snapshots().await?;
    let last = *changes.last().context("a change")?;
    ensure!(snapshots.len() == 1 && times(&snapshots[0], "begin")? >= last, "{last}: {snapshots:?}");
    let state = testkit::capture(&scenario.client(), None, testkit::Detail::Documents).await?;
    let id = snapshots[0]["id"].as_str().context("an id")?;
    scenario.restore(format!("snapshot:{id}")).await?.assert_state(&state)
}

/// Case 10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_in_whose_window_the_version_changes_is_given_up_for_one_that_begins_after_it() -> Result<()> {
    let scenario = Scenario::with_faults().await?;
    scenario.fill_for_two_batches("shop", "bulk").await?;
    let changes = scenario.snapshot_while("shop.bulk", async || change_version(&scenario).await).await?;
    assert_begins_after(&scenario, &changes).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_does_not_go_on_to_its_end_when_nothing_could_be_restored_from_it() -> Result<()> {
    let mut scenario = Scenario::with_faults().await?;
    scenario.fill_for_two_batches("shop", "bulk").await?;
    let held = faults::hold_get_more(&scenario.client(), "shop.bulk").await?;
    scenario.start_sidecar()?;
    let changes = held.during(async || change_version(&scenario).await).await?;
    scenario.wait_for_snapshots(1).await?;
    let log = scenario.stop_archiving().await?;
    ensure!(log.matches("snapshot begun").count() == 2 && log.matches("scanned; waiting").count() == 1, "{log}");
    assert_begins_after(&scenario, &changes).await
}
