//! The `terraform` binary: found, its version checked, and run so that nothing it makes is forgotten.
//!
//! It runs in a process group of its own and writes into a file that is followed, never into a pipe of ours: a `dr-cli` that is killed must not
//! take a Terraform with it that has not written its state yet. Ctrl-C is passed on once, and Terraform ends in order.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::diagnosis::{self, Step};
use super::secrets::Secrets;
use crate::failure::{Failure, FailureKind, Result};
use crate::interrupt::Interrupt;
use crate::progress::Progress;

/// `-state` and `-backend-config` as they are used here, and the lock of S3 without a table.
const OLDEST: [u32; 2] = [1, 11];
const FOLLOWED_EVERY: Duration = Duration::from_millis(100);

/// The `terraform` to run: the one that is named, else the first one on `PATH`.
pub fn find_terraform(named: Option<&Path>, path: Option<&OsStr>) -> Result<PathBuf> {
    let missing = |what: String| {
        Failure::new(FailureKind::Usage, what)
            .at("--terraform-bin, TERRAFORM, PATH")
            .because("terraform is not installed here")
            .then("install Terraform 1.11 or newer (https://developer.hashicorp.com/terraform/install), or name it with --terraform-bin PATH")
    };
    let on_path = |name: &Path| {
        let folders = path.map(std::env::split_paths).into_iter().flatten();
        folders.map(|folder| folder.join(name)).find(|program| program.is_file())
    };
    match named {
        Some(named) if named.components().count() == 1 => {
            on_path(named).ok_or_else(|| missing(format!("{} is not on PATH", named.display())))
        }
        Some(named) if named.is_file() => {
            std::path::absolute(named).map_err(|error| missing(format!("{}: {error}", named.display())))
        }
        Some(named) => Err(missing(format!("there is no {}", named.display()))),
        None => on_path(Path::new("terraform")).ok_or_else(|| missing("there is no terraform to run".to_owned())),
    }
}

/// How one run calls Terraform.
#[derive(Clone)]
pub struct Program {
    pub binary: PathBuf,
    pub version: String,
    root: PathBuf,
    environment: Vec<(&'static str, OsString)>,
    pub secrets: Secrets,
    progress: Arc<dyn Progress>,
    interrupt: Interrupt,
}

/// How a call ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    /// It was asked to stop.
    pub interrupted: bool,
    /// What it said, without secrets.
    pub said: String,
}

impl Ended {
    /// Killed: it did not write down what it had made last.
    pub fn was_killed(&self) -> bool {
        self.status.signal().is_some()
    }

    /// Terraform itself gave this exit code. Something around it makes others of a kill (137).
    pub fn is_by_terraform(&self) -> bool {
        matches!(self.status.code(), Some(0 | 1))
    }
}

impl Program {
    pub async fn open(
        binary: PathBuf,
        root: PathBuf,
        secrets: Secrets,
        progress: Arc<dyn Progress>,
        interrupt: Interrupt,
    ) -> Result<Self> {
        let version = version_of(&binary).await?;
        Ok(Self { binary, version, root, environment: Vec::new(), secrets, progress, interrupt })
    }

