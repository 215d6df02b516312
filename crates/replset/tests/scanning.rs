//! Listing and scanning: the same bytes, through renames, drops, resumes and restricted users.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use anyhow::Result;
use archive::Namespace;
use mongodb::bson::{RawDocumentBuf, doc};
use replset::listing::{list_all, list_database};
use replset::scan::{ReplyBudget, ScanOptions, scan_collection};
use replset::{Connection, ErrorKind};
use support::{connect, drain, fill, listed, scan_all, sorted, uuid_of};
use testkit::{ReplicaSet, weird};

fn namespace(text: &str) -> Namespace {
    Namespace::parse(text).expect("a namespace")
}

#[tokio::test]
async fn every_byte_of_every_type_is_read() -> Result<()> {
    let set = ReplicaSet::single().await?;
    weird::load(&set.client()).await?;
    let member = connect(&set.member_uri(0)).await?;
    let read = scan_all(&member, &namespace("weird.documents")).await?;
    let expected: Vec<Vec<u8>> = weird::documents().into_iter().map(|document| document.bytes).collect();
    assert_eq!(read.len(), expected.len());
    assert!(sorted(read) == sorted(expected), "documents differ");
    Ok(())
}

/// Every kind of collection of one database, 300 documents each.
async fn create_kinds(set: &ReplicaSet) -> Result<Vec<Namespace>> {
    let client = set.client();
    let db = client.database("kinds");
    db.run_command(doc! { "create": "plain" }).await?;
    db.run_command(doc! { "create": "capped", "capped": true, "size": 10_000_000 }).await?;
    db.run_command(doc! { "create": "clustered", "clusteredIndex": { "key": { "_id": 1 }, "unique": true } }).await?;
    db.run_command(doc! { "create": "collated", "collation": { "locale": "de", "strength": 2 } }).await?;
    db.run_command(doc! { "create": "series", "timeseries": { "timeField": "t", "metaField": "m" } }).await?;
    db.run_command(doc! { "create": "view", "viewOn": "plain", "pipeline": [{ "$match": { "_id": 1 } }] }).await?;
    for name in ["plain", "capped", "clustered", "collated", "system.js"] {
        fill(&client, &Namespace::new("kinds", name), 300, 10).await?;
    }
    let points: Vec<_> = (0..300_i64)
        .map(|n| doc! { "t": mongodb::bson::DateTime::from_millis(n * 3_600_000), "m": n % 7, "v": n })
        .collect();
    db.collection("series").insert_many(points).await?;
    let names = ["capped", "clustered", "collated", "plain", "system.buckets.series", "system.js", "system.views"];
    Ok(names.map(|name| Namespace::new("kinds", name)).to_vec())
}

#[tokio::test]
async fn every_kind_of_collection_is_listed_and_scanned_in_parts() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let names = create_kinds(&set).await?;
    let member = connect(&set.member_uri(0)).await?;
    let listing = list_database(&member, "kinds", None).await?;
    let listed: Vec<_> = listing.collections.iter().map(|collection| collection.namespace.clone()).collect();
    assert_eq!(listed, names);
    for collection in &listing.collections {
        let (name, uuid) = (&collection.namespace, collection.uuid);
        let whole = drain(scan_collection(&member, name, uuid, ScanOptions::default())).await?;
        assert_eq!(whole.len() as u64, count(&set, name).await?, "{name}");

        // Stop after the first of several batches and go on from its token.
        let options = ScanOptions { batch_documents: Some(10), ..ScanOptions::default() };
        let mut scan = scan_collection(&member, name, uuid, options.clone());
        let first = scan.next_batch().await?.expect("a batch");
        drop(scan);
        let mut parts: Vec<Vec<u8>> = Vec::new();
        for document in first.documents()? {
            parts.push(document?.as_bytes().to_vec());
        }
        assert!(parts.len() <= 10);
        assert!(first.resume_token.is_some(), "{name} gives no token");
        let options = ScanOptions { resume_after: first.resume_token.clone(), ..options };
        parts.extend(drain(scan_collection(&member, name, uuid, options)).await?);
        assert!(parts == whole, "{name}: the parts are not the whole");
    }
    Ok(())
}

