//! Compares what stands in the destination with what should: names of collections, views and indexes.

use std::collections::BTreeSet;

use archive::Namespace;
use bson::rawdoc;
use replset::listing;

use super::Context;
use super::survey::Window;
use crate::failure::{Failure, Result};
use crate::progress::Unit;

#[derive(Debug, Clone, Copy, Default)]
pub struct Checked {
    pub collections: u64,
    pub documents: u64,
    pub indexes: u64,
}

pub async fn check(context: &Context, window: &Window, views: &[Namespace]) -> Result<Checked> {
    context.progress.phase("check", None, Unit::Items);
    let listing = listing::list_all(context.destination.connection(), None).await?;
    let found: BTreeSet<String> = listing
        .collections
        .iter()
        .filter(|c| !(c.namespace.is_views() || c.namespace.is_users() || c.namespace.is_roles()))
        .map(|c| c.namespace.to_string())
        .collect();
    let restored: Vec<_> = window
        .resolution
        .collections
        .values()
        .filter(|c| !(c.namespace.is_views() || c.namespace.is_users() || c.namespace.is_roles()))
        .collect();
    let expected: BTreeSet<String> = restored.iter().map(|c| c.namespace.to_string()).collect();
    if found != expected {
        let difference: Vec<_> = found.symmetric_difference(&expected).take(5).cloned().collect();
        return Err(mismatch(context, &format!("collections differ: {}", difference.join(", "))));
    }
    let listed_views: BTreeSet<String> =
        listing.views.iter().filter(|view| !is_time_series(view)).map(|view| view.namespace.to_string()).collect();
    let expected_views: BTreeSet<String> = views.iter().map(ToString::to_string).collect();
    if listed_views != expected_views {
        let difference: Vec<_> = listed_views.symmetric_difference(&expected_views).take(5).cloned().collect();
        return Err(mismatch(context, &format!("views differ: {}", difference.join(", "))));
    }

    let mut checked = Checked { collections: restored.len() as u64, ..Checked::default() };
    for collection in restored {
        let name = |spec: &bson::RawDocument| spec.get_str("name").unwrap_or_default().to_owned();
        let expected: BTreeSet<String> = collection.indexes.iter().map(|spec| name(spec)).collect();
        let listed = listing.collections.iter().find(|c| c.namespace == collection.namespace);
        let found: BTreeSet<String> = listed
            .into_iter()
            .flat_map(|c| &c.indexes)
            .filter(|spec| !matches!(spec.get("clustered"), Ok(Some(_))))
            .map(|spec| name(spec))
            .filter(|name| name != "_id_")
            .collect();
        if found != expected {
            let difference: Vec<_> = found.symmetric_difference(&expected).cloned().collect();
            return Err(mismatch(
                context,
                &format!("indexes of {} differ: {}", collection.namespace, difference.join(", ")),
            ));
        }
        checked.indexes += expected.len() as u64;
        checked.documents += count(context, &collection.namespace).await?;
    }
    Ok(checked)
}

fn is_time_series(view: &listing::ListedView) -> bool {
    view.definition.get_str("viewOn").is_ok_and(|on| on.starts_with("system.buckets."))
}

/// The server's own count; exact, because nothing but this restore has written here.
async fn count(context: &Context, namespace: &Namespace) -> Result<u64> {
    let mut command = rawdoc! { "count": namespace.coll.as_str() };
    command.append(bson::raw::cstr!("query"), bson::RawDocumentBuf::new());
    let reply = context.destination.run_raw(&namespace.db, command).await?;
    let n = reply.document().get_i32("n").map(i64::from).or_else(|_| reply.document().get_i64("n"));
    Ok(n.ok().and_then(|n| u64::try_from(n).ok()).unwrap_or_default())
}

fn mismatch(context: &Context, what: &str) -> Failure {
    Failure::integrity(format!("the destination is not what was restored: {what}"))
        .at(context.destination.server())
        .because("somebody else writes into the destination, or the server refused something without saying so")
        .then("restore into a fresh replica set that nobody else can reach")
}
