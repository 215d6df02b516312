//! The records below `control/` that hold expiry back: pins, protections of running restores, the freeze, and the notice
//! that an expiry is about to delete. All may be overwritten; one that cannot be read counts as holding everything.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::coverage::CoveredRange;
use crate::json_record::{self, FORMAT, RecordError};
use crate::layout::{ControlPath, ObjectKey, ParseKeyError};
use crate::{ClusterTime, LineageId, SnapshotId};

const LIMIT: usize = 1024 * 1024;

/// What a pin keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pinned {
    /// The snapshot, restorable to its `end`.
    Snapshot(SnapshotId),
    /// Every moment from `from` to `through` that is restorable now.
    Moments { from: ClusterTime, through: ClusterTime },
}

/// `control/pins/<id>.json`: exempt from expiry until it is taken away or `until` has passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    format: u32,
    pub id: String,
    pub keeps: Pinned,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub pinned_by: String,
    /// RFC 3339.
    pub pinned_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Whether the store was asked to hold each object that it keeps.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub legal_hold: bool,
}

/// `control/protect/<id>.json`: what a running restore, export or drill reads. Renewed while it runs, so that one that
/// died does not hold back expiry for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    format: u32,
    pub id: String,
    pub snapshot: SnapshotId,
    /// The history that is replayed: `(after, through]`.
    pub after: ClusterTime,
    pub through: ClusterTime,
    /// For people: who and what.
    #[serde(default)]
    pub holder: String,
    pub expires_at: Timestamp,
}

/// `control/freeze.json`: nothing expires while it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    format: u32,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub frozen_by: String,
    /// RFC 3339.
    pub frozen_at: String,
}

/// `control/expiring/<id>.json`: what an expiry is about to delete. Each has its own.
///
/// An expiry writes it, then reads the protections once more, then deletes; a restore writes its protection, then
/// reads this. Whichever comes second sees the other, so no restore starts on a chain that is going away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiring {
    format: u32,
    pub snapshots: Vec<SnapshotId>,
    pub slices: Vec<CoveredRange>,
    pub by: String,
    /// When it counts as dead, and a restore need not wait for it.
    pub expires_at: Timestamp,
}

fn path(folder: &'static str, id: &str) -> Result<ControlPath, ParseKeyError> {
    format!("{folder}/{id}.json").parse()
}

fn control(lineage: &LineageId, path: ControlPath) -> ObjectKey {
    ObjectKey::Control { lineage: lineage.clone(), path }
}

impl Pin {
    const WHAT: &str = "pin";

    pub fn new(id: impl Into<String>, keeps: Pinned, reason: impl Into<String>, pinned_at: impl Into<String>) -> Self {
        let (id, reason, pinned_at) = (id.into(), reason.into(), pinned_at.into());
        Self { format: FORMAT, id, keeps, reason, pinned_by: String::new(), pinned_at, until: None, legal_hold: false }
    }

    /// Stands for one whose record cannot be read: only its name is known.
    pub fn unreadable(id: impl Into<String>) -> Self {
        Self::new(id, Pinned::Moments { from: ClusterTime::ZERO, through: ClusterTime::ZERO }, "", "")
    }

    pub fn key(&self, lineage: &LineageId) -> Result<ObjectKey, ParseKeyError> {
        Ok(control(lineage, path("pins", &self.id)?))
    }

    pub fn prefix(lineage: &LineageId) -> String {
        format!("{}pins/", ObjectKey::control_prefix(lineage))
    }

    pub fn to_json(&self) -> Result<Vec<u8>, RecordError> {
        self.check()?;
        json_record::encode(Self::WHAT, self)
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        let pin: Self = json_record::decode(Self::WHAT, LIMIT, bytes)?;
        pin.check()?;
        Ok(pin)
    }

