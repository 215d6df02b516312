//! `/slow-queries.html`: the query shapes that took most time, for a person. The same facts as the JSON, without values.

use maud::{Markup, html};
use slowlog::report::{NamespaceReport, OperationReport, Report, ShapeReport};

use super::agent::PodReport;
use super::board::View;
use crate::page::{Page, Tone, bytes, count, length, moment, when_text};

mod times;

const RELOAD_SECONDS: u32 = 30;
/// Of each pod; the JSON has all.
const SHAPES: usize = 25;
const NAMESPACES: usize = 10;

/// `now`: seconds since 1970. `reloads`: whether the browser loads it again by itself.
pub fn page(view: &View, now: f64, reloads: bool) -> Page<'static> {
    let pods = &view.slow_queries.pods;
    let following = &view.following;
    let tone = match (&view.problem, following.counters.lost_bytes, following.counters.uncertain) {
        (Some(_), ..) => Tone::Bad,
        (None, 0, 0) => Tone::Good,
        _ => Tone::Attention,
    };
    let body = html! {
        header.verdict.(if tone == Tone::Good { "unknown" } else { tone.class() }) {
            p.kicker.dim { "Tidemark · node agent" }
            h1 { "Slow queries" }
            p.lead { (headline(view)) }
            @if following.counters.lost_bytes > 0 {
                p { strong { (bytes(following.counters.lost_bytes)) } " of logs went unread: the numbers are too low." }
            }
            @if following.counters.uncertain > 0 {
                p { (count(following.counters.uncertain)) " times lines may have been lost unseen." }
            }
            p.small.dim {
                "As of " (moment(now)) ", counted since this process began to follow the logs. Values are never shown. "
                @if reloads {
                    "Reloads every " (RELOAD_SECONDS) " s; " a href="?reload=off" { "stop that" } " to read in peace."
                } @else {
                    "Does not reload by itself; " a href="?" { "reload" } "."
                }
            }
        }
        @if pods.len() > 1 {
            section {
                h2 { "Servers" }
                ul.ranges {
                    @for (number, pod) in pods.iter().enumerate() {
                        li { a href={ "#pod-" (number) } { (name(pod)) } ": " (totals(&pod.report)) }
                    }
                }
            }
        }
        @for (number, pod) in pods.iter().enumerate() { (one(number, pod, now)) }
        footer { a href="slow-queries" type="application/json" { "JSON" } " · " a href="metrics" { "metrics" } " · all times are UTC" }
    };
    Page { title: "Slow queries: Tidemark", tone, reload_seconds: reloads.then_some(RELOAD_SECONDS), body }
}

fn headline(view: &View) -> String {
    if let Some(problem) = &view.problem {
        return format!("The logs are not read: {problem}");
    }
    let pods = &view.slow_queries.pods;
    let slow: u64 = pods.iter().map(|pod| operations(&pod.report)).sum();
    match (view.following.progress.families, slow) {
        (0, _) => "No log is followed: none was found".to_owned(),
        (_, 0) => "No operation was slow so far".to_owned(),
        (_, slow) => {
            let servers = if pods.len() == 1 { "one server".to_owned() } else { format!("{} servers", pods.len()) };
            format!("{} slow operations at {servers}", count(slow))
        }
    }
}

/// Of updates and deletes only the commands, whose statements have lines of their own.
fn operations(report: &Report) -> u64 {
    report.shapes.iter().map(|shape| shape.count).sum::<u64>() + report.other_shapes.count
}

fn totals(report: &Report) -> String {
    let seconds = report.shapes.iter().map(|shape| shape.seconds).sum::<f64>() + report.other_shapes.seconds;
    format!("{} slow operations, {}", count(operations(report)), length(seconds))
}

fn name(pod: &PodReport) -> String {
    if pod.namespace.is_empty() { pod.pod.clone() } else { format!("{}/{}", pod.namespace, pod.pod) }
}

fn one(number: usize, pod: &PodReport, now: f64) -> Markup {
    html! {
        section id={ "pod-" (number) } {
            h2 { (name(pod)) }
            (shapes(&pod.report, SHAPES, now))
            (namespaces(&pod.report.namespaces))
        }
    }
}

