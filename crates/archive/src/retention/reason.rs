//! Why something is kept or expires: a constant name for programs, a sentence for people.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::coverage::CoveredRange;
use crate::{ClusterTime, SnapshotId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeepReason {
    Frozen {
        reason: String,
    },
    NewestGood,
    /// Nothing can be restored at all; then nothing goes.
    NothingRestorable,
    KeepLast {
        rank: u32,
        of: u32,
    },
    MinimumRedundancy {
        of: u32,
    },
    KeepFor {
        until: Timestamp,
    },
    /// The manifest's date cannot be read, so its age is not known.
    Undated,
    Monthly {
        month: String,
    },
    PitrWindow {
        from: ClusterTime,
    },
    /// The one before the window, from which its first moments are restored.
    PitrAnchor {
        from: ClusterTime,
    },
    Pinned {
        id: String,
        reason: String,
    },
    Protected {
        id: String,
        holder: String,
        until: Timestamp,
    },
    Locked {
        until: Timestamp,
    },
    LegalHold,
    /// Slices only: a snapshot that is kept needs them.
    NeededBy {
        snapshot: SnapshotId,
    },
    /// Slices only: a snapshot that is being taken may need them.
    NeededByUnfinished {
        snapshot: SnapshotId,
    },
    /// Slices only: a snapshot is there whose manifest cannot be read.
    NeededByUnreadable {
        snapshot: SnapshotId,
    },
    /// Slices only: they contradict others that are kept, and which side is right is not known.
    Disputed {
        range: CoveredRange,
    },
    /// Unfinished snapshots only.
    LeaseAlive,
    WithinGrace {
        until: Timestamp,
    },
    UnknownAge,
    /// References: the moment can still be restored.
    Restorable,
    /// An abandoned manifest that still keeps a paused writer out.
    Tombstone {
        until: Timestamp,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpireReason {
    NotAmongLast {
        newer: u32,
        keep: u32,
    },
    TooOld {
        since: Timestamp,
        keep_for: Duration,
    },
    NotMonthly,
    BeforePitrWindow {
        from: ClusterTime,
    },
    /// Slices: no snapshot that is kept is restored with them.
    NotNeeded,
    /// Unfinished: without a manifest, its writer gone.
    Unfinished {
        untouched_since: Timestamp,
    },
    Abandoned,
    NotRestorable,
    /// Gap records: replaced by one that holds them, or before everything that is kept.
    Superseded,
    Orphan {
        untouched_since: Timestamp,
    },
    TombstoneOld {
        since: String,
    },
}

impl KeepReason {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Frozen { .. } => "frozen",
            Self::NewestGood => "newest_good",
            Self::NothingRestorable => "nothing_restorable",
            Self::KeepLast { .. } => "keep_last",
            Self::MinimumRedundancy { .. } => "minimum_redundancy",
            Self::KeepFor { .. } => "keep_for",
            Self::Undated => "undated",
            Self::Monthly { .. } => "keep_monthly",
            Self::PitrWindow { .. } => "pitr_window",
            Self::PitrAnchor { .. } => "pitr_anchor",
            Self::Pinned { .. } => "pinned",
            Self::Protected { .. } => "protected",
            Self::Locked { .. } => "locked",
            Self::LegalHold => "legal_hold",
            Self::NeededBy { .. } => "needed_by",
            Self::NeededByUnfinished { .. } => "needed_by_unfinished",
            Self::NeededByUnreadable { .. } => "needed_by_unreadable",
            Self::Disputed { .. } => "disputed",
            Self::LeaseAlive => "lease_alive",
            Self::WithinGrace { .. } => "within_grace",
            Self::UnknownAge => "unknown_age",
            Self::Restorable => "restorable",
            Self::Tombstone { .. } => "tombstone",
        }
    }
}

impl ExpireReason {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotAmongLast { .. } => "not_among_last",
            Self::TooOld { .. } => "too_old",
            Self::NotMonthly => "not_monthly",
            Self::BeforePitrWindow { .. } => "before_pitr_window",
            Self::NotNeeded => "not_needed",
            Self::Unfinished { .. } => "unfinished",
            Self::Abandoned => "abandoned",
            Self::NotRestorable => "not_restorable",
            Self::Superseded => "superseded",
            Self::Orphan { .. } => "orphan",
            Self::TombstoneOld { .. } => "tombstone_old",
        }
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frozen { reason } if reason.is_empty() => f.write_str("expiry is frozen"),
            Self::Frozen { reason } => write!(f, "expiry is frozen: {reason}"),
            Self::NewestGood => f.write_str("the newest snapshot that can be restored is never removed"),
            Self::NothingRestorable => f.write_str("nothing can be restored now, so nothing is removed"),
            Self::KeepLast { rank, of } => write!(f, "number {rank} of the newest {of}"),
            Self::MinimumRedundancy { of } => write!(f, "never fewer than {of} are left"),
            Self::KeepFor { until } => write!(f, "young enough until {until}"),
            Self::Undated => f.write_str("its date cannot be read, so its age is not known"),
            Self::Monthly { month } => write!(f, "the first of {month}"),
            Self::PitrWindow { from } => write!(f, "every moment since {from} stays restorable"),
            Self::PitrAnchor { from } => write!(f, "the moments from {from} on are restored from it"),
            Self::Pinned { id, reason } if reason.is_empty() => write!(f, "pinned by {id}"),
            Self::Pinned { id, reason } => write!(f, "pinned by {id}: {reason}"),
            Self::Protected { id, holder, until } => write!(f, "in use by {id} ({holder}) until {until}"),
            Self::Locked { until } => write!(f, "retained until {until} by the store's object lock"),
            Self::LegalHold => f.write_str("under a legal hold of the store"),
            Self::NeededBy { snapshot } => write!(f, "snapshot {snapshot} is not consistent without them"),
            Self::NeededByUnfinished { snapshot } => write!(f, "snapshot {snapshot} is being taken and may need them"),
            Self::NeededByUnreadable { snapshot } => {
                write!(f, "the manifest of snapshot {snapshot} cannot be read, so it is not known what it needs")
            }
            Self::Disputed { range } => write!(
                f,
                "slices of {range} contradict each other and it is not known which are right; none goes while one is kept"
            ),
            Self::LeaseAlive => f.write_str("its writer holds a lease"),
            Self::WithinGrace { until } => write!(f, "unfinished, left alone until {until}"),
            Self::UnknownAge => f.write_str("unfinished, and nothing says since when"),
            Self::Restorable => f.write_str("its moment can still be restored"),
            Self::Tombstone { until } => write!(f, "keeps a paused writer from publishing it until {until}"),
        }
    }
}

