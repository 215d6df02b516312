//! Every kind of collection, index, view and name comes back with its definition.

use anyhow::{Context, Result, ensure};
use e2e::Scenario;
use mongodb::bson::{DateTime, Document, doc};
use testkit::weird;

/// Case 24.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_older_than_their_validator_are_restored_and_the_validator_too() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "loaded", (0..20).map(|id| doc! { "_id": id, "price": "free" })).await?;
    let validator = doc! { "$jsonSchema": { "required": ["price"], "properties": { "price": { "bsonType": "int" } } } };
    scenario.run("shop", doc! { "collMod": "loaded", "validator": validator.clone() }).await?;
    scenario.begin_archiving().await?;
    scenario.insert("shop", "replayed", (0..20).map(|id| doc! { "_id": id, "price": "free" })).await?;
    let moderate = doc! { "collMod": "replayed", "validator": validator, "validationLevel": "moderate" };
    scenario.run("shop", moderate).await?;
    let sold = doc! { "q": { "_id": 3 }, "u": { "$set": { "sold": true } } };
    scenario.run("shop", doc! { "update": "replayed", "updates": [sold] }).await?;
    scenario.run("shop", doc! { "collMod": "loaded", "validationAction": "warn" }).await?;
    let moment = scenario.moment().await?;
    let restored = scenario.assert_restores(&moment).await?;
    let refused = restored.client().database("shop").collection("replayed").insert_one(doc! { "price": "free" }).await;
    ensure!(refused.is_err(), "the restored validator is in force");
    Ok(())
}

/// Case 25.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_on_views_and_time_series_come_back_with_the_order_of_their_stages() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", (0..20).map(|id| doc! { "_id": id, "total": id, "b": 1, "a": 2 })).await?;
    let series = doc! { "create": "temperatures", "timeseries": { "timeField": "at", "metaField": "m" } };
    scenario.run("shop", series).await?;
    scenario.insert("shop", "temperatures", [doc! { "at": DateTime::from_millis(1), "m": 1, "v": 2 }]).await?;
    let view =
        |name: &str, on: &str, pipeline: Vec<Document>| doc! { "create": name, "viewOn": on, "pipeline": pipeline };
    // The names sort before what they are made of, so that alphabetic order fails.
    let ordered = doc! { "$sort": { "b": -1, "a": 1, "total": -1 } };
    scenario
        .run("shop", view("b view", "c view", vec![doc! { "$match": { "total": { "$gt": 3 } } }, ordered.clone()]))
        .await?;
    scenario.run("shop", view("c view", "orders", vec![doc! { "$match": { "b": 1, "a": 2 } }])).await?;
    scenario.run("shop", view("gone", "orders", vec![])).await?;
    scenario.begin_archiving().await?;
    scenario.run("shop", view("a view", "b view", vec![doc! { "$limit": 5 }])).await?;
    scenario.run("shop", view("of series", "temperatures", vec![doc! { "$match": { "v": { "$gt": 1 } } }])).await?;
    let mut collated = view("collated", "names", vec![]);
    collated.insert("collation", doc! { "locale": "sv" });
    scenario.run("shop", collated).await?;
    scenario.run("shop", doc! { "collMod": "c view", "viewOn": "orders", "pipeline": [ordered] }).await?;
    scenario.run("shop", doc! { "drop": "gone" }).await?;
    // A collection takes the name of a view that was.
    scenario.insert("shop", "gone", [doc! { "_id": 1 }]).await?;
    let moment = scenario.moment().await?;
    let restored = scenario.assert_restores(&moment).await?;
    for (name, expected) in [("a view", 5), ("of series", 1)] {
        let seen = restored.client().database("shop").collection::<Document>(name).count_documents(doc! {}).await?;
        ensure!(seen == expected, "{name} shows {seen} documents");
    }
    Ok(())
}

