//! The state of a replica set, and which member to read from.
//!
//! `Topology` is a value; the choice of a member is a pure function over it, so that all sidecars of a set come to the
//! same answer. Read by the snapshot, the archiver and the metrics of the sidecar.

use archive::{ClusterTime, CollectionUuid, OpTime};
use bson::{Bson, Document, oid::ObjectId, rawdoc};

use crate::connect::{Connection, CursorSettings};
use crate::error::{ErrorKind, ReplsetError, Result};

/// What kind of server answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Primary,
    Secondary,
    Arbiter,
    /// A member that can neither be read nor written now.
    Unreadable,
    /// Started for a replica set that was not initiated.
    Uninitiated,
    /// A standalone `mongod` or a `mongos`.
    NoMember,
}

/// What a member says about itself.
#[derive(Debug, Clone)]
pub struct Hello {
    pub set_name: Option<String>,
    pub me: Option<String>,
    pub primary: Option<String>,
    pub role: Role,
    pub max_wire_version: i32,
    /// Changes with every election; only the primary tells it.
    pub election_id: Option<ObjectId>,
    pub last_write: Option<OpTime>,
    pub majority_committed: Option<OpTime>,
    pub operation_time: Option<ClusterTime>,
    pub topology_version: Option<TopologyVersion>,
}

/// Changes whenever the process starts and whenever it takes another state, so a member that rolled back in between has
/// another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopologyVersion {
    process: ObjectId,
    counter: i64,
}

impl TopologyVersion {
    fn parse(version: &Document) -> Option<Self> {
        Some(Self { process: version.get_object_id("processId").ok()?, counter: version.get_i64("counter").ok()? })
    }
}

impl Hello {
    pub async fn fetch(connection: &Connection) -> Result<Self> {
        let reply = connection.run("admin", "ask the server what it is", rawdoc! { "hello": 1 }).await?;
        Ok(Self::parse(reply.document()))
    }

    pub async fn fetch_from_primary(connection: &Connection) -> Result<Self> {
        let timeout = Some(connection.command_timeout());
        let command = rawdoc! { "hello": 1 };
        let reply = connection.run_on_primary("admin", "ask the primary what it is", command, timeout).await?;
        let hello = Self::parse(reply.document());
        if hello.role != Role::Primary {
            let detail = "the member is not the primary";
            return Err(ReplsetError::new(
                ErrorKind::NotPrimary,
                "ask the primary what it is",
                connection.server(),
                detail,
            ));
        }
        Ok(hello)
    }

    pub(crate) fn parse(reply: &Document) -> Self {
        let text = |name: &str| reply.get_str(name).ok().map(str::to_owned);
        let flag = |name: &str| reply.get_bool(name).unwrap_or(false);
        let last_write = reply.get_document("lastWrite").ok();
        let role = match text("setName") {
            None if flag("isreplicaset") => Role::Uninitiated,
            None => Role::NoMember,
            Some(_) if flag("arbiterOnly") => Role::Arbiter,
            Some(_) if flag("isWritablePrimary") => Role::Primary,
            Some(_) if flag("secondary") => Role::Secondary,
            Some(_) => Role::Unreadable,
        };
        Self {
            set_name: text("setName"),
            me: text("me"),
            primary: text("primary"),
            role,
            max_wire_version: reply.get_i32("maxWireVersion").unwrap_or(0),
            election_id: reply.get_object_id("electionId").ok(),
            last_write: last_write.and_then(|write| op_time(write, "opTime")),
            majority_committed: last_write.and_then(|write| op_time(write, "majorityOpTime")),
            operation_time: reply.get_timestamp("operationTime").ok().map(Into::into),
            topology_version: reply.get_document("topologyVersion").ok().and_then(TopologyVersion::parse),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    Startup,
    Primary,
    Secondary,
    Recovering,
    Startup2,
    Unknown,
    Arbiter,
    Down,
    Rollback,
    Removed,
}

impl MemberState {
    fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Startup,
            1 => Self::Primary,
            2 => Self::Secondary,
            3 => Self::Recovering,
            5 => Self::Startup2,
            7 => Self::Arbiter,
            8 => Self::Down,
            9 => Self::Rollback,
            10 => Self::Removed,
            _ => Self::Unknown,
        }
    }

