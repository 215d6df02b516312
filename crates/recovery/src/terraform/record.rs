//! `run.json`: what a run did so far, and what it made. The file is the only memory that outlives a killed `dr-cli`.
//!
//! It is written before each step that changes something (what is about to be created, then what was), so that at any moment everything that
//! exists because of the run is either in `created` or in `planned`. The rules about what is the run's own are here and in `judgement`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use archive::Digest;
use serde::{Deserialize, Serialize};

use super::state_json::Resource;
use crate::kubernetes::Installed;

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
    /// An apply was begun and nobody saw how it ended: what it made last may not stand in the state.
    #[serde(default)]
    pub apply_is_open: bool,
    /// Where the state is: `run folder`, or the type of the root's backend.
    pub state: String,
    pub plan_sha256: Option<Digest>,
    pub destroy_plan_sha256: Option<Digest>,
    pub provider_lock_sha256: Option<Digest>,
    /// Addresses that an apply of this run was to make.
    #[serde(default)]
    pub planned: BTreeSet<String>,
    /// The chart that it installed in the cluster that it made.
    #[serde(default)]
    pub installed: Option<Installed>,
    /// What it did make, by address.
    #[serde(default)]
    pub created: BTreeMap<String, Created>,
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
    /// is checked), so what stands at an address that was planned is what the apply made.
    pub fn adopt(&mut self, found: &[Resource]) -> Vec<Resource> {
        let mut foreign = Vec::new();
        for resource in found {
            if self.owner(&resource.address, resource.id.as_deref()) == Owner::ThisRun
                || self.planned.contains(&resource.address)
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

    /// What was to be made, or was, and is not among `found`: a Terraform that was killed may have made it all the same.
    pub fn not_in(&self, found: &[Resource]) -> Vec<String> {
        let present: BTreeSet<&str> = found.iter().map(|resource| resource.address.as_str()).collect();
        let all: BTreeSet<&String> = self.planned.iter().chain(self.created.keys()).collect();
        all.into_iter().filter(|address| !present.contains(address.as_str())).cloned().collect()
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
            state: "run folder".to_owned(),
            plan_sha256: None,
            destroy_plan_sha256: None,
            provider_lock_sha256: None,
            planned: BTreeSet::new(),
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
        let found = [resource("t.a", "1"), resource("t.b", ""), resource("t.other", "9")];
        assert_eq!(run.adopt(&found), [resource("t.other", "9")]);
        assert_eq!(run.created.keys().collect::<Vec<_>>(), ["t.a", "t.b"]);
        assert_eq!(run.not_in(&found), ["t.c"]);
        assert_eq!(run.foreign(&found), [resource("t.other", "9")]);
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
