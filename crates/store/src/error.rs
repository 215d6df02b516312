//! The one error of this crate: what was tried, on which object, where, and which class of failure it was.
//!
//! Callers branch on [`ErrorKind`] only; the text and the source are for people. A location is always shown without
//! secrets, so an error may be logged as it is.

use std::error::Error;
use std::fmt;

/// The classes a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The object is not there; when the error has no key, the location as a whole is not: an archive whose disk or
    /// bucket is gone must not look like an empty one.
    NotFound,
    InvalidUrl,
    UnsupportedScheme,
    PermissionDenied,
    /// The location is full or over its quota. It stays readable.
    NoSpace,
    /// The location does not answer; the same call may work later.
    Unreachable,
    /// The key breaks the rules of [`crate::validate_key`], or is a folder where an object is meant.
    InvalidKey,
    Other,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::InvalidUrl => "the URL is not valid",
            Self::UnsupportedScheme => "the URL scheme is not supported",
            Self::PermissionDenied => "permission denied",
            Self::NoSpace => "no space left",
            Self::Unreachable => "the location does not answer",
            Self::InvalidKey => "the key is not valid",
            Self::Other => "failed",
        })
    }
}

/// What was being done. `Write` and `Finish` are calls on a writer, `Read` is a chunk of an opened stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Open,
    Create,
    Write,
    Finish,
    PutMutable,
    Get,
    Read,
    Head,
    List,
    ListFolders,
    Delete,
    /// Asking the store what time it is.
    Clock,
    /// The calls of [`crate::ObjectLock`].
    Protect,
    Purge,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::Write => "write",
            Self::Finish => "finish writing",
            Self::PutMutable => "overwrite",
            Self::Get | Self::Read => "read",
            Self::Head => "look up",
            Self::List => "list",
            Self::ListFolders => "list the folders of",
            Self::Delete => "delete",
            Self::Clock => "ask for the time of",
            Self::Protect => "protect",
            Self::Purge => "remove for good",
        })
    }
}

type Cause = Box<dyn Error + Send + Sync>;

/// Boxed, because results of this crate are passed around far more often than errors are made.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StoreError(Box<Failure>);

#[derive(Debug, thiserror::Error)]
struct Failure {
    kind: ErrorKind,
    operation: Operation,
    key: Option<String>,
    location: String,
    detail: Option<String>,
    attempts: u32,
    source: Option<Cause>,
}

impl StoreError {
    pub fn new(kind: ErrorKind, operation: Operation, location: &str) -> Self {
        let location = location.to_owned();
        Self(Box::new(Failure { kind, operation, key: None, location, detail: None, attempts: 1, source: None }))
    }

    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.0.key = Some(key.to_owned());
        self
    }

    /// Adds what is known about the cause, or what to do about it.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn with_source(mut self, source: impl Into<Cause>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// How often it was tried before it was given up.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    pub fn location(&self) -> &str {
        &self.0.location
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        self.kind() == ErrorKind::Unreachable
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.operation)?;
        match &self.key {
            // A refused key may hold control characters, which must not reach a terminal.
            Some(key) => write!(f, " `{}` in {}", key.escape_debug(), self.location)?,
            None => write!(f, " {}", self.location)?,
        }
        write!(f, ": {}", self.kind)?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        if self.attempts > 1 { write!(f, " (tried {} times)", self.attempts) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_what_where_and_why_and_escapes_the_key() {
        let error = StoreError::new(ErrorKind::NoSpace, Operation::Write, "file:///backups")
            .with_key("a\u{1b}[2J")
            .with_detail("the disk is full")
            .with_source(std::io::Error::other("os says no"));
        assert_eq!(error.to_string(), "cannot write `a\\u{1b}[2J` in file:///backups: no space left: the disk is full");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("os says no"));
        let error = StoreError::new(ErrorKind::Unreachable, Operation::List, "s3://b/p").with_attempts(4);
        assert_eq!(error.to_string(), "cannot list s3://b/p: the location does not answer (tried 4 times)");
    }

    #[test]
    fn only_an_unreachable_location_is_worth_a_retry() {
        let error = |kind| StoreError::new(kind, Operation::Get, "memory:");
        assert!(error(ErrorKind::Unreachable).is_retryable());
        for kind in [ErrorKind::NotFound, ErrorKind::NoSpace, ErrorKind::PermissionDenied, ErrorKind::Other] {
            assert!(!error(kind).is_retryable(), "{kind}");
        }
    }
}
