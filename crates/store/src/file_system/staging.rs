//! Files that are being written. They live in `<root>/.tmp`, the same file system as the objects, because a hard link
//! cannot leave one; keys never begin with a dot, so they are never listed.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::durable;
use super::failure::Failure;
use super::root::{Root, folder_of};
use crate::port::Created;

/// Writers that are alive touch their file far more often than this.
const ABANDONED_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// Dropping it removes the file, which is right at every step: before publication it is garbage, and after it the
/// content has its own name.
#[derive(Debug)]
pub(super) struct StagedFile {
    file: File,
    path: PathBuf,
}

impl StagedFile {
    pub fn create(root: &Root) -> Result<Self, Failure> {
        let folder = folder(root);
        // Process ids repeat across containers that share a volume; the random part does not.
        let path = folder.join(format!("{}-{:016x}", std::process::id(), rand::random::<u64>()));
        let file = match durable::create_file(&path) {
            Err(failure) if failure.is(ErrorKind::NotFound) => {
                durable::create_folder(&folder)?;
                durable::create_file(&path)?
            }
            result => result?,
        };
        Ok(Self { file, path })
    }

    pub fn append(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        self.file.write_all(chunk).map_err(Failure::at("write to", &self.path))
    }

    /// Publishes the file under a key, unless the key is taken.
    pub fn publish(self, root: &Root, key: &str) -> Result<Created, Failure> {
        durable::sync_file(&self.file, &self.path)?;
        let target = root.path_of(key);
        let created = root.in_folder_of(key, || durable::link_new(&self.file, &self.path, &target))?;
        // Also when somebody else created it: our caller will rely on the object, and its writer may have died
        // between link and sync.
        durable::sync_folder(folder_of(&target))?;
        Ok(created)
    }

    pub fn replace(self, root: &Root, key: &str) -> Result<(), Failure> {
        durable::sync_file(&self.file, &self.path)?;
        let target = root.path_of(key);
        root.in_folder_of(key, || durable::rename_over(&self.path, &target))?;
        durable::sync_folder(folder_of(&target))
    }

    /// Publishes an empty file beside itself, to find out whether the file system lets us.
    pub fn trial(root: &Root) -> Result<(), Failure> {
        let staged = Self::create(root)?;
        let target = staged.path.with_extension("trial");
        durable::sync_file(&staged.file, &staged.path)?;
        let linked = durable::link_new(&staged.file, &staged.path, &target).map(|_| ());
        remove(&target);
        linked
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes what killed writers left behind. Never fails: a leftover costs space, not correctness.
pub(super) fn sweep(root: &Root) {
    let Ok(entries) = std::fs::read_dir(folder(root)) else { return };
    let deadline = Timestamp::now() - ABANDONED_AFTER;
    for entry in entries.flatten() {
        let modified =
            entry.metadata().and_then(|meta| meta.modified()).ok().and_then(|at| Timestamp::try_from(at).ok());
        if modified.is_some_and(|at| at < deadline) {
            tracing::info!(event = "staging_removed", path = %entry.path().display(), "removing the unfinished file of a writer that is gone");
            remove(&entry.path());
        }
    }
}

fn folder(root: &Root) -> PathBuf {
    root.path.join(".tmp")
}

fn remove(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(event = "staging_not_removed", path = %path.display(), %error, "cannot remove an unfinished file");
        }
        _ => {}
    }
}
