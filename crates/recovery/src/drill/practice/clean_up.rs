//! What a drill takes away again, and what it has to leave.

use std::sync::Arc;

use archive::Namespace;
use archive::drill::{CleanUp, Outcome, Phase};
use archive::reference::ListedName;
use replset::destination::PROGRESS;
use replset::{Destination, ErrorKind, snapshot_read};

use super::Practice;
use crate::drill::Place;
use crate::drill::stopwatch::Stopwatch;
use crate::failure::{Failure, FailureKind, Result};
use crate::terraform::TerraformRun;

impl Practice {
    /// Removes what was made for the drill; an error when that was cut short by somebody.
    pub async fn clean_up(&mut self, failure: Option<&Failure>) -> Result<()> {
        let destination = self.destination.take();
        if let Place::Made { run, keep, .. } = &self.options.place {
            drop(destination);
            let (run, keep) = (Arc::clone(run), *keep);
            return self.destroy(&mut *run.lock().await, keep, failure).await;
        }
        let watch = Stopwatch::start("clean up");
        self.report.clean_up = match (&self.options.place, self.server.take()) {
            (Place::Throwaway { .. } | Place::Made { .. }, Some(server)) => {
                drop(destination);
                let leftovers = server.remove();
                let outcome = if leftovers.is_empty() { Outcome::Passed } else { Outcome::Failed };
                CleanUp { outcome: Some(outcome), leftovers, cost: None }
            }
            (Place::Throwaway { .. } | Place::Made { .. }, None) => CleanUp::default(),
            (Place::Given { drop_after: true, .. }, _) => match &destination {
                Some(destination) => {
                    let dropped = drop_restored(destination, self.has_access).await;
                    dropped.unwrap_or_else(|failure| CleanUp {
                        outcome: Some(Outcome::Failed),
                        leftovers: vec![failure.what],
                        cost: None,
                    })
                }
                // It did not get so far that all of it is the restore's own.
                None => CleanUp {
                    outcome: Some(Outcome::Failed),
                    leftovers: vec!["what the restore had written before it ended".to_owned()],
                    cost: None,
                },
            },
            (Place::Given { .. }, _) if self.options.is_part => {
                CleanUp { outcome: Some(Outcome::Skipped), ..CleanUp::default() }
            }
            (Place::Given { drop_after: false, .. }, _) => {
                self.event("the restored data stays in the destination that was given".to_owned());
                CleanUp { outcome: Some(Outcome::Skipped), ..CleanUp::default() }
            }
        };
        self.report.phases.push(watch.stop(None));
        Ok(())
    }

    /// Whatever ends a drill, what Terraform made is destroyed, unless it is to be kept or somebody wants to stop now: then it is listed.
    async fn destroy(&mut self, run: &mut TerraformRun, keep: bool, failure: Option<&Failure>) -> Result<()> {
        let is_cancelled = failure.is_some_and(|failure| failure.kind == FailureKind::Cancelled);
        let destroyed = if keep || is_cancelled {
            Ok(())
        } else {
            self.event("what Terraform made is destroyed".to_owned());
            match run.plan_destroy().await {
                Ok(_) => run.destroy().await,
                Err(failure) => Err(failure),
            }
        };
        let phases = run.take_phases().into_iter().map(|phase| Phase { failure: None, ..phase });
        self.report.phases.extend(phases);
        self.report.tools.terraform = Some(run.facts());
        let mut leftovers = run.leftovers();
        if let Err(failure) = &destroyed {
            leftovers.push(failure.what.clone());
        }
        let is_kept = keep && !leftovers.is_empty();
        if !leftovers.is_empty() {
            let advice = format!("to remove what is there: {}", run.clean_up_command());
            self.progress.note(&advice);
            self.event(advice);
        }
        let outcome = match (is_kept, leftovers.is_empty()) {
            // As it was wanted: no finding.
            (true, _) => {
                self.event(format!("kept: {}", std::mem::take(&mut leftovers).join(", ")));
                Outcome::Skipped
            }
            (false, true) => Outcome::Passed,
            (false, false) => Outcome::Failed,
        };
        self.report.clean_up = CleanUp { outcome: Some(outcome), leftovers, cost: None };
        match destroyed {
            Err(failure) if failure.kind == FailureKind::Cancelled => Err(failure),
            // That something is left is a finding, and what was proven stays proven.
            _ => Ok(()),
        }
    }
}

/// Drops everything that stands in the destination: the restore has refused it unless it was empty. Users and roles stay, because
/// some of them may be the destination's own.
async fn drop_restored(destination: &Destination, has_access: bool) -> Result<CleanUp> {
    let (names, _) = snapshot_read::list_names(destination.connection(), None).await?;
    let is_system = |listed: &ListedName| listed.namespace.coll.starts_with("system.");
    let mut databases: Vec<&str> = names.iter().map(|listed| listed.namespace.db.as_str()).collect();
    databases.dedup();
    for database in databases.into_iter().filter(|database| *database != "admin") {
        match destination.drop_database(database).await {
            // The documented roles of a restore allow it for collections only.
            Err(error) if matches!(error.kind(), ErrorKind::MissingPrivilege(_)) => {
                let own = names.iter().filter(|listed| listed.namespace.db == database && !is_system(listed));
                for listed in own {
                    destination.drop_collection(&listed.namespace).await?;
                }
            }
            dropped => dropped?,
        }
    }
    for listed in names.iter().filter(|listed| listed.namespace.db == "admin" && !is_system(listed)) {
        destination.drop_collection(&listed.namespace).await?;
    }
    destination.drop_collection(&Namespace::new(PROGRESS.0, PROGRESS.1)).await?;
    destination.majority_barrier().await?;
    // The barrier writes there.
    destination.drop_collection(&Namespace::new(PROGRESS.0, PROGRESS.1)).await?;
    let mut left: Vec<String> =
        destination.list_existing().await?.into_iter().map(|namespace| namespace.to_string()).collect();
    if has_access {
        left.push("restored users and roles".to_owned());
    }
    let outcome = if left.is_empty() { Outcome::Passed } else { Outcome::Failed };
    Ok(CleanUp { outcome: Some(outcome), leftovers: left, cost: None })
}
