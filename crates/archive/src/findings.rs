//! What is wrong with a lineage as far as a listing and the high-water mark show it.
//!
//! One place for all who tell it: `status` and `list` print findings, a plan carries those that make its moment another
//! than the one that was meant, the sidecar counts them. Recorded gaps are facts about the past and no findings.

use crate::ClusterTime;
use crate::SnapshotId;
use crate::catalog::{Catalog, Finding};
use crate::coverage::{Coverage, CoverageProblem};
use crate::high_water::{HighWater, Shortfall};
use crate::layout::ObjectKey;

impl Catalog {
    /// Everything. `coverage` must be of this very catalog.
    pub fn findings(&self, coverage: &Coverage) -> Vec<Finding> {
        let history = coverage.problems.iter().filter(|problem| is_unexplained(problem));
        let history = history.map(|problem| self.about_slices(problem.to_string()));
        let missing = self.high_water.as_ref().and_then(|mark| mark.missing_slices(coverage));
        let missing = missing.map(|shortfall| self.about(&shortfall));
        self.nothing_restorable(coverage)
            .into_iter()
            .chain(self.snapshot_findings())
            .chain(history)
            .chain(missing)
            .collect()
    }

    /// That there is no moment to restore to: an archive from which nothing can be restored is no backup, however sound
    /// what lies in it. Also while the first snapshot is still being taken.
    pub fn nothing_restorable(&self, coverage: &Coverage) -> Option<Finding> {
        if !coverage.restore_windows(&self.snapshots).is_empty() {
            return None;
        }
        let why = match self.snapshots.len() {
            0 => "no snapshot has been published yet, or none that can be used is left",
            _ => "no snapshot here is sound and has the oplog that it needs",
        };
        Some(Finding { object: self.lineage.to_string(), problem: format!("nothing can be restored: {why}") })
    }

    /// Those that do not need the coverage: what cannot be used, and snapshots that are damaged or gone.
    pub fn snapshot_findings(&self) -> Vec<Finding> {
        let damaged = self.snapshots.iter().filter_map(|snapshot| {
            let problem = snapshot.defect()?;
            Some(Finding { object: self.manifest_key(&snapshot.id).to_string(), problem })
        });
        let missing = self.missing_snapshot().map(|shortfall| self.about(&shortfall));
        self.unusable().cloned().chain(damaged).chain(missing).collect()
    }

    /// Objects with the name of an archive object that cannot be used. Foreign objects are not wrong.
    pub fn unusable(&self) -> impl Iterator<Item = &Finding> {
        self.unusable.iter().filter(|finding| finding.object.parse::<ObjectKey>().is_ok())
    }

    /// What makes the end of the archive as it is another one than it was, or than it should be: whoever asks for `latest`
    /// and gets `resolved` must know it.
    pub(crate) fn findings_behind(&self, coverage: &Coverage, resolved: ClusterTime) -> Vec<Finding> {
        let unusable = self.unusable().filter(|finding| match finding.object.parse() {
            Ok(ObjectKey::Slice { id, .. }) => id.through > resolved,
            Ok(key) => HighWater::key(&self.lineage) == key,
            Err(_) => false,
        });
        let mark = self.high_water.as_ref();
        let missing = mark.and_then(|mark| mark.missing_slices(coverage)).into_iter().chain(self.missing_snapshot());
        unusable.cloned().chain(missing.map(|shortfall| self.about(&shortfall))).collect()
    }

    pub(crate) fn missing_snapshot(&self) -> Option<Shortfall> {
        let unreadable: Vec<SnapshotId> = self
            .unusable
            .iter()
            .filter_map(|finding| match finding.object.parse() {
                Ok(ObjectKey::Manifest { snapshot, .. }) => Some(snapshot),
                _ => None,
            })
            .collect();
        let known = self.snapshots.iter().map(|snapshot| &snapshot.id).chain(&unreadable);
        self.high_water.as_ref()?.missing_snapshot(known)
    }

    pub(crate) fn about_slices(&self, problem: String) -> Finding {
        Finding { object: ObjectKey::slices_prefix(&self.lineage), problem }
    }

    /// A shortfall as a finding, by the name of what is missing.
    pub fn about(&self, shortfall: &Shortfall) -> Finding {
        match shortfall {
            Shortfall::SlicesMissing { .. } => self.about_slices(shortfall.to_string()),
            Shortfall::SnapshotMissing { id } => {
                Finding { object: self.manifest_key(id).to_string(), problem: shortfall.to_string() }
            }
        }
    }