    /// As `rs.status()` prints it; also the value of a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "STARTUP",
            Self::Primary => "PRIMARY",
            Self::Secondary => "SECONDARY",
            Self::Recovering => "RECOVERING",
            Self::Startup2 => "STARTUP2",
            Self::Unknown => "UNKNOWN",
            Self::Arbiter => "ARBITER",
            Self::Down => "DOWN",
            Self::Rollback => "ROLLBACK",
            Self::Removed => "REMOVED",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub host: String,
    pub state: MemberState,
    pub is_self: bool,
    pub is_healthy: bool,
    pub hidden: bool,
    pub delay_seconds: i64,
    pub priority: f64,
    pub votes: i64,
    pub op_time: Option<OpTime>,
    /// How far the member's last entry is behind the newest entry of any member.
    pub lag_seconds: Option<u32>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Topology {
    pub set_name: String,
    pub replica_set_id: String,
    pub members: Vec<Member>,
    pub term: i64,
    /// As known by the member that was asked.
    pub majority_committed: Option<OpTime>,
    pub operation_time: Option<ClusterTime>,
}

impl Topology {
    pub async fn fetch(connection: &Connection) -> Result<Self> {
        let status =
            connection.run("admin", "read the replica set's status", rawdoc! { "replSetGetStatus": 1 }).await?;
        let config =
            connection.run("admin", "read the replica set's config", rawdoc! { "replSetGetConfig": 1 }).await?;
        Self::parse(status.document(), config.document()).map_err(|error| {
            ReplsetError::new(
                error.kind().clone(),
                "read the replica set's status",
                connection.server(),
                error.detail(),
            )
        })
    }

    pub(crate) fn parse(status: &Document, config: &Document) -> Result<Self> {
        let missing =
            |what: &str| ReplsetError::protocol("read the replica set's status", format!("`{what}` is missing"));
        let config = config.get_document("config").map_err(|_| missing("config"))?;
        let replica_set_id = config
            .get_document("settings")
            .ok()
            .and_then(|settings| settings.get_object_id("replicaSetId").ok())
            .ok_or_else(|| missing("config.settings.replicaSetId"))?;
        let configured: Vec<&Document> = documents(config, "members").collect();
        let mut members: Vec<Member> =
            documents(status, "members").map(|member| parse_member(member, &configured)).collect();
        let newest = members.iter().filter_map(|member| member.op_time).map(|time| time.ts.seconds).max();
        for member in &mut members {
            let own = member.op_time.map(|time| time.ts.seconds);
            member.lag_seconds = newest.zip(own).map(|(newest, own)| newest.saturating_sub(own));
        }
        let majority =
            status.get_document("optimes").ok().and_then(|times| op_time(times, "readConcernMajorityOpTime"));
        Ok(Self {
            set_name: status.get_str("set").map_err(|_| missing("set"))?.to_owned(),
            replica_set_id: replica_set_id.to_hex(),
            members,
            term: integer(status, "term").unwrap_or(-1),
            majority_committed: majority,
            operation_time: status.get_timestamp("operationTime").ok().map(Into::into),
        })
    }

    pub fn primary(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.state == MemberState::Primary)
    }

    /// The member that answered.
    pub fn this_member(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.is_self)
    }
}

