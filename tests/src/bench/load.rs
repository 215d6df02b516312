//! A client that writes as fast as the server lets it, or at a given rate.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use archive::ClusterTime;
use mongodb::Client;
use mongodb::bson::{Document, doc};

use super::documents::{DATABASE, Kind, insert_command, object_id};

const CONNECTIONS: u64 = 4;
const INSERTS: u64 = 100;
/// Of documents that were inserted just before: each is an oplog entry of its own.
const UPDATES: u64 = 100;

/// Batches that were acknowledged.
#[derive(Debug, Default)]
pub struct Written {
    pub batches: Vec<Batch>,
    pub seconds: f64,
}

#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// The moment of the history that holds all of it.
    pub at: ClusterTime,
    pub acknowledged: Instant,
    /// Since it was due.
    pub seconds: f64,
}

impl Written {
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    pub fn batches_per_second(&self) -> f64 {
        self.batches.len() as f64 / self.seconds
    }

    /// Of the time that a batch took, the delay of those before it included.
    pub fn p99_seconds(&self) -> f64 {
        percentile(self.batches.iter().map(|batch| batch.seconds).collect(), 0.99)
    }

    pub const fn entries_per_batch() -> u64 {
        INSERTS + UPDATES
    }
}

/// Of values in any order; 0 when there are none.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a position")]
pub fn percentile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * share).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[derive(Debug)]
pub struct Load {
    client: Client,
    next: AtomicU64,
}

impl Load {
    pub fn new(client: Client) -> Self {
        Self { client, next: AtomicU64::new(0) }
    }

    /// Writes for so long. `rate`: batches per second; each is sent when it is due, however late the one before it was.
    pub async fn write(&self, rate: Option<f64>, duration: Duration) -> Result<Written> {
        let started = Instant::now();
        let first = self.next.load(Ordering::Relaxed);
        let writers = (0..CONNECTIONS).map(|_| self.writer(first, rate, started, duration));
        let batches = futures::future::try_join_all(writers).await?.into_iter().flatten().collect();
        Ok(Written { batches, seconds: started.elapsed().as_secs_f64() })
    }

    async fn writer(&self, first: u64, rate: Option<f64>, started: Instant, duration: Duration) -> Result<Vec<Batch>> {
        let mut batches = Vec::new();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            #[allow(clippy::cast_precision_loss, reason = "a time")]
            let due = match rate {
                Some(rate) => started + Duration::from_secs_f64((number - first) as f64 / rate),
                None => Instant::now(),
            };
            if due.max(Instant::now()) >= started + duration {
                return Ok(batches);
            }
            tokio::time::sleep_until(due.into()).await;
            let at = self.batch(number).await?;
            let acknowledged = Instant::now();
            batches.push(Batch { at, acknowledged, seconds: (acknowledged - due).as_secs_f64() });
        }
    }

    async fn batch(&self, number: u64) -> Result<ClusterTime> {
        let (kind, first) = (Kind::Orders, number * INSERTS);
        let (insert, _) = insert_command((kind, first, INSERTS))?;
        super::documents::insert(&self.client, insert).await?;
        let updates: Vec<Document> = (0..UPDATES)
            .map(|offset| {
                let id = mongodb::bson::oid::ObjectId::from_bytes(object_id(kind, first + offset % INSERTS));
                doc! { "q": { "_id": id }, "u": { "$set": { "status": "shipped", "seen": i64::try_from(number).unwrap_or(0) } } }
            })
            .collect();
        let command = doc! { "update": kind.collection(), "updates": updates, "writeConcern": { "w": 1 } };
        let reply = self.client.database(DATABASE).run_command(command).await.context("update a batch")?;
        ensure!(!reply.contains_key("writeErrors"), "update a batch: {reply}");
        Ok(reply.get_timestamp("operationTime")?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values = |count: u32| (1..=count).rev().map(f64::from).collect::<Vec<_>>();
        assert!((percentile(values(100), 0.99) - 99.0).abs() < f64::EPSILON);
        assert!((percentile(values(1_000), 0.99) - 990.0).abs() < f64::EPSILON);
        assert!((percentile(values(3), 0.99) - 3.0).abs() < f64::EPSILON);
        assert!((percentile(values(1), 0.5) - 1.0).abs() < f64::EPSILON);
        assert!(percentile(Vec::new(), 0.99).abs() < f64::EPSILON);
    }
}
