//! Restore targets: edges to the entry, and moments that cannot be had.

use anyhow::{Context, Result, ensure};
use archive::ClusterTime;
use e2e::{Scenario, destination};
use mongodb::bson::doc;

/// Case 40.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_in_a_busy_second_includes_and_excludes_exactly_what_it_says() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.run("shop", doc! { "create": "orders" }).await?;
    scenario.begin_archiving().await?;
    let mut times = Vec::new();
    for id in 0..1_500 {
        times.push(scenario.insert("shop", "orders", [doc! { "_id": id }]).await?);
    }
    let last = scenario.archived_moment().await?;
    // All of a second is known only when something later is archived; the server's own no-ops do for that.
    scenario.wait_archived(ClusterTime::new(last.at.seconds + 1, 0)).await?;
    scenario.stop_archiving().await?;
    // A second with neighbours on both sides would do as well; the busiest one has most edges.
    let second = times[times.len() / 2].seconds;
    let inside: Vec<usize> = (0..times.len()).filter(|id| times[*id].seconds == second).collect();
    ensure!(inside.len() >= 3, "{} inserts in one second", inside.len());
    let middle = inside[inside.len() / 2];
    let last_inside = *inside.last().context("the last of the second")?;
    let count = |upto: usize| i32::try_from(upto).map(|upto| (0..upto).collect::<Vec<i32>>());

    let inclusive = scenario.restore(times[middle]).await?;
    ensure!(inclusive.ids("shop", "orders").await? == count(middle + 1)?, "{}", times[middle]);
    ensure!(inclusive.report["last_applied"] == times[middle].to_string(), "{}", inclusive.report);
    drop(inclusive);
    let exclusive = scenario.restore(format!("before:{}", times[middle])).await?;
    ensure!(exclusive.ids("shop", "orders").await? == count(middle)?, "before:{}", times[middle]);
    drop(exclusive);
    let whole = jiff::Timestamp::from_second(second.into())?.to_string();
    let second_of_it = scenario.restore(&whole).await?;
    ensure!(second_of_it.ids("shop", "orders").await? == count(last_inside + 1)?, "all of {whole}");
    drop(second_of_it);
    // Between two entries: everything up to there.
    let between = ClusterTime::new(second, u32::MAX);
    let plan = scenario.cli_ok(&["plan", "--to", &between.to_string()]).await?;
    ensure!(plan["target"]["resolved"] == between.to_string(), "{plan}");
    let newest = scenario.restore("latest").await?;
    newest.assert_state(&last.state)?;

    let set = destination().await?;
    let missing = ClusterTime::new(second, times[last_inside].increment + 1_000);
    let error = scenario.assert_refused(&set, format!("before:{missing}"), 3).await?;
    ensure!(error["what"].as_str().is_some_and(|what| what.contains(&missing.to_string())), "{error}");
    Ok(())
}

/// Case 37, but for gaps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moments_outside_the_window_are_refused_with_the_nearest_ones() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    let early = scenario.insert("shop", "orders", [doc! { "_id": 1 }]).await?;
    let set = destination().await?;
    let empty = scenario.cli(&["restore", "--to", "latest", "--destination", &set.uri(), "--yes"]).await?;
    ensure!(empty.exit_code != 0, "there is no archive yet: {empty:?}");
    scenario.begin_archiving().await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let snapshot = scenario.snapshots().await?[0].clone();

    let too_early = ClusterTime::new(early.seconds - 100, 0);
    let error = scenario.assert_refused(&set, too_early, 4).await?;
    ensure!(
        error.to_string().contains(snapshot["end"].as_str().context("end")?),
        "the nearest moment is named: {error}"
    );
    let too_late = ClusterTime::new(moment.at.seconds + 3_600, 0);
    let error = scenario.assert_refused(&set, too_late, 4).await?;
    let through = scenario.status().await?["archived_through"].clone();
    ensure!(error.to_string().contains(through.as_str().context("through")?), "the nearest moment is named: {error}");
    scenario.assert_refused(&set, "snapshot:20200101T000000Z-ffffffff", 3).await?;
    for malformed in ["yesterday", "12", "1:2:3", "before:latest", "2026-13-01T00:00:00Z", "-", "99999999999:1", ""] {
        let error = scenario.assert_refused(&set, malformed, 2).await?;
        ensure!(error["what"].as_str().is_some_and(|what| what.contains(malformed)), "{malformed}: {error}");
    }
    // Without a terminal and without `--yes` nothing is written.
    let at = moment.at.to_string();
    let asked = scenario.cli(&["restore", "--to", &at, "--destination", &set.uri()]).await?;
    ensure!(asked.exit_code == 2 && asked.json()?["error"].to_string().contains("--yes"), "{asked:?}");
    scenario.restore_into(set, moment.at).await?.assert_equals(&moment)
}

/// The destination is not empty, holds another restore, or is the source itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsafe_destinations_are_refused_and_left_alone() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", [doc! { "_id": 1 }]).await?;
    scenario.begin_archiving().await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;

    let set = destination().await?;
    set.client().database("precious").create_collection("data").await?;
    let error = scenario.assert_refused(&set, moment.at, 9).await?;
    ensure!(error.to_string().contains("precious.data"), "{error}");
    set.client().database("precious").drop().await?;
    let restored = scenario.restore_into(set, moment.at).await?;
    restored.assert_equals(&moment)?;
    // Once more into what is now full.
    let again = scenario.cli(&["restore", "--to", "latest", "--destination", &restored.set.uri(), "--yes"]).await?;
    ensure!(again.exit_code == 9, "{again:?}");
    let error = scenario.assert_refused(&scenario.source, moment.at, 9).await?;
    ensure!(error.to_string().contains("source") || error.to_string().contains("made from"), "{error}");
    Ok(())
}