fn parse_member(status: &Document, configured: &[&Document]) -> Member {
    let id = integer(status, "_id");
    let config = configured.iter().find(|config| id.is_some() && integer(config, "_id") == id);
    let setting = |name: &str| config.and_then(|config| integer(config, name));
    let delay = setting("secondaryDelaySecs").or_else(|| setting("slaveDelay")).unwrap_or(0);
    let is_self = status.get_bool("self").unwrap_or(false);
    let number = |name: &str| config.and_then(|config| config.get(name)).and_then(as_f64);
    Member {
        host: status.get_str("name").unwrap_or_default().to_owned(),
        state: MemberState::from_number(integer(status, "state").unwrap_or(6)),
        is_self,
        is_healthy: is_self || status.get("health").and_then(as_f64).is_some_and(|health| health > 0.0),
        hidden: config.is_some_and(|config| config.get_bool("hidden").unwrap_or(false)),
        delay_seconds: delay,
        priority: number("priority").unwrap_or(1.0),
        votes: setting("votes").unwrap_or(1),
        op_time: op_time(status, "optime").filter(|time| time.ts != ClusterTime::ZERO),
        lag_seconds: None,
    }
}

/// The member to read from: a healthy, undelayed secondary, hidden ones first (they serve nobody else), then the one
/// with the least lag, then by host; the primary when there is no such secondary. One that replicates nothing, because it is
/// locked or works on something else, still calls itself a secondary: a stale one comes last.
///
/// Lags within 10 seconds count as equal: heartbeats report them that coarsely, and a choice that flips with every
/// look helps nobody.
pub fn choose_member(topology: &Topology) -> Option<&Member> {
    members_by_preference(topology).into_iter().next()
}

/// The members that can be read from, the one of [`choose_member`] first.
pub fn members_by_preference(topology: &Topology) -> Vec<&Member> {
    let usable = |member: &&Member| member.is_healthy && member.delay_seconds == 0;
    let is_primary = |member: &Member| member.state == MemberState::Primary;
    let holds_data = |member: &&Member| is_primary(member) || member.state == MemberState::Secondary;
    let mut members: Vec<&Member> = topology.members.iter().filter(usable).filter(holds_data).collect();
    members.sort_by_key(|member| {
        let lag = member.lag_seconds.unwrap_or(u32::MAX);
        let is_stale = lag > STALE_SECONDS && !is_primary(member);
        (is_stale, is_primary(member), !member.hidden, lag / 10, member.host.as_str())
    });
    members
}

/// A member that lags further behind is left for another one.
pub const STALE_SECONDS: u32 = 60;

/// The newest entry that the member knows to be committed by a majority: nothing up to it can roll back.
pub async fn majority_commit_point(member: &Connection) -> Result<OpTime> {
    Hello::fetch(member).await?.majority_committed.filter(|time| time.ts != ClusterTime::ZERO).ok_or_else(|| {
        let detail = "the member does not know a majority commit point yet";
        ReplsetError::new(ErrorKind::MemberRecovering, "read the majority commit point", member.server(), detail)
    })
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerVersion {
    pub version: String,
    pub feature_compatibility_version: String,
}

pub async fn server_version(connection: &Connection) -> Result<ServerVersion> {
    let build = connection.run("admin", "read the server's version", rawdoc! { "buildInfo": 1 }).await?;
    let command = rawdoc! { "getParameter": 1, "featureCompatibilityVersion": 1 };
    let parameter = connection.run("admin", "read the feature compatibility version", command).await?;
    let fcv = parameter.document().get_document("featureCompatibilityVersion").and_then(|fcv| fcv.get_str("version"));
    let version = build.document().get_str("version");
    match (version, fcv) {
        (Ok(version), Ok(fcv)) => {
            Ok(ServerVersion { version: version.to_owned(), feature_compatibility_version: fcv.to_owned() })
        }
        _ => Err(ReplsetError::protocol("read the server's version", "the reply has no version")),
    }
}

/// Which copy of the data a position inside a collection (a scan's resume token) belongs to.
///
/// Record ids are a member's own and change when it is synchronised anew. Initial sync recreates the oplog, so its
/// collection UUID changes with them; `local.replset.initialSyncId` says the same, but the role `backup` may not read it.
/// They are not logged either: after an unclean shutdown or a rollback, what is applied again gets others (the server
/// counts such events, but tells only members). Both show as another state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberIdentity {
    pub host: String,
    pub oplog_uuid: CollectionUuid,
    pub initial_sync_id: Option<CollectionUuid>,
    pub state: Option<TopologyVersion>,
}

