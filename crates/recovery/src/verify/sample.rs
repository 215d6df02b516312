//! Which segments and slices a partial verification reads.

use std::str::FromStr;

use archive::Digest;
use serde::Serialize;

/// A choice by the name of an object alone: what else is in the archive, and when it came there, makes no difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Sample {
    Everything,
    /// About so many of a hundred objects. The same seed chooses the same objects; another seed others, so that repeated
    /// runs cover everything sooner or later, without a promise when.
    Percent {
        percent: f64,
        seed: u64,
    },
    /// One of `parts` parts that have no object in common and together hold all of them, so that `parts` runs cover
    /// everything that was there before the first of them. `part` counts from 1.
    Part {
        part: u32,
        parts: u32,
    },
}

/// How much a sample holds: `12.5`, `12.5%`, or the third of ten parts as `3/10`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Share {
    /// Above 0, and not more than 100.
    Percent(f64),
    /// From 1 up to `parts`.
    Part { part: u32, parts: u32 },
}

impl Share {
    /// Parts are fixed by the names alone; `seed` is for percentages.
    pub fn drawn(self, seed: u64) -> Sample {
        match self {
            Self::Percent(percent) => Sample::Percent { percent, seed },
            Self::Part { part, parts } => Sample::Part { part, parts },
        }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Digits only: `parse` alone would take a sign.
        let number = |digits: &str| {
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u32>().ok()).flatten()
        };
        if let Some((part, parts)) = text.split_once('/') {
            let of = number(part).zip(number(parts)).filter(|(part, parts)| (1..=*parts).contains(part));
            let (part, parts) =
                of.ok_or_else(|| format!("`{text}` is not a part N/T with N from 1 up to T, such as 3/10"))?;
            return Ok(Self::Part { part, parts });
        }
        let percent = text.strip_suffix('%').unwrap_or(text).parse::<f64>().ok();
        percent.filter(|percent| *percent > 0.0 && *percent <= 100.0).map(Self::Percent).ok_or_else(|| {
            format!("`{text}` is neither a percentage above 0 and up to 100 nor a part N/T such as 3/10")
        })
    }
}

impl Sample {
    pub fn is_everything(self) -> bool {
        match self {
            Self::Everything => true,
            Self::Percent { percent, .. } => percent >= 100.0,
            Self::Part { parts, .. } => parts <= 1,
        }
    }

    pub fn holds(self, key: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Percent { percent, seed } => {
                let digest = Digest::of(format!("{seed}\n{key}").as_bytes());
                let drawn = digest.0.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
                f64::from(drawn) < percent / 100.0 * (f64::from(u32::MAX) + 1.0)
            }
            Self::Part { part, parts } => part_of(key, parts) == part,
        }
    }
}

/// Which of `parts` an object is in, from 1.
fn part_of(key: &str, parts: u32) -> u32 {
    let digest = Digest::of(key.as_bytes());
    let drawn = digest.0.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    u32::try_from(drawn % u64::from(parts.max(1))).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_percentage_is_a_fixed_share_of_the_objects_and_depends_on_the_seed() {
        let drawn = |percent, seed| -> Vec<u32> {
            (0..10_000).filter(|n| Sample::Percent { percent, seed }.holds(&format!("object {n}"))).collect()
        };
        let (one, other) = (drawn(10.0, 1), drawn(10.0, 2));
        assert!((900..1_100).contains(&one.len()), "{}", one.len());
        assert_eq!(one, drawn(10.0, 1));
        assert_ne!(one, other);
        assert!(one.iter().all(|n| drawn(20.0, 1).contains(n)));
        assert_eq!(drawn(100.0, 1).len(), 10_000);
        assert_eq!(drawn(0.0, 1).len(), 0);
    }

    #[test]
    fn parts_are_about_equally_large() {
        for part in 1..=10 {
            let count = (0..10_000).filter(|n| Sample::Part { part, parts: 10 }.holds(&format!("object {n}"))).count();
            assert!((850..1_150).contains(&count), "part {part}: {count}");
        }
    }

    #[test]
    fn the_part_of_a_name_is_the_same_in_every_release() {
        // Runs of a round may be weeks apart, with an upgrade between them.
        let parts = ["a", "rs0-1/oplog/x", ""].map(|key| (part_of(key, 10), part_of(key, 7)));
        assert_eq!(parts, [(1, 2), (2, 5), (8, 6)]);
    }

    #[test]
    fn a_share_is_a_percentage_or_a_part() {
        assert_eq!("12.5".parse(), Ok(Share::Percent(12.5)));
        assert_eq!("5%".parse(), Ok(Share::Percent(5.0)));
        assert_eq!("3/10".parse(), Ok(Share::Part { part: 3, parts: 10 }));
        assert_eq!("1/1".parse(), Ok(Share::Part { part: 1, parts: 1 }));
        for text in [
            "0",
            "101",
            "NaN",
            "",
            "0/10",
            "11/10",
            "-1/10",
            "+1/10",
            "1/0",
            "0/0",
            "1.5/10",
            "3/10%",
            "/",
            "1/",
            "/1",
            "1/2/3",
            "1/4294967296",
        ] {
            assert!(text.parse::<Share>().is_err_and(|error| error.contains(&format!("`{text}`"))), "{text}");
        }
    }

    proptest! {
        #[test]
        fn each_object_is_in_exactly_one_part(keys in prop::collection::vec(".{0,40}", 0..50), parts in 1_u32..40) {
            for key in &keys {
                let held = (1..=parts).filter(|part| Sample::Part { part: *part, parts }.holds(key)).count();
                prop_assert_eq!(held, 1);
            }
        }

        #[test]
        fn any_text_is_a_valid_share_or_refused(text in "[-+0-9./%aeN]{0,12}") {
            match text.parse() {
                Ok(Share::Percent(percent)) => prop_assert!(percent > 0.0 && percent <= 100.0),
                Ok(Share::Part { part, parts }) => prop_assert!((1..=parts).contains(&part)),
                Err(error) => prop_assert!(error.contains(&text)),
            }
        }

        #[test]
        fn parts_of_any_number_hold_no_stranger(key in ".{0,40}", parts in 1_u32..) {
            prop_assert!((1..=parts).contains(&part_of(&key, parts)));
        }
    }
}
