//! Cluster time: the logical clock of a replica set, as the BSON timestamp of the server.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A BSON timestamp `T:I`: seconds since the epoch and an ordinal within that second.
///
/// Ordered as the server orders it. Written `T:I` everywhere a person or a program reads it, and
/// `TTTTTTTTTT-IIIIIIIIII` (zero-padded, so that names sort) inside object keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ClusterTime {
    pub seconds: u32,
    pub increment: u32,
}

impl ClusterTime {
    pub const ZERO: Self = Self { seconds: 0, increment: 0 };
    pub const MAX: Self = Self { seconds: u32::MAX, increment: u32::MAX };

    pub const fn new(seconds: u32, increment: u32) -> Self {
        Self { seconds, increment }
    }

    /// The latest cluster time of a second: "all of that second".
    pub const fn end_of_second(seconds: u32) -> Self {
        Self { seconds, increment: u32::MAX }
    }

    pub const fn from_bits(bits: u64) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "the two halves of the 64-bit value")]
        Self { seconds: (bits >> 32) as u32, increment: bits as u32 }
    }

    pub const fn to_bits(self) -> u64 {
        ((self.seconds as u64) << 32) | self.increment as u64
    }

    /// The cluster time just before this one; `ZERO` has none and stays.
    #[must_use]
    pub const fn predecessor(self) -> Self {
        Self::from_bits(self.to_bits().saturating_sub(1))
    }

    /// The form used in object keys: fixed width, sorts as the time sorts.
    pub fn to_key(self) -> String {
        format!("{:010}-{:010}", self.seconds, self.increment)
    }

    pub fn from_key(text: &str) -> Option<Self> {
        let (seconds, increment) = text.split_once('-')?;
        let fixed = |digits: &str| {
            (digits.len() == 10 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
        };
        Some(Self { seconds: fixed(seconds)?, increment: fixed(increment)? })
    }
}

impl fmt::Display for ClusterTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seconds, self.increment)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a cluster time; write it as T:I, for example 1700000000:1")]
pub struct ParseClusterTimeError(pub String);

impl FromStr for ClusterTime {
    type Err = ParseClusterTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        text.split_once(':')
            .and_then(|(seconds, increment)| Some(Self { seconds: digits(seconds)?, increment: digits(increment)? }))
            .ok_or_else(|| ParseClusterTimeError(text.to_owned()))
    }
}

impl From<bson::Timestamp> for ClusterTime {
    fn from(value: bson::Timestamp) -> Self {
        Self { seconds: value.time, increment: value.increment }
    }
}

impl From<ClusterTime> for bson::Timestamp {
    fn from(value: ClusterTime) -> Self {
        Self { time: value.seconds, increment: value.increment }
    }
}

impl Serialize for ClusterTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClusterTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A cluster time with the election term it was written in, as `replSetGetStatus` and oplog entries give it.
///
/// Ordered by term first, as the server does: an entry of a newer term is newer whatever its timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OpTime {
    pub ts: ClusterTime,
    pub term: i64,
}

impl OpTime {
    pub const fn new(ts: ClusterTime, term: i64) -> Self {
        Self { ts, term }
    }
}

impl fmt::Display for OpTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (term {})", self.ts, self.term)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_key_and_bits_round_trip_and_keep_the_order(a in any::<u64>(), b in any::<u64>()) {
            let (x, y) = (ClusterTime::from_bits(a), ClusterTime::from_bits(b));
            prop_assert_eq!(x.to_string().parse::<ClusterTime>().unwrap(), x);
            prop_assert_eq!(ClusterTime::from_key(&x.to_key()), Some(x));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.to_key().cmp(&y.to_key()), a.cmp(&b));
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in ".*") {
            if let Ok(time) = text.parse::<ClusterTime>() {
                prop_assert_eq!(time.to_string().parse::<ClusterTime>().unwrap(), time);
            }
        }
    }

    #[test]
    fn malformed_times_are_refused() {
        for text in ["", "1", "1:", ":1", "1:2:3", "-1:2", "+1:2", "4294967296:0", "1: 2", "a:b"] {
            assert!(text.parse::<ClusterTime>().is_err(), "{text}");
        }
        assert_eq!(ClusterTime::from_key("1-2"), None);
    }
}
