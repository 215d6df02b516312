//! Object keys: where everything in an archive is stored.
//!
//! [`ObjectKey`] is the one type that writes keys and reads them. A key that it reads is one that it would write,
//! byte for byte; anything else, and anything that could leave the archive, is refused. Everybody who touches a
//! store goes through it, so a listing alone tells what there is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{DrillId, is_path_component};
use crate::{ClusterTime, CollectionUuid, Digest, LineageId, SnapshotId};

mod parse;

pub use parse::ParseKeyError;

const AGE: &str = ".age";
const FRAMED: &str = ".bson.zst";

/// Everything that a slice's key says about its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SliceId {
    pub after: ClusterTime,
    pub through: ClusterTime,
    /// The term of the entry at `through`; never negative.
    pub term: i64,
    /// The first half of the SHA-256 of the slice's plain BSON.
    pub digest: [u8; 16],
}

impl SliceId {
    pub fn new(after: ClusterTime, through: ClusterTime, term: i64, digest: &Digest) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&digest.0[..16]);
        Self { after, through, term, digest: short }
    }
}

/// `<after>_<through>_<term>_<digest>`: the slice's file name without its extension.
impl fmt::Display for SliceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (after, through) = (self.after.to_key(), self.through.to_key());
        write!(f, "{after}_{through}_{:010}_{}", self.term, hex::encode(self.digest))
    }
}

/// A path below `control/`: the only objects that may be overwritten.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ControlPath(String);

impl ControlPath {
    /// Of [`crate::high_water::HighWater`].
    pub fn high_water() -> Self {
        Self("archived.json".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ControlPath {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() <= 400 && text.split('/').all(is_path_component) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseKeyError::new(text, "not a path below control/"))
        }
    }
}

impl fmt::Display for ControlPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Every object that an archive may hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKey {
    Archive,
    Lineage { lineage: LineageId },
    SnapshotStart { lineage: LineageId, snapshot: SnapshotId },
    Collections { lineage: LineageId, snapshot: SnapshotId, page: u32, encrypted: bool },
    Segment { lineage: LineageId, snapshot: SnapshotId, uuid: CollectionUuid, part: u32, encrypted: bool },
    Manifest { lineage: LineageId, snapshot: SnapshotId },
    Slice { lineage: LineageId, id: SliceId, encrypted: bool },
    Gap { lineage: LineageId, after: ClusterTime, through: ClusterTime },
    Reference { lineage: LineageId, at: ClusterTime },
    Recipients { lineage: LineageId, since: ClusterTime, digest: [u8; 16] },
    Drill { lineage: LineageId, id: DrillId },
    DrillText { lineage: LineageId, id: DrillId },
    DrillSignature { lineage: LineageId, id: DrillId },
    Control { lineage: LineageId, path: ControlPath },
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = |encrypted: bool| if encrypted { AGE } else { "" };
        match self {
            Self::Archive => f.write_str("archive.json"),
            Self::Lineage { lineage } => write!(f, "{lineage}/lineage.json"),
            Self::SnapshotStart { lineage, snapshot } => write!(f, "{lineage}/snapshots/{snapshot}/start.json"),
            Self::Collections { lineage, snapshot, page, encrypted } => {
                write!(f, "{lineage}/snapshots/{snapshot}/collections-{page:05}{FRAMED}{}", age(*encrypted))
            }
            Self::Segment { lineage, snapshot, uuid, part, encrypted } => {
                write!(f, "{lineage}/snapshots/{snapshot}/data/{uuid}-{part:05}{FRAMED}{}", age(*encrypted))
            }
            Self::Manifest { lineage, snapshot } => write!(f, "{lineage}/snapshots/{snapshot}/manifest.json"),
            Self::Slice { lineage, id, encrypted } => {
                write!(f, "{lineage}/oplog/{}/{id}{FRAMED}{}", day(id.after), age(*encrypted))
            }
            Self::Gap { lineage, after, through } => {
                write!(f, "{lineage}/gaps/{}_{}.json", after.to_key(), through.to_key())
            }
            Self::Reference { lineage, at } => write!(f, "{lineage}/references/{}.json", at.to_key()),
            Self::Recipients { lineage, since, digest } => {
                write!(f, "{lineage}/recipients/{}_{}.json", since.to_key(), hex::encode(digest))
            }
            Self::Drill { lineage, id } => write!(f, "{lineage}/drills/{id}.json"),
            Self::DrillText { lineage, id } => write!(f, "{lineage}/drills/{id}.md"),
            Self::DrillSignature { lineage, id } => write!(f, "{lineage}/drills/{id}.json.minisig"),
            Self::Control { lineage, path } => write!(f, "{lineage}/control/{path}"),
        }
    }
}

