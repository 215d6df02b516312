//! Everything this crate knows about making files durable and about binding a name only once.
//!
//! The order that holds for every object: content to disk, then the name, then the folder that holds the name. A
//! crash at any point leaves either the whole object or nothing under its name.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::io::Errno;

use super::failure::Failure;
use crate::port::Created;

/// Backups hold everything the database holds: nobody outside the group reads them. The umask may narrow it more.
const FILE_MODE: u32 = 0o640;
const FOLDER_MODE: u32 = 0o750;

pub(super) fn create_file(path: &Path) -> Result<File, Failure> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
        .map_err(Failure::at("create the file", path))
}

/// Returns whether it was missing. A new folder is durable only after [`sync_folder`] of its parent.
pub(super) fn create_folder(path: &Path) -> Result<bool, Failure> {
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Failure::at("create the folder", path)(error)),
    }
}

/// After a failed fsync the kernel may have dropped the dirty pages and report success the next time, so the file is
/// lost: callers discard it and never sync it again.
pub(super) fn sync_file(file: &File, path: &Path) -> Result<(), Failure> {
    file.sync_all().map_err(Failure::at("sync the file", path))
}

/// Makes the names in a folder durable: fsync of a file does not cover its directory entry.
pub(super) fn sync_folder(path: &Path) -> Result<(), Failure> {
    match File::open(path).and_then(|folder| folder.sync_all()) {
        // Some network file systems have no fsync for folders; their renames are synchronous.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => Ok(()),
        result => result.map_err(Failure::at("sync the folder", path)),
    }
}

/// Binds a synced file to its final name unless the name is taken. link(2) does both in one step, on local file
/// systems as on NFS, where `O_EXCL` plus writing would show a half-written object and rename(2) would overwrite.
pub(super) fn link_new(staged: &File, staged_path: &Path, target: &Path) -> Result<Created, Failure> {
    match std::fs::hard_link(staged_path, target) {
        Ok(()) => Ok(Created::New),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let step = "look at the existing object";
            let existing = target.symlink_metadata().map_err(Failure::at(step, target))?;
            if existing.is_dir() {
                return Err(Failure::at("create the object", target)(Errno::ISDIR.into()));
            }
            // An NFS client repeats a request whose reply was lost, and then sees its own link as somebody else's.
            let own = staged.metadata().map_err(Failure::at(step, staged_path))?;
            let is_own = (own.dev(), own.ino()) == (existing.dev(), existing.ino());
            Ok(if is_own { Created::New } else { Created::AlreadyExists })
        }
        Err(error) => Err(Failure::at("hard-link the finished file to", target)(error)),
    }
}

/// Binds a synced file to a name that may be taken; readers that have the old file open keep reading it.
pub(super) fn rename_over(staged_path: &Path, target: &Path) -> Result<(), Failure> {
    std::fs::rename(staged_path, target).map_err(Failure::at("rename the finished file to", target))
}
