//! Where the `mongod` binary comes from: `MONGOD`, else one on `PATH` that is new enough, else the pinned one.
//!
//! The pinned binary is fetched once by `scripts/fetch-mongod.sh` and cached; parallel tests wait for one fetch.

pub mod port;
pub mod process;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, bail, ensure};
use tempfile::TempDir;

/// The oldest server that Tidemark supports, and so the oldest that tests accept from `PATH`.
const OLDEST: (u32, u32) = (4, 4);

/// The path of the `mongod` that tests start.
pub fn binary() -> Result<PathBuf> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOUND.get_or_init(|| find().map_err(|error| format!("{error:#}"))).clone().map_err(|error| anyhow!(error))
}

/// A folder on disk for a server's files, removed when dropped; `TIDEMARK_TEST_DIR` moves it.
pub fn temp_folder(purpose: &str) -> Result<TempDir> {
    let parent = std::env::var_os("TIDEMARK_TEST_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let prefix = format!("tidemark-{purpose}-");
    tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir_in(&parent)
        .with_context(|| format!("create a folder in {}", parent.display()))
}

/// The major and minor version of a `mongod` binary.
pub fn version(binary: &Path) -> Result<(u32, u32)> {
    let output = Command::new(binary)
        .arg("--version")
        .output()
        .with_context(|| format!("run {} --version", binary.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    parse_version(&text).ok_or_else(|| anyhow!("{} --version printed no version: {text}", binary.display()))
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let version = text.lines().find_map(|line| line.strip_prefix("db version v"))?;
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

fn find() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("MONGOD") {
        let path = PathBuf::from(named);
        version(&path).context("MONGOD does not name a mongod that runs")?;
        return Ok(path);
    }
    if version(Path::new("mongod")).is_ok_and(|found| found >= OLDEST) {
        return Ok(PathBuf::from("mongod"));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/fetch-mongod.sh");
    let output = Command::new(&script).output().with_context(|| format!("run {}", script.display()))?;
    if !output.status.success() {
        bail!("fetch mongod ({}): {}", script.display(), String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let path = PathBuf::from(text.lines().last().unwrap_or_default());
    ensure!(path.is_file(), "{} printed no path: {text}", script.display());
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_mongod_prints() {
        assert_eq!(parse_version("db version v6.0.5\nBuild Info: {}"), Some((6, 0)));
        assert_eq!(parse_version("db version v8.2.0-rc1"), Some((8, 2)));
        assert_eq!(parse_version("mongod: not found"), None);
    }
}