impl ObjectKey {
    pub fn lineage(&self) -> Option<&LineageId> {
        match self {
            Self::Archive => None,
            Self::Lineage { lineage }
            | Self::SnapshotStart { lineage, .. }
            | Self::Collections { lineage, .. }
            | Self::Segment { lineage, .. }
            | Self::Manifest { lineage, .. }
            | Self::Slice { lineage, .. }
            | Self::Gap { lineage, .. }
            | Self::Reference { lineage, .. }
            | Self::Recipients { lineage, .. }
            | Self::Drill { lineage, .. }
            | Self::DrillText { lineage, .. }
            | Self::DrillSignature { lineage, .. }
            | Self::Control { lineage, .. } => Some(lineage),
        }
    }

    /// The snapshot that the object is part of, if it is part of one.
    pub fn snapshot(&self) -> Option<&SnapshotId> {
        match self {
            Self::SnapshotStart { snapshot, .. }
            | Self::Collections { snapshot, .. }
            | Self::Segment { snapshot, .. }
            | Self::Manifest { snapshot, .. } => Some(snapshot),
            _ => None,
        }
    }

    /// Whether the object may be overwritten; everything else is create-only.
    pub fn is_mutable(&self) -> bool {
        matches!(self, Self::Control { .. })
    }

    pub fn is_encrypted(&self) -> bool {
        matches!(
            self,
            Self::Collections { encrypted: true, .. }
                | Self::Segment { encrypted: true, .. }
                | Self::Slice { encrypted: true, .. }
        )
    }

    pub fn lineage_prefix(lineage: &LineageId) -> String {
        format!("{lineage}/")
    }

    /// Below it one folder for each snapshot.
    pub fn snapshots_prefix(lineage: &LineageId) -> String {
        format!("{lineage}/snapshots/")
    }

    pub fn snapshot_prefix(lineage: &LineageId, snapshot: &SnapshotId) -> String {
        format!("{lineage}/snapshots/{snapshot}/")
    }

    pub fn segments_prefix(lineage: &LineageId, snapshot: &SnapshotId) -> String {
        format!("{lineage}/snapshots/{snapshot}/data/")
    }

    pub fn collections_prefix(lineage: &LineageId, snapshot: &SnapshotId) -> String {
        format!("{lineage}/snapshots/{snapshot}/collections-")
    }

    /// A recursive listing below it gives the slices of the lineage in ascending order of `after`.
    pub fn slices_prefix(lineage: &LineageId) -> String {
        format!("{lineage}/oplog/")
    }

    /// The slices whose `after` lies on the same UTC day as `time`.
    pub fn oplog_day_prefix(lineage: &LineageId, time: ClusterTime) -> String {
        format!("{lineage}/oplog/{}/", day(time))
    }

    /// A `start_after` for listing below [`Self::slices_prefix`]: every slice with `after >= time` sorts behind it.
    pub fn slices_from(lineage: &LineageId, time: ClusterTime) -> String {
        format!("{lineage}/oplog/{}/{}", day(time), time.to_key())
    }

    pub fn gaps_prefix(lineage: &LineageId) -> String {
        format!("{lineage}/gaps/")
    }

    pub fn references_prefix(lineage: &LineageId) -> String {
        format!("{lineage}/references/")
    }

    pub fn recipients_prefix(lineage: &LineageId) -> String {
        format!("{lineage}/recipients/")
    }

    pub fn drills_prefix(lineage: &LineageId) -> String {
        format!("{lineage}/drills/")
    }

    pub fn control_prefix(lineage: &LineageId) -> String {
        format!("{lineage}/control/")
    }
}

impl Serialize for ObjectKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The UTC day of a cluster time as `YYYYMMDD`. Days from the proleptic Gregorian calendar, without a time zone.
fn day(time: ClusterTime) -> String {
    let date = jiff::civil::date(1970, 1, 1);
    let days = jiff::Span::new().days(i64::from(time.seconds / 86_400));
    // 2^32 seconds after 1970 is the year 2106: the addition cannot overflow.
    let date = date.checked_add(days).unwrap_or(date);
    format!("{:04}{:02}{:02}", date.year(), date.month(), date.day())
}

#[cfg(test)]
mod tests;
