//! Thousands of small collections: the cost of each must not grow with their number.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt};
use mongodb::bson::{Document, doc};
use testkit::ReplicaSet;

use super::table::Table;
use super::tidemark::{self, Work};
use super::{Options, progress, server};
use crate::archive_folder::ArchiveFolder;
use crate::programs::{count, size};

const FEW: u64 = 500;
const MANY: u64 = 5_000;
const DOCUMENTS: i32 = 5;
/// "Flat", with room for what a cache that no longer holds everything costs the server.
const FLAT: f64 = 1.25;

struct Point {
    collections: u64,
    /// What a client needs to create and fill them, four at a time.
    creation_seconds: f64,
    snapshot: Work,
    restore: Work,
}

pub async fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let few = point(options.scaled(FEW)).await?;
    let many = point(options.scaled(MANY)).await?;
    compare(table, "snapshot", &few, &many, |point| &point.snapshot);
    compare(table, "restore", &few, &many, |point| &point.restore);
    for point in [&few, &many] {
        let seconds = point.restore.usage.wall_seconds;
        table.ratio(
            &format!("restore of {} collections, wall time", count(point.collections)),
            (seconds, format!("{seconds:.1} s")),
            (point.creation_seconds, format!("a client creating them {:.1} s", point.creation_seconds)),
            None,
        );
    }
    table.note(format!(
        "{} collections: snapshot {}; restore {} ({})",
        count(many.collections),
        many.snapshot.profile(),
        many.restore.profile(),
        many.restore.phases()
    ));
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "for a ratio")]
fn compare(table: &mut Table, what: &str, few: &Point, many: &Point, work: impl Fn(&Point) -> &Work) {
    let per_collection = |point: &Point| {
        let milliseconds = work(point).usage.wall_seconds * 1_000.0 / point.collections as f64;
        (milliseconds, format!("{milliseconds:.2} ms, {} collections", count(point.collections)))
    };
    table.ratio(&format!("{what}, time per collection"), per_collection(many), per_collection(few), Some(FLAT));
    let memory = |point: &Point| {
        let peak = work(point).usage.peak_bytes;
        (peak as f64, format!("{}, {} collections", size(peak), count(point.collections)))
    };
    table.ratio(&format!("{what}, peak memory"), memory(many), memory(few), None);
}

async fn point(collections: u64) -> Result<Point> {
    progress(&format!("creating {} collections", count(collections)));
    let source = server().await?;
    let started = Instant::now();
    create(&source, collections).await?;
    let creation_seconds = started.elapsed().as_secs_f64();
    let archive = ArchiveFolder::new()?;
    let snapshot = tidemark::snapshot(&source, &archive).await?;
    let taken = snapshot.report["snapshot"]["collections"].as_u64().context("the snapshot counts its collections")?;
    ensure!(taken >= collections, "{collections} collections were created, {taken} are in the snapshot");
    drop(source);
    let destination = server().await?;
    let restore = tidemark::restore(&archive, "latest", &destination).await?;
    Ok(Point { collections, creation_seconds, snapshot, restore })
}

async fn create(set: &ReplicaSet, collections: u64) -> Result<()> {
    let client = set.client();
    let inserts = (0..collections).map(async |number| {
        // As tenants have them: some databases with many collections each.
        let database = client.database(&format!("tenant{:03}", number % 20));
        let documents: Vec<Document> =
            (0..DOCUMENTS).map(|id| doc! { "_id": id, "text": "a small collection" }).collect();
        let insert =
            doc! { "insert": format!("collection{number:05}"), "documents": documents, "writeConcern": { "w": 1 } };
        database.run_command(insert).await.context("create a collection").map(|_| ())
    });
    futures::stream::iter(inserts).buffer_unordered(4).try_collect::<()>().await?;
    testkit::dataset::wait_for_majority(&client).await
}
