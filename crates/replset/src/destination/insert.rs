//! Bulk inserts that keep every byte.
//!
//! The server replaces a top-level `Timestamp(0, 0)` outside `_id` by its clock on insert and on replacement. Such
//! documents go in with a placeholder, and a diff puts the value back, which the server leaves alone.

use archive::{ClusterTime, Namespace};
use bson::{RawDocument, RawDocumentBuf};

use super::update::{Change, Update};
use super::{Destination, MAX_COMMAND_BYTES, MAX_STATEMENTS, WriteError};
use crate::error::{ReplsetError, Result};
use crate::raw::{DECIMAL128, DOUBLE, DocumentKey, RawWriter, TIMESTAMP, elements, field};

const WHAT: &str = "insert documents";
const PLACEHOLDER: ClusterTime = ClusterTime::new(1, 1);

/// What to do with a document whose `_id` exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertMode {
    /// It is an error.
    Error,
    /// It was inserted before: a load that was interrupted goes on.
    IgnoreDuplicates,
    /// It takes the document's place: replay of what a scan may have seen already.
    Replace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InsertOutcome {
    pub inserted: u64,
    pub ignored: u64,
    pub replaced: u64,
}

impl Destination {
    /// Inserts in order when `ordered` (capped collections need it), else as the server likes. Any number of
    /// documents: they are split into commands.
    pub async fn insert_raw(
        &self,
        namespace: &Namespace,
        documents: &[&RawDocument],
        mode: InsertMode,
        ordered: bool,
    ) -> Result<InsertOutcome> {
        let mut outcome = InsertOutcome::default();
        let mut start = 0;
        while start < documents.len() {
            let end = start + fitting(&documents[start..]);
            self.insert_command(namespace, &documents[start..end], mode, ordered, &mut outcome).await?;
            start = end;
        }
        Ok(outcome)
    }

    async fn insert_command(
        &self,
        namespace: &Namespace,
        documents: &[&RawDocument],
        mode: InsertMode,
        ordered: bool,
        outcome: &mut InsertOutcome,
    ) -> Result<()> {
        let mut prepared = Vec::with_capacity(documents.len());
        for document in documents {
            prepared.push(with_placeholders(document)?);
        }
        let bytes = |position: usize| prepared[position].as_deref().unwrap_or(documents[position]);
        let mut next = 0;
        // An ordered command stops at its first error and is sent again from the document behind it.
        while next < documents.len() {
            let command = command(namespace, (next..documents.len()).map(bytes), ordered);
            let timeout = Some(self.connection.command_timeout());
            let reply = self.statements(&namespace.db, WHAT, command, timeout).await?;
            outcome.inserted += u64::try_from(reply.document().get_i32("n").unwrap_or_default()).unwrap_or_default();
            let errors = WriteError::all(&reply);
            for error in &errors {
                let position = next.checked_add(error.index).filter(|position| *position < documents.len());
                let position =
                    position.ok_or_else(|| ReplsetError::protocol(WHAT, "the error of an unknown document"))?;
                self.settle(namespace, documents[position], bytes(position), error, mode, outcome).await?;
            }
            next = match errors.last() {
                Some(error) if ordered => next + error.index + 1,
                _ => documents.len(),
            };
        }
        self.restore_zero_timestamps(namespace, documents, &prepared).await
    }

    /// A document that the server did not insert.
    async fn settle(
        &self,
        namespace: &Namespace,
        original: &RawDocument,
        sent: &RawDocument,
        error: &WriteError,
        mode: InsertMode,
        outcome: &mut InsertOutcome,
    ) -> Result<()> {
        if error.is_duplicate_id || is_duplicate_nan(original, error) {
            match mode {
                InsertMode::Error => return Err(error.to_error(WHAT, self.server())),
                InsertMode::IgnoreDuplicates => outcome.ignored += 1,
                InsertMode::Replace => {
                    let key = DocumentKey::of(original)
                        .ok_or_else(|| ReplsetError::protocol(WHAT, "a document has no `_id`"))?;
                    let update = Update { key, change: Change::Replace(original), upsert: true };
                    self.apply_updates(namespace, &[update]).await?;
                    outcome.replaced += 1;
                }
            }
            return Ok(());
        }
        let refused = error.to_error(WHAT, self.server());
        if error.code == 11000 || refused.is_retryable() || refused.code().is_none() {
            return Err(refused);
        }
        // What today's insert refuses, an older server may have stored: the oplog's form is less strict.
        let mut entry = RawWriter::with_capacity(sent.as_bytes().len() + 128);
        entry.str("op", "i").str("ns", &namespace.to_string()).document("o", sent);
        self.apply_one(&entry.finish(), WHAT).await.map_err(|_| refused)?;
        outcome.inserted += 1;
        Ok(())
    }

