//! The apply side: writes to the primary of a restore's destination, and reads there only. A secondary may not have yet
//! what was written; it lacks collections and indexes, and a destination that is not empty looks empty there.
//!
//! Everything goes through raw commands, so that bytes arrive as they are. Writes are acknowledged by the primary
//! only (`w: 1`); [`Destination::majority_barrier`] makes everything before it durable on a majority, and
//! [`Destination::election_id`] tells whether the primary changed in between. Used by the recovery crate.

use std::time::Duration;

use archive::Namespace;
use bson::oid::ObjectId;
use bson::{RawDocument, RawDocumentBuf, rawdoc};

use crate::connect::{ConnectOptions, Connection, Reply};
use crate::error::{ErrorKind, ReplsetError, Result};
use crate::listing;
use crate::raw::{RawWriter, elements, field};
use crate::topology::{Hello, ServerVersion, Topology, server_version};

mod insert;
mod operations;
mod progress;
mod read;
mod schema;
mod update;
mod users;

pub use insert::{InsertMode, InsertOutcome};
pub use operations::RunningWrite;
pub use update::{Change, Outcome, Update};
pub use users::{MergedAccess, USERS_AND_ROLES};

/// Where the restore keeps its progress.
pub const PROGRESS: (&str, &str) = ("config", "tidemark_restore");

/// Documents of one command: the server's limit is 100,000, but a command should not hold its locks for long.
pub(crate) const MAX_STATEMENTS: usize = 2_000;
/// Bytes of documents in one command. A single document may be larger: the server takes a command of 16 MB and 16 KB.
pub(crate) const MAX_COMMAND_BYTES: usize = 12 * 1024 * 1024;

#[derive(Debug, Clone)]
pub struct Destination {
    connection: Connection,
}

impl Destination {
    /// Connects and proves that there is a primary to write to.
    pub async fn open(uri: &str, options: ConnectOptions) -> Result<Self> {
        Self::new(Connection::open(uri, options).await?).await
    }

    pub async fn new(connection: Connection) -> Result<Self> {
        let connection = connection.on_primary();
        Hello::fetch_from_primary(&connection).await?;
        Ok(Self { connection })
    }

    /// Reads from the primary, too.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    pub fn server(&self) -> &str {
        self.connection.server()
    }

    pub async fn server_version(&self) -> Result<ServerVersion> {
        server_version(&self.connection).await
    }

    pub async fn topology(&self) -> Result<Topology> {
        Topology::fetch(&self.connection).await
    }

    pub async fn replica_set_id(&self) -> Result<String> {
        Ok(self.topology().await?.replica_set_id)
    }

    /// Names the primary's reign: when it changes, unconfirmed writes may have rolled back.
    pub async fn election_id(&self) -> Result<ObjectId> {
        let hello = Hello::fetch_from_primary(&self.connection).await?;
        hello
            .election_id
            .ok_or_else(|| ReplsetError::protocol("read the election id", "the primary gives no election id"))
    }

    /// Collections and views that are not the server's own: all outside `admin`, `config` and `local`, and in `admin`
    /// those that are neither system collections nor staged by a restore. `system.*` of other databases count too.
    pub async fn list_existing(&self) -> Result<Vec<Namespace>> {
        let (databases, _) = listing::list_databases(&self.connection, None).await?;
        let mut existing = Vec::new();
        for database in databases {
            let names = listing::names(&self.connection, &database).await?;
            let is_foreign = |name: &Namespace| {
                name.db != "admin" || !(name.coll.starts_with("system.") || name.coll.starts_with("tidemark_"))
            };
            existing.extend(names.into_iter().filter(is_foreign));
        }
        Ok(existing)
    }

    /// Every collection and view of one database.
    pub async fn names_of(&self, database: &str) -> Result<Vec<Namespace>> {
        listing::names(&self.connection, database).await
    }

    /// Returns when everything written before is committed by a majority (of the primary's present reign).
    pub async fn majority_barrier(&self) -> Result<()> {
        // An update that changes nothing waits for the newest operation of the server.
        let command = rawdoc! {
            "update": PROGRESS.1,
            "updates": [{ "q": { "_id": "majority barrier" }, "u": { "$set": { "x": 1 } } }],
            "writeConcern": { "w": "majority" },
        };
        self.write(PROGRESS.0, "wait for a majority", command).await.map(|_| ())
    }

    /// Any command on the primary; fails on write errors and write concern errors too. Without a time limit.
    pub async fn run_raw(&self, database: &str, command: RawDocumentBuf) -> Result<Reply> {
        self.unlimited(database, "run a command", command).await
    }

    pub(crate) async fn unlimited(&self, db: &str, operation: &'static str, command: RawDocumentBuf) -> Result<Reply> {
        self.checked(db, operation, command, None).await
    }

    pub(crate) async fn write(&self, db: &str, operation: &'static str, command: RawDocumentBuf) -> Result<Reply> {
        self.checked(db, operation, command, Some(self.connection.command_timeout())).await
    }

    async fn checked(
        &self,
        database: &str,
        operation: &'static str,
        command: RawDocumentBuf,
        timeout: Option<Duration>,
    ) -> Result<Reply> {
        let reply = self.statements(database, operation, command, timeout).await?;
        match WriteError::all(&reply).first() {
            Some(error) => Err(error.to_error(operation, self.server())),
            None => Ok(reply),
        }
    }

    /// Runs a write command whose statements may fail one by one; only a failed write concern is an error here.
    pub(crate) async fn statements(
        &self,
        database: &str,
        operation: &'static str,
        command: RawDocumentBuf,
        timeout: Option<Duration>,
    ) -> Result<Reply> {
        let reply = self.connection.run_on_primary(database, operation, command, timeout).await?;
        if let Ok(concern) = reply.document().get_document("writeConcernError") {
            let code = concern.get_i32("code").unwrap_or_default();
            let (name, message) = (concern.get_str("codeName"), concern.get_str("errmsg"));
            let (name, message) = (name.unwrap_or_default(), message.unwrap_or("the write concern failed"));
            return Err(ReplsetError::from_code(code, name, message, operation, self.server()));
        }
        Ok(reply)
    }

    /// One operation in the form of the oplog, for what the ordinary commands refuse. Never send more than the fields
    /// an entry needs: session fields without a session crash 6.0.5.
    pub(crate) async fn apply_one(&self, entry: &RawDocument, operation: &'static str) -> Result<()> {
        let mut command = RawWriter::with_capacity(entry.as_bytes().len() + 128);
        command.begin_array("applyOps").entry(0, entry).end();
        command.bool("bypassDocumentValidation", true).bool("alwaysUpsert", false);
        command.begin_document("writeConcern").i32("w", 1).end();
        self.statements("admin", operation, command.finish(), Some(self.connection.command_timeout())).await.map(|_| ())
    }
}

