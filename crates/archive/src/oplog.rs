//! The meaning of one oplog entry, read from its raw bytes.
//!
//! Nothing is decoded that is not needed and nothing is changed: `o` and `o2` are borrowed slices of the entry. Used
//! by the survey (what a restore will do), by replay and by `dr-cli find`, so that all three agree.

use bson::RawDocument;
use bson::raw::RawBsonRef;

use crate::{ClusterTime, CollectionUuid, Namespace};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("an oplog entry is not valid BSON: {0}")]
    InvalidBson(String),
    #[error("the oplog entry at {at} has no valid `{field}`")]
    Field { at: ClusterTime, field: &'static str },
    #[error("the oplog entry at {at} nests applyOps deeper than the server allows")]
    TooDeep { at: ClusterTime },
}

/// What an operation does, as `op` and the command name say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OpKind {
    Insert,
    Update,
    Delete,
    Noop,
    Create,
    Drop,
    DropDatabase,
    CreateIndexes,
    StartIndexBuild,
    CommitIndexBuild,
    AbortIndexBuild,
    DropIndexes,
    RenameCollection,
    CollMod,
    ApplyOps,
    CommitTransaction,
    AbortTransaction,
    DbCheck,
    /// An entry type that this version does not know. It is never skipped in silence.
    Unknown,
}

const COMMANDS: &[(&str, OpKind)] = &[
    ("create", OpKind::Create),
    ("drop", OpKind::Drop),
    ("dropDatabase", OpKind::DropDatabase),
    ("createIndexes", OpKind::CreateIndexes),
    ("startIndexBuild", OpKind::StartIndexBuild),
    ("commitIndexBuild", OpKind::CommitIndexBuild),
    ("abortIndexBuild", OpKind::AbortIndexBuild),
    ("dropIndexes", OpKind::DropIndexes),
    ("deleteIndexes", OpKind::DropIndexes),
    ("deleteIndex", OpKind::DropIndexes),
    ("dropIndex", OpKind::DropIndexes),
    ("renameCollection", OpKind::RenameCollection),
    ("collMod", OpKind::CollMod),
    ("applyOps", OpKind::ApplyOps),
    ("commitTransaction", OpKind::CommitTransaction),
    ("abortTransaction", OpKind::AbortTransaction),
    ("dbCheck", OpKind::DbCheck),
];

impl OpKind {
    /// The name an operator uses, for `find --op` and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Noop => "noop",
            Self::Unknown => "unknown",
            command => COMMANDS.iter().find(|(_, kind)| *kind == command).map_or("unknown", |(name, _)| name),
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "insert" => Some(Self::Insert),
            "update" => Some(Self::Update),
            "delete" => Some(Self::Delete),
            "noop" => Some(Self::Noop),
            _ => COMMANDS.iter().find(|(n, _)| *n == name).map(|(_, kind)| *kind),
        }
    }

    pub fn is_crud(self) -> bool {
        matches!(self, Self::Insert | Self::Update | Self::Delete)
    }

    fn of(op: &str, o: &RawDocument) -> Self {
        match op {
            "i" => Self::Insert,
            "u" => Self::Update,
            "d" => Self::Delete,
            "n" => Self::Noop,
            "c" => first_key(o)
                .and_then(|name| COMMANDS.iter().find(|(command, _)| *command == name))
                .map_or(Self::Unknown, |(_, kind)| *kind),
            _ => Self::Unknown,
        }
    }
}

fn first_key(document: &RawDocument) -> Option<&str> {
    document.iter().next()?.ok().map(|(key, _)| key.as_str())
}

/// One operation: a whole oplog entry, or one inside an `applyOps`.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    pub kind: OpKind,
    /// `op` as written; for messages about unknown entry types.
    pub code: &'a str,
    /// `db.coll`, or `db.$cmd` for a command.
    pub ns: &'a str,
    pub uuid: Option<CollectionUuid>,
    pub o: &'a RawDocument,
    pub o2: Option<&'a RawDocument>,
    /// The server marked the update as an upsert (`b: true`).
    pub upsert: bool,
}

