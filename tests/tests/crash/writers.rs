//! Several sidecars of one replica set: one archives, the others stand by, and whoever goes on loses nothing and harms
//! nothing, whatever happened to the one before.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::programs::{free_port, sidecar_page, sidecar_status};
use e2e::{ArchiveFolder, Scenario, server};
use serde_json::Value;
use testkit::{Sidecar, start_writers};

use crate::clock_shift::ShiftedClock;

/// What issue and design promise after the death of a pod.
const FAIL_OVER: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_mins(1);

/// One of several `sidecar run`.
struct Writer {
    process: Sidecar,
    port: u16,
}

impl Writer {
    fn start(scenario: &Scenario, flags: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        let port = free_port()?;
        let mut arguments = scenario.run_arguments();
        arguments.extend(["--listen".to_owned(), format!("127.0.0.1:{port}")]);
        // The last of two values for one flag would be refused.
        let first = arguments.iter().position(|argument| argument == "--listen").context("--listen")?;
        arguments.drain(first..first + 2);
        arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        Ok(Self { process: Sidecar::run_with(arguments, environment)?, port })
    }

    /// `None` while it does not answer.
    async fn status(&self) -> Option<Value> {
        sidecar_status(self.port).await.ok()
    }

    async fn is(&self, role: &str) -> bool {
        self.status().await.is_some_and(|status| status["role"] == role)
    }

    async fn wait_for(&mut self, role: &str, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while !self.is(role).await {
            ensure!(self.process.is_running(), "it ended:\n{}", self.process.log());
            ensure!(Instant::now() < deadline, "not {role} within {limit:?}:\n{}", self.process.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn metric(&self, name: &str) -> Result<f64> {
        let (_, page) = sidecar_page(self.port, "/metrics").await?;
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("no {name} in\n{page}"))?.parse()?)
    }

    async fn stop(mut self) -> Result<String> {
        let status = self.process.terminate(LIMIT).await?;
        ensure!(status.code() == Some(0), "{status}:\n{}", self.process.log());
        Ok(self.process.log())
    }
}

/// As if the holder's process was of another machine, so that nobody who starts from now on can see that it is gone.
fn hide_process(archive: &ArchiveFolder) -> Result<()> {
    let epochs = archive.files()?.into_iter().filter(|file| file.contains("/archiver-lease/epoch-"));
    let newest = epochs.max().context("no epoch of the archiver lease")?;
    let mut record: Value = serde_json::from_slice(&archive.read(&newest)?)?;
    record.as_object_mut().context("an object")?.remove("process").context("the process of the holder")?;
    archive.write(&newest, record.to_string().as_bytes())
}

/// One unbroken history without a gap or contradiction, every byte of it sound, restorable to its end.
async fn assert_sound(scenario: &mut Scenario) -> Result<()> {
    let moment = scenario.archived_moment().await?;
    let status = scenario.status().await?;
    ensure!(status["gaps"].as_array().is_some_and(Vec::is_empty), "{status}");
    ensure!(status["windows"].as_array().is_some_and(|windows| windows.len() == 1), "{status}");
    ensure!(status["findings"].as_array().is_some_and(Vec::is_empty), "{status}");
    scenario.cli_ok(&["verify", "--level", "decode"]).await?;
    scenario.assert_restores(&moment).await.map(|_| ())
}

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
    ensure!(first.metric("tidemark_archiver_lease_held").await? == 1.0);
    ensure!(first.metric("tidemark_slices_published_total").await? >= 3.0);
    ensure!(second.metric("tidemark_archiver_lease_held").await? == 0.0);
    ensure!(second.metric("tidemark_archiver_lease_epoch").await? == 1.0);
    ensure!(second.metric("tidemark_slices_published_total").await? == 0.0);

    let stopped = Instant::now();
    first.stop().await?;
    second.wait_for("archiving", Duration::from_secs(8)).await.context("a lease that was released")?;
    println!("handed over {:?} after SIGTERM", stopped.elapsed());
    ensure!(second.metric("tidemark_archiver_lease_epoch").await? == 2.0);
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
    let archive = "oplog/";
    let lineage = scenario.status().await?["id"].as_str().context("id")?.to_owned();
    let before = scenario.archive.contents(&format!("{lineage}/{archive}"))?;

