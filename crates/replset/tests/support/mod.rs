//! What several test files need. A folder module, because each file of `tests/` is a program of its own.

#![allow(dead_code, clippy::expect_used, reason = "each test program uses its part; tests may panic")]

use anyhow::{Context, Result};
use archive::{CollectionUuid, Namespace};
use mongodb::Client;
use mongodb::bson::{Bson, Document, RawDocumentBuf, Timestamp, doc, rawdoc};
use replset::listing::{ListedCollection, list_database};
use replset::raw::RawWriter;
use replset::scan::{Scan, ScanOptions, scan_collection};
use replset::{ConnectOptions, Connection, Destination};
use testkit::ReplicaSet;

/// What a server fills in itself when a user inserts it.
pub const ZERO: Timestamp = Timestamp { time: 0, increment: 0 };

pub fn options() -> ConnectOptions {
    ConnectOptions { selection_timeout: std::time::Duration::from_secs(5), ..ConnectOptions::default() }
}

pub async fn connect(uri: &str) -> Result<Connection> {
    Ok(Connection::open(uri, options()).await?)
}

pub async fn destination(set: &ReplicaSet) -> Result<Destination> {
    Ok(Destination::open(&set.uri(), options()).await?)
}

pub async fn find(client: &Client, name: &Namespace, id: impl Into<Bson>) -> Result<Option<RawDocumentBuf>> {
    let collection = client.database(&name.db).collection::<RawDocumentBuf>(&name.coll);
    Ok(collection.find_one(doc! { "_id": id.into() }).await?)
}

pub fn raw(document: Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(document).expect("BSON")
}

/// One namespace of each kind that takes documents of our own.
pub async fn kinds(destination: &Destination) -> Result<Vec<Namespace>> {
    let options = [
        ("plain", rawdoc! {}),
        ("capped", rawdoc! { "capped": true, "size": 50_000_000 }),
        ("clustered", rawdoc! { "clusteredIndex": { "v": 2, "key": { "_id": 1 }, "name": "_id_", "unique": true } }),
        ("collated", rawdoc! { "collation": { "locale": "de", "strength": 2 } }),
        ("validated", rawdoc! { "validator": { "never": "matches" } }),
        ("system.js", rawdoc! {}),
    ];
    let mut names = Vec::new();
    for (name, options) in options {
        let name = Namespace::new("kinds", name);
        destination.create_collection(&name, &options, None).await?;
        names.push(name);
    }
    Ok(names)
}

/// The collection as the listing shows it.
pub async fn listed(member: &Connection, namespace: &Namespace) -> Result<ListedCollection> {
    let listing = list_database(member, &namespace.db, None).await?;
    let found = listing.collections.into_iter().find(|collection| collection.namespace == *namespace);
    found.with_context(|| format!("{namespace} is not listed"))
}

pub async fn uuid_of(member: &Connection, namespace: &Namespace) -> Result<CollectionUuid> {
    Ok(listed(member, namespace).await?.uuid)
}

/// All documents of a collection as bytes, by scanning it.
pub async fn scan_all(member: &Connection, namespace: &Namespace) -> Result<Vec<Vec<u8>>> {
    let uuid = uuid_of(member, namespace).await?;
    // Writes of the tests are acknowledged by the primary alone; the scan waits until a majority has them.
    let after = member.ping().await?.operation_time();
    drain(scan_collection(member, namespace, uuid, ScanOptions { after_cluster_time: after, ..ScanOptions::default() }))
        .await
}

pub async fn drain(mut scan: Scan) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    while let Some(batch) = scan.next_batch().await? {
        for document in batch.documents()? {
            all.push(document?.as_bytes().to_vec());
        }
    }
    Ok(all)
}

pub fn sorted(mut documents: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    documents.sort();
    documents
}

/// `{_id: 0}`, `{_id: 1}`, … with a payload.
pub async fn fill(client: &Client, namespace: &Namespace, documents: i32, payload: usize) -> Result<()> {
    let fill = "x".repeat(payload);
    let documents: Vec<_> = (0..documents).map(|id| doc! { "_id": id, "fill": &fill }).collect();
    client.database(&namespace.db).collection(&namespace.coll).insert_many(documents).await?;
    Ok(())
}

pub fn document(write: impl FnOnce(&mut RawWriter)) -> RawDocumentBuf {
    let mut writer = RawWriter::default();
    write(&mut writer);
    writer.finish()
}