/// An entry of `writeErrors`.
#[derive(Debug, Clone)]
pub(crate) struct WriteError {
    pub index: usize,
    pub code: i32,
    pub message: String,
    pub is_duplicate_id: bool,
}

impl WriteError {
    pub fn all(reply: &Reply) -> Vec<Self> {
        let errors = reply.document().get_array("writeErrors");
        errors.into_iter().flatten().filter_map(|error| error.as_document()).map(Self::parse).collect()
    }

    fn parse(error: &bson::Document) -> Self {
        let code = error.get_i32("code").unwrap_or_default();
        // Clustered collections have no index name, but the pattern is there for every collection.
        let pattern = error.get_document("keyPattern");
        let on_id = pattern.is_ok_and(|pattern| pattern.len() == 1 && pattern.contains_key("_id"));
        Self {
            index: error.get_i32("index").ok().and_then(|index| usize::try_from(index).ok()).unwrap_or(usize::MAX),
            code,
            message: error.get_str("errmsg").unwrap_or_default().to_owned(),
            is_duplicate_id: code == 11000 && on_id,
        }
    }

    pub fn to_error(&self, operation: &'static str, server: &str) -> ReplsetError {
        // The message of a duplicate key quotes the key, which is users' data.
        let message = self.message.split(" dup key:").next().unwrap_or_default();
        let name = if self.code == 11000 { "DuplicateKey" } else { "" };
        ReplsetError::from_code(self.code, name, message, operation, server)
    }
}

/// `document` without the top-level fields in `dropped`.
pub(crate) fn copy_without(document: &RawDocument, dropped: &[&str], writer: &mut RawWriter) -> Result<()> {
    for element in elements(document) {
        let element = element?;
        if !dropped.iter().any(|name| name.as_bytes() == element.name) {
            writer.element(element);
        }
    }
    Ok(())
}

pub(crate) fn is_set(document: &RawDocument, name: &str) -> bool {
    field(document, name).is_some()
}

/// Whether an error says that the object is there already, which a resumed restore expects.
pub fn is_already_there(error: &ReplsetError) -> bool {
    matches!(error.kind(), ErrorKind::Command { code: 48 | 85 | 86, .. })
}
