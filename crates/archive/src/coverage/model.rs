//! Test only: a slow and obvious reference for coverage, and stories of archives to judge it by.
//!
//! Time is a short row of moments, several to a second. A story is one true history with its terms, cut into slices by
//! several writers, of which some are then dropped, stored twice or falsified.

use proptest::prelude::*;

use crate::ClusterTime;
use crate::catalog::{SnapshotSummary, StoredSlice};
use crate::gap::{Gap, GapReason};
use crate::layout::SliceId;

pub(crate) const MOMENTS: u32 = 18;

/// The cluster time of a moment: three to a second, so that edges within a second are tried all the time.
pub(crate) fn at(moment: u32) -> ClusterTime {
    ClusterTime::new(1_000 + moment / 3, moment % 3 + 1)
}

pub(crate) fn slice(after: u32, through: u32, term: i64, digest: u8) -> StoredSlice {
    let id = SliceId { after: at(after), through: at(through), term, digest: [digest; 16] };
    StoredSlice { id, stored_bytes: u64::from(through.saturating_sub(after)) * 100, encrypted: false }
}

pub(crate) fn gap(after: u32, through: u32, reason: GapReason) -> Gap {
    Gap::new(at(after), at(through), reason, "2026-01-02T03:04:05Z", "")
}

pub(crate) fn snapshot(id: &str, begin: u32, end: u32) -> SnapshotSummary {
    SnapshotSummary {
        id: id.parse().unwrap(),
        begin: at(begin),
        end: at(end),
        published_at: "2026-01-02T03:04:05Z".into(),
        documents: 7,
        bytes: 5_000,
        stored_bytes: 1_000,
        damaged: None,
        pinned: false,
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub slices: Vec<StoredSlice>,
    pub gaps: Vec<Gap>,
}

#[derive(Debug, Clone)]
enum Change {
    Drop,
    StoreEncryptedToo,
    Digest(u8),
    Term(i64),
}

fn honest_slices() -> impl Strategy<Value = (Vec<StoredSlice>, Vec<bool>)> {
    let elections = proptest::collection::vec(prop::bool::weighted(0.15), MOMENTS as usize + 1);
    let writer = (0..MOMENTS, 1..=MOMENTS, any::<u32>());
    (elections, proptest::collection::vec(writer, 1..4)).prop_map(|(elections, writers)| {
        let term =
            |moment: u32| 1 + elections[..=moment as usize].iter().map(|elected| i64::from(*elected)).sum::<i64>();
        let mut slices = Vec::new();
        for (first, last, cuts) in writers {
            let ends = (first..=last).filter(|moment| *moment == first || *moment == last || cuts >> moment & 1 == 1);
            let ends: Vec<u32> = ends.collect();
            slices.extend(ends.windows(2).map(|pair| {
                let digest = (pair[0] * (MOMENTS + 1) + pair[1]) % 251;
                slice(pair[0], pair[1], term(pair[1]), digest as u8)
            }));
        }
        (slices, elections)
    })
}

/// Several writers of one true history; slices may be missing or stored twice, but none is false.
pub(crate) fn honest_story() -> impl Strategy<Value = Story> {
    let changes = prop_oneof![Just(Change::Drop), Just(Change::StoreEncryptedToo)];
    (honest_slices(), changed(changes, 0..6), recorded_gaps(false)).prop_map(|((slices, _), changes, gaps)| {
        let slices = apply(slices, changes);
        Story { slices, gaps }
    })
}

/// The same with falsified slices, foreign slices, replaced history and entries that cannot be replayed.
pub(crate) fn any_story() -> impl Strategy<Value = Story> {
    let changes = prop_oneof![
        3 => Just(Change::Drop),
        1 => Just(Change::StoreEncryptedToo),
        1 => any::<u8>().prop_map(Change::Digest),
        1 => (0..5_i64).prop_map(Change::Term),
    ];
    let foreign = (0..=MOMENTS, 0..=MOMENTS, 0..5_i64, any::<u8>());
    let foreign = proptest::collection::vec(foreign.prop_map(|(a, b, term, digest)| slice(a, b, term, digest)), 0..3);
    (honest_slices(), changed(changes, 0..5), foreign, recorded_gaps(true)).prop_map(
        |((slices, _), changes, foreign, gaps)| {
            let mut slices = apply(slices, changes);
            slices.extend(foreign);
            Story { slices, gaps }
        },
    )
}

fn changed(
    change: impl Strategy<Value = Change>,
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<(prop::sample::Index, Change)>> {
    proptest::collection::vec((any::<prop::sample::Index>(), change), count)
}

/// `breaking`: also those that count where slices hold them.
fn recorded_gaps(breaking: bool) -> impl Strategy<Value = Vec<Gap>> {
    let reasons = [GapReason::OplogOverrun, GapReason::HistoryReplaced, GapReason::NotReplayable];
    let reason = 0..if breaking { reasons.len() } else { 1 };
    let gap = (0..MOMENTS, 1..4_u32, reason)
        .prop_map(move |(after, length, reason)| gap(after, (after + length).min(MOMENTS), reasons[reason].clone()));
    proptest::collection::vec(gap, 0..3)
}

fn apply(mut slices: Vec<StoredSlice>, changes: Vec<(prop::sample::Index, Change)>) -> Vec<StoredSlice> {
    for (index, change) in changes {
        if slices.is_empty() {
            break;
        }
        let at = index.index(slices.len());
        match change {
            Change::Drop => drop(slices.swap_remove(at)),
            Change::StoreEncryptedToo => slices.push(StoredSlice { encrypted: true, ..slices[at] }),
            Change::Digest(digest) => slices[at].id.digest = [digest; 16],
            Change::Term(term) => slices[at].id.term = term,
        }
    }
    slices
}

/// Coverage worked out moment by moment and pair by pair.
pub(crate) struct Model {
    /// For each moment but the first: whether the step from the moment before to it is covered.
    pub covered: Vec<bool>,
    pub claimed: Vec<bool>,
    pub disputed: Vec<StoredSlice>,
    pub sound: Vec<StoredSlice>,
}

impl Model {
    pub fn of(story: &Story) -> Self {
        let real: Vec<StoredSlice> = story.slices.iter().filter(|s| s.id.after < s.id.through).copied().collect();
        let (mut disputed, mut sound): (Vec<_>, Vec<_>) =
            real.iter().copied().partition(|one| real.iter().any(|other| contradict(one.id, other.id)));
        let (outrun, rest): (Vec<_>, Vec<_>) =
            sound.iter().copied().partition(|late| sound.iter().any(|peak| outruns(peak, late, &sound, &disputed)));
        disputed.extend(outrun);
        sound = rest;
        let breaks = [GapReason::HistoryReplaced, GapReason::NotReplayable, GapReason::Expired];
        let broken = |moment: u32| {
            let holds = |gap: &Gap| gap.after < at(moment) && at(moment) <= gap.through;
            story.gaps.iter().any(|gap| breaks.contains(&gap.reason) && holds(gap))
        };
        let claimed: Vec<bool> =
            (0..=MOMENTS).map(|moment| moment > 0 && real.iter().any(|s| holds(s, moment))).collect();
        let covered =
            (0..=MOMENTS).map(|m| claimed[m as usize] && !disputed.iter().any(|s| holds(s, m)) && !broken(m)).collect();
        Self { covered, claimed, disputed, sound }
    }

    pub fn covers(&self, from: u32, through: u32) -> bool {
        from <= through && (from + 1..=through).all(|moment| self.covered[moment as usize])
    }

    pub fn windows(&self) -> Vec<(u32, u32)> {
        let mut windows: Vec<(u32, u32)> = Vec::new();
        for moment in (1..=MOMENTS).filter(|moment| self.covered[*moment as usize]) {
            match windows.last_mut() {
                Some(window) if window.1 == moment - 1 => window.1 = moment,
                _ => windows.push((moment - 1, moment)),
            }
        }
        windows
    }

    /// The fewest sound slices that hold `(from, through]`: each time the one that gets furthest.
    pub fn fewest(&self, from: u32, through: u32) -> usize {
        let mut reached = at(from);
        let mut count = 0;
        while reached < at(through) {
            let next = self.sound.iter().filter(|s| s.id.after <= reached).map(|s| s.id.through).max().unwrap();
            assert!(next > reached, "the model has no chain");
            reached = next;
            count += 1;
        }
        count
    }
}

fn holds(slice: &StoredSlice, moment: u32) -> bool {
    slice.id.after < at(moment) && at(moment) <= slice.id.through
}

/// Whether undisputed history leads without a break from the end of `peak` to the start of `late` and on into it.
fn outruns(peak: &StoredSlice, late: &StoredSlice, sound: &[StoredSlice], disputed: &[StoredSlice]) -> bool {
    let unbroken = |moment| sound.iter().any(|s| holds(s, moment)) && !disputed.iter().any(|s| holds(s, moment));
    peak.id.term > late.id.term
        && peak.id.through <= late.id.after
        && (moment_of(peak.id.through)..=moment_of(late.id.after) + 1).all(unbroken)
}

pub(crate) fn moment_of(time: ClusterTime) -> u32 {
    (0..=MOMENTS).find(|moment| at(*moment) == time).unwrap()
}

fn contradict(one: SliceId, other: SliceId) -> bool {
    let denies = |claim: SliceId, end: SliceId| {
        claim.term < end.term && claim.after <= end.through && end.through <= claim.through
    };
    let same_claim = (one.after, one.through, one.term) == (other.after, other.through, other.term);
    denies(one, other) || denies(other, one) || (same_claim && one.digest != other.digest)
}
