//! The beginning of a run, or of going on with one: its folder, its record, `terraform init`, and a look at what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use archive::Digest;
use jiff::Timestamp;
use rand::RngExt as _;
use serde_json::Value;

use super::words::{clean_up_command, named, quoted};
use super::{OWN_STATE, RunOptions, STATE_FILE, SUFFIX, TerraformRun};
use crate::drill::stopwatch::Stopwatch;
use crate::failure::{Failure, FailureKind, Result};
use crate::interrupt::Interrupt;
use crate::kubernetes::Tools;
use crate::progress::{Progress, Unit};
use crate::terraform::diagnosis::Step;
use crate::terraform::program::Program;
use crate::terraform::record::{RunPhase, RunRecord, SCHEMA};
use crate::terraform::run_folder::{Arguments, RunFolder, abandoned};
use crate::terraform::secrets::Secrets;

impl TerraformRun {
    /// Starts a run: nothing exists because of it yet. The state that it will use must be empty.
    pub async fn begin(options: RunOptions, progress: Arc<dyn Progress>, interrupt: Interrupt) -> Result<Self> {
        let started = Stopwatch::start("terraform");
        let root = root_of(&options.root)?;
        let secrets = secrets_of(options.variables.iter().chain(&options.backend_config));
        let program =
            Program::open(options.binary, root.clone(), secrets, Arc::clone(&progress), interrupt.clone()).await?;
        let suffix = given_suffix(&options.variables).unwrap_or_else(fresh_suffix);
        let run = format!("{}-{suffix}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ"));
        let folder = RunFolder::create(&options.run_dir.unwrap_or_else(|| options.runs.join(&run)))?;
        let record = RunRecord {
            schema: SCHEMA,
            run,
            suffix: suffix.clone(),
            command: options.command.to_owned(),
            root,
            terraform_version: program.version.clone(),
            started_at: crate::drill::stopwatch::now(),
            phase: RunPhase::Begun,
            apply_is_open: false,
            apply_is_unseen: false,
            apply_is_complete: false,
            apply_log_start: 0,
            state: OWN_STATE.to_owned(),
            plan_sha256: None,
            destroy_plan_sha256: None,
            provider_lock_sha256: None,
            planned: BTreeSet::new(),
            begun: BTreeSet::new(),
            taken_out: BTreeSet::new(),
            lost: BTreeSet::new(),
            to_destroy: BTreeSet::new(),
            asked: None,
            installed: None,
            created: BTreeMap::new(),
        };
        let mut this = Self::assemble(program, folder, record, options.tools, progress, interrupt, started);
        for (folder, record) in abandoned(&options.runs) {
            let command = clean_up_command(&record.command, &record.root, &folder);
            let line = format!("drill {} did not destroy what it made: {command}", record.run);
            this.progress.note(&line);
            this.abandoned.push(line);
        }
        let filled = |text: &String| text.replace(SUFFIX, &suffix);
        let mut files = Vec::new();
        for (number, file) in options.variable_files.iter().enumerate() {
            files.push(this.folder.keep(file, number)?);
        }
        this.arguments = Arguments {
            variables: options.variables.iter().map(filled).collect(),
            variable_files: files,
            backend_config: options.backend_config.iter().map(filled).map(absolute_file).collect(),
        };
        this.folder.save_arguments(&this.arguments)?;
        this.folder.save(&this.record)?;
        this.init().await?;
        this.look().await?;
        if !this.present.is_empty() {
            return Err(Failure::new(FailureKind::Unsafe, "the state is not empty")
                .at(format!("the state of {} ({})", this.record.root.display(), this.record.state))
                .because(format!("it holds {}, which this run did not make", named(&this.present)))
                .then(
                    "another state for each run: --backend-config key=restore/{suffix}.tfstate; nothing was changed",
                ));
        }
        Ok(this)
    }

    /// Takes up a run that ended before its end.
    pub async fn open(
        run: &Path,
        options: RunOptions,
        progress: Arc<dyn Progress>,
        interrupt: Interrupt,
    ) -> Result<Self> {
        let started = Stopwatch::start("terraform");
        let root = root_of(&options.root)?;
        let folder = RunFolder::open(run, &options.runs)?;
        let record = folder.record()?;
        if record.root != root {
            return Err(Failure::new(FailureKind::Usage, "the run is of another root")
                .at(folder.path().display().to_string())
                .because(format!("it was made with {}", record.root.display()))
                .then(format!("--terraform {}", quoted(&record.root))));
        }
        // What is gone needs no arguments.
        let arguments = if record.phase == RunPhase::Destroyed { Arguments::default() } else { folder.arguments()? };
        let secrets = secrets_of(arguments.variables.iter().chain(&arguments.backend_config));
        let program = Program::open(options.binary, root, secrets, Arc::clone(&progress), interrupt.clone()).await?;
        let mut this = Self::assemble(program, folder, record, options.tools, progress, interrupt, started);
        this.arguments = arguments;
        this.is_resumed = true;
        if this.record.phase < RunPhase::Applying || this.record.phase == RunPhase::Destroyed {
            return Ok(this);
        }
        this.held = Some(this.interrupt.hold());
        this.say_how_to_clean_up();
        this.wait_for_orphan().await?;
        this.init().await?;
        this.look().await?;
        this.adopt_unseen()?;
        let brought = this.bring_unsaved_state().await;
        brought.map_err(|failure| this.explain(failure))?;
        Ok(this)
    }

    fn assemble(
        mut program: Program,
        folder: RunFolder,
        record: RunRecord,
        tools: Tools,
        progress: Arc<dyn Progress>,
        interrupt: Interrupt,
        started: Stopwatch,
    ) -> Self {
        program.with_environment([
            ("TF_DATA_DIR", folder.file("data").into_os_string()),
            // Roots that do not declare it ignore it.
            ("TF_VAR_suffix", OsString::from(&record.suffix)),
        ]);
        Self {
            program,
            folder,
            record,
            arguments: Arguments::default(),
            progress,
            interrupt,
            held: None,
            started,
            phases: Vec::new(),
            present: Vec::new(),
            removes: BTreeSet::new(),
            leaves_volumes: false,
            is_outdated: false,
            is_resumed: false,
            human_wait: Duration::ZERO,
            tools,
            abandoned: Vec::new(),
        }
    }

    pub(super) async fn init(&mut self) -> Result<()> {
        self.progress.phase("terraform init", None, Unit::Items);
        let watch = Stopwatch::start("terraform init");
        let done = self.init_once(&[]).await;
        self.phases.push(watch.stop(done.as_ref().err()));
        done?;
        let backend = self.backend();
        if backend.as_deref() == Some("cloud") || backend.as_deref() == Some("remote") {
            return Err(Failure::new(FailureKind::Usage, "the root runs Terraform somewhere else (HCP Terraform)")
                .at(self.root())
                .because("a plan that is applied elsewhere is not the one that was shown here")
                .then("a backend that only keeps the state, such as s3 or azurerm"));
        }
        // A root that leaves the place of a local state open gets one in the folder of the run.
        if backend.as_deref() == Some("local")
            && !self.arguments.backend_config.iter().any(|one| one.starts_with("path="))
        {
            let mut path = OsString::from("-backend-config=path=");
            path.push(self.folder.file(STATE_FILE));
            self.init_once(&[path]).await?;
        }
        self.record.state = backend.unwrap_or_else(|| OWN_STATE.to_owned());
        let lock = std::fs::read(self.record.root.join(".terraform.lock.hcl")).ok();
        self.record.provider_lock_sha256 = lock.map(|bytes| Digest::of(&bytes));
        self.folder.save(&self.record)
    }

    async fn init_once(&self, more: &[OsString]) -> Result<()> {
        // A run that is taken up again has been initialised before, with what was left open filled in.
        let mut arguments: Vec<OsString> = ["init", "-no-color", "-reconfigure"].map(OsString::from).to_vec();
        arguments.extend(self.arguments.backend_config.iter().map(|one| format!("-backend-config={one}").into()));
        arguments.extend_from_slice(more);
        let ended = self.program.run(arguments, &self.folder.file("init.log"), true).await?;
        self.judge(Step::Init, &ended)
    }

    /// The type of the root's backend, as `init` noted it.
    fn backend(&self) -> Option<String> {
        let noted = std::fs::read(self.folder.file("data").join(STATE_FILE)).ok()?;
        let noted: Value = serde_json::from_slice(&noted).ok()?;
        noted.get("backend")?.get("type")?.as_str().map(str::to_owned)
    }
}

