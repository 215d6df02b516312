//! `control/expiring/<id>.json` while an expiry is at work: renewed every few seconds, so that whoever meets it can see, by
//! its own monotonic clock, whether its writer lives. Clocks of other machines are not compared.
//!
//! Each expiry has a notice of its own, so that none can overwrite or take away what another one announced. It is written
//! first and the others are looked for second; of two that begin at once at least one sees the other, and gives way.

use std::collections::BTreeMap;
use std::time::Duration;

use archive::LineageId;
use archive::json_record::RecordError;
use archive::layout::ObjectKey;
use archive::retention::Expiring;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use store::ObjectStoreExt as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{LIMIT, unexpected};
use crate::archive_reader::ArchiveReader;
use crate::failure::{Failure, FailureKind, Result};

const RENEWED: Duration = Duration::from_secs(5);
/// Several renewals: one that a slow store delayed does not make its writer look dead.
const PATIENCE: Duration = Duration::from_secs(20);
/// After so long without a renewal its writer stops by itself: less than the patience, so it never looks dead while it works.
const GOOD_FOR: Duration = Duration::from_secs(15);
const LOOKED: Duration = Duration::from_millis(500);
/// A longer pause between two looks was our own, and nobody's silence.
const LONGEST_LOOK: Duration = Duration::from_secs(2);
/// For people who read the record.
const LASTS: SignedDuration = SignedDuration::from_secs(60);

#[derive(Debug, Clone, Copy)]
enum Standing {
    /// When the newest renewal that succeeded began.
    Renewed(Instant),
    /// Somebody froze expiry.
    Frozen,
    /// It stood still for so long that others may have taken its writer for dead.
    Lost,
}

/// Stops being renewed when it is dropped; then it counts as left by a dead one.
#[derive(Debug)]
pub(crate) struct NoticeGuard {
    reader: ArchiveReader,
    key: String,
    standing: watch::Receiver<Standing>,
    renewing: JoinHandle<()>,
}

impl NoticeGuard {
    pub async fn write(reader: &ArchiveReader, lineage: &LineageId, notice: &Expiring) -> Result<Self> {
        let id = bson::oid::ObjectId::new().to_hex();
        let key = Expiring::key(lineage, &id).map_err(|error| unexpected(&error))?;
        let began = Instant::now();
        put(reader, &key, notice).await?;
        let (sender, standing) = watch::channel(Standing::Renewed(began));
        let renewing = tokio::spawn(renew(reader.clone(), lineage.clone(), key.clone(), notice.clone(), began, sender));
        Ok(Self { reader: reader.clone(), key: key.to_string(), standing, renewing })
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// To be asked before each request that deletes: whether everybody who looks sees the notice, and nobody froze expiry.
    pub fn confirm(&self) -> Result<()> {
        let standing = *self.standing.borrow();
        match standing {
            Standing::Renewed(at) if at.elapsed() <= GOOD_FOR => Ok(()),
            Standing::Frozen => Err(Failure::new(FailureKind::Unsafe, "expiry was frozen while this one was at work")
                .at(self.reader.place(&self.key))
                .because("`dr-cli freeze` stops what has begun; what is left is sound")
                .then("dr-cli unfreeze; then the same command again")),
            _ => Err(Failure::new(FailureKind::Unreachable, "the notice of this expiry could not be renewed")
                .at(format!("{} in {}", self.key, self.reader.control().location()))
                .because("whoever pins or restores now would take it for dead, so it stopped; what is left is sound")
                .then("the same command again")),
        }
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

async fn renew(
    reader: ArchiveReader,
    lineage: LineageId,
    key: ObjectKey,
    mut notice: Expiring,
    mut renewed: Instant,
    standing: watch::Sender<Standing>,
) {
    let mut is_frozen = false;
    loop {
        tokio::time::sleep(RENEWED).await;
        let began = Instant::now();
        notice.expires_at = end();
        match put(&reader, &key, &notice).await {
            // However it came to be late, by a slow store or because this process was paused: it cannot be made good.
            Ok(()) if renewed.elapsed() > GOOD_FOR => {
                standing.send_replace(Standing::Lost);
                return;
            }
            Ok(()) => renewed = began,
            Err(failure) => {
                tracing::warn!(event = "expiry_notice_not_renewed", %failure, "notice of the expiry not renewed; trying again");
            }
        }
        // Goes on being renewed until the writer has stopped.
        match reader.is_frozen(&lineage).await {
            Ok(frozen) => is_frozen |= frozen,
            Err(failure) => {
                tracing::warn!(event = "freeze_not_known", %failure, "not known whether expiry was frozen; trying again");
            }
        }
        standing.send_replace(if is_frozen { Standing::Frozen } else { Standing::Renewed(renewed) });
    }
}

/// When a notice that is written now says that it ends.
pub(crate) fn end() -> Timestamp {
    Timestamp::now().checked_add(LASTS).unwrap_or(Timestamp::MAX)
}

/// The notices that are there.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    /// Of writers that live.
    pub living: Vec<Expiring>,
    /// Keys of those whose writers died.
    pub dead: Vec<String>,
}

/// Looks for notices, except for the one under the key `own`. Watching takes some seconds, but only when there is one.
pub(crate) async fn look(reader: &ArchiveReader, lineage: &LineageId, own: Option<&str>) -> Result<Notices> {
    let mut first: BTreeMap<String, Bytes> = BTreeMap::new();
    for object in reader.control().list_all(&Expiring::prefix(lineage)).await? {
        if Some(object.key.as_str()) != own
            && let Some(body) = reader.control().get_bytes(&object.key, LIMIT).await?
        {
            first.insert(object.key, body);
        }
    }
    let mut living = Vec::new();
    let (mut silence, mut looked_at) = (Duration::ZERO, Instant::now());
    while silence < PATIENCE && !first.is_empty() {
        tokio::time::sleep(LOOKED).await;
        for key in first.keys().cloned().collect::<Vec<_>>() {
            match reader.control().get_bytes(&key, LIMIT).await? {
                Some(body) if Some(&body) == first.get(&key) => {}
                changed => {
                    first.remove(&key);
                    living.extend(changed.map(|body| parsed(reader, &key, &body)).transpose()?);
                }
            }
        }
        silence += looked_at.elapsed().min(LONGEST_LOOK);
        looked_at = Instant::now();
    }
    Ok(Notices { living, dead: first.into_keys().collect() })
}

fn parsed(reader: &ArchiveReader, key: &str, body: &[u8]) -> Result<Expiring> {
    Expiring::from_json(body).map_err(|problem: RecordError| {
        Failure::integrity(format!("the notice of an expiry cannot be read: {problem}")).at(reader.place(key))
    })
}

async fn put(reader: &ArchiveReader, key: &ObjectKey, notice: &Expiring) -> Result<()> {
    reader.put_control(key, notice.to_json()).await
}
