//! Reads at a cluster time: what was there then, whatever happens afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use anyhow::Result;
use archive::reference::MissingReason;
use archive::{ClusterTime, CollectionUuid, Namespace};
use mongodb::bson::{Document, doc};
use replset::Connection;
use replset::error::ReplsetError;
use replset::snapshot_read::{is_possible, missing_reason, read_at};
use support::{connect, fill, scan_all, sorted, uuid_of};
use testkit::ReplicaSet;

async fn read(
    member: &Connection,
    namespace: &Namespace,
    uuid: CollectionUuid,
    at: ClusterTime,
) -> Result<Vec<Vec<u8>>, ReplsetError> {
    let mut reading = read_at(member, namespace, uuid, at).await?;
    let mut documents = Vec::new();
    while let Some(batch) = reading.next_batch().await? {
        for document in batch.documents()? {
            documents.push(document?.as_bytes().to_vec());
        }
    }
    Ok(documents)
}

async fn now(set: &ReplicaSet) -> Result<ClusterTime> {
    let note = doc! { "appendOplogNote": 1, "data": { "test": "now" }, "writeConcern": { "w": "majority" } };
    Ok(set.client().database("admin").run_command(note).await?.get_timestamp("operationTime")?.into())
}

#[tokio::test]
async fn a_secondary_shows_every_kind_of_collection_as_it_was_at_the_moment() -> Result<()> {
    let set = ReplicaSet::builder().members(2).start().await?;
    let client = set.client();
    let db = client.database("kinds");
    db.run_command(doc! { "create": "clustered", "clusteredIndex": { "key": { "_id": 1 }, "unique": true } }).await?;
    db.run_command(doc! { "create": "collated", "collation": { "locale": "de", "strength": 2 } }).await?;
    db.run_command(doc! { "create": "series", "timeseries": { "timeField": "t", "metaField": "m" } }).await?;
    let mut names = Vec::new();
    for name in ["plain", "clustered", "collated", "system.js"] {
        names.push(Namespace::new("kinds", name));
        fill(&client, &names[names.len() - 1], 30_000, 1_000).await?;
    }
    let points = (0..300_i64).map(|n| doc! { "t": mongodb::bson::DateTime::from_millis(n * 3_600_000), "m": n % 7 });
    db.collection("series").insert_many(points).await?;
    names.push(Namespace::new("kinds", "system.buckets.series"));

    let at = now(&set).await?;
    let index = set.secondaries().await[0];
    let member = connect(&set.member_uri(index)).await?;
    assert!(is_possible(&member).await?);
    let mut expected = Vec::new();
    for name in &names {
        expected.push((uuid_of(&member, name).await?, sorted(scan_all(&member, name).await?)));
    }
    for name in &names[..4] {
        let collection = db.collection::<Document>(&name.coll);
        collection.delete_many(doc! { "_id": { "$lt": 10_000 } }).await?;
        collection.update_many(doc! { "_id": { "$gt": 20_000 } }, doc! { "$set": { "x": 1 } }).await?;
    }
    let after = now(&set).await?;
    assert!(after > at);
    for (name, (uuid, expected)) in names.iter().zip(expected) {
        let found = sorted(read(&member, name, uuid, at).await?);
        assert_eq!(found.len(), expected.len(), "{name}");
        assert!(found == expected, "{name} differs");
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_at_the_moment_says_why() -> Result<()> {
    let parameter = "minSnapshotHistoryWindowInSeconds";
    let set = ReplicaSet::builder().set_parameter(parameter, "1").start().await?;
    let client = set.client();
    let member = connect(&set.member_uri(0)).await?;
    let db = client.database("shop");
    db.run_command(doc! { "create": "ring", "capped": true, "size": 100_000 }).await?;
    let names = ["ring", "orders", "dropped", "renamed"].map(|name| Namespace::new("shop", name));
    for name in &names {
        fill(&client, name, 10, 10).await?;
    }
    let at = now(&set).await?;
    let [ring, orders, dropped, renamed] = &names;
    let why = async |name: &Namespace, uuid, at| match read(&member, name, uuid, at).await {
        Ok(documents) => panic!("{name}: {} documents", documents.len()),
        Err(error) => (missing_reason(&error), error),
    };
    let uuid = uuid_of(&member, ring).await?;
    let (reason, error) = why(ring, uuid, at).await;
    assert_eq!(reason, Some(MissingReason::Capped), "{error}");

    let uuid = uuid_of(&member, dropped).await?;
    db.collection::<Document>("dropped").drop().await?;
    let (reason, error) = why(dropped, uuid, at).await;
    assert_eq!(reason, Some(MissingReason::Changed), "{error}");

    // The documents are the same, but the server does not show them under another definition.
    let uuid = uuid_of(&member, renamed).await?;
    let rename = doc! { "renameCollection": "shop.renamed", "to": "shop.other" };
    client.database("admin").run_command(rename).await?;
    let (reason, error) = why(renamed, uuid, at).await;
    assert_eq!(reason, Some(MissingReason::Changed), "{error}");

    let uuid = uuid_of(&member, orders).await?;
    assert_eq!(read(&member, orders, uuid, now(&set).await?).await?.len(), 10);
    // History goes when newer checkpoints and writes have come.
    let limit = std::time::Instant::now() + std::time::Duration::from_mins(2);
    let (reason, error) = loop {
        db.collection::<Document>("orders").insert_one(doc! { "filler": "x" }).await?;
        match read(&member, orders, uuid, at).await {
            Ok(documents) => assert_eq!(documents.len(), 10),
            Err(error) => break (missing_reason(&error), error),
        }
        assert!(std::time::Instant::now() < limit, "the history does not go");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!(reason, Some(MissingReason::HistoryGone), "{error}");
    Ok(())
}
