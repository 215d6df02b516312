//! One failed step of file work, with the path it was about, and the class it belongs to.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use rustix::io::Errno;

use crate::error::ErrorKind;

/// Shown without its source, which the [`crate::StoreError`] made of it carries.
#[derive(Debug)]
pub(super) struct Failure {
    step: &'static str,
    path: PathBuf,
    pub source: io::Error,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.step, self.path.display())
    }
}

impl Failure {
    pub fn at(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { step, path, source }
    }

    pub fn is(&self, kind: io::ErrorKind) -> bool {
        self.source.kind() == kind
    }

    pub fn errno(&self) -> Option<Errno> {
        Errno::from_io_error(&self.source)
    }

    pub fn kind(&self) -> ErrorKind {
        match self.errno() {
            Some(Errno::NOENT) => ErrorKind::NotFound,
            Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => ErrorKind::PermissionDenied,
            Some(Errno::NOSPC | Errno::DQUOT) => ErrorKind::NoSpace,
            // A component of the key is a file, or its last one a folder; or the whole path is too long.
            Some(Errno::NOTDIR | Errno::ISDIR | Errno::NAMETOOLONG) => ErrorKind::InvalidKey,
            // What network file systems answer while their server is away.
            Some(Errno::STALE | Errno::TIMEDOUT | Errno::NOTCONN | Errno::HOSTDOWN | Errno::HOSTUNREACH) => {
                ErrorKind::Unreachable
            }
            _ => ErrorKind::Other,
        }
    }
}
