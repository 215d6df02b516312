//! The folder that is the store: paths of keys, the folders in between, and what it takes to open it.

use std::collections::HashSet;
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use url::Url;

use super::failure::Failure;
use super::listing::FolderEntry;
use super::{durable, staging};
use crate::error::{ErrorKind, Operation, StoreError};
use crate::key::validate_component;
use crate::port::{ObjectMeta, Result};

/// How often a writer makes its folder again after a concurrent delete of the last object in it took it away.
const FOLDER_ATTEMPTS: usize = 16;

#[derive(Debug)]
pub(super) struct Root {
    pub path: PathBuf,
    pub location: String,
    /// Folders whose own name is known to be on disk. Finding a folder proves nothing: its maker may have been
    /// killed before it synced the parent.
    durable_folders: Mutex<HashSet<PathBuf>>,
}

impl Root {
    pub fn open(folder: &Path) -> Result<Self> {
        let root = Self::at(folder)?;
        root.require(Operation::Open)?;
        Ok(root)
    }

    pub fn open_or_create(folder: &Path) -> Result<Self> {
        let root = Self::at(folder)?;
        root.create().map_err(|failure| root.not_writable(failure))?;
        root.require(Operation::Open)?;
        staging::sweep(&root);
        staging::StagedFile::trial(&root).map_err(|failure| root.not_writable(failure))?;
        Ok(root)
    }

    fn at(folder: &Path) -> Result<Self> {
        let location = Url::from_file_path(folder).map_err(|()| {
            StoreError::new(ErrorKind::InvalidUrl, Operation::Open, &folder.display().to_string())
                .with_detail("the path of the folder is not absolute")
        })?;
        Ok(Self { path: folder.to_owned(), location: location.into(), durable_folders: Mutex::default() })
    }

    fn create(&self) -> Result<(), Failure> {
        let missing: Vec<_> = self.path.ancestors().take_while(|path| !path.exists()).collect();
        for path in missing.into_iter().rev() {
            durable::create_folder(path)?;
            durable::sync_folder(folder_of(path))?;
        }
        Ok(())
    }

    fn not_writable(&self, failure: Failure) -> StoreError {
        let kind = match failure.kind() {
            // A file where the path needs a folder: as impossible to write to as a folder of somebody else.
            ErrorKind::InvalidKey => ErrorKind::PermissionDenied,
            kind => kind,
        };
        let hint = match failure.errno() {
            Some(Errno::OPNOTSUPP | Errno::NOSYS) => " (the file system has no hard links)",
            Some(Errno::PERM) => " (not allowed, or the file system has no hard links)",
            _ => "",
        };
        StoreError::new(kind, Operation::Open, &self.location)
            .with_detail(format!("the folder {} cannot be written to{hint}: {failure}", self.path.display()))
            .with_source(failure.source)
    }

    /// Fails when the root is gone, so that an unmounted disk is not taken for an archive without objects.
    pub fn require(&self, operation: Operation) -> Result<()> {
        let error = |kind, detail: &str| {
            StoreError::new(kind, operation, &self.location).with_detail(format!("{} {detail}", self.path.display()))
        };
        match std::fs::metadata(&self.path) {
            Ok(meta) if meta.is_dir() => Ok(()),
            Ok(_) => Err(error(ErrorKind::NotFound, "is not a folder")),
            Err(source) => {
                let failure = Failure::at("look up", &self.path)(source);
                let (kind, detail) = match failure.kind() {
                    ErrorKind::NotFound | ErrorKind::InvalidKey => (ErrorKind::NotFound, "does not exist"),
                    kind => (kind, "cannot be looked up"),
                };
                Err(error(kind, detail).with_source(failure.source))
            }
        }
    }

    pub fn error(&self, operation: Operation, key: &str, failure: Failure) -> StoreError {
        if failure.kind() == ErrorKind::NotFound
            && let Err(error) = self.require(operation)
        {
            return error;
        }
        let detail = match failure.errno() {
            Some(Errno::XDEV) => format!("{failure}: a folder inside the archive is on another file system"),
            _ => failure.to_string(),
        };
        StoreError::new(failure.kind(), operation, &self.location)
            .with_key(key)
            .with_detail(detail)
            .with_source(failure.source)
    }

