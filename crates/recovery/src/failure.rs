//! Why something did not happen, in the four parts that a person at 3 a.m. needs: what, where, cause, next command.
//!
//! Both binaries end in a `Failure`: its kind decides the exit code, and JSON output carries it as it is.

use std::fmt;

use serde::Serialize;

/// Classes of failure, one exit code each (command line contract).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    Unexpected,
    Usage,
    NotFound,
    NotRestorable,
    Integrity,
    Key,
    LeaseHeld,
    Unreachable,
    Unsafe,
    Cancelled,
}

impl FailureKind {
    pub const ALL: [Self; 10] = [
        Self::Unexpected,
        Self::Usage,
        Self::NotFound,
        Self::NotRestorable,
        Self::Integrity,
        Self::Key,
        Self::LeaseHeld,
        Self::Unreachable,
        Self::Unsafe,
        Self::Cancelled,
    ];

    pub fn exit_code(self) -> u8 {
        match self {
            Self::Unexpected => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::NotRestorable => 4,
            Self::Integrity => 5,
            Self::Key => 6,
            Self::LeaseHeld => 7,
            Self::Unreachable => 8,
            Self::Unsafe => 9,
            Self::Cancelled => 130,
        }
    }

    pub(crate) fn from_exit_code(code: u8) -> Self {
        Self::ALL.into_iter().find(|kind| kind.exit_code() == code).unwrap_or(Self::Unexpected)
    }

    /// Whether the command declined to start, as opposed to having failed on the way.
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::Usage | Self::NotFound | Self::NotRestorable | Self::LeaseHeld | Self::Unsafe)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    pub kind: FailureKind,
    pub what: String,
    #[serde(rename = "where")]
    pub location: String,
    pub cause: String,
    pub next: String,
}

pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// The next command when nothing better is known about a damaged archive.
pub const VERIFY: &str = "dr-cli verify --level hash";

impl Failure {
    pub fn new(kind: FailureKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), location: String::new(), cause: String::new(), next: String::new() }
    }

    pub fn integrity(what: impl Into<String>) -> Self {
        Self::new(FailureKind::Integrity, what)
            .because("an object was changed, cut or swapped after it was written")
            .then(VERIFY)
    }

    #[must_use]
    pub fn at(mut self, location: impl Into<String>) -> Self {
        self.location = location.into();
        self
    }

    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = cause.into();
        self
    }

    #[must_use]
    pub fn then(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }

    pub fn exit_code(&self) -> u8 {
        self.kind.exit_code()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for (label, text) in [("where", &self.location), ("cause", &self.cause), ("next", &self.next)] {
            if !text.is_empty() {
                write!(f, "\n  {label}: {text}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        use store::ErrorKind;
        let (kind, cause, next) = match error.kind() {
            ErrorKind::NotFound if error.key().is_none() => {
                (FailureKind::Unreachable, "the folder or bucket does not exist or is not mounted", "check --archive")
            }
            ErrorKind::NotFound => {
                (FailureKind::Integrity, "an object that should be there is missing", "dr-cli verify --level list")
            }
            ErrorKind::InvalidUrl | ErrorKind::UnsupportedScheme => (
                FailureKind::Usage,
                "the archive URL is not one that this build understands",
                "file:///absolute/path, s3://BUCKET/PREFIX or azblob://ACCOUNT/CONTAINER/PREFIX, see docs/object-stores.md",
            ),
            ErrorKind::PermissionDenied => (
                FailureKind::Unreachable,
                "the user or credentials may not do this",
                "check permissions of the archive",
            ),
            ErrorKind::NoSpace => {
                (FailureKind::Unreachable, "the disk is full", "free space and run the same command again")
            }
            ErrorKind::Unreachable => (
                FailureKind::Unreachable,
                "the store does not answer",
                "check --archive and the network, then run the same command again",
            ),
            ErrorKind::InvalidKey | ErrorKind::Other => (FailureKind::Unexpected, "", ""),
        };
        let location = error.key().map_or_else(
            || error.location().to_owned(),
            |key| format!("{} in {}", key.escape_debug(), error.location()),
        );
        let source = std::error::Error::source(&error).map(|source| format!(" ({source})")).unwrap_or_default();
        Self::new(kind, format!("{error}{source}")).at(location).because(cause).then(next)
    }
}

impl From<replset::ReplsetError> for Failure {
    fn from(error: replset::ReplsetError) -> Self {
        use replset::ErrorKind;
        let (kind, cause, next) = match error.kind() {
            ErrorKind::InvalidUri => {
                (FailureKind::Usage, "the connection string is not valid", "mongodb://host:port/?replicaSet=NAME")
            }
            ErrorKind::AuthFailed => {
                (FailureKind::Usage, "wrong user, password or authSource", "check the credentials")
            }
            ErrorKind::MissingPrivilege(_) => {
                (FailureKind::Usage, "the user lacks privileges", "grant the roles that docs/privileges.md names")
            }
            ErrorKind::NotReplicaSet => (
                FailureKind::Usage,
                "it is a standalone server, which has no oplog",
                "start it with --replSet and run rs.initiate()",
            ),
            ErrorKind::Arbiter => (FailureKind::Usage, "an arbiter holds no data", "name a member that bears data"),
            ErrorKind::ServerTooOld => {
                (FailureKind::Usage, "the server is older than this tool supports", "MongoDB 4.4 or newer")
            }
            ErrorKind::Unreachable
            | ErrorKind::NetworkTransient
            | ErrorKind::NotPrimary
            | ErrorKind::MemberRecovering => {
                (FailureKind::Unreachable, "the server is away, electing or recovering", "run the same command again")
            }
            _ => (FailureKind::Unexpected, "the server refused the operation", "see the server's log"),
        };
        Self::new(kind, error.to_string()).because(cause).then(next)
    }
}

impl From<archive::timeline::SurveyError> for Failure {
    fn from(error: archive::timeline::SurveyError) -> Self {
        let kind = FailureKind::from_exit_code(error.exit_code());
        let failure = Self::new(kind, error.to_string());
        match kind {
            FailureKind::NotFound => failure
                .because("`before:` takes the exact time of an oplog entry, as `dr-cli find` prints it")
                .then("dr-cli find --since … --until …"),
            FailureKind::NotRestorable => failure
                .because("the window holds an operation that cannot be replayed from the oplog")
                .then("restore to a moment before it, or start from a snapshot taken after it (dr-cli list)"),
            _ => failure
                .because("the archive's snapshot and oplog do not fit together")
                .then("dr-cli verify --level hash; then restore from an older snapshot (dr-cli list)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_what_where_cause_and_next() {
        let failure = Failure::new(FailureKind::Unsafe, "the destination is not empty")
            .at("127.0.0.1:27017")
            .because("it holds shop.orders")
            .then("use a fresh replica set");
        assert_eq!(
            failure.to_string(),
            "the destination is not empty\n  where: 127.0.0.1:27017\n  cause: it holds shop.orders\n  next: use a fresh replica set"
        );
        assert_eq!(failure.exit_code(), 9);
    }
}
