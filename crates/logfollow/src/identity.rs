//! How a file is recognised: device and inode say which file, a fingerprint of the first bytes says which contents.
//!
//! An inode alone is not enough: it is used again as soon as a file is deleted, and stays when a file is truncated. The
//! fingerprint alone is not enough either: it is that of a copy, too. Log lines begin with their time, so two files
//! with the same beginning are copies.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Bytes at the beginning of a file that are looked at.
pub const HEAD: usize = 1024;
/// Two files that have so much in common are copies; one line may begin like another one.
const COPY: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileId {
    pub dev: u64,
    pub ino: u64,
}

impl FileId {
    pub fn of(metadata: &Metadata) -> Self {
        Self { dev: metadata.dev(), ino: metadata.ino() }
    }
}

/// Whether a beginning is long enough to tell a copy from another file.
pub fn tells_copies(head: &[u8]) -> bool {
    head.len() >= COPY
}

/// Of the first `bytes` bytes; a file shorter than what is looked at gets a longer one as it grows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fingerprint {
    pub bytes: usize,
    pub digest: String,
}

impl Fingerprint {
    fn of(head: &[u8]) -> Self {
        if head.is_empty() {
            return Self::default();
        }
        let mut digest = hex::encode(Sha256::digest(head));
        digest.truncate(32);
        Self { bytes: head.len(), digest }
    }

    /// Of nothing: every file begins like this one.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// As [`tells_copies`].
    pub fn tells_copies(&self) -> bool {
        self.bytes >= COPY
    }

    /// Whether a file with this head began as the one that was fingerprinted.
    pub fn begins(&self, head: &[u8]) -> bool {
        self.is_empty() || head.get(..self.bytes).is_some_and(|head| Self::of(head) == *self)
    }

    /// The fingerprint of a longer head of the same file.
    pub fn grow(&mut self, head: &[u8]) {
        if head.len() > self.bytes {
            *self = Self::of(head);
        }
    }
}

/// The first bytes of a file, in one read: put together from two, they could be of contents before and after a truncation.
pub fn head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD];
    let length = loop {
        match file.read_at(&mut head, 0) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    head.truncate(length);
    Ok(head)
}

/// Opens a regular file, and nothing else: whoever may write into a folder of logs must not make us follow a link to
/// somebody else's file, or wait for the writer of a pipe.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("is not a regular file")) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_fingerprint_recognises_what_grew_and_nothing_else() {
        let mut print = Fingerprint::of(b"2026-11-28 first");
        assert!(print.begins(b"2026-11-28 first line and more"));
        assert!(!print.begins(b"2026-11-28 fir") && !print.begins(b"2026-11-29 first line"));
        print.grow(b"2026-11-28 first line");
        assert!(!print.begins(b"2026-11-28 first"));
        assert!(Fingerprint::default().begins(b"anything") && Fingerprint::default().begins(b""));
    }

    #[test]
    fn links_folders_and_pipes_are_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "x").unwrap();
        symlink(folder.path().join("file"), folder.path().join("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.path().join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        assert_eq!(head(&open(&folder.path().join("file")).unwrap()).unwrap(), b"x");
        for name in ["link", "pipe", "absent", "."] {
            assert!(open(&folder.path().join(name)).is_err(), "{name}");
        }
    }
}
