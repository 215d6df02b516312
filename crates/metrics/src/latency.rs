//! Latency histograms of the server, re-cut to bounds that never change.
//!
//! The server counts in buckets of which a reply holds only those that are not empty, each by its lower bound in
//! microseconds. A bucket counts towards a bound only when all of it lies below, so that nothing appears faster than it
//! was; the bounds are chosen a little above edges of buckets, so that nothing much appears slower either.

use bson::Document;

use crate::field::{at, documents, whole};
use crate::sample::{Histogram, float};

/// Seconds. Each is at most 4 % above the edge of a bucket, 0.1 is 1.7 % above one.
pub const BOUNDS: [f64; 15] =
    [0.000_26, 0.000_52, 0.001_05, 0.002_1, 0.004_1, 0.008_2, 0.016_5, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 4.2, 17.0];

/// Where buckets of the server start, in microseconds: doubled, with a step between from 2,048 to 2,097,152.
/// Taken from `operation_latency_histogram.cpp`; 6.0.5 answers with these.
const EDGES: [u64; 50] = [
    2,
    4,
    8,
    16,
    32,
    64,
    128,
    256,
    512,
    1024,
    2048,
    3072,
    4096,
    6144,
    8192,
    12_288,
    16_384,
    24_576,
    32_768,
    49_152,
    65_536,
    98_304,
    131_072,
    196_608,
    262_144,
    393_216,
    524_288,
    786_432,
    1_048_576,
    1_572_864,
    2_097_152,
    4_194_304,
    8_388_608,
    16_777_216,
    33_554_432,
    67_108_864,
    134_217_728,
    268_435_456,
    536_870_912,
    1_073_741_824,
    2_147_483_648,
    4_294_967_296,
    8_589_934_592,
    17_179_869_184,
    34_359_738_368,
    68_719_476_736,
    137_438_953_472,
    274_877_906_944,
    549_755_813_888,
    1_099_511_627_776,
];

/// `{ops, latency, histogram: [{micros, count}]}`, as it stands under a type of operation. `None` when a part is missing.
pub fn recut(latency: &Document) -> Option<Histogram> {
    let sum = whole(at(latency, &["latency"])?)?;
    let ops = whole(at(latency, &["ops"])?)?;
    at(latency, &["histogram"])?.as_array()?;
    let mut cumulative = vec![0_u64; BOUNDS.len()];
    let mut counted = 0_u64;
    for bucket in documents(latency, &["histogram"]) {
        let (Some(lower), Some(count)) =
            (at(bucket, &["micros"]).and_then(whole), at(bucket, &["count"]).and_then(whole))
        else {
            continue;
        };
        counted = counted.saturating_add(count);
        let upper = float(upper(lower)) / 1e6;
        for (bound, slot) in BOUNDS.iter().zip(&mut cumulative) {
            if upper <= *bound {
                *slot = slot.saturating_add(count);
            }
        }
    }
    // Both are read without a lock: the buckets may already know an operation more, or fewer.
    Some(Histogram { bounds: &BOUNDS, cumulative, count: counted.max(ops), sum: float(sum) / 1e6 })
}

/// Where the bucket ends.
fn upper(lower: u64) -> u64 {
    EDGES.iter().copied().find(|edge| *edge > lower).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use bson::doc;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bucket_counts_below_a_bound_only_when_all_of_it_is() {
        let latency = doc! { "ops": 6_i64, "latency": 1_250_000_i64, "histogram": [
            { "micros": 65_536_i64, "count": 2_i64 }, { "micros": 98_304_i64, "count": 3_i64 },
            { "micros": 128_i64, "count": 1_i64 },
        ] };
        let histogram = recut(&latency).unwrap();
        let below =
            |bound: f64| histogram.cumulative[BOUNDS.iter().position(|known| (*known - bound).abs() < 1e-9).unwrap()];
        assert_eq!((below(0.000_26), below(0.05), below(0.1), below(0.2)), (1, 1, 3, 6));
        assert_eq!((histogram.count, histogram.sum), (6, 1.25));
    }

    #[test]
    fn every_bound_is_a_little_above_an_edge() {
        for bound in BOUNDS {
            let edge = EDGES.iter().map(|edge| float(*edge) / 1e6).rfind(|edge| *edge <= bound).unwrap();
            assert!(bound / edge < 1.04, "{bound} is far above {edge}");
        }
    }

    #[test]
    fn what_is_no_histogram_is_none() {
        assert_eq!(recut(&doc! {}), None);
        assert_eq!(recut(&doc! { "ops": 1, "latency": 1 }), None, "without histograms there is nothing to re-cut");
        assert_eq!(recut(&doc! { "ops": "x", "latency": 1, "histogram": [] }), None);
        let odd = doc! { "ops": 1, "latency": 1, "histogram": [7, { "micros": -1, "count": 1 }, { "count": 2 }] };
        assert_eq!(recut(&odd).unwrap().cumulative, vec![0; BOUNDS.len()]);
    }

    proptest! {
        /// Against the true latencies: never more are below a bound than really were, and bounds ascend.
        #[test]
        fn nothing_appears_faster_than_it_was(latencies in prop::collection::vec(0_u64..60_000_000, 0..200)) {
            let lower = |micros: u64| EDGES.iter().copied().rfind(|edge| *edge <= micros).unwrap_or(0);
            let mut buckets = std::collections::BTreeMap::<u64, i64>::new();
            for micros in &latencies {
                *buckets.entry(lower(*micros)).or_default() += 1;
            }
            let histogram: Vec<_> = buckets.iter()
                .map(|(micros, count)| doc! { "micros": i64::try_from(*micros).unwrap(), "count": *count }).collect();
            let (ops, sum) = (i64::try_from(latencies.len()).unwrap(), i64::try_from(latencies.iter().sum::<u64>()).unwrap());
            let cut = recut(&doc! { "ops": ops, "latency": sum, "histogram": histogram }).unwrap();
            for (bound, counted) in BOUNDS.iter().zip(&cut.cumulative) {
                let really = latencies.iter().filter(|micros| float(**micros) / 1e6 <= *bound).count() as u64;
                prop_assert!(*counted <= really);
                let surely = latencies.iter().filter(|micros| float(**micros) / 1e6 < *bound / 1.04).count() as u64;
                prop_assert!(*counted >= surely, "slower by more than a bound is above its edge");
            }
            prop_assert!(cut.cumulative.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert_eq!(cut.count, latencies.len() as u64);
        }
    }
}
