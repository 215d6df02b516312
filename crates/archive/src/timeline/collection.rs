//! One collection followed by UUID: its name, options and indexes as DDL entries change them.

use bson::raw::RawBsonRef;
use bson::{RawBson, RawDocument, RawDocumentBuf};

use crate::oplog::{OpKind, Operation};
use crate::{ClusterTime, CollectionUuid, Namespace};

use super::SurveyError;

/// A collection as the snapshot lists it.
#[derive(Debug, Clone)]
pub struct ListedCollection {
    pub uuid: CollectionUuid,
    pub namespace: Namespace,
    /// As `listCollections` gave them.
    pub options: RawDocumentBuf,
    pub id_index: Option<RawDocumentBuf>,
    /// As `listIndexes` gave them, the `_id` index included.
    pub indexes: Vec<RawDocumentBuf>,
    /// Whether the scan reached the end; otherwise the collection was dropped under it.
    pub read: bool,
    /// `_id` of the last scanned document of a capped collection.
    pub last_id: Option<RawBson>,
    /// The member's operation time when the scan ended.
    pub scanned_through: ClusterTime,
}

/// A collection as it is at the target.
#[derive(Debug, Clone)]
pub struct Collection {
    pub uuid: CollectionUuid,
    pub namespace: Namespace,
    /// Options to create it with; `expireAfterSeconds` is taken out into `ttl`.
    pub options: RawDocumentBuf,
    pub id_index: Option<RawDocumentBuf>,
    /// Secondary indexes, verbatim specifications.
    pub indexes: Vec<RawDocumentBuf>,
    /// `collMod` commands to run, in order, right after the creation: the server alone knows what they do to defaults.
    pub coll_mods: Vec<RawDocumentBuf>,
    /// Documents expire by an option of the collection itself (clustered and time-series collections).
    pub ttl: Option<CollectionTtl>,
    /// Whether the snapshot holds segments of it.
    pub in_snapshot: bool,
    pub capped: bool,
    /// For a capped collection: inserts up to here are in the scanned data or were evicted before the scan came by.
    pub skip_inserts_through: Option<ClusterTime>,
    pub(super) read: bool,
    last_id: Option<RawBson>,
    scanned_through: ClusterTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectionTtl {
    pub seconds: i64,
}

/// An index by which documents expire.
#[derive(Debug, Clone, PartialEq)]
pub struct TtlIndex {
    pub name: String,
    pub seconds: i64,
}

impl Collection {
    pub(super) fn listed(listed: ListedCollection) -> Self {
        let (options, ttl) = take_ttl(&listed.options);
        let capped = options.get_bool("capped").unwrap_or(false);
        Self {
            uuid: listed.uuid,
            namespace: listed.namespace,
            options,
            id_index: listed.id_index,
            indexes: listed.indexes.into_iter().filter(|spec| is_secondary(spec)).collect(),
            coll_mods: Vec::new(),
            ttl,
            in_snapshot: true,
            capped,
            skip_inserts_through: None,
            read: listed.read,
            last_id: listed.last_id.filter(|_| capped),
            scanned_through: listed.scanned_through,
        }
    }

    /// Applies a `create` entry. One that the snapshot listed as well starts over from its creation: everything that
    /// made it what was listed follows in the window.
    pub(super) fn created(uuid: CollectionUuid, namespace: Namespace, o: &RawDocument, known: Option<Self>) -> Self {
        let (options, ttl) = take_ttl(&without(o, &["create", "idIndex"]));
        let id_index = o.get_document("idIndex").ok().map(ToOwned::to_owned);
        let capped = options.get_bool("capped").unwrap_or(false);
        let (in_snapshot, read, last_id, scanned_through) = known
            .map_or((false, true, None, ClusterTime::ZERO), |known| {
                (known.in_snapshot, known.read, known.last_id, known.scanned_through)
            });
        Self {
            uuid,
            namespace,
            options,
            id_index,
            indexes: Vec::new(),
            coll_mods: Vec::new(),
            ttl,
            in_snapshot,
            capped,
            skip_inserts_through: None,
            read,
            last_id,
            scanned_through,
        }
    }

    /// Size in bytes and, when there is one, number of documents that a capped collection is limited to.
    pub fn capped_limits(&self) -> Option<(i64, Option<i64>)> {
        let field = |name| self.options.get(name).ok().flatten().and_then(integer);
        self.capped.then(|| (field("size").unwrap_or_default(), field("max").filter(|max| *max > 0)))
    }

    /// Options with which a capped collection evicts nothing by itself.
    ///
    /// Since 5.0 the oplog has a delete for each document that the source evicted, and a source whose limits were lowered
    /// keeps more than they allow until its next insert. So the real limits are set after the replay.
    pub fn unlimited_options(&self) -> RawDocumentBuf {
        const LARGEST: i64 = 1 << 40;
        let options = with(&self.options, "max", None);
        with(&options, "size", Some(RawBsonRef::Int64(LARGEST)))
    }

