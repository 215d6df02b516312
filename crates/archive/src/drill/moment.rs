//! A moment by chance: drills of `latest` alone never try what lies between.

use crate::ClusterTime;
use crate::coverage::RestoreWindow;

/// A moment in one of the windows, every second of them as likely as any other. The same seed and windows give the same
/// moment; `None` without a window.
pub fn random_moment(windows: &[RestoreWindow], seed: u64) -> Option<ClusterTime> {
    let seconds = |window: &RestoreWindow| u64::from(window.through.seconds - window.from.seconds) + 1;
    let total: u64 = windows.iter().map(seconds).sum();
    let mut rest = scrambled(seed).checked_rem(total)?;
    for window in windows {
        if rest < seconds(window) {
            let second = window.from.seconds.saturating_add(u32::try_from(rest).unwrap_or(u32::MAX));
            // All of that second, as far as the window holds it.
            return Some(ClusterTime::new(second, u32::MAX).clamp(window.from, window.through));
        }
        rest -= seconds(window);
    }
    None
}

/// `SplitMix64`: neighbouring seeds (times of the clock) lie far apart.
fn scrambled(seed: u64) -> u64 {
    let mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_of_every_window_can_be_drawn_and_nothing_else() {
        let window =
            |from, through| RestoreWindow { from: ClusterTime::new(from, 7), through: ClusterTime::new(through, 3) };
        let windows = [window(100, 104), window(200, 200 + 2)];
        let windows = &windows[..];
        let drawn: std::collections::BTreeSet<_> = (0..1_000).filter_map(|seed| random_moment(windows, seed)).collect();
        assert!(drawn.iter().all(|at| windows.iter().any(|window| window.from <= *at && *at <= window.through)));
        let seconds: Vec<u32> = drawn.iter().map(|at| at.seconds).collect();
        assert_eq!(seconds, [100, 101, 102, 103, 104, 200, 201, 202]);
        assert_eq!(random_moment(windows, 5), random_moment(windows, 5));
        assert_eq!(random_moment(&[], 5), None);
    }
}
