//! The status page: the same facts as `/status`, for a person who was called at night. The verdict and what to do come first.

use maud::{Markup, html};

use crate::node::{PodReport, shapes};
use crate::page::{Page, Tone, moment, when_text};
use crate::status::problems::{Level, Problem, Severity};
use crate::status::{Role, StatusReport};

mod details;
mod figures;
mod window;

const RELOAD_SECONDS: u32 = 30;
/// The JSON has all.
const SLOW_SHAPES: usize = 5;

/// `reloads`: whether the browser loads it again by itself.
/// `slow`: what the profiler says, when it is read.
pub fn page(status: &StatusReport, slow: Option<&PodReport>, reloads: bool) -> Page<'static> {
    let now = metrics::backup::instant(&status.at).unwrap_or_default();
    let body = html! {
        (verdict(status, now, reloads))
        (next(status))
        (window::section(status, now))
        (figures::tiles(status, now))
        (details::members(status, now))
        (details::snapshots(status, now))
        (details::drills(status, now))
        (slow_queries(slow, now))
        (details::sidecar(status, now))
        footer {
            "Tidemark " (status.version) " · " a href="status" { "this page as JSON" } " · " a href="metrics" { "metrics" }
            " · " a href="readyz" { "readiness" } " · all times are UTC"
        }
    };
    Page {
        title: title(status),
        tone: tone(status.verdict.level),
        reload_seconds: reloads.then_some(RELOAD_SECONDS),
        body,
    }
}

fn title(status: &StatusReport) -> &'static str {
    match status.verdict.level {
        Level::Good => "Good: Tidemark",
        Level::Attention => "Attention: Tidemark",
        Level::ActNow => "ACT NOW: Tidemark",
        Level::Unknown => "Not known: Tidemark",
        Level::StandingBy => "Standing by: Tidemark",
    }
}

const fn tone(level: Level) -> Tone {
    match level {
        Level::Good => Tone::Good,
        Level::Attention => Tone::Attention,
        Level::ActNow => Tone::Bad,
        Level::Unknown | Level::StandingBy => Tone::Unknown,
    }
}

const fn word(level: Level) -> &'static str {
    match level {
        Level::Good => "All is well",
        Level::Attention => "Needs attention",
        Level::ActNow => "Act now",
        Level::Unknown => "Not known yet",
        Level::StandingBy => "Standing by",
    }
}

fn verdict(status: &StatusReport, now: f64, reloads: bool) -> Markup {
    let role = match status.role {
        Role::Starting => "starting",
        Role::Watching => "beside an arbiter",
        Role::Standby => "standing by",
        Role::Archiving => "archiving",
    };
    let stale = status.stale_collectors();
    html! {
        header.verdict.(tone(status.verdict.level).class()) {
            p.kicker.dim {
                "Tidemark"
                @if let Some(set) = &status.replica_set { " · replica set " strong { (set) } }
                " · this sidecar is " (role)
            }
            h1 { (word(status.verdict.level)) }
            p.lead { (status.verdict.headline) }
            @if status.role == Role::Standby && status.ready && let Some(lease) = &status.archiver_lease {
                p { "The one that archives: " code { (lease.holder) } ". Open the page of that sidecar." }
            }
            @if !stale.is_empty() {
                p.attention { strong { "Stale: " } "no news lately from " (stale.join(", ")) "; what rests on it may have changed." }
            }
            p.small.dim {
                "As of " (moment(now)) ". "
                @if reloads {
                    "Reloads every " (RELOAD_SECONDS) " s; " a href="?reload=off" { "stop that" } " to copy in peace."
                } @else {
                    "Does not reload by itself; " a href="?" { "reload" } "."
                }
            }
        }
    }
}

/// What to do, worst first, with commands to paste.
fn next(status: &StatusReport) -> Markup {
    let uses_archive = status.problems.iter().any(|problem| problem.next.iter().any(|line| line.starts_with("dr-cli")));
    html! {
        section #next {
            h2 { "What to do next" }
            @if status.problems.is_empty() {
                p { "Nothing, as far as this sidecar knows. To see what a restore would do, which changes nothing:" }
                pre { (environment(status)) "\ndr-cli plan --to latest" }
            } @else {
                ol.problems {
                    @for problem in &status.problems { (one(problem)) }
                }
                @if uses_archive {
                    p.small.dim.before { "Before the first " code { "dr-cli" } " command, with your own credentials where the store needs some:" }
                    pre { (environment(status)) }
                }
            }
        }
    }
}

fn one(problem: &Problem) -> Markup {
    let (class, word) = match problem.severity {
        Severity::Critical => ("bad", "act now"),
        Severity::Warning => ("attention", "attention"),
        Severity::Info => ("unknown", "to know"),
    };
    html! {
        li {
            h3 { span.badge.(class) { (word) } " " (problem.what) }
            p { (problem.advice) }
            @if !problem.next.is_empty() { pre { (problem.next.join("\n")) } }
            p.small.dim {
                "Runbook "
                @if let Some(url) = &problem.runbook_url {
                    a href=(url) rel="noreferrer" { (problem.runbook) }
                } @else {
                    strong { (problem.runbook) }
                }
                ": " code { "docs/runbooks/" (problem.runbook) ".md" }
            }
        }
    }
}

/// What `dr-cli` has to know, for a shell.
fn environment(status: &StatusReport) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut line = format!("export TIDEMARK_ARCHIVE={}", quoted(&status.archive));
    if let Some(lineage) = &status.lineage {
        line.push_str(&format!(" TIDEMARK_LINEAGE={}", quoted(lineage)));
    }
    line
}

fn slow_queries(slow: Option<&PodReport>, now: f64) -> Markup {
    html! {
        section #slow {
            h2 { "Slow queries" }
            @if let Some(slow) = slow {
                p { "By the database profiler, since this process reads it. " a href="slow-queries" { "All as JSON" } "." }
                (shapes(&slow.report, SLOW_SHAPES, now))
            } @else {
                p {
                    "The node agent (" code { "sidecar node" } ") on the server's machine counts them: "
                    code { "/slow-queries.html" } " shows the query shapes that took most time, "
                    code { "/slow-queries" } " the same as JSON. This process does not read the server's log."
                }
            }
        }
    }
}

/// A moment of the report, or that it never happened.
fn when_or(text: Option<&str>, now: f64, otherwise: &str) -> Markup {
    if let Some(text) = text {
        when_text(text, now)
    } else {
        html! { span.dim { (otherwise) } }
    }
}

#[cfg(test)]
mod tests;