    /// Whether all `_id`s compare byte by byte; otherwise different texts can be one key.
    pub fn has_simple_collation(&self) -> bool {
        match self.options.get_document("collation") {
            Ok(collation) => collation.get_str("locale").is_ok_and(|locale| locale == "simple"),
            Err(_) => true,
        }
    }

    /// Indexes that expire documents, as the source has them.
    pub fn ttl_indexes(&self) -> Vec<TtlIndex> {
        self.indexes
            .iter()
            .filter_map(|spec| {
                let seconds = integer(spec.get("expireAfterSeconds").ok().flatten()?)?;
                Some(TtlIndex { name: spec.get_str("name").ok()?.to_owned(), seconds })
            })
            .collect()
    }

    /// Notes an insert into a capped collection: the last scanned document's own insert tells what the scan has seen.
    pub(super) fn note_capped_insert(&mut self, at: ClusterTime, id: Option<RawBsonRef<'_>>) {
        if at > self.scanned_through {
            return;
        }
        if let (Some(last), Some(id)) = (&self.last_id, id)
            && RawBson::from(id) == *last
        {
            self.skip_inserts_through = Some(at);
        }
    }

    /// Applies index and option DDL. `strict` is set after the snapshot's end, where nothing may be missing any more.
    pub(super) fn apply(
        &mut self,
        at: ClusterTime,
        operation: &Operation<'_>,
        strict: bool,
    ) -> Result<(), SurveyError> {
        match operation.kind {
            OpKind::CreateIndexes if operation.o.get("indexes").ok().flatten().is_none() => {
                self.put_index(without(operation.o, &["createIndexes", "ns"]));
                Ok(())
            }
            OpKind::CreateIndexes | OpKind::CommitIndexBuild => {
                let invalid = || SurveyError::InvalidField { at, field: "indexes".to_owned() };
                for spec in operation.o.get_array("indexes").map_err(|_| invalid())? {
                    let spec = spec.ok().and_then(RawBsonRef::as_document).ok_or_else(invalid)?;
                    self.put_index(without(spec, &["ns"]));
                }
                Ok(())
            }
            OpKind::DropIndexes => self.drop_index(at, operation, strict),
            OpKind::CollMod => self.coll_mod(at, operation, strict),
            // An index build that is started or aborted changes nothing; one that matters is committed.
            _ => Ok(()),
        }
    }

    fn put_index(&mut self, spec: RawDocumentBuf) {
        if !is_secondary(&spec) {
            return;
        }
        let name = spec.get_str("name").unwrap_or_default().to_owned();
        match self.index_position(&name) {
            Some(position) => self.indexes[position] = spec,
            None => self.indexes.push(spec),
        }
    }

    fn index_position(&self, name: &str) -> Option<usize> {
        self.indexes.iter().position(|spec| spec.get_str("name").is_ok_and(|n| n == name))
    }

    fn unknown_index(&self, at: ClusterTime, operation: &Operation<'_>, index: &str) -> SurveyError {
        SurveyError::UnknownIndex {
            at,
            label: operation.label().to_owned(),
            index: index.to_owned(),
            namespace: self.namespace.clone(),
        }
    }

    fn drop_index(&mut self, at: ClusterTime, operation: &Operation<'_>, strict: bool) -> Result<(), SurveyError> {
        let invalid = || SurveyError::InvalidField { at, field: "index".to_owned() };
        let name = operation.o.get_str("index").map_err(|_| invalid())?;
        if name == "*" {
            self.indexes.clear();
            return Ok(());
        }
        match self.index_position(name) {
            Some(position) => {
                self.indexes.remove(position);
                Ok(())
            }
            None if strict => Err(self.unknown_index(at, operation, name)),
            None => Ok(()),
        }
    }

    fn coll_mod(&mut self, at: ClusterTime, operation: &Operation<'_>, strict: bool) -> Result<(), SurveyError> {
        let mut forwarded = RawDocumentBuf::new();
        let mut changes_options = false;
        for element in operation.o {
            let (key, value) = element.map_err(|_| SurveyError::InvalidField { at, field: "o".to_owned() })?;
            match key.as_str() {
                "collMod" => {}
                "index" => self.change_index(at, operation, value, strict)?,
                "cappedSize" => self.options = with(&self.options, "size", Some(value)),
                "cappedMax" => {
                    // Zero and less mean no limit.
                    let limit = integer(value).filter(|limit| *limit > 0).map(|_| value);
                    self.options = with(&self.options, "max", limit);
                }
                "expireAfterSeconds" => self.ttl = integer(value).map(|seconds| CollectionTtl { seconds }),
                "validator"
                | "validationLevel"
                | "validationAction"
                | "changeStreamPreAndPostImages"
                | "recordPreImages"
                | "timeseries" => {
                    forwarded.append(key, value);
                    changes_options = true;
                }
                other => {
                    return Err(SurveyError::UnknownCollMod {
                        at,
                        namespace: self.namespace.to_string(),
                        field: other.to_owned(),
                    });
                }
            }
        }
        if changes_options {
            self.coll_mods.push(forwarded);
        }
        Ok(())
    }

