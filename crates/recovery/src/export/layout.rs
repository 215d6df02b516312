//! What the folder consists of: one entry for each collection at the target, decided before the first file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use archive::catalog::Finding;
use archive::collection_page::CollectionRecord;
use archive::mongodump::{
    self, Kind, Metadata, NotJson, UnusableName, file_stem, is_database_folder, looks_like_a_type,
};
use archive::timeline::Collection;
use archive::{CollectionUuid, Namespace};
use bson::raw::cstr;
use bson::{RawDocument, RawDocumentBuf};

use crate::failure::{Failure, FailureKind, Result};
use crate::restore::survey::Window;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Data,
    Views,
    Users,
    Roles,
}

impl Role {
    fn of(namespace: &Namespace) -> Self {
        if namespace.is_views() {
            Self::Views
        } else if namespace.is_users() {
            Self::Users
        } else if namespace.is_roles() {
            Self::Roles
        } else {
            Self::Data
        }
    }
}

/// A collection at the target.
pub struct Entry<'a> {
    pub collection: &'a Collection,
    /// What the snapshot has of it; `None` when it was created in the window.
    pub record: Option<&'a CollectionRecord>,
    pub role: Role,
    /// Relative to the folder.
    pub data_file: PathBuf,
    pub metadata_file: PathBuf,
    pub metadata: String,
    pub indexes: u64,
}

pub struct Layout<'a> {
    entries: BTreeMap<CollectionUuid, Entry<'a>>,
    /// What `mongorestore` will not do as a restore would.
    pub findings: Vec<Finding>,
    pub notes: Vec<String>,
}

impl<'a> Layout<'a> {
    pub fn of(window: &'a Window) -> Result<Self> {
        let mut layout = Self { entries: BTreeMap::new(), findings: Vec::new(), notes: Vec::new() };
        let mut expiring = 0;
        for collection in window.resolution.collections.values() {
            let record = window.records.iter().find(|record| record.uuid == collection.uuid);
            let entry = entry(collection, record, &mut layout.findings)?;
            layout.findings.extend(capped_finding(&entry));
            expiring += collection.ttl_indexes().len() + usize::from(collection.ttl.is_some());
            layout.entries.insert(collection.uuid, entry);
        }
        if expiring > 0 {
            layout.notes.push(format!(
                "documents of {expiring} TTL indexes or expiring collections are deleted as soon as mongorestore has made them: \
                 start the server with ttlMonitorEnabled=false when they are wanted"
            ));
        }
        Ok(layout)
    }

    pub fn get(&self, uuid: CollectionUuid) -> Option<&Entry<'a>> {
        self.entries.get(&uuid)
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.values()
    }
}

fn entry<'a>(
    collection: &'a Collection,
    record: Option<&'a CollectionRecord>,
    findings: &mut Vec<Finding>,
) -> Result<Entry<'a>> {
    let namespace = &collection.namespace;
    let described = describe(collection).map_err(|problem| refused(namespace, problem))?;
    let unusable = |error: UnusableName| refused(namespace, error.to_string());
    let folder = folder_of(&namespace.db)?;
    let stem = file_stem(&namespace.coll).map_err(unusable)?;
    let metadata_stem = file_stem(&described.name).map_err(unusable)?;
    let metadata = Metadata {
        name: &described.name,
        kind: described.kind,
        options: &described.options,
        indexes: &described.indexes,
        uuid: (described.kind == Kind::Collection).then_some(collection.uuid),
    };
    let metadata = metadata.to_json().map_err(|error| not_json(namespace, &error))?;
    let ambiguous =
        std::iter::once(&described.options).chain(&described.indexes).find_map(|part| looks_like_a_type(part));
    findings.extend(ambiguous.map(|name| ambiguity(namespace, &name)));
    Ok(Entry {
        collection,
        record,
        role: Role::of(namespace),
        data_file: folder.join(format!("{stem}.bson")),
        metadata_file: folder.join(format!("{metadata_stem}.metadata.json")),
        metadata,
        indexes: described.indexes.len() as u64,
    })
}

/// The folder of a database. A name that no server allows is damage, and must not lead anywhere.
pub fn folder_of(database: &str) -> Result<PathBuf> {
    if is_database_folder(database) {
        return Ok(PathBuf::from(database));
    }
    Err(Failure::integrity(format!("`{}` is not the name of a database", database.escape_debug())))
}

