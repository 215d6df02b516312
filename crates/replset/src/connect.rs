//! Opens connections: to a replica set (the driver finds the primary) or to one member directly.
//!
//! `open` proves at once what later phases rely on, so that a wrong address, password or kind of server is named
//! before any work starts. All commands are raw BSON and have a time limit of our own, because the driver has no
//! socket timeout.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use archive::ClusterTime;
use bson::{Document, RawDocument, RawDocumentBuf, doc, rawdoc};
use futures::StreamExt as _;
use mongodb::Client;
use mongodb::options::{ClientOptions, ReadPreference, SelectionCriteria, ServerAddress};
use mongodb::raw_batch_cursor::{RawBatch, RawBatchCursor};
use telemetry::redact_uri;

use crate::error::{ErrorKind, ReplsetError, Result};
use crate::topology::{Hello, Role};

/// Wire version of server 4.4, the first with resumable scans and majority reads that are always on.
const OLDEST_WIRE_VERSION: i32 = 9;
/// For a server that has had its time already.
const ASKED_ONCE_MORE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Shown in the server's log and `currentOp`.
    pub app_name: String,
    /// `host:port` of the one member to talk to, with the credentials and TLS options of the URI.
    pub direct_to: Option<String>,
    pub max_pool: u32,
    pub connect_timeout: Duration,
    /// How long to look for a server that may be used before `Unreachable`.
    pub selection_timeout: Duration,
    /// Limit for one command or one batch; builds of indexes have none.
    pub command_timeout: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            app_name: "tidemark".to_owned(),
            direct_to: None,
            max_pool: 32,
            connect_timeout: Duration::from_secs(5),
            selection_timeout: Duration::from_secs(10),
            command_timeout: Duration::from_mins(2),
        }
    }
}

/// A pool of connections to one member or to a replica set. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    client: Client,
    /// What was asked for, without a chosen member: members are opened from it.
    template: Arc<Template>,
    server: Arc<str>,
    command_timeout: Duration,
    is_direct: bool,
    reads: Reads,
}

/// Who answers reads of a connection to a whole replica set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    Nearest,
    Primary,
}

struct Template {
    client_options: ClientOptions,
    options: ConnectOptions,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("server", &self.server)
            .field("is_direct", &self.is_direct)
            .finish_non_exhaustive()
    }
}

/// A server's decoded answer to a command. Replies that hold documents of users are read raw instead.
#[derive(Debug, Clone)]
pub struct Reply(Document);

impl Reply {
    pub fn document(&self) -> &Document {
        &self.0
    }

    /// The cluster time of the newest operation that the server had performed when it answered.
    pub fn operation_time(&self) -> Option<ClusterTime> {
        self.0.get_timestamp("operationTime").ok().map(Into::into)
    }
}

/// `operationTime` of a raw reply.
pub fn operation_time(reply: &RawDocument) -> Option<ClusterTime> {
    reply.get_timestamp("operationTime").ok().map(Into::into)
}

impl Connection {
    /// Connects, signs in and refuses what is not a readable replica set member of a supported version.
    pub async fn open(uri: &str, options: ConnectOptions) -> Result<Self> {
        let shown = redact_uri(uri);
        let invalid =
            |detail: String| ReplsetError::new(ErrorKind::InvalidUri, "use the connection string", &shown, detail);
        let mut client_options = ClientOptions::parse(uri).await.map_err(|error| {
            let error = ReplsetError::from_driver(&error, "use the connection string", &shown);
            let kind = if *error.kind() == ErrorKind::Protocol { ErrorKind::InvalidUri } else { error.kind().clone() };
            ReplsetError::new(kind, "use the connection string", &shown, without_secrets(error.detail(), uri))
        })?;
        if client_options.load_balanced == Some(true) {
            return Err(invalid("`loadBalanced` is not supported: members are read one by one".to_owned()));
        }
        client_options.app_name = Some(options.app_name.clone());
        client_options.max_pool_size = Some(options.max_pool);
        // What the connection string says wins over our defaults.
        client_options.connect_timeout.get_or_insert(options.connect_timeout);
        client_options.server_selection_timeout.get_or_insert(options.selection_timeout);
        // Retries are decided by those who know what was already done; the driver's would hide elections.
        client_options.retry_reads = Some(false);
        client_options.retry_writes = Some(false);
        client_options.selection_criteria = None;
        client_options.read_concern = None;
        client_options.write_concern = None;
        let direct_to = options.direct_to.clone();
        let template = Arc::new(Template { client_options, options });
        Self::from_template(template, direct_to.as_deref()).await
    }

