//! A replica set that is not there yet, and another one in the place of the one that was archived.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::programs::{free_port, page};
use e2e::{Scenario, server};
use mongodb::bson::doc;

/// The server writes nothing by itself, so that the archive is at rest when the test is.
fn quiet() -> testkit::ReplicaSetBuilder {
    server().set_parameter("writePeriodicNoops", "false")
}

/// A new replica set on the port and under the name of the old one, with other data.
async fn replace_by_another(scenario: &Scenario) -> Result<()> {
    scenario.source.kill(0)?;
    scenario.source.wipe(0)?;
    scenario.source.launch(0).await?;
    scenario.source.initiate().await?;
    scenario.insert("shop", "orders", (100..110).map(|id| doc! { "_id": id, "of": "another set" })).await?;
    Ok(())
}

/// A pod that was frozen, and whose data was lost and made anew meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_that_was_initiated_anew_while_the_sidecar_stood_still_is_not_archived_as_the_old_one() -> Result<()> {
    for through_the_set in [true, false] {
        let mut scenario = Scenario::of(quiet().start().await?)?;
        if !through_the_set {
            scenario.uri = scenario.source.member_uri(0);
        }
        scenario.insert("shop", "orders", (0..10).map(|id| doc! { "_id": id })).await?;
        scenario.begin_archiving().await?;
        let moment = scenario.archived_moment().await?;
        let lineage = scenario.status().await?["id"].as_str().context("the id of a lineage")?.to_owned();
        let mut sidecar = scenario.take_sidecar()?;
        sidecar.pause()?;
        let before = scenario.archive.contents("")?;
        replace_by_another(&scenario).await?;
        sidecar.resume()?;

        let status = sidecar.wait(Duration::from_secs(20)).await?;
        ensure!(status.code() == Some(9), "{status}:\n{}", sidecar.log());
        for said in [lineage.as_str(), "--new-lineage"] {
            ensure!(sidecar.log().contains(said), "`{said}` is not said:\n{}", sidecar.log());
        }
        // Leases and objects that were being written are nobody's history.
        let history = |files: Vec<(String, Vec<u8>)>| -> Vec<_> {
            files.into_iter().filter(|(name, _)| !name.contains("/control/") && !name.starts_with(".tmp/")).collect()
        };
        let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let (before, after) = (history(before), history(scenario.archive.contents("")?));
        ensure!(before == after, "the archive changed: {:#?} became {:#?}", names(&before), names(&after));

        let restored = scenario.restore("latest").await?;
        restored.assert_state(&moment.state)?;
    }
    Ok(())
}

/// A stateful set's pods come up before anybody initiates the replica set.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_waits_for_a_set_that_is_not_initiated_yet_and_archives_it_from_then_on() -> Result<()> {
    let mut scenario = Scenario::of(quiet().start_uninitiated().await?)?;
    assert_waits_for_initiation(&mut scenario).await
}

async fn assert_waits_for_initiation(scenario: &mut Scenario) -> Result<()> {
    let port = free_port()?;
    scenario.port = port;
    scenario.start_sidecar()?;
    scenario.sidecar()?.wait_for_log("not started yet", Duration::from_secs(30)).await?;
    ensure!(scenario.sidecar()?.is_running(), "{}", scenario.sidecar_log());
    let (live, _) = page(port, "/livez").await?;
    let (ready, reason) = page(port, "/readyz").await?;
    ensure!(live == 200 && ready == 503, "/livez {live}, /readyz {ready} {reason}");
    ensure!(scenario.archive.files()?.is_empty(), "{:?}", scenario.archive.files()?);

    scenario.source.initiate().await?;
    scenario.insert("shop", "orders", (0..10).map(|id| doc! { "_id": id })).await?;
    scenario.wait_for_snapshots(1).await?;
    scenario.insert("shop", "orders", [doc! { "_id": 10 }]).await?;
    let moment = scenario.archived_moment().await?;
    scenario.wait("readiness", async |_| Ok(page(port, "/readyz").await?.0 == 200)).await?;
    scenario.stop_archiving().await?;
    scenario.restore("latest").await?.assert_state(&moment.state)
}

/// Its files were lost: until it is initiated again nobody knows which set it belongs to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_without_configuration_is_waited_for_until_it_turns_out_to_be_of_another_set() -> Result<()> {
    let mut scenario = Scenario::of(quiet().start().await?)?;
    scenario.uri = scenario.source.member_uri(0);
    scenario.insert("shop", "orders", (0..10).map(|id| doc! { "_id": id })).await?;
    scenario.begin_archiving().await?;
    scenario.archived_moment().await?;
    scenario.source.kill(0)?;
    scenario.source.wipe(0)?;
    scenario.source.launch(0).await?;
    let mut sidecar = scenario.take_sidecar()?;
    sidecar.wait_for_log("archiving interrupted", Duration::from_secs(20)).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    ensure!(sidecar.is_running(), "{}", sidecar.log());
    scenario.source.initiate().await?;
    let status = sidecar.wait(Duration::from_secs(20)).await?;
    ensure!(status.code() == Some(9), "{status}:\n{}", sidecar.log());
    Ok(())
}

/// As before, for a sidecar that talks to the member beside it alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_waits_for_its_own_member_to_be_initiated() -> Result<()> {
    let mut scenario = Scenario::of(quiet().start_uninitiated().await?)?;
    scenario.uri = scenario.source.member_uri(0);
    assert_waits_for_initiation(&mut scenario).await
}
