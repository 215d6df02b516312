//! Drills in a folder of the test's own, where nothing may be left behind.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use archive::ClusterTime;
use serde_json::Value;
use tempfile::TempDir;
use testkit::mongod;
use testkit::processes::{self, Finished};

use crate::{ArchiveFolder, Scenario};

#[derive(Debug)]
pub struct Drills {
    folder: TempDir,
}

impl Drills {
    pub fn new() -> Result<Self> {
        let folder = mongod::temp_folder("drills")?;
        std::fs::create_dir(folder.path().join("scratch"))?;
        Ok(Self { folder })
    }

    /// Where throw-away servers keep their data.
    pub fn scratch(&self) -> PathBuf {
        self.folder.path().join("scratch")
    }

    pub fn reports(&self) -> PathBuf {
        self.folder.path().join("reports")
    }

    pub fn write(&self, name: &str, text: &str) -> Result<String> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    /// `drill ARGS --json` with a throw-away server, unless the arguments name a destination.
    pub fn arguments(&self, archive: &ArchiveFolder, more: &[&str]) -> Result<Vec<String>> {
        let mut arguments: Vec<String> = ["drill", "--json", "--archive", &archive.url()].map(str::to_owned).to_vec();
        if !more.contains(&"--destination") {
            let (mongod, scratch) = (mongod::binary()?, self.scratch());
            let place = ["--mongod", &mongod.display().to_string(), "--scratch-dir", &scratch.display().to_string()];
            arguments.extend(place.map(str::to_owned));
        }
        arguments.extend(more.iter().map(|&more| more.to_owned()));
        Ok(arguments)
    }

    pub async fn run(&self, archive: &ArchiveFolder, more: &[&str]) -> Result<Finished> {
        processes::dr_cli(self.arguments(archive, more)?).await
    }

    /// A drill that must end with this exit code and leave nothing on this machine; its object.
    pub async fn ends(&self, archive: &ArchiveFolder, more: &[&str], exit_code: i32) -> Result<Value> {
        let done = self.run(archive, more).await?;
        ensure!(done.exit_code == exit_code, "drill {more:?}: {}\n{}\n{}", done.exit_code, done.stdout, done.stderr);
        ensure!(self.left_over()?.is_empty(), "left over: {:?}", self.left_over()?);
        ensure!(self.servers()?.is_empty(), "still running: {:?}", self.servers()?);
        done.json()
    }

    /// What lies in the folder of the throw-away servers.
    pub fn left_over(&self) -> Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(self.scratch())?;
        Ok(entries.flatten().map(|entry| entry.path()).collect())
    }

    /// Process ids of servers that work there.
    pub fn servers(&self) -> Result<Vec<i32>> {
        let scratch = self.scratch().display().to_string();
        let works_there = |folder: &Path| {
            let command = std::fs::read(folder.join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).into_owned();
            command.contains("--dbpath") && command.contains(&scratch)
        };
        let processes = std::fs::read_dir("/proc")?.flatten().map(|entry| entry.path());
        let pids = processes
            .filter(|folder| works_there(folder))
            .filter_map(|folder| folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok()));
        Ok(pids.collect())
    }
}

impl Scenario {
    /// `sidecar reference`, beside whatever runs; waits until the archive reaches it.
    pub async fn take_reference(&mut self) -> Result<ClusterTime> {
        let mut arguments = self.sidecar_arguments("reference");
        arguments.extend(self.flags.iter().cloned());
        arguments.push("--json".to_owned());
        let done = processes::sidecar(arguments).await?;
        ensure!(done.exit_code == 0, "sidecar reference: {done:?}");
        let at = done.json()?["reference"]["at"].as_str().context("the reference has a moment")?.parse()?;
        self.wait_archived(at).await?;
        Ok(at)
    }
}
