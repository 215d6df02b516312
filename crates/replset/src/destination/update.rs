//! Batched updates and deletes by `_id`, in the forms of the oplog.
//!
//! One `update` command carries many statements: `$v: 2` diffs through the pipeline stage that replication itself uses
//! (`$_internalApplyOplogUpdate`), so the server and not we interpret them. A statement that the command refuses goes
//! through `applyOps` alone.

use archive::Namespace;
use bson::{RawDocument, RawDocumentBuf};

use super::insert::{command as insert_command, with_placeholders, zero_timestamps_diff};
use super::{Destination, MAX_COMMAND_BYTES, MAX_STATEMENTS, WriteError};
use crate::connect::{CursorSettings, Reply};
use crate::error::{ReplsetError, Result};
use crate::raw::{DocumentKey, RawWriter, elements};

const WHAT: &str = "apply updates";
const WHAT_DELETES: &str = "apply deletes";
const UPDATE_OPERATION_FAILED: i32 = 218;
const IMMUTABLE_FIELD: i32 = 66;

/// What an update does, as `o` of its oplog entry says it.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// `{$v: 2, diff: …}`, passed through untouched.
    Diff(&'a RawDocument),
    /// `{$set: …, $unset: …}`, with `$v: 1` or without.
    Modifiers(&'a RawDocument),
    /// The whole document.
    Replace(&'a RawDocument),
}

impl<'a> Change<'a> {
    /// Reads the form of an entry's `o`; a `$v` that is unknown gives `None`.
    pub fn of(o: &'a RawDocument) -> Option<Self> {
        let mut fields = elements(o).map_while(Result::ok);
        match fields.next() {
            Some(first) if first.name == b"$v" => match o.get_i32("$v").map(i64::from).or_else(|_| o.get_i64("$v")) {
                Ok(1) => Some(Self::Modifiers(o)),
                Ok(2) => Some(Self::Diff(o)),
                _ => None,
            },
            Some(first) if first.name.starts_with(b"$") => Some(Self::Modifiers(o)),
            _ => Some(Self::Replace(o)),
        }
    }

    fn document(&self) -> &'a RawDocument {
        match self {
            Self::Diff(o) | Self::Modifiers(o) | Self::Replace(o) => o,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Update<'a> {
    pub key: DocumentKey,
    pub change: Change<'a>,
    pub upsert: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The document was there.
    Matched,
    /// It was not there, and the statement made it.
    Upserted,
    /// It was not there; nothing was done.
    Missing,
}

/// A statement of a command and the update it belongs to: a replacement can need two.
struct Statement<'a> {
    update: usize,
    body: Body<'a>,
}

impl Statement<'_> {
    fn is_replacement(&self) -> bool {
        match &self.body {
            Body::Given(update) => matches!(update.change, Change::Replace(_)),
            Body::Made(_, _, kind, _) => *kind == Kind::Replace,
        }
    }
}

enum Body<'a> {
    Given(&'a Update<'a>),
    Made(DocumentKey, RawDocumentBuf, Kind, bool),
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Diff,
    Replace,
}

