//! Transactions: of one or several collections, large ones, aborted ones, ones that create what they write to.

use std::fmt::Write as _;

use anyhow::Result;
use mongodb::ClientSession;
use mongodb::bson::{Document, doc};
use mongodb::error::{TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use rand::{RngExt, SeedableRng};

use super::values::{body, document, filter, update};
use super::{Kind, Name, Workload, outcome};
use crate::dataset::Random;
use crate::dataset::words::hexadecimal;

const MEGABYTE: usize = 1 << 20;

/// What a transaction did, for the log and the model.
#[derive(Default)]
struct Trace {
    text: String,
    touched: Vec<Name>,
}

impl Trace {
    fn add(&mut self, what: &str, name: Name) {
        write!(self.text, "{what} {name}, ").ok();
        self.touched.push(name);
    }
}

impl Workload {
    pub(super) async fn transaction(&mut self) -> Result<()> {
        let abort = self.random.random_range(0..5) == 0;
        let large = !abort && self.random.random_range(0..40) == 0;
        let kind = match (abort, large) {
            (true, _) => "transactionAborted",
            (false, true) => "transactionLarge",
            (false, false) => "transaction",
        };
        // An attempt that the server asks to repeat makes the same choices again.
        let seed = self.random.random();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let mut session = self.client.start_session().await?;
            let mut trace = Trace::default();
            session.start_transaction().await?;
            let written = self.fill(&mut session, &mut Random::seed_from_u64(seed), large, &mut trace).await;
            let result = match written {
                Ok(()) if !abort => commit(&mut session).await,
                Ok(()) => session.abort_transaction().await,
                Err(error) => {
                    // The server has aborted it already; this tells the driver.
                    session.abort_transaction().await.ok();
                    Err(error)
                }
            };
            let is_transient = |error: &mongodb::error::Error| {
                error.contains_label(TRANSIENT_TRANSACTION_ERROR) && outcome::refusal(error).is_none()
            };
            if attempts < 6 && result.as_ref().is_err_and(is_transient) {
                continue;
            }
            if self.settle(kind, &trace.text, &result)? && !abort {
                trace.touched.iter().for_each(|name| self.world.touch(name));
            }
            return Ok(());
        }
    }

    async fn fill(
        &self,
        session: &mut ClientSession,
        random: &mut Random,
        large: bool,
        trace: &mut Trace,
    ) -> mongodb::error::Result<()> {
        let ordinary = |kind| !matches!(kind, Kind::View | Kind::Capped | Kind::TimeSeries);
        let pick = |random: &mut Random| self.world.pick(random, ordinary).unwrap_or_else(|| Name::new(0, 0));
        for _ in 0..random.random_range(1..7) {
            let name = pick(random);
            self.write_in(session, random, &name).await?;
            trace.add("write", name);
        }
        let new = Name::any(random);
        if random.random_range(0..8) == 0 && self.world.kind(&new).is_none() {
            // The server lets a transaction create a collection; both become visible at the commit.
            self.collection(&new).insert_one(document(random)).session(&mut *session).await?;
            trace.add("create", new);
        }
        if large {
            let name = pick(random);
            let collection = self.collection(&name);
            for part in 0..20 {
                let id = doc! { "_id": format!("large {part}") };
                let fill = doc! { "n": part, "fill": hexadecimal(random, MEGABYTE / 2) };
                collection.replace_one(id, fill).upsert(true).session(&mut *session).await?;
            }
            trace.add("20 MB", name);
        }
        Ok(())
    }

    async fn write_in(
        &self,
        session: &mut ClientSession,
        random: &mut Random,
        name: &Name,
    ) -> mongodb::error::Result<()> {
        let collection = self.collection(name);
        match random.random_range(0..6) {
            0 => collection.insert_one(document(random)).session(session).await.map(drop),
            1 => {
                // Without `_id`s of our own, so that they meet no duplicate.
                let documents: Vec<Document> = (0..random.random_range(1..5)).map(|_| body(random)).collect();
                collection.insert_many(documents).session(session).await.map(drop)
            }
            2 | 3 => collection.update_one(filter(random), update(random)).session(session).await.map(drop),
            4 => {
                let (few, change) = (doc! { "n": { "$lt": 9 } }, doc! { "$inc": { "n": 1 } });
                collection.update_many(few, change).session(session).await.map(drop)
            }
            _ => collection.delete_one(filter(random)).session(session).await.map(drop),
        }
    }
}

async fn commit(session: &mut ClientSession) -> mongodb::error::Result<()> {
    loop {
        match session.commit_transaction().await {
            Err(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => {}
            other => return other,
        }
    }
}