    fn manifest_key(&self, snapshot: &SnapshotId) -> ObjectKey {
        ObjectKey::Manifest { lineage: self.lineage.clone(), snapshot: snapshot.clone() }
    }
}

/// Contradictions, and history that is missing without a record that says so.
fn is_unexplained(problem: &CoverageProblem) -> bool {
    problem.is_integrity() || matches!(problem, CoverageProblem::Hole(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::StoredSlice;
    use crate::coverage::model::{at, gap, slice, snapshot};
    use crate::gap::GapReason;

    fn catalog(slices: &[StoredSlice]) -> Catalog {
        let lineage = "rs0-1".parse().unwrap();
        Catalog { slices: slices.to_vec(), snapshots: vec![snapshot("b", 1, 3)], ..Catalog::new(lineage) }
    }

    fn found(catalog: &Catalog) -> Vec<(String, String)> {
        let findings = catalog.findings(&Coverage::of_catalog(catalog));
        findings.into_iter().map(|finding| (finding.object, finding.problem)).collect()
    }

    fn mark(through: u32, snapshot: &str) -> HighWater {
        HighWater::new(at(through), Some(snapshot.parse().unwrap()), "2026-01-02T03:04:05Z")
    }

    #[test]
    fn an_unexplained_hole_is_a_finding_and_a_recorded_gap_is_not() {
        let mut catalog = catalog(&[slice(0, 5, 1, 1), slice(8, 9, 1, 1)]);
        let [(object, problem)] = &found(&catalog)[..] else { panic!("{:?}", found(&catalog)) };
        assert_eq!(object, "rs0-1/oplog/");
        assert!(problem.contains(&format!("({}, {}]", at(5), at(8))), "{problem}");
        catalog.gaps.push(gap(5, 8, GapReason::OplogOverrun));
        assert_eq!(found(&catalog), []);
    }

    #[test]
    fn what_the_mark_speaks_of_and_is_gone_is_found_by_its_name() {
        let mut catalog = catalog(&[slice(0, 5, 1, 1)]);
        catalog.high_water = Some(mark(5, "b"));
        assert_eq!(found(&catalog), []);
        catalog.high_water = Some(mark(8, "c"));
        let objects: Vec<String> = found(&catalog).into_iter().map(|(object, _)| object).collect();
        assert_eq!(objects, ["rs0-1/snapshots/c/manifest.json", "rs0-1/oplog/"]);
        assert_eq!(catalog.snapshot_findings().len(), 1);
    }

    #[test]
    fn a_manifest_that_cannot_be_used_is_not_missing_as_well() {
        let mut catalog = catalog(&[slice(0, 5, 1, 1)]);
        catalog.high_water = Some(mark(5, "c"));
        let object = "rs0-1/snapshots/c/manifest.json".to_owned();
        catalog.unusable.push(Finding { object: object.clone(), problem: "not readable".into() });
        assert_eq!(found(&catalog), [(object, "not readable".to_owned())]);
    }

    #[test]
    fn an_archive_from_which_nothing_can_be_restored_has_a_finding_that_says_so() {
        let mut catalog = catalog(&[slice(0, 5, 1, 1)]);
        let said = |catalog: &Catalog| catalog.nothing_restorable(&Coverage::of_catalog(catalog));
        assert_eq!(said(&catalog), None);
        catalog.snapshots[0].damaged = Some("a segment is missing".into());
        let finding = said(&catalog).unwrap();
        assert_eq!((&*finding.object, finding.problem.contains("no snapshot here is sound")), ("rs0-1", true));
        assert_eq!(found(&catalog).len(), 2, "and the snapshot itself");
        catalog.snapshots = vec![snapshot("b", 1, 9)];
        assert!(said(&catalog).is_some(), "its oplog is not there");
        catalog.snapshots.clear();
        assert!(said(&catalog).unwrap().problem.contains("no snapshot has been published yet"));
    }

    #[test]
    fn foreign_objects_are_no_findings() {
        let mut catalog = catalog(&[slice(0, 5, 1, 1)]);
        catalog.unusable.push(Finding { object: "rs0-1/oplog/README".into(), problem: "no slice".into() });
        assert_eq!(found(&catalog), []);
    }
}
