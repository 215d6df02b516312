//! One running `mongod`: started until it listens, ended gently or not.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::watchdog::Watched;

/// How to start a server; kept so that it can be started again.
#[derive(Debug, Clone)]
pub struct Launch {
    pub binary: PathBuf,
    pub port: u16,
    /// Removed when the test dies without cleaning up.
    pub folder: PathBuf,
    pub dbpath: PathBuf,
    pub log: PathBuf,
    pub arguments: Vec<String>,
}

#[derive(Debug)]
pub struct MongodProcess(Watched);

impl MongodProcess {
    /// Starts the server and returns when it accepts connections.
    pub async fn start(launch: &Launch) -> Result<Self> {
        std::fs::create_dir_all(&launch.dbpath).with_context(|| format!("create {}", launch.dbpath.display()))?;
        // The server appends to the log across restarts: only what this start writes counts.
        let already_logged = std::fs::metadata(&launch.log).map_or(0, |meta| meta.len());
        let mut process = spawn(launch)?;
        let limit = Instant::now() + Duration::from_mins(1);
        loop {
            if log_since(&launch.log, already_logged).contains("\"Waiting for connections\"") {
                return Ok(Self(process));
            }
            if let Some(status) = process.status()? {
                bail!(
                    "mongod on port {} ended with {status} while starting; end of its log {}:\n{}",
                    launch.port,
                    launch.log.display(),
                    tail(&log_since(&launch.log, already_logged))
                );
            }
            if Instant::now() > limit {
                bail!(
                    "mongod on port {} did not listen within a minute; its log is {}",
                    launch.port,
                    launch.log.display()
                );
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    pub fn pid(&self) -> i32 {
        self.0.pid()
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.0.signal(signal)
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.0.wait(Duration::from_secs(30)).await
    }

    /// SIGKILL; returns when the process is gone.
    pub fn kill(mut self) {
        self.0.kill();
    }
}

fn spawn(launch: &Launch) -> Result<Watched> {
    Watched::spawn(&launch.binary, Some(&launch.folder), Stdio::null(), |command| {
        command
            .args(["--bind_ip", "127.0.0.1", "--port", &launch.port.to_string(), "--logappend", "--nounixsocket"])
            .args(["--wiredTigerCacheSizeGB", "0.25", "--setParameter", "diagnosticDataCollectionEnabled=false"])
            // Without this a SIGTERM waits 15 s in quiesce mode.
            .args(["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"])
            .arg("--dbpath")
            .arg(&launch.dbpath)
            .arg("--logpath")
            .arg(&launch.log)
            .args(&launch.arguments);
    })
}

fn log_since(log: &Path, offset: u64) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let start = usize::try_from(offset).unwrap_or(0).min(bytes.len());
    String::from_utf8_lossy(&bytes[start..]).into_owned()
}

/// What the server wrote last, for messages.
pub fn log_tail(log: &Path) -> String {
    tail(&log_since(log, 0))
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
