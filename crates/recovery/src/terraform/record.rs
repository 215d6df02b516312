//! `run.json`: what a run did so far, and what it made. The file is the only memory that outlives a killed `dr-cli`.
//!
//! It is written before each step that changes something (what is about to be created, then what was), so that at any moment everything that
//! exists because of the run is either in `created` or in `planned`. The rules about what is the run's own are here and in `judgement`.
//!
//! A state is believed in what it holds, and not in what it lacks: Terraform may have been killed, or the place of the state out of reach, when it
//! was to be written. What a state lacks is gone only when a destroy of the run took it out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use archive::Digest;
use serde::{Deserialize, Serialize};

use super::state_json::Resource;
use crate::kubernetes::{Installed, Recovery};

pub const SCHEMA: u32 = 1;

/// How far a run came. The order is that of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunPhase {
    /// Nothing exists because of it.
    Begun,
    Planned,
    /// Terraform was started and may have made anything that was planned.
    Applying,
    Applied,
    /// A restore writes, or wrote, into the place.
    Restoring,
    Restored,
    Destroying,
    /// Nothing of it is left.
    Destroyed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    #[serde(rename = "type")]
    pub kind: String,
    /// The provider's own name for it, where it has one.
    pub id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    pub schema: u32,
    pub run: String,
    /// What makes names of this run fresh.
    pub suffix: String,
    /// `drill` or `restore`.
    pub command: String,
    /// The root module.
    pub root: PathBuf,
    pub terraform_version: String,
    /// RFC 3339.
    pub started_at: String,
    pub phase: RunPhase,
    /// The last apply did not end in order, or nobody has seen how: what it began to make may not stand in the state.
    #[serde(default)]
    pub apply_is_open: bool,
    /// What the last apply made has not been taken over from the state yet. A record that does not tell says so.
    #[serde(default = "unseen")]
    pub apply_is_unseen: bool,
    /// The last apply made all of its plan.
    #[serde(default)]
    pub apply_is_complete: bool,
    /// Where its words begin in `apply.log`, in bytes.
    #[serde(default)]
    pub apply_log_start: u64,
    /// Where the state is: `run folder`, or the type of the root's backend.
    pub state: String,
    pub plan_sha256: Option<Digest>,
    pub destroy_plan_sha256: Option<Digest>,
    pub provider_lock_sha256: Option<Digest>,
    /// Addresses that an apply of this run was to make.
    #[serde(default)]
    pub planned: BTreeSet<String>,
    /// Of those, what Terraform said that it began to make in the last apply.
    #[serde(default)]
    pub begun: BTreeSet<String>,
    /// What Terraform said that it took out in the last apply.
    #[serde(default)]
    pub taken_out: BTreeSet<String>,
    /// What an apply before that may have made and the state did not hold: a second one of the same address may stand there now.
    #[serde(default)]
    pub lost: BTreeSet<String>,
    /// Addresses that a destroy of this run was to remove: gone when the state has them no more.
    #[serde(default)]
    pub to_destroy: BTreeSet<String>,
    /// What the Job in a cluster was asked to restore.
    #[serde(default)]
    pub asked: Option<Asked>,
    /// The chart that it installed in the cluster that it made.
    #[serde(default)]
    pub installed: Option<Installed>,
    /// What it did make, by address.
    #[serde(default)]
    pub created: BTreeMap<String, Created>,
}

const fn unseen() -> bool {
    true
}

/// A restore in a cluster, as it was asked for first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The text of `--to`.
    pub requested: String,
    pub recovery: Recovery,
}

/// Whose a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    ThisRun,
    Somebody,
}

impl RunRecord {
    /// Whose the resource with this address and id is. An address that the run made stands for its own only as long as the id is the same: somebody may
    /// have put another thing there.
    pub fn owner(&self, address: &str, id: Option<&str>) -> Owner {
        match self.created.get(address) {
            Some(created) if created.id.is_none() || id.is_none() || created.id.as_deref() == id => Owner::ThisRun,
            _ => Owner::Somebody,
        }
    }

    /// Takes over what an apply of this run left in the state, and gives what is somebody else's. The state was empty before the first apply (that
    /// is checked). What stands at an address that was planned is what the apply made if it made all of the plan; of any other apply it is what it said
    /// that it began: one that was refused (the plan is stale, the state is locked) has made nothing, and what stands there is what somebody made with
    /// the same root.
    pub fn adopt(&mut self, found: &[Resource]) -> Vec<Resource> {
        self.apply_is_unseen = false;
        // A state that still holds it was not written.
        let is_gone = |address: &String| {
            self.taken_out.contains(address) && !found.iter().any(|resource| resource.address == *address)
        };
        self.created.retain(|address, _| !is_gone(address));
        let mut foreign = Vec::new();
        for resource in found {
            let made = if self.apply_is_complete { &self.planned } else { &self.begun };
            if self.owner(&resource.address, resource.id.as_deref()) == Owner::ThisRun
                || made.contains(&resource.address)
            {
                let created = Created { kind: resource.kind.clone(), id: resource.id.clone() };
                self.created.insert(resource.address.clone(), created);
            } else {
                foreign.push(resource.clone());
            }
        }
        foreign
    }

