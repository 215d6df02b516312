//! Everything that can be refused before the first write.

use std::collections::BTreeSet;

use archive::Namespace;
use archive::plan::RestorePlan;
use replset::privileges::{self, Task};
use replset::{ConnectOptions, Destination};

use super::Context;
use super::routes;
use super::state::{RestoreState, Stored};
use super::survey::Window;
use crate::archive_reader::ArchiveReader;
use crate::failure::{Failure, FailureKind, Result};

fn unsafe_destination(destination: &Destination, what: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Unsafe, what).at(destination.server())
}

/// What a restore would be refused for whatever its plan is. Reads only; what was found, for people.
pub async fn examine_destination(uri: &str) -> Result<String> {
    let options = ConnectOptions { app_name: "tidemark dr-cli".to_owned(), ..ConnectOptions::default() };
    let destination = Destination::open(uri, options).await?;
    privileges::require(destination.connection(), Task::Destination).await?;
    let topology = destination.topology().await?;
    let server = destination.server_version().await?;
    let existing = destination.list_existing().await?;
    if existing.is_empty() {
        return Ok(format!("replica set {} is empty, MongoDB {}", topology.set_name, server.version));
    }
    match RestoreState::load(&destination).await? {
        Some(stored) if !stored.complete => Ok("it holds a restore that can be continued".to_owned()),
        _ => Err(not_empty(&destination, &existing)),
    }
}

/// Refuses a destination that holds anything, also a restore that could be continued: that one has a plan of its own, and its
/// data is not ours to drop. Reads only.
pub async fn require_fresh(uri: &str) -> Result<()> {
    let options = ConnectOptions { app_name: "tidemark dr-cli".to_owned(), ..ConnectOptions::default() };
    let destination = Destination::open(uri, options).await?;
    match RestoreState::load(&destination).await? {
        // What a finished one has left is no data; an emptied destination is fresh again.
        Some(stored) if !stored.complete => {
            Err(unsafe_destination(&destination, "the destination holds an unfinished restore")
                .because(format!(
                    "of {} to {}; a drill does all of its own",
                    stored.plan.lineage, stored.plan.target.requested
                ))
                .then("finish that one with dr-cli restore, or name a fresh replica set; nothing was changed here"))
        }
        _ => Ok(()),
    }
}

/// Checks the destination and gives the plan to carry out: the given one, or that of the restore to be continued.
pub async fn check(
    reader: &ArchiveReader,
    destination: &Destination,
    attempt: &str,
    plan: RestorePlan,
) -> Result<(RestoreState, RestorePlan)> {
    privileges::require(destination.connection(), Task::Destination).await?;
    let manifest = reader.manifest(&plan.lineage, &plan.snapshot.id).await?;

    let topology = destination.topology().await?;
    let lineage = archive::LineageId::from_replica_set(&topology.set_name, &topology.replica_set_id)
        .map_err(|error| Failure::new(FailureKind::Unexpected, error.to_string()))?;
    if lineage == plan.lineage {
        return Err(unsafe_destination(
            destination,
            "the destination is the replica set that the archive was made from",
        )
        .because("a restore never writes into its own source")
        .then("name another, fresh replica set with --destination"));
    }

    let server = destination.server_version().await?;
    let older = |have: &str, need: &str| version(have) < version(need);
    let (fcv, needed) = (&server.feature_compatibility_version, &manifest.fcv);
    if older(&server.version, &manifest.server_version) && release(&server.version) < release(&manifest.server_version)
        || older(fcv, needed)
    {
        return Err(unsafe_destination(
            destination,
            format!("the destination is too old: server {} with feature compatibility {fcv}", server.version),
        )
        .because(format!("the source was server {} with feature compatibility {needed}", manifest.server_version))
        .then(
            "restore into a server of the source's release or newer, with its feature compatibility version raised",
        ));
    }

    let election = destination.election_id().await?;
    let existing = destination.list_existing().await?;
    match RestoreState::load(destination).await? {
        Some(stored) => {
            if stored.complete {
                // Of one that was killed right after its last mark; what stays is no reason to say anything else.
                routes::drop_leftovers(destination).await.ok();
            }
            let plan = continued(destination, reader, &stored, &plan)?;
            Ok((RestoreState::resumed(attempt, election, stored), plan))
        }
        None if existing.is_empty() => Ok((RestoreState::fresh(attempt, election), plan)),
        None => Err(not_empty(destination, &existing)),
    }
}

fn not_empty(destination: &Destination, existing: &[Namespace]) -> Failure {
    let shown: Vec<String> = existing.iter().take(5).map(ToString::to_string).collect();
    let more = existing.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    unsafe_destination(destination, "the destination is not empty")
        .because(format!("it holds {}{more}", shown.join(", ")))
        .then("name a fresh replica set with --destination; nothing was changed here")
}

/// The plan of the unfinished restore that is in the destination.
fn continued(
    destination: &Destination,
    reader: &ArchiveReader,
    stored: &Stored,
    plan: &RestorePlan,
) -> Result<RestorePlan> {
    let same = stored.archive_id == reader.id()
        && stored.plan.lineage == plan.lineage
        && stored.plan.target.requested == plan.target.requested
        && (stored.plan.snapshot.id == plan.snapshot.id || !plan.snapshot.named);
    if stored.complete {
        return Err(unsafe_destination(destination, "the destination already holds a finished restore")
            .because(format!("of {} to {}", stored.plan.lineage, stored.plan.target.requested))
            .then("name a fresh replica set with --destination; nothing was changed here"));
    }
    if !same {
        return Err(unsafe_destination(destination, "the destination holds another unfinished restore")
            .because(format!(
                "of {} to {} from snapshot {} of archive {}",
                stored.plan.lineage, stored.plan.target.requested, stored.plan.snapshot.id, stored.archive_id
            ))
            .then(format!(
                "continue that one with --to {}, or name a fresh replica set",
                stored.plan.target.requested
            )));
    }
    tracing::info!(event = "restore_resumed", target = %stored.plan.target.requested, "continuing an unfinished restore");
    Ok(stored.plan.clone())
}

/// A restore that is continued must find nothing but its own collections.
pub async fn check_names(context: &Context, window: &Window) -> Result<()> {
    let expected: BTreeSet<String> = window
        .resolution
        .collections
        .values()
        .flat_map(|collection| {
            let time_series =
                collection.namespace.time_series_name().map(|name| format!("{}.{name}", collection.namespace.db));
            [Some(collection.namespace.to_string()), time_series].into_iter().flatten()
        })
        .collect();
    for namespace in context.destination.list_existing().await? {
        let own = expected.contains(&namespace.to_string()) || namespace.is_views() || context.state.has_views();
        if !own {
            return Err(unsafe_destination(
                &context.destination,
                format!("the destination holds {namespace}, which is not part of this restore"),
            )
            .because("somebody else wrote into it since the restore began")
            .then("drop that collection, or start over in a fresh replica set"));
        }
    }
    Ok(())
}

fn version(text: &str) -> Vec<u32> {
    text.split(['.', '-']).map_while(|part| part.parse().ok()).collect()
}

/// Major and minor: patch releases read each other's data.
fn release(text: &str) -> Vec<u32> {
    version(text).into_iter().take(2).collect()
}
