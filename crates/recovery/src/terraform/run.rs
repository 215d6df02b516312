//! One run from its folder to the end of what it made: what is done, in which order, and what is written down before.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use archive::Digest;
use archive::drill::Phase;
use jiff::Timestamp;
use rand::RngExt as _;
use serde::Serialize;
use serde_json::Value;

use super::contract::{self, Contract};
use super::destination::wait_until_ready;
use super::diagnosis::{self, Step};
use super::judgement::{objections_to_apply, objections_to_destroy};
use super::plan_json::{Announced, PlannedChanges};
use super::program::{Ended, Program, still_running, unreadable};
use super::record::{RunPhase, RunRecord, SCHEMA};
use super::run_folder::{Arguments, RunFolder, abandoned};
use super::secrets::Secrets;
use super::state_json::{Resource, resources};
use crate::drill::stopwatch::Stopwatch;
use crate::failure::{Failure, FailureKind, Result};
use crate::interrupt::{Held, Interrupt};
use crate::kubernetes::{Cluster, Installed, Tools};
use crate::progress::{Progress, Unit};

/// The state of a root without a backend, in the folder of the run.
const OWN_STATE: &str = "run folder";
const STATE_FILE: &str = "terraform.tfstate";
const PLAN: &str = "apply.tfplan";
const DESTROY_PLAN: &str = "destroy.tfplan";
/// Stands for the run's suffix in values of `--var` and `--backend-config`.
const SUFFIX: &str = "{suffix}";
/// Resources that an error names; the report has all.
const SHOWN: usize = 12;

/// What a user says about Terraform.
#[derive(Debug, Clone)]
pub struct RunOptions {
    pub binary: PathBuf,
    pub root: PathBuf,
    /// `drill` or `restore`.
    pub command: &'static str,
    pub variables: Vec<String>,
    pub variable_files: Vec<PathBuf>,
    pub backend_config: Vec<String>,
    /// For what a run installed in a cluster.
    pub tools: Tools,
    /// The folder of a new run; one of its own below `runs` when absent.
    pub run_dir: Option<PathBuf>,
    /// Where runs are looked for and kept.
    pub runs: PathBuf,
}

/// Something that a run made and that is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remaining {
    pub address: String,
    pub id: Option<String>,
}

/// A run for reports.
#[derive(Debug, Clone, Serialize)]
pub struct RunSummary {
    pub run: String,
    pub run_dir: PathBuf,
    pub root: PathBuf,
    pub suffix: String,
    pub version: String,
    pub state: String,
    pub phase: RunPhase,
    pub plan_sha256: Option<Digest>,
    pub destroy_plan_sha256: Option<Digest>,
    /// How many resources it made.
    pub created: usize,
    pub remains: Vec<Remaining>,
    /// Addresses that a killed Terraform may have made without writing them down.
    pub may_exist: Vec<String>,
    /// What removes the rest; `None` when nothing is left.
    pub clean_up: Option<String>,
    pub phases: Vec<Phase>,
}

/// A place that Terraform makes. Dropped before anything was made, it leaves nothing.
pub struct TerraformRun {
    program: Program,
    folder: RunFolder,
    record: RunRecord,
    arguments: Arguments,
    progress: Arc<dyn Progress>,
    interrupt: Interrupt,
    /// From the first apply on, a first interrupt is passed on.
    held: Option<Held>,
    started: Stopwatch,
    phases: Vec<Phase>,
    /// What the state held when it was looked at last.
    present: Vec<Resource>,
    /// Something was done since that look.
    is_outdated: bool,
    /// It was begun by an earlier command.
    is_resumed: bool,
    human_wait: Duration,
    tools: Tools,
    abandoned: Vec<String>,
}

