//! SIGKILL of a restore in each phase: the same command resumes it, and the state is the same.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::scenario::restore_arguments;
use e2e::{Moment, Scenario, destination, faults, server};
use mongodb::bson::{Document, doc};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use testkit::processes::binary;
use testkit::{Detail, Sidecar, capture, load_shop, start_writers};

/// Data to load, a window to replay, indexes to build, views and users to create.
async fn archived() -> Result<(Scenario, Moment)> {
    let mut scenario = Scenario::start().await?;
    load_shop(&scenario.client(), 15_000, 33).await?;
    scenario.begin_archiving().await?;
    let running = start_writers(&scenario.client(), 33).await?;
    for round in 0..6 {
        scenario.insert("shop", "added", (0..800).map(|id| doc! { "_id": round * 1_000 + id, "n": id })).await?;
        let bump = doc! { "q": { "_id": { "$gte": 0 } }, "u": { "$inc": { "n": 1 } }, "multi": true };
        scenario.run("shop", doc! { "update": "added", "updates": [bump] }).await?;
    }
    running.stop().await?;
    scenario.run("shop", doc! { "createIndexes": "added", "indexes": [{ "key": { "n": 1 }, "name": "n" }] }).await?;
    scenario.run("shop", doc! { "create": "seen", "viewOn": "added", "pipeline": [] }).await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    Ok((scenario, moment))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_killed_again_and_again_resumes_to_the_same_state() -> Result<()> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(crate::seed()?);
    let (scenario, moment) = archived().await?;
    // How long it takes undisturbed, so that the deaths spread over all of its phases.
    let undisturbed = scenario.restore(moment.at).await?;
    undisturbed.assert_equals(&moment)?;
    let whole = undisturbed.report["recovery_time_actual_seconds"].as_f64().context("seconds")?;
    drop(undisturbed);
    let mut total = 0;
    for round in 0..3 {
        let set = destination().await?;
        let (at, uri, url) = (moment.at.to_string(), set.uri(), scenario.archive.url());
        let arguments: Vec<&str> = ["--archive", &url].into_iter().chain(restore_arguments(&at, &uri)).collect();
        let mut kills = 0;
        loop {
            let mut attempt = Sidecar::run_program(&binary("dr-cli")?, &arguments, &[])?;
            // A resumed one has less to do, so short lives reach the late phases too; but first it waits for a second.
            let fence = if kills > 0 { 1.0 } else { 0.0 };
            let life = Duration::from_secs_f64(random.random_range(0.02..whole.max(0.3) * 0.4 + fence));
            if kills == 5 || attempt.wait(life).await.is_ok() {
                let status = attempt.wait(Duration::from_mins(2)).await?;
                ensure!(status.code() == Some(0), "after {kills} kills: {status}:\n{}", attempt.log());
                break;
            }
            attempt.kill9();
            kills += 1;
        }
        total += kills;
        println!("round {round}: killed {kills} times, {whole} s undisturbed");
        let again = scenario.cli(&restore_arguments(&at, &uri)).await?;
        ensure!(again.exit_code == 9, "a finished restore is not run again: {again:?}");
        // Released, because the report that names what is parked may be lost with a killed process.
        scenario.cli_ok(&["release", "--destination", &uri]).await?;
        let state = capture(&set.client(), None, Detail::Documents).await?;
        let differences = moment.state.diff(&state);
        ensure!(differences.is_empty(), "round {round}, {kills} kills: {}", differences.join("\n"));
    }
    ensure!(total >= 3, "only {total} restores were killed before their end");
    Ok(())
}

