//! The objects of a lease: one record for each epoch, never changed, and the heartbeat of its holder beside it.

use serde::{Deserialize, Serialize};

use super::Purpose;
use super::holder::Holder;
use super::process::ProcessMark;
use crate::archive_store::ArchiveStore;
use crate::clock::now_text;
use crate::error::{Error, Result};

pub const LIMIT: usize = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    pub format: u32,
    pub holder: String,
    pub started_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessMark>,
}

impl Epoch {
    pub fn new(holder: &Holder) -> Self {
        Self {
            format: 1,
            holder: holder.name.clone(),
            started_at: now_text(),
            member: holder.member.clone(),
            process: holder.process.clone(),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    pub beat: u64,
    pub released: bool,
}

impl Heartbeat {
    pub fn is_release(body: &[u8]) -> bool {
        serde_json::from_slice::<Self>(body).is_ok_and(|heartbeat| heartbeat.released)
    }
}

pub fn epoch_path(purpose: Purpose, epoch: u64) -> String {
    format!("{}epoch-{epoch:010}.json", purpose.folder)
}

pub fn heartbeat_path(purpose: Purpose, epoch: u64) -> String {
    format!("{}heartbeat-{epoch:010}.json", purpose.folder)
}

pub fn json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::Internal(error.to_string()))
}

pub async fn newest_epoch(archive: &ArchiveStore, purpose: Purpose) -> Result<Option<u64>> {
    let paths = archive.list_control(&format!("{}epoch-", purpose.folder)).await?;
    Ok(paths.iter().rev().find_map(|path| epoch_of(path)))
}

pub async fn epoch(archive: &ArchiveStore, purpose: Purpose, epoch: u64) -> Result<Option<Epoch>> {
    let body = archive.get_control(&epoch_path(purpose, epoch), LIMIT).await?;
    Ok(body.and_then(|body| serde_json::from_slice(&body).ok()))
}

/// Whoever holds an epoch, for people.
pub async fn shown(archive: &ArchiveStore, purpose: Purpose, number: u64) -> Result<String> {
    Ok(epoch(archive, purpose, number).await?.map_or_else(|| format!("epoch {number}"), |record| show(&record, number)))
}

pub fn show(record: &Epoch, number: u64) -> String {
    let member = record.member.as_ref().map(|member| format!(" beside {member}")).unwrap_or_default();
    format!("{}{member} since {} (epoch {number})", record.holder, record.started_at)
}

/// Old epochs say nothing any more; the newest must stay, or its number would be given out again.
pub async fn forget_before(archive: &ArchiveStore, purpose: Purpose, epoch: u64) {
    for kind in ["epoch-", "heartbeat-"] {
        let Ok(paths) = archive.list_control(&format!("{}{kind}", purpose.folder)).await else { return };
        for path in paths.iter().filter(|path| epoch_of(path).is_some_and(|old| old < epoch)) {
            if let Err(error) = archive.delete_control(path).await {
                tracing::debug!(%error, "old lease epoch not removed");
            }
        }
    }
}

fn epoch_of(path: &str) -> Option<u64> {
    path.rsplit_once('-')?.1.strip_suffix(".json")?.parse().ok()
}
