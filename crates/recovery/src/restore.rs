//! Carries a restore plan out: into a fresh replica set, in phases that can be interrupted and resumed.
//!
//! preflight (refuses before the first write) → survey (reads the window's oplog, decides what every collection is at
//! the target, still without a write; when asked to, all segments are proven as well) → create → load → replay → indexes → views → users and roles → check → report.
//! Progress is kept in the destination, so the same command goes on where a killed one stopped.

mod access;
mod attempts;
mod check;
mod create;
mod fence;
mod incomplete;
mod indexes;
mod load;
mod preflight;
mod prove;
mod release;
mod replay;
mod report;
mod routes;
mod state;
pub(crate) mod survey;
mod tally;
mod views;
mod wait;

use std::sync::Arc;
use std::time::Instant;

use archive::manifest::SnapshotManifest;
use archive::plan::RestorePlan;
use bson::oid::ObjectId;
use replset::destination::MergedAccess;
use replset::{ConnectOptions, Destination};

use crate::archive_reader::ArchiveReader;
use crate::failure::{Failure, FailureKind, Result};
use crate::holds::{ProtectionGuard, protect};
use crate::progress::Progress;

pub use release::{ReleaseReport, release};
pub use report::{Counts, Parked, Phase, ReportedTarget, RestoreReport, SkippedEntries, predict_seconds};

pub use preflight::examine_destination;
pub(crate) use preflight::require_fresh;
pub use wait::wait_for_destination;

use attempts::Attempts;
use check::Checked;
use report::Phases;
use state::RestoreState;
use survey::Window;

/// How a restore is carried out.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    pub destination_uri: String,
    /// Arm TTL indexes at the end instead of leaving them parked.
    pub release: bool,
    /// Concurrent writers.
    pub connections: usize,
    /// Read and prove every object before the first write, although loading reads and proves them again.
    pub verify_first: bool,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        Self { destination_uri: String::new(), release: false, connections: 4, verify_first: false }
    }
}

/// What every phase works with.
struct Context {
    reader: ArchiveReader,
    destination: Destination,
    state: Arc<RestoreState>,
    progress: Arc<dyn Progress>,
    connections: usize,
    /// Keeps what is read from being expired.
    protection: ProtectionGuard,
    /// Whether capped collections are created without limits of their own at first.
    sets_capped_limits_later: bool,
}

impl Context {
    /// Whether capped collections start over: an interrupted replay may have evicted documents that the entries after
    /// the last mark would append again, in the wrong order.
    fn restarts_capped(&self, window: &Window) -> bool {
        self.state.is_resumed() && self.state.replayed_through() < window.last_entry
    }
}

/// Restores `plan` into the destination. When the destination holds an unfinished restore of the same target from the
/// same archive, that one is continued, with the plan it was started with. What passes does not end it.
pub async fn restore(
    reader: &ArchiveReader,
    plan: RestorePlan,
    options: RestoreOptions,
    progress: Arc<dyn Progress>,
) -> Result<RestoreReport> {
    let started = Instant::now();
    let mut phases = Phases::default();
    let mut attempts = Attempts::new();
    let Attempted { context, plan, window, written } = loop {
        match attempt(reader, &plan, &options, &progress, &mut phases, &mut attempts).await {
            Ok(attempted) => break attempted,
            Err(failure) => {
                let (what, next) = (failure.what.clone(), attempts.next(failure)?);
                progress.note(&format!("{what}: the restore goes on by itself in {} s", next.as_secs()));
                phases.begin("pause");
                tokio::time::sleep(next).await;
            }
        }
    };
    context.state.complete(&context.destination, &plan).await?;
    // Not before: an attempt that goes on needs what is staged.
    if let Err(failure) = routes::drop_leftovers(&context.destination).await {
        progress
            .note(&format!("scratch collections in `config` of the destination were not dropped: {}", failure.what));
    }
    if options.release {
        phases.begin("release");
        release::release_on(&context.destination).await?;
    }
    let Written { parked, access, checked } = written;
    let mut report = RestoreReport::new(report::Facts {
        plan: &plan,
        window: &window,
        phases: phases.finish(),
        checked,
        access,
        parked,
        released: options.release,
        seconds: started.elapsed().as_secs_f64(),
    });
    report.notes.extend(attempts.notes());
    context.protection.release().await;
    Ok(report)
}

