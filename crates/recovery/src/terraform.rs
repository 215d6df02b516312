//! A place for a restore that Terraform makes: planned, applied, recorded, and destroyed again.
//!
//! ```text
//! begin (init, the state must be empty) → plan (shown, digested) → apply exactly that plan → contract → … → destroy
//! ```
//!
//! Every run has a folder of its own with its record ([`RunRecord`]), written before each step, so that whatever ends `dr-cli` (a failure, Ctrl-C,
//! kill -9) leaves enough to go on or to clean up. What may be destroyed is decided by pure functions of the record and of Terraform's JSON: only
//! what the run itself created. The files are the story: `contract` what the root tells, `record` and `judgement` what is ours, `diagnosis` what
//! Terraform's errors mean, `secrets` what must not be shown, `program` and `run_folder` touch the machine, `run` puts them together.

pub(crate) mod contract;
mod destination;
mod diagnosis;
mod judgement;
mod plan_json;
mod program;
mod record;
mod run;
mod run_folder;
mod secrets;
mod state_json;

#[cfg(test)]
pub use contract::samples;
pub use contract::{Cluster, ClusterAuth, Contract};
pub use program::find_terraform;
pub use record::{Created, RunPhase, RunRecord};
pub use run::{Remaining, RunOptions, RunSummary, TerraformRun};
pub use run_folder::default_parent;
pub use secrets::looks_secret;
