//! The matches that are kept when there are more than anybody can read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use archive::ClusterTime;
use archive::oplog::OpKind;

use super::Match;

/// How much a run stands out: what removes a whole collection first, then schema changes, then by size.
pub(super) fn weight(kind: OpKind, count: u64) -> u64 {
    match kind {
        OpKind::DropDatabase | OpKind::Drop | OpKind::RenameCollection => u64::MAX,
        OpKind::CollMod | OpKind::DropIndexes | OpKind::Unknown => count.max(1_000),
        _ => count,
    }
}

/// Orders by weight; of equals the earlier one weighs more, so that the result does not depend on what came when.
type Rank = (u64, Reverse<ClusterTime>, Reverse<u64>);

#[derive(Debug)]
struct Ranked {
    rank: Rank,
    found: Match,
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

#[derive(Debug)]
pub(super) struct Kept {
    limit: usize,
    heap: BinaryHeap<Reverse<Ranked>>,
    seen: u64,
}

impl Kept {
    pub fn new(limit: usize) -> Self {
        Self { limit, heap: BinaryHeap::new(), seen: 0 }
    }

    pub fn add(&mut self, weight: u64, found: Match) {
        self.seen += 1;
        self.heap.push(Reverse(Ranked { rank: (weight, Reverse(found.at), Reverse(self.seen)), found }));
        if self.heap.len() > self.limit {
            self.heap.pop();
        }
    }

    /// Ascending by time, and whether some were left out.
    pub fn finish(self) -> (Vec<Match>, bool) {
        let truncated = self.seen > self.heap.len() as u64;
        let mut matches: Vec<Match> = self.heap.into_iter().map(|Reverse(ranked)| ranked.found).collect();
        matches.sort_by(|a, b| (a.at, a.last, &a.namespace, &a.op).cmp(&(b.at, b.last, &b.namespace, &b.op)));
        (matches, truncated)
    }
}
