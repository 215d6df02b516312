//! A restore that stood still or died while the same command was run again: it notices before it writes, and what it had
//! sent already is not carried out behind the back of the other.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::faults::{self, HeldWrite};
use e2e::scenario::restore_arguments;
use e2e::{Moment, Scenario, server};
use mongodb::bson::{Document, doc};
use testkit::processes::binary;
use testkit::{Detail, ReplicaSet, Sidecar, capture};

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

/// How long the server sits on what the first has sent; longer than the second takes.
const HOLD: Duration = Duration::from_secs(25);

/// Ends or stops a restore of which every writer has a command in the server that does not get on, and runs the same
/// command to its end. Gives the destination, when nothing of either is under way any more.
async fn assert_fenced(
    scenario: &Scenario,
    moment: &Moment,
    (command, namespace): (&str, &str),
    interrupt: impl FnOnce(&mut Sidecar) -> Result<()>,
) -> Result<(ReplicaSet, Sidecar)> {
    let set = server().set_parameter("enableTestCommands", "1").start().await?;
    let primary = set.member_client(0).await?;
    let held = faults::hold_commands(&primary, command, namespace, i32::try_from(CONNECTIONS)?, HOLD).await?;
    let (at, uri, url) = (moment.at.to_string(), set.uri(), scenario.archive.url());
    let arguments: Vec<&str> = ["--archive", &url].into_iter().chain(restore_arguments(&at, &uri)).collect();
    let mut first = Sidecar::run_program(&binary("dr-cli")?, &arguments, &[])?;
    held.during(async || {
        interrupt(&mut first)?;
        scenario.cli_ok(&restore_arguments(&at, &uri)).await
    })
    .await?;
    faults::restores_are_done(&primary).await?;
    let state = capture(&set.client(), None, Detail::Documents).await?;
    let harm = moment.state.diff(&state);
    ensure!(harm.is_empty(), "what the first had sent did harm:\n{}", harm.join("\n"));
    Ok((set, first))
}

/// What is to be loaded and deleted again: nobody would delete it a second time.
async fn deleted_in_the_window() -> Result<(Scenario, Moment)> {
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
    Ok((scenario, moment))
}

/// Updates of documents that the window changes again and deletes.
async fn updated_in_the_window() -> Result<(Scenario, Moment)> {
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
    Ok((scenario, moment))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_was_stopped_while_it_loaded_and_taken_over_loads_nothing_more() -> Result<()> {
    let (scenario, moment) = deleted_in_the_window().await?;
    assert_taken_over(&scenario, &moment, HeldWrite::Insert, "shop.bulk").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_was_stopped_while_it_replayed_and_taken_over_replays_nothing_more() -> Result<()> {
    let (scenario, moment) = updated_in_the_window().await?;
    assert_taken_over(&scenario, &moment, HeldWrite::Update, "shop.orders").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_restore_had_still_to_load_in_the_server_does_not_come_in_after_the_next_has_replayed()
-> Result<()> {
    let (scenario, moment) = deleted_in_the_window().await?;
    let killed = |first: &mut Sidecar| {
        first.kill9();
        Ok(())
    };
    assert_fenced(&scenario, &moment, ("insert", "shop.bulk"), killed).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stopped_restore_had_still_to_replay_in_the_server_is_ended_and_it_learns_why() -> Result<()> {
    let (scenario, moment) = updated_in_the_window().await?;
    let stopped = |first: &mut Sidecar| first.pause();
    let (_set, mut first) = assert_fenced(&scenario, &moment, ("update", "shop.orders"), stopped).await?;
    first.resume()?;
    let status = first.wait(Duration::from_secs(30)).await?;
    ensure!(status.code() == Some(7), "{status}: {}", first.log());
    ensure!(first.log().contains("another restore took over"), "{}", first.log());
    Ok(())
}
