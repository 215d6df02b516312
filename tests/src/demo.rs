//! The main job as a story: snapshot, archive, disaster, find, restore, compare. `make demo` tells it.
//!
//! Every number on the terminal is measured in this run, and any step that does not hold ends it with an error. The
//! state before the disaster is what the source itself showed by snapshot reads at that cluster time.

mod clerk;
mod oracle;
mod stage;
pub(crate) mod terminal;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mongodb::bson::{Document, doc};
use serde_json::Value;
use testkit::dataset::wait_for_majority;
use testkit::{ReplicaSet, writers};

use self::stage::Stage;
use self::terminal::Terminal;
use crate::archive_place::StoreKind;
use crate::programs::{count, size};

/// Orders are a little more than half of the shop's documents (`testkit::dataset`).
const DOCUMENTS_PER_100_ORDERS: u64 = 191;
const MORE_WRITES: Duration = Duration::from_secs(8);
const PATIENCE: Duration = Duration::from_mins(3);

#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub documents: u64,
    pub store: StoreKind,
    /// Leave everything running at the end, until Ctrl-C.
    pub keep: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { documents: 600_000, store: StoreKind::File, keep: false }
    }
}

/// Everything that runs, so that whoever tells the story can show the logs when it ends badly.
#[derive(Debug, Default)]
pub struct Story {
    stage: Option<Stage>,
    destination: Option<ReplicaSet>,
    terminal: Terminal,
}

impl Story {
    /// The ends of all logs.
    pub fn log_tails(&self) -> String {
        let mut text = String::new();
        if let Some(stage) = &self.stage {
            text += &stage.log_tails();
        }
        if let Some(destination) = &self.destination {
            text += &stage::mongod_tail("destination", destination);
        }
        text
    }

    pub async fn tell(&mut self, options: Options) -> Result<()> {
        self.set_up(options).await?;
        let writers = self.snapshot_under_load().await?;
        let disaster = self.disaster(writers).await?;
        let target = self.find(&disaster).await?;
        let report = self.restore(&target).await?;
        self.compare(&disaster, &target, &report).await?;
        if options.keep {
            self.keep().await?;
        }
        self.end(&disaster).await
    }

    fn stage(&mut self) -> Result<&mut Stage> {
        self.stage.as_mut().context("the source was not started")
    }

    async fn set_up(&mut self, options: Options) -> Result<()> {
        let binary = tokio::task::spawn_blocking(testkit::mongod::binary).await??;
        let (major, minor) = testkit::mongod::version(&binary)?;
        self.terminal.step(&format!("mongod {major}.{minor} is {}", binary.display()));

        let started = Instant::now();
        let stage = self.stage.insert(Stage::start(options.store).await?);
        self.terminal.step("A source: a replica set of three members");
        self.terminal.line(&format!("{} in {:.1} s", stage.source.uri(), started.elapsed().as_secs_f64()));

        self.terminal.step("A shop: several databases with indexes, views, a time-series and a capped collection");
        let client = stage.source.client();
        let orders = (options.documents * 100).div_ceil(DOCUMENTS_PER_100_ORDERS);
        let loaded = testkit::load_shop(&client, orders, 7).await?;
        wait_for_majority(&client).await?;
        stage.products = i64::try_from(orders / 20)?;
        self.terminal.line(&format!(
            "{} documents, {} of BSON, with their indexes in {:.1} s",
            count(loaded.documents),
            size(loaded.bytes),
            loaded.elapsed.as_secs_f64()
        ));
        Ok(())
    }

    async fn snapshot_under_load(&mut self) -> Result<stage::Writing> {
        let stage = self.stage.as_mut().context("the source was not started")?;
        self.terminal.step("Applications write, and `sidecar run` starts beside them");
        let writing = stage.start_writing().await?;
        let before = stage.operations().await?;
        let started = Instant::now();
        stage.start_sidecar()?;
        self.terminal.line(&format!("archive {}", stage.archive.shown()));
        let snapshot = stage.first_snapshot(PATIENCE).await?;
        let written = stage.operations().await?.saturating_sub(before);
        let number = |name: &str| snapshot[name].as_u64().unwrap_or(0);
        self.terminal.line(&format!(
            "snapshot {} after {:.1} s, while {} operations were written",
            snapshot["id"].as_str().unwrap_or("?"),
            started.elapsed().as_secs_f64(),
            count(written)
        ));
        self.terminal.line(&format!(
            "{} documents, {} of BSON stored as {}; consistent at {}",
            count(number("documents")),
            size(number("bytes")),
            size(number("stored_bytes")),
            snapshot["end"].as_str().unwrap_or("?")
        ));
        ensure!(written > 0, "nothing was written during the snapshot, so this run shows nothing");

        self.terminal.step("They go on writing, and the oplog goes into the archive");
        let before = stage.operations().await?;
        let lag = stage.watch_lag(MORE_WRITES).await?;
        let written = stage.operations().await?.saturating_sub(before);
        self.terminal.line(&format!(
            "{} operations in {:.0} s; the archive was never more than {lag:.1} s behind",
            count(written),
            MORE_WRITES.as_secs_f64()
        ));
        Ok(writing)
    }

