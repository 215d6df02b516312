//! The destination as a whole: what stands in it, who rules it, who may log in, and what others have under way.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use archive::Namespace;
use mongodb::Client;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc, oid::ObjectId, rawdoc};
use replset::destination::{InsertMode, RunningWrite};
use replset::{ConnectOptions, Destination, ErrorKind};
use support::{ZERO, connect, destination, find, kinds, options, raw};
use testkit::ReplicaSet;

#[tokio::test]
async fn what_exists_is_seen_and_progress_is_kept() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let destination = destination(&set).await?;
    assert_eq!(destination.list_existing().await?, []);
    destination.progress_put("phase", &rawdoc! { "n": 1, "t": ZERO }).await?;
    destination.progress_put("phase", &rawdoc! { "n": 2, "t": ZERO }).await?;
    destination.progress_put("a", &rawdoc! {}).await?;
    assert_eq!(destination.progress_get("phase").await?, Some(rawdoc! { "n": 2, "t": ZERO }));
    assert_eq!(destination.progress_get("nothing").await?, None);
    destination.progress_remove("nothing").await?;
    assert_eq!(destination.list_existing().await?, [], "the restore's own progress is not the user's");
    let all = destination.progress_all().await?;
    assert_eq!(all.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["a", "phase"]);
    destination.progress_clear().await?;
    assert_eq!(destination.progress_all().await?, []);

    set.client().database("shop").create_collection("orders").await?;
    set.client().database("admin").create_collection("mine").await?;
    let existing: Vec<_> = destination.list_existing().await?.iter().map(ToString::to_string).collect();
    assert_eq!(existing, ["admin.mine", "shop.orders"]);
    Ok(())
}

