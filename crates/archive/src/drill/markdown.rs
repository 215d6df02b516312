//! A drill report for people. What other systems put into it (names, query results) cannot break out of its place.

use super::{Check, DrillReport, Objective, Outcome};
use crate::ClusterTime;
use crate::target::WallTarget;

pub(super) fn render(report: &DrillReport) -> String {
    let mut text = String::new();
    head(&mut text, report);
    recovery_point(&mut text, report);
    phases(&mut text, report);
    integrity(&mut text, report);
    checks(&mut text, "Usability", &report.usability);
    checks(&mut text, "Isolation", &report.isolation);
    checks(&mut text, "Keys and access", &report.keys);
    checks(&mut text, "Immutability", &report.immutability);
    checks(&mut text, "Independence", &report.independence);
    remarks(&mut text, report);
    evidence(&mut text, report);
    text
}

/// One line, without anything that Markdown or HTML would take for its own.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(500) {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_control() => {}
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '&' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// The name that JSON has for it, with spaces.
fn name_of(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).ok();
    value.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().replace('_', " ")
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn section(text: &mut String, title: &str) {
    text.push_str(&format!("\n## {title}\n\n"));
}

fn row(text: &mut String, cells: &[String]) {
    line(text, &format!("| {} |", cells.join(" | ")));
}

fn table(text: &mut String, head: &[&str]) {
    row(text, &head.iter().map(ToString::to_string).collect::<Vec<_>>());
    line(text, &format!("|{}", " --- |".repeat(head.len())));
}

fn fact(text: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        row(text, &[name.to_owned(), value.to_owned()]);
    }
}

fn moment(time: ClusterTime) -> String {
    format!("{time} ({})", WallTarget { seconds: time.seconds, millis: None })
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03} s", milliseconds / 1000, milliseconds % 1000)
}

fn head(text: &mut String, report: &DrillReport) {
    line(text, &format!("# Drill {}: {}\n", plain(report.id.as_str()), report.verdict));
    for reason in &report.verdict_reasons {
        line(text, &format!("- **{}**: {}", reason.limits_to, plain(&reason.what)));
    }
    if !report.verdict_reasons.is_empty() {
        text.push('\n');
    }
    table(text, &["", ""]);
    fact(text, "Scenario", &plain(&report.scenario));
    fact(text, "Kind", &plain(&name_of(&report.kind)));
    fact(text, "Operator", &plain(&report.operator));
    fact(text, "Approver", &plain(&report.approver));
    fact(text, "Declared", &plain(&report.declared_at));
    fact(text, "Finished", &plain(&report.finished_at));
    fact(text, "Lineage", &plain(report.lineage.as_str()));
    fact(text, "Tidemark", &plain(&report.tools.tidemark_version));
    fact(text, "MongoDB", &plain(&format!("{} (FCV {})", report.tools.server_version, report.tools.fcv)));
    if let Some(terraform) = &report.tools.terraform {
        fact(text, "Terraform", &plain(&terraform.version));
    }
}

fn objective(text: &mut String, name: &str, objective: Objective) {
    let known = |value: Option<u64>| value.map_or("not set".to_owned(), |value| format!("{value} s"));
    let met = objective.is_met().map_or("not judged", |met| if met { "met" } else { "**missed**" });
    let actual = objective.actual_seconds.map_or("not measured".to_owned(), |value| format!("{value} s"));
    row(text, &[name.to_owned(), known(objective.objective_seconds), actual, met.to_owned()]);
}

fn recovery_point(text: &mut String, report: &DrillReport) {
    let point = &report.recovery_point;
    section(text, "Recovery point");
    table(text, &["", ""]);
    fact(text, "Requested", &plain(&point.requested));
    fact(text, "Chosen by", &name_of(&point.rule));
    fact(text, "Resolved", &moment(point.resolved));
    fact(text, "Last applied", &point.last_applied.map_or("nothing".to_owned(), moment));
    fact(text, "Snapshot", &plain(point.snapshot.as_str()));
    fact(text, "Manifest SHA-256", &point.manifest_sha256.map(|digest| digest.to_string()).unwrap_or_default());
    fact(text, "Slices", &point.slices.to_string());
    section(text, "Objectives");
    table(text, &["", "objective", "actual", ""]);
    objective(text, "Loss (RPO)", report.recovery_point_objective);
    objective(text, "Recovery time (RTO)", report.recovery_time_objective);
    line(text, &format!("\nOf the recovery time people were waited for {} s.", report.human_wait_seconds));
}

fn phases(text: &mut String, report: &DrillReport) {
    if report.phases.is_empty() {
        return;
    }
    section(text, "Phases");
    table(text, &["phase", "duration", "predicted", "bytes", "documents", "entries", "retries", ""]);
    for phase in &report.phases {
        row(
            text,
            &[
                plain(&phase.name),
                seconds(phase.milliseconds),
                phase.predicted_milliseconds.map(seconds).unwrap_or_default(),
                phase.bytes.to_string(),
                phase.documents.to_string(),
                phase.entries.to_string(),
                phase.retries.to_string(),
                phase.failure.as_deref().map(plain).unwrap_or_default(),
            ],
        );
    }
}

