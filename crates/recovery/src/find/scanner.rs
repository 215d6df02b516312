//! From oplog entries to runs: filters, unwraps `applyOps`, and holds transactions back until they commit.

use std::collections::HashMap;

use archive::coverage::CoveredRange;
use archive::oplog::{Entry, EntryError, OpKind, Operation, TransactionKey, TransactionRole};
use archive::{ClusterTime, Namespace};

use super::runs::{Extent, RunKey, Runs};
use super::{FindQuery, Match, op_name};

/// Transactions that may be open at once; only a hostile archive has more.
const MAX_OPEN: usize = 10_000;

#[derive(Debug)]
struct OpenTransaction {
    extent: Extent,
    /// Operations of interest, counted by what they will be reported as.
    found: HashMap<RunKey, u64>,
}

#[derive(Debug)]
pub(super) struct Scanner {
    query: FindQuery,
    asked: CoveredRange,
    open: HashMap<TransactionKey, OpenTransaction>,
    runs: Runs,
}

impl Scanner {
    pub fn new(query: FindQuery, asked: CoveredRange) -> Self {
        let runs = Runs::new(query.limit);
        Self { query, asked, open: HashMap::new(), runs }
    }

    /// Behind the end of what was asked for, only transactions that began before it are of interest.
    pub fn is_done_at(&self, at: ClusterTime) -> bool {
        at > self.asked.through && !self.open.values().any(|open| open.extent.at <= self.asked.through)
    }

    pub fn take(&mut self, entry: &Entry<'_>) -> Result<(), EntryError> {
        self.runs.advance(entry.at, entry.wall_ms);
        let role = entry.transaction_role();
        match role {
            TransactionRole::None | TransactionRole::Whole => {
                if self.asked.holds_entry(entry.at) {
                    let extent = extent_of(entry);
                    for (key, count) in self.operations(entry)? {
                        self.runs.add(key, extent, count);
                    }
                }
            }
            TransactionRole::Partial | TransactionRole::Prepare => self.hold_back(entry)?,
            TransactionRole::Last => {
                self.hold_back(entry)?;
                self.commit(entry);
            }
            TransactionRole::Commit => self.commit(entry),
            TransactionRole::Abort => {
                entry.transaction_key().and_then(|key| self.open.remove(&key));
            }
        }
        Ok(())
    }

    pub fn forget_open_transactions(&mut self) {
        self.open.clear();
    }

    pub fn finish(self) -> (Vec<Match>, bool) {
        self.runs.finish()
    }

    fn hold_back(&mut self, entry: &Entry<'_>) -> Result<(), EntryError> {
        let Some(key) = entry.transaction_key() else { return Ok(()) };
        let found = self.operations(entry)?;
        if self.open.len() >= MAX_OPEN && !self.open.contains_key(&key) {
            self.open.clear();
        }
        let open =
            self.open.entry(key).or_insert_with(|| OpenTransaction { extent: extent_of(entry), found: HashMap::new() });
        (open.extent.last, open.extent.last_wall_ms) = (entry.at, entry.wall_ms);
        for (key, count) in found {
            *open.found.entry(key).or_default() += count;
        }
        Ok(())
    }

    fn commit(&mut self, entry: &Entry<'_>) {
        let Some(open) = entry.transaction_key().and_then(|key| self.open.remove(&key)) else { return };
        let extent = Extent { last: entry.at, last_wall_ms: entry.wall_ms, ..open.extent };
        // Its effect lies at the commit, `before:` at its first entry: either one may be in what was asked for.
        if extent.last > self.asked.from && extent.at <= self.asked.through {
            for (key, count) in open.found {
                self.runs.add(key, extent, count);
            }
        }
    }

    /// The operations of an entry that the query asks for, counted by what they will be reported as.
    fn operations(&self, entry: &Entry<'_>) -> Result<Vec<(RunKey, u64)>, EntryError> {
        let mut found: Vec<(RunKey, u64)> = Vec::new();
        entry.for_each_operation(|operation| {
            if let Some(mut key) = self.key_of(&operation) {
                key.session = entry.lsid.map(|lsid| lsid.as_bytes().to_vec());
                match found.last_mut() {
                    Some((last, count)) if *last == key => *count += 1,
                    _ => found.push((key, 1)),
                }
            }
            Ok::<_, EntryError>(())
        })?;
        Ok(found)
    }

    fn key_of(&self, operation: &Operation<'_>) -> Option<RunKey> {
        if !self.query.wants_kind(operation.kind) {
            return None;
        }
        let namespace = operation.namespace();
        let to = match operation.kind {
            OpKind::RenameCollection => operation.o.get_str("to").ok().and_then(Namespace::parse),
            _ => None,
        };
        let named = || [namespace.as_ref(), to.as_ref()].into_iter().flatten();
        let is_internal = if named().next().is_some() {
            !named().any(Namespace::is_protected)
        } else {
            matches!(operation.db(), "local" | "config" | "admin")
        };
        if is_internal {
            return None;
        }
        if let Some(filter) = &self.query.namespace
            && !filter.admits(operation, namespace.as_ref(), to.as_ref())
        {
            return None;
        }
        Some(RunKey {
            kind: operation.kind,
            op: op_name(operation.kind, operation.label()),
            namespace: match namespace {
                Some(namespace) => namespace.to_string(),
                None if operation.kind == OpKind::DropDatabase => operation.db().to_owned(),
                None => operation.ns.to_owned(),
            },
            to: to.map(|to| to.to_string()),
            uuid: operation.uuid,
            session: None,
        })
    }
}

fn extent_of(entry: &Entry<'_>) -> Extent {
    Extent { at: entry.at, last: entry.at, wall_ms: entry.wall_ms, last_wall_ms: entry.wall_ms }
}
