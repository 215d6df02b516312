//! What expires, what holds it back, and what an expiry that dies leaves behind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use archive::retention::RetentionPolicy;
use e2e::{ArchiveFolder, Moment, Scenario, scenario};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mongodb::bson::doc;
use recovery::{ArchiveReader, Silent, expire};
use serde_json::Value;
use store::fault::{Fault, FaultStore};
use store::{ErrorKind, Operation};
use testkit::Sidecar;
use testkit::processes::{self, binary};

const KEEP_ONE: [&str; 3] = ["expire", "--keep-last", "1"];

/// Three snapshots; a moment behind each.
struct Aged {
    scenario: Scenario,
    snapshots: Vec<String>,
    moments: Vec<Moment>,
}

async fn aged() -> Result<Aged> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", (0..200).map(|n| doc! { "_id": n })).await?;
    scenario.begin_archiving().await?;
    let mut moments = Vec::new();
    for round in 1..=3 {
        if round > 1 {
            // Ids of snapshots that started within one second have no order.
            tokio::time::sleep(Duration::from_millis(1_100)).await;
            scenario.take_snapshot().await?;
        }
        let ids = round * 1_000..round * 1_000 + 50;
        scenario.insert("shop", "orders", ids.map(|n| doc! { "_id": n })).await?;
        moments.push(scenario.archived_moment().await?);
    }
    scenario.stop_archiving().await?;
    let listed = scenario.snapshots().await?;
    let id = |snapshot: &Value| Ok(snapshot["id"].as_str().context("an id")?.to_owned());
    let snapshots = listed.iter().map(id).collect::<Result<Vec<String>>>()?;
    ensure!(snapshots.len() == 3, "{snapshots:?}");
    Ok(Aged { scenario, snapshots, moments })
}

impl Aged {
    async fn expire(&self, flags: &[&str]) -> Result<Value> {
        self.scenario.cli_ok(&[&KEEP_ONE[..], flags].concat()).await
    }

    async fn left(&self) -> Result<Vec<String>> {
        let listed = self.scenario.snapshots().await?;
        Ok(listed.iter().filter_map(|snapshot| snapshot["id"].as_str().map(str::to_owned)).collect())
    }

    async fn is_sound(&self) -> Result<()> {
        self.scenario.cli_ok(&["verify", "--level", "decode"]).await.map(|_| ())
    }
}

