//! Renames, drops and everything else that changes what a name means, in the window and under a running scan.

use anyhow::{Result, ensure};
use e2e::Scenario;
use mongodb::bson::{Document, doc};

fn rename(from: &str, to: &str, drop_target: bool) -> Document {
    doc! { "renameCollection": from, "to": to, "dropTarget": drop_target }
}

fn documents(count: i32, tag: &str) -> impl Iterator<Item = Document> {
    (0..count).map(move |id| doc! { "_id": id, "tag": tag })
}

/// Case 11.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renamed_collections_are_followed() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    for name in ["one", "two", "three", "four", "five", "six"] {
        scenario.insert("shop", name, documents(20, name)).await?;
        let index = doc! { "key": { "tag": 1 }, "name": format!("{name} by tag") };
        scenario.run("shop", doc! { "createIndexes": name, "indexes": [index] }).await?;
    }
    scenario.insert("other", "kept", documents(1, "kept")).await?;
    scenario.begin_archiving().await?;

    scenario.run("admin", rename("shop.one", "shop.uno", false)).await?;
    scenario.insert("shop", "uno", [doc! { "_id": 100, "after": "rename" }]).await?;
    // The name is taken again by another collection.
    scenario.insert("shop", "one", documents(3, "new one")).await?;
    scenario.run("admin", rename("shop.two", "shop.three", true)).await?;
    scenario.run("shop", doc! { "delete": "three", "deletes": [{ "q": { "_id": 1 }, "limit": 1 }] }).await?;
    scenario.run("admin", rename("shop.four", "other.vier", false)).await?;
    scenario
        .run("other", doc! { "update": "vier", "updates": [{ "q": { "_id": 2 }, "u": { "$set": { "x": 1 } } }] })
        .await?;
    // Two names change places.
    scenario.run("admin", rename("shop.five", "shop.swap", false)).await?;
    scenario.run("admin", rename("shop.six", "shop.five", false)).await?;
    scenario.run("admin", rename("shop.swap", "shop.six", false)).await?;
    let moment = scenario.moment().await?;
    scenario.assert_restores(&moment).await?;
    Ok(())
}

/// Case 11, while the scan stands inside the collection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_renamed_under_the_scan_is_whole() -> Result<()> {
    let mut scenario = Scenario::with_faults().await?;
    scenario.fill_for_two_batches("shop", "bulk").await?;
    scenario.insert("shop", "a", documents(10, "a")).await?;
    scenario.insert("shop", "b", documents(10, "b")).await?;
    scenario.begin_archiving().await?;
    scenario
        .snapshot_while("shop.bulk", async || {
            scenario.run("admin", rename("shop.bulk", "shop.renamed", false)).await?;
            scenario.insert("shop", "renamed", [doc! { "_id": 100 }]).await?;
            scenario.insert("shop", "bulk", documents(2, "another")).await?;
            scenario.run("admin", rename("shop.a", "elsewhere.a", false)).await?;
            scenario.run("admin", rename("elsewhere.a", "shop.b", true)).await?;
            Ok(())
        })
        .await?;
    let moment = scenario.moment().await?;
    scenario.assert_restores(&moment).await?;
    Ok(())
}

/// Case 12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_converted_to_capped_leaves_no_temporary_one() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "log", documents(50, "log")).await?;
    scenario.insert("shop", "scratch", documents(5, "scratch")).await?;
    scenario.begin_archiving().await?;
    scenario.run("shop", doc! { "convertToCapped": "log", "size": 1 << 20 }).await?;
    scenario.insert("shop", "log", (100..110).map(|id| doc! { "_id": id })).await?;
    let clone = doc! { "cloneCollectionAsCapped": "scratch", "toCollection": "ring", "size": 4096 };
    scenario.run("shop", clone).await?;
    scenario.insert("shop", "ring", (100..200).map(|id| doc! { "_id": id })).await?;
    let moment = scenario.moment().await?;
    let restored = scenario.assert_restores(&moment).await?;
    ensure!(
        restored.state.collections.keys().all(|name| !name.contains("tmp")),
        "{:?}",
        restored.state.collections.keys()
    );
    Ok(())
}

/// Case 13.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_and_recreated_collections_and_databases_are_as_at_the_end() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    for (database, name) in [("shop", "gone"), ("shop", "again"), ("old", "a"), ("old", "b"), ("reborn", "a")] {
        scenario.insert(database, name, documents(20, "before")).await?;
    }
    scenario.begin_archiving().await?;
    scenario.insert("shop", "gone", [doc! { "_id": 100 }]).await?;
    scenario.run("shop", doc! { "drop": "gone" }).await?;
    scenario.run("shop", doc! { "drop": "again" }).await?;
    let collation = doc! { "locale": "de", "strength": 2 };
    scenario
        .run("shop", doc! { "create": "again", "collation": collation, "validator": { "_id": { "$gt": 0 } } })
        .await?;
    scenario.insert("shop", "again", (1..5).map(|id| doc! { "_id": id, "tag": "after" })).await?;
    scenario.run("old", doc! { "dropDatabase": 1 }).await?;
    scenario.run("reborn", doc! { "dropDatabase": 1 }).await?;
    scenario.insert("reborn", "a", documents(2, "reborn")).await?;
    scenario.insert("reborn", "fleeting", documents(2, "x")).await?;
    scenario.run("reborn", doc! { "drop": "fleeting" }).await?;
    let moment = scenario.moment().await?;
    scenario.assert_restores(&moment).await?;
    Ok(())
}

/// Case 13, while the scan stands inside the collection; and 17, inserts into a collection dropped before it was listed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collections_dropped_and_created_under_the_scan_do_not_disturb_the_others() -> Result<()> {
    let mut scenario = Scenario::with_faults().await?;
    scenario.fill_for_two_batches("shop", "bulk").await?;
    scenario.fill_for_two_batches("shop", "doomed").await?;
    scenario.insert("shop", "short", documents(10, "short")).await?;
    scenario.insert("old", "a", documents(10, "a")).await?;
    scenario.begin_archiving().await?;
    let while_doomed = async || {
        scenario.run("shop", doc! { "drop": "doomed" }).await?;
        scenario.insert("shop", "doomed", documents(3, "again")).await?;
        scenario.run("shop", doc! { "drop": "short" }).await?;
        scenario.run("old", doc! { "dropDatabase": 1 }).await?;
        scenario.insert("fresh", "born", documents(3, "born")).await?;
        scenario.insert("fresh", "fleeting", documents(3, "born")).await?;
        scenario.run("fresh", doc! { "drop": "fleeting" }).await?;
        Ok(())
    };
    scenario.snapshot_while("shop.doomed", while_doomed).await?;
    let end = scenario.moment().await?;
    scenario.insert("shop", "doomed", [doc! { "_id": 100 }]).await?;
    scenario.run("shop", doc! { "drop": "bulk" }).await?;
    let moment = scenario.moment().await?;
    scenario.assert_restores(&end).await?;
    scenario.assert_restores(&moment).await?;
    Ok(())
}
