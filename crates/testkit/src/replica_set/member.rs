//! One member of a test replica set: its files, its port and, while it runs, its process.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::options::ClientOptions;
use rustix::process::Signal;

use super::lock;
use crate::mongod::port::PortLease;
use crate::mongod::process::{Launch, MongodProcess};

#[derive(Debug)]
pub(super) struct Member {
    process: Mutex<Option<MongodProcess>>,
    launch: Launch,
    /// Without credentials: `hello` needs none, and an arbiter has no users to log in as.
    probe: Client,
    _port: PortLease,
}

impl Member {
    /// Not yet started.
    pub(super) async fn new(launch: Launch, port: PortLease) -> Result<Self> {
        let mut options = ClientOptions::parse(format!("mongodb://127.0.0.1:{}", launch.port)).await?;
        options.direct_connection = Some(true);
        options.server_selection_timeout = Some(Duration::from_millis(700));
        // Finds a restarted server at once instead of at the next heartbeat.
        options.heartbeat_freq = Some(Duration::from_millis(500));
        Ok(Self { process: Mutex::new(None), launch, probe: Client::with_options(options)?, _port: port })
    }

    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.launch.port)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.launch.log.clone()
    }

    pub(super) fn files(&self) -> PathBuf {
        self.launch.dbpath.clone()
    }

    pub(super) async fn start(&self) -> Result<()> {
        let process = MongodProcess::start(&self.launch).await?;
        *lock(&self.process) = Some(process);
        Ok(())
    }

    /// Hands over the running process, to be ended.
    pub(super) fn take(&self) -> Result<MongodProcess> {
        lock(&self.process).take().with_context(|| format!("member {} is not running", self.host()))
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let process = lock(&self.process);
        process.as_ref().with_context(|| format!("member {} is not running", self.host()))?.signal(signal)
    }

    pub(super) fn is_running(&self) -> bool {
        lock(&self.process).is_some()
    }

    pub(super) fn pid(&self) -> Option<i32> {
        lock(&self.process).as_ref().map(MongodProcess::pid)
    }

    pub(super) fn wipe(&self) -> Result<()> {
        ensure!(!self.is_running(), "member {} is running; stop it before wiping its files", self.host());
        std::fs::remove_dir_all(&self.launch.dbpath).with_context(|| format!("wipe {}", self.launch.dbpath.display()))
    }

    /// `None` when it does not answer within a second.
    pub(super) async fn hello(&self) -> Option<Document> {
        if !self.is_running() {
            return None;
        }
        let admin = self.probe.database("admin");
        let hello = admin.run_command(doc! { "hello": 1 });
        tokio::time::timeout(Duration::from_secs(1), hello.into_future()).await.ok()?.ok()
    }
}
