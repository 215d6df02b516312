//! One writer of the replay: turns a run of changes into few, large commands without reordering one document.
//!
//! Changes of different documents commute, so inserts, updates and deletes of a collection are gathered separately; a
//! change that follows one of another kind on the same document first sends what is gathered.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use archive::Namespace;
use archive::oplog::OpKind;
use bson::RawDocument;
use replset::Destination;
use replset::destination::{Change as UpdateChange, InsertMode, Outcome, Update};
use tokio::sync::{mpsc, oneshot};

use super::super::state::RestoreState;
use super::Change;
use crate::failure::{Failure, FailureKind, Result};

pub enum Message {
    Apply(Vec<Change>),
    Flush(oneshot::Sender<()>),
}

pub struct Worker {
    destination: Destination,
    state: Arc<RestoreState>,
}

impl Worker {
    pub fn new(destination: Destination, state: Arc<RestoreState>) -> Self {
        Self { destination, state }
    }

    pub async fn run(self, mut messages: mpsc::Receiver<Message>) -> Result<()> {
        while let Some(message) = messages.recv().await {
            match message {
                Message::Apply(changes) => self.apply(changes).await?,
                // Who asked may have given up; that is no error here.
                Message::Flush(done) => drop(done.send(())),
            }
        }
        Ok(())
    }

    async fn apply(&self, changes: Vec<Change>) -> Result<()> {
        for (namespace, changes) in by_collection(changes) {
            let mut gathered = Gathered::default();
            for change in changes {
                if gathered.conflicts(&change) {
                    self.send(&namespace, std::mem::take(&mut gathered)).await?;
                }
                gathered.take(change);
            }
            self.send(&namespace, gathered).await?;
        }
        Ok(())
    }

    /// The three kinds touch different documents, so their order does not matter.
    async fn send(&self, namespace: &Namespace, gathered: Gathered) -> Result<()> {
        self.state.confirm(&self.destination).await?;
        self.inserts(namespace, &gathered.inserts).await?;
        self.updates(namespace, &gathered.updates).await?;
        self.deletes(namespace, &gathered.deletes).await
    }

    async fn inserts(&self, namespace: &Namespace, changes: &[Change]) -> Result<()> {
        let Some(first) = changes.first() else { return Ok(()) };
        let mode = if first.strict { InsertMode::Error } else { InsertMode::Replace };
        let documents: Vec<&RawDocument> = changes.iter().map(|change| &*change.body).collect();
        let inserted = self.destination.insert_raw(namespace, &documents, mode, first.route.strictly_ordered).await;
        inserted.map_err(|error| {
            if first.strict && error.code() == Some(11000) {
                let last = changes.last().unwrap_or(first);
                return contradiction(
                    first,
                    format!("an insert between {} and {} is of a document that exists", first.at, last.at),
                );
            }
            located(error, first)
        })?;
        Ok(())
    }

    async fn updates(&self, namespace: &Namespace, changes: &[Change]) -> Result<()> {
        let Some(first) = changes.first() else { return Ok(()) };
        let mut updates = Vec::with_capacity(changes.len());
        for change in changes {
            let what = UpdateChange::of(&change.body).ok_or_else(|| {
                Failure::new(FailureKind::NotRestorable, format!("the update at {} is of an unknown form", change.at))
                    .at(change.route.source.to_string())
                    .because("another server release wrote it")
                    .then("use a release that knows this server")
            })?;
            updates.push(Update { key: change.key.clone(), change: what, upsert: change.upsert });
        }
        let outcomes =
            self.destination.apply_updates(namespace, &updates).await.map_err(|error| located(error, first))?;
        for (change, outcome) in changes.iter().zip(outcomes) {
            if change.strict && !change.upsert && outcome == Outcome::Missing {
                return Err(contradiction(
                    change,
                    format!("the update at {} is of a document that does not exist", change.at),
                ));
            }
        }
        Ok(())
    }

    async fn deletes(&self, namespace: &Namespace, changes: &[Change]) -> Result<()> {
        let Some(first) = changes.first() else { return Ok(()) };
        let keys: Vec<_> = changes.iter().map(|change| change.key.clone()).collect();
        let deleted = self.destination.apply_deletes(namespace, &keys).await.map_err(|error| located(error, first))?;
        if changes.iter().all(|change| change.strict) && deleted < keys.len() as u64 {
            let last = changes.last().unwrap_or(first);
            return Err(contradiction(
                first,
                format!("a delete between {} and {} is of a document that does not exist", first.at, last.at),
            ));
        }
        Ok(())
    }
}