impl<'a> Operation<'a> {
    /// The same operation with its kind read anew from `op` and `o`.
    pub(crate) fn with_kind(mut self) -> Self {
        self.kind = OpKind::of(self.code, self.o);
        self
    }

    pub fn db(&self) -> &'a str {
        self.ns.split_once('.').map_or(self.ns, |(db, _)| db)
    }

    /// The namespace that the operation is about: for a command, its database and the collection it names.
    pub fn namespace(&self) -> Option<Namespace> {
        match self.kind {
            OpKind::RenameCollection => Namespace::parse(self.o.get_str("renameCollection").ok()?),
            OpKind::DropDatabase | OpKind::ApplyOps | OpKind::CommitTransaction | OpKind::AbortTransaction => None,
            _ if self.code == "c" => match self.o.iter().next()?.ok()?.1 {
                RawBsonRef::String(coll) => Some(Namespace::new(self.db(), coll)),
                _ => None,
            },
            _ => Namespace::parse(self.ns),
        }
    }

    /// The command name as written, or the operation code.
    pub fn label(&self) -> &'a str {
        if self.code == "c" { first_key(self.o).unwrap_or("c") } else { self.code }
    }

    /// `_id` of the document that an insert, update or delete is about.
    pub fn document_id(&self) -> Option<RawBsonRef<'a>> {
        let holder = if self.kind == OpKind::Update { self.o2? } else { self.o };
        holder.get("_id").ok().flatten()
    }
}

/// Which multi-document transaction an entry belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TransactionKey {
    pub lsid: Vec<u8>,
    pub number: i64,
}

/// The part that an entry plays in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionRole {
    /// Not part of a multi-document transaction (retryable writes included).
    None,
    /// A whole transaction in one entry: it is committed by being there.
    Whole,
    /// One of several entries before the last one.
    Partial,
    /// The last of several entries of a transaction that needs no separate commit.
    Last,
    /// The (last) entry of a prepared transaction; `commitTransaction` or `abortTransaction` follows.
    Prepare,
    Commit,
    Abort,
}

/// One oplog entry.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    pub at: ClusterTime,
    pub term: i64,
    pub wall_ms: Option<i64>,
    pub operation: Operation<'a>,
    pub lsid: Option<&'a RawDocument>,
    txn_number: Option<i64>,
    /// Time of the previous entry of the same transaction or retryable session; zero when there is none.
    pub previous: Option<ClusterTime>,
    /// 8.0 writes retryable batches as `applyOps` with `multiOpType: 1`; these are no transactions.
    multi_op_type: i32,
}

impl<'a> Entry<'a> {
    pub fn parse(raw: &'a RawDocument) -> Result<Self, EntryError> {
        let mut at = None;
        let mut term = None;
        let mut wall_ms = None;
        let (mut lsid, mut txn_number, mut previous, mut multi_op_type) = (None, None, None, 0);
        let mut parts = Parts::default();
        for element in raw {
            let (key, value) = element.map_err(|e| EntryError::InvalidBson(e.to_string()))?;
            match (key.as_str(), value) {
                ("ts", RawBsonRef::Timestamp(ts)) => at = Some(ClusterTime::from(ts)),
                ("t", RawBsonRef::Int64(t)) => term = Some(t),
                ("t", RawBsonRef::Int32(t)) => term = Some(i64::from(t)),
                ("wall", RawBsonRef::DateTime(wall)) => wall_ms = Some(wall.timestamp_millis()),
                ("lsid", RawBsonRef::Document(document)) => lsid = Some(document),
                ("txnNumber", RawBsonRef::Int64(number)) => txn_number = Some(number),
                ("txnNumber", RawBsonRef::Int32(number)) => txn_number = Some(i64::from(number)),
                ("multiOpType", RawBsonRef::Int32(kind)) => multi_op_type = kind,
                ("prevOpTime", RawBsonRef::Document(optime)) => {
                    previous = optime.get_timestamp("ts").ok().map(ClusterTime::from);
                }
                (key, value) => parts.take(key, value),
            }
        }
        let at = at.ok_or(EntryError::Field { at: ClusterTime::ZERO, field: "ts" })?;
        let operation = parts.finish(at)?;
        let term = term.unwrap_or(-1);
        Ok(Self { at, term, wall_ms, operation, lsid, txn_number, previous, multi_op_type })
    }

