//! Multi-document transactions: whole or not at all, however large and wherever they are cut.

use anyhow::{Context, Result, ensure};
use archive::ClusterTime;
use e2e::Scenario;
use mongodb::ClientSession;
use mongodb::bson::{Document, doc};

const MEGABYTE: usize = 1 << 20;

async fn write_large(scenario: &Scenario, session: &mut ClientSession, first: i32) -> Result<()> {
    let collection = scenario.client().database("bank").collection::<Document>("large");
    let fill = "x".repeat(MEGABYTE);
    for id in first..first + 30 {
        collection.insert_one(doc! { "_id": id, "fill": &fill }).session(&mut *session).await?;
    }
    let accounts = scenario.client().database("bank").collection::<Document>("accounts");
    accounts.update_one(doc! { "_id": 1 }, doc! { "$inc": { "moved": first } }).session(&mut *session).await?;
    Ok(())
}

/// The times of the entries of the newest chain, in order.
async fn newest_chain(scenario: &Scenario) -> Result<Vec<ClusterTime>> {
    let oplog = scenario.client().database("local").collection::<Document>("oplog.rs");
    let chain = doc! { "ns": "admin.$cmd", "o.applyOps": { "$exists": true } };
    let mut cursor = oplog.find(chain).projection(doc! { "ts": 1, "txnNumber": 1 }).sort(doc! { "ts": -1 }).await?;
    let mut times: Vec<ClusterTime> = Vec::new();
    let mut number = None;
    while cursor.advance().await? {
        let entry: Document = cursor.deserialize_current()?;
        if *number.get_or_insert(entry.get_i64("txnNumber")?) != entry.get_i64("txnNumber")? {
            break;
        }
        times.push(entry.get_timestamp("ts")?.into());
    }
    times.reverse();
    Ok(times)
}

/// Case 6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_of_30_mb_over_slice_borders_is_there_after_its_commit_and_not_before() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.flags = vec!["--slice-bytes".to_owned(), "1MiB".to_owned()];
    scenario.run("bank", doc! { "create": "large" }).await?;
    scenario.insert("bank", "accounts", [doc! { "_id": 1, "moved": 0 }]).await?;
    scenario.begin_archiving().await?;

    let mut session = scenario.client().start_session().await?;
    session.start_transaction().await?;
    write_large(&scenario, &mut session, 0).await?;
    session.abort_transaction().await?;
    let aborted = scenario.moment().await?;
    session.start_transaction().await?;
    write_large(&scenario, &mut session, 100).await?;
    session.commit_transaction().await?;
    let committed = scenario.archived_moment().await?;
    let slices = scenario.archive.slices()?;
    scenario.stop_archiving().await?;

    let chain = newest_chain(&scenario).await?;
    ensure!(chain.len() >= 2, "the transaction is a chain of entries: {chain:?}");
    let borders = slices.iter().filter_map(|key| match key.parse() {
        Ok(archive::layout::ObjectKey::Slice { id, .. }) => Some(id.through),
        _ => None,
    });
    let inside = borders.filter(|through| chain[0] <= *through && *through < chain[chain.len() - 1]).count();
    ensure!(inside > 0, "no slice ends inside the chain {chain:?}: {slices:?}");

    let between = scenario.restore(chain[chain.len() - 2]).await?;
    between.assert_state(&aborted.state)?;
    drop(between);
    scenario.assert_restores(&committed).await?;
    Ok(())
}

/// Cases 6 and 8: open before the snapshots begin, committed while one reads and after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_open_across_a_snapshot_are_applied_or_not_as_they_end() -> Result<()> {
    let mut scenario = Scenario::with_faults().await?;
    scenario.run("bank", doc! { "create": "large" }).await?;
    scenario.insert("bank", "accounts", (1..=4).map(|id| doc! { "_id": id, "moved": 0 })).await?;
    scenario.fill_for_two_batches("bank", "bulk").await?;
    let accounts = scenario.client().database("bank").collection::<Document>("accounts");
    let (mut large, mut late, mut abandoned) = (
        scenario.client().start_session().await?,
        scenario.client().start_session().await?,
        scenario.client().start_session().await?,
    );
    large.start_transaction().await?;
    write_large(&scenario, &mut large, 100).await?;
    for (session, id) in [(&mut late, 2), (&mut abandoned, 3)] {
        session.start_transaction().await?;
        let change = doc! { "$set": { "moved": id } };
        accounts.update_one(doc! { "_id": id }, change).session(&mut *session).await?;
    }
    scenario.begin_archiving().await?;
    let during = scenario
        .snapshot_while("bank.bulk", async || {
            accounts.update_one(doc! { "_id": 4 }, doc! { "$inc": { "moved": 1 } }).await?;
            large.commit_transaction().await?;
            Ok(())
        })
        .await;
    during.context("commit during the snapshot")?;
    late.commit_transaction().await?;
    abandoned.abort_transaction().await?;
    let moment = scenario.moment().await?;
    let restored = scenario.assert_restores(&moment).await?;
    ensure!(restored.ids("bank", "large").await?.len() == 30);
    Ok(())
}