fn integrity(text: &mut String, report: &DrillReport) {
    let integrity = &report.integrity;
    section(text, "Integrity");
    line(text, &format!("{} objects, {} bytes verified.", integrity.objects, integrity.bytes));
    match (&integrity.comparison, integrity.reference_at) {
        (Some(comparison), at) => {
            let at = at.map_or("an unknown moment".to_owned(), moment);
            let (equal, documents, differ) = (comparison.equal, comparison.documents, comparison.differences.len());
            line(
                text,
                &format!(
                    "Compared with the reference of {at}: {equal} collections with {documents} documents are the same, {differ} differ."
                ),
            );
            list(text, comparison.differences.iter().map(ToString::to_string));
            if !comparison.not_compared.is_empty() {
                line(text, "\nNot compared:");
            }
            list(
                text,
                comparison.not_compared.iter().map(|one| format!("{}: {}", one.namespace, name_of(&one.reason))),
            );
        }
        (None, _) => text.push_str("Compared with no reference.\n"),
    }
    match &report.negative_control {
        None => text.push_str("\nNo fault was seeded.\n"),
        Some(control) => {
            let outcome = if control.was_detected { "detected" } else { "**not detected**" };
            let (fault, detail) = (plain(&control.fault), plain(&control.detail));
            line(text, &format!("\nSeeded fault: {fault}. It was {outcome}: {detail}."));
        }
    }
    checks(text, "Checks", &integrity.checks);
    if !report.queries.is_empty() {
        section(text, "Queries");
        table(text, &["query", "outcome", "expected", "found", "duration"]);
        for query in &report.queries {
            let name = plain(&query.name);
            let (expected, found) = (plain(&query.expected), plain(&query.found));
            row(text, &[name, outcome(query.outcome).to_owned(), expected, found, seconds(query.milliseconds)]);
        }
    }
}

fn list(text: &mut String, items: impl Iterator<Item = String>) {
    let mut items = items.peekable();
    if items.peek().is_some() {
        text.push('\n');
    }
    for item in items {
        line(text, &format!("- {}", plain(&item)));
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "**failed**",
        Outcome::Skipped => "not done",
    }
}

fn checks(text: &mut String, title: &str, checks: &[Check]) {
    if checks.is_empty() {
        return;
    }
    section(text, title);
    table(text, &["check", "outcome", ""]);
    for check in checks {
        row(text, &[plain(&check.name), outcome(check.outcome).to_owned(), plain(&check.detail)]);
    }
}

fn remarks(text: &mut String, report: &DrillReport) {
    if !report.skipped.is_empty() {
        section(text, "Skipped entries");
        table(text, &["reason", "operation", "namespace", "count", "first"]);
        for skipped in &report.skipped {
            let first = skipped.first.map(|first| first.to_string()).unwrap_or_default();
            let names = [&skipped.reason, &skipped.op, &skipped.namespace].map(|name| plain(name));
            row(text, &[&names[..], &[skipped.count.to_string(), first]].concat());
        }
    }
    section(text, "Clean-up");
    let done = report.clean_up.outcome.map_or("not recorded", outcome);
    line(text, &format!("Destroying what was made for the drill: {done}."));
    list(text, report.clean_up.leftovers.iter().map(|one| format!("left over: {one}")));
    list(text, report.clean_up.cost.iter().map(|cost| format!("cost: {cost}")));
    if !report.findings.is_empty() {
        section(text, "Findings");
        table(text, &["severity", "finding", "owner", "due"]);
        for finding in &report.findings {
            let severity = format!("{:?}", finding.severity).to_lowercase();
            row(text, &[severity, plain(&finding.what), plain(&finding.owner), plain(&finding.due)]);
        }
    }
    if !report.timeline.is_empty() {
        section(text, "Timeline");
        table(text, &["at", "what", "exit code"]);
        for event in &report.timeline {
            let code = event.exit_code.map(|code| code.to_string()).unwrap_or_default();
            row(text, &[plain(&event.at), plain(&event.what), code]);
        }
    }
}

fn evidence(text: &mut String, report: &DrillReport) {
    if !report.earlier.is_empty() {
        section(text, "Earlier drills");
        table(text, &["drill", "at", "verdict", "recovery time"]);
        for drill in &report.earlier {
            let time = drill.recovery_time_actual_seconds.map(|time| format!("{time} s")).unwrap_or_default();
            row(text, &[plain(drill.id.as_str()), plain(&drill.at), drill.verdict.to_string(), time]);
        }
    }
    if let Some(next_due) = &report.next_due {
        line(text, &format!("\nNext drill due: {}.", plain(next_due)));
    }
    if !report.evidence.is_empty() {
        section(text, "Evidence");
        table(text, &["file", "bytes", "SHA-256"]);
        for file in &report.evidence {
            row(text, &[plain(&file.name), file.bytes.to_string(), file.sha256.to_string()]);
        }
    }
    if !report.controls.is_empty() {
        let controls: Vec<String> = report.controls.iter().map(|control| plain(control)).collect();
        line(text, &format!("\nEvidence for: {}.", controls.join(", ")));
    }
}