    pub fn transaction_key(&self) -> Option<TransactionKey> {
        Some(TransactionKey { lsid: self.lsid?.as_bytes().to_vec(), number: self.txn_number? })
    }

    /// Server behaviour (4.2 to 8.0): a transaction is one `applyOps`, or a chain linked by `prevOpTime` in which all
    /// but the last carry `partialTxn: true`; a prepared one ends in `prepare: true` and is decided by a later entry.
    pub fn transaction_role(&self) -> TransactionRole {
        match self.operation.kind {
            OpKind::CommitTransaction => TransactionRole::Commit,
            OpKind::AbortTransaction => TransactionRole::Abort,
            OpKind::ApplyOps if self.lsid.is_some() && self.txn_number.is_some() && self.multi_op_type != 1 => {
                let flag = |name| self.operation.o.get_bool(name).unwrap_or(false);
                if flag("partialTxn") {
                    TransactionRole::Partial
                } else if flag("prepare") {
                    TransactionRole::Prepare
                } else if self.is_chain_head() {
                    TransactionRole::Whole
                } else {
                    TransactionRole::Last
                }
            }
            _ => TransactionRole::None,
        }
    }

    /// Whether no earlier entry belongs to the same transaction.
    pub fn is_chain_head(&self) -> bool {
        self.previous.is_none_or(|previous| previous == ClusterTime::ZERO)
    }

    /// Calls `visit` for each operation of the entry: itself, or what its `applyOps` holds, nested ones included.
    pub fn for_each_operation<E: From<EntryError>>(
        &self,
        mut visit: impl FnMut(Operation<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        visit_operations(self.at, self.operation, 0, &mut visit)
    }
}

/// The server refuses deeper nesting.
const MAX_DEPTH: usize = 10;

fn visit_operations<'a, E: From<EntryError>>(
    at: ClusterTime,
    operation: Operation<'a>,
    depth: usize,
    visit: &mut impl FnMut(Operation<'a>) -> Result<(), E>,
) -> Result<(), E> {
    if operation.kind != OpKind::ApplyOps {
        return visit(operation);
    }
    if depth >= MAX_DEPTH {
        return Err(EntryError::TooDeep { at }.into());
    }
    let inner = operation.o.get_array("applyOps").map_err(|_| EntryError::Field { at, field: "applyOps" })?;
    for element in inner {
        let element = element.map_err(|e| EntryError::InvalidBson(e.to_string()))?;
        let document = element.as_document().ok_or(EntryError::Field { at, field: "applyOps" })?;
        let mut parts = Parts::default();
        for field in document {
            let (key, value) = field.map_err(|e| EntryError::InvalidBson(e.to_string()))?;
            parts.take(key.as_str(), value);
        }
        visit_operations(at, parts.finish(at)?, depth + 1, visit)?;
    }
    Ok(())
}

#[derive(Default)]
struct Parts<'a> {
    code: Option<&'a str>,
    ns: Option<&'a str>,
    uuid: Option<CollectionUuid>,
    o: Option<&'a RawDocument>,
    o2: Option<&'a RawDocument>,
    upsert: bool,
}

impl<'a> Parts<'a> {
    fn take(&mut self, key: &str, value: RawBsonRef<'a>) {
        match (key, value) {
            ("op", RawBsonRef::String(code)) => self.code = Some(code),
            ("ns", RawBsonRef::String(ns)) => self.ns = Some(ns),
            ("ui", RawBsonRef::Binary(binary)) => self.uuid = CollectionUuid::from_binary(binary),
            ("o", RawBsonRef::Document(document)) => self.o = Some(document),
            ("o2", RawBsonRef::Document(document)) => self.o2 = Some(document),
            ("b", RawBsonRef::Boolean(upsert)) => self.upsert = upsert,
            _ => {}
        }
    }

    fn finish(self, at: ClusterTime) -> Result<Operation<'a>, EntryError> {
        let code = self.code.ok_or(EntryError::Field { at, field: "op" })?;
        let ns = self.ns.ok_or(EntryError::Field { at, field: "ns" })?;
        let o = self.o.ok_or(EntryError::Field { at, field: "o" })?;
        let kind = OpKind::of(code, o);
        Ok(Operation { kind, code, ns, uuid: self.uuid, o, o2: self.o2, upsert: self.upsert })
    }
}

