//! What verification has found so far.

use archive::catalog::Finding;

use super::{Checked, ClosedObjects, CoveredLineage, VerifyCoverage, VerifyOptions, VerifyReport};

/// More than anybody reads; the total says how many there are.
const MOST: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    total: u64,
    nothing_restorable: Vec<Finding>,
    notes: Vec<Finding>,
    checked: Checked,
    skipped: Checked,
    closed: ClosedObjects,
}

impl Findings {
    pub fn add(&mut self, object: impl Into<String>, problem: impl Into<String>) {
        self.total += 1;
        if self.list.len() < MOST {
            self.list.push(Finding { object: object.into(), problem: problem.into() });
        }
    }

    /// How many objects were found wrong so far.
    pub fn wrong(&self) -> u64 {
        self.total
    }

    /// A lineage from which nothing can be restored, though nothing in it need be wrong.
    pub fn nothing_restorable(&mut self, finding: Finding) {
        self.nothing_restorable.push(finding);
    }

    pub fn note(&mut self, object: impl Into<String>, problem: impl Into<String>) {
        if self.notes.len() < MOST {
            self.notes.push(Finding { object: object.into(), problem: problem.into() });
        }
    }

    pub fn checked(&mut self, bytes: u64) {
        self.checked.objects += 1;
        self.checked.bytes += bytes;
    }

    /// The object is there, but not in the sample.
    pub fn left_out(&mut self, bytes: u64) {
        self.skipped.objects += 1;
        self.skipped.bytes += bytes;
    }

    /// The object is there, but nobody can look into it with the identities that were given.
    pub fn needs_key(&mut self, bytes: u64, recipients: &[String]) {
        self.closed.objects += 1;
        self.closed.bytes += bytes;
        self.closed.recipients.extend(recipients.iter().cloned());
    }

    pub fn report(mut self, options: VerifyOptions, lineages: Vec<CoveredLineage>) -> VerifyReport {
        self.list.sort_by(|a, b| (&a.object, &a.problem).cmp(&(&b.object, &b.problem)));
        let is_damaged = self.total > 0;
        self.total += self.nothing_restorable.len() as u64;
        self.list.append(&mut self.nothing_restorable);
        let bytes = self.checked.bytes + self.skipped.bytes + self.closed.bytes;
        #[allow(clippy::cast_precision_loss, reason = "a percentage for people")]
        let checked_percent = if bytes == 0 { 100.0 } else { self.checked.bytes as f64 * 100.0 / bytes as f64 };
        VerifyReport {
            level: options.level,
            checked: self.checked,
            coverage: VerifyCoverage {
                objects: self.checked.objects + self.skipped.objects + self.closed.objects,
                bytes,
                checked_percent,
                sample: (!options.sample.is_everything()).then_some(options.sample),
                lineages,
            },
            findings: self.list,
            findings_total: self.total,
            is_damaged,
            needs_key: (self.closed.objects > 0).then_some(self.closed),
            notes: self.notes,
        }
    }
}
