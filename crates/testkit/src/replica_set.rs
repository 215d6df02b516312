//! A real replica set on this machine, with the faults that tests need: kill, stop, pause, step down.
//!
//! Elections are tuned to about a second. Dropping the value ends all members and removes their files; so does any
//! other end of the test process (see `mongod::process`). Used by every integration test of the other crates.

mod builder;
mod member;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mongodb::Client;
use mongodb::bson::{Document, doc};
use rustix::process::Signal;
use tempfile::TempDir;

pub use self::builder::ReplicaSetBuilder;
use self::member::Member;

pub const ROOT_USER: &str = "root";
/// Holds characters that must be escaped in a URI, so that code which forgets to do so fails.
pub const ROOT_PASSWORD: &str = "p@ss:w/rd%1";
const ROOT_CREDENTIALS: &str = "root:p%40ss%3Aw%2Frd%251@";

const ELECTION_LIMIT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct ReplicaSet {
    pub set_name: String,
    members: Vec<Member>,
    client: Client,
    arbiter: bool,
    auth: bool,
    // After the members, so that the servers end before their files go.
    _folder: Arc<TempDir>,
}

impl ReplicaSet {
    pub fn builder() -> ReplicaSetBuilder {
        ReplicaSetBuilder::default()
    }

    /// One member, no authentication: what most tests need, in about two seconds.
    pub async fn single() -> Result<Self> {
        Self::builder().start().await
    }

    /// `host:port` of every member, the arbiter included, in the order of the configuration.
    pub fn hosts(&self) -> Vec<String> {
        self.members.iter().map(Member::host).collect()
    }

    /// All members, the set's name and, with authentication, the root user.
    pub fn uri(&self) -> String {
        uri(&self.hosts().join(","), self.auth, &format!("replicaSet={}", self.set_name))
    }

    /// One member by itself, whatever its state.
    pub fn member_uri(&self, index: usize) -> String {
        uri(&self.members[index].host(), self.auth, "directConnection=true")
    }

    /// The URI of the whole set for another user of the `admin` database.
    pub fn uri_as(&self, user: &str, password: &str) -> String {
        let escape =
            |text: &str| {
                text.bytes()
                    .map(|byte| {
                        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
                    })
                    .collect::<String>()
            };
        let (user, password, hosts) = (escape(user), escape(password), self.hosts().join(","));
        format!("mongodb://{user}:{password}@{hosts}/?replicaSet={}&authSource=admin", self.set_name)
    }

    /// A client of the whole set that writes with `w: majority`. Clones share one connection pool.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A client of one member alone.
    pub async fn member_client(&self, index: usize) -> Result<Client> {
        Ok(Client::with_uri_str(self.member_uri(index)).await?)
    }

    /// The same, for a client that calls itself so.
    pub async fn member_client_named(&self, index: usize, app_name: &str) -> Result<Client> {
        let app_name = app_name.replace(' ', "%20");
        Ok(Client::with_uri_str(format!("{}&appName={app_name}", self.member_uri(index))).await?)
    }

    /// The index of the primary; waits for an election that is under way.
    pub async fn primary(&self) -> Result<usize> {
        self.primary_other_than(None).await
    }

    /// The members that are secondaries now.
    pub async fn secondaries(&self) -> Vec<usize> {
        let mut found = Vec::new();
        for (index, member) in self.members.iter().enumerate() {
            if member.hello().await.is_some_and(|hello| claims(&hello, "secondary")) {
                found.push(index);
            }
        }
        found
    }

    /// SIGKILL: what was not yet in the journal is lost.
    pub fn kill(&self, index: usize) -> Result<()> {
        self.members[index].take()?.kill();
        Ok(())
    }

    /// SIGTERM, and waits for the end. A primary steps down first.
    pub async fn stop(&self, index: usize) -> Result<()> {
        self.members[index].take()?.stop().await?;
        Ok(())
    }

    /// Starts a killed or stopped member (or stops a running one first) on its port and files; returns when it is a
    /// primary, a secondary or an arbiter again.
    pub async fn restart(&self, index: usize) -> Result<()> {
        let member = &self.members[index];
        if let Ok(process) = member.take() {
            process.stop().await?;
        }
        member.start().await?;
        self.wait_usable(index).await
    }

