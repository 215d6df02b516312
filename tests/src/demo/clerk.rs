//! The shop at work: new orders and stock changes, one at a time, beside the testkit's writers.
//!
//! So the collections that the disaster hits are in use until it happens, and the search for it has to tell the
//! harmful update from the traffic of an application.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use mongodb::Client;
use mongodb::bson::{DateTime, Document, doc};
use rand::RngExt;
use tokio::task::JoinHandle;

/// Above every number that the generated orders have.
const FIRST_NUMBER: i64 = 1_000_000_000;
const BETWEEN: Duration = Duration::from_millis(4);

#[derive(Debug)]
pub struct Clerk {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<i64>>,
}

/// Starts behind `before` writes of an earlier clerk.
pub fn start(client: &Client, before: i64, products: i64) -> Clerk {
    let stop = Arc::new(AtomicBool::new(false));
    let task = tokio::spawn(work(client.clone(), Arc::clone(&stop), before, products.max(1)));
    Clerk { stop, task }
}

impl Clerk {
    /// The position for the next one.
    pub async fn stop(self) -> Result<i64> {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.context("the clerk panicked")?
    }
}

async fn work(client: Client, stop: Arc<AtomicBool>, mut position: i64, products: i64) -> Result<i64> {
    let shop = client.database("shop");
    let (orders, stock) = (shop.collection::<Document>("orders"), shop.collection::<Document>("products"));
    while !stop.load(Ordering::SeqCst) {
        let product = rand::rng().random_range(0..products);
        if position % 3 == 0 {
            let change = doc! { "$inc": { "stock": -1 } };
            stock.update_one(doc! { "_id": format!("SKU-{product:06}") }, change).await.context("change the stock")?;
        } else {
            let order = doc! {
                "number": FIRST_NUMBER + position, "customer": i32::try_from(product).unwrap_or(0), "status": "placed",
                "placed": DateTime::now(), "currency": "EUR",
                "items": [{ "sku": format!("SKU-{product:06}"), "quantity": 1, "price": 19.9 }], "total": 19.9,
            };
            orders.insert_one(order).await.context("place an order")?;
        }
        position += 1;
        tokio::time::sleep(BETWEEN).await;
    }
    Ok(position)
}
