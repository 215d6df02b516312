//! How far every file was read, in a file of ours: written beside, then renamed, so that a kill leaves the old or the new.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::identity::{FileId, Fingerprint};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Positions {
    pub streams: Vec<Position>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Of the family, relative to the folder of logs.
    pub path: PathBuf,
    #[serde(flatten)]
    pub id: FileId,
    #[serde(flatten)]
    pub print: Fingerprint,
    pub committed: u64,
    pub current: bool,
    pub drained: bool,
}

/// What was found where positions are kept.
#[derive(Debug)]
pub enum Loaded {
    /// Nothing: the first start.
    Absent,
    Positions(Positions),
    /// Something else; all files are read from their beginning.
    Unreadable(String),
}

pub fn load(path: &Path) -> io::Result<Loaded> {
    match fs::read(path) {
        Ok(bytes) => Ok(match serde_json::from_slice(&bytes) {
            Ok(positions) => Loaded::Positions(positions),
            Err(error) => Loaded::Unreadable(error.to_string()),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Loaded::Absent),
        Err(error) => Err(error),
    }
}

pub fn save(path: &Path, positions: &Positions) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let bytes = serde_json::to_vec(positions)?;
    let mut file = File::create(&beside)?;
    file.write_all(&bytes)?;
    file.sync_data()?;
    fs::rename(&beside, path)?;
    // Without this a power cut may bring the old positions back, which only repeats lines; but also none at all.
    File::open(folder)?.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back_as_they_were_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("positions.json");
        assert!(matches!(load(&path).unwrap(), Loaded::Absent));
        let position = Position {
            path: "a/0.log".into(),
            id: FileId { dev: u64::MAX, ino: 7 },
            print: Fingerprint { bytes: 9, digest: "ab".to_owned() },
            committed: 5,
            current: true,
            drained: false,
        };
        let positions = Positions { streams: vec![position] };
        save(&path, &positions).unwrap();
        save(&path, &positions).unwrap();
        let Loaded::Positions(loaded) = load(&path).unwrap() else { panic!("not loaded") };
        assert_eq!(loaded, positions);
        fs::write(&path, "{\"streams\":[{").unwrap();
        assert!(matches!(load(&path).unwrap(), Loaded::Unreadable(_)));
        assert!(load(folder.path()).is_err());
    }
}
