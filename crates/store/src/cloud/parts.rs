//! How a stream of unknown length is cut into parts: S3 takes 10,000 of them (Azure 50,000) of at least 5 MiB. They
//! begin small, because a part is held in memory, and double often enough that 10,000 reach the largest object.

pub(crate) const FIRST_PART_BYTES: usize = 5 * 1024 * 1024;
pub(crate) const MOST_PARTS: u32 = 10_000;
const PARTS_PER_SIZE: u32 = 1000;

/// The size of a part, counted from 1; `None` when there are no more.
pub(crate) fn part_bytes(number: u32) -> Option<usize> {
    (1..=MOST_PARTS).contains(&number).then(|| FIRST_PART_BYTES << ((number - 1) / PARTS_PER_SIZE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_parts_hold_the_largest_object_and_respect_the_limits_of_s3() {
        let sizes: Vec<u64> = (1..=MOST_PARTS).map(|number| part_bytes(number).unwrap() as u64).collect();
        let (mib, gib) = (1 << 20, 1 << 30);
        assert!(sizes.iter().all(|size| (5 * mib..=5 * gib).contains(size)));
        assert!(sizes.iter().sum::<u64>() > 4990 * gib);
        assert!(sizes[..1000].iter().all(|size| *size == 5 * mib), "5 GiB are written with the smallest parts");
        assert_eq!(part_bytes(MOST_PARTS + 1), None);
    }
}