impl std::fmt::Display for MemberIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.host, self.oplog_uuid)?;
        if let Some(TopologyVersion { process, counter }) = self.state {
            write!(f, "/{process}-{counter}")?;
        }
        self.initial_sync_id.map_or(Ok(()), |id| write!(f, "/{id}"))
    }
}

pub async fn member_identity(member: &Connection) -> Result<MemberIdentity> {
    const WHAT: &str = "identify the member";
    let hello = Hello::fetch(member).await?;
    let command = rawdoc! { "listCollections": 1, "filter": { "name": "oplog.rs" } };
    let listed = member.collect("local", WHAT, command, CursorSettings::default()).await?;
    let uuid = listed.documents.first().and_then(|entry| entry.get_document("info").ok()?.get_binary("uuid").ok());
    let oplog_uuid = uuid.and_then(CollectionUuid::from_binary).ok_or_else(|| {
        ReplsetError::new(ErrorKind::NotReplicaSet, WHAT, member.server(), "there is no oplog collection")
    })?;
    let command = rawdoc! { "find": "replset.initialSyncId", "limit": 1, "singleBatch": true };
    let initial_sync_id = match member.collect("local", WHAT, command, CursorSettings::default()).await {
        Ok(found) => found.documents.first().and_then(|id| CollectionUuid::from_binary(id.get_binary("_id").ok()?)),
        Err(error) if matches!(error.kind(), ErrorKind::MissingPrivilege(_)) => None,
        Err(error) => return Err(error),
    };
    let host = hello.me.unwrap_or_else(|| member.server().to_owned());
    Ok(MemberIdentity { host, oplog_uuid, initial_sync_id, state: hello.topology_version })
}

/// `{ts, t}` under `name`.
fn op_time(document: &Document, name: &str) -> Option<OpTime> {
    let time = document.get_document(name).ok()?;
    Some(OpTime::new(time.get_timestamp("ts").ok()?.into(), integer(time, "t")?))
}

pub(crate) fn documents<'a>(document: &'a Document, name: &str) -> impl Iterator<Item = &'a Document> {
    document.get_array(name).into_iter().flatten().filter_map(Bson::as_document)
}

#[expect(clippy::cast_possible_truncation, reason = "small whole numbers that the server may send as doubles")]
pub(crate) fn integer(document: &Document, name: &str) -> Option<i64> {
    match document.get(name)? {
        Bson::Int32(value) => Some(i64::from(*value)),
        Bson::Int64(value) => Some(*value),
        Bson::Double(value) => Some(*value as i64),
        _ => None,
    }
}