async fn count(set: &ReplicaSet, name: &Namespace) -> Result<u64> {
    let command = doc! { "count": &name.coll };
    let reply = set.client().database(&name.db).run_command(command).await?;
    Ok(u64::try_from(reply.get_i32("n")?)?)
}

#[tokio::test]
async fn a_rename_does_not_disturb_the_scan_and_a_drop_ends_it_by_name() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let client = set.client();
    let (old, admin) = (namespace("shop.orders"), client.database("admin"));
    fill(&client, &old, 2000, 10).await?;
    let member = connect(&set.member_uri(0)).await?;
    let uuid = uuid_of(&member, &old).await?;
    let options = ScanOptions { batch_documents: Some(100), ..ScanOptions::default() };

    let mut scan = scan_collection(&member, &old, uuid, options.clone());
    let mut ids = Vec::new();
    let mut renames = 0;
    while let Some(batch) = scan.next_batch().await? {
        for document in batch.documents()? {
            ids.push(document?.get_i32("_id")?);
        }
        let (from, to) =
            if renames % 2 == 0 { ("shop.orders", "shop.renamed") } else { ("shop.renamed", "shop.orders") };
        admin.run_command(doc! { "renameCollection": from, "to": to }).await?;
        renames += 1;
    }
    assert!(renames > 10);
    assert_eq!(ids, (0..2000).collect::<Vec<_>>());

    let mut scan = scan_collection(&member, &old, uuid, options);
    scan.next_batch().await?.expect("a batch");
    client.database("shop").run_command(doc! { "drop": if renames % 2 == 0 { "orders" } else { "renamed" } }).await?;
    let error = loop {
        match scan.next_batch().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the scan ended as if it were complete"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), &ErrorKind::CollectionGone, "{error}");
    assert!(error.to_string().contains("shop.orders"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_resume_at_a_deleted_document_is_refused_by_name() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let client = set.client();
    let name = namespace("shop.orders");
    fill(&client, &name, 300, 10).await?;
    let member = connect(&set.member_uri(0)).await?;
    let uuid = uuid_of(&member, &name).await?;
    let options = ScanOptions { batch_documents: Some(100), ..ScanOptions::default() };
    let first = scan_collection(&member, &name, uuid, options.clone()).next_batch().await?.expect("a batch");
    let deleted = client.database("shop").collection::<RawDocumentBuf>("orders").delete_one(doc! { "_id": 99 }).await?;
    assert_eq!(deleted.deleted_count, 1);
    let options = ScanOptions { resume_after: first.resume_token, ..options };
    let error = scan_collection(&member, &name, uuid, options).next_batch().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::ResumeRefused, "{error}");
    Ok(())
}

#[tokio::test]
async fn a_large_collection_comes_in_few_and_full_replies() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let name = namespace("shop.large");
    fill(&set.client(), &name, 50, 1_000_000).await?;
    let member = connect(&set.member_uri(0)).await?;
    let uuid = uuid_of(&member, &name).await?;
    let mut scan = scan_collection(&member, &name, uuid, ScanOptions::default());
    let mut sizes = Vec::new();
    while let Some(batch) = scan.next_batch().await? {
        sizes.push(batch.reply().as_bytes().len());
        assert!(batch.operation_time > archive::ClusterTime::ZERO);
    }
    assert!(sizes.len() <= 5, "{sizes:?}");
    assert!(sizes[0] > 15_000_000, "{sizes:?}");
    Ok(())
}

#[tokio::test]
async fn reads_wait_for_the_cluster_time_they_were_given() -> Result<()> {
    let set = ReplicaSet::builder().members(2).start().await?;
    let client = set.client();
    let name = namespace("shop.orders");
    fill(&client, &name, 10, 10).await?;
    let secondary = connect(&set.member_uri(set.secondaries().await[0])).await?;
    let uuid = uuid_of(&secondary, &name).await?;
    for round in 0..20_i32 {
        let primary = connect(&set.uri()).await?;
        let written = doc! { "insert": "orders", "documents": [{ "round": round }], "writeConcern": { "w": 1 } };
        let reply = client.database("shop").run_command(written).await?;
        let after = reply.get_timestamp("operationTime")?.into();
        let options = ScanOptions { after_cluster_time: Some(after), ..ScanOptions::default() };
        let read = drain(scan_collection(&secondary, &name, uuid, options)).await?;
        assert_eq!(read.len(), 11 + usize::try_from(round)?, "round {round}");
        let listing = list_database(&secondary, "shop", Some(after)).await?;
        assert!(listing.operation_time >= after);
        primary.close().await;
    }
    Ok(())
}