    /// A direct connection to one member with this connection's credentials and TLS options.
    pub async fn member(&self, host: &str) -> Result<Self> {
        Self::from_template(Arc::clone(&self.template), Some(host)).await
    }

    async fn from_template(template: Arc<Template>, direct_to: Option<&str>) -> Result<Self> {
        let mut client_options = template.client_options.clone();
        if let Some(host) = direct_to {
            let address = ServerAddress::parse(host).map_err(|error| {
                ReplsetError::from_driver(&error, "use the member's address", host).with_kind(ErrorKind::InvalidUri)
            })?;
            client_options.hosts = vec![address];
            client_options.direct_connection = Some(true);
            // A direct connection would not see a member of another set name as a member at all; `hello` says it better.
            client_options.repl_set_name = None;
        }
        let is_direct = client_options.direct_connection == Some(true);
        let hosts: Vec<String> = client_options.hosts.iter().map(ToString::to_string).collect();
        let server: Arc<str> = hosts.join(",").into();
        let client = Client::with_options(client_options).map_err(|error| {
            ReplsetError::from_driver(&error, "use the connection string", &server).with_kind(ErrorKind::InvalidUri)
        })?;
        let command_timeout = template.options.command_timeout;
        let connection = Self { client, template, server, command_timeout, is_direct, reads: Reads::Nearest };
        connection.prove_usable().await?;
        Ok(connection)
    }

    async fn prove_usable(&self) -> Result<()> {
        let hello = match self.first_hello().await {
            Ok(hello) => hello,
            // Nothing was reachable before, so there is nothing transient about it.
            Err(error) if *error.kind() == ErrorKind::NetworkTransient => {
                return Err(error.with_kind(ErrorKind::Unreachable));
            }
            Err(error) if *error.kind() == ErrorKind::Unreachable => {
                return Err(self.names_another_set().await.unwrap_or(error));
            }
            Err(error) => return Err(error),
        };
        let refuse = |kind, detail: &str| Err(ReplsetError::new(kind, "use the server", &self.server, detail));
        if hello.max_wire_version < OLDEST_WIRE_VERSION {
            return refuse(ErrorKind::ServerTooOld, "the server is older than MongoDB 4.4");
        }
        match hello.role {
            Role::Primary | Role::Secondary => Ok(()),
            Role::Uninitiated => {
                let detail = "the member was started for a replica set that is not initiated yet";
                refuse(ErrorKind::MemberRecovering, detail)
            }
            Role::NoMember => {
                let detail = "it is not a member of a replica set (a standalone mongod or a mongos): there is no oplog to \
                              archive; start it with --replSet and initiate the set";
                refuse(ErrorKind::NotReplicaSet, detail)
            }
            Role::Arbiter => {
                refuse(ErrorKind::Arbiter, "it is an arbiter, which holds no data; use a data-bearing member")
            }
            Role::Unreadable => {
                let detail = "the member is neither primary nor secondary now (starting, recovering, rolling back or being \
                              synchronised)";
                refuse(ErrorKind::MemberRecovering, detail)
            }
        }
    }