fn root_of(root: &Path) -> Result<PathBuf> {
    let refuse = |what: String| {
        Failure::new(FailureKind::Usage, what)
            .at(root.display().to_string())
            .because("--terraform names the folder of a root module")
            .then("--terraform terraform/environments/local, or another folder with *.tf files")
    };
    let path = root.canonicalize().map_err(|error| refuse(format!("--terraform cannot be used: {error}")))?;
    let entries = std::fs::read_dir(&path).map_err(|error| refuse(format!("--terraform cannot be read: {error}")))?;
    let is_configuration = |name: &str| [".tf", ".tf.json"].iter().any(|end| name.ends_with(end));
    let has_some = entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(is_configuration));
    if has_some { Ok(path) } else { Err(refuse("there is no Terraform in that folder".to_owned())) }
}

/// `given`: pairs from the command line; those of the environment count, too.
fn secrets_of<'a>(given: impl Iterator<Item = &'a String>) -> Secrets {
    let given: Vec<(&str, &str)> = given.filter_map(|one| one.split_once('=')).collect();
    let environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Secrets::of(given.into_iter().chain(environment.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
}

fn given_suffix(variables: &[String]) -> Option<String> {
    variables.iter().rev().find_map(|one| one.strip_prefix("suffix=")).map(str::to_owned)
}

/// Six characters, a letter first: names of some clouds may not begin with a digit.
fn fresh_suffix() -> String {
    const LETTERS: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";
    const ALL: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    let mut suffix = String::from(char::from(LETTERS[random.random_range(0..LETTERS.len())]));
    suffix.extend((0..5).map(|_| char::from(ALL[random.random_range(0..ALL.len())])));
    suffix
}

/// `--backend-config FILE` is read by a Terraform that stands in another folder.
fn absolute_file(one: String) -> String {
    if one.contains('=') {
        return one;
    }
    std::path::absolute(&one).map_or(one, |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_what_names_of_clouds_take_and_differ() {
        let suffixes: std::collections::BTreeSet<String> = (0..200).map(|_| fresh_suffix()).collect();
        assert!(suffixes.len() > 195, "{}", suffixes.len());
        for suffix in suffixes {
            assert_eq!(suffix.len(), 6);
            assert!(suffix.starts_with(|c: char| c.is_ascii_lowercase()), "{suffix}");
            assert!(suffix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{suffix}");
        }
        assert_eq!(given_suffix(&["a=b".to_owned(), "suffix=x1".to_owned()]).as_deref(), Some("x1"));
    }
}
