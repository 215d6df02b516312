//! What one background writer does, again and again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mongodb::bson::{DateTime, Document, doc};
use mongodb::error::{Error, ErrorKind, Result, UNKNOWN_TRANSACTION_COMMIT_RESULT, WriteFailure};
use mongodb::{Client, Collection, Database};
use rand::RngExt;

use super::{ACCOUNTS, DATABASE, Shared, WriterCounts};
use crate::dataset::Random;
use crate::dataset::words::{hexadecimal, vocabulary};

pub(super) struct Writer {
    client: Client,
    database: Database,
    number: i32,
    random: Random,
    shared: Arc<Shared>,
    counts: WriterCounts,
}

impl Writer {
    pub(super) fn new(client: &Client, number: i32, random: Random, shared: Arc<Shared>) -> Self {
        let database = client.database(DATABASE);
        Self { client: client.clone(), database, number, random, shared, counts: WriterCounts::default() }
    }

    pub(super) async fn run(&mut self) -> WriterCounts {
        while !self.shared.stop.load(Ordering::SeqCst) {
            if self.step().await.is_err() {
                self.counts.errors += 1;
                // An election is under way, or a write conflict.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        std::mem::take(&mut self.counts)
    }

    async fn step(&mut self) -> Result<()> {
        match self.random.random_range(0..20) {
            0..=4 => self.ledger().await,
            5..=7 => self.insert_cart().await,
            8..=13 => self.update_cart().await,
            14 => self.delete_cart().await,
            15 => self.find_and_modify().await,
            16 | 17 => self.transfer().await,
            18 => self.ring().await,
            _ => self.metric().await,
        }
    }

    fn collection(&self, name: &str) -> Collection<Document> {
        self.database.collection(name)
    }

    fn own_id(&mut self) -> String {
        format!("{}-{}", self.number, self.random.random_range(0..400))
    }

    /// One entry more. When an answer was lost, the entry may be there: then it is a duplicate, and acknowledged.
    async fn ledger(&mut self) -> Result<()> {
        let index = usize::try_from(self.number).unwrap_or(0);
        let entry = self.shared.acknowledged[index].load(Ordering::SeqCst) + 1;
        let id = doc! { "writer": self.number, "entry": i64::try_from(entry).unwrap_or(i64::MAX) };
        let text = vocabulary().sentence(&mut self.random, 2..12);
        match self.collection("ledger").insert_one(doc! { "_id": id, "text": text }).await {
            Err(error) if !is_duplicate(&error) => Err(error),
            _ => {
                self.shared.acknowledged[index].store(entry, Ordering::SeqCst);
                self.counts.inserts += 1;
                Ok(())
            }
        }
    }

    async fn insert_cart(&mut self) -> Result<()> {
        let ids: Vec<String> = (0..self.random.random_range(1..6)).map(|_| self.own_id()).collect();
        let carts: Vec<Document> = ids
            .iter()
            .map(|id| doc! { "_id": id, "items": [], "visits": 0, "token": hexadecimal(&mut self.random, 8) })
            .collect();
        let count = carts.len() as u64;
        match self.collection("carts").insert_many(carts).ordered(false).await {
            Err(error) if !is_duplicate(&error) => Err(error),
            _ => {
                self.counts.inserts += count;
                Ok(())
            }
        }
    }

    async fn update_cart(&mut self) -> Result<()> {
        let id = self.own_id();
        let word = vocabulary().words.pick(&mut self.random);
        let number = self.random.random_range(0..1_000);
        let change = match self.random.random_range(0..8) {
            0 => doc! { "$set": { "note": word, "nested.deep.number": number } },
            1 => doc! { "$inc": { "visits": 1, "score": f64::from(number) / 7.0 } },
            2 => doc! { "$push": { "items": { "sku": number, "word": word } } },
            3 => doc! { "$unset": { "note": "", "nested.deep": "" } },
            4 => doc! { "$push": { "items": { "$each": [{ "sku": number }], "$slice": -20, "$position": 0 } } },
            5 => doc! { "$pull": { "items": { "sku": { "$lt": number } } }, "$currentDate": { "seen": true } },
            6 => doc! { "$rename": { "note": "remark" }, "$mul": { "score": 2 } },
            _ => doc! { "$addToSet": { "tags": word }, "$max": { "highest": number } },
        };
        let carts = self.collection("carts");
        if self.random.random_range(0..10) == 0 {
            carts.update_many(doc! { "_id": { "$gte": id }, "visits": { "$lt": 3 } }, change).await?;
        } else {
            carts.update_one(doc! { "_id": id }, change).upsert(self.random.random_bool(0.2)).await?;
        }
        self.counts.updates += 1;
        Ok(())
    }

    async fn delete_cart(&mut self) -> Result<()> {
        let id = self.own_id();
        self.collection("carts").delete_one(doc! { "_id": id }).await?;
        self.counts.deletes += 1;
        Ok(())
    }

    /// Retryable, and so with an image of the document in the oplog.
    async fn find_and_modify(&mut self) -> Result<()> {
        let id = self.own_id();
        let change = doc! { "$inc": { "visits": 1 }, "$set": { "by": self.number } };
        self.collection("carts").find_one_and_update(doc! { "_id": id }, change).await?;
        self.counts.find_and_modifies += 1;
        Ok(())
    }

    /// Moves money between two accounts and writes the transfer down, in one transaction.
    async fn transfer(&mut self) -> Result<()> {
        let (from, to) = (self.random.random_range(0..ACCOUNTS), self.random.random_range(0..ACCOUNTS));
        let amount = self.random.random_range(1_i64..20);
        let mut session = self.client.start_session().await?;
        session.start_transaction().await?;
        let accounts = self.collection("accounts");
        let take = doc! { "$inc": { "balance": -amount } };
        accounts.update_one(doc! { "_id": from }, take).session(&mut session).await?;
        accounts.update_one(doc! { "_id": to }, doc! { "$inc": { "balance": amount } }).session(&mut session).await?;
        let note = doc! { "from": from, "to": to, "amount": amount };
        self.collection("transfers").insert_one(note).session(&mut session).await?;
        if self.random.random_range(0..10) == 0 {
            return session.abort_transaction().await;
        }
        let mut outcome = session.commit_transaction().await;
        for _ in 0..5 {
            match &outcome {
                Err(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => {
                    outcome = session.commit_transaction().await;
                }
                _ => break,
            }
        }
        outcome?;
        self.counts.transactions += 1;
        Ok(())
    }

    async fn ring(&mut self) -> Result<()> {
        let text = vocabulary().sentence(&mut self.random, 5..40);
        let _one_at_a_time = self.shared.ring.lock().await;
        self.collection("ring").insert_one(doc! { "writer": self.number, "text": text }).await?;
        self.counts.capped_inserts += 1;
        Ok(())
    }

    async fn metric(&mut self) -> Result<()> {
        let value = f64::from(self.random.random_range(0..1_000)) / 10.0;
        let metric = doc! { "at": DateTime::now(), "writer": self.number, "value": value };
        self.collection("metrics").insert_one(metric).await?;
        self.counts.time_series_inserts += 1;
        Ok(())
    }
}

fn is_duplicate(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.code == 11_000,
        ErrorKind::InsertMany(many) => {
            many.write_concern_error.is_none()
                && many.write_errors.as_ref().is_some_and(|errors| errors.iter().all(|error| error.code == 11_000))
        }
        _ => false,
    }
}