    /// Variables for every further call.
    pub fn with_environment(&mut self, variables: impl IntoIterator<Item = (&'static str, OsString)>) {
        self.environment.extend(variables);
    }

    fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.binary);
        let mut chdir = OsString::from("-chdir=");
        chdir.push(&self.root);
        command.arg(chdir).args(arguments).stdin(Stdio::null());
        // Its debug log holds secrets; who asks for it names a file for it.
        if std::env::var_os("TF_LOG_PATH").is_none() {
            command.env_remove("TF_LOG").env_remove("TF_LOG_CORE").env_remove("TF_LOG_PROVIDER");
        }
        command.env("TF_IN_AUTOMATION", "1").env("TF_INPUT", "0").env("CHECKPOINT_DISABLE", "1");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs one step to its end, however often somebody asks it to stop. `log` keeps its words; they are shown as they come when `is_shown`.
    pub async fn run(
        &self,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        log: &Path,
        is_shown: bool,
    ) -> Result<Ended> {
        self.interrupt.check()?;
        let cannot = |what: &str, error: &std::io::Error| {
            Failure::new(FailureKind::Unexpected, format!("cannot {what}: {error}"))
                .at(log.display().to_string())
                .because("the folder of the run is full or may not be written")
                .then("--run-dir DIR names another one")
        };
        let output = OpenOptions::new().create(true).append(true).mode(0o600).open(log);
        let output = output.map_err(|error| cannot("write Terraform's output", &error))?;
        let mut follower = Follower::of(log).map_err(|error| cannot("read Terraform's output", &error))?;
        let errors = output.try_clone().map_err(|error| cannot("write Terraform's output", &error))?;
        let mut command = self.command(arguments);
        command.stdout(output).stderr(errors).process_group(0);
        let _held = self.interrupt.hold();
        let mut child = command.spawn().map_err(|error| not_runnable(&self.binary, &error))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let mut interrupted = false;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status,
                () = self.interrupt.asked(), if !interrupted => {
                    interrupted = true;
                    self.progress.note("Terraform is asked to stop; it ends what it is doing and writes its state. Once more leaves it alone.");
                    if let Some(pid) = pid {
                        // Gone already is as good.
                        kill_process(pid, Signal::INT).ok();
                    }
                }
                () = tokio::time::sleep(FOLLOWED_EVERY) => self.show(&mut follower, is_shown),
            }
        };
        self.show(&mut follower, is_shown);
        let status = status.map_err(|error| cannot("wait for Terraform", &error))?;
        Ok(Ended { status, interrupted, said: self.secrets.hide(&follower.all) })
    }

    /// Runs what only reads and prints one JSON object.
    pub async fn json(&self, arguments: &[OsString]) -> Result<Value> {
        let text = self.read(arguments).await?;
        // Warnings stand in front of it, on the same stream.
        let start = if text.starts_with('{') { Some(0) } else { text.find("\n{").map(|at| at + 1) };
        let json = start.map(|start| &text[start..]).unwrap_or_default();
        serde_json::from_str(json).map_err(|error| unreadable(&error, &self.root))
    }

    async fn read(&self, arguments: &[OsString]) -> Result<String> {
        let mut command = self.command(arguments);
        // Cut short it has changed nothing.
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        let done = command.output().await.map_err(|error| not_runnable(&self.binary, &error))?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        let said = self.secrets.hide(&String::from_utf8_lossy(&done.stderr));
        Err(diagnosis::failure(Step::Show, &said, &self.root.display().to_string()))
    }

    fn show(&self, follower: &mut Follower, is_shown: bool) {
        for line in follower.lines() {
            if is_shown && !line.trim().is_empty() {
                self.progress.note(&format!("  {}", self.secrets.hide(&line)));
            }
        }
    }
}

pub fn unreadable(error: &serde_json::Error, root: &Path) -> Failure {
    Failure::new(FailureKind::Unexpected, format!("what terraform prints as JSON cannot be read: {error}"))
        .at(root.display().to_string())
        .because("this Terraform writes another format")
        .then("--terraform-bin PATH of another release")
}

fn not_runnable(binary: &Path, error: &std::io::Error) -> Failure {
    Failure::new(FailureKind::Usage, format!("cannot run terraform: {error}"))
        .at(binary.display().to_string())
        .because("it is no program that this machine can run")
        .then("--terraform-bin PATH of a Terraform 1.11 or newer")
}

