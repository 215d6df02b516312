//! Index definitions at the target are those of that moment, and unique indexes never stand in the way of replay.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Scenario, faults};
use mongodb::bson::{Document, doc};

fn create(collection: &str, specification: Document) -> Document {
    doc! { "createIndexes": collection, "indexes": [specification] }
}

fn change(collection: &str, index: Document) -> Document {
    doc! { "collMod": collection, "index": index }
}

/// Case 14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indexes_created_dropped_and_changed_in_the_window_are_as_at_the_end() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    for name in ["orders", "cleared", "changed", "unique", "partial"] {
        scenario.insert("shop", name, (0..50).map(|id| doc! { "_id": id, "a": id, "b": id % 3 })).await?;
        for field in ["a", "b"] {
            scenario.run("shop", create(name, doc! { "key": { field: 1 }, "name": field })).await?;
        }
    }
    scenario.begin_archiving().await?;
    let orders = [
        doc! { "key": { "b": 1, "a": -1 }, "name": "both" },
        doc! { "key": { "a": "hashed" }, "name": "hashed" },
        doc! { "key": { "at": 1 }, "name": "expire", "expireAfterSeconds": 3_600 },
    ];
    // Two in one command are two builds that commit in one entry.
    scenario.run("shop", doc! { "createIndexes": "orders", "indexes": orders.to_vec() }).await?;
    scenario.run("shop", doc! { "dropIndexes": "orders", "index": "a" }).await?;
    scenario.run("shop", doc! { "dropIndexes": "orders", "index": { "b": 1 } }).await?;
    scenario.run("shop", doc! { "dropIndexes": "cleared", "index": "*" }).await?;
    scenario.run("shop", doc! { "dropIndexes": "partial", "index": ["a", "b"] }).await?;
    scenario.run("shop", create("partial", doc! { "key": { "a": 1 }, "name": "a", "sparse": true })).await?;
    scenario.run("shop", change("changed", doc! { "name": "a", "hidden": true })).await?;
    scenario.run("shop", change("changed", doc! { "keyPattern": { "b": 1 }, "expireAfterSeconds": 60 })).await?;
    scenario.run("shop", change("orders", doc! { "name": "expire", "expireAfterSeconds": 7_200 })).await?;
    scenario.run("shop", change("unique", doc! { "name": "a", "prepareUnique": true })).await?;
    scenario.run("shop", change("unique", doc! { "name": "a", "unique": true })).await?;
    scenario.run("shop", change("unique", doc! { "name": "b", "hidden": true })).await?;
    scenario.run("shop", change("unique", doc! { "name": "b", "hidden": false })).await?;
    let middle = scenario.moment().await?;
    scenario.run("shop", doc! { "collMod": "unique", "index": { "name": "a", "unique": true } }).await?;
    scenario.run("shop", change("unique", doc! { "name": "a", "forceNonUnique": true })).await?;
    // On a collection without documents an index is created by another kind of entry.
    scenario.run("shop", doc! { "create": "empty" }).await?;
    scenario.run("shop", create("empty", doc! { "key": { "a": 1 }, "name": "a", "unique": true })).await?;
    scenario.run("shop", create("implicit", doc! { "key": { "a": 1 }, "name": "a" })).await?;
    let moment = scenario.moment().await?;
    scenario.assert_restores(&middle).await?;
    scenario.assert_restores(&moment).await?;
    Ok(())
}

/// Case 14: builds that span the snapshot, one that commits and one that is aborted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_build_that_spans_the_snapshot_counts_only_when_it_commits() -> Result<()> {
    let mut scenario = Scenario::with_faults().await?;
    for name in ["good", "bad", "stopped"] {
        scenario.insert("shop", name, (0..50).map(|id| doc! { "_id": id, "same": 1 })).await?;
    }
    // The scan of the collection would refuse it at once: the duplicates come in while the build stands.
    let hang = "hangAfterStartingIndexBuild";
    faults::set(&scenario.client(), hang, true).await?;
    let build = |name: &'static str, unique: bool| {
        let database = scenario.client().database("shop");
        let command = create(name, doc! { "key": { "same": 1 }, "name": "same", "unique": unique });
        tokio::spawn(async move { database.run_command(command).await })
    };
    let (good, bad, stopped) = (build("good", false), build("bad", true), build("stopped", false));
    let client = scenario.client();
    let wait = doc! { "waitForFailPoint": hang, "timesEntered": 3, "maxTimeMS": 20_000 };
    client.database("admin").run_command(wait).await?;
    scenario.begin_archiving().await?;
    let running = scenario.now().await?;
    scenario.insert("shop", "good", [doc! { "_id": 100, "same": 2 }]).await?;
    // Indexes are dropped by name while they are built: the build is aborted.
    let database = scenario.client().database("shop");
    let abort =
        tokio::spawn(async move { database.run_command(doc! { "dropIndexes": "stopped", "index": "same" }).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    faults::set(&client, hang, false).await?;
    good.await??;
    ensure!(bad.await?.is_err(), "duplicates abort the unique index");
    ensure!(stopped.await?.is_err(), "dropping it aborts the build");
    abort.await??;
    let moment = scenario.moment().await?;
    let built = |state: &testkit::StateCapture, name: &str| {
        state.get(name).is_some_and(|collection| collection.indexes.contains_key("same"))
    };
    ensure!(built(&moment.state, "shop.good") && !built(&moment.state, "shop.bad"), "the builds ended as planned");
    scenario.assert_restores(&moment).await?;
    let unfinished = scenario.restore(running).await?;
    ensure!(!built(&unfinished.state, "shop.good"), "a build that was not finished at the target is no index");
    ensure!(unfinished.ids("shop", "good").await?.len() == 50);
    Ok(())
}

/// Case 15: the key moves between documents, which a unique index would refuse in any order but the one of the source.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unique_key_that_moves_between_documents_does_not_stop_the_replay() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "seats", (0..100).map(|id| doc! { "_id": id, "seat": id })).await?;
    scenario.run("shop", create("seats", doc! { "key": { "seat": 1 }, "name": "seat", "unique": true })).await?;
    scenario.begin_archiving().await?;
    let set = |id: i32, seat: i32| doc! { "q": { "_id": id }, "u": { "$set": { "seat": seat } } };
    for id in (0..100).step_by(2) {
        let updates = vec![set(id, -1), set(id + 1, id), set(id, id + 1)];
        scenario.run("shop", doc! { "update": "seats", "updates": updates }).await?;
    }
    scenario.run("shop", doc! { "delete": "seats", "deletes": [{ "q": { "_id": 7 }, "limit": 1 }] }).await?;
    scenario.insert("shop", "seats", [doc! { "_id": 200, "seat": 6 }]).await?;
    let moment = scenario.moment().await?;
    scenario.assert_restores(&moment).await?;
    Ok(())
}
