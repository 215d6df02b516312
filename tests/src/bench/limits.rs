//! What the server itself needs for the same work, with nothing of ours around it.

use std::time::Instant;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use mongodb::Client;
use mongodb::bson::RawDocumentBuf;
use testkit::ReplicaSet;
use testkit::bson_bytes::DocumentWriter;

use super::documents::{DATABASE, KINDS, batches, create_indexes, insert, insert_command};
use super::primary_pid;
use crate::programs::cpu_of;

/// As many as `dr-cli restore` uses.
const CONNECTIONS: usize = 4;
/// As many as `sidecar snapshot` reads side by side.
const SCANS: usize = 2;

#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub seconds: f64,
    pub server_cpu_seconds: f64,
}

/// Reads every document in raw batches, majority committed and in natural order, and throws the bytes away.
pub async fn raw_scan(set: &ReplicaSet) -> Result<(Limit, u64)> {
    let client = set.client();
    let (pid, started) = (primary_pid(set)?, Instant::now());
    let before = cpu_of(pid).unwrap_or(0.0);
    let scans = KINDS.map(|kind| scan(&client, kind.collection()));
    let bytes =
        futures::stream::iter(scans).buffer_unordered(SCANS).try_fold(0, async |sum, bytes| Ok(sum + bytes)).await?;
    let seconds = started.elapsed().as_secs_f64();
    Ok((Limit { seconds, server_cpu_seconds: cpu_of(pid).unwrap_or(0.0) - before }, bytes))
}

async fn scan(client: &Client, collection: &str) -> Result<u64> {
    let mut find = DocumentWriter::new();
    find.str("find", collection).i32("batchSize", i32::MAX);
    find.begin_document("hint").i32("$natural", 1).end();
    find.begin_document("readConcern").str("level", "majority").end();
    let database = client.database(DATABASE);
    let mut batches = database.run_raw_cursor_command(find.build()?).batch().await.context("scan")?;
    let mut bytes = 0;
    while let Some(batch) = batches.next().await {
        bytes += batch.context("scan")?.as_raw_document().as_bytes().len() as u64;
    }
    Ok(bytes)
}

/// Inserts commands that were made before the clock starts, then builds the same indexes.
pub async fn insert_and_index(set: &ReplicaSet, documents: u64) -> Result<Limit> {
    let commands = tokio::task::spawn_blocking(move || -> Result<Vec<RawDocumentBuf>> {
        batches(documents).map(|batch| insert_command(batch).map(|(command, _)| command)).collect()
    });
    let commands = commands.await.context("make documents")??;
    let client = set.client();
    let (pid, started) = (primary_pid(set)?, Instant::now());
    let before = cpu_of(pid).unwrap_or(0.0);
    let inserts = commands.into_iter().map(|command| insert(&client, command));
    futures::stream::iter(inserts).buffer_unordered(CONNECTIONS).try_collect::<()>().await?;
    create_indexes(&client).await?;
    testkit::dataset::wait_for_majority(&client).await?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(Limit { seconds, server_cpu_seconds: cpu_of(pid).unwrap_or(0.0) - before })
}
