//! The folder that is written: under another name until everything is in it and on the disk.
//!
//! `DIR.incomplete` stands beside `DIR` and holds `INCOMPLETE.lock`, which is locked as long as somebody writes, and `dump`,
//! which becomes `DIR`. Whenever an export is killed, it leaves that file or an empty folder, and the next one takes its
//! place; nothing else is ever removed.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use tokio::io::AsyncWriteExt;

use crate::failure::{Failure, FailureKind, Result};

const MARK: &str = "INCOMPLETE.lock";
const DUMP: &str = "dump";

/// Removed with everything in it unless it is finished.
#[derive(Debug)]
pub struct Folder {
    out: PathBuf,
    staging: PathBuf,
    /// `INCOMPLETE.lock`, locked.
    mark: File,
}

impl Folder {
    /// Refuses before anything is read or written.
    pub fn begin(out: &Path) -> Result<Self> {
        let out = resolve(out)?;
        let (Some(parent), Some(name)) = (out.parent(), out.file_name()) else {
            return Err(usage("no name of a folder", &out));
        };
        check_is_free(&out, parent)?;
        let mut name = name.to_owned();
        name.push(".incomplete");
        let staging = parent.join(name);
        let mark = claim(&staging)?;
        remove_dump(&staging).map_err(|error| failed("removed", &staging, &error))?;
        let folder = Self { out, staging, mark };
        let dump = folder.dump();
        DirBuilder::new().mode(0o700).create(&dump).map_err(|error| failed("made", &dump, &error))?;
        Ok(folder)
    }

    fn dump(&self) -> PathBuf {
        self.staging.join(DUMP)
    }

    pub fn out(&self) -> &Path {
        &self.out
    }

    /// A new file; the folders above it are made.
    pub async fn create(&self, name: &Path) -> Result<DumpFile> {
        let path = self.dump().join(name);
        let made = async {
            if let Some(parent) = path.parent() {
                tokio::fs::create_dir_all(parent).await?;
            }
            tokio::fs::File::create_new(&path).await
        };
        match made.await {
            Ok(file) => Ok(DumpFile { file, path, bytes: 0 }),
            Err(error) => Err(failed("made", &path, &error)),
        }
    }

    pub async fn write(&self, name: &Path, bytes: &[u8]) -> Result<()> {
        let mut file = self.create(name).await?;
        file.write(bytes.to_vec()).await?;
        file.close().await
    }

    /// Everything is on the disk before the folder has its name.
    pub fn finish(self) -> Result<()> {
        let error = |error: io::Error| failed("finished", &self.staging, &error);
        let folder = File::open(self.dump()).map_err(error)?;
        rustix::fs::syncfs(&folder).map_err(|errno| error(errno.into()))?;
        match fs::rename(self.dump(), &self.out) {
            Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
                return Err(not_empty(&self.out));
            }
            result => result.map_err(error)?,
        }
        let parent = self.out.parent().map(File::open).transpose().map_err(error)?;
        parent.map_or(Ok(()), |parent| parent.sync_all()).map_err(error)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // After a finish it is not there any more. Otherwise nobody needs what is half done, least of all on a full disk.
        // The mark goes last: without it the rest would be nobody's.
        let removed = remove_dump(&self.staging).and_then(|()| fs::remove_file(self.staging.join(MARK)));
        removed.and_then(|()| fs::remove_dir(&self.staging)).ok();
        self.mark.unlock().ok();
    }
}

/// A file of the dump that is being written.
#[derive(Debug)]
pub struct DumpFile {
    file: tokio::fs::File,
    path: PathBuf,
    bytes: u64,
}

impl DumpFile {
    pub async fn write(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(&bytes).await.map_err(|error| failed("written", &self.path, &error))
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A write that failed behind our back is told here at the latest.
    pub async fn close(mut self) -> Result<()> {
        self.file.flush().await.map_err(|error| failed("written", &self.path, &error))
    }
}

/// Absolute, without links.
fn resolve(out: &Path) -> Result<PathBuf> {
    match out.canonicalize() {
        Ok(path) => Ok(path),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let path = std::path::absolute(out).map_err(|error| failed("found", out, &error))?;
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(usage("no name of a folder", out));
            };
            let parent = parent.canonicalize().map_err(|_| usage("in a folder that does not exist", out))?;
            Ok(parent.join(name))
        }
        Err(error) => Err(failed("found", out, &error)),
    }
}

