use std::collections::BTreeSet;

use super::*;

#[test]
fn names_are_unique_and_say_type_and_unit() {
    let mut names = BTreeSet::new();
    for metric in all() {
        assert!(names.insert(metric.name), "{} is there twice", metric.name);
        assert!(metric.name.starts_with("tidemark_"), "{}", metric.name);
        assert!(
            metric.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
            "{}",
            metric.name
        );
        assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
        for reserved in ["_count", "_sum", "_bucket"] {
            assert!(!metric.name.ends_with(reserved), "{} looks like a part of a histogram", metric.name);
        }
        let speaks_of_seconds = metric.help.contains("econds")
            || metric.help.contains("When ")
            || metric.help.contains("oment")
            || metric.help.contains("ime of")
            || metric.help.contains("Where");
        assert!(metric.unit() != "seconds" || speaks_of_seconds || metric.help.contains("How long"), "{}", metric.name);
        assert!(metric.unit() != "bytes" || metric.help.contains("ytes"), "{}", metric.name);
    }
}

#[test]
fn everything_is_said_about_every_metric() {
    for metric in all() {
        assert!(metric.help.ends_with('.') || metric.help.contains(": what would be lost now"), "{}", metric.name);
        for (what, text) in [("when", metric.present), ("source", metric.source), ("why", metric.why)] {
            assert!(!text.is_empty(), "{} does not say {what}", metric.name);
        }
    }
}

#[test]
fn labels_are_of_a_closed_vocabulary() {
    let known = [
        "action",
        "arbiter",
        "buffer",
        "by",
        "coll",
        "collector",
        "command",
        "db",
        "delay_seconds",
        "direction",
        "edition",
        "fcv",
        "hidden",
        "kind",
        "lineage",
        "member",
        "metric",
        "mode",
        "op",
        "outcome",
        "part",
        "priority_zero",
        "reason",
        "replset",
        "source",
        "state",
        "storage_engine",
        "sync_source",
        "threshold",
        "type",
        "verdict",
        "version",
        "volume",
        "votes",
    ];
    for metric in all() {
        for label in metric.labels {
            assert!(known.contains(label), "{}: {label}", metric.name);
        }
    }
}
