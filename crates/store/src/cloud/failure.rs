//! One failed request, judged by the backend that made it.

use std::time::Duration;

use crate::error::{ErrorKind, Operation, StoreError};

/// Whether the same request may succeed if it is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    Never,
    /// One more time in a call: this one told the SDK something, for example how wrong our clock is.
    Once,
    Soon,
    /// Not before the time the server named.
    After(Duration),
}

/// What code branches on; everything else is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    NoObject,
    /// The bucket or container is not there.
    NoLocation,
    /// A create-only request found the name taken.
    NameTaken,
    /// The multipart upload, or blocks of it, are not there any more.
    UploadGone,
    /// The range begins behind the end of the object.
    RangeBehindEnd,
    /// The object is not the one that was read from before.
    Replaced,
    Other,
}

#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub kind: ErrorKind,
    pub reason: Reason,
    pub again: Again,
    /// Cause and remedy. Never holds a secret: it is shown.
    pub detail: String,
}

impl Failure {
    pub fn new(kind: ErrorKind, again: Again, detail: impl Into<String>) -> Self {
        Self { kind, reason: Reason::Other, again, detail: detail.into() }
    }

    pub fn because(mut self, reason: Reason) -> Self {
        self.reason = reason;
        self
    }

    /// The server did not answer, or not to the end.
    pub fn unreachable(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unreachable, Again::Soon, detail)
    }
}

/// The failure of the last of several attempts.
#[derive(Debug, Clone)]
pub(crate) struct GaveUp {
    pub failure: Failure,
    pub attempts: u32,
}

impl GaveUp {
    pub fn into_error(self, operation: Operation, key: &str, location: &str) -> StoreError {
        let Self { failure, attempts } = self;
        let error = StoreError::new(failure.kind, operation, location).with_attempts(attempts);
        // Without a key a missing object is told apart from a missing location.
        let error = if failure.reason == Reason::NoLocation { error } else { error.with_key(key) };
        if failure.detail.is_empty() { error } else { error.with_detail(failure.detail) }
    }
}
