//! References: what the server itself shows at one cluster time, as digests for drills to compare with.
//!
//! Everything is read at one moment by snapshot reads, on the member that snapshots are read from (a healthy secondary when
//! there is one). Nothing of it goes through our own oplog and segments, so it proves a restore without resting on them. What
//! cannot be read is named with the reason, and what is read does not change whatever is written meanwhile.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use archive::Namespace;
use archive::layout::ObjectKey;
use archive::reference::{Reference, choose};
use futures::{StreamExt as _, TryStreamExt as _};
use replset::{snapshot_read, topology};
use store::Created;
use tokio_util::sync::CancellationToken;

use crate::archive_store::ArchiveStore;
use crate::clock::now_text;
use crate::config::{show_duration, time_and_bytes};
use crate::error::{Error, Result};
use crate::snapshot::wait_until_committed;
use crate::source::Source;

mod read;
mod schedule;

use read::{Reader, Seen};
pub use schedule::ReferenceSchedule;

const LIMIT: usize = 64 * 1024 * 1024;

/// How long and how much one reference may read. What it does not get to is named as missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReferenceBudget {
    pub time: Option<Duration>,
    /// As the server sends it.
    pub bytes: Option<u64>,
}

impl FromStr for ReferenceBudget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (time, bytes) = time_and_bytes(text)?;
        Ok(Self { time, bytes })
    }
}

impl fmt::Display for ReferenceBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.time.map(show_duration);
        let parts: Vec<String> = time.into_iter().chain(self.bytes.map(|bytes| bytes.to_string())).collect();
        f.write_str(&parts.join(","))
    }
}

#[derive(Debug, Clone)]
pub struct ReferenceTaker {
    pub source: Source,
    pub archive: ArchiveStore,
    pub budget: ReferenceBudget,
    /// Collections that are read side by side.
    pub parallelism: usize,
}

impl ReferenceTaker {
    /// One reference, stored when this returns.
    pub async fn take(&self, stop: &CancellationToken) -> Result<Reference> {
        tokio::select! {
            taken = self.read_and_store(stop) => taken,
            () = stop.cancelled() => Err(Error::Cancelled),
        }
    }

    async fn read_and_store(&self, stop: &CancellationToken) -> Result<Reference> {
        let member = self.source.choose().await?;
        if !snapshot_read::is_possible(&member.connection).await? {
            return Err(Error::NoSnapshotReads { member: member.host });
        }
        let newest = self.newest().await?;
        // The catalog is sandwiched: what both listings show was there at the moment between them.
        let (before, listed_at) = snapshot_read::list_names(&member.connection, None).await?;
        wait_until_committed(&member, listed_at, stop).await?;
        let at = topology::majority_commit_point(&member.connection).await?.ts;
        let reader = Reader::start(&member.connection, at, self.budget);
        let (after, _) = snapshot_read::list_names(&member.connection, Some(at)).await?;
        let choice = choose(&before, &after, newest.as_ref());
        tracing::info!(event = "reference_started", %at, member = member.host, collections = choice.to_read.len(), "reading for a reference");

        let mut reference = Reference::new(self.archive.lineage.clone(), at, member.host.as_str(), now_text());
        reference.missing = choice.missing;
        let reading = choice.to_read.into_iter().map(|(namespace, uuid)| reader.collection(namespace, uuid));
        let mut seen = futures::stream::iter(reading).buffer_unordered(self.parallelism.max(1));
        while let Some(seen) = seen.try_next().await? {
            match seen {
                Seen::Read(collection) => reference.collections.push(collection),
                Seen::Missing(missing) => reference.missing.push(missing),
            }
        }
        drop(seen);
        reference.collections.sort_by(|a, b| a.namespace.cmp(&b.namespace));
        reference.missing.sort_by(|a, b| a.namespace.cmp(&b.namespace));
        self.store(reference).await
    }

    /// Of two that were taken at the same moment the first one stays; it says the same of all that both could read.
    async fn store(&self, reference: Reference) -> Result<Reference> {
        let key = reference.key();
        let body = reference.to_json().map_err(Error::record(&key))?;
        if self.archive.put_new(&key, body).await? == Created::New {
            let unread: Vec<&Namespace> = reference.missing.iter().map(|missing| &missing.namespace).collect();
            tracing::info!(event = "reference_stored", at = %reference.at, collections = reference.collections.len(), unread = unread.len(), "reference stored");
            return Ok(reference);
        }
        self.get(&key).await?.ok_or_else(|| Error::Conflict { key: key.to_string() })
    }

    /// The newest reference that can be read.
    async fn newest(&self) -> Result<Option<Reference>> {
        let keys = self.archive.list(&ObjectKey::references_prefix(&self.archive.lineage)).await?;
        for (key, _) in keys.iter().rev() {
            match self.get(key).await {
                Ok(Some(reference)) => return Ok(Some(reference)),
                Ok(None) => {}
                Err(Error::Record { key, problem }) => {
                    tracing::warn!(event = "reference_unusable", key, %problem, "a reference cannot be used; going on without it");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Reference>> {
        let Some(body) = self.archive.get(key, LIMIT).await? else { return Ok(None) };
        Reference::from_json(&body).map(Some).map_err(Error::record(key))
    }
}