#[tokio::test]
async fn the_role_backup_reads_everything_views_included() -> Result<()> {
    let set = ReplicaSet::builder().auth(true).start().await?;
    create_kinds(&set).await?;
    let admin = set.client().database("admin");
    admin.run_command(doc! { "createRole": "teller", "privileges": [], "roles": [] }).await?;
    admin.run_command(doc! { "createUser": "b", "pwd": "b", "roles": ["backup", "clusterMonitor"] }).await?;
    let root = connect(&set.uri()).await?;
    let restricted = connect(&set.uri_as("b", "b")).await?;
    let member = restricted.member(&set.hosts()[0]).await?;
    let listing = list_all(&member, None).await?;
    let names: Vec<String> = listing.collections.iter().map(|collection| collection.namespace.to_string()).collect();
    assert!(names.contains(&"admin.system.roles".to_owned()), "{names:?}");
    assert!(names.contains(&"admin.system.users".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("config.") || name.starts_with("local.")), "{names:?}");
    for collection in &listing.collections {
        let name = &collection.namespace;
        let options = ScanOptions { views: Some(listing.views_of(&name.db)), ..ScanOptions::default() };
        let expected = drain(scan_collection(&root, name, collection.uuid, options.clone())).await?;
        let read = drain(scan_collection(&member, name, collection.uuid, options)).await?;
        // Views come from the listing, in any order.
        assert!(sorted(read) == sorted(expected), "{name}");
    }
    replset::topology::member_identity(&member).await?;
    replset::oplog::safe_begin(&member).await?;
    Ok(())
}

#[tokio::test]
async fn listings_keep_options_and_indexes_raw_and_leave_unfinished_builds_out() -> Result<()> {
    let set = ReplicaSet::builder().members(2).start().await?;
    let client = set.client();
    let name = namespace("shop.orders");
    fill(&client, &name, 1000, 10).await?;
    let db = client.database("shop");
    db.run_command(doc! { "createIndexes": "orders", "indexes": [
        { "key": { "a": 1, "b": -1 }, "name": "ready", "partialFilterExpression": {}, "expireAfterSeconds": 60 },
    ] })
    .await
    .unwrap_err();
    db.run_command(doc! { "createIndexes": "orders", "indexes": [
        { "key": { "a": 1 }, "name": "ready", "partialFilterExpression": {}, "expireAfterSeconds": 60 },
    ] })
    .await?;
    // A build that cannot commit: its quorum waits for a member that is paused.
    let secondary = set.secondaries().await[0];
    set.stop(secondary).await?;
    let building = doc! {
        "createIndexes": "orders", "commitQuorum": 2, "writeConcern": { "w": 1 },
        "indexes": [{ "key": { "c": 1 }, "name": "unfinished" }],
    };
    let primary = set.primary().await;
    if let Ok(primary) = primary {
        let direct = set.member_client(primary).await?;
        let build = tokio::spawn(async move { direct.database("shop").run_command(building).await });
        let member = connect(&set.member_uri(primary)).await?;
        wait_for_build(&member, &set).await?;
        let collection = listed(&member, &name).await?;
        let names: Vec<_> = collection.indexes.iter().map(|index| index.get_str("name").unwrap_or("?")).collect();
        assert_eq!(names, ["_id_", "ready"]);
        assert_eq!(collection.indexes[1].get_i32("expireAfterSeconds")?, 60);
        assert!(collection.id_index.is_some());
        build.abort();
    }
    set.restart(secondary).await?;
    Ok(())
}

