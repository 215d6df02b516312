//! `archive.json`: the mark that a location is an archive, and which one.
//!
//! Created by whoever comes first; those who lose the race adopt the winner's id. A location without it is not an
//! archive, one with a newer format is left alone.

use serde::{Deserialize, Serialize};

use crate::ids::is_path_component;
use crate::json_record::{self, FORMAT, RecordError};

const WHAT: &str = "archive.json";
const LIMIT: usize = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveMarker {
    format: u32,
    pub archive_id: String,
    /// RFC 3339.
    pub created_at: String,
}

impl ArchiveMarker {
    pub fn new(archive_id: impl Into<String>, created_at: impl Into<String>) -> Self {
        Self { format: FORMAT, archive_id: archive_id.into(), created_at: created_at.into() }
    }

    pub fn to_json(&self) -> Result<Vec<u8>, RecordError> {
        self.check()?;
        json_record::encode(WHAT, self)
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        let marker: Self = json_record::decode(WHAT, LIMIT, bytes)?;
        marker.check()?;
        Ok(marker)
    }

    fn check(&self) -> Result<(), RecordError> {
        if !is_path_component(&self.archive_id) {
            return Err(RecordError::invalid(WHAT, "the archive id is not one"));
        }
        json_record::check_instant(WHAT, "created_at", &self.created_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_reads_back_as_written_and_a_newer_archive_is_left_alone() {
        let marker = ArchiveMarker::new("0b7e", "2026-01-02T03:04:05Z");
        let json = marker.to_json().unwrap();
        assert_eq!(ArchiveMarker::from_json(&json).unwrap(), marker);
        let newer = String::from_utf8(json).unwrap().replace("\"format\": 1", "\"format\": 12");
        assert!(matches!(
            ArchiveMarker::from_json(newer.as_bytes()),
            Err(RecordError::NewerFormat { found: 12, newest: 1, .. })
        ));
        assert!(ArchiveMarker::new("", "2026-01-02T03:04:05Z").to_json().is_err());
    }
}
