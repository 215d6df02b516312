//! What there is to protect: collections with UUID, options and indexes, as raw as the server lists them.
//!
//! Views are documents of `<db>.system.views`, which is listed as a collection; their names are not. A collection
//! that is dropped while it is being listed is left out: the oplog tells of it. The server reads the catalog at read
//! concern local only; `after` keeps a lagging member from answering with an older state.

use archive::{ClusterTime, CollectionUuid, Namespace};
use bson::{RawDocument, RawDocumentBuf, rawdoc};
use futures::{StreamExt as _, TryStreamExt as _};

use crate::connect::{Connection, CursorSettings};
use crate::error::{ErrorKind, ReplsetError, Result};
use crate::raw::{DOCUMENT, RawWriter, elements, field};

/// `listIndexes` calls in flight at once: enough to hide the round trip, few enough to leave the member alone.
const CONCURRENCY: usize = 8;

#[derive(Debug, Clone, PartialEq)]
pub struct ListedCollection {
    pub namespace: Namespace,
    pub uuid: CollectionUuid,
    /// `options` as listed.
    pub options: RawDocumentBuf,
    /// `idIndex` as listed; clustered and bucket collections have none.
    pub id_index: Option<RawDocumentBuf>,
    /// Finished indexes as listed, that on `_id` included; those still being built appear in the oplog when they are done.
    pub indexes: Vec<RawDocumentBuf>,
    /// Cluster time of the reply that told the indexes.
    pub operation_time: ClusterTime,
}

impl ListedCollection {
    pub fn is_capped(&self) -> bool {
        self.options.get_bool("capped").unwrap_or(false)
    }

    pub fn has_collation(&self) -> bool {
        field(&self.options, "collation").is_some()
    }
}

/// A view or time-series collection as a document of `system.views` holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedView {
    pub namespace: Namespace,
    pub definition: RawDocumentBuf,
}

#[derive(Debug, Clone, Default)]
pub struct Listing {
    pub collections: Vec<ListedCollection>,
    pub views: Vec<ListedView>,
    /// The largest cluster time of any reply.
    pub operation_time: ClusterTime,
}

impl Listing {
    /// What a scan of the database's `system.views` gives to somebody who may not read it.
    pub fn views_of(&self, database: &str) -> ListedViews {
        let of_database = self.views.iter().filter(|view| view.namespace.db == database);
        let definitions = of_database.map(|view| view.definition.clone()).collect();
        ListedViews { definitions, operation_time: self.operation_time }
    }
}

/// The definitions of one database's views at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedViews {
    pub definitions: Vec<RawDocumentBuf>,
    /// Of the listing: it shows nothing that came later.
    pub operation_time: ClusterTime,
}

/// Every protected collection of every database, ordered by namespace.
pub async fn list_all(member: &Connection, after: Option<ClusterTime>) -> Result<Listing> {
    let (databases, operation_time) = list_databases(member, after).await?;
    let mut all = Listing { operation_time, ..Listing::default() };
    for database in databases {
        let listing = list_database(member, &database, after).await?;
        all.operation_time = all.operation_time.max(listing.operation_time);
        all.collections.extend(listing.collections);
        all.views.extend(listing.views);
    }
    Ok(all)
}

/// Names of all databases that can hold protected collections, in order.
pub async fn list_databases(member: &Connection, after: Option<ClusterTime>) -> Result<(Vec<String>, ClusterTime)> {
    let mut command = RawWriter::default();
    command.i32("listDatabases", 1).bool("nameOnly", true).bool("authorizedDatabases", false);
    read_after(&mut command, after);
    let reply = member.run("admin", "list databases", command.finish()).await?;
    let entries = reply
        .document()
        .get_array("databases")
        .map_err(|_| ReplsetError::protocol("list databases", "the reply has no databases"))?;
    let mut names: Vec<String> = entries
        .iter()
        .filter_map(|entry| entry.as_document()?.get_str("name").ok())
        .filter(|name| !matches!(*name, "local" | "config"))
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    Ok((names, reply.operation_time().unwrap_or_default()))
}

/// The protected collections of one database, with their indexes, ordered by name.
pub async fn list_database(member: &Connection, database: &str, after: Option<ClusterTime>) -> Result<Listing> {
    let entries = entries(member, database, after).await?;
    let mut listing = Listing { operation_time: entries.operation_time.unwrap_or_default(), ..Listing::default() };
    let mut collections = Vec::new();
    for entry in &entries.documents {
        match parse_entry(database, entry)? {
            Entry::Collection(collection) if collection.namespace.is_protected() => collections.push(collection),
            Entry::View(view) => listing.views.push(view),
            Entry::Collection(_) => {}
        }
    }
    let listed: Vec<Option<ListedCollection>> = futures::stream::iter(collections)
        .map(|collection| with_indexes(member, collection, after))
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await?;
    listing.collections = listed.into_iter().flatten().collect();
    listing.collections.sort_unstable_by(|a, b| a.namespace.cmp(&b.namespace));
    listing.views.sort_unstable_by(|a, b| a.namespace.cmp(&b.namespace));
    let newest = listing.collections.iter().map(|collection| collection.operation_time).max();
    listing.operation_time = listing.operation_time.max(newest.unwrap_or_default());
    Ok(listing)
}

