//! Other tools on the same data, where an environment variable names their binary.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use testkit::ReplicaSet;

use crate::programs::measure;

/// Seconds, and bytes of output where there is any.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    pub seconds: f64,
    pub bytes: u64,
}

/// `None` when the variable is not set; a wrong one is an error.
fn tool(variable: &str) -> Result<Option<PathBuf>> {
    let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return Ok(None);
    };
    if !path.is_file() {
        bail!("{variable} names {}, which is not there", path.display());
    }
    Ok(Some(path))
}

pub async fn mongodump(source: &ReplicaSet, folder: &Path, gzip: bool) -> Result<Option<Peer>> {
    let Some(program) = tool("MONGODUMP")? else { return Ok(None) };
    let mut arguments =
        vec!["--quiet".to_owned(), format!("--uri={}", source.uri()), format!("--out={}", folder.display())];
    arguments.extend(gzip.then(|| "--gzip".to_owned()));
    let done = measure(&program, arguments).await?.succeeded("mongodump")?;
    Ok(Some(Peer { seconds: done.usage.wall_seconds, bytes: folder_bytes(folder)? }))
}

/// From a folder that `mongodump` wrote without compression.
pub async fn mongorestore(destination: &ReplicaSet, folder: &Path) -> Result<Option<Peer>> {
    let Some(program) = tool("MONGORESTORE")? else { return Ok(None) };
    let arguments = [
        "--quiet".to_owned(),
        "--numInsertionWorkersPerCollection=4".to_owned(),
        format!("--uri={}", destination.uri()),
        format!("--dir={}", folder.display()),
    ];
    let done = measure(&program, arguments).await?.succeeded("mongorestore")?;
    Ok(Some(Peer { seconds: done.usage.wall_seconds, bytes: 0 }))
}

fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
