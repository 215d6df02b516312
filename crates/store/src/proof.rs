//! The store proof: tries out on a real location what an archive relies on, before anything is kept there. A server that
//! ignores `If-None-Match`, lists late or forgets its locks looks perfect until two writers meet or somebody restores.
//!
//! Pure over the port, so it judges every backend alike, and a decorator is judged with what it wraps. `sidecar check`
//! and `dr-cli doctor` run it.

mod locking;
mod objects;

use std::fmt;

use futures::future::join_all;
use jiff::SignedDuration;
use uuid::Uuid;

use crate::error::{ErrorKind, Operation, StoreError};
use crate::key::{checked, is_control, validate_key};
use crate::port::{ListedObject, ObjectStore, Result};

/// Requests side by side: a proof in a row would take minutes where each takes a second.
const AT_ONCE: usize = 8;
/// A proof that began so long ago has ended, or was killed.
const LEFT_BEHIND: SignedDuration = SignedDuration::from_mins(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Holds,
    /// The archive is safe, but something does not work or may surprise.
    Doubtful,
    /// Nothing may be archived here.
    Broken,
    /// The location does not offer it, or what came before has failed.
    Skipped,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holds => "holds",
            Self::Doubtful => "doubtful",
            Self::Broken => "broken",
            Self::Skipped => "skipped",
        })
    }
}

/// One property of the location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Stable: shown by `--json` and looked for by tests.
    pub name: &'static str,
    pub verdict: Verdict,
    /// What was seen.
    pub found: String,
    /// What to do about it; empty where nothing has to be done.
    pub remedy: &'static str,
    /// The error that kept it from being tried to its end.
    pub error: Option<ErrorKind>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proof {
    pub checks: Vec<Check>,
}

impl Proof {
    /// Whether the location may be used.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.verdict != Verdict::Broken)
    }

    pub fn get(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }
}

/// Runs all checks. What they write lies below `folder`, which is a `control` folder or below one, and is removed again,
/// except for one small object where locks are tried: that stays for some minutes, and the next proof removes it.
///
/// An error means that nothing could be tried at all: the location does not answer, or is not there.
pub async fn prove(store: &dyn ObjectStore, folder: &str) -> Result<Proof> {
    let verdict = validate_key(folder)
        .and_then(|()| if is_control(&format!("{folder}/x")) { Ok(()) } else { Err("it is no `control` folder") });
    checked(verdict, Operation::Create, folder, store.location())?;
    let prover = Prover { store, folder: format!("{folder}/{}", Uuid::new_v4()) };
    let mut checks = objects::checks(&prover).await?;
    checks.extend(locking::checks(&prover).await);
    prover.sweep(folder).await;
    Ok(Proof { checks })
}

struct Prover<'a> {
    store: &'a dyn ObjectStore,
    folder: String,
}

/// What a check found: all is well, or what is wrong.
type Found = std::result::Result<String, Trouble>;

/// Why a check does not hold.
struct Trouble {
    verdict: Verdict,
    found: String,
    remedy: &'static str,
    error: Option<ErrorKind>,
}

fn broken(found: impl Into<String>, remedy: &'static str) -> Trouble {
    Trouble { verdict: Verdict::Broken, found: found.into(), remedy, error: None }
}

fn doubtful(found: impl Into<String>, remedy: &'static str) -> Trouble {
    Trouble { verdict: Verdict::Doubtful, found: found.into(), remedy, error: None }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        let remedy = match error.kind() {
            ErrorKind::PermissionDenied => "grant the credentials what the writer needs: put, get, list",
            ErrorKind::Unreachable => "look after the network and the store, then try again",
            ErrorKind::NoSpace => "make room, or raise the quota",
            _ => "",
        };
        Self { error: Some(error.kind()), ..broken(error.to_string(), remedy) }
    }
}

fn judged(name: &'static str, found: Found) -> Check {
    match found {
        Ok(found) => Check { name, verdict: Verdict::Holds, found, remedy: "", error: None },
        Err(Trouble { verdict, found, remedy, error }) => Check { name, verdict, found, remedy, error },
    }
}

fn skipped(name: &'static str, why: &str) -> Check {
    Check { name, verdict: Verdict::Skipped, found: why.to_owned(), remedy: "", error: None }
}

impl Prover<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Removes what this proof has written, and what earlier ones left behind: not what another one is at, which sees its
    /// objects vanish and calls the store broken. Best effort: credentials may lack the permission, and a lock may still
    /// hold.
    async fn sweep(&self, folder: &str) {
        let Ok(page) = self.store.list(&format!("{folder}/"), None, 1000).await else { return };
        let own = format!("{}/", self.folder);
        let is_own = |object: &&ListedObject| object.key.starts_with(&own);
        // Both by the clock of the store.
        let Some(now) = page.objects.iter().filter(is_own).map(|object| object.modified).max() else { return };
        let is_left = |object: &&ListedObject| is_own(object) || now.duration_since(object.modified) > LEFT_BEHIND;
        let left: Vec<_> = page.objects.iter().filter(is_left).collect();
        for some in left.chunks(AT_ONCE) {
            join_all(some.iter().map(|object| self.remove(&object.key))).await;
        }
    }

    async fn remove(&self, key: &str) {
        if let Some(lock) = self.store.lock() {
            lock.purge(key).await.ok();
        }
        self.store.delete(key).await.ok();
    }
}
