//! The restore target: which moment an operator asks for, in the grammar of the command line.
//!
//! Parsing decides only what was *meant*. Whether that moment can be restored, or lies in the future, is the planner's
//! question (`plan`), because only the catalog can answer it. `Display` writes the canonical form, which parses back to
//! the same value.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{ClusterTime, SnapshotId};

mod duration;
mod error;

pub use duration::parse_span;
pub use error::{ParseTargetError, TARGET_GRAMMAR, TargetProblem};

/// What `--to` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreTarget {
    /// The newest restorable moment.
    Latest,
    /// A time on the wall, to the second or to the millisecond.
    Time(WallTarget),
    /// Everything up to and including this cluster time; it need not be the time of an entry.
    At(ClusterTime),
    /// Everything up to but without the entry at this cluster time; that entry must exist.
    Before(ClusterTime),
    /// The moment at which this snapshot is consistent (its `end`), from exactly this snapshot.
    Snapshot(SnapshotId),
    /// All of the second that lies this long before archived-through.
    Ago { seconds: u32 },
}

/// A wall time that falls into the range of cluster times (1970 to 2106).
///
/// Without a fraction it means all of the second. With one it means what happened up to and including that millisecond:
/// oplog entries carry their wall time in milliseconds, so finer digits are cut off and `.5` is `.500`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallTarget {
    pub seconds: u32,
    /// 0 to 999; `Some(0)` (`…:00.000Z`) is the first millisecond of the second, not all of it.
    pub millis: Option<u16>,
}

impl WallTarget {
    /// The last wall time that belongs to the target, when only a part of the second does.
    pub fn limit_ms(self) -> Option<i64> {
        self.millis.map(|millis| i64::from(self.seconds) * 1000 + i64::from(millis))
    }
}

impl fmt::Display for WallTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time =
            Timestamp::from_millisecond(i64::from(self.seconds) * 1000 + i64::from(self.millis.unwrap_or_default()))
                .unwrap_or_default();
        if self.millis.is_some() { write!(f, "{time:.3}") } else { write!(f, "{time:.0}") }
    }
}

impl fmt::Display for RestoreTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Time(time) => time.fmt(f),
            Self::At(time) => time.fmt(f),
            Self::Before(time) => write!(f, "before:{time}"),
            Self::Snapshot(id) => write!(f, "snapshot:{id}"),
            Self::Ago { seconds } => write!(f, "-{}", duration::Spelled(*seconds)),
        }
    }
}

impl FromStr for RestoreTarget {
    type Err = ParseTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|problem| ParseTargetError::new(text, problem))
    }
}

fn parse(text: &str) -> Result<RestoreTarget, TargetProblem> {
    if text == "latest" {
        return Ok(RestoreTarget::Latest);
    }
    if let Some(entry) = text.strip_prefix("before:") {
        return entry.parse().map(RestoreTarget::Before).map_err(|_| TargetProblem::NotAnEntry);
    }
    if let Some(id) = text.strip_prefix("snapshot:") {
        return id.parse().map(RestoreTarget::Snapshot).map_err(|_| TargetProblem::NotASnapshotId);
    }
    if let Some(ago) = text.strip_prefix('-') {
        return duration::parse_seconds(ago).map(|seconds| RestoreTarget::Ago { seconds });
    }
    if let Ok(time) = text.parse() {
        return Ok(RestoreTarget::At(time));
    }
    if looks_like_a_date(text) {
        return parse_wall(text).map(RestoreTarget::Time);
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b':') {
        return Err(TargetProblem::NotAClusterTime);
    }
    Err(TargetProblem::Unknown)
}

fn looks_like_a_date(text: &str) -> bool {
    matches_shape(text.as_bytes().get(..10).unwrap_or_default(), b"dddd-dd-dd")
}

/// `d` stands for a digit, `T` for the separator between date and time, the rest for itself.
fn matches_shape(text: &[u8], shape: &[u8]) -> bool {
    text.len() == shape.len()
        && text.iter().zip(shape).all(|(byte, expected)| match expected {
            b'd' => byte.is_ascii_digit(),
            b'T' => matches!(byte, b'T' | b't' | b' '),
            other => byte == other,
        })
}

/// RFC 3339 and nothing more: the shape is checked here, because the time library also reads shorter ISO 8601 forms
/// and zone names; the calendar is left to the library.
fn parse_wall(text: &str) -> Result<WallTarget, TargetProblem> {
    const DATE_AND_TIME: &[u8] = b"dddd-dd-ddTdd:dd:dd";
    let bytes = text.as_bytes();
    let Some((head, mut rest)) = bytes.split_at_checked(DATE_AND_TIME.len()) else {
        return Err(TargetProblem::NotATime("it needs date, hours, minutes and seconds".to_owned()));
    };
    if !matches_shape(head, DATE_AND_TIME) {
        return Err(TargetProblem::NotATime("it needs date, hours, minutes and seconds".to_owned()));
    }
    let mut has_fraction = false;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return Err(TargetProblem::NotATime("a fraction of a second has 1 to 9 digits".to_owned()));
        }
        has_fraction = true;
        rest = &fraction[digits..];
    }
    match rest {
        [] => return Err(TargetProblem::NoZone),
        [b'Z' | b'z'] => {}
        [b'+' | b'-', offset @ ..] if matches_shape(offset, b"dd:dd") => {}
        _ => return Err(TargetProblem::UnknownZone),
    }
    let time: Timestamp = text.parse().map_err(|error: jiff::Error| TargetProblem::NotATime(error.to_string()))?;
    let millis = time.as_millisecond();
    let seconds = u32::try_from(millis.div_euclid(1000)).map_err(|_| TargetProblem::OutOfRange)?;
    let millis = u16::try_from(millis.rem_euclid(1000)).unwrap_or_default();
    Ok(WallTarget { seconds, millis: has_fraction.then_some(millis) })
}

impl Serialize for RestoreTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RestoreTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