/// Entries of `listCollections` as they are.
pub(crate) async fn entries(
    member: &Connection,
    database: &str,
    after: Option<ClusterTime>,
) -> Result<crate::connect::Collected> {
    let mut command = RawWriter::default();
    command.i32("listCollections", 1).begin_document("cursor").i32("batchSize", i32::MAX).end();
    read_after(&mut command, after);
    member.collect(database, "list collections", command.finish(), CursorSettings::default()).await
}

#[derive(Debug)]
pub(crate) enum Entry {
    Collection(ListedCollection),
    View(ListedView),
}

pub(crate) fn parse_entry(database: &str, entry: &RawDocument) -> Result<Entry> {
    let malformed = |what: &str| {
        ReplsetError::protocol("list collections", format!("an entry of database `{database}` has no usable `{what}`"))
    };
    let name = entry.get_str("name").map_err(|_| malformed("name"))?;
    let namespace = Namespace::new(database, name);
    let document = |field_name: &str| field(entry, field_name).and_then(|field| field.as_document());
    let options = document("options").ok_or_else(|| malformed("options"))?;
    match entry.get_str("type").unwrap_or("collection") {
        "view" => Ok(Entry::View(ListedView { definition: view_definition(&namespace, options), namespace })),
        "timeseries" => {
            Ok(Entry::View(ListedView { definition: time_series_definition(&namespace, options), namespace }))
        }
        _ => {
            let uuid = document("info").and_then(|info| info.get_binary("uuid").ok());
            let uuid = uuid.and_then(CollectionUuid::from_binary).ok_or_else(|| malformed("info.uuid"))?;
            Ok(Entry::Collection(ListedCollection {
                namespace,
                uuid,
                options: options.to_owned(),
                id_index: document("idIndex").map(ToOwned::to_owned),
                indexes: Vec::new(),
                operation_time: ClusterTime::ZERO,
            }))
        }
    }
}

/// `{_id, viewOn, pipeline, collation?}`: a view's options are the fields of its definition.
fn view_definition(namespace: &Namespace, options: &RawDocument) -> RawDocumentBuf {
    let mut definition = RawWriter::default();
    definition.str("_id", &namespace.to_string());
    for element in elements(options).map_while(Result::ok) {
        definition.element(element);
    }
    definition.finish()
}

/// The definition that the server itself keeps for a time-series collection (seen on 6.0).
fn time_series_definition(namespace: &Namespace, options: &RawDocument) -> RawDocumentBuf {
    let mut definition = RawWriter::default();
    definition.str("_id", &namespace.to_string());
    definition.str("viewOn", &format!("system.buckets.{}", namespace.coll));
    definition.begin_array("pipeline").begin_entry(0).begin_document("$_internalUnpackBucket");
    let settings = field(options, "timeseries").and_then(|settings| settings.as_document());
    for name in ["timeField", "metaField", "bucketMaxSpanSeconds"] {
        if let Some(element) = settings.and_then(|settings| field(settings, name)) {
            definition.element(element);
        }
    }
    definition.finish()
}

/// By UUID: a name could mean another collection by now. `None` when the collection was dropped meanwhile.
async fn with_indexes(
    member: &Connection,
    mut collection: ListedCollection,
    after: Option<ClusterTime>,
) -> Result<Option<ListedCollection>> {
    let mut command = RawWriter::default();
    command.uuid("listIndexes", collection.uuid).bool("includeBuildUUIDs", true);
    command.begin_document("cursor").i32("batchSize", i32::MAX).end();
    read_after(&mut command, after);
    let listed =
        member.collect(&collection.namespace.db, "list indexes", command.finish(), CursorSettings::default()).await;
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) if matches!(error.kind(), ErrorKind::CollectionGone) => return Ok(None),
        // The role `restore` may not list them; they are the server's own and never restored.
        Err(error)
            if matches!(error.kind(), ErrorKind::MissingPrivilege(_)) && has_indexes_of_the_server(&collection) =>
        {
            return Ok(Some(collection));
        }
        Err(error) => return Err(error),
    };
    collection.operation_time = listed.operation_time.unwrap_or_default();
    // An index that is still being built is `{spec: {…}, buildUUID: …}`.
    let is_finished = |index: &RawDocumentBuf| {
        field(index, "buildUUID").is_none() && field(index, "spec").is_none_or(|spec| spec.kind != DOCUMENT)
    };
    collection.indexes = listed.documents.into_iter().filter(is_finished).collect();
    Ok(Some(collection))
}

fn has_indexes_of_the_server(collection: &ListedCollection) -> bool {
    let namespace = &collection.namespace;
    namespace.is_users() || namespace.is_roles() || namespace.is_views()
}

fn read_after(command: &mut RawWriter, after: Option<ClusterTime>) {
    if let Some(after) = after {
        command.begin_document("readConcern").str("level", "local").timestamp("afterClusterTime", after).end();
    }
}

/// Names of the collections of a database that are ordinary ones, and of its views; for the destination's emptiness.
pub(crate) async fn names(connection: &Connection, database: &str) -> Result<Vec<Namespace>> {
    let command = rawdoc! { "listCollections": 1, "nameOnly": true, "authorizedCollections": false };
    let listed = connection.collect(database, "list collections", command, CursorSettings::default()).await?;
    let names = listed.documents.iter().filter_map(|entry| entry.get_str("name").ok());
    let mut names: Vec<Namespace> = names.map(|name| Namespace::new(database, name)).collect();
    names.sort_unstable();
    Ok(names)
}
