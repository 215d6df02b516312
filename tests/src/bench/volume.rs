//! Snapshot and restore of many bytes: time against the limits, and memory at two sizes.

use anyhow::{Context, Result};
use testkit::mongod::temp_folder;

use super::table::{Row, Table};
use super::tidemark::{self, Work};
use super::{Options, documents, limits, median, peers, progress, server};
use crate::archive_folder::ArchiveFolder;
use crate::programs::{count, size};

/// About 320 MB.
const DOCUMENTS: u64 = 1_000_000;
const TIMES_LARGER: u64 = 10;
const REPETITIONS: usize = 3;
const SNAPSHOT_MEMORY: u64 = 128 << 20;
const RESTORE_MEMORY: u64 = 256 << 20;

pub async fn measure(options: &Options, table: &mut Table) -> Result<()> {
    at_full_attention(options, table).await?;
    if !options.wants(3) {
        return Ok(());
    }
    if options.quick {
        table.note("memory at ten times the size was not measured (`--quick`)".to_owned());
        return Ok(());
    }
    let documents = DOCUMENTS * TIMES_LARGER;
    progress(&format!("loading {} documents", count(documents)));
    let source = server().await?;
    let bytes = documents::load(&source.client(), documents).await?;
    let archive = ArchiveFolder::new()?;
    let snapshot = tidemark::snapshot(&source, &archive).await?;
    drop(source);
    table.note(format!("snapshot of {}: {}", size(bytes), snapshot.profile()));
    memory(table, &format!("peak memory of `sidecar snapshot`, {}", size(bytes)), &snapshot, SNAPSHOT_MEMORY);
    let destination = server().await?;
    let restore = tidemark::restore(&archive, "latest", &destination).await?;
    table.note(format!("restore of {}: {} ({})", size(bytes), restore.profile(), restore.phases()));
    memory(table, &format!("peak memory of `dr-cli restore`, {}", size(bytes)), &restore, RESTORE_MEMORY);
    Ok(())
}

async fn at_full_attention(options: &Options, table: &mut Table) -> Result<()> {
    let documents = options.scaled(DOCUMENTS);
    progress(&format!("loading {} documents", count(documents)));
    let source = server().await?;
    let bytes = documents::load(&source.client(), documents).await?;
    table.note(format!(
        "data: {} documents, {} of BSON, 9 secondary indexes (3 per collection)",
        count(documents),
        size(bytes)
    ));

    // The first scan warms the caches for all who follow.
    limits::raw_scan(&source).await?;
    let (mut scans, mut snapshots) = (Vec::new(), Vec::new());
    let mut kept: Option<(ArchiveFolder, Work)> = None;
    let mut scan_cpu = 0.0;
    for _ in 0..REPETITIONS {
        let (scan, _) = limits::raw_scan(&source).await?;
        scans.push(scan.seconds);
        scan_cpu = scan.server_cpu_seconds;
        let archive = ArchiveFolder::new()?;
        let work = tidemark::snapshot(&source, &archive).await?;
        snapshots.push(work.usage.wall_seconds);
        kept = Some((archive, work));
    }
    let (archive, snapshot) = kept.context("a snapshot was taken")?;
    let (scan, wall) = (median(scans)?, median(snapshots)?);
    let stored = snapshot.report["snapshot"]["stored_bytes"].as_u64().context("the snapshot's stored bytes")?;

    if options.wants(1) {
        let shown = |seconds: f64| format!("{seconds:.2} s");
        table.ratio("snapshot, wall time", (wall, shown(wall)), (scan, format!("raw scan {}", shown(scan))), Some(3.5));
        table.note(format!(
            "snapshot: {}; raw scan: {:.2} CPU-seconds of mongod (median of {REPETITIONS} for wall times, profiles of the last)",
            snapshot.profile(),
            scan_cpu
        ));
        dump_peers(table, &source, (wall, stored), bytes).await?;
    }
    if options.wants(3) {
        memory(table, &format!("peak memory of `sidecar snapshot`, {}", size(bytes)), &snapshot, SNAPSHOT_MEMORY);
    }
    let dump = temp_folder("dump")?;
    let dumped = options.wants(2) && peers::mongodump(&source, dump.path(), false).await?.is_some();
    drop(source);

    let destination = server().await?;
    let restore = tidemark::restore(&archive, "latest", &destination).await?;
    drop(destination);
    if options.wants(2) {
        restore_peers(table, &restore, documents, dumped.then(|| dump.path())).await?;
    }
    if options.wants(3) {
        memory(table, &format!("peak memory of `dr-cli restore`, {}", size(bytes)), &restore, RESTORE_MEMORY);
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "for a ratio")]
async fn dump_peers(table: &mut Table, source: &testkit::ReplicaSet, ours: (f64, u64), bytes: u64) -> Result<()> {
    let (wall, stored) = ours;
    let stored_value = (stored as f64, size(stored));
    let folder = temp_folder("dump")?;
    match peers::mongodump(source, &folder.path().join("plain"), false).await? {
        Some(peer) => table.ratio(
            "snapshot, wall time",
            (wall, format!("{wall:.2} s")),
            (peer.seconds, format!("`mongodump` {:.2} s", peer.seconds)),
            Some(1.8),
        ),
        None => table.note("`MONGODUMP` was not given: no comparison with it".to_owned()),
    }
    if let Some(peer) = peers::mongodump(source, &folder.path().join("gzip"), true).await? {
        let value = (wall, format!("{wall:.2} s"));
        let limit = (peer.seconds, format!("`mongodump --gzip` {:.2} s", peer.seconds));
        table.ratio("snapshot, wall time", value, limit, Some(0.15));
        let limit = (peer.bytes as f64, format!("`mongodump --gzip` {}", size(peer.bytes)));
        table.ratio("snapshot, bytes in the archive", stored_value.clone(), limit, Some(1.0));
    }
    table.ratio(
        "snapshot, bytes in the archive",
        stored_value,
        (bytes as f64, format!("plain BSON {}", size(bytes))),
        None,
    );
    Ok(())
}

async fn restore_peers(
    table: &mut Table,
    restore: &Work,
    documents: u64,
    dump: Option<&std::path::Path>,
) -> Result<()> {
    let wall = restore.usage.wall_seconds;
    let value = (wall, format!("{wall:.2} s"));
    let limit = {
        let fresh = server().await?;
        limits::insert_and_index(&fresh, documents).await?
    };
    let against = (limit.seconds, format!("insertMany and index builds {:.2} s", limit.seconds));
    table.ratio("restore with indexes, wall time", value.clone(), against, Some(1.1));
    table.note(format!(
        "restore: {} ({}); plain inserts and index builds: {:.2} CPU-seconds of mongod",
        restore.profile(),
        restore.phases(),
        limit.server_cpu_seconds
    ));
    let peer = match dump {
        Some(dump) => peers::mongorestore(&server().await?, dump).await?,
        None => None,
    };
    match peer {
        Some(peer) => {
            let against = (peer.seconds, format!("`mongorestore` {:.2} s", peer.seconds));
            table.ratio("restore with indexes, wall time", value, against, Some(0.75));
        }
        None => table.note("`MONGODUMP` and `MONGORESTORE` were not both given: no comparison with them".to_owned()),
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "for a ratio")]
fn memory(table: &mut Table, what: &str, work: &Work, goal: u64) {
    let peak = work.usage.peak_bytes;
    table.push(Row {
        what: what.to_owned(),
        value: size(peak),
        against: "—".to_owned(),
        ratio: Some(peak as f64 / goal as f64),
        goal: format!("≤ {}", size(goal)),
        met: Some(peak <= goal),
    });
}