impl Destination {
    /// Applies the updates in order; one outcome for each.
    pub async fn apply_updates(&self, namespace: &Namespace, updates: &[Update<'_>]) -> Result<Vec<Outcome>> {
        let mut outcomes = vec![Outcome::Matched; updates.len()];
        let mut start = 0;
        while start < updates.len() {
            let end = start + fitting(&updates[start..]);
            self.update_command(namespace, &updates[start..end], &mut outcomes[start..end]).await?;
            start = end;
        }
        Ok(outcomes)
    }

    async fn update_command(
        &self,
        namespace: &Namespace,
        updates: &[Update<'_>],
        outcomes: &mut [Outcome],
    ) -> Result<()> {
        let statements = statements(updates)?;
        let (mut next, mut matched) = (0, 0);
        let mut unsettled = false;
        while next < statements.len() {
            let command = update_command(namespace, &statements[next..]);
            let timeout = Some(self.connection.command_timeout());
            let reply = self.statements(&namespace.db, WHAT, command, timeout).await?;
            let error = WriteError::all(&reply).into_iter().next();
            let done = error.as_ref().map_or(statements.len() - next, |error| error.index);
            matched += count(&reply);
            unsettled |= count(&reply) < done;
            for position in upserted(&reply) {
                if let Some(statement) = statements.get(next + position) {
                    outcomes[statement.update] = Outcome::Upserted;
                }
            }
            next += done;
            if let Some(error) = error {
                let statement = statements
                    .get(next)
                    .ok_or_else(|| ReplsetError::protocol(WHAT, "the error of an unknown statement"))?;
                self.apply_refused(namespace, statement, &error, &mut outcomes[statement.update]).await?;
                next += 1;
            }
        }
        tracing::trace!(%namespace, statements = statements.len(), matched, "updates applied");
        if unsettled {
            self.find_missing(namespace, updates, outcomes).await?;
        }
        Ok(())
    }

    /// One by one through `applyOps`. A document that is missing there is an error of its own.
    async fn apply_refused(
        &self,
        namespace: &Namespace,
        statement: &Statement<'_>,
        error: &WriteError,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let refused = error.to_error(WHAT, self.server());
        if refused.is_retryable() || refused.code().is_none() || error.code == 11000 {
            return Err(refused);
        }
        let (key, document, upsert) = match &statement.body {
            Body::Given(update) => (&update.key, update.change.document(), update.upsert),
            Body::Made(key, document, _, upsert) => (key, &**document, *upsert),
        };
        if error.code == IMMUTABLE_FIELD && statement.is_replacement() {
            // Under a collation two `_id`s can be one key and yet differ: the document must go before the other can come.
            self.apply_deletes(namespace, std::slice::from_ref(key)).await?;
            let insert = insert_command(namespace, std::iter::once(document), true);
            return self.write(&namespace.db, WHAT, insert).await.map(|_| ());
        }
        let mut entry = RawWriter::with_capacity(document.as_bytes().len() + 256);
        entry.str("op", "u").str("ns", &namespace.to_string()).document("o", document);
        entry.begin_document("o2");
        key.write_value("_id", &mut entry);
        entry.end().bool("b", upsert);
        match self.apply_one(&entry.finish(), WHAT).await {
            Ok(()) => Ok(()),
            Err(error) if error.code() == Some(UPDATE_OPERATION_FAILED) => {
                *outcome = Outcome::Missing;
                Ok(())
            }
            Err(second) => {
                tracing::debug!(%namespace, error = %second, "applyOps refused the update too");
                Err(refused)
            }
        }
    }

    /// The reply of an update command counts matches, it does not name them: whoever is absent now was not matched,
    /// because updates make no document (but upserts, which are named) and take none away.
    async fn find_missing(
        &self,
        namespace: &Namespace,
        updates: &[Update<'_>],
        outcomes: &mut [Outcome],
    ) -> Result<()> {
        let mut present = std::collections::HashSet::new();
        for key in self.present(namespace, updates.iter().map(|update| &update.key)).await? {
            present.insert(key);
        }
        let mut created: std::collections::HashMap<&DocumentKey, usize> = std::collections::HashMap::new();
        for (position, update) in updates.iter().enumerate() {
            if outcomes[position] == Outcome::Upserted {
                created.entry(&update.key).or_insert(position);
            }
        }
        for (position, update) in updates.iter().enumerate() {
            let existed = match created.get(&update.key) {
                Some(created_at) => position >= *created_at,
                None if present.contains(&update.key) => true,
                // 1 and 1.0 are one key, as are two strings under some collations: the server must say.
                None if !update.key.is_exact() => !self.present(namespace, [&update.key].into_iter()).await?.is_empty(),
                None => false,
            };
            if !existed && outcomes[position] == Outcome::Matched {
                outcomes[position] = Outcome::Missing;
            }
        }
        Ok(())
    }

    /// The keys of those documents that exist, as the server stores them.
    async fn present(
        &self,
        namespace: &Namespace,
        keys: impl Iterator<Item = &DocumentKey>,
    ) -> Result<Vec<DocumentKey>> {
        let mut command = RawWriter::with_capacity(4096);
        command.str("find", &namespace.coll).begin_document("filter").begin_document("_id").begin_array("$in");
        for (position, key) in keys.enumerate() {
            key.write_value(&position.to_string(), &mut command);
        }
        command.end().end().end().begin_document("projection").i32("_id", 1).end().i32("batchSize", i32::MAX);
        let settings = CursorSettings::default();
        let found = self.connection.collect(&namespace.db, "look for documents", command.finish(), settings).await?;
        Ok(found.documents.iter().filter_map(|document| DocumentKey::of(document)).collect())
    }

    /// Deletes by `_id`; returns how many documents there were.
    pub async fn apply_deletes(&self, namespace: &Namespace, keys: &[DocumentKey]) -> Result<u64> {
        let mut deleted = 0;
        for keys in keys.chunks(MAX_STATEMENTS) {
            let mut command = RawWriter::with_capacity(64 * keys.len() + 256);
            command.str("delete", &namespace.coll).begin_array("deletes");
            for (position, key) in keys.iter().enumerate() {
                command.begin_entry(position).begin_document("q");
                key.write_condition("_id", &mut command);
                command.end().i32("limit", 1).end();
            }
            command.end().bool("ordered", true).begin_document("writeConcern").i32("w", 1).end();
            let reply = self.write(&namespace.db, WHAT_DELETES, command.finish()).await?;
            deleted += count(&reply) as u64;
        }
        Ok(deleted)
    }
}

fn fitting(updates: &[Update<'_>]) -> usize {
    let mut bytes = 0;
    let fits = |update: &&Update<'_>| {
        bytes += update.change.document().as_bytes().len() + 256;
        bytes <= MAX_COMMAND_BYTES
    };
    updates.iter().take(MAX_STATEMENTS).take_while(fits).count().max(1)
}

fn statements<'a>(updates: &'a [Update<'a>]) -> Result<Vec<Statement<'a>>> {
    let mut statements = Vec::with_capacity(updates.len());
    for (position, update) in updates.iter().enumerate() {
        let placeholders = match update.change {
            Change::Replace(document) => with_placeholders(document)?.map(|sent| (document, sent)),
            _ => None,
        };
        let Some((document, sent)) = placeholders else {
            statements.push(Statement { update: position, body: Body::Given(update) });
            continue;
        };
        let replace = Body::Made(update.key.clone(), sent, Kind::Replace, update.upsert);
        let repair = Body::Made(update.key.clone(), zero_timestamps_diff(document)?, Kind::Diff, false);
        statements.push(Statement { update: position, body: replace });
        statements.push(Statement { update: position, body: repair });
    }
    Ok(statements)
}

fn update_command(namespace: &Namespace, statements: &[Statement<'_>]) -> RawDocumentBuf {
    let mut command = RawWriter::with_capacity(256 * statements.len() + 256);
    command.str("update", &namespace.coll).begin_array("updates");
    for (position, statement) in statements.iter().enumerate() {
        let (key, upsert) = match &statement.body {
            Body::Given(update) => (&update.key, update.upsert),
            Body::Made(key, _, _, upsert) => (key, *upsert),
        };
        command.begin_entry(position).begin_document("q");
        key.write_condition("_id", &mut command);
        command.end();
        match &statement.body {
            Body::Given(update) => write_change(update.change, &mut command),
            Body::Made(_, document, Kind::Diff, _) => write_change(Change::Diff(document), &mut command),
            Body::Made(_, document, Kind::Replace, _) => write_change(Change::Replace(document), &mut command),
        }
        if upsert {
            command.bool("upsert", true);
        }
        command.end();
    }
    command.end().bool("ordered", true).bool("bypassDocumentValidation", true);
    command.begin_document("writeConcern").i32("w", 1).end();
    command.finish()
}

fn write_change(change: Change<'_>, command: &mut RawWriter) {
    match change {
        Change::Diff(o) => {
            command.begin_array("u").begin_entry(0).begin_document("$_internalApplyOplogUpdate");
            command.document("oplogUpdate", o).end().end().end();
        }
        Change::Modifiers(o) => {
            // The command takes the modifiers but not the version that the oplog puts before them.
            command.begin_document("u");
            for element in elements(o).map_while(Result::ok).filter(|element| element.name != b"$v") {
                command.element(element);
            }
            command.end();
        }
        Change::Replace(document) => {
            command.document("u", document);
        }
    }
}

/// `n` of a reply.
fn count(reply: &Reply) -> usize {
    reply.document().get_i32("n").ok().and_then(|n| usize::try_from(n).ok()).unwrap_or_default()
}

fn upserted(reply: &Reply) -> Vec<usize> {
    let entries = reply.document().get_array("upserted");
    let index = |entry: &bson::Bson| usize::try_from(entry.as_document()?.get_i32("index").ok()?).ok();
    entries.into_iter().flatten().filter_map(index).collect()
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn the_form_of_an_update_is_read_from_its_first_field() {
        assert!(matches!(Change::of(&rawdoc! { "$v": 2, "diff": {} }), Some(Change::Diff(_))));
        assert!(matches!(Change::of(&rawdoc! { "$v": 1, "$set": {} }), Some(Change::Modifiers(_))));
        assert!(matches!(Change::of(&rawdoc! { "$set": {} }), Some(Change::Modifiers(_))));
        assert!(matches!(Change::of(&rawdoc! { "_id": 1, "$v": 2 }), Some(Change::Replace(_))));
        assert!(Change::of(&rawdoc! { "$v": 3, "diff": {} }).is_none());
    }
}
