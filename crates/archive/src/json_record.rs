//! The small JSON objects of an archive: one way to write them, one way to read them.
//!
//! Each carries `"format": N`. A reader looks at that number before anything else, so that an object of a newer
//! format is reported as such and not as a broken one; fields that it does not know are ignored. Used by every
//! module that owns a `.json` object, and by the frames for their headers and footers.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The format that this build writes and the newest that it reads.
pub const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("{what}: {bytes} bytes are more than the {limit} that such an object may have")]
    TooLarge { what: &'static str, bytes: usize, limit: usize },
    #[error("{what}: written in format {found}, this build reads up to format {newest}; use a newer release")]
    NewerFormat { what: &'static str, found: u64, newest: u32 },
    #[error("{what}: {problem}")]
    Invalid { what: &'static str, problem: String },
}

impl RecordError {
    pub(crate) fn invalid(what: &'static str, problem: impl std::fmt::Display) -> Self {
        Self::Invalid { what, problem: problem.to_string() }
    }
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u64,
}

pub(crate) fn decode<T: DeserializeOwned>(what: &'static str, limit: usize, bytes: &[u8]) -> Result<T, RecordError> {
    if bytes.len() > limit {
        return Err(RecordError::TooLarge { what, bytes: bytes.len(), limit });
    }
    let FormatOnly { format } =
        serde_json::from_slice(bytes).map_err(|error| RecordError::invalid(what, format!("not readable: {error}")))?;
    if format > u64::from(FORMAT) {
        return Err(RecordError::NewerFormat { what, found: format, newest: FORMAT });
    }
    if format == 0 {
        return Err(RecordError::invalid(what, "format 0 does not exist"));
    }
    serde_json::from_slice(bytes).map_err(|error| RecordError::invalid(what, error))
}

/// Pretty-printed with a final newline: people read these with `cat`.
pub(crate) fn encode<T: Serialize>(what: &'static str, value: &T) -> Result<Vec<u8>, RecordError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| RecordError::invalid(what, error))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Wall-clock instants are kept as the text that was written; this only makes sure that it is one.
pub(crate) fn check_instant(what: &'static str, field: &str, text: &str) -> Result<(), RecordError> {
    match text.parse::<jiff::Timestamp>() {
        Ok(_) => Ok(()),
        Err(_) => Err(RecordError::invalid(
            what,
            format!("`{field}` is not an RFC 3339 time: `{}`", text.chars().take(60).collect::<String>()),
        )),
    }
}