    first.process.resume()?;
    first.wait_for("standby", Duration::from_secs(10)).await?;
    ensure!(first.process.log().contains("the archiver lease was lost"), "{}", first.process.log());
    ensure!(first.metric("tidemark_archiver_leases_lost_total").await? == 1.0);
    tokio::time::sleep(Duration::from_secs(4)).await;
    // One that was on its way when it was stopped is overlap.
    let more = first.metric("tidemark_slices_published_total").await? - published;
    println!("{more} slices of the first since just before SIGSTOP");
    ensure!(more <= 2.0, "{more} slices were published by a sidecar that had lost the lease");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_set_of_three_the_sidecar_of_a_secondary_archives_and_a_killed_pod_is_replaced() -> Result<()> {
    let mut scenario = Scenario::of(server().members(3).start().await?)?;
    let writers = start_writers(&scenario.client(), 45).await?;
    let hosts = scenario.source.hosts();
    let primary = scenario.source.primary().await?;
    // All at once, the one beside the primary first: it waits for those beside a better member.
    let mut pods: Vec<(usize, Writer)> = Vec::new();
    for index in [primary, (primary + 1) % 3, (primary + 2) % 3] {
        pods.push((index, Writer::start(&scenario, &["--member", &hosts[index]], &[])?));
    }
    scenario.wait_for_snapshots(1).await?;
    let mut active = Vec::new();
    for (index, pod) in &pods {
        if pod.is("archiving").await {
            active.push(*index);
        }
    }
    ensure!(active.len() == 1 && active[0] != primary, "{active:?} archive, {primary} is the primary");
    for (_, pod) in pods {
        pod.stop().await?;
    }

    let leader_at = active[0];
    let mut leader = Writer::start(&scenario, &["--member", &hosts[leader_at]], &[])?;
    leader.wait_for("archiving", LIMIT).await?;
    hide_process(&scenario.archive)?;
    let mut pods = Vec::new();
    for index in (0..3).filter(|index| *index != leader_at) {
        let mut pod = Writer::start(&scenario, &["--member", &hosts[index]], &[])?;
        pod.wait_for("standby", LIMIT).await?;
        pods.push((index, pod));
    }
    scenario.source.kill(leader_at)?;
    leader.process.kill9();
    let killed = Instant::now();
    let after = scenario.now().await?;
    scenario.wait_archived(after).await?;
    let took = killed.elapsed();
    println!("archived again {took:?} after the pod was killed");
    ensure!(took < FAIL_OVER, "{took:?}");
    ensure!(took > Duration::from_secs(5), "it must not take what may still be held: {took:?}");
    writers.stop().await?;
    let mut active = 0;
    for (index, pod) in &pods {
        active += usize::from(pod.is("archiving").await);
        ensure!(*index != primary || pod.is("standby").await, "the other secondary is the better one");
    }
    ensure!(active == 1, "{active} archive");
    assert_sound(&mut scenario).await?;
    for (_, pod) in pods {
        pod.stop().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archiving_moves_once_to_the_sidecar_of_the_chosen_member_and_stays_there() -> Result<()> {
    let mut scenario = Scenario::of(server().members(3).start().await?)?;
    let hosts = scenario.source.hosts();
    let primary = scenario.source.primary().await?;
    let mut alone = Writer::start(&scenario, &["--member", &hosts[primary]], &[])?;
    alone.wait_for("archiving", Duration::from_secs(10)).await.context("nobody else is there")?;
    scenario.wait_for_snapshots(1).await?;
    let writers = start_writers(&scenario.client(), 46).await?;
    let secondary = hosts.iter().enumerate().filter(|(index, _)| *index != primary).map(|(_, host)| host).min();
    let mut better = Writer::start(&scenario, &["--member", secondary.context("a secondary")?], &[])?;
    better.wait_for("standby", LIMIT).await?;
    better.wait_for("archiving", LIMIT).await?;
    alone.wait_for("standby", LIMIT).await?;
    ensure!(alone.process.log().contains("a sidecar beside a better member is there"), "{}", alone.process.log());
    tokio::time::sleep(Duration::from_secs(12)).await;
    ensure!(better.is("archiving").await && alone.is("standby").await);
    ensure!(better.metric("tidemark_archiver_lease_epoch").await? == 2.0);
    ensure!(alone.metric("tidemark_archiver_leases_lost_total").await? == 0.0);
    writers.stop().await?;
    assert_sound(&mut scenario).await?;
    ensure!(scenario.archive.manifests()?.len() == 1);
    better.stop().await?;
    alone.stop().await.map(|_| ())
}
