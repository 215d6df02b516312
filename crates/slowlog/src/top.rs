//! The weightiest keys of a stream, in bounded space: they get figures of their own, all the others share one.
//!
//! - While there is room a new key is admitted at once. When there is none, it counts for the others, and its weight is
//!   kept in a list of candidates of four times the capacity (Space-Saving: a full list gives the place of its lightest
//!   member to the newcomer, who inherits that weight).
//! - In every round (`admission_every`) keys idle for `idle_expiry` go; then candidates, heaviest first, take free places or
//!   the place of the lightest key that is lighter and has stayed for `min_residency`.
//! - The weight of a tracked key is halved every round, so that what was heavy once does not stay for ever.
//! - Figures of a key that goes are dropped, not added to those of the others: a counter that vanishes is a reset for
//!   Prometheus, a shared counter that jumps would be load that never was.
//!
//! Time is a duration since any fixed moment, given by the caller.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

const CANDIDATES_PER_PLACE: usize = 4;

#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub capacity: usize,
    pub admission_every: Duration,
    pub min_residency: Duration,
    /// Without it a key stays until its place is wanted.
    pub idle_expiry: Option<Duration>,
}

#[derive(Debug)]
pub struct Top<K, V> {
    rules: Rules,
    tracked: HashMap<K, Place<V>>,
    candidates: HashMap<K, u64>,
    other: V,
    round_ends: Duration,
    evictions: u64,
    overflow: u64,
}

#[derive(Debug)]
struct Place<V> {
    value: V,
    since: Duration,
    last: Duration,
    weight: u64,
}

impl<K: Hash + Eq + Clone + Ord, V: Default> Top<K, V> {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            tracked: HashMap::new(),
            candidates: HashMap::new(),
            other: V::default(),
            round_ends: rules.admission_every,
            evictions: 0,
            overflow: 0,
        }
    }

    /// The figures to count for `key`, and whether they are its own.
    pub fn place(&mut self, key: &K, weight: u64, now: Duration) -> (&mut V, bool) {
        self.advance(now);
        if !self.tracked.contains_key(key) {
            if self.tracked.len() >= self.rules.capacity {
                self.overflow += 1;
                self.add_candidate(key, weight);
                return (&mut self.other, false);
            }
            self.admit(key.clone(), 0, now);
        }
        match self.tracked.get_mut(key) {
            Some(place) => {
                place.last = now;
                place.weight = place.weight.saturating_add(weight);
                (&mut place.value, true)
            }
            None => (&mut self.other, false),
        }
    }

    /// The figures of everything without a place, for what has no key at all.
    pub fn other_mut(&mut self) -> &mut V {
        self.overflow += 1;
        &mut self.other
    }

    /// Ends the round when its time has come; also without a single event, for what is idle.
    pub fn advance(&mut self, now: Duration) {
        if now < self.round_ends {
            return;
        }
        self.round_ends = now + self.rules.admission_every;
        if let Some(limit) = self.rules.idle_expiry {
            let before = self.tracked.len();
            self.tracked.retain(|_, place| now.saturating_sub(place.last) < limit);
            self.evictions += (before - self.tracked.len()) as u64;
        }
        let mut candidates: Vec<(K, u64)> = self.candidates.drain().collect();
        candidates.sort_by(|(a, weight), (b, other)| other.cmp(weight).then_with(|| a.cmp(b)));
        for (key, weight) in candidates {
            if self.tracked.len() >= self.rules.capacity && !self.make_room(weight, now) {
                break;
            }
            self.admit(key, weight, now);
        }
        for place in self.tracked.values_mut() {
            place.weight /= 2;
        }
    }

    pub fn tracked(&self) -> impl Iterator<Item = (&K, &V)> {
        self.tracked.iter().map(|(key, place)| (key, &place.value))
    }

    pub fn len(&self) -> usize {
        self.tracked.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tracked.is_empty()
    }

    pub fn other(&self) -> &V {
        &self.other
    }

    /// Keys that lost their place, to expiry or to heavier ones.
    pub fn evictions(&self) -> u64 {
        self.evictions
    }

    /// Events that counted for the others.
    pub fn overflow(&self) -> u64 {
        self.overflow
    }

    /// Bytes the two tables take at most, without what keys and values point to.
    pub fn table_bytes(capacity: usize) -> usize {
        // The standard table has a power of two of buckets, at most seven of eight in use, and a byte of control for each;
        // while it grows the smaller one is there as well.
        let buckets = |entries: usize| (entries * 8 / 7 + 16).next_power_of_two() * 3 / 2;
        let tracked = buckets(capacity) * (size_of::<(K, Place<V>)>() + 1);
        tracked + buckets(capacity * CANDIDATES_PER_PLACE) * (size_of::<(K, u64)>() + 1)
    }

    /// How many keys there can be at most, tracked or waiting.
    pub fn most_keys(capacity: usize) -> usize {
        capacity + capacity * CANDIDATES_PER_PLACE
    }

    fn admit(&mut self, key: K, weight: u64, now: Duration) {
        let place = Place { value: V::default(), since: now, last: now, weight };
        self.tracked.insert(key, place);
    }

    fn make_room(&mut self, weight: u64, now: Duration) -> bool {
        let residency = self.rules.min_residency;
        let settled = self.tracked.iter().filter(|(_, place)| now.saturating_sub(place.since) >= residency);
        let lightest = settled.min_by(|(a, place), (b, other)| place.weight.cmp(&other.weight).then_with(|| a.cmp(b)));
        let Some(key) = lightest.filter(|(_, place)| place.weight < weight).map(|(key, _)| key.clone()) else {
            return false;
        };
        self.tracked.remove(&key);
        self.evictions += 1;
        true
    }

    fn add_candidate(&mut self, key: &K, weight: u64) {
        if let Some(candidate) = self.candidates.get_mut(key) {
            *candidate = candidate.saturating_add(weight);
            return;
        }
        let mut inherited = 0;
        if self.candidates.len() >= self.rules.capacity * CANDIDATES_PER_PLACE {
            let lightest = self.candidates.iter().min_by(|(a, x), (b, y)| x.cmp(y).then_with(|| a.cmp(b)));
            let Some((lightest, lightest_weight)) = lightest.map(|(key, weight)| (key.clone(), *weight)) else {
                return;
            };
            self.candidates.remove(&lightest);
            inherited = lightest_weight;
        }
        self.candidates.insert(key.clone(), inherited.saturating_add(weight));
    }
}

#[cfg(test)]
mod tests;