impl std::fmt::Debug for TerraformRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TerraformRun").field("record", &self.record).finish_non_exhaustive()
    }
}

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
            state: OWN_STATE.to_owned(),
            plan_sha256: None,
            destroy_plan_sha256: None,
            provider_lock_sha256: None,
            planned: BTreeSet::new(),
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
        if this.record.phase == RunPhase::Applying {
            this.record.apply_is_open &= !this.ended_in_order();
            this.adopt()?;
        }
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
            is_outdated: false,
            is_resumed: false,
            human_wait: Duration::ZERO,
            tools,
            abandoned: Vec::new(),
        }
    }

    pub fn phase(&self) -> RunPhase {
        self.record.phase
    }

    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn started(&self) -> &Stopwatch {
        &self.started
    }

    pub fn seconds(&self) -> u64 {
        self.started.whole_seconds()
    }

    pub fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Time that a person was waited for counts as recovery time, and is told apart.
    pub fn waited_for_a_person(&mut self, waited: Duration) {
        self.human_wait += waited;
    }

    pub fn human_wait(&self) -> Duration {
        self.human_wait
    }

    // -- steps

    async fn init(&mut self) -> Result<()> {
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

    /// Plans what an apply would do and gives it for people. What would touch anything that is not the run's own is refused, and so is a root whose
    /// contract cannot be used, as far as that shows before anything is made.
    pub async fn plan(&mut self) -> Result<String> {
        self.progress.phase("terraform plan", None, Unit::Items);
        let watch = Stopwatch::start("terraform plan");
        let planned = self.plan_once(PLAN, &[]).await;
        self.phases.push(watch.stop(planned.as_ref().err()));
        let (text, digest, planned) = planned?;
        let objections = objections_to_apply(&planned, &self.record);
        if !objections.is_empty() {
            return Err(Failure::new(FailureKind::Unsafe, "the plan touches what this run did not make")
                .at(self.root())
                .because(objections.join("; "))
                .then("a root that makes everything anew, with its own state; nothing was changed"));
        }
        match &planned.contract {
            Announced::Missing if self.record.phase < RunPhase::Applying => {
                return Err(contract::missing(&self.record.root));
            }
            Announced::Version(version) => contract::check_version(Some(version), &self.record.root)?,
            // The outputs will tell.
            Announced::Missing | Announced::Unknown => {}
        }
        if self.record.command == "drill" && planned.is_in_cluster {
            return Err(contract::out_of_reach(&self.record.root));
        }
        self.record.plan_sha256 = Some(digest);
        self.record.planned.extend(planned.creates().map(str::to_owned));
        if self.record.phase == RunPhase::Begun {
            self.record.phase = RunPhase::Planned;
        }
        self.folder.save(&self.record)?;
        Ok(format!("{}\nPlan file {} has SHA-256 {digest}", text.trim(), self.folder.file(PLAN).display()))
    }

    async fn plan_once(&self, name: &str, more: &[&str]) -> Result<(String, Digest, PlannedChanges)> {
        let path = self.folder.file(name);
        let mut arguments: Vec<OsString> = ["plan", "-no-color"].map(OsString::from).to_vec();
        arguments.extend(more.iter().map(OsString::from));
        arguments.extend(self.state_argument());
        arguments.extend(self.variables());
        let mut out = OsString::from("-out=");
        out.push(&path);
        arguments.push(out);
        let ended = self.program.run(arguments, &self.folder.file("plan.log"), false).await?;
        self.judge(Step::Plan, &ended)?;
        let shown = self.program.json(&["show".into(), "-json".into(), path.clone().into_os_string()]).await?;
        let planned = PlannedChanges::of(&shown).map_err(|error| unreadable(&error, &self.record.root))?;
        Ok((without_state_warning(&ended.said), digest_of(&path)?, planned))
    }

    /// Applies exactly the plan that was shown. However it ends, what exists then is recorded.
    pub async fn apply(&mut self) -> Result<Contract> {
        self.require_digest(PLAN, self.record.plan_sha256)?;
        self.held = Some(self.interrupt.hold());
        self.say_how_to_clean_up();
        self.record.phase = RunPhase::Applying;
        self.record.apply_is_open = true;
        self.folder.save(&self.record)?;
        self.is_outdated = true;
        self.progress.phase("terraform apply", None, Unit::Items);
        let watch = Stopwatch::start("terraform apply");
        let applied = self.execute(PLAN, "apply.log").await;
        // One that was not even started has made nothing.
        self.record.apply_is_open = applied.as_ref().is_ok_and(Ended::was_killed);
        let looked = self.look().await.and_then(|()| self.adopt());
        let done = applied.and_then(|ended| self.judge(Step::Apply, &ended)).and(looked);
        self.phases.push(watch.stop(done.as_ref().err()));
        done?;
        self.record.phase = RunPhase::Applied;
        self.folder.save(&self.record)?;
        self.contract().await
    }

    /// Objects that the root wants in its cluster before the chart: its output `manifests`.
    pub async fn manifests(&self) -> Result<Value> {
        Ok(self.outputs().await?["manifests"]["value"].clone())
    }

    async fn contract(&self) -> Result<Contract> {
        Contract::of_outputs(&self.outputs().await?, &self.record.root)
    }

    async fn outputs(&self) -> Result<Value> {
        let mut arguments: Vec<OsString> = ["output", "-no-color", "-json"].map(OsString::from).to_vec();
        arguments.extend(self.state_argument());
        self.program.json(&arguments).await
    }

    /// Written down before the chart is installed, so that it is taken out of the cluster before the cluster is destroyed.
    pub fn note_installed(&mut self, installed: Option<Installed>) -> Result<()> {
        self.record.installed = installed;
        self.folder.save(&self.record)
    }

    pub fn tools(&self) -> Tools {
        self.tools.clone()
    }

    /// A file of the run's own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.file(name)
    }

    pub async fn measure<T>(&mut self, name: &'static str, step: impl Future<Output = Result<T>>) -> Result<T> {
        let watch = Stopwatch::start(name);
        let done = step.await;
        self.phases.push(watch.stop(done.as_ref().err()));
        done
    }

    /// Returns when the destination takes writes.
    pub async fn wait_for(&mut self, uri: &str, limit: Duration) -> Result<()> {
        self.progress.phase("wait for destination", None, Unit::Items);
        let watch = Stopwatch::start("wait for destination");
        let ready = wait_until_ready(uri, limit, self.is_resumed, &self.interrupt).await;
        self.phases.push(watch.stop(ready.as_ref().err()));
        ready
    }

    pub fn mark(&mut self, phase: RunPhase) -> Result<()> {
        self.record.phase = phase;
        self.folder.save(&self.record)
    }

    /// The plan that destroys what the run made, for people; `None` when nothing is there. Refused when it would destroy anything else.
    pub async fn plan_destroy(&mut self) -> Result<Option<String>> {
        if self.record.phase < RunPhase::Applying || self.record.phase == RunPhase::Destroyed {
            return Ok(None);
        }
        let watch = Stopwatch::start("terraform plan -destroy");
        let planned = self.judged_destroy().await;
        self.phases.push(watch.stop(planned.as_ref().err()));
        planned
    }

    async fn judged_destroy(&mut self) -> Result<Option<String>> {
        self.look().await?;
        let refused = |cause: String, this: &Self| {
            Failure::new(FailureKind::Unsafe, "something would be destroyed that this run did not make")
                .at(this.root())
                .because(cause)
                .then(format!(
                    "look at it: terraform -chdir={} state list; take what is not of this run out of the state (terraform state rm), then {}",
                    quoted(&this.record.root),
                    this.clean_up_command()
                ))
        };
        let foreign = self.record.foreign(&self.present);
        if !foreign.is_empty() {
            return Err(refused(format!("the state holds {}", named(&foreign)), self));
        }
        if self.present.is_empty() {
            return Ok(None);
        }
        let (text, digest, planned) = match self.plan_once(DESTROY_PLAN, &["-destroy"]).await {
            // What a root looks up may be gone with the rest: then what the state knows has to do.
            Err(failure) if !matches!(failure.kind, FailureKind::Cancelled | FailureKind::LeaseHeld) => {
                self.progress.note(&format!("{}; planning the destroy from the state alone", failure.what));
                self.plan_once(DESTROY_PLAN, &["-destroy", "-refresh=false"]).await.map_err(|_| failure)?
            }
            planned => planned?,
        };
        let objections = objections_to_destroy(&planned, &self.record);
        if !objections.is_empty() {
            return Err(refused(objections.join("; "), self));
        }
        self.record.destroy_plan_sha256 = Some(digest);
        self.folder.save(&self.record)?;
        Ok(Some(format!(
            "{}\nPlan file {} has SHA-256 {digest}",
            text.trim(),
            self.folder.file(DESTROY_PLAN).display()
        )))
    }

    /// Destroys by the plan that `plan_destroy` made, and looks whether anything is left. Without a plan there is nothing to destroy.
    pub async fn destroy(&mut self) -> Result<()> {
        let watch = Stopwatch::start("terraform destroy");
        let done = self.destroy_planned().await;
        self.phases.push(watch.stop(done.as_ref().err()));
        done
    }

    async fn destroy_planned(&mut self) -> Result<()> {
        if !self.present.is_empty() {
            self.require_digest(DESTROY_PLAN, self.record.destroy_plan_sha256)?;
            self.held = Some(self.interrupt.hold());
            self.mark(RunPhase::Destroying)?;
            self.uninstall().await?;
            self.is_outdated = true;
            self.progress.phase("terraform destroy", None, Unit::Items);
            let destroyed = self.execute(DESTROY_PLAN, "destroy.log").await;
            self.look().await?;
            self.judge(Step::Destroy, &destroyed?)?;
            if !self.present.is_empty() {
                return Err(Failure::new(FailureKind::Unexpected, "something is left after the destroy")
                    .at(self.root())
                    .because("Terraform says that it destroyed everything, and its state holds more")
                    .then(self.clean_up_command()));
            }
        }
        self.record.apply_is_open = false;
        self.mark(RunPhase::Destroyed)?;
        self.interrupt.set_parting(None);
        self.held = None;
        self.folder.leave_record()
    }

    /// What the cluster made on its own behalf goes with the release, and only as long as there is a cluster.
    async fn uninstall(&mut self) -> Result<()> {
        let Some(installed) = self.record.installed.clone() else { return Ok(()) };
        self.progress.note(&format!("release {} is removed from namespace {}", installed.release, installed.namespace));
        let cluster = Cluster::again(installed, self.tools.clone(), Arc::clone(&self.progress), self.interrupt.clone());
        if let Err(failure) = cluster.uninstall().await {
            return Err(Failure {
                what: format!("the release and its volumes could not be removed: {}", failure.what),
                next: format!(
                    "{}; when the cluster is gone already, with --leave-volumes, and look for its volumes in the cloud",
                    self.clean_up_command()
                ),
                ..failure
            });
        }
        self.note_installed(None)
    }

    // -- what a failure leaves

    /// A failure with what exists because of the run, and the command that removes it.
    pub fn explain(&self, mut failure: Failure) -> Failure {
        if !self.has_something() {
            return failure;
        }
        let mut left = Vec::new();
        if !self.present.is_empty() {
            left.push(format!("of what this run made there is still {}", named(&self.present)));
        }
        let may_exist = self.may_exist();
        if !may_exist.is_empty() {
            left.push(format!(
                "these may exist although Terraform does not tell (their names hold {}): {}",
                self.record.suffix,
                may_exist.join(", ")
            ));
        }
        let left = left.join("; ");
        failure.cause = if failure.cause.is_empty() { left } else { format!("{}\n{left}", failure.cause) };
        let clean_up = self.clean_up_command();
        if !failure.next.contains(&clean_up) {
            failure.next = match (self.record.command.as_str(), failure.next.is_empty()) {
                (_, false) => format!("{}; to remove what is there: {clean_up}", failure.next),
                ("restore", true) => {
                    format!("to go on: {}; to remove what is there: {clean_up}", self.resume_command())
                }
                _ => clean_up,
            };
        }
        failure
    }

    fn has_something(&self) -> bool {
        (RunPhase::Applying..RunPhase::Destroyed).contains(&self.record.phase)
            && !(self.present.is_empty() && self.may_exist().is_empty())
    }

    pub fn summary(&self) -> RunSummary {
        let record = &self.record;
        let remaining = |one: &Resource| Remaining { address: one.address.clone(), id: one.id.clone() };
        RunSummary {
            run: record.run.clone(),
            run_dir: self.folder.path().to_owned(),
            root: record.root.clone(),
            suffix: record.suffix.clone(),
            version: record.terraform_version.clone(),
            state: record.state.clone(),
            phase: record.phase,
            plan_sha256: record.plan_sha256,
            destroy_plan_sha256: record.destroy_plan_sha256,
            created: record.created.len(),
            remains: self.present.iter().map(remaining).collect(),
            may_exist: self.may_exist(),
            clean_up: self.has_something().then(|| self.clean_up_command()),
            phases: self.phases.clone(),
        }
    }

    /// What is left, a line each.
    pub fn leftovers(&self) -> Vec<String> {
        if !self.has_something() {
            return Vec::new();
        }
        let present = self.present.iter().map(line_of);
        let unseen = self.may_exist();
        present.chain(unseen.into_iter().map(|address| format!("{address} (perhaps)"))).collect()
    }

    /// Only a Terraform that was killed makes what it does not write down. Without a look at the state anything may be there.
    fn may_exist(&self) -> Vec<String> {
        if self.is_outdated {
            self.record.not_in(&[])
        } else if self.record.apply_is_open {
            self.record.not_in(&self.present)
        } else {
            Vec::new()
        }
    }

    pub fn clean_up_command(&self) -> String {
        clean_up_command(&self.record.command, &self.record.root, self.folder.path())
    }

    /// Earlier drills that left something, with the commands that remove it.
    pub fn abandoned(&self) -> &[String] {
        &self.abandoned
    }

    pub fn resume_command(&self) -> String {
        format!(
            "dr-cli restore --terraform {} --resume {} --to …",
            quoted(&self.record.root),
            quoted(self.folder.path())
        )
    }

    /// For reports.
    pub fn facts(&self) -> archive::drill::Terraform {
        archive::drill::Terraform {
            version: self.record.terraform_version.clone(),
            plan_digest: self.record.plan_sha256,
            provider_lock_digest: self.record.provider_lock_sha256,
        }
    }

    /// Phases that were measured since the last time.
    pub fn take_phases(&mut self) -> Vec<Phase> {
        std::mem::take(&mut self.phases)
    }

    // -- Terraform

    async fn execute(&self, plan: &str, log: &str) -> Result<Ended> {
        let mut arguments: Vec<OsString> = ["apply", "-no-color"].map(OsString::from).to_vec();
        arguments.extend(self.state_argument());
        arguments.push(self.folder.file(plan).into_os_string());
        self.program.run(arguments, &self.folder.file(log), true).await
    }

    fn judge(&self, step: Step, ended: &Ended) -> Result<()> {
        if ended.interrupted {
            return Err(self.interrupt.failure().at(step.name()));
        }
        if ended.status.success() {
            return Ok(());
        }
        let mut failure = diagnosis::failure(step, &ended.said, &self.root());
        if ended.was_killed() {
            failure.what = format!("{} was killed: {}", step.name(), ended.status);
        }
        Err(failure)
    }

    /// What Terraform knows now.
    async fn look(&mut self) -> Result<()> {
        let mut arguments: Vec<OsString> = ["show", "-no-color", "-json"].map(OsString::from).to_vec();
        if self.record.state == OWN_STATE {
            let state = self.folder.file(STATE_FILE);
            if !state.exists() {
                self.present = Vec::new();
                self.is_outdated = false;
                return Ok(());
            }
            arguments.push(state.into_os_string());
        }
        let shown = self.program.json(&arguments).await?;
        self.present = resources(&shown).map_err(|error| unreadable(&error, &self.record.root))?;
        self.is_outdated = false;
        Ok(())
    }

    /// Writes down what an apply of this run made.
    fn adopt(&mut self) -> Result<()> {
        let foreign = self.record.adopt(&self.present);
        self.folder.save(&self.record)?;
        if foreign.is_empty() {
            return Ok(());
        }
        Err(Failure::new(FailureKind::Unsafe, "somebody else works with the same state")
            .at(self.root())
            .because(format!("it holds {}, which this run did not make", named(&foreign)))
            .then("another state for each run: --backend-config key=restore/{suffix}.tfstate"))
    }

    /// A killed `dr-cli` may have left a Terraform at work; what it does is waited for.
    async fn wait_for_orphan(&self) -> Result<()> {
        let plans = [PLAN, DESTROY_PLAN].map(|name| self.folder.file(name));
        let mut is_told = false;
        while let Some(pid) = still_running(&plans) {
            self.interrupt.check()?;
            if !is_told {
                self.progress.note(&format!("Terraform of this run is still at work (process {pid}); waiting for it"));
                is_told = true;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// Whether the last apply told how it ended: one that was killed did not.
    fn ended_in_order(&self) -> bool {
        let log = std::fs::read(self.folder.file("apply.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let is_end = |line: &str| {
            line.starts_with("Apply complete!") || line.trim_start_matches(['│', ' ']).starts_with("Error:")
        };
        log.lines().rev().take(40).any(is_end)
    }

    fn state_argument(&self) -> Option<OsString> {
        (self.record.state == OWN_STATE).then(|| {
            let mut argument = OsString::from("-state=");
            argument.push(self.folder.file(STATE_FILE));
            argument
        })
    }

    fn variables(&self) -> Vec<OsString> {
        let files = self.arguments.variable_files.iter().map(|file| {
            let mut argument = OsString::from("-var-file=");
            argument.push(file);
            argument
        });
        let variables = self.arguments.variables.iter().flat_map(|one| [OsString::from("-var"), OsString::from(one)]);
        files.chain(variables).collect()
    }

    /// The file that is applied is the one that was shown.
    fn require_digest(&self, name: &str, expected: Option<Digest>) -> Result<()> {
        let path = self.folder.file(name);
        if expected == Some(digest_of(&path)?) {
            return Ok(());
        }
        Err(Failure::new(FailureKind::Unsafe, "the plan file is not the one that was shown")
            .at(path.display().to_string())
            .because("somebody changed it since")
            .then("the same command again; nothing was changed"))
    }

    fn say_how_to_clean_up(&self) {
        self.interrupt.set_parting(Some(
            Failure::new(FailureKind::Cancelled, "ended at once; Terraform may still be at work")
                .at(self.folder.path().display().to_string())
                .because("it was asked to stop twice; what this run made is recorded in its folder")
                .then(format!("to remove what is there: {}", self.clean_up_command())),
        ));
    }

    fn root(&self) -> String {
        self.record.root.display().to_string()
    }
}

impl Drop for TerraformRun {
    fn drop(&mut self) {
        if self.record.phase < RunPhase::Applying {
            self.folder.remove();
        }
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

fn digest_of(path: &Path) -> Result<Digest> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::new(FailureKind::Unexpected, format!("the plan file cannot be read: {error}"))
            .at(path.display().to_string())
    })?;
    Ok(Digest::of(&bytes))
}

fn line_of(one: &Resource) -> String {
    one.id.as_ref().map_or_else(|| one.address.clone(), |id| format!("{} ({id})", one.address))
}

fn named(resources: &[Resource]) -> String {
    let shown: Vec<String> = resources.iter().take(SHOWN).map(line_of).collect();
    let more = resources.len().saturating_sub(shown.len());
    format!("{}{}", shown.join(", "), if more > 0 { format!(" and {more} more") } else { String::new() })
}

fn clean_up_command(command: &str, root: &Path, folder: &Path) -> String {
    format!("dr-cli {command} --terraform {} --clean-up {}", quoted(root), quoted(folder))
}

/// For a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c));
    if is_plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Terraform warns about `-state` wherever it is given. For a root without a backend there is no other way.
fn without_state_warning(said: &str) -> String {
    const WARNING: &str = "Warning: Deprecated flag: -state";
    let Some(start) = said.find(WARNING) else { return said.to_owned() };
    let after = &said[start..];
    let end = after.find("#path\n").map_or(after.len(), |end| end + "#path\n".len());
    format!("{}{}", &said[..start], &after[end..])
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

    #[test]
    fn commands_can_be_pasted_into_a_shell() {
        assert_eq!(quoted(Path::new("/a/b-c_1.x")), "/a/b-c_1.x");
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }

    #[test]
    fn the_warning_about_the_state_is_left_out_of_what_is_shown() {
        let said = "\nWarning: Deprecated flag: -state\n\nUse `path`:\nhttps://x/local#path\n\nPlan: 1 to add\n";
        assert_eq!(without_state_warning(said).trim(), "Plan: 1 to add");
        assert_eq!(without_state_warning("Plan"), "Plan");
    }

    #[test]
    fn long_lists_are_cut_in_errors() {
        let one = |n: usize| Resource { address: format!("t.a[{n}]"), kind: "t".to_owned(), id: Some(n.to_string()) };
        let all: Vec<Resource> = (0..15).map(one).collect();
        assert!(named(&all).ends_with("t.a[11] (11) and 3 more"), "{}", named(&all));
    }
}