    async fn disaster(&mut self, writing: stage::Writing) -> Result<Disaster> {
        let stage = self.stage.as_mut().context("the source was not started")?;
        let client = stage.source.client();
        self.terminal.step("The moment before: applications pause, so that its state is known");
        stage.pause(writing).await?;
        let recovery_point = stage.lag().await?;
        let before = oracle::moment(&client).await?;
        // What cannot be read back later: capped collections (the server has no history of them) and what is dropped.
        let mut expected = oracle::unrepeatable(&client, before).await?;
        self.terminal.line(&format!("cluster time {before}"));

        self.terminal.step("Disaster: an update without a filter on shop.orders, then drop of shop.customers");
        let shop = client.database("shop");
        let ruin = doc! { "$set": { "status": "cancelled", "total": 0.0 } };
        let started = Instant::now();
        let updated =
            shop.collection::<Document>("orders").update_many(doc! {}, ruin).await.context("ruin the orders")?;
        let customers = shop.collection::<Document>("customers").estimated_document_count().await?;
        shop.collection::<Document>("customers").drop().await.context("drop the customers")?;
        let after = oracle::moment(&client).await?;
        self.terminal.line(&format!(
            "{} orders cancelled and {} customers gone in {:.1} s; applications go on",
            count(updated.modified_count),
            count(customers),
            started.elapsed().as_secs_f64()
        ));
        let writing = stage.start_writing().await?;

        self.terminal.step(&format!("What the source held at {before}, by snapshot reads at that cluster time"));
        let started = Instant::now();
        expected.collections.extend(oracle::repeatable(&client, before).await?.collections);
        self.terminal.line(&format!(
            "{} documents in {} collections and views, hashed in {:.1} s",
            count(expected.documents()),
            expected.collections.len(),
            started.elapsed().as_secs_f64()
        ));
        let started = Instant::now();
        stage.wait_archived(after, PATIENCE).await?;
        self.terminal
            .line(&format!("the archive holds the disaster too ({:.1} s later)", started.elapsed().as_secs_f64()));
        stage.pause(writing).await?;
        let ledger = stage.ledger_before_disaster.clone();
        Ok(Disaster { before, expected, updated: updated.modified_count, recovery_point, ledger })
    }

    /// Gives the target just before the first harmful entry.
    async fn find(&mut self, disaster: &Disaster) -> Result<String> {
        self.terminal.step("Somebody calls. What happened to the shop?");
        let stage = self.stage()?;
        let find = ["find", "--namespace", "shop", "--op", "update,drop"];
        let shown = stage.dr_cli(&find).await?.finished.stdout;
        let found = stage.dr_cli_json(&find).await?;
        let matches = found["matches"].as_array().context("find has matches")?;
        let of = |op: &str, namespace: &str, least: u64| {
            matches.iter().find(|found| {
                found["op"] == op && found["namespace"] == namespace && found["count"].as_u64() >= Some(least)
            })
        };
        let update = of("update", "shop.orders", disaster.updated).context("the bad update was not found")?;
        let drop = of("drop", "shop.customers", 1).context("the drop was not found")?;
        let target = update["before"].as_str().context("a match says what to restore")?.to_owned();
        let slices = found["scanned"]["slices"].as_u64().unwrap_or(0);
        self.terminal.line("$ dr-cli find --namespace shop --op update,drop");
        let about = |line: &&str| line.contains("shop.orders") || line.contains("shop.customers") || is_heading(line);
        self.terminal.quote(&shown.lines().filter(about).collect::<Vec<_>>().join("\n"));
        self.terminal.line(&format!(
            "{} matches in {slices} slices: {} updates from {} on, the drop at {}",
            matches.len(),
            count(update["count"].as_u64().unwrap_or(0)),
            update["at"].as_str().unwrap_or("?"),
            drop["at"].as_str().unwrap_or("?")
        ));

        self.terminal.step(&format!("The plan: dr-cli plan --to {target}"));
        let plan = self.stage()?.dr_cli(&["plan", "--to", &target]).await?.finished.stdout;
        self.terminal.quote(&plan);
        Ok(target)
    }

