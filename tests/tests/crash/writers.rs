//! Several sidecars of one replica set: one archives, the others stand by, and whoever goes on loses nothing and harms
//! nothing, whatever happened to the one before.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::Scenario;
use e2e::ShiftedClock;
use testkit::start_writers;

use crate::writer::{FAIL_OVER, LIMIT, Writer, assert_sound, hide_process};

/// Two of one single member, of which the first archives.
async fn pair(scenario: &mut Scenario) -> Result<(Writer, Writer)> {
    let mut first = Writer::start(scenario, &[], &[])?;
    first.wait_for("archiving", LIMIT).await?;
    scenario.wait_for_snapshots(1).await?;
    hide_process(&scenario.archive)?;
    let mut second = Writer::start(scenario, &[], &[])?;
    second.wait_for("standby", LIMIT).await?;
    Ok((first, second))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_sidecars_one_archives_until_it_is_stopped_and_the_other_goes_on_at_once() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    let writers = start_writers(&scenario.client(), 41).await?;
    let (one, other) = (Writer::start(&scenario, &[], &[])?, Writer::start(&scenario, &[], &[])?);
    scenario.wait_for_snapshots(1).await?;
    let (first, mut second) = if one.is("archiving").await { (one, other) } else { (other, one) };
    second.wait_for("standby", LIMIT).await?;
    let shown = second.status().await.context("status")?;
    let holder = format!("/{}", first.process.pid());
    ensure!(shown["ready"] == true && shown["archiver_lease"]["epoch"] == 1, "{shown}");
    ensure!(shown["archiver_lease"]["holder"].as_str().is_some_and(|text| text.contains(&holder)), "{shown}");
    ensure!(second.process.log().contains("standing by: another sidecar archives"), "{}", second.process.log());
    tokio::time::sleep(Duration::from_secs(6)).await;
    ensure!(first.metric("tidemark_archiver_lease_held").await? == 1);
    ensure!(first.metric("tidemark_slices_published_total").await? >= 3);
    ensure!(second.metric("tidemark_archiver_lease_held").await? == 0);
    ensure!(second.metric("tidemark_archiver_lease_epoch").await? == 1);
    ensure!(second.metric("tidemark_slices_published_total").await? == 0);

    let stopped = Instant::now();
    first.stop().await?;
    second.wait_for("archiving", Duration::from_secs(8)).await.context("a lease that was released")?;
    println!("handed over {:?} after SIGTERM", stopped.elapsed());
    ensure!(second.metric("tidemark_archiver_lease_epoch").await? == 2);
    writers.stop().await?;
    assert_sound(&mut scenario).await?;
    second.stop().await?;
    ensure!(scenario.archive.manifests()?.len() == 1, "the snapshot of the first is enough");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_sidecar_is_replaced_within_thirty_seconds_and_no_slice_is_lost() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    let writers = start_writers(&scenario.client(), 42).await?;
    let (mut first, mut second) = pair(&mut scenario).await?;
    first.process.kill9();
    let killed = Instant::now();
    let after = scenario.now().await?;
    scenario.wait_archived(after).await?;
    let took = killed.elapsed();
    println!("archived again {took:?} after SIGKILL");
    ensure!(took < FAIL_OVER, "{took:?}");
    second.wait_for("archiving", LIMIT).await?;
    ensure!(took > Duration::from_secs(5), "it must not take what may still be held: {took:?}");

    // The same machine sees that the process is gone.
    let mut third = Writer::start(&scenario, &[], &[])?;
    third.wait_for("standby", LIMIT).await?;
    second.process.kill9();
    let killed = Instant::now();
    third.wait_for("archiving", Duration::from_secs(8)).await.context("a process that is gone")?;
    println!("taken over {:?} after SIGKILL on one machine", killed.elapsed());
    writers.stop().await?;
    assert_sound(&mut scenario).await?;
    third.stop().await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_that_was_stopped_and_replaced_steps_down_as_soon_as_it_wakes() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    let writers = start_writers(&scenario.client(), 43).await?;
    let (mut first, mut second) = pair(&mut scenario).await?;
    let published = first.metric("tidemark_slices_published_total").await?;
    first.process.pause()?;
    let paused = Instant::now();
    second.wait_for("archiving", FAIL_OVER).await?;
    println!("taken over {:?} after SIGSTOP", paused.elapsed());
    let after = scenario.now().await?;
    scenario.wait_archived(after).await?;
    let lineage = scenario.status().await?["id"].as_str().context("id")?.to_owned();
    let before = scenario.archive.contents(&format!("{lineage}/oplog/"))?;

    first.process.resume()?;
    first.wait_for("standby", Duration::from_secs(10)).await?;
    ensure!(first.process.log().contains("the archiver lease was lost"), "{}", first.process.log());
    ensure!(first.metric("tidemark_archiver_leases_lost_total").await? == 1);
    tokio::time::sleep(Duration::from_secs(4)).await;
    // One that was on its way when it was stopped is overlap.
    let more = first.metric("tidemark_slices_published_total").await? - published;
    println!("{more} slices of the first since just before SIGSTOP");
    ensure!(more <= 2, "{more} slices were published by a sidecar that had lost the lease");
    for (key, content) in before {
        ensure!(scenario.archive.read(&key)? == content, "{key} was overwritten");
    }
    ensure!(second.is("archiving").await, "{}", second.process.log());
    writers.stop().await?;
    assert_sound(&mut scenario).await?;
    first.stop().await?;
    second.stop().await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_are_off_by_hours_do_no_harm() -> Result<()> {
    let clock = ShiftedClock::build()?;
    let mut scenario = Scenario::start().await?;
    let writers = start_writers(&scenario.client(), 44).await?;
    let (late, early) = (clock.environment(5 * 3600), clock.environment(-7 * 3600));
    let mut first = Writer::start(&scenario, &[], &late.each())?;
    first.wait_for("archiving", LIMIT).await?;
    scenario.wait_for_snapshots(1).await?;
    hide_process(&scenario.archive)?;
    let mut second = Writer::start(&scenario, &[], &early.each())?;
    second.wait_for("standby", LIMIT).await?;
    let shown = second.status().await.context("status")?;
    let since = shown["archiver_lease"]["holder"].as_str().unwrap_or_default();
    let true_hour = jiff::Timestamp::now().strftime("T%H:").to_string();
    ensure!(!since.contains(&true_hour), "the clock of the holder was not shifted: {since}");

    first.process.kill9();
    let killed = Instant::now();
    second.wait_for("archiving", FAIL_OVER).await?;
    println!("taken over {:?} after SIGKILL, clocks twelve hours apart", killed.elapsed());
    // Its id says that it is older than the first one; what counts is the server's time.
    let taken = testkit::processes::finish(
        &testkit::processes::binary("sidecar")?,
        scenario.sidecar_arguments("snapshot"),
        &early.each(),
    )
    .await?;
    ensure!(taken.exit_code == 0, "{taken:?}");
    let mut third = Writer::start(&scenario, &[], &late.each())?;
    third.wait_for("standby", LIMIT).await?;
    second.stop().await?;
    third.wait_for("archiving", LIMIT).await?;
    writers.stop().await?;
    assert_sound(&mut scenario).await?;
    third.stop().await.map(|_| ())
}
