//! Prepared transactions, which only members of a sharded cluster write: here by the server's test commands.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use archive::ClusterTime;
use e2e::Scenario;
use futures::TryStreamExt;
use mongodb::ClientSession;
use mongodb::bson::{Document, Timestamp, doc};

/// A transaction that moves the account and is prepared; gives the time of its entry.
async fn prepare(scenario: &Scenario, account: i32) -> Result<(ClientSession, Timestamp)> {
    let mut session = scenario.client().start_session().await?;
    session.start_transaction().await?;
    let accounts = scenario.client().database("bank").collection::<Document>("accounts");
    let moved = doc! { "$inc": { "moved": 1 } };
    accounts.update_one(doc! { "_id": account }, moved).session(&mut session).await?;
    accounts.insert_one(doc! { "_id": 100 + account }).session(&mut session).await?;
    let admin = scenario.client().database("admin");
    let command = doc! { "prepareTransaction": 1, "writeConcern": { "w": "majority" } };
    let reply = admin.run_command(command).session(&mut session).await.context("prepare a transaction")?;
    Ok((session, reply.get_timestamp("prepareTimestamp")?))
}

async fn commit(scenario: &Scenario, prepared: &mut (ClientSession, Timestamp)) -> Result<()> {
    let command = doc! { "commitTransaction": 1, "commitTimestamp": prepared.1, "writeConcern": { "w": "majority" } };
    scenario.client().database("admin").run_command(command).session(&mut prepared.0).await.context("commit")?;
    Ok(())
}

/// Case 7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prepared_transactions_are_restored_from_their_commit_on() -> Result<()> {
    let mut scenario = Scenario::with_faults().await?;
    scenario.insert("bank", "accounts", (1..=4).map(|id| doc! { "_id": id, "moved": 0 })).await?;
    // Prepared before the snapshot, which therefore begins before it; its reads wait for the decision.
    let mut early = prepare(&scenario, 1).await?;
    scenario.start_sidecar()?;
    scenario.sidecar()?.wait_for_log("scanning", Duration::from_secs(30)).await?;
    commit(&scenario, &mut early).await?;
    scenario.wait_for_snapshots(1).await?;
    let mut committed = prepare(&scenario, 2).await?;
    let (mut aborted, _) = prepare(&scenario, 3).await?;
    let undecided = prepare(&scenario, 4).await?;
    let prepared_at = scenario.now().await?;
    scenario.insert("bank", "other", [doc! { "_id": 1 }]).await?;
    commit(&scenario, &mut committed).await?;
    aborted.abort_transaction().await?;
    let last = scenario.insert("bank", "other", [doc! { "_id": 2 }]).await?;
    scenario.wait_archived(last).await?;
    scenario.stop_archiving().await?;
    ensure!(ClusterTime::from(undecided.1) < prepared_at);

    // `_id` and `moved` of every account.
    let accounts = async |target: ClusterTime| -> Result<Vec<(i32, Option<i32>)>> {
        let restored = scenario.restore(target).await?;
        let found = restored.client().database("bank").collection::<Document>("accounts");
        let documents: Vec<Document> = found.find(doc! {}).sort(doc! { "_id": 1 }).await?.try_collect().await?;
        documents.iter().map(|one| Ok((one.get_i32("_id")?, one.get_i32("moved").ok()))).collect()
    };
    let at_rest = [(3, Some(0)), (4, Some(0)), (101, None)];
    ensure!(accounts(prepared_at).await? == [&[(1, Some(1)), (2, Some(0))], &at_rest[..]].concat());
    ensure!(accounts(last).await? == [&[(1, Some(1)), (2, Some(1))], &at_rest[..], &[(102, None)]].concat());
    Ok(())
}
