//! `control/expiring.json` while an expiry is at work: renewed every few seconds, so that whoever meets it can see, by its
//! own monotonic clock, whether its writer lives. Clocks of other machines are not compared.

use std::time::Duration;

use archive::LineageId;
use archive::json_record::RecordError;
use archive::layout::ObjectKey;
use archive::retention::Expiring;
use jiff::{SignedDuration, Timestamp};
use store::ObjectStoreExt as _;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{LIMIT, unexpected};
use crate::archive_reader::ArchiveReader;
use crate::failure::{Failure, Result};

const RENEWED: Duration = Duration::from_secs(5);
/// Several renewals: one that a slow store delayed does not make its writer look dead.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOKED: Duration = Duration::from_millis(500);
/// For people who read the record.
const LASTS: SignedDuration = SignedDuration::from_secs(60);

/// Stops being renewed when it is dropped; then it counts as left by a dead one.
#[derive(Debug)]
pub(crate) struct NoticeGuard {
    reader: ArchiveReader,
    key: String,
    renewing: JoinHandle<()>,
}

impl NoticeGuard {
    pub async fn write(reader: &ArchiveReader, lineage: &LineageId, notice: &Expiring) -> Result<Self> {
        let key = key(lineage)?;
        put(reader, &key, notice).await?;
        let renewing = {
            let (reader, key, mut notice) = (reader.clone(), key.clone(), notice.clone());
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(RENEWED).await;
                    notice.expires_at = end();
                    if let Err(failure) = put(&reader, &key, &notice).await {
                        tracing::warn!(%failure, "notice of the expiry not renewed; trying again");
                    }
                }
            })
        };
        Ok(Self { reader: reader.clone(), key: key.to_string(), renewing })
    }

    /// Takes the notice away.
    pub async fn remove(self) -> Result<()> {
        self.renewing.abort();
        Ok(self.reader.control().delete(&self.key).await?)
    }
}

impl Drop for NoticeGuard {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

/// When a notice that is written now says that it ends.
pub(crate) fn end() -> Timestamp {
    Timestamp::now().checked_add(LASTS).unwrap_or(Timestamp::MAX)
}

/// The notice that is there, when its writer lives. Watching takes some seconds, but only when there is one.
pub(crate) async fn living(reader: &ArchiveReader, lineage: &LineageId) -> Result<Option<Expiring>> {
    let key = key(lineage)?.to_string();
    let Some(first) = reader.control().get_bytes(&key, LIMIT).await? else { return Ok(None) };
    let dead_at = Instant::now() + PATIENCE;
    while Instant::now() < dead_at {
        tokio::time::sleep(LOOKED).await;
        match reader.control().get_bytes(&key, LIMIT).await? {
            None => return Ok(None),
            Some(body) if body != first => {
                let damaged = |problem: RecordError| {
                    Failure::integrity(format!("the notice of an expiry cannot be read: {problem}"))
                        .at(reader.place(&key))
                };
                return Expiring::from_json(&body).map(Some).map_err(damaged);
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

async fn put(reader: &ArchiveReader, key: &ObjectKey, notice: &Expiring) -> Result<()> {
    reader.put_control(key, notice.to_json()).await
}

fn key(lineage: &LineageId) -> Result<ObjectKey> {
    Expiring::key(lineage).map_err(|error| unexpected(&error))
}
