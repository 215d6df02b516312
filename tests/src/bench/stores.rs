//! The same snapshot and restore through a folder, through an S3 server on this machine, through the same one a tenth of a
//! second away, and encrypted. In archives that exist: the store proof, which comes before the first use of a place and makes some
//! sixty requests one after the other, is no part of it.

use std::time::Duration;

use anyhow::{Context, Result};
use archive::encryption::Identities;
use testkit::proxy::Fault;
use testkit::{ReplicaSet, mongod::temp_folder};

use super::table::Table;
use super::tidemark::{self, Work};
use super::{Options, documents, median, progress, server};
use crate::archive_folder::ArchiveFolder;
use crate::bucket::Bucket;
use crate::programs::{count, size};

const DOCUMENTS: u64 = 1_000_000;
/// What a snapshot asks one after the other, whatever its size, weighs less then.
const TIMES_LARGER: u64 = 10;
const REPETITIONS: usize = 3;
/// Of each request, there and back.
const LATENCY: Duration = Duration::from_millis(100);

/// Where the archive is, and what the programs need besides.
struct Place {
    name: &'static str,
    recipients: Option<String>,
    identity_file: Option<String>,
    latency: Duration,
    is_bucket: bool,
}

/// Wall seconds.
#[derive(Debug, Clone, Copy)]
struct Times {
    snapshot: f64,
    restore: f64,
}

pub async fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let documents = options.scaled(DOCUMENTS);
    progress(&format!("loading {} documents", count(documents)));
    let source = server().await?;
    let bytes = documents::load(&source.client(), documents).await?;
    let keys = temp_folder("keys")?;
    let (identities, secret) = Identities::generate();
    let identity_file = keys.path().join("identity");
    std::fs::write(&identity_file, secret)?;
    let plain = |name| Place { name, recipients: None, identity_file: None, latency: Duration::ZERO, is_bucket: false };
    let folder = times(&plain("folder"), &source, table).await?;
    let encrypted = Place {
        recipients: Some(identities.public_keys().remove(0)),
        identity_file: Some(identity_file.display().to_string()),
        ..plain("folder, encrypted")
    };
    let bucket = Place { is_bucket: true, ..plain("S3 server on this machine") };
    let far = Place { is_bucket: true, latency: LATENCY, ..plain("S3 server, 100 ms for each request") };
    for (place, goal) in [(bucket, 1.25), (far, 1.5), (encrypted, 1.15)] {
        let measured = times(&place, &source, table).await?;
        for (what, value, limit, goal) in [
            ("snapshot", measured.snapshot, folder.snapshot, Some(goal)),
            ("restore", measured.restore, folder.restore, (place.recipients.is_none()).then_some(goal)),
        ] {
            let what = format!("{what} of {}, {}", size(bytes), place.name);
            let shown = |seconds: f64| format!("{seconds:.2} s");
            table.ratio(&what, (value, shown(value)), (limit, format!("folder {}", shown(limit))), goal);
        }
    }
    drop(source);
    if options.quick {
        table.note(
            "snapshots of ten times the size at 100 ms for each request were not measured (`--quick`)".to_owned(),
        );
        return Ok(());
    }
    large(DOCUMENTS * TIMES_LARGER, &plain("folder"), &Place { is_bucket: true, latency: LATENCY, ..plain("") }, table)
        .await
}

/// Snapshots that take longer than the requests that follow each other.
async fn large(documents: u64, near: &Place, far: &Place, table: &mut Table) -> Result<()> {
    progress(&format!("loading {} documents", count(documents)));
    let source = server().await?;
    let bytes = documents::load(&source.client(), documents).await?;
    let (mut limits, mut values) = (Vec::new(), Vec::new());
    for _ in 0..REPETITIONS {
        for (place, times) in [(near, &mut limits), (far, &mut values)] {
            times.push(place.open(&source).await?.snapshot(&source).await?.usage.wall_seconds);
        }
    }
    let (limit, value) = (median(limits)?, median(values)?);
    let shown = |seconds: f64| format!("{seconds:.2} s");
    let what = format!("snapshot of {}, S3 server, 100 ms for each request", size(bytes));
    table.ratio(&what, (value, shown(value)), (limit, format!("folder {}", shown(limit))), Some(1.5));
    Ok(())
}

/// An archive that has a snapshot.
struct Opened {
    archive: ArchiveFolder,
    recipients: Option<String>,
    bucket: Option<Bucket>,
}

impl Place {
    async fn open(&self, source: &ReplicaSet) -> Result<Opened> {
        let bucket = if self.is_bucket { Some(Bucket::start().await?) } else { None };
        let archive = match &bucket {
            Some(bucket) => bucket.archive(""),
            None => ArchiveFolder::new()?,
        };
        let opened = Opened { archive, recipients: self.recipients.clone(), bucket };
        opened.snapshot(source).await?;
        if let Some(bucket) = opened.bucket.as_ref().filter(|_| !self.latency.is_zero()) {
            let latency = self.latency;
            bucket.proxy.plan(move |_| Fault::Latency(latency));
        }
        Ok(opened)
    }
}

impl Opened {
    async fn snapshot(&self, source: &ReplicaSet) -> Result<Work> {
        let recipients: Vec<&str> = self.recipients.iter().flat_map(|to| ["--recipients", to]).collect();
        tidemark::snapshot_with(source, &self.archive, &recipients).await
    }
}

async fn times(place: &Place, source: &ReplicaSet, table: &mut Table) -> Result<Times> {
    let (mut snapshots, mut restores) = (Vec::new(), Vec::new());
    let mut last: Option<(Work, Work)> = None;
    for _ in 0..REPETITIONS {
        let opened = place.open(source).await?;
        let snapshot = opened.snapshot(source).await?;
        let identity: Vec<&str> = place.identity_file.iter().flat_map(|file| ["--identity-file", file]).collect();
        let restore = tidemark::restore_with(&opened.archive, "latest", &server().await?, &identity).await?;
        snapshots.push(snapshot.usage.wall_seconds);
        restores.push(restore.usage.wall_seconds);
        last = Some((snapshot, restore));
    }
    let (snapshot, restore) = last.context("it was measured")?;
    table.note(format!(
        "{}: snapshot {}; restore {} ({})",
        place.name,
        snapshot.profile(),
        restore.profile(),
        restore.phases()
    ));
    Ok(Times { snapshot: median(snapshots)?, restore: median(restores)? })
}