    pub fn path_of(&self, key: &str) -> PathBuf {
        self.path.join(key)
    }

    pub fn stat(&self, key: &str) -> Result<Option<ObjectMeta>, Failure> {
        let path = self.path_of(key);
        let meta = match std::fs::metadata(&path) {
            Ok(meta) if meta.is_file() => meta,
            Ok(_) => return Ok(None),
            Err(error) if is_absence(&error) => return Ok(None),
            Err(error) => return Err(Failure::at("look up", &path)(error)),
        };
        let modified = meta.modified().map_err(Failure::at("look up", &path))?;
        // A damaged inode may carry a time no calendar knows; that must not hide the object.
        let modified = jiff::Timestamp::try_from(modified).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Ok(Some(ObjectMeta { size: meta.len(), modified }))
    }

    /// What is in a folder, leaving out what could not be a key: our staging folder and files of others.
    pub fn read_folder(&self, prefix: &str) -> Result<Vec<FolderEntry>, Failure> {
        let path = self.path_of(prefix);
        let failed = Failure::at("read the folder", &path);
        let entries = match std::fs::read_dir(&path) {
            Err(error) if is_absence(&error) => return Ok(Vec::new()),
            result => match result.and_then(Iterator::collect::<Result<Vec<_>, _>>) {
                Ok(entries) => entries,
                Err(error) => return Err(failed(error)),
            },
        };
        let mut found = Vec::with_capacity(entries.len());
        for entry in entries {
            let Ok(name) = entry.file_name().into_string() else { continue };
            if validate_component(&name).is_err() {
                continue;
            }
            let mut kind = entry.file_type().map_err(Failure::at("look up", &entry.path()))?;
            if kind.is_symlink() {
                // An operator may have moved old days to another disk.
                let Ok(meta) = std::fs::metadata(entry.path()) else { continue };
                kind = meta.file_type();
            }
            if kind.is_dir() || kind.is_file() {
                found.push(FolderEntry { name, is_folder: kind.is_dir() });
            }
        }
        Ok(found)
    }

    /// Runs a step that puts a name into the folder of a key, with that folder made and durable.
    pub fn in_folder_of<T>(&self, key: &str, step: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
        for _ in 1..FOLDER_ATTEMPTS {
            match self.make_folders_of(key).and_then(|()| step()) {
                // The root itself is never made again: where a disk was unmounted nothing must be written.
                Err(failure) if failure.is(IoErrorKind::NotFound) && self.path.exists() => {}
                result => return result,
            }
        }
        self.make_folders_of(key).and_then(|()| step())
    }

    fn make_folders_of(&self, key: &str) -> Result<(), Failure> {
        for (slash, _) in key.match_indices('/') {
            let folder = self.path_of(&key[..slash]);
            let is_new = durable::create_folder(&folder)?;
            if is_new || !self.known_durable().contains(&folder) {
                durable::sync_folder(folder_of(&folder))?;
                self.known_durable().insert(folder);
            }
        }
        Ok(())
    }

    /// Returns whether there was an object. Folders left empty are taken away, as object stores know none.
    pub fn remove(&self, key: &str) -> Result<bool, Failure> {
        let path = self.path_of(key);
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            // A folder is no object, so there is nothing to remove; Linux says EISDIR, POSIX says EPERM.
            Err(error) if is_absence(&error) || path.is_dir() => return Ok(false),
            Err(error) => return Err(Failure::at("remove", &path)(error)),
        }
        // Deletions must not overtake each other in a crash: a manifest goes before the data it speaks of.
        let mut changed = folder_of(&path);
        while changed != self.path && std::fs::remove_dir(changed).is_ok() {
            self.known_durable().remove(changed);
            changed = folder_of(changed);
        }
        match durable::sync_folder(changed) {
            // Another delete emptied and removed it as well, and syncs the folder above.
            Err(failure) if failure.is(IoErrorKind::NotFound) => Ok(true),
            result => result.map(|()| true),
        }
    }

    fn known_durable(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.durable_folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The folder that holds a name. Paths here are absolute and never the root of the file system, so there is one.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// `NotADirectory`: a component of the key is an object, so nothing can be below it.
fn is_absence(error: &std::io::Error) -> bool {
    matches!(error.kind(), IoErrorKind::NotFound | IoErrorKind::NotADirectory)
}
