//! Whether what a member said about its catalog lasts.
//!
//! `listCollections` and `listIndexes` refuse read concern majority, and a scan that finds its collection gone looks at
//! the catalog of now, too: a definition that no majority has yet is told like any other, and a new primary can take it
//! back without a trace in the oplog. So it counts only when everything the member had at that time is committed by a
//! majority, and the member took no other state meanwhile: a rollback goes through several.

use std::time::Duration;

use archive::OpTime;
use archive::slice::EntryStamp;
use replset::oplog;
use replset::topology::{Hello, TopologyVersion};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::pause_unless_stopped;
use crate::error::{Error, Result};
use crate::source::SourceMember;

const POLL: Duration = Duration::from_millis(100);
/// How often a wait is told.
const TELL: Duration = Duration::from_secs(10);

/// Taken before the catalog is looked at.
#[derive(Debug)]
pub struct Witness {
    version: Option<TopologyVersion>,
}

impl Witness {
    pub async fn of(member: &SourceMember) -> Result<Self> {
        Ok(Self { version: Hello::fetch(&member.connection).await?.topology_version })
    }

    /// Returns when nothing that the member showed since this witness was taken can be rolled back any more.
    pub async fn wait_until_lasting(&self, member: &SourceMember, stop: &CancellationToken) -> Result<()> {
        let last = self.hello(member).await?.last_write.ok_or_else(|| Self::changed(member))?;
        let mut told = Instant::now();
        while self.hello(member).await?.majority_committed.is_none_or(|committed| is_behind(committed, last)) {
            if told.elapsed() >= TELL {
                told = Instant::now();
                tracing::warn!(event = "snapshot_waits_for_majority", last_write = %last.ts, "waiting until a majority of the members has what was listed");
            }
            if !pause_unless_stopped(POLL, stop).await {
                return Err(Error::Cancelled);
            }
        }
        let entry = oplog::entry_at(&member.connection, last.ts).await?;
        let is_kept = entry.is_some_and(|entry| EntryStamp::read(&entry).is_ok_and(|stamp| stamp.term == last.term));
        if is_kept { Ok(()) } else { Err(Self::changed(member)) }
    }

    async fn hello(&self, member: &SourceMember) -> Result<Hello> {
        let hello = Hello::fetch(&member.connection).await?;
        if hello.topology_version == self.version { Ok(hello) } else { Err(Self::changed(member)) }
    }

    fn changed(member: &SourceMember) -> Error {
        Error::StateChanged { member: member.host.clone() }
    }
}

fn is_behind(committed: OpTime, wanted: OpTime) -> bool {
    (committed.term, committed.ts) < (wanted.term, wanted.ts)
}
