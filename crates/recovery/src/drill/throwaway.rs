//! A `mongod` for one drill: made on this machine, gone with everything that was restored into it when this value goes.
//!
//! Whatever ends the drill drops it: success, failure, Ctrl-C. Only a kill of `dr-cli` itself leaves something behind; the
//! next drill finds that by the lock that nobody holds any more. The server listens on the loopback address only and has a
//! random password, because everybody on the machine could read the restored data otherwise.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rand::RngExt as _;
use tempfile::TempDir;

use crate::failure::{Failure, FailureKind, Result};

const PREFIX: &str = "tidemark-drill-";
/// Locked as long as the drill lives; holds the number of the server's process, for people.
const OWNER: &str = "owner";
const USER: &str = "tidemark-drill";
/// Another program may take the port between looking for it and the start of the server.
const ATTEMPTS: u32 = 3;

#[derive(Debug)]
pub struct ThrowawayServer {
    server: Child,
    folder: Option<TempDir>,
    _owner: File,
    host: String,
    password: String,
    set_name: String,
}

/// What a drill that was killed left on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    pub folder: PathBuf,
    /// Its server, when that still runs.
    pub pid: Option<i32>,
}

impl std::fmt::Display for Leftover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let folder = self.folder.display();
        match self.pid {
            Some(pid) => {
                write!(f, "a drill was killed and left {folder} with a running server: kill {pid}; rm -r {folder}")
            }
            None => write!(f, "a drill was killed and left {folder}: rm -r {folder}"),
        }
    }
}

impl ThrowawayServer {
    /// Starts `mongod` in a new folder below `parent`.
    pub async fn start(mongod: &Path, parent: &Path) -> Result<Self> {
        for attempt in 1.. {
            let started = Self::spawn(mongod, parent)?;
            let initiated =
                replset::initiate::initiate(&started.host, &started.set_name, USER, &started.password).await;
            let Err(error) = initiated else { return Ok(started) };
            let log = started.log_tail();
            if attempt >= ATTEMPTS || !log.contains("Address already in use") {
                let what = format!("the throw-away server does not come up: {}", error.detail());
                return Err(Failure::new(FailureKind::Unexpected, what)
                    .at(mongod.display().to_string())
                    .because(format!("its log ends with:\n{log}"))
                    .then("--mongod PATH of another release, or --destination URI of a fresh replica set"));
            }
        }
        Err(Failure::new(FailureKind::Unexpected, "no throw-away server was started"))
    }

