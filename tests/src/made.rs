//! Restores and drills into places that a real Terraform makes, in a folder of the test's own, where nothing may be left behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use testkit::processes::{self, Finished};
use testkit::{fetched, mongod};

use crate::ArchiveFolder;

const LIMIT: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub struct Made {
    folder: TempDir,
    terraform: PathBuf,
}

/// A root of the tests.
pub fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("roots").join(name)
}

impl Made {
    pub fn new() -> Result<Self> {
        let folder = mongod::temp_folder("made")?;
        for part in ["places", "state"] {
            std::fs::create_dir(folder.path().join(part))?;
        }
        Ok(Self { folder, terraform: fetched::path("TERRAFORM", "fetch-terraform.sh")? })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn environment(&self) -> [(&'static str, String); 1] {
        [("XDG_STATE_HOME", self.path("state").display().to_string())]
    }

    /// Options that every command on a root needs.
    pub fn on_root(&self, command: &str, name: &str) -> Vec<String> {
        let (root, terraform) = (root(name).display().to_string(), self.terraform.display().to_string());
        [command, "--json", "--yes", "--terraform", &root, "--terraform-bin", &terraform].map(str::to_owned).to_vec()
    }

    /// `COMMAND --terraform` with the root that starts a `mongod`. `variables` are the root's.
    pub fn arguments(
        &self,
        command: &str,
        archive: &ArchiveFolder,
        variables: &[&str],
        more: &[&str],
    ) -> Result<Vec<String>> {
        let mut arguments = self.on_root(command, "mongod");
        arguments.extend(["--archive".to_owned(), archive.url()]);
        let (mongod, folder) = (mongod::binary()?, self.path("places"));
        let own = [format!("mongod={}", mongod.display()), format!("folder={}", folder.display())];
        let all = own.into_iter().chain(variables.iter().map(|&one| one.to_owned()));
        arguments.extend(all.flat_map(|one| ["--var".to_owned(), one]));
        arguments.extend(more.iter().map(|&one| one.to_owned()));
        Ok(arguments)
    }

    pub async fn run(&self, arguments: &[String]) -> Result<Finished> {
        let environment = self.environment();
        let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        processes::finish(&processes::binary("dr-cli")?, arguments, &environment).await
    }

    /// Runs to an end with this exit code; its object.
    pub async fn ends(&self, arguments: &[String], exit_code: i32) -> Result<Value> {
        let done = self.run(arguments).await?;
        ensure!(done.exit_code == exit_code, "{arguments:?}: {}\n{}\n{}", done.exit_code, done.stdout, done.stderr);
        done.json()
    }

    /// Runs the command that an object names for cleaning up, as it stands there.
    pub async fn clean_up(&self, object: &Value, exit_code: i32) -> Result<Value> {
        let command = object["terraform"]["clean_up"].as_str().with_context(|| format!("a command: {object}"))?;
        self.follow(command, exit_code).await
    }

    pub async fn follow(&self, command: &str, exit_code: i32) -> Result<Value> {
        let words = command.strip_prefix("dr-cli ").with_context(|| format!("a command of ours: {command}"))?;
        let mut arguments: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let more = ["--yes", "--json", "--terraform-bin", &self.terraform.display().to_string()].map(str::to_owned);
        arguments.extend(more);
        self.ends(&arguments, exit_code).await
    }

    /// Starts a command whose output goes to files of these names.
    pub fn start(&self, arguments: &[String]) -> Result<tokio::process::Child> {
        let file = |name: &str| std::fs::File::create(self.path(name));
        let mut command = tokio::process::Command::new(processes::binary("dr-cli")?);
        command.args(arguments).envs(self.environment()).kill_on_drop(true).stdin(Stdio::null());
        command.stdout(file("stdout")?).stderr(file("stderr")?);
        Ok(command.spawn()?)
    }

    /// What the command that was started said.
    pub fn said(&self, name: &str) -> Result<String> {
        Ok(std::fs::read_to_string(self.path(name))?)
    }

    pub async fn wait_until_said(&self, text: &str) -> Result<()> {
        self.wait_for(text, || Ok(self.said("stderr")?.contains(text))).await
    }

    pub async fn wait_for(&self, what: &str, fact: impl Fn() -> Result<bool>) -> Result<()> {
        let limit = Instant::now() + LIMIT;
        while !fact()? {
            if Instant::now() > limit {
                bail!("{what} did not come:\n{}", self.said("stderr").unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Calls Terraform itself, as somebody else would, with state and data of that name.
    pub fn terraform(&self, data: &str, root: &Path) -> Command {
        let mut command = Command::new(&self.terraform);
        command.arg(format!("-chdir={}", root.display())).env("TF_DATA_DIR", self.path(data)).env("TF_INPUT", "0");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// That call as a line of a shell.
    pub fn terraform_line(&self, data: &str, root: &Path, arguments: &[&str]) -> String {
        let words: Vec<String> = arguments.iter().map(|one| format!("'{one}'")).collect();
        let (data, root) = (self.path(data), root.display());
        format!("TF_DATA_DIR='{}' '{}' '-chdir={root}' {}", data.display(), self.terraform.display(), words.join(" "))
    }

    /// A Terraform before whose first apply this line is run.
    pub fn terraform_after(&self, line: &str) -> Result<PathBuf> {
        let (path, done) = (self.path("terraform-after"), self.path("done"));
        let (done, terraform) = (done.display(), self.terraform.display());
        let script = format!(
            "#!/bin/sh\nif [ \"$2\" = apply ] && [ ! -e '{done}' ]; then touch '{done}'; {line} >&2 </dev/null; fi\nexec '{terraform}' \"$@\"\n"
        );
        std::fs::write(&path, script)?;
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        Ok(path)
    }

    /// Kills the Terraform that works on this plan file of a run.
    pub fn kill_terraform(&self, plan: &str) -> Result<()> {
        let plan = self.runs()?.first().context("a run")?.join(plan).display().to_string();
        let works_on_it = |folder: &Path| {
            std::fs::read(folder.join("cmdline")).is_ok_and(|all| String::from_utf8_lossy(&all).contains(&plan))
        };
        let processes = std::fs::read_dir("/proc")?.flatten().map(|entry| entry.path());
        let found: Vec<PathBuf> = processes.filter(|folder| works_on_it(folder)).collect();
        let pids = found.iter().filter_map(|folder| folder.file_name()?.to_str());
        ensure!(Command::new("kill").arg("-KILL").args(pids).status()?.success(), "{found:?}");
        Ok(())
    }

    /// Folders of runs, oldest first.
    pub fn runs(&self) -> Result<Vec<PathBuf>> {
        let Ok(entries) = std::fs::read_dir(self.path("state/tidemark/runs")) else { return Ok(Vec::new()) };
        let mut runs: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        runs.sort();
        Ok(runs)
    }

    /// The record of the only run.
    pub fn record(&self) -> Result<Value> {
        let runs = self.runs()?;
        ensure!(runs.len() == 1, "one run: {runs:?}");
        Ok(serde_json::from_slice(&std::fs::read(runs[0].join("run.json"))?)?)
    }

    /// Servers and folders of places, which exist as long as nothing was destroyed.
    pub fn left(&self) -> Result<Vec<String>> {
        let places = std::fs::read_dir(self.path("places"))?.flatten().map(|entry| entry.path().display().to_string());
        Ok(places.chain(self.servers()?.into_iter().map(|pid| format!("process {pid}"))).collect())
    }

    pub fn servers(&self) -> Result<Vec<i32>> {
        let places = self.path("places").display().to_string();
        let works_there = |folder: &Path| {
            let command = std::fs::read(folder.join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).into_owned();
            command.contains("--dbpath") && command.contains(&places)
        };
        let processes = std::fs::read_dir("/proc")?.flatten().map(|entry| entry.path());
        let pids = processes.filter(|folder| works_there(folder));
        Ok(pids.filter_map(|folder| folder.file_name()?.to_str()?.parse().ok()).collect())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for pid in self.servers().unwrap_or_default() {
            Command::new("kill").args(["-KILL", &pid.to_string()]).status().ok();
        }
    }
}
