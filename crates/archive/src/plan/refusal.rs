//! A refusal to restore: what is wrong, where, the likely cause, what can be restored instead and the next command.

use std::fmt;

use super::{Catalog, RestoreTarget};
use crate::coverage::CoveredRange;
use crate::gap::Gap;
use crate::target::WallTarget;
use crate::{ClusterTime, LineageId, SnapshotId};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NotRestorable {
    pub lineage: LineageId,
    /// The target in its canonical spelling.
    pub requested: String,
    pub obstacle: Box<Obstacle>,
    pub nearest: Nearest,
}

/// The restorable moments next to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Nearest {
    pub before: Option<ClusterTime>,
    pub after: Option<ClusterTime>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    NoSnapshot,
    /// A target relative to archived-through, and no slice is archived.
    NothingArchived,
    UnknownSnapshot {
        id: SnapshotId,
        known: Vec<SnapshotId>,
    },
    /// The snapshot named, or the only one that would serve.
    DamagedSnapshot {
        id: SnapshotId,
        reason: String,
    },
    /// No snapshot ends early enough.
    BeforeFirstSnapshot {
        earliest: ClusterTime,
    },
    /// More of this second may still have to be archived.
    TooRecent {
        second: u32,
        through: ClusterTime,
    },
    AfterArchivedThrough {
        through: ClusterTime,
    },
    InsideGap {
        gap: Gap,
    },
    /// The target is archived, but the gap separates it from the snapshot before it.
    BehindGap {
        gap: Gap,
        snapshot: SnapshotId,
    },
    /// Slices are missing and no gap says why.
    Uncovered {
        missing: CoveredRange,
    },
    /// Slices contradict each other where the target lies, or between it and the snapshot.
    Forked {
        range: CoveredRange,
        detail: String,
    },
}

impl NotRestorable {
    pub(super) fn new(catalog: &Catalog, target: &RestoreTarget, nearest: Nearest, obstacle: Obstacle) -> Self {
        Self { lineage: catalog.lineage.clone(), requested: target.to_string(), obstacle: Box::new(obstacle), nearest }
    }

    /// The exit code of the command line: 3 not found, 4 not restorable, 5 integrity.
    pub fn exit_code(&self) -> u8 {
        match *self.obstacle {
            Obstacle::UnknownSnapshot { .. } => 3,
            Obstacle::NoSnapshot
            | Obstacle::NothingArchived
            | Obstacle::BeforeFirstSnapshot { .. }
            | Obstacle::TooRecent { .. }
            | Obstacle::AfterArchivedThrough { .. }
            | Obstacle::InsideGap { .. }
            | Obstacle::BehindGap { .. }
            | Obstacle::Uncovered { .. } => 4,
            Obstacle::DamagedSnapshot { .. } | Obstacle::Forked { .. } => 5,
        }
    }

    /// Whether the target lies outside of what this lineage was ever archived for, before its beginning or after its end. A
    /// gap, a fork or damage where the target lies is something else: it was there, or may have been.
    pub fn is_out_of_range(&self) -> bool {
        matches!(
            *self.obstacle,
            Obstacle::UnknownSnapshot { .. }
                | Obstacle::BeforeFirstSnapshot { .. }
                | Obstacle::AfterArchivedThrough { .. }
        )
    }

