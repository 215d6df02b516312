//! Our own programs at work, measured.

use anyhow::{Context, Result};
use serde_json::Value;
use testkit::ReplicaSet;

use super::primary_pid;
use crate::archive_folder::ArchiveFolder;
use crate::programs::{Usage, binary, cpu_of, measure};

#[derive(Debug, Clone)]
pub struct Work {
    pub usage: Usage,
    pub server_cpu_seconds: f64,
    /// What the program printed.
    pub report: Value,
}

impl Work {
    /// Where the time went.
    pub fn profile(&self) -> String {
        let Usage { wall_seconds, cpu_seconds, .. } = self.usage;
        format!(
            "{wall_seconds:.2} s wall, {cpu_seconds:.2} CPU-seconds of ours, {:.2} of mongod",
            self.server_cpu_seconds
        )
    }

    /// Seconds of a phase of a restore.
    pub fn phase(&self, name: &str) -> Option<(f64, u64)> {
        let phase = self.report["phases"].as_array()?.iter().find(|phase| phase["name"] == name)?;
        Some((phase["seconds"].as_f64()?, phase["entries"].as_u64()?))
    }

    pub fn phases(&self) -> String {
        let phases = self.report["phases"].as_array().map(Vec::as_slice).unwrap_or_default();
        let shown = phases.iter().filter_map(|phase| {
            let seconds = phase["seconds"].as_f64().filter(|seconds| *seconds >= 0.05)?;
            Some(format!("{} {seconds:.1} s", phase["name"].as_str()?))
        });
        shown.collect::<Vec<_>>().join(", ")
    }
}

pub async fn snapshot(source: &ReplicaSet, archive: &ArchiveFolder) -> Result<Work> {
    snapshot_with(source, archive, &[]).await
}

/// With further flags.
pub async fn snapshot_with(source: &ReplicaSet, archive: &ArchiveFolder, flags: &[&str]) -> Result<Work> {
    let (uri, url) = (source.uri(), archive.url());
    let usual = ["snapshot", "--uri", &uri, "--archive", &url, "--log-level", "warn", "--json"];
    run("sidecar", source, &[&usual, flags].concat()).await
}

pub async fn restore(archive: &ArchiveFolder, target: &str, destination: &ReplicaSet) -> Result<Work> {
    restore_with(archive, target, destination, &[]).await
}

pub async fn restore_with(
    archive: &ArchiveFolder,
    target: &str,
    destination: &ReplicaSet,
    flags: &[&str],
) -> Result<Work> {
    let (uri, url) = (destination.uri(), archive.url());
    let usual = ["--archive", &url, "restore", "--to", target, "--destination", &uri, "--yes", "--json"];
    run("dr-cli", destination, &[&usual, flags].concat()).await
}

async fn run(program: &str, server: &ReplicaSet, arguments: &[&str]) -> Result<Work> {
    let pid = primary_pid(server)?;
    let before = cpu_of(pid).unwrap_or(0.0);
    let done = measure(&binary(program)?, arguments).await?.succeeded(program)?;
    let server_cpu_seconds = cpu_of(pid).context("the server ended")? - before;
    Ok(Work { usage: done.usage, server_cpu_seconds, report: done.finished.json()? })
}
