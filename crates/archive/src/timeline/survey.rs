//! The first pass over the oplog of a restore window.

use std::collections::{BTreeMap, HashMap, HashSet};

use bson::RawDocument;

use crate::oplog::{Entry, OpKind, Operation, TransactionRole};
use crate::{ClusterTime, CollectionUuid, Namespace};

use super::SurveyError;
use super::collection::{Collection, ListedCollection};
use super::policy::{Treatment, rename_target, treatment, unknown_entry};
use super::transactions::{OwnedOperation, TransactionOutcomes, Transactions};

/// Where replay ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayLimit {
    pub at: ClusterTime,
    /// Whether the entry at `at` still belongs to the restored state.
    pub inclusive: bool,
    /// For a target with a fraction of a second: within the second of `at`, stop at the first entry whose wall clock
    /// is later than this (milliseconds since the epoch).
    pub wall_ms: Option<i64>,
    /// `before:T:I` names an entry, which must be there.
    pub must_exist: bool,
}

impl ReplayLimit {
    pub fn through(at: ClusterTime) -> Self {
        Self { at, inclusive: true, wall_ms: None, must_exist: false }
    }

    fn includes(&self, entry: &Entry<'_>) -> bool {
        let in_time = if self.inclusive { entry.at <= self.at } else { entry.at < self.at };
        let too_late = |limit| entry.at.seconds == self.at.seconds && entry.wall_ms.is_some_and(|wall| wall > limit);
        in_time && !self.wall_ms.is_some_and(too_late)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Continue,
    /// The target is reached; later entries must not be observed.
    Stop,
}

/// Why an entry is not replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// The server's own heartbeat of the oplog.
    Noop,
    /// Belongs to one server's life: sessions, transactions, index builds, keys.
    Internal,
    /// The collection does not exist any more at the target.
    Dropped,
    /// The transaction was aborted, or had not committed at the target.
    NotCommitted,
    /// Consistency checks that the server logs.
    DbCheck,
}

impl SkipReason {
    pub fn name(self) -> &'static str {
        match self {
            Self::Noop => "noop",
            Self::Internal => "internal",
            Self::Dropped => "dropped",
            Self::NotCommitted => "not-committed",
            Self::DbCheck => "db-check",
        }
    }
}

/// Entries that are not replayed, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub reason: SkipReason,
    pub op: &'static str,
    pub namespace: String,
    pub count: u64,
    pub first: ClusterTime,
}

/// What a restore of the window will do.
#[derive(Debug)]
pub struct Resolution {
    /// Collections that exist at the target.
    pub collections: BTreeMap<CollectionUuid, Collection>,
    pub dropped: HashSet<CollectionUuid>,
    pub transactions: TransactionOutcomes,
    pub skipped: Vec<Skipped>,
    /// Entries observed, all kinds.
    pub entries: u64,
    /// The last entry that belongs to the restored state; `None` when the window holds none.
    pub last_entry: Option<ClusterTime>,
}

#[derive(Debug)]
struct Mentions {
    namespace: String,
    first: ClusterTime,
    counts: BTreeMap<OpKind, u64>,
}

/// Follows collections and transactions through `(begin, target]`.
#[derive(Debug)]
pub struct Survey {
    snapshot_end: ClusterTime,
    limit: ReplayLimit,
    collections: BTreeMap<CollectionUuid, Collection>,
    dropped: HashSet<CollectionUuid>,
    transactions: Transactions,
    /// Inserts, updates, deletes and DDL of each collection, for the report and to find unknown ones.
    mentions: HashMap<CollectionUuid, Mentions>,
    skipped: BTreeMap<(SkipReason, OpKind, String), (u64, ClusterTime)>,
    entries: u64,
    last_entry: Option<ClusterTime>,
    previous: ClusterTime,
    limit_seen: bool,
}

impl Survey {
    /// `begin` and `snapshot_end` are those of the snapshot that the restore starts from.
    pub fn new(begin: ClusterTime, snapshot_end: ClusterTime, limit: ReplayLimit) -> Self {
        Self {
            snapshot_end,
            limit,
            collections: BTreeMap::new(),
            dropped: HashSet::new(),
            transactions: Transactions::default(),
            mentions: HashMap::new(),
            skipped: BTreeMap::new(),
            entries: 0,
            last_entry: None,
            previous: begin,
            limit_seen: false,
        }
    }

    pub fn add_listed(&mut self, listed: ListedCollection) {
        self.collections.insert(listed.uuid, Collection::listed(listed));
    }

    /// Takes in the next entry of the window.
    pub fn observe(&mut self, raw: &RawDocument) -> Result<Flow, SurveyError> {
        let entry = Entry::parse(raw)?;
        if entry.at <= self.previous {
            return Err(SurveyError::OutOfOrder { previous: self.previous, at: entry.at });
        }
        self.previous = entry.at;
        self.limit_seen |= entry.at == self.limit.at;
        if !self.limit.includes(&entry) {
            return Ok(Flow::Stop);
        }
        self.entries += 1;
        self.last_entry = Some(entry.at);
        self.take(&entry)?;
        Ok(Flow::Continue)
    }

    fn take(&mut self, entry: &Entry<'_>) -> Result<(), SurveyError> {
        let at = entry.at;
        match entry.transaction_role() {
            TransactionRole::None | TransactionRole::Whole => {
                entry.for_each_operation(|operation| self.operation(at, &operation))
            }
            TransactionRole::Partial | TransactionRole::Prepare => self.continue_transaction(entry),
            TransactionRole::Last => {
                self.continue_transaction(entry)?;
                self.commit(entry)
            }
            TransactionRole::Commit => self.commit(entry),
            TransactionRole::Abort => {
                if let Some((operations, first)) = self.transactions.aborts(entry) {
                    self.skip(SkipReason::NotCommitted, OpKind::ApplyOps, String::new(), first, operations);
                }
                Ok(())
            }
        }
    }

