//! A seeded random workload for the differential test: every kind of write and definition change that users make.
//!
//! One driver, one operation at a time, and recorded points at which it pauses: what the server holds at such a point
//! is known exactly. The same seed gives the same operations. Which of them the server refuses is part of the test:
//! refusals must be of a known kind, anything else ends the workload with its seed and step.

mod crud;
mod ddl;
mod outcome;
mod transactions;
mod values;
mod world;

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context, Result, bail};
use mongodb::Client;
use mongodb::bson::{Document, Timestamp, doc};
use mongodb::options::{DatabaseOptions, WriteConcern};
use rand::{RngExt, SeedableRng};

pub use self::outcome::Outcomes;
use self::world::{Kind, Name, World};
use crate::capture::{Detail, StateCapture, capture_matching};
use crate::dataset::Random;

/// The databases of the workload begin with this.
pub const DATABASE_PREFIX: &str = "wl_";
const REMEMBERED: usize = 400;

/// A moment at which the state is known.
#[derive(Debug, Clone)]
pub struct RecordedPoint {
    /// The newest entry of the oplog then: a restore to exactly here must give `state`.
    pub at: Timestamp,
    pub step: u64,
    pub state: StateCapture,
    /// The operations since the point before (not more than a few hundred), with what the server said.
    pub operations: Vec<String>,
}

#[derive(Debug)]
pub struct Workload {
    client: Client,
    seed: u64,
    random: Random,
    world: World,
    step: u64,
    operations: VecDeque<String>,
    outcomes: Outcomes,
}

impl Workload {
    pub fn new(client: Client, seed: u64) -> Self {
        Self {
            client,
            seed,
            random: Random::seed_from_u64(seed),
            world: World::default(),
            step: 0,
            operations: VecDeque::new(),
            outcomes: Outcomes::default(),
        }
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// How often each kind of operation was done and refused.
    pub fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }

    /// One random operation.
    pub async fn step(&mut self) -> Result<()> {
        let step = self.step;
        self.step += 1;
        let done = if let Some(kind) = Kind::ALL.get(usize::try_from(step).unwrap_or(usize::MAX)) {
            // A workload begins with one collection of each kind.
            let name = Name::new(0, step);
            self.create(name, *kind).await
        } else {
            match self.random.random_range(0..100) {
                0..=71 => self.crud().await,
                72..=80 => self.transaction().await,
                _ => self.definition().await,
            }
        };
        done.with_context(|| format!("workload seed {}, step {step}", self.seed))
    }

    pub async fn run(&mut self, steps: u64) -> Result<()> {
        for _ in 0..steps {
            self.step().await?;
        }
        Ok(())
    }

    /// A random number of steps, at most `limit`, and then a point.
    pub async fn advance(&mut self, limit: u64) -> Result<RecordedPoint> {
        let steps = self.random.random_range(1..=limit.max(1));
        self.run(steps).await?;
        self.record_point().await
    }

    /// What the server holds now, and the cluster time of it.
    ///
    /// Read at that very time, so that background work (a no-op, a TTL pass) after it does not matter; capped
    /// collections, which cannot be read so, are at rest because this workload is their only writer.
    pub async fn record_point(&mut self) -> Result<RecordedPoint> {
        let at = self.newest_entry().await?;
        let ours = |namespace: &str| namespace.starts_with(DATABASE_PREFIX);
        let state = capture_matching(&self.client, Some(at), Detail::Documents, ours).await;
        let state = state.with_context(|| format!("record a point: seed {}, step {}", self.seed, self.step))?;
        Ok(RecordedPoint { at, step: self.step, state, operations: self.operations.drain(..).collect() })
    }

    /// For messages: enough to run the same again.
    pub fn describe(&self) -> String {
        format!("workload seed {} after {} steps", self.seed, self.step)
    }

    async fn newest_entry(&self) -> Result<Timestamp> {
        let oplog = self.client.database("local").collection::<Document>("oplog.rs");
        let newest = oplog.find_one(doc! {}).sort(doc! { "$natural": -1 }).projection(doc! { "ts": 1 }).await?;
        let newest = newest.context("the oplog is empty; the workload needs a replica set")?;
        newest.get_timestamp("ts").context("the newest entry of the oplog has no time")
    }

    /// Acknowledged by the primary alone: the majority is waited for once, at a point.
    fn database(&self, name: &Name) -> mongodb::Database {
        let options = DatabaseOptions::builder().write_concern(WriteConcern::nodes(1)).build();
        self.client.database_with_options(&name.database, options)
    }

    fn collection(&self, name: &Name) -> mongodb::Collection<Document> {
        self.database(name).collection(&name.collection)
    }

    /// Remembers an operation and what became of it; `Ok(true)` when the server did it.
    fn settle<T>(&mut self, kind: &'static str, text: &str, result: &mongodb::error::Result<T>) -> Result<bool> {
        let verdict = match result {
            Ok(_) => "done".to_owned(),
            Err(error) => match outcome::refusal(error) {
                Some(code) => format!("refused with {code}"),
                None => bail!("{kind} {text}: {error}"),
            },
        };
        let mut line = format!("{} {kind} {text}", self.step - 1);
        if let Some((end, _)) = line.char_indices().nth(300) {
            line.truncate(end);
        }
        if self.operations.len() == REMEMBERED {
            self.operations.pop_front();
        }
        self.operations.push_back(format!("{line}: {verdict}"));
        self.outcomes.count(kind, result.is_ok());
        Ok(result.is_ok())
    }
}

pub(crate) type Tally = BTreeMap<&'static str, (u64, u64)>;