fn check_is_free(out: &Path, parent: &Path) -> Result<()> {
    let found = match fs::metadata(out) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        result => result.map_err(|error| failed("looked at", out, &error))?,
    };
    if !found.is_dir() {
        return Err(usage("no folder", out));
    }
    if fs::read_dir(out).map_err(|error| failed("read", out, &error))?.next().is_some() {
        return Err(not_empty(out));
    }
    let above = fs::metadata(parent).map_err(|error| failed("looked at", parent, &error))?;
    if above.dev() != found.dev() {
        return Err(usage("where a disk is mounted; name a folder below it", out));
    }
    Ok(())
}

/// Makes the folder, or takes the one that a killed export left, and locks it.
fn claim(staging: &Path) -> Result<File> {
    let is_new = match DirBuilder::new().mode(0o700).create(staging) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        result => result.map(|()| true).map_err(|error| failed("made", staging, &error))?,
    };
    // Nothing is removed through a link: what it leads to has another owner.
    if !fs::symlink_metadata(staging).is_ok_and(|found| found.is_dir()) {
        return Err(not_ours(staging));
    }
    let path = staging.join(MARK);
    let mark = match if is_new { Err(ErrorKind::NotFound.into()) } else { File::open(&path) } {
        Ok(mark) => mark,
        Err(_) if !is_new && !is_empty_folder(staging) => return Err(not_ours(staging)),
        Err(_) => match File::create_new(&path) {
            // Somebody was quicker to take an empty folder, or gave it back.
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {
                return Err(is_written(staging));
            }
            result => result.map_err(|error| failed("made", &path, &error))?,
        },
    };
    match mark.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(is_written(staging)),
        Err(TryLockError::Error(error)) => return Err(failed("locked", &path, &error)),
    }
    // Opened just before the one who held it removed it: what stands there now has another mark.
    let links = mark.metadata().map_err(|error| failed("looked at", &path, &error))?.nlink();
    if links == 0 { Err(is_written(staging)) } else { Ok(mark) }
}

fn remove_dump(staging: &Path) -> io::Result<()> {
    match fs::remove_dir_all(staging.join(DUMP)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn is_empty_folder(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

fn not_ours(staging: &Path) -> Failure {
    Failure::new(FailureKind::Unsafe, "something stands where the export would be written")
        .at(staging.display().to_string())
        .because("it was not left by an export: it has no file INCOMPLETE.lock")
        .then("move it away, or give another --out")
}

fn is_written(staging: &Path) -> Failure {
    Failure::new(FailureKind::LeaseHeld, "another export is writing the same folder")
        .at(staging.display().to_string())
        .because("its file INCOMPLETE.lock is locked")
        .then("wait for it, or give another --out")
}

fn usage(what: &str, out: &Path) -> Failure {
    Failure::new(FailureKind::Usage, format!("--out is {what}"))
        .at(out.display().to_string())
        .because("an export is a new folder, or one that is empty")
        .then("give a new folder with --out")
}

fn not_empty(out: &Path) -> Failure {
    Failure::new(FailureKind::Unsafe, "the folder for the export is not empty")
        .at(out.display().to_string())
        .because("an export never mixes with anything else; mongorestore would take it all for one dump")
        .then("give a new folder with --out; nothing was changed here")
}

fn failed(done: &str, path: &Path, error: &io::Error) -> Failure {
    let (cause, next) = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            ("the disk is full", "free space or give --out on another disk; then run the same command again")
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            ("this user may not write there", "give another --out")
        }
        _ => ("the file system refused it", "run the same command again, or give another --out"),
    };
    Failure::new(FailureKind::Unreachable, format!("a file of the export cannot be {done}: {error}"))
        .at(path.display().to_string())
        .because(cause)
        .then(next)
}

#[cfg(test)]
mod tests;
