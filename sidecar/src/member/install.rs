//! Copies the program to where mongod's container can run it: that image has no shell and no probe of its own.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Puts `DIR/sidecar`, and `DIR/keyfile` when one is given. Each is complete or not there, also over one that is in use.
pub fn install(dir: &Path, keyfile: Option<&Path>) -> Result<Vec<PathBuf>> {
    let own = std::env::current_exe().map_err(|source| Error::Install { path: "this program".into(), source })?;
    let mut copied = vec![copy(&own, dir, "sidecar", 0o755)?];
    if let Some(keyfile) = keyfile {
        // mongod refuses a keyfile that others can read, and a mounted Secret can be read by its group.
        copied.push(copy(keyfile, dir, "keyfile", 0o400)?);
    }
    Ok(copied)
}

fn copy(from: &Path, dir: &Path, name: &str, mode: u32) -> Result<PathBuf> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| Error::Install { path, source }
    };
    let (target, staged) = (dir.join(name), dir.join(format!(".{name}.new")));
    fs::create_dir_all(dir).map_err(at(dir))?;
    match fs::remove_file(&staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&staged)(error)),
        _ => {}
    }
    fs::copy(from, &staged).map_err(at(if from.exists() { &staged } else { from }))?;
    fs::set_permissions(&staged, fs::Permissions::from_mode(mode)).map_err(at(&staged))?;
    // A program that runs cannot be written to; its name can be given to another file.
    fs::rename(&staged, &target).map_err(at(&target))?;
    Ok(target)
}