/// An attempt that came to the end: everything is written and checked, but not yet marked as complete.
struct Attempted {
    context: Context,
    plan: RestorePlan,
    window: Window,
    written: Written,
}

async fn attempt(
    reader: &ArchiveReader,
    plan: &RestorePlan,
    options: &RestoreOptions,
    progress: &Arc<dyn Progress>,
    phases: &mut Phases,
    attempts: &mut Attempts,
) -> Result<Attempted> {
    let id = ObjectId::new().to_hex();
    let connect = ConnectOptions {
        app_name: fence::app_name(&id),
        max_pool: u32::try_from(options.connections + 4).unwrap_or(u32::MAX),
        ..ConnectOptions::default()
    };
    phases.begin("preflight");
    let destination = Destination::open(&options.destination_uri, connect).await?;
    let (state, plan) = preflight::check(reader, &destination, &id, plan.clone()).await?;
    let protection = protect(reader, &plan, &format!("a restore into {}", destination.server())).await?;
    if let Some(warning) = protection.warning() {
        progress.note(warning);
    }
    let sets_capped_limits_later = create::can_limit_capped(&destination.server_version().await?.version);
    let mut context = Context {
        sets_capped_limits_later,
        protection,
        reader: reader.clone(),
        destination,
        state: Arc::new(state),
        progress: Arc::clone(progress),
        connections: options.connections.max(1),
    };
    let manifest = reader.manifest(&plan.lineage, &plan.snapshot.id).await?;

    phases.begin("survey");
    let window = survey::survey(reader, &**progress, &plan, &manifest).await?;
    preflight::check_names(&context, &window).await?;
    if options.verify_first {
        phases.begin("verify");
        if let Err(failure) = prove::prove(&context, &manifest, &window).await {
            return Err(incomplete::explain(&context, &plan, failure).await);
        }
    }
    attempts.begin(context.state.attempt(), context.state.holder())?;
    context.state.begin(&context.destination, reader.id(), &plan).await?;
    if context.state.is_resumed() {
        phases.begin("fence");
    }
    fence::fence(&context).await?;
    context.state = Arc::new(context.state.reread(&context.destination).await?);
    match write(&context, &plan, &manifest, &window, phases).await {
        Ok(written) => Ok(Attempted { context, plan, window, written }),
        Err(failure) if was_taken_over(&context, &failure).await => {
            Err(RestoreState::taken_over().at(context.destination.server()))
        }
        Err(failure) => Err(incomplete::explain(&context, &plan, failure).await),
    }
}

/// Whoever takes a destination over kills the commands that are under way and writes beside those that follow, so what
/// stopped this attempt may be none of its own doing.
async fn was_taken_over(context: &Context, failure: &Failure) -> bool {
    // One that passes is tried again, and asks before it does.
    failure.kind != FailureKind::Unreachable
        && matches!(
            context.state.confirm_owner(&context.destination).await,
            Err(Failure { kind: FailureKind::LeaseHeld, .. })
        )
}

/// What writing everything has brought.
struct Written {
    parked: Vec<Parked>,
    access: MergedAccess,
    checked: Checked,
}

async fn write(
    context: &Context,
    plan: &RestorePlan,
    manifest: &SnapshotManifest,
    window: &Window,
    phases: &mut Phases,
) -> Result<Written> {
    phases.begin("create");
    let routes = create::create(context, window).await?;

    phases.begin("load");
    let loaded = load::load(context, manifest, window, &routes).await?;
    phases.measure(loaded.bytes, loaded.documents, 0);

    phases.begin("replay");
    let replayed = replay::replay(context, plan, window, &routes).await?;
    phases.measure(replayed.bytes, 0, replayed.operations);

    phases.begin("indexes");
    create::limit_capped(context, window).await?;
    let parked = indexes::build(context, window).await?;
    phases.begin("views");
    let views = views::create(context, &routes).await?;
    phases.begin("access");
    let access = access::merge(context, &routes).await?;
    phases.begin("check");
    // Views and users were not written for a majority: without this an election looks like somebody else's doing.
    context.state.settle(&context.destination).await?;
    let checked = match check::check(context, window, &views, &replayed.tally).await {
        Ok(checked) => checked,
        Err(failure) => {
            context.state.settle(&context.destination).await?;
            return Err(failure);
        }
    };
    context.state.settle(&context.destination).await?;
    Ok(Written { parked, access, checked })
}
