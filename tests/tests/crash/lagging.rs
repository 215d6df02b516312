//! A destination of which a secondary lags: only the primary says what is there.

use anyhow::{Context, Result, ensure};
use e2e::faults;
use e2e::{Scenario, server};
use mongodb::bson::{Document, doc};
use testkit::ReplicaSet;

/// So many reads that, answered by any member, one of them would meet the one that stands still.
const COLLECTIONS: i32 = 40;
const TRIES: usize = 20;

/// Three members, one of which takes over nothing any more. The other two are a majority.
async fn lagging() -> Result<ReplicaSet> {
    let set = server().members(3).set_parameter("enableTestCommands", "1").start().await?;
    let behind = *set.secondaries().await.first().context("a secondary")?;
    faults::stop_replicating(&set, behind).await?;
    Ok(set)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_is_not_called_wrong_because_of_a_secondary_that_lags() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    for number in 0..COLLECTIONS {
        let name = format!("c{number}");
        scenario.insert("shop", &name, (0..10).map(|id| doc! { "_id": id, "n": id })).await?;
        let index = doc! { "key": { "n": 1 }, "name": "by number" };
        scenario.run("shop", doc! { "createIndexes": name, "indexes": [index] }).await?;
    }
    scenario.begin_archiving().await?;
    scenario.insert("shop", "c0", (10..20).map(|id| doc! { "_id": id, "n": id })).await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    scenario.restore_into(lagging().await?, moment.at).await?.assert_equals(&moment)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_that_looks_empty_on_a_secondary_that_lags_is_refused() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", [doc! { "_id": 1 }]).await?;
    scenario.begin_archiving().await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let set = lagging().await?;
    let precious = set.client().database("own").collection::<Document>("precious");
    precious.insert_one(doc! { "_id": 1 }).await?;
    for _ in 0..TRIES {
        let error = scenario.assert_refused(&set, moment.at, 9).await?;
        ensure!(error.to_string().contains("own.precious"), "{error}");
    }
    Ok(())
}
