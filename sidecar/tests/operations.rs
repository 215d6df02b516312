//! Operations under way at a real server: what runs for long is seen while it runs, and what waits by nature is not.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::time::Duration;

use anyhow::{Context as _, Result};
use bson::{Document, doc};
use support::watched::{Watched, is, sum, value};
use support::{fill, until};
use testkit::ReplicaSet;

mod support;

const LIMIT: Duration = Duration::from_mins(1);
/// Slow for each document that it looks at.
const SLOW: &str = "function() { sleep(100); return false; }";

/// Operations as `$currentOp` shows them to anybody, of a client that calls itself so.
async fn running(set: &ReplicaSet, app_name: &str) -> Result<Vec<Document>> {
    let pipeline = vec![
        doc! { "$currentOp": { "allUsers": true, "idleSessions": true } },
        doc! { "$match": { "appName": app_name, "active": true } },
    ];
    let command = doc! { "aggregate": 1, "pipeline": pipeline, "cursor": {} };
    let reply = set.client().database("admin").run_command(command).await?;
    let batch = reply.get_document("cursor")?.get_array("firstBatch")?;
    Ok(batch.iter().filter_map(|operation| operation.as_document().cloned()).collect())
}

/// Until such a client has an operation on `shop` that has been running for three seconds: the `hello` with which its
/// driver watches the server runs for ten.
async fn until_it_runs(set: &ReplicaSet, app_name: &str) -> Result<Document> {
    let is_old = |operation: &Document| {
        operation.get_str("ns").is_ok_and(|namespace| namespace.starts_with("shop."))
            && operation.get_i64("microsecs_running").is_ok_and(|micros| micros > 3_000_000)
    };
    until(app_name, LIMIT, async || running(set, app_name).await.ok()?.into_iter().find(is_old)).await
}

async fn kill(set: &ReplicaSet, operation: &Document) -> Result<()> {
    let command = doc! { "killOp": 1, "op": operation.get("opid").context("an id")?.clone() };
    set.client().database("admin").run_command(command).await?;
    Ok(())
}

