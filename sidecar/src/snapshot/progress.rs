//! How far the current snapshot is, for the status page and the log.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use archive::ClusterTime;
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    #[default]
    Starting,
    Listing,
    Scanning,
    WaitingForOplog,
    Publishing,
}

impl Phase {
    /// For people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Listing => "listing collections",
            Self::Scanning => "reading documents",
            Self::WaitingForOplog => "waiting for the oplog",
            Self::Publishing => "publishing",
        }
    }
}

#[derive(Debug, Default)]
pub struct Progress {
    phase: Mutex<(Phase, Option<String>, Option<ClusterTime>)>,
    pub collections: AtomicUsize,
    pub collections_done: AtomicUsize,
    pub documents: AtomicU64,
    pub bytes: AtomicU64,
}

#[derive(Debug, Clone, Serialize)]
pub struct ProgressReport {
    pub id: Option<String>,
    pub begin: Option<ClusterTime>,
    pub phase: Phase,
    pub collections: usize,
    pub collections_done: usize,
    pub documents: u64,
    pub bytes: u64,
}

impl Progress {
    pub fn enter(&self, phase: Phase) {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner).0 = phase;
    }

    pub fn begin(&self, id: &str, begin: ClusterTime) {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        phase.1 = Some(id.to_owned());
        phase.2 = Some(begin);
    }

    pub fn read(&self, documents: u64, bytes: u64) {
        self.documents.fetch_add(documents, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn report(&self) -> ProgressReport {
        let (phase, id, begin) = self.phase.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ProgressReport {
            id,
            begin,
            phase,
            collections: self.collections.load(Ordering::Relaxed),
            collections_done: self.collections_done.load(Ordering::Relaxed),
            documents: self.documents.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

/// The snapshot that is being taken, if one is.
#[derive(Debug, Clone, Default)]
pub struct CurrentSnapshot(Arc<Mutex<Option<Arc<Progress>>>>);

impl CurrentSnapshot {
    pub fn set(&self, progress: Option<Arc<Progress>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    pub fn report(&self) -> Option<ProgressReport> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|progress| progress.report())
    }
}
