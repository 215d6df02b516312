//! What can be restored, as a bar and in words.

use maud::{Markup, html};

use crate::clock::text_of_seconds;
use crate::holdings::Holdings;
use crate::page::timeline::Timeline;
use crate::page::{length, moment, when_cluster, when_text};
use crate::status::{Role, StatusReport};

/// Ranges that are written out; the bar shows more.
const WRITTEN: usize = 5;

pub fn section(status: &StatusReport, now: f64) -> Markup {
    html! {
        section #window {
            h2 { "What can be restored" }
            @match &status.holdings {
                Some(holdings) => (shown(holdings, now)),
                None => p.dim {
                    @match status.role {
                        Role::Archiving => "Not known yet: the archive was not listed so far.",
                        Role::Standby => "Known to the sidecar that archives.",
                        Role::Watching => "Nothing is archived beside an arbiter.",
                        Role::Starting => "Not known yet.",
                    }
                },
            }
        }
    }
}

fn shown(holdings: &Holdings, now: f64) -> Markup {
    let seconds = |from: archive::ClusterTime, through: archive::ClusterTime| {
        (f64::from(from.seconds), f64::from(through.seconds))
    };
    let line = Timeline {
        windows: holdings.windows.iter().map(|window| seconds(window.from, window.through)).collect(),
        gaps: holdings.gaps.iter().map(|gap| seconds(gap.after, gap.through)).collect(),
        snapshots: holdings.snapshots.iter().map(|snapshot| f64::from(snapshot.end.seconds)).collect(),
        now,
    };
    let (start, end) = line.range();
    let label = match (holdings.windows.first(), holdings.windows.last()) {
        (Some(first), Some(last)) => {
            let (from, through) = (text_of_seconds(first.from.seconds), text_of_seconds(last.through.seconds));
            format!("restorable from {from} through {through}, {} gaps", holdings.gaps_total)
        }
        _ => "nothing can be restored".to_owned(),
    };
    html! {
        (line.draw(&label))
        div.ends { span { (moment(start)) } span { (moment(end)) } }
        p.legend {
            span { i.window {} "can be restored" }
            span { i.gap {} "lost" }
            span { i.snapshot {} "snapshot" }
            span { i.nothing {} "not archived" }
        }
        @if holdings.windows.is_empty() { p.bad { strong { "Nothing can be restored now." } } }
        ul.ranges {
            @for window in holdings.windows.iter().rev().take(WRITTEN) {
                @let (from, through) = seconds(window.from, window.through);
                li {
                    span.badge.good { "restorable" } " "
                    (when_cluster(window.from, now)) " through " (when_cluster(window.through, now)) ": "
                    strong { (length(through - from)) }
                }
            }
            @for gap in holdings.gaps.iter().rev().take(WRITTEN) {
                @let (after, through) = seconds(gap.after, gap.through);
                li {
                    span.badge.bad { @if gap.is_archived() { "not replayable" } @else { "lost" } } " "
                    "after " (when_cluster(gap.after, now)) " through " (when_cluster(gap.through, now)) ": "
                    strong { (length(through - after)) } " (" (gap.reason)
                    @if !gap.detail.is_empty() { ": " (gap.detail) }
                    ")"
                }
            }
        }
        @let hidden = more(holdings.windows_total) + more(holdings.gaps_total);
        @if hidden > 0 { p.small.dim { (hidden) " older ranges are not written out; " code { "dr-cli status" } " lists all." } }
        p.small.dim { "Archive listed " (when_text(&holdings.listed_at, now)) "." }
    }
}

fn more(total: usize) -> usize {
    total.saturating_sub(WRITTEN)
}
