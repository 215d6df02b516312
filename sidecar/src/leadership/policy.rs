//! Who goes first, and when the one who archives should leave it to another: functions of what the candidates show.

use std::time::Duration;

use tokio::time::Instant;

use super::LeadershipTimes;
use super::roster::Rival;

/// Smaller is better.
pub fn order(rank: Option<u32>) -> u32 {
    rank.unwrap_or(u32::MAX)
}

/// How long a free lease is left to others. `better`: how many of them are not known to be dead.
pub fn head_start(rank: Option<u32>, better: usize, times: &LeadershipTimes) -> Duration {
    match u32::try_from(better).unwrap_or(u32::MAX) {
        0 if rank == Some(0) => Duration::ZERO,
        0 => times.greeting,
        // Behind the second, whoever is left may have it.
        better => times.head_start * better.min(2),
    }
}

/// When the holder leaves the lease to a better one.
#[derive(Debug, Default)]
pub struct Handover {
    better_since: Option<Instant>,
    unfit_since: Option<Instant>,
}

impl Handover {
    /// Called again and again: what it waits for must be so at each call. `is_busy`: something would have to be done again.
    pub fn due<'a>(
        &mut self,
        now: Instant,
        rank: Option<u32>,
        rivals: &'a [Rival],
        is_busy: bool,
        times: &LeadershipTimes,
    ) -> Option<&'a Rival> {
        let best = rivals.iter().filter(|rival| rival.is_alive).min_by_key(|rival| (order(rival.rank()), &rival.name));
        // Between two that are not the chosen one nothing is gained.
        let better = best.filter(|best| match rank {
            Some(own) => own > 0 && best.rank() == Some(0),
            None => best.rank().is_some(),
        });
        let Some(better) = better else {
            *self = Self::default();
            return None;
        };
        let better_since = *self.better_since.get_or_insert(now);
        if rank.is_some() {
            self.unfit_since = None;
            return (now.duration_since(better_since) >= times.better_for && !is_busy).then_some(better);
        }
        let unfit_since = *self.unfit_since.get_or_insert(now);
        (now.duration_since(unfit_since) >= times.unfit_for).then_some(better)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rival(name: &str, rank: Option<u32>, is_alive: bool) -> Rival {
        Rival::new(name, rank, is_alive)
    }

    /// Seconds until it is due, within two minutes.
    fn waits(rank: Option<u32>, rivals: &[Rival], is_busy: bool) -> Option<u64> {
        let (mut handover, start) = (Handover::default(), Instant::now());
        let mut due = |second: &u64| {
            let now = start + Duration::from_secs(*second);
            handover.due(now, rank, rivals, is_busy, &LeadershipTimes::default()).is_some()
        };
        (0..120).find(|second| due(second))
    }

    #[test]
    fn only_the_best_of_those_who_live_takes_a_free_lease_at_once() {
        let times = LeadershipTimes::default();
        assert_eq!(head_start(Some(0), 0, &times), Duration::ZERO);
        assert_eq!(head_start(Some(2), 0, &times), times.greeting);
        assert_eq!(head_start(Some(2), 1, &times), times.head_start);
        assert!(times.head_start > times.look, "a better one has looked meanwhile");
        assert_eq!(head_start(None, 7, &times), times.head_start * 2);
    }

    #[test]
    fn even_the_last_in_the_row_archives_within_thirty_seconds_of_a_killed_pod() {
        let times = LeadershipTimes::default();
        let seen = times.lease.patience + times.look * 2;
        assert!(seen + head_start(None, 7, &times) + Duration::from_secs(5) < Duration::from_secs(30));
    }

    #[test]
    fn a_better_one_is_waited_for_until_it_has_been_better_for_a_while() {
        let chosen = [rival("a", Some(0), true), rival("b", Some(2), true)];
        assert_eq!(waits(Some(1), &chosen, false), Some(30));
        assert_eq!(waits(None, &chosen, true), Some(8), "it could not go on anyway");
    }

    #[test]
    fn a_member_that_is_better_for_moments_only_changes_nothing() {
        let (mut handover, start) = (Handover::default(), Instant::now());
        let chosen = [rival("a", Some(0), true)];
        for second in (0..600).step_by(20) {
            let now = start + Duration::from_secs(second);
            assert!(handover.due(now, Some(1), &chosen, false, &LeadershipTimes::default()).is_none());
            assert!(handover.due(now, Some(0), &chosen, false, &LeadershipTimes::default()).is_none());
        }
    }

    #[test]
    fn nothing_is_handed_over_without_need() {
        let chosen = [rival("a", Some(0), true)];
        for (why, rank, rivals, is_busy) in [
            ("equal", Some(0), &chosen[..], false),
            ("a snapshot is taken", Some(1), &chosen[..], true),
            ("dead", Some(1), &[rival("a", Some(0), false)], false),
            ("better, but not chosen", Some(2), &[rival("a", Some(1), true)], false),
            ("unfit itself", None, &[rival("a", None, true)], false),
            ("nobody is there", None, &[], false),
        ] {
            assert_eq!(waits(rank, rivals, is_busy), None, "{why}");
        }
    }
}
