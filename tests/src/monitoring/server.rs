//! A server of the chain: its process, its port and its files, until it is dropped.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use testkit::mongod::port::PortLease;
use testkit::mongod::temp_folder;
use testkit::watchdog::Watched;

use crate::programs::{page, tail};

const LIMIT: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub struct Server {
    // Dropped in this order: the process ends before its files go.
    process: Watched,
    port: PortLease,
    folder: TempDir,
}

impl Server {
    /// Starts `program`, in the folder that it lies in, with what `arguments` makes of its folder and port; returns when `/-/ready` answers.
    pub async fn start(
        program: &Path,
        purpose: &str,
        arguments: impl FnOnce(&Path, u16) -> Result<Vec<String>>,
    ) -> Result<Self> {
        let (folder, port) = (temp_folder(purpose)?, PortLease::take()?);
        let log = std::fs::File::create(folder.path().join("log")).context("create a log")?;
        let arguments = arguments(folder.path(), port.port())?;
        let process = Watched::spawn(program, Some(folder.path()), log.into(), |command| {
            command.args(arguments);
            if let Some(beside) = program.parent() {
                command.current_dir(beside);
            }
        })?;
        let mut server = Self { process, port, folder };
        let deadline = Instant::now() + LIMIT;
        while !matches!(page(server.port(), "/-/ready").await, Ok((200, _))) {
            let failed = match server.process.status()? {
                Some(status) => Some(format!("ended with {status}")),
                None => (Instant::now() > deadline).then(|| "is not ready".to_owned()),
            };
            if let Some(failed) = failed {
                bail!("{} {failed}:\n{}", program.display(), server.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(server)
    }

    pub fn port(&self) -> u16 {
        self.port.port()
    }

    pub fn log_tail(&self) -> String {
        let log: PathBuf = self.folder.path().join("log");
        tail(&std::fs::read_to_string(log).unwrap_or_default(), 20)
    }
}
