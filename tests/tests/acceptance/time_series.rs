//! Time-series collections: their buckets are ordinary documents, their definition is a view with options of its own.

use anyhow::Result;
use e2e::Scenario;
use mongodb::bson::{DateTime, Document, doc};

fn create(name: &str) -> Document {
    doc! { "create": name, "timeseries": { "timeField": "at", "metaField": "sensor", "granularity": "seconds" } }
}

/// `count` measurements of two sensors, some of another shape than the others.
fn measurements(first: i64, count: i64) -> impl Iterator<Item = Document> {
    (first..first + count).map(|n| {
        let value = if n % 5 == 0 {
            doc! { "text": n.to_string() }
        } else {
            doc! { "number": n }
        };
        doc! { "at": DateTime::from_millis(1_700_000_000_000 + n * 700), "sensor": n % 2, "value": value, "n": n }
    })
}

/// Case 9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_series_collections_created_before_during_and_after_the_snapshot_are_the_same() -> Result<()> {
    let mut scenario = Scenario::with_faults().await?;
    scenario.fill_for_two_batches("shop", "bulk").await?;
    for database in ["weather", "traffic"] {
        scenario.run(database, create("before")).await?;
        scenario.insert(database, "before", measurements(0, 100)).await?;
    }
    let index = doc! { "key": { "sensor": 1, "at": -1 }, "name": "by sensor" };
    scenario.run("weather", doc! { "createIndexes": "before", "indexes": [index] }).await?;
    scenario.begin_archiving().await?;
    scenario
        .snapshot_while("shop.bulk", async || {
            scenario.run("weather", create("during")).await?;
            scenario.insert("weather", "during", measurements(0, 20)).await?;
            scenario.insert("weather", "before", measurements(100, 20)).await?;
            Ok(())
        })
        .await?;
    scenario.run("weather", create("after")).await?;
    for name in ["before", "during", "after"] {
        // Into buckets that are there already, and into new ones.
        scenario.insert("weather", name, measurements(50, 60)).await?;
        scenario.insert("weather", name, measurements(100_000, 10)).await?;
    }
    scenario.run("weather", doc! { "delete": "during", "deletes": [{ "q": { "sensor": 1 }, "limit": 0 }] }).await?;
    let coarser = doc! { "collMod": "after", "timeseries": { "granularity": "minutes" } };
    scenario.run("weather", coarser).await?;
    scenario.run("traffic", doc! { "drop": "before" }).await?;
    scenario.run("traffic", create("other")).await?;
    scenario.insert("traffic", "other", measurements(0, 5)).await?;
    let expiring =
        doc! { "create": "expiring", "timeseries": { "timeField": "at" }, "expireAfterSeconds": 100_000_i64 };
    scenario.run("traffic", expiring).await?;
    scenario.insert("traffic", "expiring", measurements(0, 5)).await?;
    let moment = scenario.moment().await?;
    scenario.assert_restores(&moment).await?;
    Ok(())
}
