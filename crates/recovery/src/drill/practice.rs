//! One drill from its declaration to its report: what is done, in which order, and what is written down about it.

mod clean_up;
mod prove;

use std::sync::Arc;
use std::time::Duration;

use archive::Digest;
use archive::coverage::Coverage;
use archive::drill::{Check, DrillKind, DrillReport, Evidence, Objective, Outcome, TimelineEvent, Tools};
use archive::layout::ObjectKey;
use archive::manifest::SnapshotManifest;
use archive::plan::RestorePlan;
use jiff::Timestamp;
use replset::Destination;
use store::ObjectStoreExt as _;

use super::facts::{drill_id, earlier_drill, is_proven, loss_seconds, own_digest, point};
use super::overlay::Overlay;
use super::stopwatch::{self, Stopwatch, now};
use super::throwaway::{ThrowawayServer, leftovers};
use super::{DrillOptions, Drilled, Place, in_cluster, surroundings};
use crate::archive_reader::ArchiveReader;
use crate::failure::{Failure, FailureKind, Result};
use crate::holds::{ProtectionGuard, protect};
use crate::kubernetes::carry_out;
use crate::progress::{Progress, Unit};
use crate::restore::{RestoreOptions, RestoreReport, predict_seconds, require_fresh, restore};
use crate::terraform::{Contract, RunPhase, TerraformRun};

const RECORD_LIMIT: usize = 16 * 1024 * 1024;
/// Earlier drills that a report shows.
const EARLIER: usize = 5;

/// Everything that a drill works with while it runs. Dropping it removes the throw-away server.
pub struct Practice {
    /// As the user named it.
    archive: ArchiveReader,
    /// The same through the drill's own view.
    reader: ArchiveReader,
    view: Overlay,
    plan: RestorePlan,
    manifest: SnapshotManifest,
    options: DrillOptions,
    progress: Arc<dyn Progress>,
    declared: Stopwatch,
    report: DrillReport,
    pub protection: Option<ProtectionGuard>,
    server: Option<ThrowawayServer>,
    destination: Option<Destination>,
    has_access: bool,
}

impl Practice {
    pub async fn begin(
        archive: &ArchiveReader,
        plan: RestorePlan,
        options: DrillOptions,
        progress: Arc<dyn Progress>,
    ) -> Result<Self> {
        let (declared, declared_at) = match &options.place {
            // Making the place is part of the recovery, and began before.
            Place::Made { run, .. } => {
                let run = run.lock().await;
                (run.started().clone(), run.record().started_at.clone())
            }
            Place::Given { .. } | Place::Throwaway { .. } => (Stopwatch::start("drill"), now()),
        };
        let id = drill_id()?;
        let protection = Some(protect(archive, &plan, &format!("drill {id}")).await?);
        let view = Overlay::new(Arc::clone(archive.store()));
        let reader = archive.clone().through(Arc::new(view.clone()));
        let manifest = reader.manifest(&plan.lineage, &plan.snapshot.id).await?;
        let mut report =
            DrillReport::new(id, plan.lineage.clone(), declared_at, Tools::default(), point(&plan, &options));
        env!("CARGO_PKG_VERSION").clone_into(&mut report.tools.tidemark_version);
        report.tools.build_digest = own_digest().await;
        report.scenario.clone_from(&options.scenario);
        report.trigger = options.trigger;
        report.operator.clone_from(&options.operator);
        report.approver.clone_from(&options.approver);
        report.evidence.clone_from(&options.evidence);
        surroundings::describe(&mut report, &options.place);
        if let Place::Made { run, .. } = &options.place {
            let run = run.lock().await;
            report.kind = DrillKind::Full;
            report.human_wait_seconds = run.human_wait().as_secs();
            report.tools.terraform = Some(run.facts());
            report.warnings.extend_from_slice(run.abandoned());
        }
        let mut practice = Self {
            archive: archive.clone(),
            reader,
            view,
            plan,
            manifest,
            options,
            progress,
            declared,
            report,
            protection,
            server: None,
            destination: None,
            has_access: false,
        };
        practice.survey().await?;
        Ok(practice)
    }

