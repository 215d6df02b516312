//! Commands under way in the primary. They outlive whoever sent them: one that waits for a lock or for room in the cache
//! does its work when its sender has long given up or is dead.

use bson::{RawBsonRef, RawDocument, rawdoc};

use super::Destination;
use crate::connect::CursorSettings;
use crate::error::{ErrorKind, Result};

/// The commands by which a restore changes anything. An index build is not among them: every attempt builds the same
/// ones, and the server joins it with one that is under way.
const WRITES: &[&str] = &[
    "insert",
    "update",
    "delete",
    "applyOps",
    "create",
    "collMod",
    "drop",
    "dropDatabase",
    "dropIndexes",
    "renameCollection",
    "_mergeAuthzCollections",
];
/// While a statement of a command is executed, it stands in the place of the command.
const WRITING: &[&str] = &["insert", "update", "remove"];

/// A command that changes something, under way in the primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningWrite {
    /// As `killOp` takes it.
    pub id: i64,
    pub app_name: String,
    pub command: String,
    /// `<db>.$cmd` as long as the command waits to begin.
    pub namespace: String,
    pub seconds: i64,
}

impl Destination {
    /// Writes of every user's clients whose app name begins so.
    pub async fn running_writes(&self, app_name: &str) -> Result<Vec<RunningWrite>> {
        // A whole command can be too large for the reply.
        let command = rawdoc! {
            "aggregate": 1,
            "pipeline": [
                { "$currentOp": { "allUsers": true, "truncateOps": true } },
                { "$match": { "active": true } },
                { "$project": { "opid": 1, "appName": 1, "op": 1, "ns": 1, "secs_running": 1, "command": 1 } },
            ],
            "cursor": { "batchSize": i32::MAX },
        };
        let found = self.connection.collect("admin", "list operations", command, CursorSettings::default()).await?;
        let writes = found.documents.iter().filter_map(|operation| RunningWrite::parse(operation));
        Ok(writes.filter(|write| write.app_name.starts_with(app_name)).collect())
    }

    /// Asks the server to end an operation, which it does when the operation next looks; `false` when it refuses. It
    /// refuses those of other users, and those that are over.
    pub async fn kill_operation(&self, id: i64) -> Result<bool> {
        match self.write("admin", "kill an operation", rawdoc! { "killOp": 1, "op": id }).await {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::MissingPrivilege(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl RunningWrite {
    fn parse(operation: &RawDocument) -> Option<Self> {
        let text = |name| operation.get_str(name).unwrap_or_default();
        let command = operation.get_document("command").ok().and_then(command_name).unwrap_or_default();
        if !(WRITING.contains(&text("op")) || WRITES.contains(&command)) {
            return None;
        }
        Some(Self {
            id: integer(operation, "opid")?,
            app_name: text("appName").to_owned(),
            command: if WRITES.contains(&command) { command } else { text("op") }.to_owned(),
            namespace: text("ns").to_owned(),
            seconds: integer(operation, "secs_running").unwrap_or(0),
        })
    }
}

/// A long command comes as the beginning of its text: `{$truncated: "{ insert: …"}`.
fn command_name(command: &RawDocument) -> Option<&str> {
    let (name, value) = command.iter().next()?.ok()?;
    match value {
        RawBsonRef::String(text) if name.as_str() == "$truncated" => {
            text.trim_start_matches(['{', ' ']).split(':').next()
        }
        _ => Some(name.as_str()),
    }
}

fn integer(document: &RawDocument, name: &str) -> Option<i64> {
    document.get_i64(name).or_else(|_| document.get_i32(name).map(i64::from)).ok()
}

#[cfg(test)]
mod tests {
    use bson::RawDocumentBuf;

    use super::*;

    fn write(op: &str, command: RawDocumentBuf) -> Option<String> {
        let operation = rawdoc! { "opid": 7, "appName": "a", "op": op, "ns": "shop.orders", "command": command };
        RunningWrite::parse(&operation).map(|write| write.command)
    }

    #[test]
    fn writes_are_known_before_and_while_they_are_executed_and_when_cut_short() {
        assert_eq!(write("command", rawdoc! { "insert": "orders" }).as_deref(), Some("insert"));
        assert_eq!(write("update", rawdoc! { "q": { "_id": 1 }, "u": {} }).as_deref(), Some("update"));
        assert_eq!(write("remove", rawdoc! { "$truncated": "{ q: { _id: 1 }" }).as_deref(), Some("remove"));
        assert_eq!(write("command", rawdoc! { "$truncated": "{ applyOps: [ {" }).as_deref(), Some("applyOps"));
    }

    #[test]
    fn reads_and_index_builds_are_no_writes() {
        for command in [
            rawdoc! { "find": "orders" },
            rawdoc! { "hello": 1 },
            rawdoc! { "createIndexes": "orders", "indexes": [] },
            rawdoc! { "$truncated": "{ aggregate: 1, insert: 1" },
            rawdoc! {},
        ] {
            assert_eq!(write("command", command), None);
        }
    }
}