struct Described {
    name: String,
    kind: Kind,
    options: RawDocumentBuf,
    indexes: Vec<RawDocumentBuf>,
}

fn describe(collection: &Collection) -> Result<Described, String> {
    let options = with_expiry(collection);
    let series = collection.namespace.time_series_name().filter(|_| options.get_document("timeseries").is_ok());
    let Some(name) = series else {
        let indexes = collection.id_index.iter().chain(&collection.indexes).cloned().collect();
        return Ok(Described { name: collection.namespace.coll.clone(), kind: Kind::Collection, options, indexes });
    };
    let changes = collection.coll_mods.iter().filter_map(|change| change.get_document("timeseries").ok());
    let options = mongodump::time_series_options(&options, changes);
    let settings = options.get_document("timeseries").map(ToOwned::to_owned).unwrap_or_default();
    let index = |spec: &RawDocumentBuf| {
        let name = spec.get_str("name").unwrap_or_default();
        mongodump::time_series_index(spec, &settings)
            .ok_or_else(|| format!("its index `{name}` cannot be told as an index of a time-series collection"))
    };
    let indexes = collection.indexes.iter().map(index).collect::<Result<_, _>>()?;
    Ok(Described { name: name.to_owned(), kind: Kind::TimeSeries, options, indexes })
}

/// The options as a listing shows them: the expiry is one.
fn with_expiry(collection: &Collection) -> RawDocumentBuf {
    let mut options = collection.options.clone();
    if let Some(ttl) = collection.ttl {
        options.append(cstr!("expireAfterSeconds"), ttl.seconds);
    }
    options
}

/// A capped collection evicts while it is filled, and the source may have kept more than its limits allow by now.
fn capped_finding(entry: &Entry<'_>) -> Option<Finding> {
    let (size, max) = entry.collection.capped_limits()?;
    let record = entry.record?;
    let limit = |name| record.options.get(name).ok().flatten().and_then(|value| whole(value));
    let was_lowered = limit("size").is_some_and(|before| before > size)
        || max.is_some_and(|max| limit("max").is_none_or(|before| before <= 0 || before > max));
    let holds_more = i64::try_from(record.bytes()).unwrap_or(i64::MAX) > size
        || max.is_some_and(|max| i64::try_from(record.documents()).unwrap_or(i64::MAX) > max);
    (was_lowered || holds_more).then(|| Finding {
        object: entry.collection.namespace.to_string(),
        problem:
            "the source may hold more than the limits of this capped collection allow, because they were lowered; \
                  mongorestore will drop what is above them, `dr-cli restore` does not"
                .to_owned(),
    })
}

fn whole(value: bson::raw::RawBsonRef<'_>) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation, reason = "bytes; the server stores whole numbers")]
    value.as_i64().or_else(|| value.as_i32().map(i64::from)).or_else(|| value.as_f64().map(|number| number as i64))
}

pub fn ambiguity(namespace: &Namespace, name: &str) -> Finding {
    Finding {
        object: namespace.to_string(),
        problem: format!(
            "its options hold a document that begins with `{name}`, which extended JSON cannot tell from a type: \
             mongorestore may read something else; `dr-cli restore` does not go through JSON"
        ),
    }
}

pub fn not_json(namespace: &Namespace, error: &NotJson) -> Failure {
    refused(namespace, error.to_string())
}

fn refused(namespace: &Namespace, problem: impl Into<String>) -> Failure {
    Failure::new(FailureKind::NotRestorable, format!("{namespace} cannot be described as mongodump does"))
        .at(namespace.to_string())
        .because(problem)
        .then("dr-cli restore, which needs no such description; mongodump of the restored server")
}

/// For views, whose options are in their definition.
pub fn options_of_view(definition: &RawDocument) -> Option<RawDocumentBuf> {
    let mut options = RawDocumentBuf::new();
    options.append(cstr!("viewOn"), definition.get_str("viewOn").ok()?);
    options.append(cstr!("pipeline"), definition.get_array("pipeline").ok()?);
    if let Ok(collation) = definition.get_document("collation") {
        options.append(cstr!("collation"), collation);
    }
    Some(options)
}
