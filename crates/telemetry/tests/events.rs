//! Every line that is logged at `info` or above has an event with a stable name, and `docs/logs.md` says what it means.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Sources of what ships.
fn sources() -> Vec<PathBuf> {
    let mut folders = vec![repository().join("sidecar/src"), repository().join("dr-cli/src")];
    for entry in std::fs::read_dir(repository().join("crates")).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("testkit") {
            folders.push(path.join("src"));
        }
    }
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// Level and event of each line that a source logs; `None` where a line has no event.
fn logged(source: &str) -> Vec<(&'static str, Option<String>)> {
    let mut found = Vec::new();
    for level in ["error", "warn", "info"] {
        // Also the bare macro: it would be a way around this test.
        for (at, _) in source.match_indices(&format!("{level}!(")) {
            let before = source[..at].chars().next_back().unwrap_or(' ');
            if before == '_' || before.is_alphanumeric() {
                continue;
            }
            let arguments = source[at..].split_once('(').unwrap().1.trim_start();
            let name = arguments.strip_prefix("event = \"").and_then(|rest| rest.split_once('"'));
            found.push((level, name.map(|(name, _)| name.to_owned())));
        }
    }
    found
}

fn documented() -> BTreeMap<String, String> {
    let page = std::fs::read_to_string(repository().join("docs/logs.md")).unwrap();
    let (_, table) = page.split_once("## Events").unwrap();
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.splitn(3, " | ");
        let (name, level) = (cells.next()?.strip_suffix('`')?, cells.next()?);
        assert!(cells.next()?.len() > 10, "{name} has no meaning");
        Some((name.to_owned(), level.to_owned()))
    });
    let rows: Vec<_> = rows.collect();
    let sorted: BTreeMap<_, _> = rows.iter().cloned().collect();
    assert_eq!(rows, sorted.clone().into_iter().collect::<Vec<_>>(), "the table is sorted, and has no event twice");
    sorted
}

#[test]
fn every_event_in_the_code_is_documented_with_its_level_and_the_other_way_round() {
    let mut events: BTreeSet<(String, String)> = BTreeSet::new();
    for path in sources() {
        for (level, event) in logged(&std::fs::read_to_string(&path).unwrap()) {
            let event = event.unwrap_or_else(|| panic!("{}: a line at {level} has no `event`", path.display()));
            let is_name = event.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(is_name, "{}: `{event}` is no name", path.display());
            events.insert((event, level.to_owned()));
        }
    }
    assert!(events.len() > 80, "{}", events.len());
    assert_eq!(events.into_iter().collect::<Vec<_>>(), documented().into_iter().collect::<Vec<_>>());
}

#[test]
fn a_line_without_an_event_is_noticed() {
    let source =
        "tracing::warn!(\n    event = \"a_b\",\n %error, \"x\"); warn!(%error, \"y\"); debug!(\"z\"); my_warn!(1);";
    assert_eq!(logged(source), [("warn", Some("a_b".to_owned())), ("warn", None)]);
}