#[cfg(test)]
mod tests {
    use bson::{Bson, RawDocumentBuf, doc};

    use super::*;

    fn raw(document: &bson::Document) -> RawDocumentBuf {
        RawDocumentBuf::try_from(document).unwrap()
    }

    fn base(op: &str, ns: &str, o: bson::Document) -> bson::Document {
        doc! { "op": op, "ns": ns, "o": o, "ts": Bson::Timestamp(bson::Timestamp { time: 9, increment: 2 }), "t": 3_i64 }
    }

    #[test]
    fn a_command_is_named_by_its_first_field() {
        let entry = raw(&base("c", "shop.$cmd", doc! { "drop": "a.b", "create": 1 }));
        let entry = Entry::parse(&entry).unwrap();
        assert_eq!(entry.operation.kind, OpKind::Drop);
        assert_eq!(entry.operation.namespace().unwrap().to_string(), "shop.a.b");
        assert_eq!((entry.at, entry.term), (ClusterTime::new(9, 2), 3));
    }

    #[test]
    fn unknown_commands_and_codes_are_unknown() {
        for (op, o) in [("c", doc! { "importCollection": "x" }), ("ci", doc! { "k": 1 }), ("c", doc! {})] {
            let entry = raw(&base(op, "shop.$cmd", o));
            assert_eq!(Entry::parse(&entry).unwrap().operation.kind, OpKind::Unknown);
        }
    }

    #[test]
    fn roles_in_a_transaction() {
        let role = |o: bson::Document, previous: u32, multi: i32| {
            let mut entry = base("c", "admin.$cmd", o);
            entry.insert("lsid", doc! { "id": 1 });
            entry.insert("txnNumber", 4_i64);
            entry.insert("multiOpType", multi);
            entry
                .insert("prevOpTime", doc! { "ts": Bson::Timestamp(bson::Timestamp { time: previous, increment: 0 }) });
            Entry::parse(&raw(&entry)).unwrap().transaction_role()
        };
        assert_eq!(role(doc! { "applyOps": [] }, 0, 0), TransactionRole::Whole);
        assert_eq!(role(doc! { "applyOps": [], "count": 3 }, 5, 0), TransactionRole::Last);
        assert_eq!(role(doc! { "applyOps": [], "partialTxn": true }, 0, 0), TransactionRole::Partial);
        assert_eq!(role(doc! { "applyOps": [], "prepare": true }, 0, 0), TransactionRole::Prepare);
        assert_eq!(role(doc! { "commitTransaction": 1 }, 5, 0), TransactionRole::Commit);
        assert_eq!(role(doc! { "abortTransaction": 1 }, 5, 0), TransactionRole::Abort);
        assert_eq!(role(doc! { "applyOps": [] }, 5, 1), TransactionRole::None, "a retryable batch of 8.0");
    }

    #[test]
    fn nested_apply_ops_are_flattened_in_order() {
        let inner = doc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": [
        { "op": "i", "ns": "a.b", "o": { "_id": 2 } } ] } };
        let entry = base(
            "c",
            "admin.$cmd",
            doc! { "applyOps": [
            { "op": "i", "ns": "a.b", "o": { "_id": 1 } }, inner, { "op": "d", "ns": "a.b", "o": { "_id": 3 } } ] },
        );
        let entry = raw(&entry);
        let mut ids = Vec::new();
        Entry::parse(&entry)
            .unwrap()
            .for_each_operation::<EntryError>(|operation| {
                ids.push(operation.document_id().unwrap().as_i32().unwrap());
                Ok(())
            })
            .unwrap();
        assert_eq!(ids, [1, 2, 3]);
    }

    #[test]
    fn missing_fields_are_named() {
        let entry = raw(&doc! { "op": "i", "ts": Bson::Timestamp(bson::Timestamp { time: 1, increment: 1 }) });
        assert_eq!(Entry::parse(&entry).unwrap_err(), EntryError::Field { at: ClusterTime::new(1, 1), field: "ns" });
    }
}