    /// Also for documents that were there: an earlier attempt may have ended before it got here.
    async fn restore_zero_timestamps(
        &self,
        namespace: &Namespace,
        documents: &[&RawDocument],
        prepared: &[Option<RawDocumentBuf>],
    ) -> Result<()> {
        let mut diffs = Vec::new();
        for (document, prepared) in documents.iter().zip(prepared) {
            if prepared.is_some() {
                let key =
                    DocumentKey::of(document).ok_or_else(|| ReplsetError::protocol(WHAT, "a document has no `_id`"))?;
                diffs.push((key, zero_timestamps_diff(document)?));
            }
        }
        if diffs.is_empty() {
            return Ok(());
        }
        let updates: Vec<Update<'_>> = diffs
            .iter()
            .map(|(key, diff)| Update { key: key.clone(), change: Change::Diff(diff), upsert: false })
            .collect();
        self.apply_updates(namespace, &updates).await.map(|_| ())
    }
}

/// A second NaN as `_id` makes 6.0.5 stumble over its own message ("Invalid type bits for numeric NaN").
fn is_duplicate_nan(document: &RawDocument, error: &WriteError) -> bool {
    const INVALID_TYPE_BITS: i32 = 50819;
    let is_nan = |element: crate::raw::Element<'_>| match (element.kind, element.value) {
        (DOUBLE, value) => value.try_into().is_ok_and(|bytes| f64::from_le_bytes(bytes).is_nan()),
        (DECIMAL128, value) => value.last().is_some_and(|top| top & 0x7c == 0x7c),
        _ => false,
    };
    error.code == INVALID_TYPE_BITS && field(document, "_id").is_some_and(is_nan)
}

/// How many documents from the first on fit into a command; at least one.
fn fitting(documents: &[&RawDocument]) -> usize {
    let mut bytes = 0;
    let fits = |document: &&&RawDocument| {
        bytes += document.as_bytes().len() + 8;
        bytes <= MAX_COMMAND_BYTES
    };
    documents.iter().take(MAX_STATEMENTS).take_while(fits).count().max(1)
}

pub(super) fn command<'a>(
    namespace: &Namespace,
    documents: impl Iterator<Item = &'a RawDocument> + Clone,
    ordered: bool,
) -> RawDocumentBuf {
    let size: usize = documents.clone().map(|document| document.as_bytes().len() + 8).sum();
    let mut command = RawWriter::with_capacity(size + 256);
    command.str("insert", &namespace.coll).begin_array("documents");
    for (position, document) in documents.enumerate() {
        command.entry(position, document);
    }
    command.end().bool("ordered", ordered).bool("bypassDocumentValidation", true);
    command.begin_document("writeConcern").i32("w", 1).end();
    command.finish()
}

/// Whether the server would replace the value of this element of a document.
fn is_zero_timestamp(element: &crate::raw::Element<'_>) -> bool {
    element.kind == TIMESTAMP && element.value == [0; 8] && element.name != b"_id"
}

/// The document with placeholders in place of zero timestamps; `None` when it has none and can go as it is.
pub(super) fn with_placeholders(document: &RawDocument) -> Result<Option<RawDocumentBuf>> {
    let mut found = false;
    for element in elements(document) {
        found |= is_zero_timestamp(&element?);
    }
    if !found {
        return Ok(None);
    }
    let mut copy = RawWriter::with_capacity(document.as_bytes().len());
    for element in elements(document) {
        let element = element?;
        if is_zero_timestamp(&element) {
            copy.value(element.name, TIMESTAMP, &PLACEHOLDER.to_bits().to_le_bytes());
        } else {
            copy.element(element);
        }
    }
    Ok(Some(copy.finish()))
}

/// `{$v: 2, diff: {u: {<field>: Timestamp(0, 0), …}}}` for the zero timestamps of a document.
pub(super) fn zero_timestamps_diff(document: &RawDocument) -> Result<RawDocumentBuf> {
    let mut diff = RawWriter::default();
    diff.i32("$v", 2).begin_document("diff").begin_document("u");
    for element in elements(document) {
        let element = element?;
        if is_zero_timestamp(&element) {
            diff.element(element);
        }
    }
    Ok(diff.finish())
}

#[cfg(test)]
mod tests {
    use bson::{Timestamp, rawdoc};

    use super::*;

    #[test]
    fn only_top_level_zero_timestamps_outside_the_id_are_replaced() {
        let zero = Timestamp { time: 0, increment: 0 };
        let untouched =
            rawdoc! { "_id": zero, "a": { "t": zero }, "b": [zero], "c": Timestamp { time: 0, increment: 1 } };
        assert_eq!(with_placeholders(&untouched).unwrap(), None);
        let touched = rawdoc! { "_id": 1, "t": zero, "a": 2 };
        let expected = rawdoc! { "_id": 1, "t": Timestamp { time: 1, increment: 1 }, "a": 2 };
        assert_eq!(with_placeholders(&touched).unwrap(), Some(expected));
        assert_eq!(zero_timestamps_diff(&touched).unwrap(), rawdoc! { "$v": 2, "diff": { "u": { "t": zero } } });
    }

    #[test]
    fn commands_are_cut_by_count_and_bytes() {
        let (small, large) = (rawdoc! { "_id": 1 }, rawdoc! { "_id": 1, "x": "x".repeat(13 * 1024 * 1024) });
        assert_eq!(fitting(&vec![&*small; 5000]), MAX_STATEMENTS);
        assert_eq!(fitting(&[&*large, &*small]), 1);
        assert_eq!(fitting(&[&*small, &*large]), 1);
    }
}
