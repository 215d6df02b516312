//! A fresh server under a writing client, with a sidecar beside it or without.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mongodb::bson::{Bson, doc};
use testkit::{ReplicaSet, Sidecar};

use super::{Lengths, SPAN};
use crate::archive_folder::ArchiveFolder;
use crate::bench::load::{Load, Written};
use crate::bench::replay::wait;
use crate::bench::{documents, primary_pid};
use crate::programs::{binary, cpu_of, free_port};

/// Larger than anything written here, so that its size tells how much was.
const OPLOG_MB: u32 = 16 * 1024;

/// A server with nothing in it, and a sidecar that archives it or none.
pub struct Place {
    pub archiver: Option<(Sidecar, ArchiveFolder)>,
    load: Load,
    set: ReplicaSet,
}

/// What one run of the writer took.
pub struct Run {
    pub written: Written,
    pub server_cpu: f64,
    /// Of the sidecar, while the client wrote.
    pub archiver_cpu: f64,
    pub oplog_bytes: f64,
}

impl Place {
    pub async fn start(archives: bool) -> Result<Self> {
        let set = ReplicaSet::builder().set_parameter("ttlMonitorEnabled", "false").oplog_mb(OPLOG_MB).start().await?;
        let client = set.client();
        documents::create_indexes(&client).await?;
        let archiver = if archives { Some(archiver(&set).await?) } else { None };
        Ok(Self { load: Load::new(client), set, archiver })
    }

    /// Warms up, then measures; `rate`: batches per second.
    pub async fn run(&self, rate: Option<f64>, lengths: &Lengths, duration: Duration) -> Result<Run> {
        self.load.write(rate, lengths.warm_up).await?;
        let pid = primary_pid(&self.set)?;
        let used = || -> Result<(f64, f64)> {
            let archiver = self.archiver.as_ref().map_or(Some(0.0), |(sidecar, _)| cpu_of(sidecar.pid()));
            Ok((cpu_of(pid).context("the server ended")?, archiver.context("the sidecar ended")?))
        };
        let (bytes, (server, archiver)) = (self.oplog_bytes().await?, used()?);
        let written = self.load.write(rate, duration).await?;
        let (server_after, archiver_after) = used()?;
        let oplog_bytes = self.oplog_bytes().await? - bytes;
        ensure!(oplog_bytes > 0.0 && !written.batches.is_empty(), "nothing was written");
        Ok(Run { written, server_cpu: server_after - server, archiver_cpu: archiver_after - archiver, oplog_bytes })
    }

    /// Uncompressed, as the server counts it.
    pub async fn oplog_bytes(&self) -> Result<f64> {
        let client = self.set.client();
        let stats =
            client.database("local").run_command(doc! { "collStats": "oplog.rs" }).await.context("the oplog's size")?;
        match stats.get("size") {
            Some(Bson::Int32(size)) => Ok(f64::from(*size)),
            #[allow(clippy::cast_precision_loss, reason = "for a ratio")]
            Some(Bson::Int64(size)) => Ok(*size as f64),
            Some(Bson::Double(size)) => Ok(*size),
            other => anyhow::bail!("the oplog's size is {other:?}"),
        }
    }
}

/// A sidecar that has taken its first snapshot and has nothing to do but archive.
async fn archiver(set: &ReplicaSet) -> Result<(Sidecar, ArchiveFolder)> {
    let archive = ArchiveFolder::new()?;
    let (uri, url, port) = (set.uri(), archive.url(), free_port()?);
    let (listen, span) = (format!("127.0.0.1:{port}"), format!("{}s", SPAN.as_secs()));
    let arguments = [
        "run",
        "--uri",
        &uri,
        "--archive",
        &url,
        "--listen",
        &listen,
        "--snapshot-schedule",
        "none",
        "--slice-span",
        &span,
    ];
    let sidecar = Sidecar::run_program(&binary("sidecar")?, arguments, &[])?;
    wait(port, &sidecar, |status| !status["last_snapshot"].is_null()).await.context("wait for the snapshot")?;
    Ok((sidecar, archive))
}
