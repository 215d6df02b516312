//! Our release binaries as the demonstration and the benchmark start them, and what the kernel says they used.
//!
//! They stand beside the running executable (`target/release`), or in `TIDEMARK_BIN_DIR`. Figures come from `/proc`,
//! read every few milliseconds while a program runs: its peak (`VmHWM`) only grows, so the last reading is the peak.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::processes::Finished;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};

const SAMPLE: Duration = Duration::from_millis(10);
/// What `/proc/PID/stat` counts in: Linux shows user space a hundred ticks per second on all common machines.
const TICKS_PER_SECOND: f64 = 100.0;
/// A server that takes longer over a page hangs.
const ANSWER: Duration = Duration::from_secs(30);

/// The path of one of our binaries.
pub fn binary(name: &str) -> Result<PathBuf> {
    let folder = if let Some(folder) = std::env::var_os("TIDEMARK_BIN_DIR") {
        PathBuf::from(folder)
    } else {
        let this = std::env::current_exe().context("find the running executable")?;
        this.parent().context("the executable is in no folder")?.to_owned()
    };
    let path = folder.join(name);
    ensure!(
        path.is_file(),
        "{} is not there: cargo build --release -p {name}, or set TIDEMARK_BIN_DIR",
        path.display()
    );
    Ok(path)
}

/// What a finished program used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub wall_seconds: f64,
    /// User and system, up to its last few milliseconds.
    pub cpu_seconds: f64,
    pub peak_bytes: u64,
}

#[derive(Debug, Clone)]
pub struct Measured {
    pub finished: Finished,
    pub usage: Usage,
}

impl Measured {
    /// An error with both streams unless it ended with 0.
    pub fn succeeded(self, what: &str) -> Result<Self> {
        let Finished { exit_code, stdout, stderr } = &self.finished;
        ensure!(*exit_code == 0, "{what}: exit code {exit_code}\n{}\n{}", tail(stdout, 20), tail(stderr, 30));
        Ok(self)
    }
}

/// Runs a program to its end and watches what it uses; killed when the caller gives up on it.
pub async fn measure<S: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = S>) -> Result<Measured> {
    run(program, arguments, Stdio::piped()).await
}

/// As `measure`, with the progress of the program on our own standard error where that is a terminal.
pub async fn measure_shown<S: AsRef<OsStr>>(
    program: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> Result<Measured> {
    let shown = std::io::IsTerminal::is_terminal(&std::io::stderr());
    run(program, arguments, if shown { Stdio::inherit() } else { Stdio::piped() }).await
}

async fn run<S: AsRef<OsStr>>(
    program: &Path,
    arguments: impl IntoIterator<Item = S>,
    stderr: Stdio,
) -> Result<Measured> {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).kill_on_drop(true);
    let started = Instant::now();
    let child = command.spawn().with_context(|| format!("start {}", program.display()))?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).context("the program has no process id")?;
    let mut usage = Usage::default();
    let ended = child.wait_with_output();
    tokio::pin!(ended);
    let output = loop {
        tokio::select! {
            output = &mut ended => break output.with_context(|| format!("run {}", program.display()))?,
            () = tokio::time::sleep(SAMPLE) => {
                usage.peak_bytes = peak_of(pid).unwrap_or(usage.peak_bytes);
                usage.cpu_seconds = cpu_of(pid).unwrap_or(usage.cpu_seconds);
            }
        }
    };
    usage.wall_seconds = started.elapsed().as_secs_f64();
    let finished = Finished {
        exit_code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    Ok(Measured { finished, usage })
}

/// Seconds that the threads of a process whose names begin so have worked. `None`: it has ended. A `mongod` calls those that serve
/// clients `conn…`, and the one that records its own diagnostics each second `ftdc`; checkpoints and eviction have others.
pub fn threads_cpu_of(pid: i32, name: &str) -> Option<f64> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let nanoseconds = tasks.flatten().filter_map(|task| {
        let found = std::fs::read_to_string(task.path().join("comm")).ok()?;
        // The first number of `schedstat`: https://docs.kernel.org/scheduler/sched-stats.html
        let worked = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        let worked: u64 = worked.split(' ').next()?.parse().ok()?;
        found.starts_with(name).then_some(worked)
    });
    Some(Duration::from_nanos(nanoseconds.sum()).as_secs_f64())
}

/// CPU seconds, user and system, of a running process with all its threads.
pub fn cpu_of(pid: i32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program stands in parentheses and may hold anything; `utime` and `stime` are fields 14 and 15.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

/// The largest resident set so far.
pub fn peak_of(pid: i32) -> Option<u64> {
    status_field(pid, "VmHWM:")
}

/// The resident set now.
pub fn resident_of(pid: i32) -> Option<u64> {
    status_field(pid, "VmRSS:")
}

/// Of the resident set: what the program allocated, and what it mapped from files (its own code, mostly).
pub fn anonymous_and_mapped(pid: i32) -> Option<(u64, u64)> {
    Some((status_field(pid, "RssAnon:")?, status_field(pid, "RssFile:")?))
}

fn status_field(pid: i32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?;
    Ok(listener.local_addr()?.port())
}

/// What `sidecar run` says about itself on `/status`.
pub async fn sidecar_status(port: u16) -> Result<Value> {
    let (_, body) = page(port, "/status").await?;
    serde_json::from_str(&body).with_context(|| format!("the sidecar's status is not JSON: {body}"))
}

/// HTTP status and body of a page of a server on this machine; an error when it does not come.
pub async fn page(port: u16, path: &str) -> Result<(u16, String)> {
    let fetched = tokio::time::timeout(ANSWER, fetch(port, path)).await;
    fetched.with_context(|| format!("{path} of port {port} within {ANSWER:?}"))?
}

async fn fetch(port: u16, path: &str) -> Result<(u16, String)> {
    let connected = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
    let mut stream = connected.with_context(|| format!("connect to port {port}"))?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.with_context(|| format!("read {path}"))?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").context("the answer has no body")?;
    let code = head.split_whitespace().nth(1).and_then(|code| code.parse().ok());
    Ok((code.with_context(|| format!("no HTTP status: {head}"))?, body.to_owned()))
}

/// Returns when this program is asked to end, by SIGTERM or Ctrl-C.
pub async fn stopped() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => (),
        _ = interrupt.recv() => (),
    }
}

/// The last lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// `1.2 GiB`, `340 MiB`: as people write sizes.
#[allow(clippy::cast_precision_loss, reason = "for people")]
pub fn size(bytes: u64) -> String {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    if mebibytes >= 10_240.0 {
        format!("{:.1} GiB", mebibytes / 1024.0)
    } else if mebibytes >= 10.0 {
        format!("{mebibytes:.0} MiB")
    } else {
        format!("{mebibytes:.1} MiB")
    }
}

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_process_knows_its_own_figures() -> Result<()> {
        let own = i32::try_from(std::process::id())?;
        assert!(peak_of(own).context("a peak")? >= resident_of(own).context("a size")? / 2);
        assert!(cpu_of(own).is_some());
        assert_eq!(threads_cpu_of(own, "conn"), Some(0.0), "no thread here serves connections");
        assert!(threads_cpu_of(own, "").context("threads")? > 0.0);
        Ok(())
    }
}
