//! A practice restore, with proof: restores to a moment, compares with what the server itself showed then, and reports.
//!
//! provision (when no destination is given) → restore → compare → validate → queries → negative control → key check → clean up
//! → report. The verdict is decided in `archive::drill`; here the facts are gathered. Whatever goes wrong on the way is part of
//! the report, and what was made for the drill is gone afterwards, however it ends.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use archive::drill::{DrillReport, Evidence, SelectionRule, Trigger};
use archive::plan::RestorePlan;
use tokio::sync::Mutex;

use crate::archive_reader::ArchiveReader;
use crate::failure::{Failure, FailureKind, Result};
use crate::kubernetes::ChartToInstall;
use crate::progress::Progress;
use crate::terraform::TerraformRun;

mod compare;
mod control;
mod expectation;
mod facts;
mod in_cluster;
mod keys;
mod overlay;
mod practice;
mod publish;
pub mod queries;
pub(crate) mod stopwatch;
mod surroundings;
mod throwaway;
mod validate;

use practice::Practice;
pub use publish::{Documents, publish};
use queries::Query;
pub use throwaway::{Leftover, find_mongod, leftovers};

/// Where it is restored to.
#[derive(Debug, Clone)]
pub enum Place {
    /// A fresh replica set of somebody. Nothing is dropped there unless he says so.
    Given { uri: String, drop_after: bool },
    /// A `mongod` that is started in a folder below `parent` and removed afterwards.
    Throwaway { mongod: PathBuf, parent: PathBuf },
    /// What a planned run of Terraform makes, and destroys unless it is to be kept. `patience`: how long to wait until it answers.
    /// `chart`: for a cluster, where the drill is done by a Job of the chart.
    Made { run: Arc<Mutex<TerraformRun>>, keep: bool, patience: Duration, chart: ChartToInstall },
}

#[derive(Debug, Clone)]
pub struct DrillOptions {
    pub place: Place,
    pub rule: SelectionRule,
    /// The target as it was typed.
    pub requested: String,
    /// Draws the objects and bits of the negative control.
    pub seed: u64,
    pub queries: Vec<Query>,
    /// What they were read from, for whoever asks them elsewhere.
    pub queries_text: Option<String>,
    /// It is done for another drill, which reports: the given destination is thrown away by that one.
    pub is_part: bool,
    pub connections: usize,
    pub recovery_point_objective_seconds: Option<u64>,
    pub recovery_time_objective_seconds: Option<u64>,
    pub scenario: String,
    pub trigger: Trigger,
    pub operator: String,
    pub approver: String,
    /// Files that the drill was given.
    pub evidence: Vec<Evidence>,
}

/// How it went.
#[derive(Debug)]
pub struct Drilled {
    /// Judged.
    pub report: DrillReport,
    /// Why it did not come to its end; the report says it too.
    pub failure: Option<Failure>,
}

/// Drills `plan`. An error when nothing was begun; any later failure is in the report.
pub async fn drill(
    reader: &ArchiveReader,
    plan: RestorePlan,
    options: DrillOptions,
    progress: Arc<dyn Progress>,
) -> Result<Drilled> {
    let mut practice = Practice::begin(reader, plan, options, progress).await?;
    let mut ended = practice.run().await;
    let cleaned = practice.clean_up(ended.as_ref().err()).await;
    ended = ended.and(cleaned);
    if let Some(protection) = practice.protection.take() {
        protection.release().await;
    }
    match ended {
        Err(refusal) if refusal.kind.is_refusal() || refusal.kind == FailureKind::Cancelled => Err(refusal),
        ended => Ok(practice.finish(ended.err())),
    }
}
