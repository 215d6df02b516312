use super::*;

const MINUTE: Duration = Duration::from_mins(1);

fn rules(capacity: usize) -> Rules {
    Rules { capacity, admission_every: 5 * MINUTE, min_residency: 60 * MINUTE, idle_expiry: Some(60 * MINUTE) }
}

fn count(top: &mut Top<u32, u64>, key: u32, weight: u64, now: Duration) -> bool {
    let (value, own) = top.place(&key, weight, now);
    *value += 1;
    own
}

fn keys(top: &Top<u32, u64>) -> Vec<u32> {
    let mut keys: Vec<u32> = top.tracked().map(|(key, _)| *key).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn there_is_a_place_while_there_is_room_and_then_all_share_one() {
    let mut top = Top::new(rules(2));
    assert!(count(&mut top, 1, 1, MINUTE));
    assert!(count(&mut top, 2, 1, MINUTE));
    assert!(!count(&mut top, 3, 100, MINUTE));
    assert!(!count(&mut top, 4, 100, MINUTE));
    assert!(count(&mut top, 1, 1, MINUTE));
    assert_eq!((keys(&top), *top.other(), top.overflow(), top.evictions()), (vec![1, 2], 2, 2, 0));
}

#[test]
fn a_heavier_key_takes_the_place_of_the_lightest_that_stayed_long_enough() {
    let mut top = Top::new(rules(2));
    count(&mut top, 1, 10, Duration::ZERO);
    count(&mut top, 2, 20, Duration::ZERO);
    let mut now = Duration::ZERO;
    while now < 59 * MINUTE {
        now += MINUTE;
        for (key, weight) in [(1, 10), (2, 20), (3, 1000)] {
            count(&mut top, key, weight, now);
        }
        assert_eq!(keys(&top), [1, 2], "nobody goes before an hour: {now:?}");
    }
    for _ in 0..12 {
        now += MINUTE;
        for (key, weight) in [(1, 10), (2, 20), (3, 1000)] {
            count(&mut top, key, weight, now);
        }
    }
    assert_eq!((keys(&top), top.evictions()), (vec![2, 3], 1));
}

#[test]
fn a_lighter_key_waits_for_ever() {
    let mut top = Top::new(rules(1));
    for minute in 0..300 {
        count(&mut top, 1, 10, minute * MINUTE);
        count(&mut top, 2, 4, minute * MINUTE);
    }
    assert_eq!(keys(&top), [1]);
}

#[test]
fn what_is_idle_goes_without_anything_happening() {
    let mut top = Top::new(rules(2));
    count(&mut top, 1, 10, Duration::ZERO);
    count(&mut top, 2, 10, 30 * MINUTE);
    top.advance(59 * MINUTE);
    assert_eq!(keys(&top), [1, 2]);
    top.advance(65 * MINUTE);
    assert_eq!((keys(&top), top.evictions()), (vec![2], 1));
}

#[test]
fn a_key_that_comes_back_starts_from_nothing() {
    let mut top = Top::new(rules(1));
    count(&mut top, 1, 10, Duration::ZERO);
    top.advance(61 * MINUTE);
    count(&mut top, 1, 10, 62 * MINUTE);
    assert_eq!(top.tracked().collect::<Vec<_>>(), [(&1, &1)]);
}

#[test]
fn the_heaviest_of_a_flood_is_found_although_the_candidates_are_few() {
    let mut top = Top::new(rules(3));
    for key in 0..3 {
        count(&mut top, key, 1, Duration::ZERO);
    }
    // 500 keys that each come once or twice, among them one that is a fifth of all weight.
    for round in 0..20 {
        for key in 100..600 {
            let now = 61 * MINUTE + MINUTE * round / 60;
            count(&mut top, key, 1, now);
            if key % 4 == 0 {
                count(&mut top, 7, 1, now);
            }
        }
    }
    top.advance(70 * MINUTE);
    assert!(keys(&top).contains(&7), "{:?}", keys(&top));
    assert!(top.candidates.len() <= 12 && top.tracked.len() <= 3);
}