#[tokio::test]
async fn a_failover_is_told_by_the_election_and_the_barrier_waits() -> Result<()> {
    let set = ReplicaSet::builder().members(3).start().await?;
    let destination = destination(&set).await?;
    let before = destination.election_id().await?;
    assert_eq!(destination.election_id().await?, before);
    let name = Namespace::new("a", "b");
    destination.insert_raw(&name, &[&rawdoc! { "_id": 1 }], InsertMode::Error, true).await?;
    let written = connect(&set.member_uri(set.primary().await?)).await?.ping().await?.operation_time();
    destination.majority_barrier().await?;
    let primary = connect(&set.member_uri(set.primary().await?)).await?;
    let committed = replset::topology::majority_commit_point(&primary).await?.ts;
    assert!(Some(committed) >= written, "{committed} {written:?}");
    set.step_down().await?;
    let after = loop {
        match destination.election_id().await {
            Ok(id) => break id,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    };
    assert_ne!(after, before);
    Ok(())
}

#[tokio::test]
async fn users_and_roles_are_merged_and_the_one_who_restores_survives() -> Result<()> {
    let set = ReplicaSet::builder().auth(true).start().await?;
    let admin = set.client().database("admin");
    let roles = vec![
        doc! { "role": "restore", "db": "admin" },
        doc! { "role": "readWriteAnyDatabase", "db": "admin" },
        doc! { "role": "clusterMonitor", "db": "admin" },
        doc! { "role": "readWrite", "db": "config" },
    ];
    admin.run_command(doc! { "createUser": "restorer", "pwd": "r", "roles": roles }).await?;
    admin.run_command(doc! { "createRole": "kept", "privileges": [], "roles": ["readAnyDatabase"] }).await?;
    admin.run_command(doc! { "createUser": "teller", "pwd": "t", "roles": [] }).await?;
    let users = admin.collection::<RawDocumentBuf>("system.users");
    let teller = users.find_one(doc! { "_id": "admin.teller" }).await?.context("the teller")?;
    let restorer = users.find_one(doc! { "_id": "admin.restorer" }).await?.context("the restorer")?;
    admin.run_command(doc! { "dropUser": "teller" }).await?;

    let mut fallen = Document::try_from(&*restorer)?;
    fallen.insert("roles", Bson::Array(Vec::new()));
    let fallen = raw(fallen);
    let mut external = Document::try_from(&*teller)?;
    external.insert("_id", "$external.CN=x");
    external.insert("user", "CN=x");
    external.insert("db", "$external");
    external.insert("credentials", doc! { "external": true });
    external.insert("roles", vec![Bson::Document(doc! { "role": "auditor", "db": "shop" })]);
    let external = raw(external);
    let auditor = rawdoc! {
        "_id": "shop.auditor", "role": "auditor", "db": "shop",
        "privileges": [{ "resource": { "db": "shop", "collection": "" }, "actions": ["find"] }], "roles": [],
    };
    let kept = rawdoc! { "_id": "admin.kept", "role": "kept", "db": "admin", "privileges": [], "roles": [] };

    let destination = Destination::open(&set.uri_as("restorer", "r"), options()).await?;
    for round in 0..2 {
        let merged = destination.merge_users_and_roles(&[&teller, &fallen, &external], &[&auditor, &kept]).await?;
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        if round == 0 {
            assert_eq!(merged.users, texts(&["admin.teller", "$external.CN=x"]));
            assert_eq!(merged.kept_users, texts(&["admin.restorer"]));
            assert_eq!((merged.roles, merged.kept_roles), (texts(&["shop.auditor"]), texts(&["admin.kept"])));
        } else {
            assert_eq!(merged.kept_users.len(), 3);
        }
    }
    assert_eq!(users.find_one(doc! { "_id": "admin.teller" }).await?, Some(teller));
    assert_eq!(users.find_one(doc! { "_id": "admin.restorer" }).await?, Some(restorer));
    assert_eq!(users.find_one(doc! { "_id": "$external.CN=x" }).await?, Some(external));
    let kept =
        admin.collection::<Document>("system.roles").find_one(doc! { "_id": "admin.kept" }).await?.context("a role")?;
    assert_eq!(kept.get_array("roles")?.len(), 1);
    connect(&set.uri_as("teller", "t")).await?;
    assert!(!admin.list_collection_names().await?.iter().any(|name| name.starts_with("tidemark_")));
    // The restorer's rights are enough for everything else, too.
    for name in kinds(&destination).await? {
        let document = rawdoc! { "_id": ObjectId::new(), "t": ZERO };
        destination.insert_raw(&name, &[&document], InsertMode::Error, true).await?;
        destination.insert_raw(&name, &[&document], InsertMode::Replace, true).await?;
    }
    let plain = Namespace::new("kinds", "plain");
    destination.create_indexes(&plain, &[&rawdoc! { "v": 2, "key": { "a": 1 }, "name": "a" }], false).await?;
    destination
        .coll_mod_raw("kinds", &rawdoc! { "collMod": "plain", "index": { "name": "a", "hidden": true } })
        .await?;
    destination.drop_index(&plain, "a").await?;
    destination.drop_index(&plain, "a").await?;
    destination.rename_collection(&plain, &Namespace::new("kinds", "renamed"), false).await?;
    destination.drop_collection(&Namespace::new("kinds", "renamed")).await?;
    destination.progress_put("x", &rawdoc! { "n": 1 }).await?;
    destination.majority_barrier().await?;
    destination.progress_clear().await?;
    destination.topology().await?;
    destination.server_version().await?;
    let dropped = destination.drop_database("kinds").await.unwrap_err();
    assert!(matches!(dropped.kind(), ErrorKind::MissingPrivilege(_)), "{dropped}");
    Ok(())
}

/// Holds the next insert into `shop.orders` inside the server.
async fn hold_insert(client: &Client, millis: i32) -> Result<()> {
    let data = doc! {
        "failCommands": ["insert"], "namespace": "shop.orders", "blockConnection": true, "blockTimeMS": millis,
    };
    let hold = doc! { "configureFailPoint": "failCommand", "mode": { "times": 1 }, "data": data };
    client.database("admin").run_command(hold).await?;
    Ok(())
}

/// Waits until so many writes of restores are under way.
async fn running(destination: &Destination, count: usize) -> Result<Vec<RunningWrite>> {
    for _ in 0..500 {
        let writes = destination.running_writes("tidemark-restore").await?;
        if writes.len() == count {
            return Ok(writes);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("there were never {count} writes under way")
}

#[tokio::test]
async fn with_the_documented_roles_writes_of_others_are_seen_and_ones_own_are_killed() -> Result<()> {
    let set = ReplicaSet::builder().auth(true).set_parameter("enableTestCommands", "1").start().await?;
    let admin = set.client().database("admin");
    let mut roles: Vec<_> = ["restore", "readWriteAnyDatabase", "clusterMonitor"].map(Bson::from).to_vec();
    roles.push(doc! { "role": "readWrite", "db": "config" }.into());
    for user in ["one", "another"] {
        admin.run_command(doc! { "createUser": user, "pwd": "s3cret", "roles": roles.clone() }).await?;
    }
    let open = async |user: &str, attempt: &str| {
        let options = ConnectOptions { app_name: format!("tidemark-restore {attempt}"), ..options() };
        Destination::open(&set.uri_as(user, "s3cret"), options).await
    };
    let insert = |destination: Destination| {
        tokio::spawn(async move {
            let document = rawdoc! { "_id": 1, "fill": "x".repeat(5_000) };
            let name = Namespace::new("shop", "orders");
            destination.insert_raw(&name, &[&document], InsertMode::Error, false).await
        })
    };
    let present = async || find(&set.client(), &Namespace::new("shop", "orders"), 1).await;
    let new = open("one", "new").await?;
    assert_eq!(new.running_writes("tidemark-restore").await?, []);

    hold_insert(&set.client(), 30_000).await?;
    let held = insert(open("one", "old").await?);
    let write = running(&new, 1).await?.remove(0);
    assert_eq!((&*write.app_name, &*write.command), ("tidemark-restore old", "insert"));
    assert!(new.kill_operation(write.id).await?);
    running(&new, 0).await?;
    let error = held.await?.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), (Some(11601), false), "{error}");
    assert_eq!(present().await?, None);
    assert!(!new.kill_operation(write.id).await?, "it is over");

    hold_insert(&set.client(), 2_000).await?;
    let held = insert(open("another", "old").await?);
    let write = running(&new, 1).await?.remove(0);
    assert!(!new.kill_operation(write.id).await?, "that takes `killop`");
    running(&new, 0).await?;
    assert_eq!(held.await??.inserted, 1);
    assert!(present().await?.is_some());
    Ok(())
}
