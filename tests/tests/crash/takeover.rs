//! A restore that stood still while the same command was run again: it notices before it writes.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::faults::{self, HeldWrite};
use e2e::scenario::restore_arguments;
use e2e::{Moment, Scenario, server};
use mongodb::bson::{Document, doc};
use testkit::processes::binary;
use testkit::{Detail, Sidecar, capture};

/// Writers of a restore.
const CONNECTIONS: usize = 4;
/// A restore asks whether it still owns the destination when it was not sure of that for a second.
const NOTICED: Duration = Duration::from_millis(1_200);

/// Stops a restore in which every writer has a batch under way in `namespace`, lets those batches end, runs the same
/// command to its end, and wakes the first.
async fn assert_taken_over(scenario: &Scenario, moment: &Moment, write: HeldWrite, namespace: &str) -> Result<()> {
    let set = server().set_parameter("enableTestCommands", "1").start().await?;
    let primary = set.member_client(0).await?;
    let held = faults::hold_writes(&primary, write, namespace).await?;
    let (at, uri, url) = (moment.at.to_string(), set.uri(), scenario.archive.url());
    let arguments: Vec<&str> = ["--archive", &url].into_iter().chain(restore_arguments(&at, &uri)).collect();
    let mut first = Sidecar::run_program(&binary("dr-cli")?, &arguments, &[])?;
    held.wait_for(CONNECTIONS).await?;
    first.pause()?;
    let paused = Instant::now();
    held.release().await?;
    let progress = primary.database("config").collection::<Document>("tidemark_restore");
    let unfinished = doc! { "_id": "restore", "value.complete": false };
    ensure!(progress.count_documents(unfinished).await? == 1, "the first was stopped before its end");

    scenario.cli_ok(&restore_arguments(&at, &uri)).await?;
    let taken_over = capture(&set.client(), None, Detail::Documents).await?;
    ensure!(moment.state.diff(&taken_over).is_empty(), "{:#?}", moment.state.diff(&taken_over));

    // Who was stopped for less than a second does not ask.
    tokio::time::sleep(NOTICED.saturating_sub(paused.elapsed())).await;
    first.resume()?;
    let status = first.wait(Duration::from_secs(30)).await?;
    let state = capture(&set.client(), None, Detail::Documents).await?;
    let harm = moment.state.diff(&state);
    ensure!(harm.is_empty(), "the first, which ended with {status}, did harm:\n{}", harm.join("\n"));
    ensure!(status.code() == Some(7), "{status}: {}", first.log());
    ensure!(first.log().contains("another restore took over"), "{}", first.log());
    Ok(())
}

/// The documents that the first has not loaded yet are deleted in the window: nobody would delete them again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_was_stopped_while_it_loaded_and_taken_over_loads_nothing_more() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", (0..500).map(|id| doc! { "_id": id, "n": 0 })).await?;
    scenario.fill_for_two_batches("shop", "bulk").await?;
    scenario.begin_archiving().await?;
    let all = doc! { "q": {}, "limit": 0 };
    scenario.run("shop", doc! { "delete": "bulk", "deletes": [all] }).await?;
    let bump = doc! { "q": {}, "u": { "$inc": { "n": 1 } }, "multi": true };
    scenario.run("shop", doc! { "update": "orders", "updates": [bump] }).await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    assert_taken_over(&scenario, &moment, HeldWrite::Insert, "shop.bulk").await
}

/// The updates that the first has not replayed yet are of documents that the window changes again and deletes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_was_stopped_while_it_replayed_and_taken_over_replays_nothing_more() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", (0..5_000).map(|id| doc! { "_id": id, "n": 0 })).await?;
    scenario.begin_archiving().await?;
    for _ in 0..4 {
        let bump = doc! { "q": {}, "u": { "$inc": { "n": 1 } }, "multi": true };
        scenario.run("shop", doc! { "update": "orders", "updates": [bump] }).await?;
    }
    let odd = doc! { "q": { "_id": { "$mod": [2, 1] } }, "limit": 0 };
    scenario.run("shop", doc! { "delete": "orders", "deletes": [odd] }).await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    assert_taken_over(&scenario, &moment, HeldWrite::Update, "shop.orders").await
}