    /// What is known before anything is restored.
    async fn survey(&mut self) -> Result<()> {
        let key = ObjectKey::Manifest { lineage: self.plan.lineage.clone(), snapshot: self.plan.snapshot.id.clone() };
        if let Some(bytes) = self.reader.store().get_bytes(&key.to_string(), RECORD_LIMIT).await? {
            self.report.recovery_point.manifest_sha256 = Some(Digest::of(&bytes));
            let (bytes, sha256) = (bytes.len() as u64, Digest::of(&bytes));
            self.report.evidence.push(Evidence { name: key.to_string(), bytes, sha256 });
        }
        let catalog = self.reader.catalog(&self.plan.lineage).await?;
        let coverage = Coverage::of_catalog(&catalog);
        self.report.recovery_point_objective = Objective {
            objective_seconds: self.options.recovery_point_objective_seconds,
            actual_seconds: loss_seconds(&catalog, &coverage, Timestamp::now().as_second()),
        };
        self.report.recovery_time_objective.objective_seconds = self.options.recovery_time_objective_seconds;
        let gaps: Vec<String> = coverage.problems.iter().map(ToString::to_string).collect();
        let detail = if gaps.is_empty() {
            "the lineage has none".to_owned()
        } else {
            format!("none in what is replayed; elsewhere in the lineage: {}", gaps.join("; "))
        };
        self.passed("gaps in the oplog", detail);
        self.report.immutability = surroundings::immutability(&self.archive, &self.plan).await?;
        let (earlier, unusable) = self.reader.drills(&self.plan.lineage, EARLIER).await?;
        self.report.earlier = earlier.into_iter().map(earlier_drill).collect();
        let unusable = unusable.into_iter().map(|finding| format!("{}: {}", finding.object, finding.problem));
        self.report.warnings.extend(unusable);
        if let Place::Throwaway { parent, .. } = &self.options.place {
            for leftover in leftovers(parent) {
                self.progress.note(&leftover.to_string());
                self.report.warnings.push(leftover.to_string());
            }
        }
        Ok(())
    }

    pub async fn run(&mut self) -> Result<()> {
        let uri = match self.provision().await? {
            Provisioned::Destination(uri) => uri,
            Provisioned::Cluster(contract) => return self.have_it_practised(&contract).await,
        };
        let Place::Made { run, .. } = &self.options.place else { return self.practise(&uri).await };
        let interrupt = run.lock().await.interrupt();
        // Terraform is at rest now: nothing is lost when the rest is cut short.
        tokio::select! {
            practised = self.practise(&uri) => practised,
            () = interrupt.asked() => Err(interrupt.failure()),
        }
    }

    /// In a cluster that nothing outside can open a connection to, a Job of the chart practises and prints what it found.
    async fn have_it_practised(&mut self, contract: &Contract) -> Result<()> {
        let Place::Made { run, patience, chart, .. } = &self.options.place else {
            return Err(Failure::new(FailureKind::Unexpected, "a cluster that nobody made"));
        };
        let (run, patience, chart) = (Arc::clone(run), *patience, chart.clone());
        let mut run = run.lock().await;
        let recovery = in_cluster::recovery(&self.plan, &self.options, &run.record().run);
        let done = carry_out(&mut run, contract, &chart, &recovery, patience, Arc::clone(&self.progress)).await;
        let mut phases = run.take_phases();
        let job = if done.is_ok() { phases.pop() } else { None };
        self.report.phases.extend(phases);
        let (ours, passed) = (in_cluster::report(done?)?, self.declared.whole_seconds());
        in_cluster::adopt(&mut self.report, ours, job, passed, self.options.queries.len())
    }

    async fn practise(&mut self, uri: &str) -> Result<()> {
        let restored = self.restore(uri.to_owned()).await?;
        self.describe(&restored);
        self.prove(uri).await?;
        self.seed_faults().await;
        self.check_keys().await;
        Ok(())
    }