    /// The driver takes no notice of servers whose set has another name than the connection string says, and then there is
    /// none: an error that says so, when that is what all servers that answer have in common.
    async fn names_another_set(&self) -> Option<ReplsetError> {
        let options = &self.template.client_options;
        let wanted = options.repl_set_name.as_deref().filter(|_| !self.is_direct)?;
        let asked = options.hosts.iter().map(|host| async move {
            let mut bare = options.clone();
            (bare.hosts, bare.direct_connection) = (vec![host.clone()], Some(true));
            (bare.repl_set_name, bare.credential) = (None, None);
            bare.server_selection_timeout = Some(ASKED_ONCE_MORE);
            let client = Client::with_options(bare).ok()?;
            let hello = client.database("admin").run_command(doc! { "hello": 1 }).await;
            client.shutdown().await;
            Some((host, hello.ok()?.get_str("setName").ok()?.to_owned()))
        });
        let found: Vec<_> = futures::future::join_all(asked).await.into_iter().flatten().collect();
        let (host, other) = found.first()?;
        if found.iter().any(|(_, name)| name == wanted) {
            return None;
        }
        let detail = format!(
            "{host} is a member of the replica set `{other}`, and the connection string names `{wanted}`: correct \
             `replicaSet=`, or the hosts"
        );
        Some(ReplsetError::new(ErrorKind::InvalidUri, "use the connection string", &self.server, detail))
    }

    /// A user that was just made, or just got another password, is not known to every secondary yet: whether the
    /// credentials are right is what the primary says, wherever there is one.
    async fn first_hello(&self) -> Result<Hello> {
        match Hello::fetch(self).await {
            Err(error) if *error.kind() == ErrorKind::AuthFailed && !self.is_direct => {
                Hello::fetch(&self.clone().on_primary()).await.map_err(|_| error)
            }
            answered => answered,
        }
    }

    /// The same connection, all of whose reads are answered by the primary: only there everything stands that was written.
    #[must_use]
    pub fn on_primary(self) -> Self {
        Self { reads: Reads::Primary, ..self }
    }

    /// `None` is the driver's default: the primary.
    fn selection(&self) -> Option<SelectionCriteria> {
        let nearest = || SelectionCriteria::ReadPreference(ReadPreference::Nearest { options: None });
        (self.reads == Reads::Nearest).then(nearest)
    }

    /// Host or hosts, without credentials: for messages.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Whether all commands go to one member whatever its state.
    pub fn is_direct(&self) -> bool {
        self.is_direct
    }

    pub fn command_timeout(&self) -> Duration {
        self.command_timeout
    }

    /// Runs a command on this member; when the connection is to a whole replica set on the nearest member, or on the
    /// primary (`on_primary`).
    pub async fn run(&self, database: &str, operation: &'static str, command: RawDocumentBuf) -> Result<Reply> {
        let database = self.client.database(database);
        let run = || async {
            let mut run = database.run_raw_command(command.clone());
            if let Some(chosen) = self.selection() {
                run = run.selection_criteria(chosen);
            }
            self.limited(operation, async { run.await }).await
        };
        self.until_known(run).await.map(Reply)
    }

    /// A read after a cluster time is meant to wait for it, but a member that has not even heard of that time refuses.
    async fn until_known<T, F: Future<Output = Result<T>>>(&self, read: impl Fn() -> F) -> Result<T> {
        let limit = Instant::now() + self.command_timeout;
        loop {
            match read().await {
                Err(error) if *error.kind() == ErrorKind::MemberBehind && Instant::now() < limit => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                result => return result,
            }
        }
    }

    /// Runs a command on the primary. `timeout: None` waits as long as the server works.
    pub async fn run_on_primary(
        &self,
        database: &str,
        operation: &'static str,
        command: RawDocumentBuf,
        timeout: Option<Duration>,
    ) -> Result<Reply> {
        let database = self.client.database(database);
        let run = async { database.run_raw_command(command).await };
        let Some(timeout) = timeout else {
            return run.await.map(Reply).map_err(|error| ReplsetError::from_driver(&error, operation, &self.server));
        };
        self.limited_to(timeout, operation, run).await.map(Reply)
    }

    /// Opens a cursor where `run` would run the command, and returns its raw batches.
    pub(crate) async fn batches(
        &self,
        database: &str,
        operation: &'static str,
        command: RawDocumentBuf,
        settings: CursorSettings,
    ) -> Result<Batches> {
        let database = self.client.database(database);
        let open = || async {
            let mut run = database.run_raw_cursor_command(command.clone());
            if let Some(chosen) = self.selection() {
                run = run.selection_criteria(chosen);
            }
            if let Some(documents) = settings.batch_documents {
                run = run.batch_size(documents);
            }
            if let Some(wait) = settings.await_data {
                run = run.cursor_type(mongodb::options::CursorType::TailableAwait).max_time(wait);
            }
            self.limited(operation, async { run.batch().await }).await
        };
        let cursor = self.until_known(open).await?;
        Ok(Batches { cursor, connection: self.clone(), operation })
    }