/// Two marks can be under way when the destination elects, and one of them is lost. Brought to the state just before the
/// end, where a mark that is missing means documents that the replay has deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_has_replayed_does_not_load_again_what_has_no_mark() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", (0..1_000).map(|id| doc! { "_id": id, "n": 0 })).await?;
    scenario.begin_archiving().await?;
    let odd = doc! { "q": { "_id": { "$mod": [2, 1] } }, "limit": 0 };
    scenario.run("shop", doc! { "delete": "orders", "deletes": [odd] }).await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;

    let whole = scenario.restore(moment.at).await?;
    let progress = whole.client().database("config").collection::<Document>("tidemark_restore");
    let unfinished = doc! { "$set": { "value.complete": false } };
    ensure!(progress.update_one(doc! { "_id": "restore" }, unfinished).await?.modified_count == 1);
    let mark = doc! { "_id": { "$regex": "^loaded:" } };
    ensure!(progress.delete_one(mark).await?.deleted_count == 1, "there is a mark of what was loaded");
    let again = scenario.restore_into(whole.set, moment.at).await?;
    again.assert_equals(&moment)?;
    ensure!(again.report["counts"] == whole.report["counts"], "{} {}", again.report, whole.report);
    Ok(())
}

/// An unfinished restore is continued only as what it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfinished_restore_is_not_mixed_with_another_target() -> Result<()> {
    let (scenario, moment) = archived().await?;
    let set = destination().await?;
    let (at, uri, url) = (moment.at.to_string(), set.uri(), scenario.archive.url());
    let arguments: Vec<&str> = ["--archive", &url].into_iter().chain(restore_arguments(&at, &uri)).collect();
    let mut attempt = Sidecar::run_program(&binary("dr-cli")?, &arguments, &[])?;
    let limit = Instant::now() + Duration::from_secs(20);
    while !set.client().list_database_names().await?.contains(&"shop".to_owned()) {
        ensure!(Instant::now() < limit && attempt.is_running(), "{}", attempt.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    attempt.kill9();
    let refused = scenario.cli(&restore_arguments("latest", &uri)).await?;
    ensure!(
        refused.exit_code == 9 && refused.stdout.contains(&at),
        "the target to continue with is named: {refused:?}"
    );
    let release = scenario.cli(&["release", "--destination", &uri]).await?;
    ensure!(release.exit_code == 3, "{release:?}");
    // Somebody else's collection in the middle of it.
    set.client().database("strange").create_collection("intruder").await?;
    let refused = scenario.cli(&restore_arguments(&at, &uri)).await?;
    ensure!(refused.exit_code == 9 && refused.stdout.contains("strange.intruder"), "{refused:?}");
    set.client().database("strange").drop().await?;
    scenario.restore_into(set, moment.at).await?.assert_equals(&moment)
}

/// What is staged is dropped when nothing needs it any more; that it cannot be dropped, or that the process dies just then,
/// must not turn a finished restore into a broken one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_whose_last_step_fails_is_finished_and_says_so() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", (0..10).map(|id| doc! { "_id": id })).await?;
    scenario.run("shop", doc! { "create": "recent", "viewOn": "orders", "pipeline": [] }).await?;
    scenario.begin_archiving().await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;

    let set = server().set_parameter("enableTestCommands", "1").start().await?;
    let failing = doc! { "failCommands": ["drop"], "errorCode": 8000 };
    let armed = doc! { "configureFailPoint": "failCommand", "mode": "alwaysOn", "data": failing };
    set.client().database("admin").run_command(armed).await?;
    let uri = set.uri();
    scenario.cli_ok(&restore_arguments("latest", &uri)).await?;
    let staged = async || {
        let names = set.client().database("config").list_collection_names().await?;
        Ok::<_, anyhow::Error>(names.iter().any(|name| name.starts_with("tidemark_stage_")))
    };
    ensure!(staged().await?, "the fail point did not work");
    faults::set(&set.client(), "failCommand", false).await?;
    let again = scenario.cli(&restore_arguments("latest", &uri)).await?;
    ensure!(again.exit_code == 9 && again.stdout.contains("finished restore"), "{again:?}");
    ensure!(!staged().await?, "what was staged is left");
    let state = capture(&set.client(), None, Detail::Documents).await?;
    let differences = moment.state.diff(&state);
    ensure!(differences.is_empty(), "{differences:#?}");
    Ok(())
}
