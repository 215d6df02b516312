//! Why no snapshot serves a target, and what could be restored instead.
//!
//! Called only after every candidate failed. It looks first at where the target itself lies, then at what separates it
//! from the snapshots before it.

use super::refusal::{Moment, Nearest, Obstacle};
use super::{Question, before};
use crate::ClusterTime;
use crate::catalog::{Catalog, SnapshotSummary};
use crate::coverage::{self, Coverage, CoverageProblem, CoveredRange};
use crate::gap::Gap;
use crate::high_water::Shortfall;
use crate::target::RestoreTarget;

/// `candidates` are early enough for the target, the one that ends last first.
pub(super) fn obstacle(question: &Question, candidates: &[&SnapshotSummary]) -> Obstacle {
    let Question { catalog, coverage, resolved, .. } = *question;
    let is_covered = coverage::holding(&coverage.windows, resolved).is_some();
    if let RestoreTarget::Snapshot(_) = question.target
        && let Some((snapshot, reason)) = candidates.iter().find_map(|snapshot| Some((snapshot, snapshot.defect()?)))
    {
        return Obstacle::DamagedSnapshot { id: snapshot.id.clone(), reason };
    }
    if !is_covered {
        if let Some(range) = coverage::holding(coverage.disputed(), resolved) {
            return forked(coverage, *range);
        }
        if let Some(gap) = catalog.gaps.iter().find(|gap| range(gap).holds_entry(resolved)) {
            return Obstacle::InsideGap { gap: gap.clone() };
        }
    }
    // Damage is the reason only if the snapshot would have served without it.
    let mut reaching = candidates.iter().filter(|snapshot| question.reaches(snapshot));
    if let Some((snapshot, reason)) = reaching.find_map(|snapshot| Some((snapshot, snapshot.defect()?))) {
        return Obstacle::DamagedSnapshot { id: snapshot.id.clone(), reason };
    }
    let Some(candidate) = candidates.iter().find(|snapshot| snapshot.defect().is_none()).or(candidates.first()) else {
        let windows = coverage.restore_windows(&catalog.snapshots);
        let first_end = || catalog.snapshots.iter().map(|snapshot| snapshot.end).min();
        let earliest = windows.first().map(|window| window.from).or_else(first_end);
        return earliest.map_or(Obstacle::NoSnapshot, |earliest| Obstacle::BeforeFirstSnapshot { earliest });
    };
    if is_covered {
        return separation(question, candidate);
    }
    let is_of_snapshot = matches!(question.target, RestoreTarget::Snapshot(_));
    match (coverage.archived_through(), coverage.claimed_through()) {
        (Some(archived), Some(claimed)) if resolved > claimed && !is_of_snapshot => {
            let wants_the_second = matches!(question.target, RestoreTarget::Time(_) | RestoreTarget::Ago { .. });
            let earliest = if wants_the_second { ClusterTime::new(resolved.seconds, 0) } else { resolved };
            if let Some(recorded) = once_archived(question).filter(|recorded| earliest <= *recorded) {
                Obstacle::Uncovered { missing: CoveredRange::new(claimed, recorded) }
            } else if wants_the_second
                && resolved.seconds == archived.seconds
                && coverage.reach(candidate.begin) == archived
            {
                Obstacle::TooRecent { second: resolved.seconds, through: archived }
            } else {
                Obstacle::AfterArchivedThrough { through: archived }
            }
        }
        (None, Some(_)) => {
            coverage.disputed().last().map_or_else(|| hole(question, candidate), |range| forked(coverage, *range))
        }
        _ => hole(question, candidate),
    }
}

/// The target is archived, but its window starts after every snapshot that could serve: what lies before the window?
fn separation(question: &Question, candidate: &SnapshotSummary) -> Obstacle {
    let Question { catalog, coverage, resolved, .. } = *question;
    let Some(window) = coverage::holding(&coverage.windows, resolved) else { return hole(question, candidate) };
    if let Some(range) = coverage::holding(coverage.disputed(), window.from) {
        return forked(coverage, *range);
    }
    let earlier = coverage.windows.iter().map(|window| window.through).filter(|through| *through <= window.from);
    let missing = CoveredRange::new(earlier.max().unwrap_or(candidate.begin).max(candidate.begin), window.from);
    let gaps = catalog.gaps.iter().filter(|gap| range(gap).overlaps(&missing));
    match gaps.max_by_key(|gap| gap.through) {
        Some(gap) => Obstacle::BehindGap { gap: gap.clone(), snapshot: candidate.id.clone() },
        None => Obstacle::Uncovered { missing },
    }
}

/// How far slices reached that are gone without a record.
fn once_archived(question: &Question) -> Option<ClusterTime> {
    match question.catalog.high_water.as_ref()?.missing_slices(question.coverage)? {
        Shortfall::SlicesMissing { recorded_through, .. } => Some(recorded_through),
        Shortfall::SnapshotMissing { .. } => None,
    }
}

/// Nothing is stored around the target, or between it and the snapshot.
fn hole(question: &Question, candidate: &SnapshotSummary) -> Obstacle {
    let Question { coverage, resolved, .. } = *question;
    let before = coverage.windows.iter().map(|window| window.through).filter(|through| *through < resolved).max();
    let after = coverage.windows.iter().map(|window| window.from).find(|from| *from >= resolved);
    let from = before.unwrap_or(candidate.begin).max(candidate.begin);
    Obstacle::Uncovered { missing: CoveredRange::new(from, after.unwrap_or(resolved)) }
}

fn forked(coverage: &Coverage, range: CoveredRange) -> Obstacle {
    let is_cause =
        |problem: &&CoverageProblem| matches!(problem, CoverageProblem::Fork { range: of, .. } if *of == range);
    let detail = coverage.problems.iter().find(is_cause).map(ToString::to_string).unwrap_or_default();
    Obstacle::Forked { range, detail }
}

fn range(gap: &Gap) -> CoveredRange {
    CoveredRange::new(gap.after, gap.through)
}

/// The nearest restorable moments below and above a target. Without a question (the target has no place in time) the
/// newest restorable moment counts as "below".
pub(super) fn nearest(catalog: &Catalog, coverage: &Coverage, question: Option<&Question>) -> Nearest {
    let limit = match question {
        None => Some(ClusterTime::MAX),
        Some(Question { target: RestoreTarget::Before(time), .. }) => before(*time),
        Some(question) => Some(question.resolved),
    };
    let windows = coverage.restore_windows(&catalog.snapshots);
    let below = windows.iter().rev().find(|window| limit.is_some_and(|limit| window.from <= limit));
    Nearest {
        before: below.zip(limit).map(|(window, limit)| window.through.min(limit)),
        after: windows.iter().map(|window| window.from).find(|from| limit.is_none_or(|limit| *from > limit)),
    }
}

/// Why a snapshot that ends later than the chosen one was not taken.
pub(super) fn passed_over(question: &Question, snapshot: &SnapshotSummary) -> String {
    let why = if let Some(reason) = snapshot.defect() {
        format!("it is damaged: {reason}")
    } else {
        let reached = question.coverage.reach(snapshot.begin);
        format!("the slices after its begin {} break at {}", Moment(snapshot.begin), Moment(reached))
    };
    format!("snapshot {} is nearer but was passed over; {why}", snapshot.id)
}
