//! Labels whose values users of the database choose are bounded: the largest keep their name, the rest is one series.

/// Stands for everything that has no series of its own.
pub const OTHER: &str = "__other__";
/// What a user called like that is counted there.
const LONGEST: usize = 120;

/// Figures by name: the `limit` with the greatest weight by themselves, all others summed up as [`OTHER`].
///
/// Equal weights go by name, so that the same figures give the same series.
pub fn largest<const N: usize>(mut items: Vec<(String, f64, [f64; N])>, limit: usize) -> Vec<(String, [f64; N])> {
    items.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut kept: Vec<(String, [f64; N])> = Vec::new();
    let mut other: Option<[f64; N]> = None;
    for (name, _, figures) in items {
        if kept.len() < limit && name != OTHER && name.len() <= LONGEST {
            kept.push((name, figures));
        } else {
            let sums = other.get_or_insert([0.0; N]);
            for (sum, figure) in sums.iter_mut().zip(figures) {
                *sum += figure;
            }
        }
    }
    kept.extend(other.map(|sums| (OTHER.to_owned(), sums)));
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_largest_keep_their_names() {
        let items = vec![
            ("a".to_owned(), 1.0, [1.0]),
            ("b".to_owned(), 3.0, [3.0]),
            (OTHER.to_owned(), 9.0, [9.0]),
            ("c".to_owned(), 2.0, [2.0]),
        ];
        let bounded = largest(items, 2);
        assert_eq!(bounded, [("b".to_owned(), [3.0]), ("c".to_owned(), [2.0]), (OTHER.to_owned(), [10.0])]);
        assert_eq!(largest::<1>(Vec::new(), 2), []);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_twice(weights in prop::collection::vec(0_u32..1000, 0..300), limit in 0_usize..60) {
            let items: Vec<_> = weights.iter().enumerate()
                .map(|(at, weight)| (format!("db{at}"), f64::from(*weight), [f64::from(*weight)])).collect();
            let bounded = largest(items, limit);
            prop_assert!(bounded.len() <= limit + 1);
            let names: std::collections::BTreeSet<_> = bounded.iter().map(|(name, _)| name).collect();
            prop_assert_eq!(names.len(), bounded.len());
            let sum: f64 = bounded.iter().map(|(_, [figure])| figure).sum();
            prop_assert!((sum - weights.iter().map(|weight| f64::from(*weight)).sum::<f64>()).abs() < 0.1);
        }
    }
}
