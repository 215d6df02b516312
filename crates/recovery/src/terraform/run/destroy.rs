//! The end of a run: what it made is destroyed, and nothing else.

use std::sync::Arc;

use super::words::{named, quoted};
use super::{DESTROY_PLAN, OWN_STATE, TerraformRun};
use crate::drill::stopwatch::Stopwatch;
use crate::failure::{Failure, FailureKind, Result};
use crate::kubernetes::Cluster;
use crate::progress::Unit;
use crate::terraform::diagnosis::Step;
use crate::terraform::judgement::objections_to_destroy;
use crate::terraform::record::RunPhase;

impl TerraformRun {
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

    pub(super) async fn judged_destroy(&mut self) -> Result<Option<String>> {
        self.look().await?;
        self.adopt_unseen()?;
        self.bring_unsaved_state().await?;
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
        // A state in the folder of the run goes with it, so that it has to be empty. Another one may be somebody else's by now.
        if self.own().is_empty() && (self.present.is_empty() || self.record.state != OWN_STATE) {
            return Ok(None);
        }
        let foreign = self.record.foreign(&self.present);
        if !foreign.is_empty() {
            return Err(refused(format!("the state holds {}", named(&foreign)), self));
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
        self.removes = planned.deletes().map(str::to_owned).collect();
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

    pub(super) async fn destroy_planned(&mut self) -> Result<()> {
        let something_is_there = !self.own().is_empty();
        if something_is_there {
            self.require_digest(DESTROY_PLAN, self.record.destroy_plan_sha256)?;
        }
        if something_is_there || self.record.installed.is_some() {
            self.held = Some(self.interrupt.hold());
            self.mark(RunPhase::Destroying)?;
        }
        if !self.leaves_volumes {
            self.uninstall().await?;
        }
        if something_is_there {
            self.record.to_destroy.append(&mut self.removes);
            self.folder.save(&self.record)?;
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
        self.interrupt.set_parting(None);
        self.held = None;
        // What somebody has to look for stays in the record, with all that helps to find it.
        if self.record.phase >= RunPhase::Applying && !self.may_exist().is_empty() {
            return self.mark(RunPhase::Destroying);
        }
        self.mark(RunPhase::Destroyed)?;
        self.folder.leave_record()
    }

    /// What the cluster made on its own behalf goes with the release, and only as long as there is a cluster.
    pub(super) async fn uninstall(&mut self) -> Result<()> {
        let Some(mut installed) = self.record.installed.clone() else { return Ok(()) };
        // It came as far as the namespace: what is there now is somebody else's.
        if installed.namespace_uid.is_none() {
            return self.note_installed(None);
        }
        self.progress.note(&format!("release {} is removed from namespace {}", installed.release, installed.namespace));
        let (tools, progress) = (self.tools.clone(), Arc::clone(&self.progress));
        let cluster = Cluster::again(installed.clone(), tools, progress, self.interrupt.clone());
        let removed = match cluster.volumes_of_release().await {
            Ok(volumes) => {
                // Written down: when the claims are gone, nothing else tells whose volumes they were.
                installed.volumes.extend(volumes);
                self.note_installed(Some(installed.clone()))?;
                cluster.uninstall(&installed.volumes).await
            }
            Err(failure) => Err(failure),
        };
        if let Err(failure) = removed {
            return Err(Failure {
                what: format!("the release and its volumes could not be removed: {}", failure.what),
                next: format!(
                    "{}; when the cluster is gone for good, with --leave-volumes, and look for its volumes in the cloud",
                    self.clean_up_command()
                ),
                ..failure
            });
        }
        self.note_installed(None)
    }
}
