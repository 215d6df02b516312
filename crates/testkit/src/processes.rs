//! Our own binaries, run as users run them.
//!
//! They are taken from `TIDEMARK_BIN_DIR` or from the folder above the test executable. Cargo builds a binary for
//! tests of its own package only: `cargo build -p sidecar -p dr-cli` comes before tests of another one.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::mongod::temp_folder;
use crate::watchdog::Watched;

/// The path of one of our binaries.
pub fn binary(name: &str) -> Result<PathBuf> {
    let folder = if let Some(folder) = std::env::var_os("TIDEMARK_BIN_DIR") {
        PathBuf::from(folder)
    } else {
        let test = std::env::current_exe().context("find the test executable")?;
        test.parent().and_then(Path::parent).context("the test executable is in no target folder")?.to_owned()
    };
    let path = folder.join(name);
    ensure!(
        path.is_file(),
        "{} is not there: run `cargo build -p {name}` first or set TIDEMARK_BIN_DIR",
        path.display()
    );
    Ok(path)
}

/// A running `sidecar`. Dropping it kills it; so does the end of the test.
#[derive(Debug)]
pub struct Sidecar {
    process: Watched,
    log: PathBuf,
    _folder: TempDir,
}

impl Sidecar {
    pub fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Result<Self> {
        Self::run_with(args, &[])
    }

    /// With variables added to the environment of the test.
    pub fn run_with<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, environment: &[(&str, &str)]) -> Result<Self> {
        Self::run_program(&binary("sidecar")?, args, environment)
    }

    /// Any program under the same care, for example another version of the sidecar.
    pub fn run_program<S: AsRef<OsStr>>(
        program: &Path,
        args: impl IntoIterator<Item = S>,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let folder = temp_folder("sidecar")?;
        let log = folder.path().join("log");
        let output = std::fs::File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let process = Watched::spawn(program, Some(folder.path()), output.into(), |command| {
            command.args(args).envs(environment.iter().copied());
        })?;
        Ok(Self { process, log, _folder: folder })
    }

    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.process.status(), Ok(None))
    }

    /// What it has written so far to both output streams.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until the log contains `text`; an early end of the process is an error that shows the log.
    pub async fn wait_for_log(&mut self, text: &str, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            let status = self.process.status()?;
            if self.log().contains(text) {
                return Ok(());
            }
            if let Some(status) = status {
                bail!("the process ended with {status} before it logged `{text}`:\n{}", self.log());
            }
            if Instant::now() > deadline {
                bail!("the process did not log `{text}` within {limit:?}:\n{}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// SIGKILL; returns when it is gone.
    pub fn kill9(&mut self) {
        self.process.kill();
    }

    pub fn pause(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    pub fn resume(&self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }

    /// SIGTERM and its exit status; an error with the log when it does not end within the limit.
    pub async fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.process.signal(Signal::TERM)?;
        self.wait(limit).await
    }

    /// Its exit status, when it ends by itself. A signal that ended it shows as 128 + its number.
    pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let status = self.process.wait(limit).await;
        status.with_context(|| format!("wait for the sidecar; its log:\n{}", self.log()))
    }
}

/// What a finished command said.
#[derive(Debug, Clone)]
pub struct Finished {
    pub exit_code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// The one object that `--json` promises on standard output.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_str(&self.stdout).with_context(|| {
            format!("standard output is not one JSON value: `{}`; stderr: {}", self.stdout, self.stderr)
        })
    }
}

/// Runs `dr-cli ARGS` to its end; the caller adds `--json` when it wants the object.
pub async fn dr_cli<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Result<Finished> {
    finish(&binary("dr-cli")?, args, &[]).await
}

/// Runs `dr-cli ARGS --json` to its end and returns exit code, object and standard error.
pub async fn dr_cli_json<S: AsRef<OsStr>>(
    args: impl IntoIterator<Item = S>,
) -> Result<(i32, serde_json::Value, String)> {
    let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).chain(["--json".into()]).collect();
    let finished = dr_cli(args).await?;
    Ok((finished.exit_code, finished.json()?, finished.stderr))
}

/// Runs `sidecar ARGS` to its end: `snapshot` and `check`.
pub async fn sidecar<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Result<Finished> {
    finish(&binary("sidecar")?, args, &[]).await
}

/// Runs a program to its end, without a terminal; killed when the test gives up on it.
pub async fn finish<S: AsRef<OsStr>>(
    program: &Path,
    args: impl IntoIterator<Item = S>,
    environment: &[(&str, &str)],
) -> Result<Finished> {
    let mut command = tokio::process::Command::new(program);
    command.args(args).envs(environment.iter().copied()).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = command.output().await.with_context(|| format!("run {}", program.display()))?;
    Ok(Finished {
        // Ended by a signal: no code. Shells say 128 + its number; a test only needs to see that it is not a code of ours.
        exit_code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
