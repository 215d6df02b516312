//! How multi-document transactions ended.
//!
//! Replay needs no buffer for transactions. The entries of an unprepared one are contiguous in the oplog (the server
//! reserves their times together), and between `prepare` and `commit` the server keeps the documents of a prepared one
//! from being written by anybody else. So operations may be applied where they stand, once it is known that the
//! transaction commits at or before the target; only the outcome has to be remembered, not the operations.

use std::collections::HashMap;

use crate::ClusterTime;
use crate::oplog::{Entry, Operation, TransactionKey, TransactionRole};

use super::SurveyError;

/// An operation copied out of its entry, because it waits for its transaction's commit.
#[derive(Debug, Clone)]
pub(super) struct OwnedOperation {
    pub code: String,
    pub ns: String,
    pub uuid: Option<crate::CollectionUuid>,
    pub o: bson::RawDocumentBuf,
    pub o2: Option<bson::RawDocumentBuf>,
}

impl OwnedOperation {
    pub fn copy_of(operation: &Operation<'_>) -> Self {
        Self {
            code: operation.code.to_owned(),
            ns: operation.ns.to_owned(),
            uuid: operation.uuid,
            o: operation.o.to_owned(),
            o2: operation.o2.map(ToOwned::to_owned),
        }
    }
}

#[derive(Debug, Default)]
struct OpenTransaction {
    head_missing: bool,
    operations: u64,
    first: ClusterTime,
    /// DDL inside the transaction (create, createIndexes); it takes effect at the commit.
    ddl: Vec<OwnedOperation>,
}

/// Transactions of more than one entry, followed through the window.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    open: HashMap<TransactionKey, OpenTransaction>,
    outcomes: HashMap<TransactionKey, bool>,
}

impl Transactions {
    /// Takes in an entry that is `Partial` or `Prepare`; `ddl` are its commands, `operations` counts all it holds.
    pub fn continues(&mut self, entry: &Entry<'_>, ddl: Vec<OwnedOperation>, operations: u64) {
        let Some(key) = entry.transaction_key() else { return };
        let known = self.open.contains_key(&key);
        let open = self.open.entry(key).or_insert_with(|| OpenTransaction { first: entry.at, ..Default::default() });
        open.head_missing |= !known && !entry.is_chain_head();
        open.operations += operations;
        open.ddl.extend(ddl);
    }

    /// The transaction is committed by this entry (`Last` or `Commit`); gives the DDL that waited for it.
    pub fn commits(&mut self, entry: &Entry<'_>) -> Result<Vec<OwnedOperation>, SurveyError> {
        let missing = SurveyError::TransactionHeadMissing { at: entry.at };
        let Some(key) = entry.transaction_key() else { return Err(missing) };
        let open = self.open.remove(&key).filter(|open| !open.head_missing).ok_or(missing)?;
        self.outcomes.insert(key, true);
        Ok(open.ddl)
    }

    /// The transaction is aborted; gives the count of its operations, which will not be applied, and its first time.
    pub fn aborts(&mut self, entry: &Entry<'_>) -> Option<(u64, ClusterTime)> {
        let key = entry.transaction_key()?;
        let open = self.open.remove(&key);
        self.outcomes.insert(key, false);
        open.map(|open| (open.operations, open.first))
    }

    /// What is still open at the target is not applied. Also gives operations and first time of those.
    pub fn finish(mut self) -> (TransactionOutcomes, Vec<(u64, ClusterTime)>) {
        let mut unfinished = Vec::new();
        for (key, open) in self.open {
            unfinished.push((open.operations, open.first));
            self.outcomes.insert(key, false);
        }
        (TransactionOutcomes(self.outcomes), unfinished)
    }
}

/// Which transactions of several entries are committed at the target.
#[derive(Debug, Clone, Default)]
pub struct TransactionOutcomes(HashMap<TransactionKey, bool>);

impl TransactionOutcomes {
    /// Whether the operations of this entry belong into the restored state.
    pub fn applies(&self, entry: &Entry<'_>) -> bool {
        match entry.transaction_role() {
            TransactionRole::None | TransactionRole::Whole => true,
            TransactionRole::Commit | TransactionRole::Abort => false,
            TransactionRole::Partial | TransactionRole::Prepare | TransactionRole::Last => {
                entry.transaction_key().and_then(|key| self.0.get(&key).copied()).unwrap_or(false)
            }
        }
    }
}
