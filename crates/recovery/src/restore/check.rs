//! Compares what stands in the destination with what should: names of collections, views and indexes, and of every
//! collection whose count follows from the archive the number of documents.

use std::collections::BTreeSet;

use archive::Namespace;
use archive::timeline::Collection;
use bson::{RawDocumentBuf, rawdoc};
use replset::listing;

use super::Context;
use super::survey::Window;
use super::tally::Tally;
use crate::failure::{Failure, FailureKind, Result};
use crate::progress::Unit;

/// Collections that an error names.
const SHOWN: usize = 5;

#[derive(Debug, Clone, Copy, Default)]
pub struct Checked {
    pub collections: u64,
    pub documents: u64,
    pub indexes: u64,
}

pub async fn check(context: &Context, window: &Window, views: &[Namespace], tally: &Tally) -> Result<Checked> {
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
        return Err(mismatch(context, &format!("collections differ: {}", difference(&found, &expected))));
    }
    let listed_views: BTreeSet<String> =
        listing.views.iter().filter(|view| !is_time_series(view)).map(|view| view.namespace.to_string()).collect();
    let expected_views: BTreeSet<String> = views.iter().map(ToString::to_string).collect();
    if listed_views != expected_views {
        return Err(mismatch(context, &format!("views differ: {}", difference(&listed_views, &expected_views))));
    }

    let mut differing = Vec::new();
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
            let difference = difference(&found, &expected);
            return Err(mismatch(context, &format!("indexes of {} differ: {difference}", collection.namespace)));
        }
        checked.indexes += expected.len() as u64;
        let (documents, expected) = (documents(context, collection, tally).await?, tally.expected(collection));
        if let Some(expected) = expected.filter(|expected| *expected != documents) {
            let namespace = &collection.namespace;
            differing.push(format!("{namespace} has {documents} documents instead of {expected}"));
        }
        checked.documents += documents;
    }
    if differing.is_empty() {
        return Ok(checked);
    }
    let more = differing.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    differing.truncate(SHOWN);
    Err(mismatch(context, &format!("{}{more}", differing.join(", ")))
        .because("snapshot and oplog do not fit together, or somebody else writes into the destination")
        .then("dr-cli verify --level hash; then restore into a fresh replica set, from an older snapshot when it happens again"))
}

fn difference(found: &BTreeSet<String>, expected: &BTreeSet<String>) -> String {
    let missing = expected.difference(found).take(SHOWN).map(|name| format!("{name} is missing"));
    let foreign = found.difference(expected).take(SHOWN).map(|name| format!("{name} should not be there"));
    missing.chain(foreign).collect::<Vec<_>>().join(", ")
}

fn is_time_series(view: &listing::ListedView) -> bool {
    view.definition.get_str("viewOn").is_ok_and(|on| on.starts_with("system.buckets."))
}

/// The server's own count costs nothing, but after it was killed it may be wrong: only an exact one proves a difference.
async fn documents(context: &Context, collection: &Collection, tally: &Tally) -> Result<u64> {
    let fast = count(context, &collection.namespace).await?;
    match tally.expected(collection) {
        Some(expected) if expected != fast => exact_count(context, &collection.namespace).await,
        _ => Ok(fast),
    }
}

async fn count(context: &Context, namespace: &Namespace) -> Result<u64> {
    let mut command = rawdoc! { "count": namespace.coll.as_str() };
    command.append(bson::raw::cstr!("query"), RawDocumentBuf::new());
    let reply = context.destination.run_raw(&namespace.db, command).await?;
    number(context, reply.document())
}

/// Reads the whole collection.
async fn exact_count(context: &Context, namespace: &Namespace) -> Result<u64> {
    let command = rawdoc! {
        "aggregate": namespace.coll.as_str(),
        "pipeline": [{ "$group": { "_id": null, "n": { "$sum": 1 } } }],
        "cursor": {},
    };
    let reply = context.destination.run_raw(&namespace.db, command).await?;
    let batch = reply.document().get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
    let batch = batch.map_err(|_| no_count(context))?;
    // An empty collection has no group.
    batch.first().and_then(bson::Bson::as_document).map_or(Ok(0), |group| number(context, group))
}

fn number(context: &Context, reply: &bson::Document) -> Result<u64> {
    let n = reply.get_i32("n").map(i64::from).or_else(|_| reply.get_i64("n"));
    n.ok().and_then(|n| u64::try_from(n).ok()).ok_or_else(|| no_count(context))
}

fn no_count(context: &Context) -> Failure {
    Failure::new(FailureKind::Unexpected, "the destination gives no count of documents")
        .at(context.destination.server())
}

fn mismatch(context: &Context, what: &str) -> Failure {
    Failure::integrity(format!("the destination is not what was restored: {what}"))
        .at(context.destination.server())
        .because("somebody else writes into the destination, or the server refused something without saying so")
        .then("restore into a fresh replica set that nobody else can reach")
}
