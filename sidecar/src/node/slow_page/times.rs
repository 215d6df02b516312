//! Where the time of a shape went, as a bar of parts that do not overlap.

use maud::{Markup, html};
use slowlog::report::ShapeReport;

use crate::page::length;

const WIDTH: f64 = 100.0;
/// Shares below it are not put in words.
const LEAST: f64 = 0.01;
/// Seconds. Servers tell durations in milliseconds: of what took less, shares say nothing.
const RESOLUTION: f64 = 0.001;

/// Name in the report and for people. `working` holds the first two, and planning is a part of it, too: they are left out.
const PARTS: [(&str, &str); 7] = [
    ("cpu", "CPU"),
    ("storage_read", "reading from storage"),
    ("lock_wait", "waiting for locks"),
    ("queued", "queued"),
    ("write_concern_wait", "waiting for write concern"),
    ("flow_control", "flow control"),
    ("remote_wait", "waiting for other servers"),
];

pub fn legend() -> Markup {
    html! {
        p.legend {
            @for (number, (_, title)) in PARTS.iter().enumerate() { span { i.(class(number)) {} (title) } }
            span { i.nothing {} "not told by the server" }
        }
    }
}

pub fn bar(shape: &ShapeReport) -> Markup {
    let parts = parts(shape);
    let told: f64 = parts.iter().map(|(_, seconds)| seconds).sum();
    // Work on several threads can take longer than the operation.
    let whole = shape.seconds.max(told);
    let seen = parts.iter().filter(|(_, seconds)| *seconds >= LEAST * whole);
    let words = seen.map(|(number, seconds)| format!("{} {}", PARTS[*number].1, length(*seconds)));
    let words: Vec<String> = words.collect();
    let mut left = 0.0;
    let pieces: Vec<(usize, f64, f64)> = parts
        .iter()
        .map(|(number, seconds)| {
            let width = if whole > 0.0 { seconds / whole * WIDTH } else { 0.0 };
            let piece = (*number, round(left), round(width));
            left += width;
            piece
        })
        .collect();
    html! {
        svg.times viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label=(words.join(", ")) {
            rect.rest x="0" y="0" width=(WIDTH) height="8" {}
            @for (number, x, width) in pieces { rect.(class(number)) x=(x) y="0" width=(width) height="8" {} }
        }
        span.small.dim { @if words.is_empty() { "not told" } @else { (words.join(", ")) } }
    }
}

fn parts(shape: &ShapeReport) -> Vec<(usize, f64)> {
    let told = PARTS.iter().enumerate().filter_map(|(number, (name, _))| Some((number, *shape.times.get(name)?)));
    told.filter(|(_, seconds)| *seconds > 0.0 && shape.seconds >= RESOLUTION).collect()
}

const fn class(number: usize) -> &'static str {
    const CLASSES: [&str; 8] = ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"];
    CLASSES[number % CLASSES.len()]
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(seconds: f64, times: &[(&'static str, f64)]) -> ShapeReport {
        ShapeReport {
            shape: "a".to_owned(),
            shape_from: None,
            db: "d".to_owned(),
            coll: "c".to_owned(),
            op: "find",
            count: 1,
            failed: 0,
            seconds,
            longest_seconds: seconds,
            times: times.iter().copied().collect(),
            docs_examined: 0,
            keys_examined: 0,
            returned: 0,
            plans: Vec::new(),
            first_at: None,
            last_at: None,
            example: None,
        }
    }

    #[test]
    fn parts_stand_side_by_side_and_what_overlaps_is_left_out() {
        let times = [("working", 8.0), ("cpu", 4.0), ("lock_wait", 2.0), ("flow_control", 0.01), ("planning", 1.0)];
        let drawn = bar(&shape(10.0, &times)).into_string();
        assert!(drawn.contains("aria-label=\"CPU 4 s, waiting for locks 2 s\""), "{drawn}");
        for rect in [r#"class="t0" x="0" y="0" width="40""#, r#"class="t2" x="40" y="0" width="20""#] {
            assert!(drawn.contains(rect), "{rect} is not in {drawn}");
        }
    }

    #[test]
    fn the_bar_never_overflows_and_says_when_nothing_is_told() {
        let drawn = bar(&shape(1.0, &[("cpu", 3.0), ("queued", 1.0)])).into_string();
        assert!(drawn.contains(r#"x="75" y="0" width="25""#), "{drawn}");
        assert!(bar(&shape(0.0, &[("cpu", 0.0004)])).into_string().contains("not told"));
        assert!(bar(&shape(1.0, &[])).into_string().contains("not told"));
    }
}
