//! Background writers: load while a snapshot runs, with invariants that a wrong restore breaks.
//!
//! All is in the database `live`. At any single cluster time the ledger of each writer is unbroken from 1 on, and the
//! accounts sum up to what they started with; `check` proves both on a restored server.

mod operations;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, Result};
use futures::TryStreamExt;
use mongodb::Client;
use mongodb::bson::{Document, doc};
use rand::SeedableRng;
use tokio::task::JoinHandle;

use self::operations::Writer;
use crate::dataset::Random;

pub const DATABASE: &str = "live";
const WRITERS: i32 = 3;
const ACCOUNTS: i32 = 50;
const OPENING_BALANCE: i64 = 1_000;

/// What the writers did; only acknowledged operations count.
#[derive(Debug, Clone, Default)]
pub struct WriterCounts {
    pub inserts: u64,
    pub updates: u64,
    pub deletes: u64,
    pub find_and_modifies: u64,
    pub transactions: u64,
    pub capped_inserts: u64,
    pub time_series_inserts: u64,
    /// Operations that failed, for example during an election; the writers go on.
    pub errors: u64,
    /// The last acknowledged ledger entry of each writer.
    pub acknowledged: Vec<u64>,
}

impl WriterCounts {
    pub fn total(&self) -> u64 {
        self.inserts
            + self.updates
            + self.deletes
            + self.find_and_modifies
            + self.transactions
            + self.capped_inserts
            + self.time_series_inserts
    }
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    acknowledged: Vec<AtomicU64>,
    /// One insert into the capped collection at a time: the server reserves the oplog's times before it takes the lock under
    /// which it assigns record ids, so of two at once the primary may keep the later one first, unlike its own secondaries.
    ring: tokio::sync::Mutex<()>,
}

/// Running writers; dropping them asks them to stop without waiting.
#[derive(Debug)]
pub struct Writers {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<WriterCounts>>,
}

/// Creates the collections of `live` where they are missing and starts writing.
pub async fn start_writers(client: &Client, seed: u64) -> Result<Writers> {
    let database = client.database(DATABASE);
    let existing = database.list_collection_names().await.context("list the collections of the writers")?;
    for create in [
        doc! { "create": "ring", "capped": true, "size": 256 << 10 },
        doc! { "create": "metrics", "timeseries": { "timeField": "at", "metaField": "writer" } },
        doc! { "create": "accounts" },
        doc! { "create": "ledger" },
        doc! { "create": "carts" },
    ] {
        if !existing.iter().any(|name| create.get_str("create").is_ok_and(|wanted| wanted == name)) {
            database.run_command(create).await.context("create the collections of the writers")?;
        }
    }
    let accounts = database.collection::<Document>("accounts");
    if accounts.count_documents(doc! {}).await? == 0 {
        let opened = (0..ACCOUNTS).map(|id| doc! { "_id": id, "balance": OPENING_BALANCE });
        accounts.insert_many(opened).await.context("open the accounts")?;
    }
    let mut shared = Shared::default();
    for writer in 0..WRITERS {
        shared.acknowledged.push(AtomicU64::new(last_entry(client, writer).await?));
    }
    let shared = Arc::new(shared);
    let tasks = (0..WRITERS)
        .map(|number| {
            let random = Random::seed_from_u64(seed ^ u64::from(number.unsigned_abs()) << 32);
            let mut writer = Writer::new(client, number, random, Arc::clone(&shared));
            tokio::spawn(async move { writer.run().await })
        })
        .collect();
    Ok(Writers { shared, tasks })
}

impl Writers {
    /// The last acknowledged ledger entry of each writer, now.
    pub fn acknowledged(&self) -> Vec<u64> {
        self.shared.acknowledged.iter().map(|last| last.load(Ordering::SeqCst)).collect()
    }

    pub async fn stop(mut self) -> Result<WriterCounts> {
        self.shared.stop.store(true, Ordering::SeqCst);
        let mut sum = WriterCounts::default();
        for task in std::mem::take(&mut self.tasks) {
            let counts = task.await.context("a writer panicked")?;
            sum.inserts += counts.inserts;
            sum.updates += counts.updates;
            sum.deletes += counts.deletes;
            sum.find_and_modifies += counts.find_and_modifies;
            sum.transactions += counts.transactions;
            sum.capped_inserts += counts.capped_inserts;
            sum.time_series_inserts += counts.time_series_inserts;
            sum.errors += counts.errors;
        }
        sum.acknowledged = self.acknowledged();
        Ok(sum)
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
    }
}

/// What a server holds of the writers' work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveState {
    /// The last ledger entry of each writer.
    pub ledger: Vec<u64>,
    /// Broken invariants, readable; empty when the state is one of a single moment.
    pub broken: Vec<String>,
}

/// Reads and judges the database `live` of a source at rest or of a restored server.
pub async fn check(client: &Client) -> Result<LiveState> {
    let database = client.database(DATABASE);
    let mut broken = Vec::new();
    let mut ledger = Vec::new();
    for writer in 0..WRITERS {
        let filter = doc! { "_id.writer": writer };
        let count = database.collection::<Document>("ledger").count_documents(filter).await?;
        let last = last_entry(client, writer).await?;
        if count != last {
            broken.push(format!("writer {writer}: {count} ledger entries, the last is number {last}"));
        }
        ledger.push(last);
    }
    let accounts: Vec<Document> = database
        .collection::<Document>("accounts")
        .find(doc! {})
        .await?
        .try_collect()
        .await
        .context("read accounts")?;
    let balances: BTreeMap<i32, i64> = accounts
        .iter()
        .filter_map(|account| Some((account.get_i32("_id").ok()?, account.get_i64("balance").ok()?)))
        .collect();
    let (sum, expected) = (balances.values().sum::<i64>(), i64::from(ACCOUNTS) * OPENING_BALANCE);
    if sum != expected {
        broken.push(format!("the balances of {} accounts sum up to {sum}, not to {expected}", balances.len()));
    }
    Ok(LiveState { ledger, broken })
}

async fn last_entry(client: &Client, writer: i32) -> Result<u64> {
    let ledger = client.database(DATABASE).collection::<Document>("ledger");
    let last = ledger.find_one(doc! { "_id.writer": writer }).sort(doc! { "_id.entry": -1 }).await?;
    let entry = last.and_then(|entry| entry.get_document("_id").ok()?.get_i64("entry").ok());
    Ok(entry.and_then(|entry| u64::try_from(entry).ok()).unwrap_or(0))
}
