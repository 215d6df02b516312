//! What a drill proved.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Check, DrillReport, Objective, Outcome};

/// Collections that a reason names.
const SHOWN: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    Pass,
    /// It came back, and something has to be looked at.
    PassWithFindings,
    /// Nothing failed, but nothing that could fail was proven either.
    Inconclusive,
    /// Something did not come back, or not in time.
    Fail,
}

impl Verdict {
    /// Of the command line: 0 ok, 10 done with findings, 1 no answer, 5 integrity.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::PassWithFindings => 10,
            Self::Inconclusive => 1,
            Self::Fail => 5,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::PassWithFindings => "PASS_WITH_FINDINGS",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Fail => "FAIL",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One reason why the verdict is not better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictReason {
    /// The best verdict that is possible with it.
    pub limits_to: Verdict,
    pub what: String,
}

/// The worst that any reason allows; [`Verdict::Pass`] when there is none.
pub(super) fn judge(report: &DrillReport) -> (Verdict, Vec<VerdictReason>) {
    let mut reasons = Vec::new();
    let mut limit = |limits_to, what: String| reasons.push(VerdictReason { limits_to, what });
    failures(report, &mut limit);
    doubts(report, &mut limit);
    findings(report, &mut limit);
    let verdict = reasons.iter().map(|reason| reason.limits_to).max().unwrap_or(Verdict::Pass);
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.limits_to));
    (verdict, reasons)
}

fn failures(report: &DrillReport, limit: &mut impl FnMut(Verdict, String)) {
    for phase in &report.phases {
        if let Some(failure) = &phase.failure {
            limit(Verdict::Fail, format!("{} did not finish: {failure}", phase.name));
        }
    }
    let differences = report.integrity.comparison.iter().flat_map(|comparison| &comparison.differences);
    for difference in differences {
        limit(Verdict::Fail, format!("differs from the reference: {difference}"));
    }
    for check in report.integrity.checks.iter().chain(&report.usability) {
        if check.outcome == Outcome::Failed {
            limit(Verdict::Fail, in_words(check));
        }
    }
    for query in report.queries.iter().filter(|query| query.outcome == Outcome::Failed) {
        limit(Verdict::Fail, format!("query {}: {} expected, {} found", query.name, query.expected, query.found));
    }
    for (name, objective) in
        [("loss", report.recovery_point_objective), ("recovery time", report.recovery_time_objective)]
    {
        if let Objective { objective_seconds: Some(objective), actual_seconds: Some(actual) } = objective
            && actual > objective
        {
            limit(Verdict::Fail, format!("{name} of {actual} s, the objective is {objective} s"));
        }
    }
    let point = &report.recovery_point;
    if let Some(last) = point.last_applied.filter(|last| *last > point.resolved) {
        limit(Verdict::Fail, format!("{last} was applied, which lies behind the target {}", point.resolved));
    }
}

fn doubts(report: &DrillReport, limit: &mut impl FnMut(Verdict, String)) {
    if report.recovery_point.last_applied.is_none() {
        limit(Verdict::Inconclusive, "nothing says that the restore reached its target".into());
    }
    match &report.negative_control {
        None => {
            limit(Verdict::Inconclusive, "no fault was seeded, so it is not known whether one would be seen".into());
        }
        Some(control) if !control.was_detected => {
            limit(Verdict::Inconclusive, format!("a seeded fault was not detected: {}", control.fault));
        }
        Some(_) => {}
    }
    // That nothing is where nothing should be, an empty destination shows as well.
    let is_compared = report.integrity.comparison.as_ref().is_some_and(|comparison| comparison.documents > 0);
    let is_queried = report.queries.iter().any(|query| query.outcome == Outcome::Passed && query.expects_data);
    if !is_compared && !is_queried {
        limit(
            Verdict::Inconclusive,
            "documents that were restored were neither compared with a reference nor queried with a known answer"
                .into(),
        );
    }
    for (name, objective) in
        [("loss", report.recovery_point_objective), ("recovery time", report.recovery_time_objective)]
    {
        if let Objective { objective_seconds: Some(objective), actual_seconds: None } = objective {
            limit(Verdict::Inconclusive, format!("{name} was not measured, the objective is {objective} s"));
        }
    }
}

fn findings(report: &DrillReport, limit: &mut impl FnMut(Verdict, String)) {
    let mut found = |what: String| limit(Verdict::PassWithFindings, what);
    for skipped in &report.skipped {
        found(format!("{} × {} on {} skipped: {}", skipped.count, skipped.op, skipped.namespace, skipped.reason));
    }
    let not_compared = report.integrity.comparison.iter().flat_map(|comparison| &comparison.not_compared);
    let not_compared: Vec<String> = not_compared
        .filter(|missing| !missing.reason.is_about_definitions())
        .map(|missing| missing.namespace.to_string())
        .collect();
    if !not_compared.is_empty() {
        let shown = not_compared.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if not_compared.len() > SHOWN { ", …" } else { "" };
        found(format!("not compared, without a digest in the reference: {} ({shown}{more})", not_compared.len()));
    }
    let aside = [&report.isolation, &report.keys, &report.immutability, &report.independence];
    for check in aside.into_iter().flatten().filter(|check| check.outcome == Outcome::Failed) {
        found(in_words(check));
    }
    for query in report.queries.iter().filter(|query| query.outcome == Outcome::Skipped) {
        found(format!("query {} was not run", query.name));
    }
    let left_undone = report.integrity.checks.iter().chain(&report.usability);
    for check in left_undone.filter(|check| check.outcome == Outcome::Skipped) {
        found(in_words(check));
    }
    if report.clean_up.outcome == Some(Outcome::Failed) || !report.clean_up.leftovers.is_empty() {
        found(format!("not cleaned up: {}", report.clean_up.leftovers.join(", ")));
    }
    report.recovery_point.coverage_problems.iter().chain(&report.warnings).for_each(|what| found(what.clone()));
    report.findings.iter().for_each(|finding| found(finding.what.clone()));
}

fn in_words(check: &Check) -> String {
    let outcome = match check.outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::Skipped => "was not done",
    };
    let detail = if check.detail.is_empty() { String::new() } else { format!(": {}", check.detail) };
    format!("{} {outcome}{detail}", check.name)
}
