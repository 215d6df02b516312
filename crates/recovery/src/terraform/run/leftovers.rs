//! What is there because of a run, for errors and reports, and the command that removes it.

use archive::drill::Phase;

use super::words::{clean_up_command, line_of, named, quoted};
use super::{Remaining, RunSummary, TerraformRun};
use crate::failure::Failure;
use crate::terraform::diagnosis::UNSAVED;
use crate::terraform::record::RunPhase;
use crate::terraform::state_json::Resource;

impl TerraformRun {
    /// A failure with what exists because of the run, and the command that removes it.
    pub fn explain(&self, mut failure: Failure) -> Failure {
        if !self.has_something() {
            return failure;
        }
        let mut left = Vec::new();
        let own = self.own();
        if !own.is_empty() {
            left.push(format!("of what this run made there is still {}", named(&own)));
        }
        let may_exist = self.may_exist();
        if !may_exist.is_empty() {
            left.push(format!(
                "these may exist although Terraform does not tell (their names hold {}): {}",
                self.record.suffix,
                may_exist.join(", ")
            ));
        }
        if self.folder.file(UNSAVED).is_file() {
            left.push(format!(
                "the state could not be written to where it is kept: it is in {}, and cleaning up brings it there",
                self.folder.file(UNSAVED).display()
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

    pub(super) fn has_something(&self) -> bool {
        (RunPhase::Applying..RunPhase::Destroyed).contains(&self.record.phase)
            && !(self.own().is_empty() && self.may_exist().is_empty())
    }

    /// Of what the state held at the last look, what is this run's.
    pub(super) fn own(&self) -> Vec<Resource> {
        self.record.own(&self.present)
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
            remains: self.own().iter().map(remaining).collect(),
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
        let own = self.own();
        let unseen = self.may_exist();
        let lines = own.iter().map(line_of);
        lines.chain(unseen.into_iter().map(|address| format!("{address} (perhaps)"))).collect()
    }

    /// What may be there although the state does not tell. Without a look at the state it is all that was planned.
    pub(super) fn may_exist(&self) -> Vec<String> {
        let mut unseen = self.record.unaccounted((!self.is_outdated).then_some(&self.present));
        // As long as there is a cluster, its end takes its volumes along.
        if let Some(installed) = self.record.installed.as_ref().filter(|_| self.leaves_volumes && self.own().is_empty())
        {
            unseen.push(format!("volumes of release {} in namespace {}", installed.release, installed.namespace));
        }
        unseen
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
}