    /// All documents that a cursor command yields. For commands whose answer is small.
    pub(crate) async fn collect(
        &self,
        database: &str,
        operation: &'static str,
        command: RawDocumentBuf,
        settings: CursorSettings,
    ) -> Result<Collected> {
        let mut batches = self.batches(database, operation, command, settings).await?;
        let mut collected = Collected::default();
        while let Some(batch) = batches.next().await? {
            let reply = batch.as_raw_document();
            collected.operation_time = collected.operation_time.max(operation_time(reply));
            for document in crate::raw::RawDocuments::of_reply(reply)? {
                collected.documents.push(document?.to_owned());
            }
        }
        Ok(collected)
    }

    async fn limited<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = mongodb::error::Result<T>>,
    ) -> Result<T> {
        self.limited_to(self.command_timeout, operation, work).await
    }

    async fn limited_to<T>(
        &self,
        limit: Duration,
        operation: &'static str,
        work: impl Future<Output = mongodb::error::Result<T>>,
    ) -> Result<T> {
        match tokio::time::timeout(limit, work).await {
            Ok(result) => result.map_err(|error| ReplsetError::from_driver(&error, operation, &self.server)),
            Err(_elapsed) => Err(ReplsetError::timed_out(operation, &self.server, limit)),
        }
    }

    pub async fn ping(&self) -> Result<Reply> {
        self.run("admin", "ping", rawdoc! { "ping": 1 }).await
    }

    /// Ends the pool and its monitors. Dropping the last clone does the same in the background.
    pub async fn close(self) {
        self.client.shutdown().immediate(true).await;
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CursorSettings {
    /// Documents per following batch; by default as many as fit into a reply (16 MB).
    pub batch_documents: Option<u32>,
    /// For tailable cursors: how long the server waits for new documents before it answers with none.
    pub await_data: Option<Duration>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Collected {
    pub documents: Vec<RawDocumentBuf>,
    pub operation_time: Option<ClusterTime>,
}

/// A cursor's batches, each with the connection's time limit.
pub(crate) struct Batches {
    cursor: RawBatchCursor,
    connection: Connection,
    operation: &'static str,
}

impl Batches {
    pub async fn next(&mut self) -> Result<Option<RawBatch>> {
        let next = async { self.cursor.next().await.transpose() };
        self.connection.limited(self.operation, next).await
    }
}

/// A driver message with every occurrence of the URI's password removed.
fn without_secrets(message: &str, uri: &str) -> String {
    const UNSAFE: &str =
        "the connection string cannot be parsed (check the escaping of user name and password, and its options)";
    // A library's message may quote any part of what it could not read.
    let leaks = telemetry::secrets_of(uri).into_iter().any(|secret| message.contains(secret));
    if leaks || (uri.contains('@') && !uri.contains("://")) { UNSAFE.to_owned() } else { message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_quotes_a_secret_is_not_passed_on() {
        assert!(!without_secrets("bad s3cret in", "mongodb://u:s3cret@h").contains("s3cret"));
        assert!(!without_secrets("bad s3cret in", "mongodb://h/?somePassword=s3cret").contains("s3cret"));
        assert!(
            !without_secrets("x is bad", "mongodb://u:x@h").contains('x'),
            "short passwords drop the whole message"
        );
    }

    #[tokio::test]
    async fn an_invalid_uri_is_refused_without_its_password() {
        for uri in [
            "http://u:s3cret@h",
            "mongodb://u:s3cret/x@h:1",
            "mongodb://u:s3cret@h:99999",
            "mongodb://u:s3cret@h/?w=-5",
            "mongodb://h/?tlsCertificateKeyFilePassword=s3cret&bogus=1",
            "u:s3cret@h",
            "",
        ] {
            let error = Connection::open(uri, ConnectOptions::default()).await.unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::InvalidUri, "{uri}: {error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
