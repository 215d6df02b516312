//! How fast the oplog is replayed: a window of mixed entries, against the same writes sent in batches by a client, and
//! against what tools do that send one `applyOps` per entry.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt};
use mongodb::Client;
use mongodb::bson::{Document, doc};
use testkit::{ReplicaSet, Sidecar};

use super::table::{Row, Table};
use super::{Options, progress, server, tidemark};
use crate::archive_folder::ArchiveFolder;
use crate::programs::{binary, count, free_port, sidecar_status};

const ENTRIES: u64 = 100_000;
/// Per round: 600 updates, 250 inserts, 145 deletes, one transaction of 5 updates.
const ROUND: u64 = 1_000;
const COLLECTIONS: u64 = 4;
const SEEDED: i64 = 5_000;
const SINGLE_APPLY_OPS: u64 = 2_000;
/// Batched writes reach 20 to 100 times what one `applyOps` per entry does.
const GOAL: f64 = 20.0;

pub async fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let source = server().await?;
    let client = source.client();
    seed(&client).await?;
    let archive = ArchiveFolder::new()?;
    let (uri, url, port) = (source.uri(), archive.url(), free_port()?);
    let listen = format!("127.0.0.1:{port}");
    let arguments = ["run", "--uri", &uri, "--archive", &url, "--listen", &listen, "--snapshot-schedule", "none"];
    let sidecar = Sidecar::run_program(&binary("sidecar")?, arguments, &[])?;
    wait(port, &sidecar, |status| !status["last_snapshot"].is_null()).await.context("wait for the snapshot")?;

    let entries = options.scaled(ENTRIES);
    progress(&format!("writing {} mixed entries", count(entries)));
    let started = Instant::now();
    let rounds = (0..entries / ROUND).map(|round| round_of_writes(&client, round));
    futures::stream::iter(rounds).buffered(1).try_collect::<()>().await?;
    let written = started.elapsed().as_secs_f64();
    let note = doc! { "appendOplogNote": 1, "data": { "bench": "end" }, "writeConcern": { "w": "majority" } };
    let reply = client.database("admin").run_command(note).await?;
    let end: archive::ClusterTime = reply.get_timestamp("operationTime")?.into();
    wait(port, &sidecar, |status| {
        status["archived_through"]
            .as_str()
            .and_then(|at| at.parse().ok())
            .is_some_and(|at: archive::ClusterTime| at >= end)
    })
    .await
    .context("wait for the archive")?;
    drop(sidecar);

    let single = single_apply_ops(&source, options.scaled(SINGLE_APPLY_OPS)).await?;
    drop(source);
    let destination = server().await?;
    let work = tidemark::restore(&archive, &end.to_string(), &destination).await?;
    let (seconds, operations) = work.phase("replay").context("the report has a phase `replay`")?;
    ensure!(operations >= entries, "{operations} operations were replayed, {entries} were written");
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let (rate, client_rate) = (operations as f64 / seconds, entries as f64 / written);
    table.push(Row {
        what: "replay of mixed oplog entries".to_owned(),
        value: format!("{rate:.0} entries/s"),
        against: format!("one `applyOps` per entry {single:.0} entries/s"),
        ratio: Some(rate / single),
        goal: format!("≥ {GOAL}"),
        met: Some(rate / single >= GOAL),
    });
    table.push(Row {
        what: "replay of mixed oplog entries".to_owned(),
        value: format!("{rate:.0} entries/s"),
        against: format!("one client sending them in batches {client_rate:.0} entries/s"),
        ratio: Some(rate / client_rate),
        goal: "—".to_owned(),
        met: None,
    });
    table.note(format!("replay of {} operations: {} ({})", count(operations), work.profile(), work.phases()));
    Ok(())
}

/// Asks the sidecar about itself until the fact holds.
pub async fn wait(port: u16, sidecar: &Sidecar, fact: impl Fn(&serde_json::Value) -> bool) -> Result<()> {
    let limit = Instant::now() + Duration::from_mins(2);
    loop {
        if sidecar_status(port).await.is_ok_and(|status| fact(&status)) {
            return Ok(());
        }
        ensure!(Instant::now() < limit, "not within two minutes; the sidecar's log:\n{}", sidecar.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn collection(round: u64) -> String {
    format!("items{}", round % COLLECTIONS)
}

async fn seed(client: &Client) -> Result<()> {
    for number in 0..COLLECTIONS {
        let items = client.database("bench").collection::<Document>(&collection(number));
        items.insert_many((0..SEEDED).map(item)).await.context("insert the first items")?;
    }
    Ok(())
}

fn item(id: i64) -> Document {
    doc! { "_id": id, "name": format!("item {id}"), "stock": 10, "tags": ["wood", "red"], "text": "a short description of it" }
}

async fn round_of_writes(client: &Client, round: u64) -> Result<()> {
    let database = client.database("bench");
    let name = collection(round);
    let turn = i64::try_from(round)?;
    let concern = doc! { "w": 1 };
    let updates: Vec<Document> = (0..600)
        .map(|index| {
            let id = (turn * 7_919 + index * 13) % SEEDED;
            let change = if index % 2 == 0 {
                doc! { "$inc": { "stock": 1 } }
            } else {
                doc! { "$set": { "seen": turn, "detail.last": index } }
            };
            // Never a no-op: that would leave no entry.
            doc! { "q": { "_id": id }, "u": change }
        })
        .collect();
    run(&database, doc! { "update": &name, "updates": updates, "writeConcern": &concern }).await?;
    // Deleted ones never come back: inserting an `_id` again is another thing to measure.
    let first = SEEDED + turn * 250;
    let inserts: Vec<Document> = (first..first + 250).map(item).collect();
    run(&database, doc! { "insert": &name, "documents": inserts, "writeConcern": &concern }).await?;
    let deletes: Vec<Document> = (first..first + 145).map(|id| doc! { "q": { "_id": id }, "limit": 1 }).collect();
    run(&database, doc! { "delete": &name, "deletes": deletes, "writeConcern": &concern }).await?;

    let mut session = client.start_session().await?;
    session.start_transaction().await?;
    let items = database.collection::<Document>(&name);
    for index in 0..5 {
        let change = doc! { "$inc": { "stock": -1 } };
        items.update_one(doc! { "_id": index }, change).session(&mut session).await?;
    }
    session.commit_transaction().await.context("commit a transaction")
}

async fn run(database: &mongodb::Database, command: Document) -> Result<()> {
    let reply = database.run_command(command).await.context("write a batch")?;
    ensure!(!reply.contains_key("writeErrors"), "write a batch: {reply}");
    Ok(())
}

/// Entries per second of a tool that sends each entry by itself.
async fn single_apply_ops(set: &ReplicaSet, entries: u64) -> Result<f64> {
    let client = set.client();
    let scratch = client.database("scratch");
    let items = scratch.collection::<Document>("items");
    items.insert_many((0..SEEDED).map(item)).await.context("insert the items of the peer")?;
    let started = Instant::now();
    for number in 0..entries {
        let id = i64::try_from(number)? % SEEDED;
        let entry = doc! {
            "op": "u", "ns": "scratch.items", "o": { "$v": 2, "diff": { "i": { "seen": i64::try_from(number)? } } },
            "o2": { "_id": id },
        };
        let command = doc! { "applyOps": [entry], "writeConcern": { "w": 1 } };
        client.database("admin").run_command(command).await.context("apply one entry")?;
    }
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    Ok(entries as f64 / started.elapsed().as_secs_f64())
}
