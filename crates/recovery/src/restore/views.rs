//! Turns the staged documents of `system.views` into views.

use archive::Namespace;
use replset::ErrorKind;

use super::Context;
use super::routes::{Role, Routes};
use crate::failure::{Failure, Result};
use crate::progress::Unit;

const NAMESPACE_EXISTS: i32 = 48;

/// Creates the views and gives their names. Those of time-series collections came with their buckets.
pub async fn create(context: &Context, routes: &Routes) -> Result<Vec<Namespace>> {
    context.progress.phase("views", None, Unit::Items);
    let mut created = Vec::new();
    for route in routes.staged() {
        let Role::Views(db) = &route.role else { continue };
        // A database whose views are all dropped keeps the empty collection; then nothing below would make it. The
        // documented roles do not allow it, and nobody misses it.
        match context.destination.create_collection(&route.source, &bson::RawDocumentBuf::new(), None).await {
            Err(error)
                if error.code() != Some(NAMESPACE_EXISTS)
                    && !matches!(error.kind(), ErrorKind::MissingPrivilege(_)) =>
            {
                return Err(error.into());
            }
            _ => {}
        }
        for definition in context.destination.read_all(&route.namespace).await? {
            let invalid = || {
                Failure::integrity(format!("a definition in {} cannot be read", route.source))
                    .at(route.source.to_string())
            };
            let name = definition.get_str("_id").ok().and_then(Namespace::parse).ok_or_else(invalid)?;
            let view_on = definition.get_str("viewOn").map_err(|_| invalid())?;
            if view_on.starts_with("system.buckets.") {
                continue;
            }
            let pipeline = definition.get_array("pipeline").map_err(|_| invalid())?;
            let collation = definition.get_document("collation").ok();
            debug_assert_eq!(name.db, *db);
            match context.destination.create_view(&name, view_on, pipeline, collation).await {
                Ok(()) => {}
                Err(error) if context.state.is_resumed() && error.code() == Some(NAMESPACE_EXISTS) => {}
                Err(error) => {
                    let failure = Failure::from(error);
                    return Err(Failure {
                        what: format!("view {name} cannot be created: {}", failure.what),
                        ..failure
                    });
                }
            }
            context.progress.advance(1);
            created.push(name);
        }
    }
    Ok(created)
}
