//! Which segments and slices a partial verification reads.

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;

use archive::Digest;
use serde::{Serialize, Serializer};

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Share {
    /// Above 0, up to 100.
    Percent(f64),
    /// Part `number`, from 1, of `of` parts. As many runs, one for each, read every object exactly once.
    Part { number: u32, of: NonZero<u32> },
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((number, of)) = text.split_once('/') {
            let part = number.parse::<u32>().ok().zip(of.parse::<NonZero<u32>>().ok());
            let part = part.filter(|(number, of)| (1..=of.get()).contains(number));
            return part
                .map(|(number, of)| Self::Part { number, of })
                .ok_or_else(|| format!("`{text}` is not a part like 3/7: the third of seven"));
        }
        let percent = text.strip_suffix('%').unwrap_or(text).parse::<f64>().ok();
        percent
            .filter(|percent| *percent > 0.0 && *percent <= 100.0)
            .map(Self::Percent)
            .ok_or_else(|| format!("`{text}` is not a percentage above 0 and up to 100, nor a part like 3/7"))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent} %"),
            Self::Part { number, of } => write!(f, "part {number}/{of}"),
        }
    }
}

/// A share of the objects. The same seed chooses the same objects; another seed others, so that repeated runs cover
/// everything in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    pub share: Share,
    pub seed: u64,
}

impl Serialize for Sample {
    /// `percent` and `seed`; for a part, `part` as well.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown {
            percent: f64,
            seed: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            part: Option<String>,
        }
        let (percent, part) = match self.share {
            Share::Percent(percent) => (percent, None),
            Share::Part { number, of } => (100.0 / f64::from(of.get()), Some(format!("{number}/{of}"))),
        };
        Shown { percent, seed: self.seed, part }.serialize(serializer)
    }
}

impl Sample {
    pub const EVERYTHING: Self = Self { share: Share::Percent(100.0), seed: 0 };

    pub fn is_everything(self) -> bool {
        match self.share {
            Share::Percent(percent) => percent >= 100.0,
            Share::Part { of, .. } => of.get() == 1,
        }
    }

    pub fn holds(self, key: &str) -> bool {
        if self.is_everything() {
            return true;
        }
        let digest = Digest::of(format!("{}\n{key}", self.seed).as_bytes());
        let drawn = digest.0.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        match self.share {
            Share::Percent(percent) => f64::from(drawn) < percent / 100.0 * (f64::from(u32::MAX) + 1.0),
            Share::Part { number, of } => drawn % of == number.wrapping_sub(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_a_fixed_share_of_the_objects_and_depends_on_the_seed() {
        let drawn = |percent, seed| -> Vec<u32> {
            let sample = Sample { share: Share::Percent(percent), seed };
            (0..10_000).filter(|n| sample.holds(&format!("object {n}"))).collect()
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
    fn every_object_is_in_exactly_one_part() {
        let parts: Vec<Sample> =
            (1..=7).map(|n| Sample { share: format!("{n}/7").parse().unwrap(), seed: 5 }).collect();
        let mut sizes = [0_u32; 7];
        for n in 0..10_000 {
            let holding: Vec<usize> = (0..7).filter(|part| parts[*part].holds(&format!("object {n}"))).collect();
            assert_eq!(holding.len(), 1, "object {n}");
            sizes[holding[0]] += 1;
        }
        assert!(sizes.iter().all(|size| (1_200..1_700).contains(size)), "{sizes:?}");
        assert!(Sample { share: "1/1".parse().unwrap(), seed: 5 }.is_everything());
        let shown = serde_json::to_value(Sample { share: "1/4".parse().unwrap(), seed: 5 }).unwrap();
        assert_eq!(shown, serde_json::json!({ "percent": 25.0, "seed": 5, "part": "1/4" }));
    }

    #[test]
    fn a_share_is_a_percentage_or_a_part() {
        assert_eq!("12.5".parse(), Ok(Share::Percent(12.5)));
        assert_eq!("5%".parse(), Ok(Share::Percent(5.0)));
        assert_eq!("3/7".parse::<Share>().unwrap().to_string(), "part 3/7");
        for bad in ["0", "101", "NaN", "-1", "", "0/7", "8/7", "1/0", "1/", "/7", "1/7%", "1/4294967296"] {
            assert!(bad.parse::<Share>().is_err(), "{bad}");
        }
    }
}
