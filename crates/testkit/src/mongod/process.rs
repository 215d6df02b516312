//! One running `mongod`, tied to the life of this process.
//!
//! The server runs under a shell that reads from a pipe held by the test: when the test ends in any way, SIGKILL
//! included, the pipe closes and the shell kills the server and removes its files. (`PR_SET_PDEATHSIG` would need
//! unsafe code and follows the thread, not the process.)

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

/// `$1` is the folder to remove after the death of the test; the rest is the command.
const WATCHDOG: &str = r#"
folder=$1; shift
exec 3<&0
"$@" </dev/null >/dev/null 2>&1 3<&- &
server=$!
echo "$server"
exec >/dev/null
{ read -r _ <&3; : >"$folder/orphaned"; kill -9 "$server"; sleep 1; rm -rf "$folder"; } &
watcher=$!
wait "$server"; status=$?
[ -e "$folder/orphaned" ] || kill -9 "$watcher"
exit "$status"
"#;

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
pub struct MongodProcess {
    pid: Pid,
    shell: Child,
}

impl MongodProcess {
    /// Starts the server and returns when it accepts connections.
    pub async fn start(launch: &Launch) -> Result<Self> {
        std::fs::create_dir_all(&launch.dbpath).with_context(|| format!("create {}", launch.dbpath.display()))?;
        // The server appends to the log across restarts: only what this start writes counts.
        let already_logged = std::fs::metadata(&launch.log).map_or(0, |meta| meta.len());
        let mut process = Self::spawn(launch)?;
        let limit = Instant::now() + Duration::from_mins(1);
        loop {
            if log_since(&launch.log, already_logged).contains("\"Waiting for connections\"") {
                return Ok(process);
            }
            if let Some(status) = process.shell.try_wait().context("wait for mongod")? {
                bail!(
                    "mongod on port {} ended with {status} while starting; end of its log {}:\n{}",
                    launch.port,
                    launch.log.display(),
                    tail(&log_since(&launch.log, already_logged))
                );
            }
            if Instant::now() > limit {
                bail!("mongod on port {} did not listen within 60 s; its log is {}", launch.port, launch.log.display());
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    fn spawn(launch: &Launch) -> Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "mongod-watchdog"])
            .arg(&launch.folder)
            .arg(&launch.binary)
            .args(["--bind_ip", "127.0.0.1", "--port", &launch.port.to_string(), "--logappend"])
            .args(["--wiredTigerCacheSizeGB", "0.25", "--setParameter", "diagnosticDataCollectionEnabled=false"])
            // Without this a SIGTERM waits 15 s in quiesce mode.
            .args(["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"])
            .arg("--dbpath")
            .arg(&launch.dbpath)
            .arg("--logpath")
            .arg(&launch.log)
            .args(&launch.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("start the shell that watches over mongod")?;
        let mut line = String::new();
        let stdout = shell.stdout.take().ok_or_else(|| anyhow!("the shell has no standard output"))?;
        BufReader::new(stdout).read_line(&mut line).context("read the process id of mongod")?;
        let pid = line.trim().parse().ok().and_then(Pid::from_raw);
        Ok(Self { pid: pid.ok_or_else(|| anyhow!("`{line}` is not a process id"))?, shell })
    }

    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid, signal).with_context(|| format!("send {signal:?} to mongod {}", self.pid()))
    }

    /// SIGTERM and wait; SIGKILL when it does not end in time.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let limit = Instant::now() + Duration::from_secs(30);
        while Instant::now() < limit {
            if let Some(status) = self.shell.try_wait().context("wait for mongod")? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        bail!("mongod {} did not end within 30 s of SIGTERM", self.pid())
    }

    /// SIGKILL; returns when the process is gone. Works on a paused server too.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // Once the shell is reaped the process id may belong to somebody else.
        if matches!(self.shell.try_wait(), Ok(None)) {
            kill_process(self.pid, Signal::KILL).ok();
            // `Child::wait` closes the pipe first, which would make the watchdog remove the folder: hold it.
            let pipe = self.shell.stdin.take();
            drop(self.shell.wait());
            drop(pipe);
        }
    }
}

impl Drop for MongodProcess {
    fn drop(&mut self) {
        self.end();
    }
}

fn log_since(log: &Path, offset: u64) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let start = usize::try_from(offset).unwrap_or(0).min(bytes.len());
    String::from_utf8_lossy(&bytes[start..]).into_owned()
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
