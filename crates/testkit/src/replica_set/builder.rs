//! Starting a replica set: ports, processes, configuration, root user, first election.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::future::try_join_all;
use mongodb::Client;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::{ClientOptions, WriteConcern};
use rand::RngExt;

use super::member::Member;
use super::{ROOT_PASSWORD, ROOT_USER, ReplicaSet, uri};
use crate::mongod::port::PortLease;
use crate::mongod::process::{Launch, log_tail};
use crate::mongod::{binary, temp_folder};

#[must_use]
#[derive(Debug, Clone)]
pub struct ReplicaSetBuilder {
    members: usize,
    arbiter: bool,
    auth: bool,
    set_name: Option<String>,
    arguments: Vec<String>,
}

impl Default for ReplicaSetBuilder {
    fn default() -> Self {
        Self { members: 1, arbiter: false, auth: false, set_name: None, arguments: Vec::new() }
    }
}

impl ReplicaSetBuilder {
    /// How many members hold data.
    pub fn members(mut self, members: usize) -> Self {
        self.members = members;
        self
    }

    /// One more member that only votes; it is the last.
    pub fn arbiter(mut self, arbiter: bool) -> Self {
        self.arbiter = arbiter;
        self
    }

    /// Key file between the members and a root user (`ROOT_USER`, `ROOT_PASSWORD`).
    pub fn auth(mut self, auth: bool) -> Self {
        self.auth = auth;
        self
    }

    pub fn set_name(mut self, name: &str) -> Self {
        self.set_name = Some(name.to_owned());
        self
    }

    pub fn set_parameter(self, name: &str, value: &str) -> Self {
        self.argument("--setParameter").argument(&format!("{name}={value}"))
    }

    /// Initial size of the oplog; the server rounds it to what its storage engine can truncate.
    pub fn oplog_mb(self, megabytes: u32) -> Self {
        self.argument("--oplogSize").argument(&megabytes.to_string())
    }

    /// One more command line argument for every member.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    pub async fn start(self) -> Result<ReplicaSet> {
        let replica_set = self.start_uninitiated().await?;
        replica_set.initiate().await?;
        Ok(replica_set)
    }

    /// Members that listen and have no configuration yet; `ReplicaSet::initiate` makes them a set.
    pub async fn start_uninitiated(self) -> Result<ReplicaSet> {
        ensure!(self.members > 0, "a replica set needs a member");
        let folder = Arc::new(temp_folder("replica-set")?);
        let set_name = self.set_name.clone().unwrap_or_else(|| format!("rs{:08x}", rand::rng().random::<u32>()));
        let mut arguments = self.arguments.clone();
        arguments.extend(["--replSet".to_owned(), set_name.clone()]);
        if self.auth {
            let key_file = folder.path().join("key-file");
            write_key_file(&key_file)?;
            arguments.extend(["--keyFile".to_owned(), key_file.display().to_string()]);
        }
        let count = self.members + usize::from(self.arbiter);
        let members = try_join_all((0..count).map(|index| start_member(folder.path(), index, &arguments))).await?;
        let client = connect(&members, self.auth, &set_name).await?;
        let (arbiter, auth) = (self.arbiter, self.auth);
        Ok(ReplicaSet { set_name, members, client, arbiter, auth, _folder: folder })
    }
}