fn contradiction(change: &Change, what: String) -> Failure {
    Failure::integrity(what)
        .at(change.route.source.to_string())
        .because("snapshot and oplog do not fit together, or somebody else writes into the destination")
        .then("restore into a fresh replica set; when it happens again: dr-cli verify --level hash, and an older snapshot")
}

fn located(error: replset::ReplsetError, change: &Change) -> Failure {
    let failure = Failure::from(error);
    Failure {
        what: format!("{} cannot be replayed from {} on: {}", change.route.source, change.at, failure.what),
        ..failure
    }
}

/// Keeps the order within each collection.
fn by_collection(changes: Vec<Change>) -> Vec<(Namespace, Vec<Change>)> {
    let mut positions: HashMap<Namespace, usize> = HashMap::new();
    let mut collections: Vec<(Namespace, Vec<Change>)> = Vec::new();
    for change in changes {
        let position = *positions.entry(change.route.namespace.clone()).or_insert_with(|| {
            collections.push((change.route.namespace.clone(), Vec::new()));
            collections.len() - 1
        });
        collections[position].1.push(change);
    }
    collections
}

/// Changes of one collection that may be sent in any order of kinds.
#[derive(Default)]
struct Gathered {
    inserts: Vec<Change>,
    updates: Vec<Change>,
    deletes: Vec<Change>,
    keys: HashMap<OpKind, HashSet<u64>>,
    strict: Option<bool>,
}

impl Gathered {
    /// Whether the change must come after what is gathered. Two inserts or two deletes of one document have something
    /// between them; updates of one document keep their order inside their command.
    fn conflicts(&self, change: &Change) -> bool {
        let same_strictness = self.strict.is_none_or(|strict| strict == change.strict);
        !same_strictness
            || self.keys.iter().any(|(kind, keys)| {
                let in_order = *kind == change.kind && (change.kind == OpKind::Update || change.route.strictly_ordered);
                !in_order && keys.contains(&change.key_hash)
            })
    }

    fn take(&mut self, change: Change) {
        self.strict = Some(change.strict);
        self.keys.entry(change.kind).or_default().insert(change.key_hash);
        match change.kind {
            OpKind::Insert => self.inserts.push(change),
            OpKind::Update => self.updates.push(change),
            _ => self.deletes.push(change),
        }
    }
}

#[cfg(test)]
mod tests {
    use archive::ClusterTime;
    use bson::{RawDocumentBuf, rawdoc};
    use replset::raw::DocumentKey;

    use super::super::super::routes::{Role, Route};
    use super::*;

    fn change(kind: OpKind, id: i32, strictly_ordered: bool) -> Change {
        let namespace = Namespace::new("a", "b");
        Change {
            at: ClusterTime::new(1, 1),
            kind,
            route: Arc::new(Route {
                source: namespace.clone(),
                namespace,
                role: Role::Data,
                capped: false,
                strictly_ordered,
                skip_inserts_through: None,
            }),
            key: DocumentKey::of(&rawdoc! { "_id": id }).unwrap(),
            key_hash: if strictly_ordered { 0 } else { u64::try_from(id).unwrap() },
            body: RawDocumentBuf::new(),
            strict: true,
            upsert: false,
        }
    }

    /// How many commands a run of changes needs.
    fn rounds(changes: Vec<Change>) -> usize {
        let mut rounds = 1;
        let mut gathered = Gathered::default();
        for change in changes {
            if gathered.conflicts(&change) {
                gathered = Gathered::default();
                rounds += 1;
            }
            gathered.take(change);
        }
        rounds
    }

    #[test]
    fn different_documents_share_a_round_and_one_document_keeps_its_order() {
        use OpKind::{Delete, Insert, Update};
        assert_eq!(rounds(vec![change(Insert, 1, false), change(Update, 2, false), change(Delete, 3, false)]), 1);
        assert_eq!(rounds(vec![change(Update, 1, false), change(Update, 1, false)]), 1);
        assert_eq!(rounds(vec![change(Insert, 1, false), change(Update, 1, false)]), 2);
        assert_eq!(rounds(vec![change(Delete, 1, false), change(Insert, 1, false), change(Delete, 1, false)]), 3);
        assert_eq!(rounds(vec![change(Insert, 1, false), change(Insert, 1, false)]), 2);
    }

    #[test]
    fn strictly_ordered_collections_change_kind_only_between_rounds() {
        use OpKind::{Delete, Insert};
        assert_eq!(rounds(vec![change(Insert, 1, true), change(Insert, 2, true)]), 1);
        assert_eq!(rounds(vec![change(Insert, 1, true), change(Delete, 2, true), change(Insert, 3, true)]), 3);
    }
}