fn longest(text: &str, op: &str) -> Option<f64> {
    value(text, &format!("tidemark_current_op_longest_seconds{{op=\"{op}\"}}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_operation_is_seen_until_it_ends_and_one_that_waits_for_a_lock_as_such() -> Result<()> {
    let set = ReplicaSet::single().await?;
    fill(&set, "shop", "orders", 0, 3000, 10).await?;
    let watched = Watched::start(&set.member_uri(0), None);
    let text = watched.until("operations are known", LIMIT, |text| longest(text, "find") == Some(0.0)).await?;
    assert!(is(&text, "tidemark_collector_success{collector=\"current_op\"}", 1.0), "{text}");
    assert!(!text.contains("tidemark_current_ops_by_namespace{"), "nothing runs for ten seconds: {text}");

    let client = set.member_client_named(0, "shop-api").await?;
    let report = tokio::spawn(async move {
        client.database("shop").collection::<Document>("orders").find_one(doc! { "$where": SLOW }).await
    });
    watched.until("a find runs", LIMIT, |text| longest(text, "find") >= Some(1.0)).await?;
    let over = |seconds: u32| format!("tidemark_current_ops_over_threshold{{op=\"find\",threshold=\"{seconds}\"}}");
    let text = watched.until("for ten seconds", LIMIT, |text| is(text, &over(10), 1.0)).await?;
    assert!(is(&text, &over(1), 1.0) && is(&text, &over(600), 0.0), "{text}");
    let by_namespace = ["db=\"shop\"", "coll=\"orders\""];
    assert!((sum(&text, "tidemark_current_ops_by_namespace", &by_namespace) - 1.0).abs() < f64::EPSILON, "{text}");
    assert!(sum(&text, "tidemark_current_op_namespace_longest_seconds", &by_namespace) >= 10.0, "{text}");
    for secret in ["sleep", "shop-api", "127.0.0.1:"] {
        let shown = text.lines().any(|line| line.starts_with("tidemark_current") && line.contains(secret));
        assert!(!shown, "{secret}: {text}");
    }

    // A drop waits for the transaction that wrote to the collection.
    fill(&set, "shop", "held", 0, 1, 10).await?;
    let held = set.client();
    let mut session = held.start_session().await?;
    session.start_transaction().await?;
    held.database("shop").collection("held").insert_one(doc! { "_id": 7 }).session(&mut session).await?;
    let client = set.member_client_named(0, "shop-admin").await?;
    let dropping = tokio::spawn(async move { client.database("shop").collection::<Document>("held").drop().await });
    let waiting = "tidemark_current_ops_waiting{reason=\"lock\"}";
    watched.until("the drop waits", LIMIT, |text| is(text, waiting, 1.0)).await?;
    session.abort_transaction().await?;
    dropping.await??;
    watched.until("nobody waits", LIMIT, |text| is(text, waiting, 0.0)).await?;

    kill(&set, &until_it_runs(&set, "shop-api").await?).await?;
    assert!(report.await?.is_err());
    let text = watched.until("it has ended", LIMIT, |text| longest(text, "find") == Some(0.0)).await?;
    assert!(!text.contains("tidemark_current_ops_by_namespace{"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_by_nature_and_what_is_our_own_is_no_long_operation() -> Result<()> {
    let set = ReplicaSet::builder().members(2).start().await?;
    let primary = set.primary().await?;
    let database = set.client().database("shop");
    database.create_collection("capped").capped(true).size(4096).await?;
    fill(&set, "shop", "capped", 0, 1, 10).await?;
    fill(&set, "shop", "orders", 0, 3000, 10).await?;
    let patience = Duration::from_mins(10);

    let client = set.member_client_named(primary, "tailer").await?;
    let tailing = tokio::spawn(async move {
        let (shop, mut session) = (client.database("shop"), client.start_session().await.unwrap());
        let find = doc! { "find": "capped", "tailable": true, "awaitData": true };
        let found = shop.run_command(find).session(&mut session).await.unwrap();
        let id = found.get_document("cursor").unwrap().get_i64("id").unwrap();
        let more = doc! { "getMore": id, "collection": "capped", "maxTimeMS": 600_000 };
        shop.run_command(more).session(&mut session).await
    });
    let client = set.member_client_named(primary, "streamer").await?;
    let streaming = tokio::spawn(async move {
        let mut stream = client.database("shop").watch().max_await_time(patience).await.unwrap();
        while stream.next_if_any().await.is_ok() {}
    });
    let client = set.member_client_named(primary, "tidemark sidecar").await?;
    let own = tokio::spawn(async move {
        client.database("shop").collection::<Document>("orders").find_one(doc! { "$where": SLOW }).await
    });
    // Between two statements nothing runs.
    let mut session = set.client().start_session().await?;
    session.start_transaction().await?;
    database.collection("orders").insert_one(doc! { "_id": -1 }).session(&mut session).await?;

    for app_name in ["tailer", "streamer", "tidemark sidecar"] {
        until_it_runs(&set, app_name).await?;
    }
    let watched = Watched::start(&set.member_uri(primary), None);
    let text = watched.until("operations are known", LIMIT, |text| longest(text, "find").is_some()).await?;
    for op in ["find", "getmore", "aggregate", "command", "insert"] {
        assert!(longest(&text, op).is_some_and(|longest| longest < 1.0), "{op}: {text}");
    }
    assert!(is(&text, "tidemark_transactions_open{state=\"inactive\"}", 1.0), "{text}");
    // They are still there, so it was not their absence that was seen.
    for app_name in ["tailer", "streamer", "tidemark sidecar"] {
        assert!(!running(&set, app_name).await?.is_empty(), "{app_name}");
    }
    session.abort_transaction().await?;
    own.abort();
    tailing.abort();
    streaming.abort();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_build_is_no_long_operation_and_tells_its_progress() -> Result<()> {
    let set = ReplicaSet::builder().set_parameter("enableTestCommands", "1").start().await?;
    fill(&set, "shop", "orders", 0, 1000, 10).await?;
    let admin = set.client().database("admin");
    let fail_point = |mode: &str| {
        doc! {
            "configureFailPoint": "hangIndexBuildDuringCollectionScanPhaseAfterInsertion",
            "mode": mode,
            "data": { "fieldsToMatch": { "_id": 500 } },
        }
    };
    admin.run_command(fail_point("alwaysOn")).await?;
    let client = set.member_client_named(0, "shop-admin").await?;
    let building = tokio::spawn(async move {
        let index = doc! { "key": { "filler": 1 }, "name": "filler_1" };
        client.database("shop").run_command(doc! { "createIndexes": "orders", "indexes": [index] }).await
    });
    let watched = Watched::start(&set.member_uri(0), None);
    let one = |text: &str| is(text, "tidemark_index_builds", 1.0);
    let age = "tidemark_index_build_longest_seconds";
    let text = watched.until("it builds", LIMIT, |text| one(text) && value(text, age) > Some(2.0)).await?;
    assert!(longest(&text, "command").is_some_and(|longest| longest < 1.0), "{text}");
    let progress = sum(&text, "tidemark_index_build_progress_ratio", &["db=\"shop\"", "coll=\"orders\""]);
    assert!(progress > 0.4 && progress < 0.6, "{progress}: {text}");
    admin.run_command(fail_point("off")).await?;
    building.await??;
    let text = watched.until("it is built", LIMIT, |text| is(text, "tidemark_index_builds", 0.0)).await?;
    assert!(!text.contains("tidemark_index_build_progress_ratio{"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_that_may_not_be_seen_are_not_shown_as_none() -> Result<()> {
    let set = ReplicaSet::builder().auth(true).start().await?;
    let admin = set.client().database("admin");
    let privilege =
        doc! { "resource": { "cluster": true }, "actions": ["serverStatus", "replSetGetStatus", "replSetGetConfig"] };
    admin.run_command(doc! { "createRole": "little", "privileges": [privilege], "roles": [] }).await?;
    admin.run_command(doc! { "createUser": "watcher", "pwd": "secret", "roles": ["little"] }).await?;
    let watched = Watched::start(&set.uri_as("watcher", "secret"), Some(&set.hosts()[0]));
    let refused = "tidemark_collector_success{collector=\"current_op\"}";
    let text = watched.until("it is refused", LIMIT, |text| is(text, refused, 0.0)).await?;
    assert!(is(&text, "tidemark_collector_success{collector=\"server_status\"}", 1.0), "{text}");
    let is_shown = |name: &str| text.lines().any(|line| line.starts_with(name));
    assert!(!is_shown("tidemark_current_op") && !is_shown("tidemark_index_build"), "{text}");
    assert!(is(&text, "tidemark_mongod_authorized", 0.0), "{text}");
    admin.run_command(doc! { "grantRolesToUser": "watcher", "roles": ["clusterMonitor"] }).await?;
    watched.until("it is allowed", LIMIT, |text| longest(text, "find") == Some(0.0)).await?;
    Ok(())
}
