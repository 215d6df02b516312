//! Reads collections at the moment of a reference, within its budget.

use std::sync::atomic::{AtomicU64, Ordering};

use archive::reference::{CollectionReference, DigestSum, MissingCollection, MissingReason};
use archive::{ClusterTime, CollectionUuid, Namespace};
use replset::snapshot_read::{self, SnapshotBatch};
use replset::{Connection, ReplsetError};
use tokio::time::Instant;

use super::ReferenceBudget;
use crate::error::{Error, Result};

/// What came of one collection.
pub enum Seen {
    Read(CollectionReference),
    Missing(MissingCollection),
}

pub struct Reader {
    member: Connection,
    at: ClusterTime,
    end: Option<Instant>,
    bytes: Option<u64>,
    spent: AtomicU64,
}

/// Why the reading of a collection ended early.
enum Stopped {
    Budget,
    Server(ReplsetError),
    Internal(Error),
}

impl From<ReplsetError> for Stopped {
    fn from(error: ReplsetError) -> Self {
        Self::Server(error)
    }
}

impl Reader {
    pub fn start(member: &Connection, at: ClusterTime, budget: ReferenceBudget) -> Self {
        let end = budget.time.and_then(|time| Instant::now().checked_add(time));
        Self { member: member.clone(), at, end, bytes: budget.bytes, spent: AtomicU64::new(0) }
    }

    /// An error is one of the server, after which no other collection could be read either.
    pub async fn collection(&self, namespace: Namespace, uuid: CollectionUuid) -> Result<Seen> {
        let (reason, detail) = match self.digest(&namespace, uuid).await {
            Ok(sum) => return Ok(Seen::Read(CollectionReference::new(namespace, uuid, &sum))),
            Err(Stopped::Internal(error)) => return Err(error),
            Err(Stopped::Budget) => (MissingReason::Budget, String::new()),
            Err(Stopped::Server(error)) => match snapshot_read::missing_reason(&error) {
                Some(reason) => (reason, error.detail().to_owned()),
                None => return Err(error.into()),
            },
        };
        tracing::info!(event = "reference_incomplete", %namespace, ?reason, detail, "a collection is missing in the reference");
        Ok(Seen::Missing(MissingCollection { namespace, reason, detail }))
    }

    async fn digest(&self, namespace: &Namespace, uuid: CollectionUuid) -> Result<DigestSum, Stopped> {
        self.check_budget()?;
        let mut reading = snapshot_read::read_at(&self.member, namespace, uuid, self.at).await?;
        let mut sum = DigestSum::default();
        let mut next = reading.next_batch().await?;
        while let Some(batch) = next {
            self.spent.fetch_add(batch.len() as u64, Ordering::Relaxed);
            self.check_budget()?;
            let adding = tokio::task::spawn_blocking(move || add(sum, &batch));
            let (added, following) = tokio::join!(adding, reading.next_batch());
            sum = added.map_err(|error| Stopped::Internal(Error::Internal(error.to_string())))??;
            next = following?;
        }
        Ok(sum)
    }

    fn check_budget(&self) -> Result<(), Stopped> {
        let is_late = self.end.is_some_and(|end| Instant::now() >= end);
        let is_spent = self.bytes.is_some_and(|bytes| self.spent.load(Ordering::Relaxed) > bytes);
        if is_late || is_spent { Err(Stopped::Budget) } else { Ok(()) }
    }
}

fn add(mut sum: DigestSum, batch: &SnapshotBatch) -> Result<DigestSum, ReplsetError> {
    for document in batch.documents()? {
        sum.add(document?.as_bytes());
    }
    Ok(sum)
}
