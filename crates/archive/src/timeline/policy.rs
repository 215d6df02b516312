//! The policy table: what a restore makes of each kind of operation, and which ones it refuses.
//!
//! Whatever one entry decides by itself is decided here, for two readers: the survey, which meets the entry when a restore
//! would have to replay it, and the archiver, which records when it archives the entry that nothing is replayed across it.

use bson::raw::RawBsonRef;
use bson::{RawDocument, RawDocumentBuf};

use crate::oplog::{Entry, OpKind, Operation, TransactionRole};
use crate::{ClusterTime, CollectionUuid, Namespace};

use super::collection::Collection;
use super::{SkipReason, SurveyError};

/// What becomes of an operation.
pub(super) enum Treatment {
    /// Counted under this namespace.
    Skip(SkipReason, String),
    Nothing,
    /// It is about a collection that a backup protects.
    Follow {
        uuid: CollectionUuid,
        namespace: Namespace,
    },
}

/// Each kind of operation has its line here.
pub(super) fn treatment(at: ClusterTime, operation: &Operation<'_>) -> Result<Treatment, SurveyError> {
    match operation.kind {
        OpKind::Noop => return Ok(Treatment::Skip(SkipReason::Noop, String::new())),
        OpKind::DbCheck => return Ok(Treatment::Skip(SkipReason::DbCheck, operation.db().to_owned())),
        OpKind::Unknown => return Err(unknown_entry(at, operation)),
        // Server behaviour: each collection's own drop is logged before it.
        OpKind::DropDatabase => return Ok(Treatment::Nothing),
        _ => {}
    }
    let Some(namespace) = operation.namespace() else { return Err(unknown_entry(at, operation)) };
    if !namespace.is_protected() {
        if changes_feature_compatibility_version(&namespace, operation) {
            return Err(SurveyError::FeatureCompatibilityChanged { at });
        }
        return Ok(Treatment::Skip(SkipReason::Internal, namespace.to_string()));
    }
    let Some(uuid) = operation.uuid else {
        let label = operation.label().to_owned();
        return Err(SurveyError::MissingUuid { at, label, namespace: namespace.to_string() });
    };
    Ok(Treatment::Follow { uuid, namespace })
}

pub(super) fn unknown_entry(at: ClusterTime, operation: &Operation<'_>) -> SurveyError {
    let namespace = operation.namespace().map_or_else(|| operation.ns.to_owned(), |namespace| namespace.to_string());
    SurveyError::UnknownEntry { at, label: operation.label().to_owned(), namespace }
}

/// Server behaviour: the document is made once, before a set has any data, and cannot be removed. So an insert of it
/// changes nothing that a snapshot could have seen; only later versions of it do.
fn changes_feature_compatibility_version(namespace: &Namespace, operation: &Operation<'_>) -> bool {
    operation.kind != OpKind::Insert
        && namespace.db == "admin"
        && namespace.coll == "system.version"
        && operation.document_id().and_then(RawBsonRef::as_str) == Some("featureCompatibilityVersion")
}

/// The new name of a collection, and the collection that had it.
pub(super) fn rename_target(
    at: ClusterTime,
    operation: &Operation<'_>,
) -> Result<(Namespace, Option<CollectionUuid>), SurveyError> {
    let invalid = |field: &str| SurveyError::InvalidField { at, field: field.to_owned() };
    let to = operation.o.get_str("to").ok().and_then(Namespace::parse).ok_or_else(|| invalid("to"))?;
    match operation.o.get("dropTarget").ok().flatten() {
        None | Some(RawBsonRef::Boolean(false)) => Ok((to, None)),
        Some(RawBsonRef::Binary(binary)) => {
            let dropped = CollectionUuid::from_binary(binary).ok_or_else(|| invalid("dropTarget"))?;
            Ok((to, Some(dropped)))
        }
        Some(_) => Err(invalid("dropTarget")),
    }
}

/// Whether a restore can replay the entry, as far as the entry alone tells. The error is the one with which a survey
/// stops at it; what a survey knows besides (collections, transactions, other entries) can still be a reason to stop.
pub fn check_entry(raw: &RawDocument) -> Result<(), SurveyError> {
    if is_ordinary_write(raw) {
        return Ok(());
    }
    let entry = Entry::parse(raw)?;
    match entry.transaction_role() {
        TransactionRole::Commit | TransactionRole::Abort => Ok(()),
        _ => entry.for_each_operation(|operation| check_operation(entry.at, &operation)),
    }
}

fn check_operation(at: ClusterTime, operation: &Operation<'_>) -> Result<(), SurveyError> {
    if operation.kind.is_crud() && operation.uuid.is_some() && is_outside_admin(operation.ns) {
        return Ok(());
    }
    let Treatment::Follow { uuid, namespace } = treatment(at, operation)? else { return Ok(()) };
    match operation.kind {
        OpKind::RenameCollection => rename_target(at, operation).map(|_| ()),
        OpKind::Insert | OpKind::Update | OpKind::Delete | OpKind::Create | OpKind::Drop => Ok(()),
        _ => Collection::created(uuid, namespace, &RawDocumentBuf::new(), None).apply(at, operation, false),
    }
}

/// Nearly all entries are inserts, updates and deletes outside of `admin`. Their first fields tell; nothing is copied.
fn is_ordinary_write(raw: &RawDocument) -> bool {
    let (mut is_crud, mut is_outside, mut has_uuid, mut has_o) = (false, false, false, false);
    for element in raw {
        let Ok((key, value)) = element else { return false };
        match (key.as_str(), value) {
            ("op", RawBsonRef::String("i" | "u" | "d")) => is_crud = true,
            ("ns", RawBsonRef::String(ns)) if is_outside_admin(ns) => is_outside = true,
            ("op" | "ns", _) => return false,
            ("ui", RawBsonRef::Binary(binary)) => has_uuid = CollectionUuid::from_binary(binary).is_some(),
            ("o", RawBsonRef::Document(_)) => has_o = true,
            _ => {}
        }
        if is_crud && is_outside && has_uuid && has_o {
            return true;
        }
    }
    false
}

/// A namespace as [`Namespace::parse`] takes it, where no document of the server's own changes what can be replayed.
fn is_outside_admin(ns: &str) -> bool {
    ns.split_once('.').is_some_and(|(db, coll)| !db.is_empty() && !coll.is_empty() && db != "admin")
}
