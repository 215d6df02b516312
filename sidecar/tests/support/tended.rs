//! Servers with a keyfile that nobody has initiated, and a `sidecar member tend` beside each.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, reason = "each test uses a part; tests may panic")]

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use bson::{Document, RawDocumentBuf};
use replset::{ConnectOptions, Connection};
use serde_json::json;
use testkit::mongod::port::PortLease;
use testkit::{ReplicaSet, Sidecar};

use super::{BINARY, until};

/// With default settings a set elects after some ten seconds.
pub const LIMIT: Duration = Duration::from_mins(1);

/// Name, roles with their databases, and whether it waits for a restore.
pub type Wanted<'a> = (&'a str, &'a [(&'a str, &'a str)], bool);

pub struct Tended {
    pub set: ReplicaSet,
    pub folder: tempfile::TempDir,
    pub tenders: Vec<Option<Sidecar>>,
    ports: Vec<PortLease>,
    mode: &'static str,
    /// What tenders that were killed had logged.
    logged: String,
}

impl Tended {
    pub async fn start(servers: usize, members: u32, mode: &'static str) -> Result<Self> {
        let set = ReplicaSet::builder().members(servers).auth(true).start_uninitiated().await?;
        let folder = testkit::mongod::temp_folder("tended")?;
        let ports = (0..servers).map(|_| PortLease::take()).collect::<Result<_>>()?;
        let tenders = (0..servers).map(|_| None).collect();
        let tended = Self { set, folder, tenders, ports, mode, logged: String::new() };
        tended.want_members(members);
        tended.write("users.json", "[]");
        Ok(tended)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        // As the kubelet does it: complete or not there.
        let staged = self.path(&format!(".{name}"));
        std::fs::write(&staged, text).unwrap();
        std::fs::rename(staged, self.path(name)).unwrap();
    }

    pub fn want_members(&self, members: u32) {
        self.write("members", &format!("{members}\n"));
    }

    pub fn want_users(&self, users: &[Wanted<'_>]) {
        let entry = |(name, roles, after_restore): &Wanted<'_>| {
            let roles: Vec<_> = roles.iter().map(|(role, db)| json!({ "role": role, "db": db })).collect();
            let password_file = self.path(&format!("password-{name}"));
            json!({ "name": name, "roles": roles, "passwordFile": password_file, "afterRestore": after_restore })
        };
        let users: Vec<_> = users.iter().map(entry).collect();
        self.write("users.json", &json!(users).to_string());
    }

    pub fn set_password(&self, user: &str, password: &str) {
        self.write(&format!("password-{user}"), &format!("{password}\n"));
    }

    pub fn keyfile(&self) -> PathBuf {
        self.set.files(0).parent().unwrap().join("key-file")
    }

    pub fn host(&self, index: usize) -> String {
        self.set.hosts()[index].clone()
    }

    pub fn tend(&mut self, index: usize) {
        let text = |path: PathBuf| path.display().to_string();
        let arguments = [
            ("--member-uri", format!("mongodb://{}/?directConnection=true", self.host(index))),
            ("--set-name", self.set.set_name.clone()),
            ("--members", text(self.path("members"))),
            ("--hosts", self.set.hosts().join(",")),
            ("--ordinal", format!("db-{index}")),
            ("--keyfile", text(self.keyfile())),
            ("--users", text(self.path("users.json"))),
            ("--mode", self.mode.to_owned()),
            ("--default-write-concern", "majority".to_owned()),
            ("--listen", self.listen(index)),
        ];
        let mut all = vec!["member".to_owned(), "tend".to_owned()];
        all.extend(arguments.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
        self.tenders[index] = Some(Sidecar::run_program(BINARY.as_ref(), all, &[]).unwrap());
    }

    pub fn listen(&self, index: usize) -> String {
        format!("127.0.0.1:{}", self.ports[index].port())
    }

    pub fn kill_tender(&mut self, index: usize) {
        let mut tender = self.tenders[index].take().unwrap();
        tender.kill9();
        self.logged.push_str(&tender.log());
    }

    /// What all tenders have logged.
    pub fn log(&self) -> String {
        self.tenders.iter().flatten().fold(self.logged.clone(), |log, tender| log + &tender.log())
    }

    pub fn count(&self, event: &str) -> usize {
        self.log().matches(&format!("event=\"{event}\"")).count()
    }

    pub async fn until_logged(&self, event: &str) -> Result<()> {
        let wait = until(event, LIMIT, async || (self.count(event) > 0).then_some(())).await;
        wait.map_err(|error| error.context(self.log()))
    }

    /// Signed in at one member; `None` when it does not let the user in, or cannot be read.
    pub async fn sign_in(&self, index: usize, user: &str, password: &str) -> Option<Connection> {
        let uri = format!("mongodb://{user}:{password}@{}/?directConnection=true&authSource=admin", self.host(index));
        Connection::open(&uri, ConnectOptions::default()).await.ok()
    }

    /// Whether the user is let in by the primary.
    pub async fn lets_in(&self, user: &str, password: &str) -> bool {
        let Ok(primary) = self.set.primary().await else { return false };
        self.sign_in(primary, user, password).await.is_some()
    }

    pub async fn until_let_in(&self, user: &str, password: &str) -> Result<()> {
        let check = async || self.lets_in(user, password).await.then_some(());
        until(&format!("{user} is let in"), LIMIT, check).await.map_err(|error| error.context(self.log()))
    }

    /// As a server of the set, at its primary.
    pub async fn run(&self, database: &str, command: Document) -> Result<Document> {
        let key = replset::member::key_of(&std::fs::read_to_string(self.keyfile())?).unwrap();
        let host = self.host(self.set.primary().await?);
        let options = "directConnection=true&authSource=local&authMechanism=SCRAM-SHA-256";
        let uri = format!("mongodb://__system:{key}@{host}/?{options}");
        let connection = Connection::open(&uri, ConnectOptions::default()).await?;
        let command = RawDocumentBuf::try_from(&command)?;
        Ok(connection.run(database, "run a command of the test", command).await?.document().clone())
    }

    /// Host and votes of the configured members.
    pub async fn configured(&self) -> Result<Vec<(String, i64)>> {
        let reply = self.run("admin", bson::doc! { "replSetGetConfig": 1 }).await?;
        let members = reply.get_document("config")?.get_array("members")?;
        let member = |member: &bson::Bson| {
            let member = member.as_document()?;
            let votes = member.get_i32("votes").map(i64::from).or_else(|_| member.get_i64("votes")).ok()?;
            Some((member.get_str("host").ok()?.to_owned(), votes))
        };
        Ok(members.iter().filter_map(member).collect())
    }

    pub async fn until_voting(&self, members: usize) -> Result<()> {
        let hosts: Vec<(String, i64)> = self.set.hosts().into_iter().take(members).map(|host| (host, 1)).collect();
        let check = async || (self.configured().await.ok()? == hosts).then_some(());
        until(&format!("{members} members vote"), LIMIT, check).await.map_err(|error| error.context(self.log()))
    }
}
