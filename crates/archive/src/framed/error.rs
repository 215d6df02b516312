//! What can be wrong with a framed object.

use crate::bson_run::BsonError;

/// The problem, and how far into the object (decrypted, not decompressed) it was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {problem}")]
pub struct FormatError {
    pub offset: u64,
    pub problem: Problem,
}

impl FormatError {
    pub(crate) const fn new(offset: u64, problem: Problem) -> Self {
        Self { offset, problem }
    }

    /// Written by a newer release; everything else is damage or a wrong object.
    pub const fn is_newer_format(&self) -> bool {
        matches!(self.problem, Problem::NewerFormat { .. })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("written in format {found}, this build reads up to format {newest}; use a newer release")]
    NewerFormat { found: u64, newest: u32 },
    #[error("encrypted with age; decrypt it first")]
    Encrypted,
    #[error("holds a {found}, not a {expected}")]
    OtherKind { expected: &'static str, found: String },
    #[error("ends too early, {missing}")]
    Truncated { missing: &'static str },
    #[error("goes on after its footer")]
    TrailingBytes,
    #[error("a {expected} was expected, found bytes {found}")]
    UnexpectedFrame { expected: &'static str, found: String },
    #[error("unknown frame tag `{tag}`")]
    UnknownTag { tag: String },
    #[error("{what} of {bytes} bytes, at most {limit} are allowed")]
    TooLarge { what: &'static str, bytes: u64, limit: u64 },
    #[error("the {what} does not match its checksum; the object is damaged")]
    Checksum { what: &'static str },
    #[error("the {what} is not readable: {problem}")]
    Json { what: &'static str, problem: String },
    #[error("a compressed block is damaged: {problem}")]
    Compressed { problem: String },
    #[error("{0}")]
    Bson(#[from] BsonError),
    #[error("the footer states {stated} {what}, the object holds {found}")]
    Mismatch { what: &'static str, stated: String, found: String },
    /// Found by the typed layers: the frames are sound, their meaning is not.
    #[error("{problem}")]
    Content { problem: String },
}
