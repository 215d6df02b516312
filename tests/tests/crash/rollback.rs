//! What a primary alone had, and lost again to the next one: a snapshot that saw it says nothing of it.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Scenario, server};
use mongodb::bson::{Document, doc};
use testkit::Sidecar;

/// A primary changes a definition while the only other member with data is down, so that nothing of it is committed. A
/// snapshot of that primary begins, it dies, and the other member goes on without the change.
async fn assert_forgotten(database: &str, mut change: Document) -> Result<()> {
    let mut scenario = Scenario::of(server().members(2).arbiter(true).start().await?)?;
    for name in ["orders", "precious"] {
        scenario.insert("shop", name, (0..10).map(|id| doc! { "_id": id, "n": id })).await?;
    }
    let index = doc! { "key": { "n": 1 }, "name": "by number" };
    scenario.run("shop", doc! { "createIndexes": "precious", "indexes": [index] }).await?;
    // Of a majority.
    scenario.now().await?;
    let (old, next) = (scenario.source.primary().await?, scenario.source.secondaries().await[0]);
    let primary = scenario.source.member_client(old).await?;
    // A server that is killed before its first checkpoint counts its oplog as empty, and no cursor can follow that.
    for member in [&primary, &scenario.source.member_client(next).await?] {
        member.database("admin").run_command(doc! { "fsync": 1 }).await?;
    }
    scenario.source.kill(next)?;
    change.insert("writeConcern", doc! { "w": 1 });
    primary.database(database).run_command(change).await?;
    let host = scenario.source.hosts()[old].clone();
    let mut arguments = scenario.sidecar_arguments("snapshot");
    arguments.extend(["--member".to_owned(), host]);
    let mut snapshot = Sidecar::run(arguments)?;
    snapshot.wait_for_log("snapshot begun", Duration::from_secs(20)).await?;
    // It gets as far as it can: to a scan that waits for the majority, or to the wait for it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    ensure!(snapshot.is_running() && scenario.archive.manifests()?.is_empty(), "{}", snapshot.log());

    scenario.source.kill(old)?;
    scenario.source.restart(next).await?;
    ensure!(scenario.source.primary().await? == next);
    scenario.source.restart(old).await?;
    scenario.insert("shop", "orders", [doc! { "_id": 100 }]).await?;
    let status = snapshot.wait(Duration::from_mins(1)).await?;
    let log = snapshot.log();
    if status.code() != Some(0) {
        // Giving up is right, too, when nothing is published.
        ensure!(scenario.archive.manifests()?.is_empty(), "{status}: {log}");
        scenario.take_snapshot().await?;
    }
    scenario.start_sidecar()?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let restored = scenario.restore(moment.at).await.map_err(|error| error.context(log.clone()))?;
    restored.assert_equals(&moment).map_err(|error| error.context(log))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_whose_creation_was_rolled_back_is_not_in_a_snapshot() -> Result<()> {
    assert_forgotten("shop", doc! { "create": "ghost" }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_whose_drop_was_rolled_back_is_in_a_snapshot() -> Result<()> {
    assert_forgotten("shop", doc! { "drop": "precious" }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_whose_renaming_was_rolled_back_has_its_old_name_in_a_snapshot() -> Result<()> {
    assert_forgotten("admin", doc! { "renameCollection": "shop.precious", "to": "shop.renamed" }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_option_whose_change_was_rolled_back_is_as_before_in_a_snapshot() -> Result<()> {
    assert_forgotten("shop", doc! { "collMod": "precious", "validator": { "n": { "$gte": 0 } } }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_whose_drop_was_rolled_back_is_in_a_snapshot() -> Result<()> {
    assert_forgotten("shop", doc! { "dropIndexes": "precious", "index": "by number" }).await
}