    /// A constant name, for JSON.
    pub fn kind(&self) -> &'static str {
        match *self.obstacle {
            Obstacle::NoSnapshot => "no_snapshot",
            Obstacle::NothingArchived => "nothing_archived",
            Obstacle::UnknownSnapshot { .. } => "unknown_snapshot",
            Obstacle::DamagedSnapshot { .. } => "damaged_snapshot",
            Obstacle::BeforeFirstSnapshot { .. } => "before_first_snapshot",
            Obstacle::TooRecent { .. } => "too_recent",
            Obstacle::AfterArchivedThrough { .. } => "after_archived_through",
            Obstacle::InsideGap { .. } => "inside_gap",
            Obstacle::BehindGap { .. } => "behind_gap",
            Obstacle::Uncovered { .. } => "uncovered",
            Obstacle::Forked { .. } => "forked",
        }
    }

    pub fn what(&self) -> String {
        let requested = &self.requested;
        match &*self.obstacle {
            Obstacle::NoSnapshot => format!("`{requested}` cannot be restored: there is no snapshot"),
            Obstacle::NothingArchived => format!("`{requested}` cannot be placed in time: no oplog slice is archived"),
            Obstacle::UnknownSnapshot { id, .. } => format!("there is no snapshot {id}"),
            Obstacle::DamagedSnapshot { id, .. } => {
                format!("`{requested}` cannot be restored: snapshot {id}, which it needs, is damaged")
            }
            Obstacle::BeforeFirstSnapshot { earliest } => {
                format!("`{requested}` lies before {}, the earliest restorable moment", Moment(*earliest))
            }
            Obstacle::TooRecent { through, .. } => {
                format!(
                    "`{requested}` may not be archived completely: the archive ends within that second, at {}",
                    Moment(*through)
                )
            }
            Obstacle::AfterArchivedThrough { through } => {
                format!("`{requested}` lies after {}, where the archive ends", Moment(*through))
            }
            Obstacle::InsideGap { gap } => {
                format!("`{requested}` lies in a gap: {} {}", Range(gap.after, gap.through), gap.reason.what())
            }
            Obstacle::BehindGap { gap, snapshot } => {
                format!(
                    "`{requested}` is archived but out of reach: {} {}, between it and snapshot {snapshot}",
                    Range(gap.after, gap.through),
                    gap.reason.what()
                )
            }
            Obstacle::Uncovered { missing } => {
                format!("`{requested}` cannot be reached: no slices hold {}", Range(missing.from, missing.through))
            }
            Obstacle::Forked { range, .. } => {
                format!(
                    "`{requested}` cannot be restored: the slices of {} contradict each other",
                    Range(range.from, range.through)
                )
            }
        }
    }

    /// Where it was looked for.
    pub fn place(&self) -> String {
        format!("lineage {}", self.lineage)
    }

    pub fn cause(&self) -> String {
        match &*self.obstacle {
            Obstacle::NoSnapshot => "none was published yet, or all have expired".into(),
            Obstacle::NothingArchived => "the sidecar has not archived yet, or it cannot reach this archive".into(),
            Obstacle::UnknownSnapshot { known, .. } if known.is_empty() => "the lineage holds no snapshot".into(),
            Obstacle::UnknownSnapshot { known, .. } => format!("a typing error, or it has expired; {}", Known(known)),
            Obstacle::DamagedSnapshot { reason, .. } => reason.clone(),
            Obstacle::BeforeFirstSnapshot { .. } => {
                "a snapshot serves only moments from its end on; older ones have expired or were never taken".into()
            }
            Obstacle::TooRecent { .. } => "slices arrive a few seconds after the writes that they hold".into(),
            Obstacle::AfterArchivedThrough { .. } => {
                "the moment is in the future, the archive lags, or the sidecar stopped".into()
            }
            Obstacle::InsideGap { gap } | Obstacle::BehindGap { gap, .. } => {
                let detail = if gap.detail.is_empty() { String::new() } else { format!(": {}", gap.detail) };
                format!("{} (recorded at {}){detail}", gap.reason, gap.recorded_at)
            }
            Obstacle::Uncovered { .. } => {
                "slices were deleted, have expired or never arrived, and no gap was recorded".into()
            }
            Obstacle::Forked { detail, .. } => detail.clone(),
        }
    }

    /// The next command.
    pub fn next(&self) -> String {
        let nearest = self.nearest.before.or(self.nearest.after).map(|moment| format!("dr-cli plan --to {moment}"));
        match &*self.obstacle {
            Obstacle::NoSnapshot | Obstacle::NothingArchived => {
                "dr-cli status; if no sidecar runs, `sidecar snapshot` takes a snapshot now".into()
            }
            Obstacle::UnknownSnapshot { .. } => "dr-cli list".into(),
            Obstacle::TooRecent { .. } => {
                let nearest = nearest.unwrap_or_else(|| "dr-cli status".into());
                format!("{nearest}, or the same command again in a few seconds")
            }
            Obstacle::DamagedSnapshot { .. } | Obstacle::Forked { .. } => match nearest {
                Some(nearest) => format!("{nearest}; dr-cli verify --level hash shows which objects are wrong"),
                None => "dr-cli verify --level hash shows which objects are wrong".into(),
            },
            Obstacle::BeforeFirstSnapshot { .. } => {
                let nearest = self.nearest.after.or(self.nearest.before);
                nearest.map_or_else(|| "dr-cli status".into(), |moment| format!("dr-cli plan --to {moment}"))
            }
            _ => nearest.unwrap_or_else(|| "dr-cli status".into()),
        }
    }
}

impl fmt::Display for NotRestorable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}). Cause: {}. {}. Next: {}",
            self.what(),
            self.place(),
            self.cause(),
            self.nearest,
            self.next()
        )
    }
}

impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.before, self.after) {
            (None, None) => f.write_str("No moment can be restored"),
            (Some(before), None) => write!(f, "Nearest restorable moment: {}", Moment(before)),
            (None, Some(after)) => write!(f, "Nearest restorable moment: {}", Moment(after)),
            (Some(before), Some(after)) => {
                write!(f, "Nearest restorable moments: {} before, {} after", Moment(before), Moment(after))
            }
        }
    }
}

/// A cluster time with its wall clock beside it.
pub(super) struct Moment(pub ClusterTime);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, WallTarget { seconds: self.0.seconds, millis: None })
    }
}

struct Range(ClusterTime, ClusterTime);

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the history after {} through {}", Moment(self.0), Moment(self.1))
    }
}

/// A few ids of many, the newest ones: ids sort by age.
struct Known<'a>(&'a [SnapshotId]);

impl fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        let mut ids: Vec<&str> = self.0.iter().map(SnapshotId::as_str).collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        write!(f, "there are {}", ids.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", "))?;
        if ids.len() > SHOWN { write!(f, " and {} more", ids.len() - SHOWN) } else { Ok(()) }
    }
}
