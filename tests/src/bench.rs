//! Speed and memory as ratios in one run: ours against the server's own limit, and against other tools where they are.
//!
//! Absolute numbers say little about another machine; ratios of two things measured minutes apart on the same one do.
//! `make bench` prints the table and writes it, with what is needed to repeat it, into `docs/benchmarks.md`.

mod archiver;
mod catalog;
mod collections;
mod documents;
mod idle;
mod limits;
mod listing;
mod load;
mod machine;
mod monitoring;
mod peers;
mod replay;
mod stores;
mod table;
mod tidemark;
mod volume;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use testkit::ReplicaSet;

pub use self::catalog::simulate as simulate_catalog;
pub use self::listing::simulate as simulate_listing;
use self::table::Table;

#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A tenth of everything: to see that it works, not to judge.
    pub quick: bool,
    /// Parts to run; empty: all.
    pub parts: BTreeSet<u8>,
    /// Where the table goes, between markers.
    pub write_to: Option<PathBuf>,
}

impl Options {
    fn wants(&self, part: u8) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    fn scaled(&self, full: u64) -> u64 {
        if self.quick { full / 10 } else { full }
    }
}

pub async fn run(options: &Options) -> Result<()> {
    let machine = tokio::task::spawn_blocking(machine::describe).await??;
    for line in &machine {
        println!("{line}");
    }
    let mut table = Table::default();
    if options.wants(1) || options.wants(2) || options.wants(3) {
        volume::measure(options, &mut table).await.context("snapshot and restore")?;
    }
    if options.wants(3) {
        idle::measure(options, &mut table).await.context("the idle sidecar")?;
    }
    if options.wants(4) {
        collections::measure(options, &mut table).await.context("many collections")?;
        catalog::measure(options, &mut table).await.context("the simulated catalog")?;
    }
    if options.wants(5) {
        replay::measure(options, &mut table).await.context("replay")?;
    }
    if options.wants(6) {
        stores::measure(options, &mut table).await.context("object stores and encryption")?;
    }
    if options.wants(7) {
        archiver::measure(options, &mut table).await.context("the archiver")?;
    }
    if options.wants(8) {
        listing::measure(options, &mut table).await.context("the simulated listing")?;
    }
    if options.wants(9) {
        monitoring::measure(options, &mut table).await.context("monitoring")?;
    }
    println!("\n{}", table.to_text());
    if let Some(path) = &options.write_to {
        table::write(path, &machine, &table)?;
        println!("\nwritten to {}", path.display());
    }
    Ok(())
}

/// One member: the benchmark is about our own programs, and more members would take the same two cores.
async fn server() -> Result<ReplicaSet> {
    ReplicaSet::builder().set_parameter("ttlMonitorEnabled", "false").start().await
}

fn primary_pid(set: &ReplicaSet) -> Result<i32> {
    set.pid(0).context("the server does not run")
}

/// The middle one; outliers of a shared machine do not count.
fn median(mut values: Vec<f64>) -> Result<f64> {
    ensure!(!values.is_empty(), "nothing was measured");
    values.sort_by(f64::total_cmp);
    Ok(values[values.len() / 2])
}

fn progress(text: &str) {
    eprintln!("bench: {text}");
}