fn decisions(report: &Value) -> Vec<(String, String)> {
    let snapshots = report["snapshots"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    snapshots.map(|one| (text(&one["decision"]), text(&one["reasons"][0]["kind"]))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expiry_shows_what_it_would_do_and_then_does_exactly_that() -> Result<()> {
    let aged = aged().await?;
    let before = aged.scenario.archive.contents("")?;
    let shown = aged.expire(&[]).await?;
    ensure!(shown["applied"] == false && shown["expired"].is_null(), "{shown}");
    ensure!(aged.scenario.archive.contents("")? == before, "a dry run changed something");
    let refused = aged.scenario.cli(&[&KEEP_ONE[..], &["--apply"]].concat()).await?;
    ensure!(refused.exit_code == 2 && refused.stdout.contains("--yes"), "{refused:?}");
    let empty = aged.scenario.cli(&["expire", "--apply", "--yes"]).await?;
    ensure!(empty.exit_code == 2 && empty.stdout.contains("no rule"), "{empty:?}");
    ensure!(aged.scenario.archive.contents("")? == before, "a refused expiry changed something");

    let done = aged.expire(&["--apply", "--yes"]).await?;
    for field in ["snapshots", "slices", "windows_before", "windows_after", "freed_bytes"] {
        ensure!(done[field] == shown[field], "{field}: {} instead of {}", done[field], shown[field]);
    }
    ensure!(done["expired"]["snapshots"] == 2, "{done}");
    ensure!(aged.left().await? == aged.snapshots[2..]);
    aged.is_sound().await?;
    aged.scenario.restore(aged.moments[2].at).await?.assert_equals(&aged.moments[2])?;
    let set = scenario::destination().await?;
    aged.scenario.assert_refused(&set, aged.moments[0].at, 4).await?;
    let again = aged.expire(&["--apply", "--yes"]).await?;
    ensure!(again["expired"]["objects"] == 0, "{again}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_pinned_or_frozen_stays() -> Result<()> {
    let aged = aged().await?;
    let cli = async |arguments: &[&str]| aged.scenario.cli_ok(arguments).await;
    let oldest = aged.snapshots[0].as_str();
    cli(&["freeze", "--reason", "ticket 7"]).await?;
    let frozen = aged.expire(&["--apply", "--yes"]).await?;
    ensure!(frozen["expired"]["objects"] == 0 && frozen.to_string().contains("ticket 7"), "{frozen}");
    cli(&["unfreeze"]).await?;
    let twice = aged.scenario.cli(&["unfreeze"]).await?;
    ensure!(twice.exit_code == 3, "{twice:?}");

    cli(&["pin", oldest, "--id", "audit", "--reason", "for the auditors"]).await?;
    let missing = aged.scenario.cli(&["pin", "20000101T000000Z-000000"]).await?;
    ensure!(missing.exit_code == 3, "{missing:?}");
    let listed = aged.scenario.snapshots().await?;
    let pinned: Vec<_> = listed.iter().filter(|snapshot| snapshot["pinned"] == true).collect();
    ensure!(pinned.len() == 1 && pinned[0]["id"] == oldest, "{listed:?}");
    let end = pinned[0]["end"].as_str().context("an end")?;
    let done = aged.expire(&["--apply", "--yes"]).await?;
    let expected = [("keep", "pinned"), ("expire", "not_among_last"), ("keep", "newest_good")];
    let found = decisions(&done);
    ensure!(found.iter().map(|(a, b)| (a.as_str(), b.as_str())).eq(expected), "{found:?}");
    ensure!(aged.left().await? == [aged.snapshots[0].clone(), aged.snapshots[2].clone()]);
    aged.is_sound().await?;
    aged.scenario.restore(format!("snapshot:{oldest}")).await?;
    let between = scenario::destination().await?;
    aged.scenario.assert_refused(&between, aged.moments[0].at, 4).await?;
    aged.scenario.restore(end).await?;

    cli(&["unpin", "audit"]).await?;
    let unknown = aged.scenario.cli(&["unpin", "audit"]).await?;
    ensure!(unknown.exit_code == 3, "{unknown:?}");
    aged.expire(&["--apply", "--yes"]).await?;
    ensure!(aged.left().await? == aged.snapshots[2..]);
    aged.is_sound().await
}

/// A record below `control/` that cannot be read may be a pin: then nothing goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_that_cannot_be_read_holds_everything() -> Result<()> {
    let aged = aged().await?;
    aged.scenario.cli_ok(&["pin", &aged.snapshots[0], "--id", "audit"]).await?;
    let pin = aged.scenario.archive.files()?.into_iter().find(|file| file.ends_with("pins/audit.json"));
    aged.scenario.archive.write(&pin.context("the pin")?, b"{\"format\":1,")?;
    let before = aged.scenario.archive.contents("")?;
    let refused = aged.scenario.cli(&[&KEEP_ONE[..], &["--apply", "--yes"]].concat()).await?;
    ensure!(refused.exit_code == 5 && refused.stdout.contains("pins/audit.json"), "{refused:?}");
    ensure!(aged.scenario.archive.contents("")? == before);
    aged.scenario.cli_ok(&["unpin", "audit"]).await?;
    aged.expire(&["--apply", "--yes"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_running_restore_reads_expires() -> Result<()> {
    let aged = aged().await?;
    let set = scenario::destination().await?;
    let (url, target, uri) = (aged.scenario.archive.url(), aged.moments[0].at.to_string(), set.uri());
    let from = ["--snapshot", aged.snapshots[0].as_str()];
    let arguments = [&["--archive", url.as_str()][..], &scenario::restore_arguments(&target, &uri), &from].concat();
    let mut restore = Sidecar::run_program(&binary("dr-cli")?, arguments, &[])?;
    let limit = Instant::now() + Duration::from_secs(30);
    while !aged.scenario.archive.files()?.iter().any(|file| file.contains("/control/protect/")) {
        ensure!(Instant::now() < limit && restore.is_running(), "no protection was written:\n{}", restore.log());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    restore.pause()?;
    let done = aged.expire(&["--apply", "--yes"]).await?;
    restore.resume()?;
    ensure!(decisions(&done)[0] == ("keep".to_owned(), "protected".to_owned()), "{done}");
    ensure!(decisions(&done)[1].0 == "expire", "{done}");
    let slices = done["slices"].as_array().context("slices")?;
    ensure!(slices.iter().any(|run| run["reasons"].to_string().contains("protected")), "{done}");
    let status = restore.wait(Duration::from_mins(1)).await?;
    ensure!(status.code() == Some(0), "{}", restore.log());
    let differences = aged.moments[0].state.diff(&scenario::moment_of(&set.client()).await?.state);
    ensure!(differences.is_empty(), "{differences:#?}");
    // Its protection went with it.
    aged.expire(&["--apply", "--yes"]).await?;
    ensure!(aged.left().await? == aged.snapshots[2..]);
    aged.is_sound().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expiry_that_is_killed_harms_nothing_and_is_finished_by_the_next() -> Result<()> {
    let aged = aged().await?;
    let kills = std::env::var("TIDEMARK_KILLS").ok().map_or(Ok(6), |kills| kills.parse::<u32>())?;
    // Spread over the life of one that nobody kills.
    let untouched = aged.scenario.archive.duplicate()?;
    let started = Instant::now();
    let whole = scenario::cli(&untouched, &[&KEEP_ONE[..], &["--apply", "--yes"]].concat()).await?;
    ensure!(whole.exit_code == 0, "{whole:?}");
    let life = started.elapsed();
    let kills = stream::iter(0..kills).map(|n| killed(&aged, life * (n % 12 + 1) / 13));
    let was_cut: Vec<bool> = kills.buffer_unordered(6).try_collect().await?;
    let (cut, all) = (was_cut.iter().filter(|cut| **cut).count(), was_cut.len());
    println!("{cut} of {all} expiries were killed before their end");
    ensure!(cut > 0, "no expiry was killed before its end");
    Ok(())
}

/// Whether the expiry was killed before its end.
async fn killed(aged: &Aged, after: Duration) -> Result<bool> {
    let archive = aged.scenario.archive.duplicate()?;
    let url = archive.url();
    let arguments = [&["--archive", url.as_str()][..], &KEEP_ONE, &["--apply", "--yes"]].concat();
    let mut expiry = Sidecar::run_program(&binary("dr-cli")?, &arguments, &[])?;
    tokio::time::sleep(after).await;
    let was_cut = expiry.is_running();
    expiry.kill9();
    // At every instant: what claims to be complete is, and the newest is there.
    sound(&archive, aged).await?;
    let finished = processes::dr_cli(arguments).await?;
    ensure!(finished.exit_code == 0, "after {after:?}: {finished:?}");
    sound(&archive, aged).await?;
    let manifests = archive.manifests()?;
    let tombstones = manifests.len() - 1;
    ensure!(tombstones <= 2 && manifests.iter().any(|key| key.contains(&aged.snapshots[2])), "{manifests:?}");
    Ok(was_cut)
}

async fn sound(archive: &ArchiveFolder, aged: &Aged) -> Result<()> {
    let verified = scenario::cli(archive, &["verify", "--level", "decode"]).await?;
    ensure!(verified.exit_code == 0, "{verified:?}");
    let listed = scenario::cli(archive, &["list"]).await?.json()?;
    let last = listed["snapshots"].as_array().and_then(|all| all.last()).context("a snapshot")?;
    ensure!(last["id"] == aged.snapshots[2].as_str() && last["damaged"].is_null(), "{listed}");
    Ok(())
}

/// Each deletion, creation and replacement of an expiry fails once, with and without its effect. What is left is sound at once, and
/// the next expiry finishes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expiry_whose_store_fails_at_any_request_harms_nothing_and_is_finished_by_the_next() -> Result<()> {
    let aged = aged().await?;
    let mut struck = 0;
    for operation in [Operation::Delete, Operation::Create, Operation::PutMutable] {
        for nth in 1.. {
            let fault = if nth % 2 == 0 { Fault::fail_after } else { Fault::fail_before };
            let archive = aged.scenario.archive.duplicate()?;
            let faulty = FaultStore::new(store::open(&archive.url())?);
            faulty.add(fault(operation, ErrorKind::Unreachable).nth(nth));
            let failed = expire(Arc::new(faulty.clone())).await;
            if faulty.calls(operation) < nth {
                ensure!(failed.is_ok(), "without a fault: {failed:?}");
                break;
            }
            struck += 1;
            ensure!(failed.is_err(), "{operation:?} {nth} failed, and nobody noticed");
            sound(&archive, &aged).await?;
            // It takes some seconds until the notice of a dead expiry counts as such, but this one says goodbye.
            expire(store::open(&archive.url())?).await?;
            sound(&archive, &aged).await?;
            let left = scenario::cli(&archive, &["list"]).await?.json()?;
            ensure!(left["snapshots"].as_array().is_some_and(|left| left.len() == 1), "{operation:?} {nth}: {left}");
        }
    }
    ensure!(struck >= 10, "only {struck} requests");
    Ok(())
}

/// Where `control/` is somewhere else, its pins are not seen, so nothing may go on without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_pinned_or_expired_without_the_control_of_the_archive() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    let control = ArchiveFolder::new()?;
    let control_url = control.url();
    scenario.flags = ["--control", &control_url].map(str::to_owned).to_vec();
    scenario.insert("shop", "orders", [doc! { "_id": 0 }]).await?;
    scenario.begin_archiving().await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let before = scenario.archive.contents("")?;
    let commands =
        [&["expire", "--keep-last", "1"][..], &["pin", "latest"], &["unpin", "x"], &["freeze"], &["unfreeze"]];
    for command in commands {
        let refused = scenario.cli(command).await?;
        ensure!(refused.exit_code == 9 && refused.stdout.contains("--control"), "{command:?}: {refused:?}");
    }
    ensure!(scenario.archive.contents("")? == before, "something was written in the wrong place");
    for command in [&["pin", "latest"][..], &["freeze"], &["unfreeze"], &["expire", "--keep-last", "1"]] {
        scenario.cli_ok(&[command, &["--control", &control_url]].concat()).await?;
    }
    scenario.assert_restores(&moment).await.map(|_| ())
}

/// By a crontab line, whose steps are minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sidecar_expires_on_schedule_when_it_is_told_to_and_only_then() -> Result<()> {
    let mut aged = aged().await?;
    let expires = ["--expire-schedule", "* * * * *", "--keep-last", "1"];
    let refused = processes::sidecar(
        [aged.scenario.sidecar_arguments("run"), vec![expires[0].into(), expires[1].into()]].concat(),
    );
    let refused = refused.await?;
    ensure!(refused.exit_code == 2 && refused.stderr.contains("no rule"), "{refused:?}");
    ensure!(aged.left().await?.len() == 3);
    aged.scenario.flags = expires.map(str::to_owned).to_vec();
    aged.scenario.start_sidecar()?;
    let limit = Instant::now() + Duration::from_mins(3);
    while aged.left().await?.len() > 1 {
        ensure!(Instant::now() < limit, "nothing expired:\n{}", aged.scenario.sidecar_log());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    aged.scenario.insert("shop", "orders", [doc! { "_id": "later" }]).await?;
    let moment = aged.scenario.archived_moment().await?;
    aged.scenario.stop_archiving().await?;
    ensure!(aged.left().await? == aged.snapshots[2..]);
    aged.scenario.assert_restores(&moment).await.map(|_| ())
}

async fn expire(store: Arc<dyn store::ObjectStore>) -> recovery::Result<()> {
    let reader = ArchiveReader::open(store).await?;
    let lineage = reader.choose_lineage(None).await?.lineage;
    let policy = RetentionPolicy { keep_last: Some(1), ..RetentionPolicy::default() };
    expire::apply(&reader, &lineage, &policy, ("a test", None), &Silent).await.map(|_| ())
}
