//! Gap records: `<lineage>/gaps/<after>_<through>.json`.
//!
//! A gap `(after, through]` is history that is known to be lost. It is written down when the archiver finds that no
//! reachable member still holds the entries, so that a hole in the archive is a fact with a reason and never a mere
//! absence. History that is archived but cannot be replayed is a gap, too: nothing is restored across it. Coverage and
//! the restore plan read it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json_record::{self, FORMAT, RecordError};
use crate::layout::ObjectKey;
use crate::{ClusterTime, LineageId};

const WHAT: &str = "gap record";
const LIMIT: usize = 64 * 1024;

/// Why history was lost. Reasons of later versions are kept as text: a gap is a gap whatever its reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GapReason {
    /// Every reachable member had already discarded the entries from its oplog.
    OplogOverrun,
    /// The entry at the end of the archive is no longer in the history of the replica set (forced reconfiguration,
    /// members restored from an older state).
    HistoryReplaced,
    /// An entry could not be read or stored.
    Unreadable,
    /// Written down by an operator.
    Operator,
    /// Retention removed it; what lies on both sides is kept. Recorded before the slices go, and in force from then on.
    Expired,
    /// The entries are archived, and one of them cannot be replayed: the feature compatibility version changed, or it is of
    /// a kind that the release which archived it did not know.
    NotReplayable,
    Other(String),
}

impl GapReason {
    /// Whether nothing is restored across the gap even where slices hold it. Any other gap counts only as far as no slice
    /// has filled it since.
    pub fn breaks_stored_history(&self) -> bool {
        matches!(self, Self::HistoryReplaced | Self::NotReplayable | Self::Expired)
    }

    /// Whether slices may be missing because of it.
    pub fn explains_missing_slices(&self) -> bool {
        *self != Self::NotReplayable
    }

    /// What is said of the history in the gap.
    pub fn what(&self) -> &'static str {
        match self {
            Self::NotReplayable => "is archived but cannot be replayed",
            Self::Expired => "was removed because it expired",
            _ => "is lost",
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::OplogOverrun => "oplog_overrun",
            Self::HistoryReplaced => "history_replaced",
            Self::Unreadable => "unreadable",
            Self::Operator => "operator",
            Self::Expired => "expired",
            Self::NotReplayable => "not_replayable",
            Self::Other(text) => text,
        }
    }
}

impl From<&str> for GapReason {
    fn from(text: &str) -> Self {
        match text {
            "oplog_overrun" => Self::OplogOverrun,
            "history_replaced" => Self::HistoryReplaced,
            "unreadable" => Self::Unreadable,
            "operator" => Self::Operator,
            "expired" => Self::Expired,
            "not_replayable" => Self::NotReplayable,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for GapReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for GapReason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}

/// History `(after, through]` that is known to be lost, or that cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    format: u32,
    pub after: ClusterTime,
    pub through: ClusterTime,
    pub reason: GapReason,
    /// RFC 3339.
    pub recorded_at: String,
    /// For people: what was seen when the gap was recorded.
    #[serde(default)]
    pub detail: String,
}

impl Gap {
    pub fn new(
        after: ClusterTime,
        through: ClusterTime,
        reason: GapReason,
        recorded_at: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self { format: FORMAT, after, through, reason, recorded_at: recorded_at.into(), detail: detail.into() }
    }

    /// Around the entries from `first` to `last`, both of which cannot be replayed: states before `first` and states from
    /// `last` on can be restored, but never from a snapshot on the other side.
    pub fn not_replayable(
        first: ClusterTime,
        last: ClusterTime,
        recorded_at: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(first.predecessor(), last, GapReason::NotReplayable, recorded_at, detail)
    }

    pub fn key(&self, lineage: &LineageId) -> ObjectKey {
        ObjectKey::Gap { lineage: lineage.clone(), after: self.after, through: self.through }
    }

    pub fn to_json(&self) -> Result<Vec<u8>, RecordError> {
        self.check()?;
        json_record::encode(WHAT, self)
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        let gap: Self = json_record::decode(WHAT, LIMIT, bytes)?;
        gap.check()?;
        Ok(gap)
    }

    fn check(&self) -> Result<(), RecordError> {
        if self.after >= self.through {
            return Err(RecordError::invalid(
                WHAT,
                format!("({}, {}] is not a range of history", self.after, self.through),
            ));
        }
        json_record::check_instant(WHAT, "recorded_at", &self.recorded_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap() -> Gap {
        Gap::new(
            ClusterTime::new(10, 1),
            ClusterTime::new(20, 0),
            GapReason::OplogOverrun,
            "2026-01-02T03:04:05Z",
            "all 3 members start at 20:1",
        )
    }

    #[test]
    fn a_gap_reads_back_as_written() {
        assert_eq!(Gap::from_json(&gap().to_json().unwrap()).unwrap(), gap());
    }

    #[test]
    fn a_reason_of_a_later_version_is_kept() {
        let later = r#"{"format":1,"after":"1:0","through":"2:0","reason":"solar_flare","recorded_at":"2026-01-02T03:04:05Z","who":"x"}"#;
        assert_eq!(Gap::from_json(later.as_bytes()).unwrap().reason, GapReason::Other("solar_flare".into()));
    }

    #[test]
    fn a_gap_around_one_entry_ends_with_it() {
        let gap = Gap::not_replayable(ClusterTime::new(10, 1), ClusterTime::new(10, 1), "2026-01-02T03:04:05Z", "why");
        assert_eq!((gap.after, gap.through), (ClusterTime::new(10, 0), ClusterTime::new(10, 1)));
        let read = Gap::from_json(&gap.to_json().unwrap()).unwrap();
        assert_eq!((&read.reason, read.reason.as_str()), (&GapReason::NotReplayable, "not_replayable"));
    }

    #[test]
    fn an_empty_range_a_bad_time_and_a_newer_format_are_refused() {
        let mut empty = gap();
        empty.through = empty.after;
        assert!(empty.to_json().is_err());
        let mut untimed = gap();
        untimed.recorded_at = "yesterday".into();
        assert!(untimed.to_json().is_err());
        let newer = String::from_utf8(gap().to_json().unwrap()).unwrap().replace("\"format\": 1", "\"format\": 2");
        assert!(matches!(Gap::from_json(newer.as_bytes()), Err(RecordError::NewerFormat { found: 2, newest: 1, .. })));
    }
}
