//! What a server shows: how it stands to being initiated, and the set as its primary sees it.

use bson::{Document, doc};
use member::{Configured, RestoreMark, SetView, Standing, State};
use mongodb::error::ErrorKind as DriverErrorKind;

use super::Server;
use crate::destination::PROGRESS;
use crate::error::{ReplsetError, Result};
use crate::topology::{MemberState, Topology, documents};

const NOT_YET_INITIALIZED: i32 = 94;
/// The server was removed from its set, and still has the configuration.
const INVALID_CONFIG: i32 = 93;

/// A set with the configuration it came from, which a change is made of.
#[derive(Debug, Clone)]
pub struct LocalView {
    pub set: SetView,
    pub(super) config: Document,
}

impl Server {
    /// Whatever is not plain is `Unknown`, from which nobody concludes anything.
    pub async fn standing(&self) -> Standing {
        self.look().await.unwrap_or_else(|error| Standing::Unknown(error.detail().to_owned()))
    }

    async fn look(&self) -> Result<Standing> {
        const WHAT: &str = "read the replica set's status";
        let database = self.client.database("admin");
        let asked = tokio::time::timeout(self.limit, database.run_command(doc! { "replSetGetStatus": 1 })).await;
        let error = match asked {
            Err(_elapsed) => return Err(ReplsetError::timed_out(WHAT, &self.host, self.limit)),
            Ok(Ok(_)) => return self.initiated().await,
            Ok(Err(error)) => error,
        };
        match error.kind.as_ref() {
            DriverErrorKind::Command(command) if command.code == NOT_YET_INITIALIZED => self.before_initiation().await,
            DriverErrorKind::Command(command) if command.code == INVALID_CONFIG => self.initiated().await,
            _ => Err(ReplsetError::from_driver(&error, WHAT, &self.host)),
        }
    }

    async fn initiated(&self) -> Result<Standing> {
        let config = self.config().await?;
        Ok(Standing::Initiated { replica_set_id: replica_set_id(&config)? })
    }

    /// A server that has a configuration on its disk says for a moment after its start that it has none. And before it is
    /// initiated it lists no database but `local`; but it counts its collections, those of the users and its own apart
    /// (seen on 6.0.5; from 5.1 on).
    async fn before_initiation(&self) -> Result<Standing> {
        const WHAT: &str = "see whether the server is empty";
        let command = doc! { "listCollections": 1, "nameOnly": true, "cursor": { "batchSize": 1000 } };
        let listed = self.run("local", WHAT, command).await?;
        let listed: Vec<&Document> =
            listed.get_document("cursor").map(|cursor| documents(cursor, "firstBatch").collect()).unwrap_or_default();
        let has = |name: &str| listed.iter().any(|entry| entry.get_str("name").ok() == Some(name));
        let held = |what: &str| Ok(Standing::HoldsData(what.to_owned()));
        if has("system.replset") || has("oplog.rs") {
            return held("a replica set's configuration or oplog");
        }
        let status = doc! { "serverStatus": 1, "metrics": 0, "wiredTiger": 0, "repl": 0, "tcmalloc": 0 };
        let status = self.run("admin", WHAT, status).await?;
        let counted = status.get_document("catalogStats").ok();
        let count = |name: &str| counted.and_then(|counted| number(counted, name));
        let (Some(own), Some(internal)) = (count("collections"), count("internalCollections")) else {
            return Ok(Standing::Unknown("it does not say whether it is empty; initiate it by hand".to_owned()));
        };
        let of_users = own + count("views").unwrap_or(0) + count("timeseries").unwrap_or(0);
        if of_users > 0 {
            return held(&format!("{of_users} collections"));
        }
        // What is neither of users nor in `local` is in `admin` or `config`: it has been in use, and may have users.
        let in_local = listed.iter().filter(|entry| entry.get_str("type").ok() != Some("view")).count();
        if internal > i64::try_from(in_local).unwrap_or(i64::MAX) {
            return held("it has been in use without a replica set: `admin` or `config` are not empty");
        }
        Ok(Standing::Fresh)
    }

    pub(super) async fn config(&self) -> Result<Document> {
        const WHAT: &str = "read the replica set's config";
        let reply = self.run("admin", WHAT, doc! { "replSetGetConfig": 1 }).await?;
        let config = reply.get_document("config").cloned();
        config.map_err(|_| ReplsetError::protocol(WHAT, "`config` is missing"))
    }

    pub async fn view(&self) -> Result<LocalView> {
        let status = self.run("admin", "read the replica set's status", doc! { "replSetGetStatus": 1 }).await?;
        let config = self.config().await?;
        let topology = Topology::parse(&status, &doc! { "config": config.clone() })?;
        let configured =
            |host: &str| documents(&config, "members").find(|member| member.get_str("host").ok() == Some(host));
        let members = topology.members.iter().map(|seen| Configured {
            host: seen.host.clone(),
            votes: seen.votes,
            priority: seen.priority,
            joining: configured(&seen.host).is_some_and(super::configuration::is_joining),
            state: match seen.state {
                MemberState::Primary if seen.is_healthy => State::Primary,
                MemberState::Secondary if seen.is_healthy => State::Secondary,
                MemberState::Arbiter if seen.is_healthy => State::Arbiter,
                _ => State::Unwell,
            },
            lag_seconds: seen.lag_seconds,
        });
        let set = SetView { replica_set_id: topology.replica_set_id.clone(), members: members.collect() };
        Ok(LocalView { set, config })
    }

    /// What a restore has written about itself.
    pub async fn restore_mark(&self) -> Result<RestoreMark> {
        let command = doc! {
            "find": PROGRESS.1, "filter": { "_id": "restore" }, "limit": 1, "singleBatch": true,
            "readConcern": { "level": "majority" }, "maxTimeMS": 5000,
        };
        let found = self.run(PROGRESS.0, "read whether a restore has completed", command).await?;
        let found =
            found.get_document("cursor").ok().and_then(|cursor| documents(cursor, "firstBatch").next().cloned());
        Ok(match found {
            None => RestoreMark::None,
            Some(found) => match found.get_document("value").and_then(|value| value.get_bool("complete")) {
                Ok(true) => RestoreMark::Complete,
                _ => RestoreMark::UnderWay,
            },
        })
    }
}

fn number(document: &Document, name: &str) -> Option<i64> {
    document.get_i32(name).map(i64::from).or_else(|_| document.get_i64(name)).ok()
}

fn replica_set_id(config: &Document) -> Result<String> {
    let id = config.get_document("settings").and_then(|settings| settings.get_object_id("replicaSetId"));
    id.map(bson::oid::ObjectId::to_hex)
        .map_err(|_| ReplsetError::protocol("read the replica set's config", "`settings.replicaSetId` is missing"))
}