impl ReplicaSet {
    /// Makes the started members a replica set: a new one, also when they were another one before they were wiped.
    pub async fn initiate(&self) -> Result<()> {
        let data_members = self.members.len() - usize::from(self.arbiter);
        let configured: Vec<Document> = (0_i32..)
            .zip(&self.members)
            .map(|(id, member)| {
                let mut entry = doc! { "_id": id, "host": member.host() };
                if usize::try_from(id).is_ok_and(|id| id >= data_members) {
                    entry.insert("arbiterOnly", true);
                }
                entry
            })
            .collect();
        let config = doc! {
            "_id": &self.set_name,
            "members": configured,
            "settings": { "electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 500 },
        };
        // Under the localhost exception when there is a key file: no user exists yet.
        // Not by the member's probe, which gives up within a second: on a busy machine that is no time.
        let address = format!("mongodb://{}/?directConnection=true", self.members[0].host());
        let admin = Client::with_uri_str(address).await?.database("admin");
        admin.run_command(doc! { "replSetInitiate": config }).await.with_context(|| {
            let state = if self.is_running(0) { "runs" } else { "has ended" };
            format!("initiate the replica set: the server {state}; end of its log:\n{}", log_tail(&self.log(0)))
        })?;
        self.primary().await?;
        if self.auth {
            create_root_user(&admin).await?;
        }
        self.wait_healthy().await?;
        // The first majority write proves that the secondaries replicate.
        let warm_up = self.client.database("admin");
        warm_up
            .run_command(
                doc! { "appendOplogNote": 1, "data": { "testkit": "started" }, "writeConcern": { "w": "majority" } },
            )
            .await
            .context("write through the majority")?;
        Ok(())
    }
}

impl ReplicaSet {
    /// Lets members miss heartbeats for longer than tests want to wait for an election: on a busy machine a second of
    /// silence is no death.
    pub async fn set_election_timeout(&self, timeout: Duration) -> Result<()> {
        let milliseconds = i64::try_from(timeout.as_millis())?;
        // After ten seconds by default a member that does not answer is down for the others.
        let heartbeat = i64::try_from(timeout.as_secs().max(10))?;
        self.reconfigure(|config| {
            let settings = config.get_document_mut("settings")?;
            settings.insert("electionTimeoutMillis", milliseconds);
            settings.insert("heartbeatTimeoutSecs", heartbeat);
            Ok(())
        })
        .await
    }

    /// From now on this member, which may be no primary, has what the others had so long ago.
    pub async fn delay(&self, index: usize, by: Duration) -> Result<()> {
        let seconds = i64::try_from(by.as_secs())?;
        self.reconfigure(|config| {
            let member = config.get_array_mut("members")?.get_mut(index).and_then(Bson::as_document_mut);
            let member = member.context("there is no such member")?;
            member.insert("priority", 0);
            member.insert("secondaryDelaySecs", seconds);
            Ok(())
        })
        .await
    }

    async fn reconfigure(&self, change: impl FnOnce(&mut Document) -> Result<()>) -> Result<()> {
        let primary = self.member_client(self.primary().await?).await?.database("admin");
        let reply = primary.run_command(doc! { "replSetGetConfig": 1 }).await.context("read the configuration")?;
        let mut config = reply.get_document("config")?.clone();
        config.insert("version", config.get_i32("version")? + 1);
        change(&mut config)?;
        primary.run_command(doc! { "replSetReconfig": config }).await.context("change the configuration")?;
        Ok(())
    }
}

/// The port is ours by its lock, but another program may bind it in the moment before the server does.
async fn start_member(folder: &Path, index: usize, arguments: &[String]) -> Result<Member> {
    let binary = binary()?;
    let mut last_error = None;
    for attempt in 0..3 {
        let port = PortLease::take()?;
        let launch = Launch {
            binary: binary.clone(),
            port: port.port(),
            folder: folder.to_owned(),
            dbpath: folder.join(format!("member-{index}-{attempt}")),
            log: folder.join(format!("member-{index}.log")),
            arguments: arguments.to_vec(),
        };
        let member = Member::new(launch, port).await?;
        match member.start().await {
            Ok(()) => return Ok(member),
            Err(error) if format!("{error:#}").contains("Address already in use") => last_error = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last_error.context("no attempt was made")?)
}

async fn connect(members: &[Member], auth: bool, set_name: &str) -> Result<Client> {
    let hosts: Vec<String> = members.iter().map(Member::host).collect();
    let mut options = ClientOptions::parse(uri(&hosts.join(","), auth, &format!("replicaSet={set_name}"))).await?;
    options.write_concern = Some(WriteConcern::majority());
    options.heartbeat_freq = Some(Duration::from_millis(500));
    Ok(Client::with_options(options)?)
}

async fn create_root_user(admin: &mongodb::Database) -> Result<()> {
    let limit = Instant::now() + Duration::from_secs(15);
    let command = doc! { "createUser": ROOT_USER, "pwd": ROOT_PASSWORD, "roles": ["root"] };
    while let Err(error) = admin.run_command(command.clone()).await {
        if Instant::now() > limit {
            bail!("create the root user: {error}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

fn write_key_file(path: &Path) -> Result<()> {
    let mut rng = rand::rng();
    let key: String = (0..64).map(|_| char::from(rng.random_range(b'a'..=b'z'))).collect();
    std::fs::write(path, key).with_context(|| format!("write {}", path.display()))?;
    // The server refuses a key file that others can read.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).context("protect the key file")
}
