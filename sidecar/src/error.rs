//! What can stop the sidecar, and how it is told: what, where, likely cause, next command, and the exit code.
//!
//! The classes are those of `dr-cli` (`recovery::failure`): 2 is what somebody has to correct in the configuration, a
//! refused user included, 8 is a server or store that is away and will be back. Commands that run once end with either;
//! `run` goes on trying through both, because roles are granted and users created while it waits.

use archive::encryption::EncryptionError;
use archive::framed::FormatError;
use archive::json_record::RecordError;
use archive::{ClusterTime, LineageId};
use replset::ReplsetError;
use serde::Serialize;
use store::StoreError;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Replset(#[from] ReplsetError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot encode an archive object: {0}")]
    Format(#[from] FormatError),
    #[error("`{key}` cannot be used: {problem}")]
    Record { key: String, problem: RecordError },
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
    #[error("{lineage} is encrypted, and no recipients are given")]
    NoRecipients { lineage: LineageId },
    /// An object whose name says what it holds, and it holds something else.
    #[error("`{key}` exists with other content")]
    Conflict { key: String },
    #[error("the archive and the oplog of {member} tell different histories: {detail}")]
    Diverged { member: String, detail: String },
    #[error("the archive contradicts itself: {detail}")]
    Forked { detail: String },
    /// What the store proof found.
    #[error("nothing may be archived at {location}: {check}: {found}")]
    UnsafeStore { location: String, check: &'static str, found: String, remedy: &'static str },
    #[error("the archive belongs to {found}, this replica set is {own}")]
    ForeignLineage { own: LineageId, found: String },
    #[error("another snapshot is running: {holder}")]
    LeaseHeld { holder: String },
    #[error("the lease was taken over by another sidecar")]
    LeaseLost,
    #[error("no member of {set_name} can be read now: {detail}")]
    NoMember { set_name: String, detail: String },
    /// The members' oplogs end before the archive does: they have to catch up first.
    #[error("{member} has not reached {wanted} yet, where the archive ends")]
    Behind { member: String, wanted: ClusterTime },
    /// The entry that archiving goes on from was there a moment ago.
    #[error("{member} does not show the entry at {after} any more, where the archive ends")]
    PositionLost { member: String, after: ClusterTime },
    /// It has nothing more to read while others do.
    #[error("{member} has replicated nothing for {seconds} s")]
    Stale { member: String, seconds: u32 },
    /// What it showed of its catalog may have been rolled back.
    #[error("{member} changed its state while its collections were listed")]
    StateChanged { member: String },
    #[error("{member} cannot read at a cluster time")]
    NoSnapshotReads { member: String },
    #[error("the snapshot's own window of history, ({begin}, {end}], has a hole or cannot be replayed")]
    Uncovered { begin: ClusterTime, end: ClusterTime },
    #[error(transparent)]
    Expiry(Box<recovery::Failure>),
    #[error("stopped")]
    Cancelled,
    #[error("cannot listen on {address}: {source}")]
    Listen { address: String, source: std::io::Error },
    #[error("the server is not ready: {state}")]
    NotReady { state: &'static str },
    #[error("cannot install into {}: {source}", .path.display())]
    Install { path: std::path::PathBuf, source: std::io::Error },
    #[error("the keyfile {} cannot be used: {reason}", .path.display())]
    Keyfile { path: std::path::PathBuf, reason: String },
    #[error("the number of members is not known: {reason}")]
    WantedMembers { reason: String },
    #[error("{0}")]
    Internal(String),
}

impl Error {
    pub fn record<K: ToString + ?Sized>(key: &K) -> impl FnOnce(RecordError) -> Self + use<K> {
        let key = key.to_string();
        move |problem| Self::Record { key, problem }
    }

    /// Whether trying again later can succeed without anybody changing a thing.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Replset(error) => {
                // A position that was overwritten is found anew: another member may have it, else it is a gap.
                error.is_retryable() || *error.kind() == replset::ErrorKind::OplogOverrun
            }
            Self::Store(error) => match error.kind() {
                store::ErrorKind::Unreachable | store::ErrorKind::NoSpace => true,
                // Without a key: the location itself, a volume that is not mounted yet.
                store::ErrorKind::NotFound => error.key().is_none(),
                _ => false,
            },
            Self::NoMember { .. }
            | Self::Behind { .. }
            | Self::PositionLost { .. }
            | Self::Stale { .. }
            | Self::StateChanged { .. }
            | Self::LeaseLost
            | Self::Uncovered { .. } => true,
            _ => false,
        }
    }

    /// Whether the server knows the user and refuses it, or does not know it: somebody has to change that, on the server as
    /// likely as here.
    pub fn is_refused_user(&self) -> bool {
        use replset::ErrorKind as Server;
        matches!(self, Self::Replset(error) if matches!(error.kind(), Server::AuthFailed | Server::MissingPrivilege(_)))
    }

    /// Whether the store refuses the credentials, or they may do less than is needed.
    pub fn is_refused_by_store(&self) -> bool {
        matches!(self, Self::Store(error) if error.kind() == store::ErrorKind::PermissionDenied)
    }

    pub fn exit_code(&self) -> u8 {
        use replset::ErrorKind as Server;
        use store::ErrorKind as Stored;
        match self {
            Self::Replset(error) => match error.kind() {
                Server::InvalidUri
                | Server::AuthFailed
                | Server::MissingPrivilege(_)
                | Server::NotReplicaSet
                | Server::Arbiter
                | Server::ServerTooOld => 2,
                Server::Unreachable | Server::MemberRecovering | Server::NetworkTransient | Server::NotPrimary => 8,
                _ if error.is_retryable() => 8,
                _ => 1,
            },
            Self::Store(error) => match error.kind() {
                Stored::InvalidUrl | Stored::UnsupportedScheme => 2,
                Stored::NotFound | Stored::PermissionDenied | Stored::NoSpace | Stored::Unreachable => 8,
                Stored::InvalidKey | Stored::Other => 1,
            },
            Self::Record { .. } | Self::Conflict { .. } | Self::Diverged { .. } | Self::Forked { .. } => 5,
            Self::LeaseHeld { .. } | Self::LeaseLost => 7,
            Self::NoMember { .. }
            | Self::Behind { .. }
            | Self::PositionLost { .. }
            | Self::Stale { .. }
            | Self::StateChanged { .. }
            | Self::NotReady { .. } => 8,
            Self::Expiry(failure) => failure.exit_code(),
            Self::ForeignLineage { .. } | Self::UnsafeStore { .. } => 9,
            Self::Cancelled => 130,
            Self::Listen { .. }
            | Self::NoRecipients { .. }
            | Self::NoSnapshotReads { .. }
            | Self::Install { .. }
            | Self::Keyfile { .. }
            | Self::WantedMembers { .. } => 2,
            Self::Format(_) | Self::Encryption(_) | Self::Uncovered { .. } | Self::Internal(_) => 1,
        }
    }

    fn kind(&self) -> &'static str {
        match self.exit_code() {
            2 => "usage",
            5 => "integrity",
            7 => "lease_held",
            8 => "unreachable",
            9 => "unsafe",
            130 => "cancelled",
            _ => "unexpected",
        }
    }

    pub fn report(&self) -> Report {
        if let Self::Expiry(failure) = self {
            let (what, location) = (failure.what.clone(), failure.location.clone());
            let (cause, next) = (failure.cause.clone(), failure.next.clone());
            return Report { kind: self.kind(), what, location, cause, next };
        }
        let (location, cause, next) = self.explain();
        let source = std::error::Error::source(self).map(|source| format!(": {source}")).unwrap_or_default();
        let what = match self {
            Self::Listen { .. } | Self::Install { .. } | Self::Replset(_) => self.to_string(),
            _ => format!("{self}{source}"),
        };
        Report { kind: self.kind(), what, location, cause: cause.to_owned(), next: next.to_owned() }
    }

    fn explain(&self) -> (String, &'static str, &'static str) {
        use replset::ErrorKind as Server;
        use store::ErrorKind as Stored;
        let server = "the replica set".to_owned();
        match self {
            Self::Replset(error) => match error.kind() {
                Server::InvalidUri => (server, "the connection string is wrong", "correct --uri (TIDEMARK_URI)"),
                Server::AuthFailed => {
                    (server, "user, password or authSource is wrong", "correct TIDEMARK_URI, then `sidecar check`")
                }
                Server::MissingPrivilege(_) => (
                    server,
                    "the user lacks privileges",
                    "grant `backup` and `clusterMonitor` on admin, then `sidecar check`",
                ),
                Server::NotReplicaSet => (
                    server,
                    "only a replica set has an oplog",
                    "start mongod with --replSet and initiate it, or correct --uri",
                ),
                Server::Arbiter => {
                    (server, "an arbiter holds no data", "name a data-bearing member in --uri or --member")
                }
                Server::MemberRecovering => (
                    server,
                    "the member is starting or recovering",
                    "wait until `rs.status()` shows SECONDARY, or use another --member",
                ),
                Server::ServerTooOld => (server, "MongoDB 4.4 is the oldest that can be read", "upgrade the server"),
                _ => (
                    server,
                    "the server is down, stalled or not reachable from here",
                    "`sidecar check`, then the same command again",
                ),
            },
            Self::Store(error) => {
                let location = error.key().map_or_else(
                    || error.location().to_owned(),
                    |key| format!("{} in {}", key.escape_debug(), error.location()),
                );
                match error.kind() {
                    Stored::InvalidUrl | Stored::UnsupportedScheme => (
                        location,
                        "this build does not understand the archive URL",
                        "use --archive file:///absolute/path",
                    ),
                    Stored::NoSpace => {
                        (location, "the disk is full", "free space, then the same command again: it resumes")
                    }
                    Stored::PermissionDenied => {
                        (location, "this user may not write there", "correct the permissions of the archive")
                    }
                    _ => (
                        location,
                        "the location is missing, not mounted or does not answer",
                        "check --archive, then the same command again",
                    ),
                }
            }
            Self::Record { key, .. } | Self::Conflict { key } => {
                (key.clone(), "the object was changed, or a newer release wrote it", "dr-cli verify --level hash")
            }
            Self::Diverged { member, .. } => (
                member.clone(),
                "the server was restored from an older state, or another cluster has taken its name and id",
                "compare `rs.conf().settings.replicaSetId`; then archive it elsewhere, or record the break and take a new snapshot",
            ),
            Self::Forked { .. } => (
                "the archive's oplog".to_owned(),
                "two clusters wrote into one lineage, or objects were swapped",
                "dr-cli verify --level list",
            ),
            Self::ForeignLineage { .. } => (
                "the archive".to_owned(),
                "the URL names another cluster's archive, or this cluster was restored or re-initialised",
                "use another --archive, or --new-lineage to keep both histories in this one",
            ),
            Self::UnsafeStore { location, remedy, .. } => {
                (location.clone(), "the store does not do what an archive relies on", remedy)
            }
            Self::NoRecipients { .. } => (
                "--recipients (TIDEMARK_RECIPIENTS)".to_owned(),
                "without them, what follows would be stored in the clear",
                "give the age public keys, or `none` to stop encrypting on purpose",
            ),
            Self::LeaseHeld { .. } => (
                "control/snapshot-lease".to_owned(),
                "one snapshot is taken at a time",
                "wait for it; `dr-cli list` shows when it is done",
            ),
            Self::LeaseLost => (
                "the lease below control/".to_owned(),
                "this process was paused for too long",
                "the same command again",
            ),
            Self::NoMember { .. } => {
                (server, "no healthy primary or secondary", "look at `rs.status()`, or name one with --member")
            }
            Self::Behind { .. } | Self::PositionLost { .. } | Self::Stale { .. } => (
                server,
                "replication is behind, or the server was restored from an older state",
                "wait, and look at replication lag",
            ),
            Self::NoSnapshotReads { member } => (
                member.clone(),
                "it is older than MongoDB 5.0",
                "leave out --reference-schedule; drills compare with queries of known answers instead",
            ),
            Self::StateChanged { .. } => (
                server,
                "an election or a restart, after which the member may have rolled back what it listed",
                "the same command again, when the replica set is calm",
            ),
            Self::Uncovered { .. } => (
                "the archive's oplog".to_owned(),
                "the oplog was overrun, or the feature compatibility version was changed, while the snapshot was taken",
                "`dr-cli status` names the gap; the same command again, with a larger oplog if it was overrun",
            ),
            Self::Listen { .. } => {
                (String::new(), "the port is taken or the address is not of this machine", "correct --listen")
            }
            Self::NotReady { .. } => {
                ("the server of this member".to_owned(), "its state, which passes", "look at its log and `rs.status()`")
            }
            Self::Install { .. } => {
                (String::new(), "the folder cannot be written, or the disk is full", "correct DIR or its volume")
            }
            Self::Keyfile { .. } => {
                (String::new(), "it is missing, empty or not readable by this user", "correct --keyfile")
            }
            Self::WantedMembers { .. } => (String::new(), "the file is missing or wrong", "correct --members"),
            Self::Cancelled => (String::new(), "asked to stop", "the same command again: it resumes"),
            Self::Format(_) | Self::Encryption(_) | Self::Expiry(_) | Self::Internal(_) => {
                (String::new(), "", "please report it, with the log")
            }
        }
    }
}

/// An error in the four parts that a person needs; the member `error` of JSON output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub kind: &'static str,
    pub what: String,
    #[serde(rename = "where")]
    pub location: String,
    pub cause: String,
    pub next: String,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)?;
        for (label, text) in [("where", &self.location), ("cause", &self.cause), ("next", &self.next)] {
            if !text.is_empty() {
                write!(f, "\n  {label}: {text}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use replset::{ErrorKind, ReplsetError};

    use super::*;

    #[test]
    fn a_refused_user_is_a_mistake_and_a_server_that_is_away_is_not() {
        let of = |kind| Error::from(ReplsetError::new(kind, "read", "h:1", "x"));
        for refused in [of(ErrorKind::AuthFailed), of(ErrorKind::MissingPrivilege(vec![]))] {
            assert_eq!((refused.exit_code(), refused.is_refused_user(), refused.is_transient()), (2, true, false));
            assert_eq!(refused.report().kind, "usage");
        }
        for away in [of(ErrorKind::Unreachable), of(ErrorKind::NetworkTransient), of(ErrorKind::MemberRecovering)] {
            assert_eq!((away.exit_code(), away.is_refused_user(), away.is_transient()), (8, false, true));
        }
    }
}
