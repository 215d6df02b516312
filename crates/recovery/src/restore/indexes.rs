//! Builds the secondary indexes after the data is in place, and parks everything that would expire documents.
//!
//! A parked TTL index is built without its expiry where the server can turn it into one later (`collMod`, since 5.1):
//! such an index never expires anything, whatever the clock says. Older servers get the largest expiry there is.

use archive::timeline::Collection;
use bson::{RawArrayBuf, RawDocument, RawDocumentBuf, rawdoc};
use futures::{TryStreamExt, stream};

use super::Context;
use super::report::Parked;
use super::state::RestoreState;
use super::survey::Window;
use crate::failure::{Failure, FailureKind, Result};
use crate::progress::Unit;

const CONCURRENT_BUILDS: usize = 2;
/// 68 years, as an `int` the largest that every server takes.
const NEVER_SECONDS: i32 = i32::MAX;

pub async fn build(context: &Context, window: &Window) -> Result<Vec<Parked>> {
    let collections: Vec<&Collection> =
        window.resolution.collections.values().filter(|c| !c.namespace.is_views()).collect();
    let parked = parked(&collections);
    // Written down before the first index: a restore that dies here must not leave an expiry that nobody knows of.
    RestoreState::mark_parked(&context.destination, parked_document(&parked)).await?;

    let version = context.destination.server_version().await?.version;
    let can_convert = can_convert(&version);
    let count = collections.iter().map(|collection| collection.indexes.len() as u64).sum();
    context.progress.phase("indexes", Some(count), Unit::Items);
    stream::iter(collections.into_iter().filter(|c| !c.indexes.is_empty() && is_data(c)).map(Ok::<_, Failure>))
        .try_for_each_concurrent(CONCURRENT_BUILDS, |collection| async move {
            build_collection(context, collection, can_convert).await?;
            context.progress.advance(collection.indexes.len() as u64);
            Ok(())
        })
        .await?;
    Ok(parked)
}

fn is_data(collection: &Collection) -> bool {
    !(collection.namespace.is_users() || collection.namespace.is_roles())
}

async fn build_collection(context: &Context, collection: &Collection, can_convert: bool) -> Result<()> {
    let specs: Vec<RawDocumentBuf> = collection.indexes.iter().map(|spec| without_expiry(spec, can_convert)).collect();
    let specs: Vec<&RawDocument> = specs.iter().map(|spec| &**spec).collect();
    let namespace = &collection.namespace;
    let built = context.destination.create_indexes(namespace, &specs, !collection.has_simple_collation()).await;
    built.map_err(|error| {
        if error.is_retryable() {
            return Failure::from(error);
        }
        Failure::new(FailureKind::Unexpected, format!("the indexes of {namespace} cannot be built: {error}"))
            .at(context.destination.server())
            .because("the server does not accept a specification or the data breaks a unique index")
            .then("the data is complete; build the index by hand, or restore into a server of the source's release")
    })
}

/// `collMod` can make a TTL index out of an ordinary one since 5.1.
fn can_convert(version: &str) -> bool {
    let mut parts = version.split('.').map_while(|part| part.parse::<u32>().ok());
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (5, 1)
}

fn without_expiry(spec: &RawDocument, can_convert: bool) -> RawDocumentBuf {
    let mut parked = RawDocumentBuf::new();
    for (key, value) in spec.iter().flatten() {
        match key.as_str() {
            "expireAfterSeconds" if can_convert => {}
            "expireAfterSeconds" => parked.append(key, NEVER_SECONDS),
            _ => parked.append(key, value),
        }
    }
    parked
}

fn parked(collections: &[&Collection]) -> Vec<Parked> {
    let mut parked = Vec::new();
    for collection in collections {
        let namespace = collection.namespace.clone();
        for index in collection.ttl_indexes() {
            parked.push(Parked { namespace: namespace.clone(), index: Some(index.name), seconds: index.seconds });
        }
        if let Some(ttl) = collection.ttl {
            parked.push(Parked { namespace, index: None, seconds: ttl.seconds });
        }
    }
    parked
}

fn parked_document(parked: &[Parked]) -> RawDocumentBuf {
    let mut list = RawArrayBuf::new();
    for entry in parked {
        let mut document = rawdoc! {
            "db": entry.namespace.db.as_str(), "coll": entry.namespace.coll.as_str(), "seconds": entry.seconds,
        };
        if let Some(index) = &entry.index {
            document.append(bson::raw::cstr!("index"), index.as_str());
        }
        list.push(document);
    }
    let mut document = RawDocumentBuf::new();
    document.append(bson::raw::cstr!("parked"), list);
    document.append(bson::raw::cstr!("released"), false);
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parked_index_keeps_everything_but_its_expiry() {
        let spec = rawdoc! { "v": 2, "key": { "at": 1 }, "name": "ttl", "expireAfterSeconds": 60, "hidden": true };
        assert_eq!(without_expiry(&spec, true), rawdoc! { "v": 2, "key": { "at": 1 }, "name": "ttl", "hidden": true });
        let never = without_expiry(&spec, false);
        assert_eq!(never.get_i32("expireAfterSeconds").unwrap(), i32::MAX);
    }

    #[test]
    fn conversion_needs_5_1() {
        assert!(can_convert("6.0.5") && can_convert("5.1.0") && can_convert("10.0.0-rc1"));
        assert!(!can_convert("5.0.9") && !can_convert("4.4.1"));
    }
}
