//! The replica set that is backed up: how it is reached, who it is, and which member is read.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use archive::lineage::{LineageRecord, Parent};
use archive::{ClusterTime, LineageId};
use bson::rawdoc;
use replset::topology::{self, Hello, MemberIdentity, MemberState, ServerVersion, Topology};
use replset::{ConnectOptions, Connection, ErrorKind, ReplsetError};
use tokio::sync::Mutex;

use crate::clock::now_text;
use crate::error::{Error, Result};

/// How to reach the replica set. Cheap to clone; connections are kept until they fail.
#[derive(Debug, Clone)]
pub struct Source {
    uri: Arc<str>,
    /// `host:port` that was asked for.
    member: Option<Arc<str>>,
    /// To the set as a whole: for its state and for addresses of members.
    whole: Arc<Mutex<Option<Connection>>>,
    /// The only replica set to read, once it is known: another one can come up under the same name and address.
    own: Arc<OnceLock<LineageId>>,
}

/// One member that can be read now, with a connection of its own.
#[derive(Debug, Clone)]
pub struct SourceMember {
    pub host: String,
    pub connection: Connection,
}

impl SourceMember {
    pub async fn identity(&self) -> Result<MemberIdentity> {
        Ok(topology::member_identity(&self.connection).await?)
    }

    pub async fn version(&self) -> Result<ServerVersion> {
        Ok(topology::server_version(&self.connection).await?)
    }
}

impl Source {
    pub fn new(uri: &str, member: Option<&str>) -> Self {
        Self { uri: uri.into(), member: member.map(Into::into), whole: Arc::default(), own: Arc::default() }
    }

    /// From now on members of any other replica set are refused.
    pub fn bind(&self, lineage: &LineageId) {
        self.own.get_or_init(|| lineage.clone());
    }

    /// Proves that a server belongs to the replica set whose lineage is archived.
    pub async fn verify(&self, member: &Connection) -> Result<()> {
        let Some(own) = self.own.get() else { return Ok(()) };
        let topology = Topology::fetch(member).await?;
        let found = LineageId::from_replica_set(&topology.set_name, &topology.replica_set_id)
            .map_err(|error| Error::Internal(error.to_string()))?;
        if found == *own { Ok(()) } else { Err(Error::ForeignLineage { own: found, found: own.to_string() }) }
    }

    /// A connection as the URI says: to the set, or to one member when the URI is a direct one.
    pub async fn connection(&self) -> Result<Connection> {
        let mut whole = self.whole.lock().await;
        if let Some(connection) = &*whole
            && connection.ping().await.is_ok()
        {
            return Ok(connection.clone());
        }
        *whole = None;
        let options = ConnectOptions {
            app_name: "tidemark sidecar".to_owned(),
            max_pool: 16,
            selection_timeout: Duration::from_secs(5),
            ..ConnectOptions::default()
        };
        let connection = Connection::open(&self.uri, options).await?;
        *whole = Some(connection.clone());
        Ok(connection)
    }

    pub async fn topology(&self) -> Result<Topology> {
        Ok(Topology::fetch(&self.connection().await?).await?)
    }

    /// The member to read: the one that was asked for, else the choice that all sidecars of the set make.
    pub async fn choose(&self) -> Result<SourceMember> {
        let connection = self.connection().await?;
        if let Some(host) = &self.member {
            return self.open(&connection, host).await;
        }
        if connection.is_direct() {
            let host = Hello::fetch(&connection).await?.me.unwrap_or_else(|| connection.server().to_owned());
            self.verify(&connection).await?;
            return Ok(SourceMember { host, connection });
        }
        let topology = Topology::fetch(&connection).await?;
        let Some(chosen) = topology::choose_member(&topology) else {
            let states: Vec<String> =
                topology.members.iter().map(|member| format!("{} is {}", member.host, member.state.as_str())).collect();
            return Err(Error::NoMember { set_name: topology.set_name, detail: states.join(", ") });
        };
        self.open(&connection, &chosen.host).await
    }

    /// The member beside which this sidecar stands, by the name that the replica set has for it; `None` when it was not
    /// given one.
    pub async fn own_member(&self) -> Result<Option<SourceMember>> {
        let connection = self.connection().await?;
        let own = match &self.member {
            Some(host) => self.open(&connection, host).await?.connection,
            None if connection.is_direct() => connection,
            None => return Ok(None),
        };
        let host = Hello::fetch(&own).await?.me.unwrap_or_else(|| own.server().to_owned());
        Ok(Some(SourceMember { host, connection: own }))
    }

    /// The member of that name, whatever the others would choose.
    pub async fn member(&self, host: &str) -> Result<SourceMember> {
        let connection = self.connection().await?;
        self.open(&connection, host).await
    }

    /// Every other member that holds data and can be reached.
    pub async fn others(&self, than: &str) -> Result<Vec<SourceMember>> {
        let connection = self.connection().await?;
        let topology = Topology::fetch(&connection).await?;
        let mut others = Vec::new();
        for member in &topology.members {
            if member.host != than && matches!(member.state, MemberState::Primary | MemberState::Secondary) {
                match self.open(&connection, &member.host).await {
                    Ok(opened) => others.push(opened),
                    Err(error) => {
                        tracing::warn!(event = "member_unreachable", member = member.host, %error, "member not reachable");
                    }
                }
            }
        }
        Ok(others)
    }

    async fn open(&self, connection: &Connection, host: &str) -> Result<SourceMember> {
        let connection = connection.member(host).await?;
        self.verify(&connection).await?;
        Ok(SourceMember { host: host.to_owned(), connection })
    }

    /// Who the replica set is, as its lineage record says it.
    pub async fn lineage(&self) -> Result<LineageRecord> {
        let connection = self.connection().await?;
        let topology = Topology::fetch(&connection).await?;
        let lineage = LineageId::from_replica_set(&topology.set_name, &topology.replica_set_id)
            .map_err(|error| Error::Internal(error.to_string()))?;
        let version = topology::server_version(&connection).await?;
        let mut record =
            LineageRecord::new(lineage, topology.set_name.as_str(), topology.replica_set_id.as_str(), now_text());
        record.server_version = version.version;
        record.fcv = version.feature_compatibility_version;
        record.parent = parent(&connection).await?.filter(|parent| parent.lineage != record.lineage);
        Ok(record)
    }
}

/// What a restore left in the cluster that it made: of which lineage it is, and to which moment.
async fn parent(connection: &Connection) -> Result<Option<Parent>> {
    let command = rawdoc! {
        "find": "tidemark_restore", "filter": { "_id": "restore" }, "limit": 1, "singleBatch": true,
        "projection": { "value.lineage": 1, "value.restoredTo": 1 },
    };
    let reply = match connection.run("config", "look for the mark of a restore", command).await {
        Ok(reply) => reply,
        // Only the record's ancestry is lost.
        Err(error) if matches!(error.kind(), ErrorKind::MissingPrivilege(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let batch = reply.document().get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
    let mark = batch.ok().and_then(|batch| batch.first()?.as_document()?.get_document("value").ok());
    Ok(mark.and_then(|mark| {
        let lineage = mark.get_str("lineage").ok()?.parse().ok()?;
        let restored_to: ClusterTime = mark.get_timestamp("restoredTo").ok()?.into();
        Some(Parent { lineage, restored_to })
    }))
}

/// Whether the failure is about the server as it is, so that trying again cannot help.
pub fn is_refusal(error: &ReplsetError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidUri | ErrorKind::NotReplicaSet | ErrorKind::Arbiter | ErrorKind::ServerTooOld
    )
}