impl fmt::Display for ExpireReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAmongLast { newer, keep } => write!(f, "{newer} newer ones can be restored, {keep} are kept"),
            Self::TooOld { since, keep_for } => {
                write!(f, "from {since}, older than {} days", keep_for.as_secs() / 86_400)?;
                let rest = keep_for.as_secs() % 86_400;
                if rest > 0 { write!(f, " and {rest} seconds") } else { Ok(()) }
            }
            Self::NotMonthly => f.write_str("not the first of a month that is kept"),
            Self::BeforePitrWindow { from } => write!(f, "ends before {from} and no moment since then needs it"),
            Self::NotNeeded => f.write_str("nothing that is kept is restored with them"),
            Self::Unfinished { untouched_since } => {
                write!(f, "never finished, untouched since {untouched_since}, its writer is gone")
            }
            Self::Abandoned => f.write_str("abandoned, or already expired and not yet gone"),
            Self::NotRestorable => f.write_str("its moment can no longer be restored"),
            Self::Superseded => f.write_str("a later record says it, or nothing before it is kept"),
            Self::Orphan { untouched_since } => {
                write!(f, "no manifest speaks of it, untouched since {untouched_since}")
            }
            Self::TombstoneOld { since } => {
                write!(f, "abandoned at {since}, so long ago that no writer is still paused")
            }
        }
    }
}

fn in_words<S: Serializer>(serializer: S, kind: &'static str, text: &impl fmt::Display) -> Result<S::Ok, S::Error> {
    let mut reason = serializer.serialize_struct("Reason", 2)?;
    reason.serialize_field("kind", kind)?;
    reason.serialize_field("what", &text.to_string())?;
    reason.end()
}

impl Serialize for KeepReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        in_words(serializer, self.kind(), self)
    }
}

impl Serialize for ExpireReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        in_words(serializer, self.kind(), self)
    }
}
