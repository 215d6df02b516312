//! What can go wrong between us and a server, sorted by what a caller can do about it.
//!
//! A message names the operation, the server and the likely cause. It never holds credentials, and as little as
//! possible of users' data: the server quotes whole commands and key values in some of its messages, these are cut.

use std::borrow::Cow;

use mongodb::error::{CommandError, Error as DriverError, ErrorKind as DriverErrorKind};

pub type Result<T, E = ReplsetError> = std::result::Result<T, E>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    InvalidUri,
    AuthFailed,
    /// No server answers, or none that may be read.
    Unreachable,
    /// A standalone `mongod`, a `mongos`, or a member that was not initiated yet: there is no oplog.
    NotReplicaSet,
    /// An arbiter holds no data.
    Arbiter,
    /// Starting, recovering, rolling back or being synchronised: cannot be read now.
    MemberRecovering,
    /// The member has not heard of the cluster time that a read should wait for.
    MemberBehind,
    /// The actions that are missing, by name.
    MissingPrivilege(Vec<String>),
    ServerTooOld,
    /// The collection was dropped.
    CollectionGone,
    /// The scan was stopped by a rename (or drop): open it again by UUID.
    QueryPlanKilled,
    /// The record at which a scan should resume was deleted: scan the collection from its beginning.
    ResumeRefused,
    /// The server forgot the cursor, or the position in a capped collection was overwritten.
    CursorLost,
    /// The oplog no longer holds the entry that was asked for.
    OplogOverrun,
    NotPrimary,
    NetworkTransient,
    /// Any other refusal by the server.
    Command {
        code: i32,
        name: String,
    },
    /// A reply that is not what the protocol promises.
    Protocol,
}

/// `operation` on `server`: what happened.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {operation}{}: {detail}", on(.server))]
pub struct ReplsetError {
    kind: ErrorKind,
    operation: Cow<'static, str>,
    server: String,
    detail: String,
}

fn on(server: &str) -> String {
    if server.is_empty() { String::new() } else { format!(" on {server}") }
}

/// Codes of states that pass: an election, a shutdown, a lock or a write conflict.
const TRANSIENT_CODES: [i32; 18] =
    [6, 7, 24, 50, 89, 91, 112, 133, 134, 189, 202, 246, 262, 290, 317, 9001, 11600, 11602];

impl ReplsetError {
    pub fn new(
        kind: ErrorKind,
        operation: impl Into<Cow<'static, str>>,
        server: &str,
        detail: impl Into<String>,
    ) -> Self {
        Self { kind, operation: operation.into(), server: server.to_owned(), detail: shorten(detail.into()) }
    }