    /// `collMod` of an index, as 6.0 logs it: `{name, expireAfterSeconds | hidden | prepareUnique | unique |
    /// forceNonUnique}`.
    fn change_index(
        &mut self,
        at: ClusterTime,
        operation: &Operation<'_>,
        change: RawBsonRef<'_>,
        strict: bool,
    ) -> Result<(), SurveyError> {
        let invalid = || SurveyError::InvalidField { at, field: "index".to_owned() };
        let change = change.as_document().ok_or_else(invalid)?;
        let position = match (change.get_str("name"), change.get_document("keyPattern")) {
            (Ok(name), _) => self.index_position(name),
            (_, Ok(key)) => self
                .indexes
                .iter()
                .position(|spec| spec.get_document("key").is_ok_and(|k| k.as_bytes() == key.as_bytes())),
            _ => return Err(invalid()),
        };
        let mut spec = position.map_or_else(RawDocumentBuf::new, |position| self.indexes[position].clone());
        for element in change {
            let (key, value) = element.map_err(|_| invalid())?;
            match (key.as_str(), value) {
                ("name" | "keyPattern", _) => {}
                ("expireAfterSeconds", seconds) => {
                    spec = with(&spec, "expireAfterSeconds", Some(seconds));
                }
                (flag @ ("hidden" | "prepareUnique"), RawBsonRef::Boolean(set)) => {
                    spec = with(&spec, flag, set.then_some(RawBsonRef::Boolean(true)));
                }
                ("unique", RawBsonRef::Boolean(true)) => {
                    spec = with(&without(&spec, &["prepareUnique"]), "unique", Some(RawBsonRef::Boolean(true)));
                }
                ("forceNonUnique", RawBsonRef::Boolean(true)) => spec = without(&spec, &["unique"]),
                (other, _) => {
                    return Err(SurveyError::UnknownCollMod {
                        at,
                        namespace: self.namespace.to_string(),
                        field: format!("index.{other}"),
                    });
                }
            }
        }
        match position {
            Some(position) => self.indexes[position] = spec,
            None if strict => {
                let name = change.get_str("name").unwrap_or("(by key pattern)");
                return Err(self.unknown_index(at, operation, name));
            }
            None => {}
        }
        Ok(())
    }
}

/// Neither the `_id` index nor the clustered one: both come with the collection itself.
fn is_secondary(spec: &RawDocument) -> bool {
    let clustered = matches!(spec.get("clustered"), Ok(Some(_)));
    !clustered && spec.get_str("name").is_ok_and(|name| name != "_id_")
}

fn integer(value: RawBsonRef<'_>) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation, reason = "seconds; the server stores whole numbers")]
    match value {
        RawBsonRef::Int32(number) => Some(i64::from(number)),
        RawBsonRef::Int64(number) => Some(number),
        RawBsonRef::Double(number) if number.is_finite() => Some(number as i64),
        _ => None,
    }
}

fn take_ttl(options: &RawDocument) -> (RawDocumentBuf, Option<CollectionTtl>) {
    let ttl = options.get("expireAfterSeconds").ok().flatten().and_then(integer);
    // `temp` marks a collection that the server drops at its next start; a restored one must stay.
    (without(options, &["expireAfterSeconds", "temp", "uuid"]), ttl.map(|seconds| CollectionTtl { seconds }))
}

/// A copy without some top-level fields; all other bytes stay.
fn without(document: &RawDocument, fields: &[&str]) -> RawDocumentBuf {
    let mut copy = RawDocumentBuf::new();
    for (key, value) in document.iter().flatten() {
        if !fields.contains(&key.as_str()) {
            copy.append(key, value);
        }
    }
    copy
}

/// A copy in which a top-level field is set in place, appended or (with `None`) left out.
fn with(document: &RawDocument, field: &str, value: Option<RawBsonRef<'_>>) -> RawDocumentBuf {
    let mut copy = RawDocumentBuf::new();
    let mut placed = false;
    for (key, old) in document.iter().flatten() {
        if key.as_str() != field {
            copy.append(key, old);
        } else if let Some(new) = value {
            copy.append(key, new);
            placed = true;
        }
    }
    if let (Some(new), false) = (value, placed) {
        let field: bson::raw::CString = match field.to_owned().try_into() {
            Ok(field) => field,
            Err(_) => return copy,
        };
        copy.append(field, new);
    }
    copy
}