    /// Of `found`, what is not this run's.
    pub fn foreign(&self, found: &[Resource]) -> Vec<Resource> {
        let is_foreign = |one: &&Resource| self.owner(&one.address, one.id.as_deref()) == Owner::Somebody;
        found.iter().filter(is_foreign).cloned().collect()
    }

    /// Of `found`, what is this run's.
    pub fn own(&self, found: &[Resource]) -> Vec<Resource> {
        let is_own = |one: &&Resource| self.owner(&one.address, one.id.as_deref()) == Owner::ThisRun;
        found.iter().filter(is_own).cloned().collect()
    }

    /// What may be there although the state, which holds `found`, does not tell: what was made and was not destroyed by this run, and what an apply
    /// that did not end in order had begun. Without a look at the state (`None`) it is all that was planned.
    pub fn unaccounted(&self, found: Option<&[Resource]>) -> Vec<String> {
        let present: BTreeSet<&str> = found.into_iter().flatten().map(|resource| resource.address.as_str()).collect();
        let begun = match found {
            None => Some(&self.planned),
            Some(_) => self.apply_is_open.then_some(&self.begun),
        };
        let all: BTreeSet<&String> = begun.into_iter().flatten().chain(self.created.keys()).collect();
        let is_gone = |address: &String| self.to_destroy.contains(address) && found.is_some();
        let is_there = |address: &String| present.contains(address.as_str());
        let unseen = all.into_iter().filter(|&address| !is_there(address) && !is_gone(address));
        unseen.chain(&self.lost).cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Another apply begins, while the state holds `found`. What it lacks is not known by its address any more once this one has made another there.
    pub fn begin_apply(&mut self, found: &[Resource]) {
        self.lost.extend(self.unaccounted(Some(found)));
        self.begun.clear();
        self.taken_out.clear();
        (self.apply_is_open, self.apply_is_unseen, self.apply_is_complete) = (true, true, false);
    }

    /// What an apply of the run's own took out again.
    pub fn forget(&mut self, removed: &BTreeSet<String>) {
        self.created.retain(|address, _| !removed.contains(address));
        self.planned.retain(|address| !removed.contains(address));
    }

    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// A record of a newer release is refused: its rules about what may be destroyed may be others.
    pub fn of_json(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Versioned {
            schema: u32,
        }
        let Versioned { schema } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if schema != SCHEMA {
            return Err(format!("it has schema {schema}; this dr-cli knows {SCHEMA}"));
        }
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
pub mod samples {
    use super::*;

    pub fn record(phase: RunPhase) -> RunRecord {
        RunRecord {
            schema: SCHEMA,
            run: "20260102T030405Z-a1b2c3".to_owned(),
            suffix: "a1b2c3".to_owned(),
            command: "drill".to_owned(),
            root: PathBuf::from("/roots/local"),
            terraform_version: "1.11.4".to_owned(),
            started_at: "2026-01-02T03:04:05.000Z".to_owned(),
            phase,
            apply_is_open: false,
            apply_is_unseen: false,
            apply_is_complete: false,
            apply_log_start: 0,
            state: "run folder".to_owned(),
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
        }
    }

    pub fn resource(address: &str, id: &str) -> Resource {
        let id = (!id.is_empty()).then(|| id.to_owned());
        Resource { address: address.to_owned(), kind: "t".to_owned(), id }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{record, resource};
    use super::*;

    #[test]
    fn what_was_planned_and_stands_in_the_state_is_the_runs_own_and_nothing_else_is() {
        let mut run = record(RunPhase::Applying);
        run.planned = ["t.a", "t.b", "t.c"].map(str::to_owned).into();
        run.apply_is_complete = true;
        let found = [resource("t.a", "1"), resource("t.b", ""), resource("t.other", "9")];
        assert_eq!(run.adopt(&found), [resource("t.other", "9")]);
        assert_eq!(run.created.keys().collect::<Vec<_>>(), ["t.a", "t.b"]);
        assert_eq!(run.foreign(&found), [resource("t.other", "9")]);
        assert_eq!(run.own(&found), found[..2]);
    }

    #[test]
    fn an_apply_that_was_refused_has_made_nothing_of_what_stands_at_its_addresses() {
        let mut run = record(RunPhase::Applying);
        run.planned = ["t.a", "t.b"].map(str::to_owned).into();
        let theirs = [resource("t.a", "1"), resource("t.b", "2")];
        assert_eq!(run.adopt(&theirs), theirs);
        assert!(run.created.is_empty() && run.own(&theirs).is_empty());
        run.begun = ["t.a".to_owned()].into();
        assert_eq!(run.adopt(&theirs), theirs[1..]);
        assert_eq!(run.own(&theirs), theirs[..1]);
    }

    #[test]
    fn a_state_that_lacks_what_was_made_is_not_believed() {
        let mut run = record(RunPhase::Applied);
        run.planned = ["t.a", "t.b", "t.c", "t.d"].map(str::to_owned).into();
        run.begun = ["t.a", "t.b", "t.c"].map(str::to_owned).into();
        let found = [resource("t.a", "1"), resource("t.b", "2")];
        run.adopt(&found);
        assert!(run.unaccounted(Some(&found)).is_empty(), "what was not begun was not made");
        assert_eq!(run.unaccounted(None), ["t.a", "t.b", "t.c", "t.d"]);
        run.apply_is_open = true;
        assert_eq!(run.unaccounted(Some(&found)), ["t.c"]);
        assert_eq!(run.unaccounted(Some(&[])), ["t.a", "t.b", "t.c"], "the state was lost, or is another one");
        // A destroy took out what it had to, and no more.
        run.to_destroy = ["t.a".to_owned()].into();
        assert_eq!(run.unaccounted(Some(&found)), ["t.c"]);
        assert_eq!(run.unaccounted(Some(&found[1..])), ["t.c"]);
        assert_eq!(run.unaccounted(Some(&[])), ["t.b", "t.c"], "nobody destroyed t.b");
        run.apply_is_open = false;
        assert_eq!(run.unaccounted(Some(&[])), ["t.b"]);
        run.forget(&["t.b".to_owned()].into());
        assert!(run.unaccounted(Some(&[])).is_empty(), "an apply of ours took it out again");
    }

    #[test]
    fn what_a_killed_apply_had_begun_is_listed_also_when_the_next_one_made_another_there() {
        let mut run = record(RunPhase::Applying);
        run.planned = ["t.a", "t.b"].map(str::to_owned).into();
        run.begin_apply(&[]);
        run.begun = ["t.a", "t.b"].map(str::to_owned).into();
        let seen = [resource("t.a", "1")];
        assert!(run.adopt(&seen).is_empty() && !run.apply_is_unseen);
        run.begin_apply(&seen);
        assert_eq!((run.apply_is_open, run.apply_is_unseen, run.apply_is_complete), (true, true, false));
        assert!(run.begun.is_empty(), "it has begun nothing yet: what stands there is not its own");
        (run.apply_is_open, run.apply_is_complete) = (false, true);
        let both = [resource("t.a", "1"), resource("t.b", "2")];
        assert!(run.adopt(&both).is_empty());
        assert_eq!(run.unaccounted(Some(&both)), ["t.b"], "the first of the two");
        run.to_destroy = ["t.a", "t.b"].map(str::to_owned).into();
        assert_eq!(run.unaccounted(Some(&[])), ["t.b"]);
    }

    #[test]
    fn what_an_apply_took_out_to_make_another_one_is_not_missed_when_that_failed() {
        let mut run = record(RunPhase::Applying);
        run.planned = ["t.a".to_owned()].into();
        run.begin_apply(&[]);
        run.begun = ["t.a".to_owned()].into();
        run.adopt(&[resource("t.a", "1")]);
        run.begin_apply(&[resource("t.a", "1")]);
        (run.taken_out, run.apply_is_open) = (["t.a".to_owned()].into(), false);
        let mut unwritten = run.clone();
        unwritten.adopt(&[resource("t.a", "1")]);
        assert_eq!(unwritten.created.len(), 1, "the state could not be written");
        run.adopt(&[]);
        assert!(run.created.is_empty() && run.unaccounted(Some(&[])).is_empty());
        run.begin_apply(&[]);
        assert!(run.lost.is_empty());
    }

    #[test]
    fn another_thing_at_the_same_address_is_not_the_runs_own() {
        let mut run = record(RunPhase::Applied);
        run.created.insert("t.a".to_owned(), Created { kind: "t".to_owned(), id: Some("1".to_owned()) });
        assert_eq!(run.owner("t.a", Some("1")), Owner::ThisRun);
        assert_eq!(run.owner("t.a", None), Owner::ThisRun);
        assert_eq!(run.owner("t.a", Some("2")), Owner::Somebody);
        assert_eq!(run.owner("t.b", None), Owner::Somebody);
        assert_eq!(run.adopt(&[resource("t.a", "2")]), [resource("t.a", "2")]);
        assert_eq!(run.created["t.a"].id.as_deref(), Some("1"), "what is recorded stays");
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_a_newer_one_is_refused() {
        let mut run = record(RunPhase::Applied);
        run.adopt(&[]);
        run.created.insert("t.a".to_owned(), Created { kind: "t".to_owned(), id: None });
        run.plan_sha256 = Some(Digest::of(b"plan"));
        assert_eq!(RunRecord::of_json(&run.to_json()), Ok(run.clone()));
        run.schema = 2;
        assert!(RunRecord::of_json(&run.to_json()).unwrap_err().contains("schema 2"));
        assert!(RunRecord::of_json(b"{}").is_err() && RunRecord::of_json(b"").is_err());
    }

    #[test]
    fn phases_are_in_the_order_of_the_steps() {
        use RunPhase::{Applied, Applying, Begun, Destroyed, Destroying, Planned, Restored, Restoring};
        let steps = [Begun, Planned, Applying, Applied, Restoring, Restored, Destroying, Destroyed];
        assert!(steps.is_sorted());
    }
}