fn as_f64(value: &Bson) -> Option<f64> {
    match value {
        Bson::Int32(value) => Some(f64::from(*value)),
        #[expect(clippy::cast_precision_loss, reason = "health and priority are small")]
        Bson::Int64(value) => Some(*value as f64),
        Bson::Double(value) => Some(*value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bson::{Timestamp, doc};

    use super::*;

    fn member(host: &str, state: MemberState, lag: u32) -> Member {
        Member {
            host: host.to_owned(),
            state,
            is_self: false,
            is_healthy: true,
            hidden: false,
            delay_seconds: 0,
            priority: 1.0,
            votes: 1,
            op_time: None,
            lag_seconds: Some(lag),
        }
    }

    fn topology(members: Vec<Member>) -> Topology {
        Topology {
            set_name: "rs".to_owned(),
            replica_set_id: String::new(),
            members,
            term: 1,
            majority_committed: None,
            operation_time: None,
        }
    }

    fn chosen(members: Vec<Member>) -> Option<String> {
        choose_member(&topology(members)).map(|member| member.host.clone())
    }

    #[test]
    fn a_hidden_secondary_comes_before_a_fresher_one() {
        let mut hidden = member("c", MemberState::Secondary, 25);
        hidden.hidden = true;
        let members = vec![member("a", MemberState::Primary, 0), member("b", MemberState::Secondary, 0), hidden];
        assert_eq!(chosen(members).as_deref(), Some("c"));
    }

    #[test]
    fn a_stale_secondary_is_chosen_only_when_there_is_nobody_else() {
        let mut hidden = member("c", MemberState::Secondary, 61);
        hidden.hidden = true;
        let unknown = Member { lag_seconds: None, ..member("a", MemberState::Secondary, 0) };
        assert_eq!(chosen(vec![hidden.clone(), unknown.clone()]).as_deref(), Some("c"));
        let primary = member("p", MemberState::Primary, 0);
        assert_eq!(chosen(vec![hidden.clone(), unknown, primary.clone()]).as_deref(), Some("p"));
        let fresh = member("z", MemberState::Secondary, 60);
        assert_eq!(chosen(vec![hidden, primary, fresh]).as_deref(), Some("z"));
    }

    #[test]
    fn less_lag_wins_and_the_host_breaks_ties_in_any_order() {
        let slow = member("a", MemberState::Secondary, 60);
        let (b, c) = (member("b", MemberState::Secondary, 3), member("c", MemberState::Secondary, 1));
        assert_eq!(chosen(vec![slow.clone(), b.clone(), c.clone()]).as_deref(), Some("b"));
        assert_eq!(chosen(vec![c, slow, b]).as_deref(), Some("b"));
    }

    #[test]
    fn delayed_and_unhealthy_members_are_never_chosen() {
        let mut delayed = member("a", MemberState::Secondary, 0);
        delayed.delay_seconds = 3600;
        let mut down = member("b", MemberState::Secondary, 0);
        down.is_healthy = false;
        let rest = vec![delayed, down, member("c", MemberState::Recovering, 0), member("d", MemberState::Arbiter, 0)];
        assert_eq!(chosen(rest.clone()), None);
        let with_primary: Vec<_> = rest.into_iter().chain([member("p", MemberState::Primary, 0)]).collect();
        assert_eq!(chosen(with_primary).as_deref(), Some("p"));
    }

    #[test]
    fn status_and_config_are_joined_by_member_id() {
        let time = |seconds| doc! { "ts": Timestamp { time: seconds, increment: 1 }, "t": 4_i64 };
        let status = doc! {
            "set": "rs", "term": 4_i64, "optimes": { "readConcernMajorityOpTime": time(90) },
            "members": [
                { "_id": 0, "name": "a:1", "health": 1.0, "state": 1, "self": true, "optime": time(100) },
                { "_id": 1, "name": "b:1", "health": 1.0, "state": 2, "optime": time(70) },
                { "_id": 2, "name": "c:1", "health": 0.0, "state": 8, "optime": time(0) },
            ],
        };
        let id = ObjectId::new();
        let config = doc! { "config": { "settings": { "replicaSetId": id }, "members": [
            { "_id": 0, "priority": 2.5, "votes": 1 },
            { "_id": 1, "priority": 0, "votes": 0, "hidden": true, "secondaryDelaySecs": 60_i64 },
            { "_id": 2 },
        ] } };
        let topology = Topology::parse(&status, &config).unwrap();
        assert_eq!(topology.replica_set_id, id.to_hex());
        assert_eq!(topology.majority_committed, Some(OpTime::new(ClusterTime::new(90, 1), 4)));
        let [a, b, c] = &topology.members[..] else { panic!("three members") };
        assert_eq!((a.state, a.lag_seconds, a.priority), (MemberState::Primary, Some(0), 2.5));
        assert_eq!((b.hidden, b.delay_seconds, b.votes, b.lag_seconds), (true, 60, 0, Some(30)));
        assert_eq!((c.state, c.is_healthy), (MemberState::Down, false));
    }
}
