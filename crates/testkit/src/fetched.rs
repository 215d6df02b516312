//! Programs that a script of the repository gets and caches, each replaceable by an environment variable.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// What `variable` names, else what `scripts/SCRIPT` prints as its last line. The script may run for minutes, once.
pub fn path(variable: &str, script: &str) -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(variable) {
        let path = PathBuf::from(named);
        ensure!(path.is_file(), "{variable} names {}, which is no file", path.display());
        return Ok(path);
    }
    let path = last_line(script)?;
    ensure!(path.is_file(), "{script} printed no path: {}", path.display());
    Ok(path)
}

/// Debian's `age`.
pub fn age() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("AGE") {
        return Ok(named.into());
    }
    Ok(last_line("fetch-age.sh")?.join("age"))
}

/// The folder that `scripts/SCRIPT` prints as its last line; the script itself knows the variable that replaces it.
pub fn folder(script: &str) -> Result<PathBuf> {
    let path = last_line(script)?;
    ensure!(path.is_dir(), "{script} printed no folder: {}", path.display());
    Ok(path)
}

fn last_line(script: &str) -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts").join(script);
    let output = Command::new(&script).output().with_context(|| format!("run {}", script.display()))?;
    if !output.status.success() {
        bail!("{} failed: {}", script.display(), String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(PathBuf::from(text.lines().last().unwrap_or_default()))
}