    fn continue_transaction(&mut self, entry: &Entry<'_>) -> Result<(), SurveyError> {
        let mut ddl = Vec::new();
        let mut operations = 0;
        entry.for_each_operation::<SurveyError>(|operation| {
            operations += 1;
            if operation.kind.is_crud() {
                self.operation(entry.at, &operation)
            } else if operation.kind == OpKind::Unknown {
                Err(unknown_entry(entry.at, &operation))
            } else {
                ddl.push(OwnedOperation::copy_of(&operation));
                Ok(())
            }
        })?;
        self.transactions.continues(entry, ddl, operations);
        Ok(())
    }

    fn commit(&mut self, entry: &Entry<'_>) -> Result<(), SurveyError> {
        for owned in self.transactions.commits(entry)? {
            let operation = Operation {
                kind: OpKind::Unknown,
                code: &owned.code,
                ns: &owned.ns,
                uuid: owned.uuid,
                o: &owned.o,
                o2: owned.o2.as_deref(),
                upsert: false,
            };
            self.operation(entry.at, &operation.with_kind())?;
        }
        Ok(())
    }

    fn operation(&mut self, at: ClusterTime, operation: &Operation<'_>) -> Result<(), SurveyError> {
        let (uuid, namespace) = match treatment(at, operation)? {
            Treatment::Follow { uuid, namespace } => (uuid, namespace),
            Treatment::Skip(reason, namespace) => {
                self.skip(reason, operation.kind, namespace, at, 1);
                return Ok(());
            }
            Treatment::Nothing => return Ok(()),
        };
        self.mention(uuid, operation.kind, &namespace, at);
        match operation.kind {
            OpKind::Insert => {
                if let Some(collection) = self.collections.get_mut(&uuid).filter(|collection| collection.capped) {
                    collection.note_capped_insert(at, operation.document_id());
                }
            }
            OpKind::Update | OpKind::Delete => {}
            OpKind::Create => {
                let known = self.collections.remove(&uuid);
                self.collections.insert(uuid, Collection::created(uuid, namespace, operation.o, known));
            }
            OpKind::Drop => self.drop(uuid),
            OpKind::RenameCollection => self.rename(at, uuid, operation)?,
            _ => {
                let strict = at > self.snapshot_end;
                if let Some(collection) = self.collections.get_mut(&uuid) {
                    collection.apply(at, operation, strict)?;
                }
            }
        }
        Ok(())
    }

    fn drop(&mut self, uuid: CollectionUuid) {
        self.collections.remove(&uuid);
        self.dropped.insert(uuid);
    }

    fn rename(&mut self, at: ClusterTime, uuid: CollectionUuid, operation: &Operation<'_>) -> Result<(), SurveyError> {
        let (to, replaced) = rename_target(at, operation)?;
        if let Some(replaced) = replaced {
            self.drop(replaced);
        }
        if let Some(collection) = self.collections.get_mut(&uuid) {
            collection.namespace = to;
        }
        Ok(())
    }

    fn mention(&mut self, uuid: CollectionUuid, kind: OpKind, namespace: &Namespace, at: ClusterTime) {
        let mentions = self.mentions.entry(uuid).or_insert_with(|| Mentions {
            namespace: namespace.to_string(),
            first: at,
            counts: BTreeMap::new(),
        });
        *mentions.counts.entry(kind).or_default() += 1;
    }

    fn skip(&mut self, reason: SkipReason, kind: OpKind, namespace: String, at: ClusterTime, count: u64) {
        self.skipped.entry((reason, kind, namespace)).or_insert((0, at)).0 += count;
    }

    /// The window has been observed up to the target.
    pub fn finish(mut self) -> Result<Resolution, SurveyError> {
        if self.limit.must_exist && !self.limit_seen {
            return Err(SurveyError::NoSuchEntry { at: self.limit.at });
        }
        for (uuid, mentions) in std::mem::take(&mut self.mentions) {
            if self.dropped.contains(&uuid) {
                for (kind, count) in mentions.counts.into_iter().filter(|(kind, _)| kind.is_crud()) {
                    self.skip(SkipReason::Dropped, kind, mentions.namespace.clone(), mentions.first, count);
                }
            } else if !self.collections.contains_key(&uuid) {
                let count = mentions.counts.values().sum();
                let Mentions { namespace, first, .. } = mentions;
                return Err(SurveyError::UnknownCollection { uuid, namespace, first, count });
            }
        }
        let mut names: HashMap<&Namespace, CollectionUuid> = HashMap::new();
        for (uuid, collection) in &self.collections {
            if !collection.read {
                return Err(SurveyError::MissingData { uuid: *uuid, namespace: collection.namespace.clone() });
            }
            if let Some(first) = names.insert(&collection.namespace, *uuid) {
                let namespace = collection.namespace.clone();
                return Err(SurveyError::NameClash { namespace, first, second: *uuid });
            }
        }
        let (transactions, unfinished) = self.transactions.finish();
        for (operations, first) in unfinished {
            let key = (SkipReason::NotCommitted, OpKind::ApplyOps, String::new());
            self.skipped.entry(key).or_insert((0, first)).0 += operations;
        }
        let skipped = self
            .skipped
            .into_iter()
            .map(|((reason, kind, namespace), (count, first))| Skipped {
                reason,
                op: kind.name(),
                namespace,
                count,
                first,
            })
            .collect();
        Ok(Resolution {
            collections: self.collections,
            dropped: self.dropped,
            transactions,
            skipped,
            entries: self.entries,
            last_entry: self.last_entry,
        })
    }
}