    fn check(&self) -> Result<(), RecordError> {
        path("pins", &self.id).map_err(|error| RecordError::invalid(Self::WHAT, error))?;
        if let Pinned::Moments { from, through } = self.keeps
            && from > through
        {
            return Err(RecordError::invalid(Self::WHAT, format!("{through} comes before {from}")));
        }
        json_record::check_instant(Self::WHAT, "pinned_at", &self.pinned_at)
    }
}

impl Protection {
    const WHAT: &str = "protection";

    pub fn new(
        id: impl Into<String>,
        snapshot: SnapshotId,
        range: CoveredRange,
        holder: impl Into<String>,
        expires_at: Timestamp,
    ) -> Self {
        let CoveredRange { from, through } = range;
        Self { format: FORMAT, id: id.into(), snapshot, after: from, through, holder: holder.into(), expires_at }
    }

    pub fn range(&self) -> CoveredRange {
        CoveredRange::new(self.after, self.through)
    }

    pub fn key(&self, lineage: &LineageId) -> Result<ObjectKey, ParseKeyError> {
        Ok(control(lineage, path("protect", &self.id)?))
    }

    pub fn prefix(lineage: &LineageId) -> String {
        format!("{}protect/", ObjectKey::control_prefix(lineage))
    }

    pub fn to_json(&self) -> Result<Vec<u8>, RecordError> {
        self.check()?;
        json_record::encode(Self::WHAT, self)
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        let protection: Self = json_record::decode(Self::WHAT, LIMIT, bytes)?;
        protection.check()?;
        Ok(protection)
    }

    fn check(&self) -> Result<(), RecordError> {
        path("protect", &self.id).map_err(|error| RecordError::invalid(Self::WHAT, error))?;
        if self.after > self.through {
            return Err(RecordError::invalid(Self::WHAT, format!("{} is not a range of history", self.range())));
        }
        Ok(())
    }
}

impl Freeze {
    const WHAT: &str = "freeze";

    pub fn new(reason: impl Into<String>, frozen_by: impl Into<String>, frozen_at: impl Into<String>) -> Self {
        Self { format: FORMAT, reason: reason.into(), frozen_by: frozen_by.into(), frozen_at: frozen_at.into() }
    }

    pub fn key(lineage: &LineageId) -> Result<ObjectKey, ParseKeyError> {
        Ok(control(lineage, "freeze.json".parse()?))
    }

    pub fn to_json(&self) -> Result<Vec<u8>, RecordError> {
        json_record::check_instant(Self::WHAT, "frozen_at", &self.frozen_at)?;
        json_record::encode(Self::WHAT, self)
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        let freeze: Self = json_record::decode(Self::WHAT, LIMIT, bytes)?;
        json_record::check_instant(Self::WHAT, "frozen_at", &freeze.frozen_at)?;
        Ok(freeze)
    }
}

impl Expiring {
    const WHAT: &str = "expiry notice";

    pub fn new(
        snapshots: Vec<SnapshotId>,
        slices: Vec<CoveredRange>,
        by: impl Into<String>,
        expires_at: Timestamp,
    ) -> Self {
        Self { format: FORMAT, snapshots, slices, by: by.into(), expires_at }
    }

    /// Whether something that is about to be deleted is what `protection` needs.
    pub fn conflicts_with(&self, protection: &Protection) -> bool {
        self.snapshots.contains(&protection.snapshot)
            || self.slices.iter().any(|range| range.overlaps(&protection.range()))
    }

    pub fn key(lineage: &LineageId, id: &str) -> Result<ObjectKey, ParseKeyError> {
        Ok(control(lineage, path("expiring", id)?))
    }

    pub fn prefix(lineage: &LineageId) -> String {
        format!("{}expiring/", ObjectKey::control_prefix(lineage))
    }

    pub fn to_json(&self) -> Result<Vec<u8>, RecordError> {
        json_record::encode(Self::WHAT, self)
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        json_record::decode(Self::WHAT, 16 * LIMIT, bytes)
    }
}
