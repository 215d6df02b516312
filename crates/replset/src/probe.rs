//! Looks at one server, whatever it is: for metrics. Unlike [`crate::Connection`] it refuses nothing, so it serves arbiters,
//! standalone servers, members that are not initiated or starting, and servers that are down.
//!
//! One pool of at most two connections, which stay open; beside them the driver's one monitor.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bson::{Document, RawDocumentBuf, rawdoc};
use mongodb::Client;
use mongodb::event::EventHandler;
use mongodb::event::cmap::CmapEvent;
use mongodb::options::{ClientOptions, ReadPreference, SelectionCriteria, ServerAddress, ServerMonitoringMode};
use telemetry::redact_uri;

use crate::error::{ErrorKind, ReplsetError, Result};

mod profiling;

pub use profiling::{Profiling, ProfilingChange};

/// A command runs while the one of another loop does.
const MAX_POOL: u32 = 2;
/// A server that does not answer within this time is down for whoever watches it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the credentials of the connection string are used. Arbiters have no users, and tell what they are without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    Used,
    LeftOut,
}

/// A connection to exactly one server. Cheap to clone.
#[derive(Clone)]
pub struct Probe {
    client: Client,
    server: Arc<str>,
    open: Arc<AtomicI64>,
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Probe {
    /// To `member` (host:port), or else to the first server that the connection string names. Does not connect yet: only a
    /// connection string that cannot be used is an error.
    pub async fn new(uri: &str, member: Option<&str>, credentials: Credentials) -> Result<Self> {
        const WHAT: &str = "use the connection string";
        let shown = redact_uri(uri);
        let mut options =
            ClientOptions::parse(uri).await.map_err(|error| ReplsetError::from_driver(&error, WHAT, &shown))?;
        let address = match member {
            Some(member) => ServerAddress::parse(member).ok(),
            None => options.hosts.first().cloned(),
        };
        let Some(address) = address else {
            return Err(ReplsetError::new(ErrorKind::InvalidUri, WHAT, &shown, "it names no server"));
        };
        let server: Arc<str> = address.to_string().into();
        let open = Arc::new(AtomicI64::new(0));
        let counted = Arc::clone(&open);
        options.hosts = vec![address];
        options.direct_connection = Some(true);
        options.repl_set_name = None;
        options.load_balanced = None;
        options.app_name = Some("tidemark metrics".to_owned());
        options.max_pool_size = Some(MAX_POOL);
        options.min_pool_size = None;
        options.connect_timeout = Some(PATIENCE);
        options.server_selection_timeout = Some(PATIENCE);
        // Streaming would cost one more connection.
        options.server_monitoring_mode = Some(ServerMonitoringMode::Poll);
        options.retry_reads = Some(false);
        options.read_concern = None;
        options.write_concern = None;
        options.selection_criteria = None;
        if credentials == Credentials::LeftOut {
            options.credential = None;
        }
        options.cmap_event_handler = Some(EventHandler::callback(move |event| match event {
            CmapEvent::ConnectionCreated(_) => {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            CmapEvent::ConnectionClosed(_) => {
                counted.fetch_sub(1, Ordering::Relaxed);
            }
            _ => {}
        }));
        let client = Client::with_options(options).map_err(|error| ReplsetError::from_driver(&error, WHAT, &server))?;
        Ok(Self { client, server, open })
    }

    /// host:port.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Connections of the pool that are open now.
    pub fn connections(&self) -> i64 {
        self.open.load(Ordering::Relaxed)
    }

    /// The reply to a command, within a few seconds or not at all.
    pub async fn run(&self, database: &str, operation: &'static str, command: RawDocumentBuf) -> Result<Document> {
        let nearest = SelectionCriteria::ReadPreference(ReadPreference::Nearest { options: None });
        let database = self.client.database(database);
        let run = async { database.run_raw_command(command).selection_criteria(nearest).await };
        match tokio::time::timeout(PATIENCE, run).await {
            Ok(reply) => reply.map_err(|error| ReplsetError::from_driver(&error, operation, &self.server)),
            Err(_elapsed) => Err(ReplsetError::timed_out(operation, &self.server, PATIENCE)),
        }
    }

    pub async fn hello(&self) -> Result<Document> {
        self.run("admin", "ask the server what it is", rawdoc! { "hello": 1 }).await
    }

    /// Only what metrics are read from: the sections that are left out cost the server and the network most of the time.
    pub async fn server_status(&self) -> Result<Document> {
        const NEVER_READ: [&str; 18] = [
            "batchedDeletes",
            "catalogStats",
            "defaultRWConcern",
            "freeMonitoring",
            "indexBulkBuilder",
            "indexStats",
            "locks",
            "logicalSessionRecordCache",
            "opReadConcernCounters",
            "readConcernCounters",
            "scramCache",
            "security",
            "sharding",
            "tcmalloc",
            "tenantMigrations",
            "trafficRecording",
            "transportSecurity",
            "twoPhaseCommitCoordinator",
        ];
        // In `metrics`, the largest section. Servers from before parts could be left out send it whole.
        const NEVER_READ_METRICS: [&str; 8] = [
            "aggStageCounters",
            "apiVersions",
            "changeStreams",
            "commands",
            "dotsAndDollarsFields",
            "mongos",
            "network",
            "operatorCounters",
        ];
        let mut command = bson::doc! { "serverStatus": 1, "oplog": 1, "opLatencies": { "histograms": true } };
        for section in NEVER_READ {
            command.insert(section, 0);
        }
        let parts: Document = NEVER_READ_METRICS.iter().map(|part| ((*part).to_owned(), false.into())).collect();
        command.insert("metrics", parts);
        let command = RawDocumentBuf::try_from(&command)
            .map_err(|error| ReplsetError::protocol("read the server's status", error.to_string()))?;
        self.run("admin", "read the server's status", command).await
    }

    /// The one document of `$collStats` with the sizes of the oplog.
    pub async fn oplog_sizes(&self) -> Result<Document> {
        const WHAT: &str = "read the size of the oplog";
        let command = rawdoc! {
            "aggregate": "oplog.rs",
            "pipeline": [
                { "$collStats": { "storageStats": {} } },
                { "$project": { "storageStats.size": 1, "storageStats.maxSize": 1 } },
            ],
            "cursor": {},
        };
        let reply = self.run("local", WHAT, command).await?;
        first_of(&reply).ok_or_else(|| ReplsetError::protocol(WHAT, "the reply holds no sizes"))
    }

    /// The one document of a pipeline that begins with `$currentOp` and adds everything up, if it gives one.
    pub async fn operations(&self, pipeline: Vec<Document>) -> Result<Option<Document>> {
        const WHAT: &str = "look at the operations under way";
        let command = bson::doc! { "aggregate": 1, "pipeline": pipeline, "cursor": {} };
        let command =
            RawDocumentBuf::try_from(&command).map_err(|error| ReplsetError::protocol(WHAT, error.to_string()))?;
        Ok(first_of(&self.run("admin", WHAT, command).await?))
    }

    /// Names of all databases.
    pub async fn databases(&self) -> Result<Vec<String>> {
        let reply = self.run("admin", "list databases", rawdoc! { "listDatabases": 1, "nameOnly": true }).await?;
        let databases = reply.get_array("databases").into_iter().flatten().filter_map(bson::Bson::as_document);
        Ok(databases.filter_map(|database| database.get_str("name").ok().map(str::to_owned)).collect())
    }
}

fn first_of(reply: &Document) -> Option<Document> {
    let batch = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
    batch.ok().and_then(|batch| batch.first()?.as_document().cloned())
}