/// The `most` shapes of one server that took most time.
pub fn shapes(report: &Report, most: usize, now: f64) -> Markup {
    let total = report.shapes.iter().map(|shape| shape.seconds).sum::<f64>() + report.other_shapes.seconds;
    html! {
        p { (totals(report)) ". Threshold and sampling are the server's own: what it does not log is not here." }
        @if report.shapes.is_empty() {
            p.dim { "No shape so far." }
        } @else {
            (times::legend())
            table {
                thead { tr {
                    th { "Shape" } th.number { "Count" } th.number { "Total" } th.number { "Mean" } th.number { "Longest" }
                    th.number { "Examined" } th.number { "Returned" } th { "Where the time went" }
                } }
                tbody { @for shape in report.shapes.iter().take(most) { (row(shape, total, now)) } }
            }
            @if report.shapes.len() > most {
                p.small.dim { "The " (most) " that took most time of " (report.shapes.len()) "; the JSON has all." }
            }
            @if report.other_shapes.count > 0 {
                p.small.dim { (count(report.other_shapes.count)) " more operations have no shape of their own here: " (length(report.other_shapes.seconds)) "." }
            }
        }
    }
}

fn row(shape: &ShapeReport, total: f64, now: f64) -> Markup {
    let share = if total > 0.0 { shape.seconds / total * 100.0 } else { 0.0 };
    let mean = shape.seconds / metrics::sample::float(shape.count.max(1));
    html! {
        tr.has-more {
            td {
                strong { (shape.op) } " " span.mono { (shape.db) "." (shape.coll) }
                @for plan in shape.plans.iter().filter(|plan| plan.plan != "none") {
                    " " span.badge.(if plan.plan == "COLLSCAN" { "bad" } else { "unknown" }) { (plan.plan) @if shape.plans.len() > 1 { " × " (count(plan.count)) } }
                }
                @if shape.failed > 0 { " " span.badge.attention { (count(shape.failed)) " failed" } }
            }
            td.number data-name="Count" { (count(shape.count)) }
            td.number data-name="Total" { span.nowrap { strong { (length(shape.seconds)) } span.dim { " " (format!("{share:.0} %")) } } }
            td.number data-name="Mean" { (length(mean)) }
            td.number data-name="Longest" { (length(shape.longest_seconds)) }
            td.number data-name="Examined" { (count(shape.docs_examined)) }
            td.number data-name="Returned" { (count(shape.returned)) }
            td.wide data-name="Where the time went" { span { (times::bar(shape)) } }
        }
        tr.more {
            td colspan="8" {
                @match &shape.example {
                    Some(example) => pre { (example) },
                    None => p.small.dim { "The server cut the line: no example." },
                }
                p.small.dim {
                    "Shape " code { (shape.shape) }
                    @if let Some(origin) = shape.shape_from { " (" (origin.text()) ")" }
                    @if let Some(first) = &shape.first_at { " · first " (when_text(first, now)) }
                    @if let Some(last) = &shape.last_at { " · last " (when_text(last, now)) }
                }
            }
        }
    }
}

fn namespaces(namespaces: &[NamespaceReport]) -> Markup {
    let rows: Vec<(&NamespaceReport, &OperationReport)> = namespaces
        .iter()
        .take(NAMESPACES)
        .flat_map(|namespace| namespace.operations.iter().map(move |operation| (namespace, operation)))
        .collect();
    html! {
        @if !rows.is_empty() {
            h3 { "By collection" }
            table {
                thead { tr {
                    th { "Collection" } th { "Operation" } th.number { "Count" } th.number { "Total" } th.number { "Collection scans" }
                    th.number { "Examined" } th.number { "Returned" }
                } }
                tbody {
                    @for (namespace, operation) in rows {
                        tr {
                            td.mono { (namespace.db) "." (namespace.coll) }
                            td data-name="Operation" { (operation.op) }
                            td.number data-name="Count" { (count(operation.count)) }
                            td.number data-name="Total" { (length(operation.seconds)) }
                            td.number data-name="Scans" { (count(operation.collscans)) }
                            td.number data-name="Examined" { (count(operation.docs_examined)) }
                            td.number data-name="Returned" { (count(operation.returned)) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
