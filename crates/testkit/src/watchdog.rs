//! A child process that cannot outlive the test, whatever ends the test.
//!
//! The child runs under a shell that reads from a pipe held by the test: when the test ends in any way, SIGKILL
//! included, the pipe closes and the shell kills the child and removes its files. (`PR_SET_PDEATHSIG` would need
//! unsafe code and follows the thread, not the process.)

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

/// `$1` is the folder to remove after the death of the test, or empty; the rest is the command.
const SCRIPT: &str = r#"
folder=$1; shift
exec 3<&0
"$@" </dev/null >&2 3<&- &
child=$!
echo "$child"
exec >/dev/null 2>&1
{
    read -r _ <&3
    [ -z "$folder" ] || : >"$folder/orphaned"
    kill -9 "$child"
    sleep 1
    [ -z "$folder" ] || rm -rf "$folder"
} &
watcher=$!
wait "$child"; status=$?
{ [ -n "$folder" ] && [ -e "$folder/orphaned" ]; } || kill -9 "$watcher"
exit "$status"
"#;

#[derive(Debug)]
pub struct Watched {
    pid: Pid,
    shell: Child,
}

impl Watched {
    /// Starts `program`; both its output streams go to `output`. `prepare` sets its arguments and environment.
    pub fn spawn(
        program: impl AsRef<OsStr>,
        folder: Option<&Path>,
        output: Stdio,
        prepare: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "watchdog"]).arg(folder.unwrap_or(Path::new(""))).arg(program);
        prepare(&mut command);
        let mut shell = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(output)
            .spawn()
            .context("start the shell that watches over a child")?;
        let mut line = String::new();
        let stdout = shell.stdout.take().ok_or_else(|| anyhow!("the shell has no standard output"))?;
        BufReader::new(stdout).read_line(&mut line).context("read the process id of a child")?;
        let pid = line.trim().parse().ok().and_then(Pid::from_raw);
        Ok(Self { pid: pid.ok_or_else(|| anyhow!("`{line}` is not a process id"))?, shell })
    }

    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid, signal).with_context(|| format!("send {signal:?} to process {}", self.pid()))
    }

    /// `None` while it runs. A signal that ended it shows as 128 + its number, as a shell says it.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        self.shell.try_wait().context("look after a child")
    }

    pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.status()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("process {} did not end within {limit:?}", self.pid());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGKILL; returns when the process is gone. Works on a stopped process too.
    pub fn kill(&mut self) {
        // Once the shell is reaped the process id may belong to somebody else.
        if matches!(self.shell.try_wait(), Ok(None)) {
            kill_process(self.pid, Signal::KILL).ok();
            // `Child::wait` closes the pipe first, which would make the watchdog remove the folder: hold it.
            let pipe = self.shell.stdin.take();
            self.shell.wait().ok();
            drop(pipe);
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.kill();
    }
}