async fn wait_for_build(member: &Connection, set: &ReplicaSet) -> Result<()> {
    let client = set.member_client(set.primary().await?).await?;
    for _ in 0..100 {
        let reply = client.database("shop").run_command(doc! { "listIndexes": "orders" }).await?;
        if reply.get_document("cursor")?.get_array("firstBatch")?.len() == 3 {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    anyhow::bail!("{}: the index build did not start", member.server())
}

#[tokio::test]
async fn odd_names_are_listed_and_scanned() -> Result<()> {
    let set = ReplicaSet::single().await?;
    weird::load_names(&set.client()).await?;
    let member = connect(&set.member_uri(0)).await?;
    let listing = list_all(&member, None).await?;
    for (db, coll) in weird::names() {
        let name = Namespace::new(db, coll);
        let found = listing.collections.iter().find(|collection| collection.namespace == name);
        let found = found.unwrap_or_else(|| panic!("{name} is not listed"));
        assert_eq!(
            drain(scan_collection(&member, &name, found.uuid, ScanOptions::default())).await?.len(),
            1,
            "{name}"
        );
    }
    Ok(())
}

/// Small documents, then large ones, then small ones again.
async fn uneven(set: &ReplicaSet) -> Result<Namespace> {
    let name = namespace("shop.uneven");
    let collection = set.client().database("shop").collection("uneven");
    let large = "x".repeat(400_000);
    for first in [0, 10_000] {
        let small: Vec<_> = (first..first + 3000).map(|id| doc! { "_id": id }).collect();
        collection.insert_many(small).await?;
        if first == 0 {
            let large: Vec<_> = (5_000..5_040).map(|id| doc! { "_id": id, "fill": &large }).collect();
            collection.insert_many(large).await?;
        }
    }
    Ok(name)
}

#[tokio::test]
async fn batches_follow_the_size_of_the_documents() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let name = uneven(&set).await?;
    let member = connect(&set.member_uri(0)).await?;
    let options = ScanOptions {
        batch_documents: Some(100),
        batch_bytes: Some(100_000),
        budget: Some(ReplyBudget::new(200_000)),
        ..ScanOptions::default()
    };
    let mut scan = scan_collection(&member, &name, uuid_of(&member, &name).await?, options);
    let (mut ids, mut sizes) = (Vec::new(), Vec::new());
    while let Some(batch) = scan.next_batch().await? {
        let before = ids.len();
        for document in batch.documents()? {
            ids.push(document?.get_i32("_id")?);
        }
        sizes.push((ids.len() - before, batch.reply().as_bytes().len()));
    }
    let expected: Vec<i32> = (0..3000).chain(5_000..5_040).chain(10_000..13_000).collect();
    assert_eq!(ids, expected, "every document once, in its order");
    let large: Vec<_> = sizes.iter().filter(|(_, bytes)| *bytes > 300_000).collect();
    assert!(large.iter().skip(1).all(|(count, _)| *count <= 2), "only the first large batch is a surprise: {sizes:?}");
    assert!(sizes.last().unwrap().0 > 100 || sizes.iter().rev().any(|(count, _)| *count > 1_000), "{sizes:?}");
    Ok(())
}

#[tokio::test]
async fn another_batch_size_is_left_when_the_position_was_deleted() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let name = uneven(&set).await?;
    let member = connect(&set.member_uri(0)).await?;
    let options = ScanOptions { batch_documents: Some(10), batch_bytes: Some(100_000), ..ScanOptions::default() };
    let mut scan = scan_collection(&member, &name, uuid_of(&member, &name).await?, options);
    // The batch waits for its reader; until then no other cursor is opened behind it.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    set.client()
        .database("shop")
        .collection::<bson::Document>("uneven")
        .delete_many(doc! { "_id": { "$lt": 10 } })
        .await?;
    let mut counts = Vec::new();
    while let Some(batch) = scan.next_batch().await? {
        counts.push(batch.documents()?.count());
    }
    assert_eq!(counts[..2], [10, 10], "the cursor that was open went on");
    assert_eq!(counts.iter().sum::<usize>(), 6_040);
    assert!(counts.iter().any(|count| *count > 100), "and the size was changed later: {counts:?}");
    Ok(())
}
