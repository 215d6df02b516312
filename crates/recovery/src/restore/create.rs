//! Creates every collection of the target in its final form, without secondary indexes and without expiry.

use archive::timeline::Collection;
use bson::RawDocumentBuf;
use futures::{TryStreamExt, stream};
use replset::ErrorKind;

use super::Context;
use super::routes::{self, Role, Routes};
use super::survey::Window;
use crate::failure::{Failure, FailureKind, Result};
use crate::progress::Unit;

const NAMESPACE_EXISTS: i32 = 48;
const CONCURRENT: usize = 8;

pub async fn create(context: &Context, window: &Window) -> Result<Routes> {
    let collections = &window.resolution.collections;
    let routes = Routes::new(collections.values());
    if context.state.is_past_creation() {
        return Ok(routes);
    }
    if !context.state.is_resumed() {
        // Whoever emptied a half-restored replica set by hand may have left them.
        routes::drop_leftovers(&context.destination).await?;
    }
    context.progress.phase("create", Some(collections.len() as u64), Unit::Items);
    stream::iter(collections.values().map(Ok::<_, Failure>))
        .try_for_each_concurrent(CONCURRENT, |collection| {
            let routes = &routes;
            async move {
                if routes.get(collection.uuid).is_some_and(|route| route.role == Role::Data) {
                    create_collection(context, collection).await?;
                }
                context.progress.advance(1);
                Ok(())
            }
        })
        .await?;
    Ok(routes)
}

/// Creates one collection; an existing one is that of an earlier attempt, which the preflight made sure of.
pub async fn create_collection(context: &Context, collection: &Collection) -> Result<()> {
    let namespace = &collection.namespace;
    let unlimited = (collection.capped && context.sets_capped_limits_later).then(|| collection.unlimited_options());
    let options = unlimited.as_ref().unwrap_or(&collection.options);
    let created = context.destination.create_collection(namespace, options, collection.id_index.as_deref()).await;
    match created {
        Ok(()) => {}
        Err(error) if context.state.is_resumed() && error.code() == Some(NAMESPACE_EXISTS) => {}
        Err(error) => {
            let unreachable = *error.kind() == ErrorKind::Unreachable;
            let kind = if unreachable { FailureKind::Unreachable } else { FailureKind::Unexpected };
            return Err(Failure::new(kind, format!("{namespace} cannot be created: {error}"))
                .at(context.destination.server())
                .because("the destination does not accept an option that the source had")
                .then("restore into a server of the source's release; then run the same command again"));
        }
    }
    for change in &collection.coll_mods {
        let mut command = RawDocumentBuf::new();
        command.append(bson::raw::cstr!("collMod"), namespace.time_series_name().unwrap_or(&namespace.coll));
        for (key, value) in change.iter().flatten() {
            command.append(key, value);
        }
        context.destination.coll_mod_raw(&namespace.db, &command).await?;
    }
    Ok(())
}

/// Gives capped collections their limits, when everything is replayed.
pub async fn limit_capped(context: &Context, window: &Window) -> Result<()> {
    if !context.sets_capped_limits_later {
        return Ok(());
    }
    for collection in window.resolution.collections.values() {
        let Some((size, max)) = collection.capped_limits() else { continue };
        let mut command = RawDocumentBuf::new();
        command.append(bson::raw::cstr!("collMod"), collection.namespace.coll.as_str());
        command.append(bson::raw::cstr!("cappedSize"), size);
        if let Some(max) = max {
            command.append(bson::raw::cstr!("cappedMax"), max);
        }
        context.destination.coll_mod_raw(&collection.namespace.db, &command).await?;
    }
    Ok(())
}

/// Whether the server can change the limits of a capped collection (`collMod` since 6.0).
pub fn can_limit_capped(version: &str) -> bool {
    version.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 6)
}
