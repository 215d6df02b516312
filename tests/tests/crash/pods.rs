//! A sidecar beside each member of a set of three, as in Kubernetes: the replica set's state says which one archives.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::{Scenario, server};
use testkit::start_writers;

use crate::writer::{FAIL_OVER, LIMIT, Writer, assert_sound, hide_process};

/// The members beside which somebody archives.
async fn archiving(pods: &[(usize, Writer)]) -> Vec<usize> {
    let mut active = Vec::new();
    for (index, pod) in pods {
        if pod.is("archiving").await {
            active.push(*index);
        }
    }
    active
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
    // On a busy machine a better one may show itself too late; then it is handed over to.
    let deadline = Instant::now() + LIMIT;
    let leader_at = loop {
        let active = archiving(&pods).await;
        if let [index] = active[..]
            && index != primary
        {
            break index;
        }
        ensure!(Instant::now() < deadline, "{active:?} archive, {primary} is the primary");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    for (_, pod) in pods {
        pod.stop().await?;
    }

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
    let active = archiving(&pods).await;
    ensure!(active.len() == 1 && active[0] != primary, "{active:?} archive: the other secondary is the better one");
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
    ensure!(better.metric("tidemark_archiver_lease_epoch").await? == 2);
    ensure!(alone.metric("tidemark_archiver_leases_lost_total").await? == 0);
    writers.stop().await?;
    assert_sound(&mut scenario).await?;
    ensure!(scenario.archive.manifests()?.len() == 1);
    better.stop().await?;
    alone.stop().await.map(|_| ())
}
