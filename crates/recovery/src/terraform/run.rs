//! One run from its folder to the end of what it made: what is done, in which order, and what is written down before.

mod begin;
mod commands;
mod destroy;
mod leftovers;
mod words;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use archive::Digest;
use archive::drill::Phase;
use serde::Serialize;
use serde_json::Value;

use words::without_state_warning;

use super::contract::{self, Contract};
use super::destination::wait_until_ready;
use super::diagnosis::{Step, ended_in_order};
use super::judgement::objections_to_apply;
use super::plan_json::{Announced, PlannedChanges};
use super::program::{Ended, Program, unreadable};
use super::record::{Asked, RunPhase, RunRecord};
use super::run_folder::{Arguments, RunFolder};
use super::state_json::Resource;
use crate::drill::stopwatch::Stopwatch;
use crate::failure::{Failure, FailureKind, Result};
use crate::interrupt::{Held, Interrupt};
use crate::kubernetes::{Installed, Recovery, Tools};
use crate::progress::{Progress, Unit};

/// The state of a root without a backend, in the folder of the run.
const OWN_STATE: &str = "run folder";
const STATE_FILE: &str = "terraform.tfstate";
const PLAN: &str = "apply.tfplan";
const DESTROY_PLAN: &str = "destroy.tfplan";
const APPLY_LOG: &str = "apply.log";
/// Stands for the run's suffix in values of `--var` and `--backend-config`.
const SUFFIX: &str = "{suffix}";

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
    /// What may be there although the state does not tell: addresses, and volumes that were left to whoever looks for them.
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
    /// What the plan that was shown takes out, and puts nothing in its place.
    removes: BTreeSet<String>,
    /// Volumes of the release are not looked for: somebody does that by hand.
    leaves_volumes: bool,
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
        if planned.is_without_set {
            return Err(contract::without_chart(&self.record.root));
        }
        self.removes = planned.deletes().map(str::to_owned).collect();
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
        // One that is gone on with may hold what was restored already.
        self.record.phase = self.record.phase.max(RunPhase::Applying);
        self.record.begin_apply(&self.present);
        if !self.record.lost.is_empty() {
            let lost = self.record.lost.iter().cloned().collect::<Vec<_>>().join(", ");
            self.progress
                .note(&format!("an earlier apply may have made what the state does not hold; it stays listed: {lost}"));
        }
        self.record.apply_log_start = self.apply_log_length();
        self.folder.save(&self.record)?;
        self.is_outdated = true;
        self.progress.phase("terraform apply", None, Unit::Items);
        let watch = Stopwatch::start("terraform apply");
        let applied = self.execute(PLAN, APPLY_LOG).await;
        let is_complete = applied.as_ref().is_ok_and(|ended| ended.status.success());
        let said = self.apply_said();
        self.record.apply_is_complete = is_complete;
        self.note_end(&said, is_complete || (applied.as_ref().map_or(true, Ended::is_by_terraform) && is_over(&said)));
        if is_complete {
            self.record.forget(&self.removes);
        }
        let kept = self.keep_unsaved_state(&said);
        let looked = self.look().await.and_then(|()| self.adopt()).and(kept);
        let done = applied.and_then(|ended| self.judge(Step::Apply, &ended)).and(looked);
        self.phases.push(watch.stop(done.as_ref().err()));
        done?;
        self.record.phase = self.record.phase.max(RunPhase::Applied);
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

    /// What the Job is to restore: as it was asked for first. By the time of a run that is gone on with, `latest` is another moment, and the
    /// Job that is at work would be replaced by one that is refused.
    ///
    /// # Errors
    /// Another target than before.
    pub fn settle(&mut self, requested: &str, recovery: Recovery) -> Result<Recovery> {
        match &self.record.asked {
            Some(asked) if asked.requested == requested => {
                if asked.recovery != recovery {
                    let first = &asked.recovery;
                    self.progress
                        .note(&format!("goes on as it was begun: to {}, snapshot {}", first.to, first.snapshot));
                }
                Ok(asked.recovery.clone())
            }
            Some(asked) => Err(Failure::new(FailureKind::Unsafe, "the run restores another moment")
                .at(self.folder.path().display().to_string())
                .because(format!("it was begun with --to {} ({})", asked.requested, asked.recovery.to))
                .then(format!("--to {}, or without --resume into a place of its own", asked.requested))),
            None => {
                self.record.asked = Some(Asked { requested: requested.to_owned(), recovery: recovery.clone() });
                self.folder.save(&self.record)?;
                Ok(recovery)
            }
        }
    }

    /// The cluster is gone, and its volumes are looked for by hand: they stay listed.
    pub fn leave_volumes(&mut self) {
        self.leaves_volumes = true;
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

    fn root(&self) -> String {
        self.record.root.display().to_string()
    }
}

/// Nothing said is nothing begun.
fn is_over(said: &str) -> bool {
    said.trim().is_empty() || ended_in_order(said)
}

impl Drop for TerraformRun {
    fn drop(&mut self) {
        if self.record.phase < RunPhase::Applying {
            self.folder.remove();
        }
    }
}

fn digest_of(path: &Path) -> Result<Digest> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::new(FailureKind::Unexpected, format!("the plan file cannot be read: {error}"))
            .at(path.display().to_string())
    })?;
    Ok(Digest::of(&bytes))
}
