//! Which segments and slices a partial verification reads.

use archive::Digest;
use serde::Serialize;

/// A percentage of objects. The same seed chooses the same objects; another seed others, so that repeated runs cover
/// everything in time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sample {
    pub percent: f64,
    pub seed: u64,
}

impl Sample {
    pub const EVERYTHING: Self = Self { percent: 100.0, seed: 0 };

    pub fn is_everything(self) -> bool {
        self.percent >= 100.0
    }

    pub fn holds(self, key: &str) -> bool {
        if self.is_everything() {
            return true;
        }
        let digest = Digest::of(format!("{}\n{key}", self.seed).as_bytes());
        let drawn = digest.0.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        f64::from(drawn) < self.percent / 100.0 * (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_a_fixed_share_of_the_objects_and_depends_on_the_seed() {
        let drawn = |percent, seed| -> Vec<u32> {
            (0..10_000).filter(|n| Sample { percent, seed }.holds(&format!("object {n}"))).collect()
        };
        let (one, other) = (drawn(10.0, 1), drawn(10.0, 2));
        assert!((900..1_100).contains(&one.len()), "{}", one.len());
        assert_eq!(one, drawn(10.0, 1));
        assert_ne!(one, other);
        assert!(one.iter().all(|n| drawn(20.0, 1).contains(n)));
        assert_eq!(drawn(100.0, 1).len(), 10_000);
        assert_eq!(drawn(0.0, 1).len(), 0);
    }
}
