//! The oracle of the engine: a random workload with DDL and transactions, a sidecar that is killed at random moments,
//! restores to random recorded moments, and a comparison of every byte with what the source itself said.
//!
//! `TIDEMARK_SEEDS=n` runs n random seeds, `TIDEMARK_SEED=s` runs exactly one again.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mongodb::bson::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use testkit::capture::{Detail, DiffOptions, capture_matching};
use testkit::processes::{Sidecar, dr_cli_json};
use testkit::replica_set::ReplicaSet;
use testkit::workload::{DATABASE_PREFIX, RecordedPoint, Workload};

const DEFAULT_SEEDS: u64 = 20;
const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restores_to_random_moments_equal_the_source_byte_by_byte() {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds: Vec<u64> = match (number("TIDEMARK_SEED"), number("TIDEMARK_SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, Some(count)) => (0..count).map(|_| rand::random_range(0..1_000_000_000)).collect(),
        (None, None) => (1..=DEFAULT_SEEDS).collect(),
    };
    let source = ReplicaSet::builder().set_name("source").start().await.unwrap();
    let destination = ReplicaSet::builder().set_name("destination").start().await.unwrap();
    for seed in seeds {
        let started = Instant::now();
        if let Err(error) = one_seed(seed, &source, &destination).await {
            panic!("TIDEMARK_SEED={seed} fails: {error:#}");
        }
        println!("seed {seed}: equal, {:.1} s", started.elapsed().as_secs_f64());
    }
}

async fn one_seed(seed: u64, source: &ReplicaSet, destination: &ReplicaSet) -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed);
    clear(source).await?;
    let archive = tempfile::tempdir()?;
    let url = format!("file://{}", archive.path().display());
    let mut workload = Workload::new(source.client(), seed);
    workload.run(random.random_range(20..120)).await?;

    // The snapshot is taken while the workload goes on, and the sidecar is killed in the middle of things.
    let mut sidecar = start_sidecar(source, &url)?;
    for _ in 0..random.random_range(0..3) {
        workload.run(random.random_range(1..60)).await?;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..1500))).await;
        sidecar.kill9();
        sidecar = start_sidecar(source, &url)?;
    }
    let end = snapshot_end(&url, &mut workload, &mut sidecar).await?;

    let mut points = Vec::new();
    for _ in 0..4 {
        points.push(workload.advance(60).await?);
        if random.random_bool(0.3) {
            sidecar.kill9();
            sidecar = start_sidecar(source, &url)?;
        }
    }
    let last = points.last().map(|point| point.at).context("no point was recorded")?;
    archived(&url, last, &mut sidecar).await?;
    let status = sidecar.terminate(Duration::from_secs(20)).await?;
    ensure!(status.success(), "the sidecar ended with {status}: {}", sidecar.log());

    let usable: Vec<_> = points.into_iter().filter(|point| (point.at.time, point.at.increment) >= end).collect();
    ensure!(!usable.is_empty(), "no recorded point lies after the snapshot's end {end:?}");
    let first = random.random_range(0..usable.len());
    for index in [first, usable.len() - 1] {
        let point = &usable[index];
        let kills: Vec<u64> = (0..random.random_range(0..3)).map(|_| random.random_range(20..600)).collect();
        restore_and_compare(&url, point, destination, &kills).await.with_context(|| {
            let operations = point.operations.join("\n");
            format!("restore to {}:{} (step {})\n{operations}", point.at.time, point.at.increment, point.step)
        })?;
    }
    Ok(())
}

fn start_sidecar(source: &ReplicaSet, url: &str) -> Result<Sidecar> {
    let uri = source.uri();
    let listen = "127.0.0.1:0";
    Sidecar::run(["run", "--uri", &uri, "--archive", url, "--listen", listen, "--slice-span", "1s"])
}

/// Waits for the first snapshot; the workload does not stop for it.
async fn snapshot_end(url: &str, workload: &mut Workload, sidecar: &mut Sidecar) -> Result<(u32, u32)> {
    let started = Instant::now();
    while started.elapsed() < LIMIT {
        if Path::new(url.trim_start_matches("file://")).join("archive.json").exists() {
            let (_, list, _) = dr_cli_json(["list", "--archive", url]).await?;
            if let Some(end) = list["snapshots"].get(0).and_then(|snapshot| snapshot["end"].as_str()) {
                return cluster_time(end);
            }
        }
        ensure!(sidecar.is_running(), "the sidecar ended: {}", sidecar.log());
        workload.run(5).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("no snapshot within {LIMIT:?}: {}", sidecar.log())
}

fn cluster_time(text: &str) -> Result<(u32, u32)> {
    let (seconds, increment) = text.split_once(':').context("not T:I")?;
    Ok((seconds.parse()?, increment.parse()?))
}

async fn archived(url: &str, at: Timestamp, sidecar: &mut Sidecar) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < LIMIT {
        let (_, status, _) = dr_cli_json(["status", "--archive", url]).await?;
        if let Some(through) = status["lineages"][0]["archived_through"].as_str()
            && cluster_time(through)? >= (at.time, at.increment)
        {
            return Ok(());
        }
        ensure!(sidecar.is_running(), "the sidecar ended: {}", sidecar.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bail!("{at:?} is not archived within {LIMIT:?}: {}", sidecar.log())
}

/// `kills`: after how many milliseconds earlier attempts of the same restore are killed.
async fn restore_and_compare(url: &str, point: &RecordedPoint, destination: &ReplicaSet, kills: &[u64]) -> Result<()> {
    clear(destination).await?;
    let target = format!("{}:{}", point.at.time, point.at.increment);
    let uri = destination.uri();
    let command = ["restore", "--archive", url, "--to", &target, "--destination", &uri, "--yes"];
    let mut report = None;
    for milliseconds in kills {
        // Dropping the command kills the process.
        if let Ok(finished) = tokio::time::timeout(Duration::from_millis(*milliseconds), dr_cli_json(command)).await {
            report = Some(finished?);
            break;
        }
    }
    let (code, report, stderr) = match report {
        Some(finished) => finished,
        None => dr_cli_json(command).await?,
    };
    // An attempt may have been killed after its last mark: then the restore is finished, and says so.
    let finished = code == 9 && report["error"]["what"].as_str().is_some_and(|what| what.contains("finished restore"));
    ensure!(code == 0 || finished, "restore ended with {code}: {report:#}\n{stderr}");
    if code == 0 {
        ensure!(report["target"]["resolved"] == target.as_str(), "another moment was restored: {report:#}");
    }
    let ours = |namespace: &str| namespace.starts_with(DATABASE_PREFIX);
    let found = capture_matching(&destination.client(), None, Detail::Documents, ours).await?;
    let differences = point.state.diff_with(&found, &DiffOptions { ignore_ttl_seconds: true });
    ensure!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    Ok(())
}

/// Empties a set for the next use: starting a new one for each restore would take longer than the restore.
async fn clear(set: &ReplicaSet) -> Result<()> {
    let client = set.client();
    for name in client.list_database_names().await? {
        if !["admin", "config", "local"].contains(&name.as_str()) {
            client.database(&name).drop().await?;
        }
    }
    client.database("config").collection::<mongodb::bson::Document>("tidemark_restore").drop().await?;
    Ok(())
}
