//! What monitoring costs: the server for each collection of its metrics, a scrape while the server does not answer, memory, and how fast
//! the node agent reads a log.

mod logs;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bson::doc;
use testkit::{ReplicaSet, Sidecar};

use super::load::percentile;
use super::table::{Row, Table};
use super::{Options, median, primary_pid, progress, server};
use crate::archive_folder::ArchiveFolder;

use crate::programs::{binary, free_port, page, resident_of, size, threads_cpu_of};

const COLLECTIONS: u64 = 1_000;
const CPU_MILLIS: f64 = 2.0;
const PAIRS: usize = 5;
const SERIES: usize = 700;
const SCRAPE_MILLIS: f64 = 10.0;
const SCRAPES: usize = 500;
const RESIDENT: u64 = 40 << 20;

pub async fn measure(options: &Options, table: &mut Table) -> Result<()> {
    logs::measure(options, table).await.context("reading logs")?;
    let collections = options.scaled(COLLECTIONS);
    progress(&format!("a server with {collections} collections"));
    let set = server().await?;
    let database = set.client().database("shop");
    for number in 0..collections {
        let collection = database.collection(&format!("c{number:04}"));
        collection.insert_one(doc! { "n": 1 }).await.context("make a collection")?;
    }
    collecting(options, &set, collections, table).await?;
    frozen(&set, table).await
}

/// The same server with a sidecar that collects often, and with one that hardly does, in turns.
async fn collecting(options: &Options, set: &ReplicaSet, collections: u64, table: &mut Table) -> Result<()> {
    let (span, pairs) = if options.quick { (Duration::from_secs(10), 1) } else { (Duration::from_secs(40), PAIRS) };
    // What creating the collections left to do is done in the first run, which does not count.
    let mut often = server_cpu(set, "1s", span).await?;
    let (mut extra, mut recorded) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        let seldom = server_cpu(set, "1h", span).await?;
        often = server_cpu(set, "1s", span).await?;
        extra.push((often.cpu - seldom.cpu) * 1000.0 / often.collected);
        recorded.push(often.recorder * 1000.0 / often.collected);
    }
    let spread = extra.iter().map(|millis| format!("{millis:.2}")).collect::<Vec<_>>().join(", ");
    let (extra, recorded) = (median(extra)?, median(recorded)?);
    table.note(format!("processor time of mongod for one collection of its metrics, each pair: {spread} ms"));
    table.push(Row {
        what: format!("processor time of mongod for one collection of its metrics, {collections} collections"),
        value: format!("{extra:.2} ms"),
        // How slow this machine is: much the same commands, once a second, without a client.
        against: format!("{recorded:.2} ms for mongod's own recorder (`ftdc`)"),
        ratio: Some(extra / CPU_MILLIS),
        goal: format!("≤ {CPU_MILLIS} ms"),
        // Nothing costs less than nothing: then it was not measured.
        met: (extra > 0.0).then_some(extra <= CPU_MILLIS),
    });
    table.push(Row {
        what: format!("series of `sidecar run`, {collections} collections"),
        value: often.series.to_string(),
        against: "—".to_owned(),
        ratio: None,
        goal: format!("< {SERIES}"),
        met: Some(often.series < SERIES),
    });
    memory(
        table,
        &format!("memory of a `sidecar run` that watches {collections} collections"),
        often.resident,
        RESIDENT,
    );
    Ok(())
}

struct Watched {
    /// Seconds of `mongod`'s threads that serve connections: what its checkpoints need comes and goes, and is more.
    cpu: f64,
    /// Of the thread that records diagnostics each second.
    recorder: f64,
    collected: f64,
    series: usize,
    resident: u64,
}

async fn server_cpu(set: &ReplicaSet, interval: &str, span: Duration) -> Result<Watched> {
    let archive = ArchiveFolder::new()?;
    let (sidecar, port) = sidecar(set, &archive, interval).await?;
    // The first snapshot and the first look at sizes are over.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let pid = primary_pid(set)?;
    let cpu = |threads: &str| threads_cpu_of(pid, threads).context("the server ended");
    let (clients, recorder, started) = (cpu("conn")?, cpu("ftdc")?, Instant::now());
    tokio::time::sleep(span).await;
    let (clients, recorder, elapsed) =
        (cpu("conn")? - clients, cpu("ftdc")? - recorder, started.elapsed().as_secs_f64());
    let scrape = page(port, "/metrics").await?.1;
    Ok(Watched {
        cpu: clients,
        recorder,
        // The shorter interval is one second.
        collected: elapsed,
        series: scrape.lines().filter(|line| !line.starts_with('#')).count(),
        resident: resident_of(sidecar.pid()).context("the sidecar ended")?,
    })
}

async fn sidecar(set: &ReplicaSet, archive: &ArchiveFolder, interval: &str) -> Result<(Sidecar, u16)> {
    let (uri, url, port) = (set.uri(), archive.url(), free_port()?);
    let listen = format!("127.0.0.1:{port}");
    let arguments = ["run", "--uri", &uri, "--archive", &url, "--listen", &listen, "--metrics-interval", interval];
    let mut sidecar = Sidecar::run_program(&binary("sidecar")?, arguments, &[])?;
    sidecar.wait_for_log("snapshot published", Duration::from_mins(2)).await?;
    Ok((sidecar, port))
}

/// Scrapes while nobody answers on the other side.
async fn frozen(set: &ReplicaSet, table: &mut Table) -> Result<()> {
    let archive = ArchiveFolder::new()?;
    let (_sidecar, port) = sidecar(set, &archive, "1s").await?;
    set.pause(0)?;
    let mut times = Vec::new();
    for _ in 0..SCRAPES {
        let started = Instant::now();
        let (status, body) = page(port, "/metrics").await?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        ensure!(status == 200 && body.contains("tidemark_"), "a scrape was answered with {status}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    set.resume(0)?;
    let p99 = percentile(times, 0.99);
    table.push(Row {
        what: "answer to a scrape while mongod is stopped (SIGSTOP), p99".to_owned(),
        value: format!("{p99:.1} ms"),
        against: "—".to_owned(),
        ratio: Some(p99 / SCRAPE_MILLIS),
        goal: format!("≤ {SCRAPE_MILLIS} ms"),
        met: Some(p99 <= SCRAPE_MILLIS),
    });
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "for a ratio")]
fn memory(table: &mut Table, what: &str, resident: u64, goal: u64) {
    table.push(Row {
        what: what.to_owned(),
        value: size(resident),
        against: "—".to_owned(),
        ratio: Some(resident as f64 / goal as f64),
        goal: format!("≤ {}", size(goal)),
        met: Some(resident <= goal),
    });
}

async fn agent(logs: &Path) -> Result<(Sidecar, u16)> {
    let port = free_port()?;
    let (folder, listen) = (logs.display().to_string(), format!("127.0.0.1:{port}"));
    let mut agent = Sidecar::run_program(&binary("sidecar")?, ["node", "--logs", &folder, "--listen", &listen], &[])?;
    agent.wait_for_log("serving /livez", Duration::from_secs(30)).await?;
    Ok((agent, port))
}