    async fn provision(&mut self) -> Result<Provisioned> {
        let (mongod, parent) = match &self.options.place {
            Place::Given { uri, .. } => {
                require_fresh(uri).await?;
                return Ok(Provisioned::Destination(uri.clone()));
            }
            Place::Throwaway { mongod, parent } => (mongod.clone(), parent.clone()),
            Place::Made { run, patience, .. } => {
                let (run, patience) = (Arc::clone(run), *patience);
                let mut run = run.lock().await;
                let made = make(&mut run, patience).await;
                self.report.phases.extend(run.take_phases());
                let made = made?;
                self.event(format!("Terraform made the destination, run {}", run.record().run));
                return Ok(made);
            }
        };
        self.progress.phase("provision", None, Unit::Items);
        let watch = Stopwatch::start("provision");
        let started = ThrowawayServer::start(&mongod, &parent).await;
        self.report.phases.push(watch.stop(started.as_ref().err()));
        let server = self.server.insert(started?);
        let event = format!("throw-away mongod started on {}", server.host());
        let uri = server.uri();
        self.event(event);
        Ok(Provisioned::Destination(uri))
    }

    async fn restore(&mut self, destination_uri: String) -> Result<RestoreReport> {
        let watch = Stopwatch::start("restore");
        let options =
            RestoreOptions { destination_uri, connections: self.options.connections, ..RestoreOptions::default() };
        let result = restore(&self.reader, self.plan.clone(), options, Arc::clone(&self.progress)).await;
        // From the decision to restore to a database that can be used.
        self.report.recovery_time_objective.actual_seconds = result.is_ok().then(|| self.declared.whole_seconds());
        let mut phase = watch.clone().stop(result.as_ref().err());
        phase.predicted_milliseconds = Some(stopwatch::milliseconds(predict_seconds(&self.plan)));
        if let Ok(restored) = &result {
            (phase.bytes, phase.documents) = (restored.counts.bytes, restored.counts.documents);
            phase.entries = restored.counts.entries;
            phase.retries = restored.phases.iter().filter(|phase| phase.name == "pause").count() as u64;
        }
        self.report.phases.push(phase);
        if let Ok(restored) = &result {
            self.report.phases.extend(watch.parts(&restored.phases));
        }
        let read = self.view.read();
        let proven = read.iter().filter(|(key, _)| key.parse().is_ok_and(|key: ObjectKey| is_proven(&key)));
        (self.report.integrity.objects, self.report.integrity.bytes) =
            proven.fold((0, 0), |(objects, all), (_, bytes)| (objects + 1, all + bytes));
        result
    }

    pub fn finish(mut self, failure: Option<Failure>) -> Drilled {
        if let Some(failure) = &failure {
            let exit_code = Some(failure.exit_code());
            self.report.timeline.push(TimelineEvent { at: now(), what: failure.what.clone(), exit_code });
            if !self.report.phases.iter().any(|phase| phase.failure.is_some()) {
                // It happened between two phases.
                self.report.phases.push(Stopwatch::start("prove").stop(Some(failure)));
            }
        }
        self.report.finished_at = now();
        Drilled { report: self.report.judged(), failure }
    }

    fn passed(&mut self, name: &str, detail: String) {
        self.report.integrity.checks.push(Check { name: name.to_owned(), outcome: Outcome::Passed, detail });
    }

    fn event(&mut self, what: String) {
        self.report.timeline.push(TimelineEvent { at: now(), what, exit_code: None });
    }
}

/// What is there to restore into.
enum Provisioned {
    /// Its connection string.
    Destination(String),
    /// Where the chart goes.
    Cluster(Box<Contract>),
}

/// Has Terraform make the place; one that is reached from here takes writes when this returns.
async fn make(run: &mut TerraformRun, patience: Duration) -> Result<Provisioned> {
    let contract = run.apply().await?;
    if contract.cluster.is_some() {
        return Ok(Provisioned::Cluster(Box::new(contract)));
    }
    let uri = contract.over_the_wire(&run.record().root)?;
    run.wait_for(&uri, patience).await?;
    run.mark(RunPhase::Restoring)?;
    Ok(Provisioned::Destination(uri))
}
