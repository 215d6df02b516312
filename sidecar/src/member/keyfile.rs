//! The servers' common key.

use std::path::Path;

use crate::error::{Error, Result};

/// `None` without a keyfile: access control is off, or the connection string names a user.
pub fn read(path: Option<&Path>) -> Result<Option<String>> {
    let Some(path) = path else { return Ok(None) };
    let refuse = |reason: String| Error::Keyfile { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    replset::member::key_of(&text).map(Some).ok_or_else(|| refuse("it is empty".to_owned()))
}
