//! Documents that are due to expire stay until the operator says so.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::{Restored, Scenario};
use mongodb::bson::{DateTime, Document, doc};
use testkit::ReplicaSet;

async fn eager_destination() -> Result<ReplicaSet> {
    ReplicaSet::builder().set_parameter("ttlMonitorSleepSecs", "1").start().await
}

async fn count(restored: &Restored, collection: &str) -> Result<u64> {
    let found = restored.client().database("shop").collection::<Document>(collection);
    Ok(found.count_documents(doc! {}).await?)
}

async fn wait_until_expired(restored: &Restored) -> Result<()> {
    let limit = Instant::now() + Duration::from_secs(30);
    for name in ["sessions", "clustered", "changed"] {
        while count(restored, name).await? > 0 {
            ensure!(Instant::now() < limit, "{name} does not expire");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    ensure!(count(restored, "kept").await? == 10);
    Ok(())
}

/// Case 45.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_documents_stay_until_their_indexes_are_released() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    let clustered = doc! { "key": { "_id": 1 }, "unique": true };
    scenario
        .run("shop", doc! { "create": "clustered", "clusteredIndex": clustered, "expireAfterSeconds": 1_i64 })
        .await?;
    let old = |n: i64| DateTime::from_millis(n * 1_000);
    scenario.insert("shop", "clustered", (0..10).map(|n| doc! { "_id": old(n) })).await?;
    for name in ["sessions", "changed", "kept"] {
        scenario.insert("shop", name, (0..10_i32).map(|n| doc! { "_id": n, "at": old(n.into()) })).await?;
    }
    let index = |seconds: i32| vec![doc! { "key": { "at": 1 }, "name": "ttl", "expireAfterSeconds": seconds }];
    scenario.run("shop", doc! { "createIndexes": "sessions", "indexes": index(1) }).await?;
    scenario.run("shop", doc! { "createIndexes": "kept", "indexes": index(i32::MAX) }).await?;
    scenario.begin_archiving().await?;
    scenario.run("shop", doc! { "createIndexes": "changed", "indexes": index(1_000_000_000) }).await?;
    let sooner = doc! { "name": "ttl", "expireAfterSeconds": 1 };
    scenario.run("shop", doc! { "collMod": "changed", "index": sooner }).await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;

    let restored = scenario.restore_into(eager_destination().await?, moment.at).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    for name in ["clustered", "sessions", "changed", "kept"] {
        ensure!(count(&restored, name).await? == 10, "{name} expired although it is parked");
    }
    restored.assert_equals(&moment)?;
    let parked = restored.report["ttl_parked"].as_array().map(Vec::len);
    ensure!(parked == Some(4), "{}", restored.report);
    let uri = restored.set.uri();
    scenario.cli_ok(&["release", "--destination", &uri]).await?;
    wait_until_expired(&restored).await?;
    scenario.cli_ok(&["release", "--destination", &uri]).await?;
    restored.client().database("shop").collection::<Document>("kept").drop().await?;
    let release = scenario.cli(&["release", "--destination", &uri]).await?;
    ensure!(release.exit_code == 10 && release.json()?["missing"][0]["namespace"] == "shop.kept", "{release:?}");
    drop(restored);

    let set = eager_destination().await?;
    let (at, uri) = (moment.at.to_string(), set.uri());
    let report = scenario.cli_ok(&["restore", "--to", &at, "--destination", &uri, "--release", "--yes"]).await?;
    let state = testkit::capture(&set.client(), None, testkit::Detail::Documents).await?;
    wait_until_expired(&Restored { set, report, state }).await
}

/// After `release` the definitions are those of the source, to the number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn released_definitions_equal_those_of_the_source() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    let series =
        doc! { "create": "series", "timeseries": { "timeField": "at" }, "expireAfterSeconds": 1_000_000_000_i64 };
    scenario.run("shop", series).await?;
    scenario.insert("shop", "series", [doc! { "at": DateTime::now(), "v": 1 }]).await?;
    scenario.insert("shop", "orders", [doc! { "_id": 1, "at": DateTime::now() }]).await?;
    for seconds in [10_i32, 2_000_000] {
        let name = format!("after {seconds}");
        let index = doc! { "key": { &name: 1 }, "name": &name, "expireAfterSeconds": seconds };
        scenario.run("shop", doc! { "createIndexes": "orders", "indexes": [index] }).await?;
    }
    scenario.begin_archiving().await?;
    let moment = scenario.moment().await?;
    let restored = scenario.assert_restores(&moment).await?;
    scenario.cli_ok(&["release", "--destination", &restored.set.uri()]).await?;
    let state = testkit::capture(&restored.client(), None, testkit::Detail::Documents).await?;
    moment.state.assert_same(&state, &testkit::DiffOptions::default(), "after the release");
    Ok(())
}