    async fn restore(&mut self, target: &str) -> Result<Restored> {
        self.terminal.step("A fresh replica set of three members, and the restore into it");
        let destination = self.destination.insert(stage::replica_set().await?);
        let uri = destination.uri();
        let stage = self.stage.as_ref().context("the source was not started")?;
        self.terminal.line(&format!("$ dr-cli restore --to {target} --destination {uri} --yes"));
        let done = stage.restore(target, &uri).await?;
        let report = done.finished.json()?;
        for phase in report["phases"].as_array().context("the report has phases")? {
            let seconds = phase["seconds"].as_f64().unwrap_or(0.0);
            if seconds >= 0.05 {
                self.terminal.line(&format!("{:<10}{seconds:>7.1} s", phase["name"].as_str().unwrap_or("?")));
            }
        }
        let number = |name: &str| count(report["counts"][name].as_u64().unwrap_or(0));
        self.terminal.line(&format!(
            "{} documents, {} indexes, {} oplog entries; peak memory of dr-cli {}",
            number("documents"),
            number("indexes"),
            number("entries"),
            size(done.usage.peak_bytes)
        ));
        Ok(Restored { report, seconds: done.usage.wall_seconds })
    }

    async fn compare(&mut self, disaster: &Disaster, target: &str, restored: &Restored) -> Result<()> {
        self.terminal.step("Every collection, option, index and document, compared byte by byte");
        let destination = self.destination.take().context("the destination was not started")?;
        wait_for_majority(&destination.client()).await?;
        let state = oracle::everything(&destination.client()).await?;
        let compared = crate::Restored { set: destination, report: restored.report.clone(), state };
        let differences = compared.differences(&disaster.expected);
        let live = writers::check(&compared.client()).await;
        let documents = compared.state.documents();
        self.destination = Some(compared.set);
        let differences = differences?;
        ensure!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
        let live = live?;
        ensure!(live.broken.is_empty(), "the writers' invariants are broken: {:?}", live.broken);
        ensure!(live.ledger == disaster.ledger, "ledger {:?}, acknowledged were {:?}", live.ledger, disaster.ledger);
        self.terminal.line(&format!(
            "{} documents ({}) in {} collections and views: no difference",
            count(documents),
            size(disaster.expected.bytes()),
            disaster.expected.collections.len()
        ));
        self.terminal.line(&format!(
            "all {} acknowledged ledger entries are there, none twice, and the accounts sum up",
            count(live.ledger.iter().sum())
        ));

        self.terminal.step("Measured");
        self.terminal.line(&format!(
            "recovery point {:.1} s at most: how far the archive was behind when the disaster came; of this disaster nothing was lost",
            disaster.recovery_point
        ));
        self.terminal.line(&format!("recovery time {:.1} s: dr-cli restore --to {target}", restored.seconds));
        Ok(())
    }

    async fn keep(&mut self) -> Result<()> {
        self.terminal.step("Everything stays as it is until Ctrl-C");
        let (source, archive) = {
            let stage = self.stage()?;
            (stage.source.uri(), stage.archive.url())
        };
        let destination = self.destination.as_ref().map(ReplicaSet::uri).unwrap_or_default();
        for (name, value) in [("source", source), ("destination", destination), ("archive", archive)] {
            self.terminal.line(&format!("{name:<12} {value}"));
        }
        std::future::pending().await
    }

    async fn end(&mut self, disaster: &Disaster) -> Result<()> {
        self.stage()?.stop_sidecar().await?;
        self.destination = None;
        self.stage = None;
        println!("\nall servers ended and temporary files removed after {:.0} s", self.terminal.seconds());
        println!("restored state equals the state at {}", disaster.before);
        Ok(())
    }
}

#[derive(Debug)]
struct Disaster {
    before: archive::ClusterTime,
    expected: testkit::StateCapture,
    updated: u64,
    recovery_point: f64,
    /// The last acknowledged ledger entry of each writer.
    ledger: Vec<u64>,
}

#[derive(Debug)]
struct Restored {
    report: Value,
    seconds: f64,
}

/// The first line of a table names its columns.
fn is_heading(line: &str) -> bool {
    let line = line.to_lowercase();
    line.contains("namespace") && line.contains("count")
}
