//! An application at work, and the queries of a bad deploy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::options::{DatabaseOptions, WriteConcern};
use tokio::task::JoinHandle;

const BETWEEN: Duration = Duration::from_millis(50);
/// Orders that are there at any time.
const ORDERS: i64 = 200;

/// Places and reads orders until it is dropped. What fails is tried again with the next order, as clients do.
#[derive(Debug)]
pub struct Traffic(JoinHandle<()>);

impl Traffic {
    pub async fn start(client: &Client) -> Result<Self> {
        // By one member: the majority may be what a test takes away.
        let options = DatabaseOptions::builder().write_concern(WriteConcern::nodes(1)).build();
        let orders = client.database_with_options("shop", options).collection::<Document>("orders");
        let documents = (0..ORDERS).map(|id| doc! { "_id": id, "status": "placed", "total": id % 90 });
        orders.insert_many(documents).await.context("place the first orders")?;
        Ok(Self(tokio::spawn(async move {
            for number in 0_i64.. {
                let id = number % ORDERS;
                let change = doc! { "$set": { "status": if number % 2 == 0 { "paid" } else { "sent" }, "at": number } };
                if orders.update_one(doc! { "_id": id }, change).await.is_ok() {
                    orders.find_one(doc! { "_id": id }).await.ok();
                }
                tokio::time::sleep(BETWEEN).await;
            }
        })))
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A report that reads a whole collection, and takes a tenth of a second and more over it.
pub async fn slow_scan(client: &Client) -> Result<()> {
    let reports = client.database("shop").collection::<Document>("reports");
    // Each call of the server's own `sleep` takes that many milliseconds.
    reports.find_one(doc! { "$where": "sleep(40) || false" }).await.context("scan slowly")?;
    Ok(())
}

/// What `slow_scan` reads.
pub async fn write_reports(client: &Client) -> Result<()> {
    let reports = client.database("shop").collection::<Document>("reports");
    reports.insert_many((0..3).map(|id| doc! { "_id": id })).await.context("write reports")?;
    Ok(())
}

/// Scans until told to stop; fails when it never scanned.
#[derive(Debug)]
pub struct SlowScans {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<u64>>,
}

impl SlowScans {
    pub fn start(client: &Client) -> Self {
        let (client, stop) = (client.clone(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut count = 0;
            while !stopped.load(Ordering::SeqCst) {
                slow_scan(&client).await?;
                count += 1;
            }
            Ok(count)
        });
        Self { stop, task }
    }

    pub async fn stop(self) -> Result<()> {
        self.stop.store(true, Ordering::SeqCst);
        let count = self.task.await.context("the scans panicked")??;
        ensure!(count > 0, "nothing was scanned");
        Ok(())
    }
}
