//! A member that answers as always and replicates nothing.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Scenario, faults, server};
use mongodb::ClusterTime;
use mongodb::bson::{Binary, Document, doc, spec::BinarySubtype};
use testkit::ReplicaSet;

/// Serves nobody else, so that it is the one to archive from.
async fn hide(set: &ReplicaSet, member: usize) -> Result<()> {
    let admin = set.client().database("admin");
    let mut config = admin.run_command(doc! { "replSetGetConfig": 1 }).await?.get_document("config")?.clone();
    let version = config.get_i32("version")?;
    config.insert("version", version + 1);
    for (index, entry) in config.get_array_mut("members")?.iter_mut().enumerate() {
        if let Some(entry) = entry.as_document_mut().filter(|_| index == member) {
            entry.extend(doc! { "hidden": true, "priority": 0 });
        }
    }
    admin.run_command(doc! { "replSetReconfig": config }).await?;
    Ok(())
}

/// What is written next is an hour later than what was written before: servers follow the latest clock that they hear of.
async fn write_an_hour_later(scenario: &Scenario) -> Result<()> {
    let client = scenario.client();
    let mut session = client.start_session().await?;
    let hello = client.database("admin").run_command(doc! { "hello": 1 }).await?;
    let mut later = hello.get_document("$clusterTime")?.get_timestamp("clusterTime")?;
    later.time += 3600;
    let hash = Binary { subtype: BinarySubtype::Generic, bytes: vec![0; 20] };
    let later = doc! { "clusterTime": later, "signature": { "hash": hash, "keyId": 0_i64 } };
    session.advance_cluster_time(&mongodb::bson::deserialize_from_document::<ClusterTime>(later)?);
    let orders = client.database("shop").collection::<Document>("orders");
    orders.insert_one(doc! { "_id": "later" }).session(&mut session).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secondary_that_stopped_replicating_is_left_for_another() -> Result<()> {
    let mut scenario = Scenario::of(server().members(3).set_parameter("enableTestCommands", "1").start().await?)?;
    scenario.insert("shop", "orders", (0..10).map(|id| doc! { "_id": id })).await?;
    let stuck = scenario.source.secondaries().await[0];
    hide(&scenario.source, stuck).await?;
    let host = scenario.source.hosts()[stuck].clone();
    scenario.begin_archiving().await?;
    scenario.archived_moment().await?;
    ensure!(
        scenario.sidecar_log().contains(&format!("event=\"archiving_started\" member=\"{host}\"")),
        "{}",
        scenario.sidecar_log()
    );

    faults::stop_replicating(&scenario.source, stuck).await?;
    write_an_hour_later(&scenario).await?;
    scenario.sidecar()?.wait_for_log("has replicated nothing for", Duration::from_secs(30)).await?;
    let moment = scenario.archived_moment().await?;
    faults::replicate(&scenario.source, stuck).await?;
    scenario.stop_archiving().await?;
    scenario.restore("latest").await?.assert_state(&moment.state)
}