    fn spawn(mongod: &Path, parent: &Path) -> Result<Self> {
        let cannot = |what: &'static str| {
            move |error: std::io::Error| {
                Failure::new(FailureKind::Unexpected, format!("cannot {what} of the throw-away server: {error}"))
                    .at(parent.display().to_string())
                    .because("the folder for temporary files is full or may not be written")
                    .then("name another one with --scratch-dir")
            }
        };
        // Nobody else may enter it.
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent).map_err(cannot("make the folder"))?;
        let path = folder.path();
        let owner = File::create(path.join(OWNER)).map_err(cannot("make the lock"))?;
        owner.lock().map_err(cannot("take the lock"))?;
        let [key, password, name] = [(); 3].map(|()| hex::encode(rand::rng().random::<[u8; 32]>()));
        let key_file = path.join("key");
        fs::write(&key_file, key).map_err(cannot("write the key file"))?;
        fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).map_err(cannot("protect the key file"))?;
        let data = path.join("data");
        fs::create_dir(&data).map_err(cannot("make the data folder"))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let port = listener.map_err(cannot("find a port"))?.port();
        let set_name = format!("drill-{}", &name[..8]);
        let server = Command::new(mongod)
            .args(["--bind_ip", "127.0.0.1", "--port", &port.to_string(), "--nounixsocket", "--replSet", &set_name])
            // Everything that is restored goes through its oplog, and nobody reads that.
            .args(["--oplogSize", "990", "--wiredTigerCacheSizeGB", "1"])
            .args([
                "--setParameter",
                "ttlMonitorEnabled=false",
                "--setParameter",
                "diagnosticDataCollectionEnabled=false",
            ])
            .arg("--keyFile")
            .arg(&key_file)
            .arg("--dbpath")
            .arg(&data)
            .arg("--logpath")
            .arg(path.join("log"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for us; we end the server.
            .process_group(0)
            .spawn()
            .map_err(|error| {
                Failure::new(FailureKind::Usage, format!("cannot start a throw-away mongod: {error}"))
                    .at(mongod.display().to_string())
                    .because("it is no program that this machine can run")
                    .then("--mongod PATH, or --destination URI of a fresh replica set")
            })?;
        let started =
            Self { host: format!("127.0.0.1:{port}"), folder: Some(folder), _owner: owner, password, set_name, server };
        let note = started.path().map(|path| fs::write(path.join(OWNER), started.server.id().to_string()));
        note.transpose().map_err(cannot("write down the process"))?;
        Ok(started)
    }

    fn path(&self) -> Option<&Path> {
        self.folder.as_ref().map(TempDir::path)
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    /// With the password: not for messages.
    pub fn uri(&self) -> String {
        let Self { host, password, set_name, .. } = self;
        format!("mongodb://{USER}:{password}@{host}/?replicaSet={set_name}&authSource=admin")
    }

    /// What the server said last, for messages.
    fn log_tail(&self) -> String {
        let log = self.path().map(|path| fs::read(path.join("log")).unwrap_or_default()).unwrap_or_default();
        let text = String::from_utf8_lossy(&log).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    /// Ends the server and removes its folder; what could not be removed.
    pub fn remove(mut self) -> Vec<String> {
        self.end()
    }

    fn end(&mut self) -> Vec<String> {
        let Some(folder) = self.folder.take() else { return Vec::new() };
        let mut left = Vec::new();
        // It is told to end and waited for, so the process cannot write into the folder while that goes.
        if let Err(error) = self.server.kill().and_then(|()| self.server.wait()) {
            left.push(format!("mongod with process id {}: {error}", self.server.id()));
        }
        let path = folder.path().to_owned();
        if let Err(error) = folder.close() {
            left.push(format!("{}: {error}", path.display()));
        }
        left
    }
}

impl Drop for ThrowawayServer {
    fn drop(&mut self) {
        for left in self.end() {
            tracing::warn!(event = "drill_leftovers", left, "not removed after the drill");
        }
    }
}

/// What drills that were killed left below `parent`. Nothing is touched: a running drill holds its lock.
pub fn leftovers(parent: &Path) -> Vec<Leftover> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<Leftover> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .filter_map(|entry| abandoned(&entry.path()))
        .collect();
    found.sort_by(|a, b| a.folder.cmp(&b.folder));
    found
}

fn abandoned(folder: &Path) -> Option<Leftover> {
    let owner = File::open(folder.join(OWNER)).ok()?;
    owner.try_lock().ok()?;
    Some(Leftover { folder: folder.to_owned(), pid: server_of(folder) })
}

/// By what it was started with: a drill may be killed between starting it and writing its number down, and that number
/// may be another program's by now.
fn server_of(folder: &Path) -> Option<i32> {
    let data = folder.join("data");
    let works_there = |pid: &i32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.split(|byte| *byte == 0).any(|argument| Path::new(std::ffi::OsStr::from_bytes(argument)) == data)
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).find(works_there)
}

/// The `mongod` to start: the one that is named, else the first one on `PATH`.
pub fn find_mongod(named: Option<&Path>, path: Option<&std::ffi::OsStr>) -> Result<PathBuf> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let folders = path.map(std::env::split_paths).into_iter().flatten();
    folders.map(|folder| folder.join("mongod")).find(|program| program.is_file()).ok_or_else(|| {
        Failure::new(FailureKind::Usage, "there is no mongod to drill with")
            .at("PATH")
            .because("neither --destination nor --mongod (MONGOD) is given, and no mongod is on PATH")
            .then("--mongod PATH, or --destination URI of a fresh replica set")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_holds_any_more_is_left_over() {
        let parent = tempfile::tempdir().unwrap();
        let folder = |name: &str| parent.path().join(name);
        for name in ["tidemark-drill-dead", "tidemark-drill-alive", "tidemark-drill-empty", "other"] {
            fs::create_dir(folder(name)).unwrap();
        }
        for name in ["tidemark-drill-dead", "tidemark-drill-alive", "other"] {
            // A number that is nobody's server.
            fs::write(folder(name).join(OWNER), std::process::id().to_string()).unwrap();
        }
        let alive = File::open(folder("tidemark-drill-alive").join(OWNER)).unwrap();
        alive.lock().unwrap();
        let dead = Leftover { folder: folder("tidemark-drill-dead"), pid: None };
        assert_eq!(leftovers(parent.path()), [dead]);
        assert!(leftovers(&folder("nowhere")).is_empty());
    }

    #[test]
    fn the_server_is_the_named_one_or_that_on_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = std::env::join_paths([Path::new("/nowhere"), folder.path()]).unwrap();
        assert_eq!(find_mongod(None, Some(&path)).unwrap_err().kind, FailureKind::Usage);
        assert!(find_mongod(None, None).is_err());
        fs::write(folder.path().join("mongod"), "").unwrap();
        assert_eq!(find_mongod(None, Some(&path)).unwrap(), folder.path().join("mongod"));
        assert_eq!(find_mongod(Some(Path::new("/x/mongod")), Some(&path)).unwrap(), Path::new("/x/mongod"));
    }
}