    pub(crate) fn protocol(operation: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Protocol, operation, "", detail)
    }

    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The server's error code, when the server refused with one that has no kind of its own.
    pub fn code(&self) -> Option<i32> {
        match self.kind {
            ErrorKind::Command { code, .. } => Some(code),
            _ => None,
        }
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether the same call may succeed later without anybody changing a thing.
    pub fn is_retryable(&self) -> bool {
        match &self.kind {
            ErrorKind::Unreachable
            | ErrorKind::MemberRecovering
            | ErrorKind::MemberBehind
            | ErrorKind::QueryPlanKilled
            | ErrorKind::CursorLost
            | ErrorKind::NotPrimary
            | ErrorKind::NetworkTransient => true,
            ErrorKind::Command { code, .. } => TRANSIENT_CODES.contains(code),
            _ => false,
        }
    }

    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    pub(crate) fn timed_out(operation: impl Into<Cow<'static, str>>, server: &str, after: std::time::Duration) -> Self {
        let detail = format!("no answer within {} s; the server or the network stalls", after.as_secs());
        Self::new(ErrorKind::NetworkTransient, operation, server, detail)
    }

    pub(crate) fn from_driver(error: &DriverError, operation: impl Into<Cow<'static, str>>, server: &str) -> Self {
        let operation = operation.into();
        let (kind, detail) = match error.kind.as_ref() {
            DriverErrorKind::Command(command) => return Self::from_command(command, operation, server),
            DriverErrorKind::Authentication { message, .. } => (ErrorKind::AuthFailed, message.clone()),
            DriverErrorKind::ServerSelection { message, .. } => (
                if message.contains("Authentication") { ErrorKind::AuthFailed } else { ErrorKind::Unreachable },
                message.clone(),
            ),
            DriverErrorKind::DnsResolve { message, .. } => (ErrorKind::Unreachable, message.clone()),
            DriverErrorKind::Io(source) => (ErrorKind::NetworkTransient, format!("network error: {source}")),
            DriverErrorKind::ConnectionPoolCleared { message, .. } => (ErrorKind::NetworkTransient, message.clone()),
            DriverErrorKind::InvalidTlsConfig { message, .. } => (ErrorKind::InvalidUri, message.clone()),
            DriverErrorKind::IncompatibleServer { message, .. } => (ErrorKind::ServerTooOld, message.clone()),
            DriverErrorKind::Shutdown => (ErrorKind::NetworkTransient, "the connection was closed".to_owned()),
            other => (ErrorKind::Protocol, other.to_string()),
        };
        Self::new(kind, operation, server, detail)
    }

    pub(crate) fn from_command(error: &CommandError, operation: impl Into<Cow<'static, str>>, server: &str) -> Self {
        Self::from_code(error.code, &error.code_name, &error.message, operation, server)
    }

    pub(crate) fn from_code(
        code: i32,
        name: &str,
        message: &str,
        operation: impl Into<Cow<'static, str>>,
        server: &str,
    ) -> Self {
        let kind = match code {
            13 if message.contains("requires authentication") => ErrorKind::AuthFailed,
            13 => return Self::unauthorized(message, operation, server),
            18 => ErrorKind::AuthFailed,
            26 => ErrorKind::CollectionGone,
            43 | 136 | 237 => ErrorKind::CursorLost,
            72 if message.contains("greater than the current clusterTime") => ErrorKind::MemberBehind,
            76 => ErrorKind::NotReplicaSet,
            175 => ErrorKind::QueryPlanKilled,
            211 => ErrorKind::ResumeRefused,
            10058 | 10107 | 13435 => ErrorKind::NotPrimary,
            // 94: started with --replSet, and its configuration is not there (yet); a member that comes up says so.
            94 | 13436 => ErrorKind::MemberRecovering,
            code => ErrorKind::Command { code, name: name.to_owned() },
        };
        let detail =
            if name.is_empty() { format!("{message} (code {code})") } else { format!("{message} ({name}, {code})") };
        Self::new(kind, operation, server, detail)
    }

    /// "not authorized on DB to execute command { NAME: …": the rest quotes the command with its documents.
    fn unauthorized(message: &str, operation: impl Into<Cow<'static, str>>, server: &str) -> Self {
        let database =
            message.strip_prefix("not authorized on ").and_then(|rest| rest.split_once(' ')).map_or("?", |(db, _)| db);
        let command =
            message.split_once("command { ").and_then(|(_, rest)| rest.split_once(':')).map_or("?", |(name, _)| name);
        let missing = format!("{command} on {database}");
        let detail = format!("the user may not run `{command}` on database `{database}`; grant the documented roles");
        Self::new(ErrorKind::MissingPrivilege(vec![missing]), operation, server, detail)
    }
}

fn shorten(mut text: String) -> String {
    const LIMIT: usize = 600;
    if text.len() > LIMIT {
        let cut = (0..=LIMIT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(cut);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unauthorized_message_loses_the_quoted_command() {
        let message =
            "not authorized on shop to execute command { insert: \"c\", documents: [ { secret: 1 } ], $db: \"shop\" }";
        let error = ReplsetError::from_code(13, "Unauthorized", message, "insert documents", "h:1");
        assert_eq!(error.kind(), &ErrorKind::MissingPrivilege(vec!["insert on shop".to_owned()]));
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(!error.is_retryable());
    }

    #[test]
    fn elections_and_lost_cursors_are_worth_another_try() {
        let of = |code| ReplsetError::from_code(code, "", "x", "scan", "h:1");
        for code in [43, 91, 136, 175, 189, 10107, 11602, 13436] {
            assert!(of(code).is_retryable(), "{code}");
        }
        for code in [13, 18, 26, 72, 211, 11000] {
            assert!(!of(code).is_retryable(), "{code}");
        }
    }
}