async fn version_of(binary: &Path) -> Result<String> {
    let mut command = tokio::process::Command::new(binary);
    command.args(["version", "-json"]).env("CHECKPOINT_DISABLE", "1").stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.map_err(|error| not_runnable(binary, &error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = read_version(&text).filter(|_| output.status.success());
    match version {
        Some(version) if is_new_enough(&version) => Ok(version),
        Some(version) => {
            Err(Failure::new(FailureKind::Usage, format!("terraform is version {version}; 1.11 or newer is needed"))
                .at(binary.display().to_string())
                .because("an older release is installed")
                .then("install a newer one, or name it with --terraform-bin PATH"))
        }
        None => Err(Failure::new(FailureKind::Usage, "it does not say which version of Terraform it is")
            .at(binary.display().to_string())
            .because("it is another program")
            .then("--terraform-bin PATH of a Terraform 1.11 or newer")),
    }
}

fn read_version(text: &str) -> Option<String> {
    let json: Value = serde_json::from_str(&text[text.find('{')?..]).ok()?;
    json.get("terraform_version")?.as_str().map(str::to_owned)
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let found = [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)];
    found >= OLDEST
}

/// Reads a file that another process appends to.
struct Follower {
    file: File,
    pending: Vec<u8>,
    all: String,
}

impl Follower {
    /// From its end on.
    fn of(path: &Path) -> std::io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { file, pending: Vec::new(), all: String::new() })
    }

    /// The lines that were completed meanwhile.
    fn lines(&mut self) -> Vec<String> {
        if self.file.read_to_end(&mut self.pending).is_err() {
            return Vec::new();
        }
        let Some(end) = self.pending.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let complete: Vec<u8> = self.pending.drain(..=end).collect();
        let text = String::from_utf8_lossy(&complete).into_owned();
        self.all.push_str(&text);
        text.lines().map(str::to_owned).collect()
    }
}

/// The Terraform that still works on one of these plan files: of a `dr-cli` that was killed.
pub fn still_running(plans: &[PathBuf]) -> Option<i32> {
    let works_on_it = |pid: &i32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut arguments = command.split(|byte| *byte == 0).map(OsStr::from_bytes);
        arguments.any(|argument| plans.iter().any(|plan| plan.as_os_str() == argument))
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(works_on_it)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn versions_are_compared_by_numbers() {
        assert!(["1.11.0", "1.11.4", "1.12.0-beta1", "2.0.1"].iter().all(|version| is_new_enough(version)));
        assert!(!["1.9.8", "1.10.5", "0.15.0", "", "x"].iter().any(|version| is_new_enough(version)));
        assert_eq!(read_version("Warning: something\n{\"terraform_version\": \"1.11.4\"}").as_deref(), Some("1.11.4"));
        assert_eq!(read_version("terraform 1.11.4"), None);
    }

    #[test]
    fn the_binary_is_the_named_one_or_that_on_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = std::env::join_paths([Path::new("/nowhere"), folder.path()]).unwrap();
        let missing = find_terraform(None, Some(&path)).unwrap_err();
        assert!(missing.kind == FailureKind::Usage && missing.next.contains("install"), "{missing}");
        std::fs::write(folder.path().join("terraform"), "").unwrap();
        assert_eq!(find_terraform(None, Some(&path)).unwrap(), folder.path().join("terraform"));
        assert_eq!(find_terraform(Some(Path::new("terraform")), Some(&path)).unwrap(), folder.path().join("terraform"));
        assert!(find_terraform(Some(Path::new("tofu")), Some(&path)).is_err());
        assert!(find_terraform(Some(&folder.path().join("other")), Some(&path)).is_err());
        assert_eq!(
            find_terraform(Some(&folder.path().join("terraform")), None).unwrap(),
            folder.path().join("terraform")
        );
    }

    #[test]
    fn a_file_is_followed_line_by_line_from_where_it_ended() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "before").unwrap();
        let mut follower = Follower::of(file.path()).unwrap();
        write!(file, "one\ntw").unwrap();
        assert_eq!(follower.lines(), ["one"]);
        assert!(follower.lines().is_empty());
        writeln!(file, "o").unwrap();
        assert_eq!(follower.lines(), ["two"]);
        assert_eq!(follower.all, "one\ntwo\n");
    }
}
