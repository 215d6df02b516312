//! What several test files need. A folder module, because each file of `tests/` is a program of its own.

#![allow(dead_code, reason = "each test program uses its part")]

use anyhow::{Context, Result};
use archive::{CollectionUuid, Namespace};
use mongodb::Client;
use mongodb::bson::{RawDocumentBuf, doc};
use replset::listing::{ListedCollection, list_database};
use replset::raw::RawWriter;
use replset::scan::{Scan, ScanOptions, scan_collection};
use replset::{ConnectOptions, Connection};

pub fn options() -> ConnectOptions {
    ConnectOptions { selection_timeout: std::time::Duration::from_secs(5), ..ConnectOptions::default() }
}

pub async fn connect(uri: &str) -> Result<Connection> {
    Ok(Connection::open(uri, options()).await?)
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
