//! What a drill finds out about what came back, and about itself.

use archive::drill::Evidence;
use archive::reference::Reference;
use replset::{ConnectOptions, Destination};

use super::Practice;
use crate::drill::control::Control;
use crate::drill::facts::{skipped, try_to_write};
use crate::drill::stopwatch::Stopwatch;
use crate::drill::{Place, compare, keys, queries, validate};
use crate::failure::Result;
use crate::progress::Unit;
use crate::restore::RestoreReport;

impl Practice {
    /// What the restore itself has found and checked.
    pub(super) fn describe(&mut self, restored: &RestoreReport) {
        self.event(format!("restored to {}", restored.target.resolved));
        restored.notes.iter().for_each(|note| self.event(note.clone()));
        self.report.recovery_point.last_applied = restored.last_applied;
        self.has_access = restored.counts.users + restored.counts.roles > 0;
        let counts = &restored.counts;
        let detail = format!(
            "{} collections, {} documents and {} indexes are those that the archive speaks of",
            counts.collections, counts.documents, counts.indexes
        );
        self.passed("collections, views, indexes, counts", detail);
        self.passed("users and roles", format!("{} users and {} roles restored", counts.users, counts.roles));
        let parked = restored.ttl_parked.len();
        self.passed("expiry", format!("{parked} TTL indexes are parked, so nothing expired meanwhile"));
        let (matter, harmless): (Vec<_>, Vec<_>) = restored.skipped.iter().partition(|skipped| skipped.matters());
        let harmless: Vec<String> =
            harmless.iter().map(|skipped| format!("{} {}", skipped.count, skipped.reason)).collect();
        if !harmless.is_empty() {
            self.passed("entries that change no document", format!("left out: {}", harmless.join(", ")));
        }
        self.report.skipped = matter.into_iter().map(skipped).collect();
    }

    pub(super) async fn prove(&mut self, uri: &str) -> Result<()> {
        let options = ConnectOptions { app_name: "tidemark-drill".to_owned(), ..ConnectOptions::default() };
        let destination = Destination::open(uri, options).await?;
        let version = destination.server_version().await?;
        self.report.tools.server_version = version.version;
        self.report.tools.fcv = version.feature_compatibility_version;
        self.destination = Some(destination.clone());

        let listed = compare::listed(&destination).await?;
        if let Some(reference) = self.reference().await? {
            let watch = Stopwatch::start("compare");
            let compared = compare::compare(&destination, &reference, &listed, &*self.progress).await;
            self.report.phases.push(watch.stop(compared.as_ref().err()));
            self.report.integrity.reference_at = Some(reference.at);
            self.report.integrity.comparison = Some(compared?);
        }
        let collections: Vec<_> = listed.into_iter().filter(compare::holds_documents).collect();
        let watch = Stopwatch::start("validate");
        let checks = validate::validate(&destination, &collections, &*self.progress).await;
        self.report.phases.push(watch.stop(checks.as_ref().err()));
        self.report.integrity.checks.extend(checks?);

        if !self.options.queries.is_empty() {
            self.progress.phase("queries", Some(self.options.queries.len() as u64), Unit::Items);
            let watch = Stopwatch::start("queries");
            let asked = self.ask(&destination).await;
            self.report.phases.push(watch.stop(asked.as_ref().err()));
            asked?;
        }
        if self.options.is_part || !matches!(self.options.place, Place::Given { .. }) {
            let written = try_to_write(&destination).await;
            self.report.usability.push(written);
        }
        Ok(())
    }

    /// The reference of exactly the moment that was restored.
    async fn reference(&mut self) -> Result<Option<Reference>> {
        let target = &self.plan.target;
        if !target.inclusive || target.wall_limit_ms.is_some() {
            return Ok(None);
        }
        let Some((reference, sha256)) = self.archive.reference(&self.plan.lineage, target.resolved).await? else {
            return Ok(None);
        };
        let name = reference.key().to_string();
        let bytes = self.archive.store().head(&name).await?.map_or(0, |meta| meta.size);
        self.report.evidence.push(Evidence { name, bytes, sha256 });
        Ok(Some(reference))
    }

    async fn ask(&mut self, destination: &Destination) -> Result<()> {
        for query in &self.options.queries {
            self.report.queries.push(queries::run(destination, query).await?);
            self.progress.advance(1);
        }
        Ok(())
    }

    /// One that cannot be completed proves nothing, and nothing has failed to come back either.
    pub(super) async fn seed_faults(&mut self) {
        self.progress.phase("negative control", None, Unit::Items);
        let watch = Stopwatch::start("negative control");
        let read = self.view.read();
        let (plan, manifest) = (&self.plan, &self.manifest);
        let control = Control { reader: &self.archive, plan, manifest, read: &read, seed: self.options.seed };
        match control.run().await {
            Ok(seeded) => self.report.negative_control = seeded,
            Err(failure) => {
                self.report.warnings.push(format!("the negative control was not completed: {}", failure.what));
            }
        }
        self.report.phases.push(watch.stop(None));
    }

    pub(super) async fn check_keys(&mut self) {
        let watch = Stopwatch::start("keys");
        match keys::check(&self.archive, &self.plan).await {
            Ok(checks) => self.report.keys = checks,
            Err(failure) => self.report.warnings.push(format!("the key check was not completed: {}", failure.what)),
        }
        self.report.phases.push(watch.stop(None));
    }
}