pub async fn create_every_kind(scenario: &Scenario, database: &str) -> Result<()> {
    let clustered =
        doc! { "create": "clustered", "clusteredIndex": { "key": { "_id": 1 }, "unique": true, "name": "by id" } };
    let mut expiring = clustered.clone();
    expiring.insert("create", "expiring");
    expiring.insert("expireAfterSeconds", 1_000_000_i64);
    for create in [
        clustered,
        expiring,
        doc! { "create": "capped", "capped": true, "size": 8_192, "max": 20 },
        doc! { "create": "by size", "capped": true, "size": 4_096 },
        doc! { "create": "german", "collation": { "locale": "de", "strength": 1 } },
        doc! { "create": "images", "changeStreamPreAndPostImages": { "enabled": true } },
        doc! { "create": "engine", "storageEngine": { "wiredTiger": { "configString": "block_compressor=zlib" } } },
    ] {
        scenario.run(database, create).await?;
    }
    for name in ["clustered", "capped", "by size", "german", "images", "engine", "indexed"] {
        let documents = (0..40).map(
            |id| doc! { "_id": id, "text": format!("wörd {id}"), "at": DateTime::from_millis(1), "place": [id, -id] },
        );
        scenario.insert(database, name, documents).await?;
    }
    scenario.insert(database, "expiring", [doc! { "_id": DateTime::now() }]).await?;
    let simple = doc! { "key": { "text": 1 }, "name": "simple", "collation": { "locale": "simple" } };
    let own = doc! { "key": { "text": 1 }, "name": "own" };
    scenario.run(database, doc! { "createIndexes": "german", "indexes": [simple, own] }).await?;
    let indexes = [
        doc! { "key": { "at": 1 }, "name": "ttl", "expireAfterSeconds": 5 },
        doc! { "key": { "$**": 1 }, "name": "wildcard", "wildcardProjection": { "secret": 0 } },
        doc! { "key": { "deep.$**": 1 }, "name": "wildcard below" },
        doc! { "key": { "text": "text" }, "name": "words", "default_language": "german", "weights": { "text": 7 } },
        doc! { "key": { "place": "2dsphere" }, "name": "sphere", "2dsphereIndexVersion": 2 },
        doc! { "key": { "place": "2dsphere", "at": 1 }, "name": "newest sphere" },
        doc! { "key": { "place": "2d" }, "name": "flat", "min": -500.0, "max": 500.0, "bits": 20 },
        doc! { "key": { "_id": "hashed" }, "name": "hashed id" },
        doc! { "key": { "a": 1 }, "name": "partial", "partialFilterExpression": {} },
        doc! { "key": { "b": 1 }, "name": "partly", "partialFilterExpression": { "b": { "$gt": 1 } }, "unique": true },
        doc! { "key": { "c": -1.5 }, "name": "odd direction" },
        doc! { "key": { "d": 1 }, "name": "sparse and hidden", "sparse": true, "hidden": true },
        doc! { "key": { "e": 1 }, "name": "french", "collation": { "locale": "fr", "backwards": true } },
    ];
    for index in indexes {
        let place = index.get_str("name")?.to_owned();
        let create = doc! { "createIndexes": "indexed", "indexes": [index] };
        scenario.run(database, create).await.with_context(|| place)?;
    }
    Ok(())
}

/// Case 26.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_collection_and_index_comes_from_the_snapshot_and_from_the_oplog() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    create_every_kind(&scenario, "loaded").await?;
    scenario.begin_archiving().await?;
    create_every_kind(&scenario, "replayed").await?;
    // Evicts what was loaded, and some of what is inserted.
    scenario.insert("loaded", "capped", (100..115).map(|id| doc! { "_id": id })).await?;
    scenario.insert("loaded", "by size", (100..160).map(|id| doc! { "_id": id, "x": "y".repeat(100) })).await?;
    let moment = scenario.moment().await?;
    let restored = scenario.assert_restores(&moment).await?;
    ensure!(restored.report["ttl_parked"].as_array().is_some_and(|parked| parked.len() == 4), "{}", restored.report);
    Ok(())
}

/// The limits of a capped collection are its newest ones, and no document is evicted that the source still has: the
/// server evicts at the next insert, not when a limit falls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lowered_limits_of_capped_collections_evict_nothing() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    let ids: Vec<i32> = (1..=8).collect();
    for name in ["lowered before", "lowered after", "shrunk after"] {
        scenario.run("ring", doc! { "create": name, "capped": true, "size": 100_000, "max": 10 }).await?;
        scenario.insert("ring", name, ids.iter().map(|id| doc! { "_id": *id, "x": "y".repeat(1_000) })).await?;
    }
    scenario.run("ring", doc! { "collMod": "lowered before", "cappedMax": 4 }).await?;
    scenario.begin_archiving().await?;
    scenario.run("ring", doc! { "collMod": "lowered after", "cappedMax": 4 }).await?;
    scenario.run("ring", doc! { "collMod": "shrunk after", "cappedSize": 4_096 }).await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let restored = scenario.restore("latest").await?;
    restored.assert_state(&moment.state)?;
    let listed = restored.client().database("ring").run_command(doc! { "listCollections": 1 }).await?;
    for (name, option) in
        [("lowered before", "\"max\": 4"), ("lowered after", "\"max\": 4"), ("shrunk after", "\"size\": 4096")]
    {
        ensure!(restored.ids("ring", name).await? == ids, "{name}");
        let batch = listed.get_document("cursor")?.get_array("firstBatch")?;
        let options = batch.iter().map(ToString::to_string).find(|one| one.contains(&format!("\"{name}\"")));
        ensure!(options.as_ref().is_some_and(|options| options.contains(option)), "{name}: {options:?}");
    }
    Ok(())
}

/// Case 27.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_names_come_back_from_the_snapshot_and_from_the_oplog() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    let names = weird::names();
    weird::load_names(&scenario.client()).await?;
    // Half of them are created, dropped or changed in the window as well.
    scenario.begin_archiving().await?;
    for (database, name) in names.iter().step_by(2) {
        scenario.insert(database, name, [doc! { "_id": "later", "name": name }]).await?;
    }
    for (database, name) in names.iter().skip(1).step_by(4) {
        scenario.run(database, doc! { "drop": name }).await?;
    }
    for (database, name) in names.iter().skip(1).step_by(8) {
        scenario.insert(database, name, [doc! { "_id": "again" }]).await?;
    }
    let moment = scenario.moment().await?;
    let restored = scenario.assert_restores(&moment).await?;
    ensure!(restored.state.collections.len() > names.len() / 2);
    Ok(())
}