    /// As `restart`, for a killed or stopped member that cannot be usable yet: returns when it listens.
    pub async fn launch(&self, index: usize) -> Result<()> {
        self.members[index].start().await
    }

    /// Removes the files of a killed or stopped member, so that its restart is an initial sync (or needs `initiate`).
    pub fn wipe(&self, index: usize) -> Result<()> {
        self.members[index].wipe()
    }

    /// The folder with a member's files.
    pub fn files(&self, index: usize) -> PathBuf {
        self.members[index].files()
    }

    /// SIGSTOP: the member stays connected and does not answer.
    pub fn pause(&self, index: usize) -> Result<()> {
        self.members[index].signal(Signal::STOP)
    }

    pub fn resume(&self, index: usize) -> Result<()> {
        self.members[index].signal(Signal::CONT)
    }

    pub fn is_running(&self, index: usize) -> bool {
        self.members[index].is_running()
    }

    pub fn pid(&self, index: usize) -> Option<i32> {
        self.members[index].pid()
    }

    pub fn log(&self, index: usize) -> PathBuf {
        self.members[index].log()
    }

    /// Makes the primary step down and returns the new primary. A set with one electable member elects it again.
    pub async fn step_down(&self) -> Result<usize> {
        let old = self.primary().await?;
        let alone = self.secondaries().await.is_empty();
        // Long enough for another member to be elected, short enough that the old one is soon electable again.
        let (period, catch_up) = if alone { (1, 0) } else { (5, 2) };
        let command = doc! { "replSetStepDown": period, "secondaryCatchUpPeriodSecs": catch_up, "force": true };
        let client = self.member_client(old).await?;
        // Servers may close the connection instead of answering.
        if let Err(error) = client.database("admin").run_command(command).await
            && error.labels().is_empty()
            && !matches!(*error.kind, mongodb::error::ErrorKind::Io(_))
        {
            return Err(error).context("step down the primary");
        }
        self.primary_other_than((!alone).then_some(old)).await
    }

    /// Waits until every running member that holds data is a primary or a secondary.
    pub async fn wait_healthy(&self) -> Result<()> {
        for index in 0..self.members.len() {
            if self.is_running(index) {
                self.wait_usable(index).await?;
            }
        }
        self.primary().await.map(|_| ())
    }

    async fn primary_other_than(&self, excluded: Option<usize>) -> Result<usize> {
        let limit = Instant::now() + ELECTION_LIMIT;
        loop {
            // A primary that was cut off may still believe in itself: the newest election wins.
            let mut newest = None;
            for (index, member) in self.members.iter().enumerate() {
                if let Some(hello) = member.hello().await
                    && claims(&hello, "isWritablePrimary")
                {
                    newest = newest.max(Some((hello.get_object_id("electionId").ok(), index)));
                }
            }
            match newest {
                Some((_, index)) if Some(index) != excluded => return Ok(index),
                _ if Instant::now() > limit => bail!("{}: no primary within {ELECTION_LIMIT:?}", self.set_name),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn wait_usable(&self, index: usize) -> Result<()> {
        let limit = Instant::now() + Duration::from_mins(1);
        while !self.members[index].hello().await.as_ref().is_some_and(is_usable) {
            if Instant::now() > limit {
                let log = self.log(index);
                bail!("{}: member {index} is not usable after 60 s; its log is {}", self.set_name, log.display());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

fn claims(hello: &Document, state: &str) -> bool {
    hello.get_bool(state).unwrap_or(false)
}

fn is_usable(hello: &Document) -> bool {
    ["isWritablePrimary", "secondary", "arbiterOnly"].iter().any(|state| claims(hello, state))
}

fn uri(hosts: &str, auth: bool, option: &str) -> String {
    if auth {
        format!("mongodb://{ROOT_CREDENTIALS}{hosts}/?{option}&authSource=admin")
    } else {
        format!("mongodb://{hosts}/?{option}")
    }
}

/// A slot that is only ever held for a moment; a panic elsewhere does not make its content wrong.
fn lock<T>(slot: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
