//! A shop: several databases with every kind of collection and index, filled with data that compresses like real data.
//!
//! The same seed gives the same bytes, so that two servers can be loaded alike. `_id`s and names follow from the
//! position of a document, which lets batches be made in any order on several connections.

mod definitions;
mod documents;
pub(crate) mod words;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt};
use mongodb::Client;
use mongodb::bson::doc;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use self::documents::Kind;
use crate::bson_bytes::DocumentWriter;

/// Connections that insert side by side.
const CONNECTIONS: usize = 3;
const BATCH: u64 = 2_000;

pub(crate) type Random = Xoshiro256PlusPlus;

#[derive(Debug, Clone, Copy)]
pub struct Loaded {
    pub documents: u64,
    pub bytes: u64,
    pub elapsed: Duration,
}

/// Loads `documents` orders and, in proportion, everything around them: `Loaded` says how many in all.
///
/// Secondary indexes are built after the load, as on a server that lives for long they cost nothing then.
pub async fn load_shop(client: &Client, documents: u64, seed: u64) -> Result<Loaded> {
    let started = Instant::now();
    definitions::create_collections(client).await?;
    let mut batches = Vec::new();
    for kind in Kind::ALL {
        let total = kind.share_of(documents);
        let mut first = 0;
        while first < total {
            let count = BATCH.min(total - first);
            batches.push((kind, first, count));
            first += count;
        }
    }
    // A capped collection keeps the order of insertion, and buckets depend on it: those on one connection.
    let (ordered, free): (Vec<_>, Vec<_>) = batches.into_iter().partition(|(kind, ..)| kind.keeps_order());
    let run = async |batches: Vec<(Kind, u64, u64)>, width: usize| -> Result<u64> {
        let inserts = batches.into_iter().map(|(kind, first, count)| insert_batch(client, kind, first, count, seed));
        futures::stream::iter(inserts).buffered(width).try_fold(0, async |sum, bytes| Ok(sum + bytes)).await
    };
    let (free_bytes, ordered_bytes) = tokio::try_join!(run(free, CONNECTIONS), run(ordered, 1))?;
    definitions::create_indexes(client).await?;
    definitions::create_views(client).await?;
    let loaded = Kind::ALL.iter().map(|kind| kind.share_of(documents)).sum();
    Ok(Loaded { documents: loaded, bytes: free_bytes + ordered_bytes, elapsed: started.elapsed() })
}

async fn insert_batch(client: &Client, kind: Kind, first: u64, count: u64, seed: u64) -> Result<u64> {
    // Making documents costs about as much as inserting them: not on the thread that talks to the server.
    let generate = tokio::task::spawn_blocking(move || {
        let mut random = Random::seed_from_u64(seed ^ (kind as u64) << 56 ^ first);
        let mut command = DocumentWriter::with_capacity(2 << 20);
        command.str("insert", kind.collection()).bool("ordered", kind.keeps_order()).begin_array("documents");
        let mut bytes = 0;
        for position in 0..count {
            let start = command.len();
            command.begin_document(&position.to_string());
            kind.write(&mut command, first + position, &mut random);
            command.end();
            bytes += (command.len() - start) as u64;
        }
        command.end().build().map(|command| (command, bytes))
    });
    let (command, bytes) = generate.await.context("generate documents")??;
    let reply = client.database(kind.database()).run_raw_command(command).await;
    let reply = reply.with_context(|| format!("insert into {}.{}", kind.database(), kind.collection()))?;
    ensure!(!reply.contains_key("writeErrors"), "insert into {}: {reply}", kind.collection());
    Ok(bytes)
}

/// Waits until everything written so far is held by the majority.
pub async fn wait_for_majority(client: &Client) -> Result<()> {
    let note = doc! { "appendOplogNote": 1, "data": { "testkit": "barrier" }, "writeConcern": { "w": "majority" } };
    client.database("admin").run_command(note).await.context("wait for the majority")?;
    Ok(())
}
