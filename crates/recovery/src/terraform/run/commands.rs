//! Terraform as a run calls it: with its own state, variables and logs, and what it knows afterwards.

use std::ffi::OsString;
use std::time::Duration;

use archive::Digest;

use super::words::named;
use super::{APPLY_LOG, DESTROY_PLAN, OWN_STATE, PLAN, STATE_FILE, TerraformRun, digest_of};
use crate::failure::{Failure, FailureKind, Result};
use crate::terraform::diagnosis::{self, Step, UNSAVED, ended_in_order};
use crate::terraform::program::{Ended, still_running, unreadable};
use crate::terraform::state_json::resources;

impl TerraformRun {
    pub(super) async fn execute(&self, plan: &str, log: &str) -> Result<Ended> {
        let mut arguments: Vec<OsString> = ["apply", "-no-color"].map(OsString::from).to_vec();
        arguments.extend(self.state_argument());
        arguments.push(self.folder.file(plan).into_os_string());
        self.program.run(arguments, &self.folder.file(log), true).await
    }

    pub(super) fn judge(&self, step: Step, ended: &Ended) -> Result<()> {
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
    pub(super) async fn look(&mut self) -> Result<()> {
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
    pub(super) fn adopt(&mut self) -> Result<()> {
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
    pub(super) async fn wait_for_orphan(&self) -> Result<()> {
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

    pub(super) fn apply_log_length(&self) -> u64 {
        std::fs::metadata(self.folder.file(APPLY_LOG)).map_or(0, |log| log.len())
    }

    /// What the last apply said.
    pub(super) fn apply_said(&self) -> String {
        let log = std::fs::read(self.folder.file(APPLY_LOG)).unwrap_or_default();
        let start = usize::try_from(self.record.apply_log_start).unwrap_or(usize::MAX);
        String::from_utf8_lossy(log.get(start..).unwrap_or_default()).into_owned()
    }

    /// Writes down what the last apply has begun, and whether the state holds all of it.
    pub(super) fn note_end(&mut self, said: &str, is_in_order: bool) {
        self.record.begun.extend(diagnosis::begun(said));
        self.record.taken_out.extend(diagnosis::taken_out(said));
        self.record.apply_is_open = !is_in_order;
    }

    /// Takes over what an apply made that nobody looked at after it ended, because the state could not be read then, or `dr-cli` was killed.
    pub(super) fn adopt_unseen(&mut self) -> Result<()> {
        if !self.record.apply_is_unseen {
            return Ok(());
        }
        let said = self.apply_said();
        self.note_end(&said, self.record.apply_is_complete || ended_in_order(&said));
        self.keep_unsaved_state(&said)?;
        self.adopt()
    }

    /// A state that Terraform could not write to where it is kept lies in the root, where the next run would overwrite it.
    pub(super) fn keep_unsaved_state(&self, said: &str) -> Result<()> {
        let left = self.record.root.join(UNSAVED);
        if said.contains(UNSAVED) && left.is_file() { self.folder.take_in(&left, UNSAVED) } else { Ok(()) }
    }

    /// Brings a state that could not be written to where it is kept. The backend refuses one that is not newer than what it has.
    pub(super) async fn bring_unsaved_state(&mut self) -> Result<()> {
        let kept = self.folder.file(UNSAVED);
        if !kept.is_file() {
            return Ok(());
        }
        self.progress.note("the state that could not be written is brought to where it is kept");
        if self.record.state == OWN_STATE {
            self.folder.take_in(&kept, STATE_FILE)?;
        } else {
            let arguments = [OsString::from("state"), OsString::from("push"), kept.clone().into_os_string()];
            let ended = self.program.run(arguments, &self.folder.file("push.log"), false).await?;
            self.judge(Step::Push, &ended)?;
            std::fs::remove_file(&kept).ok();
        }
        self.look().await?;
        self.adopt()?;
        // It holds all that the apply made.
        self.record.apply_is_open = false;
        self.folder.save(&self.record)
    }

    pub(super) fn state_argument(&self) -> Option<OsString> {
        (self.record.state == OWN_STATE).then(|| {
            let mut argument = OsString::from("-state=");
            argument.push(self.folder.file(STATE_FILE));
            argument
        })
    }

    pub(super) fn variables(&self) -> Vec<OsString> {
        let files = self.arguments.variable_files.iter().map(|file| {
            let mut argument = OsString::from("-var-file=");
            argument.push(file);
            argument
        });
        let variables = self.arguments.variables.iter().flat_map(|one| [OsString::from("-var"), OsString::from(one)]);
        files.chain(variables).collect()
    }

    /// The file that is applied is the one that was shown.
    pub(super) fn require_digest(&self, name: &str, expected: Option<Digest>) -> Result<()> {
        let path = self.folder.file(name);
        if expected == Some(digest_of(&path)?) {
            return Ok(());
        }
        Err(Failure::new(FailureKind::Unsafe, "the plan file is not the one that was shown")
            .at(path.display().to_string())
            .because("somebody changed it since")
            .then("the same command again; nothing was changed"))
    }

    pub(super) fn say_how_to_clean_up(&self) {
        self.interrupt.set_parting(Some(
            Failure::new(FailureKind::Cancelled, "ended at once; Terraform may still be at work")
                .at(self.folder.path().display().to_string())
                .because("it was asked to stop twice; what this run made is recorded in its folder")
                .then(format!("to remove what is there: {}", self.clean_up_command())),
        ));
    }
}
