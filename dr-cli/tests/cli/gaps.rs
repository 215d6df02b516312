//! `find` in an archive that history is missing from: what was not searched is never "it did not happen".

use archive::ClusterTime;
use bson::doc;
use serde_json::{Value, json};

use crate::archive::{Archive, FIRST, SECOND, USERS, at, entry};

/// Slices through 0:10 and from 0:20 to 0:30. Whatever happened in between, such as a drop, is not in the archive.
fn broken(has_record: bool) -> Archive {
    let mut archive = Archive::empty();
    let drop = |second| entry(at(second, 1), "c", "shop.$cmd", Some(USERS), doc! { "drop": "users" });
    archive.add_slice(at(0, 1), &[entry(at(10, 1), "n", "", None, doc! {})]);
    archive.add_slice(at(20, 1), &[drop(25), entry(at(30, 1), "n", "", None, doc! {})]);
    archive.add_snapshot(FIRST, at(1, 1), at(5, 1));
    if has_record {
        archive.add_gap(at(10, 1), at(20, 1));
    }
    archive
}

fn gap(after: ClusterTime, through: ClusterTime, reason: &str) -> Value {
    let mut gap = json!({ "after": after, "through": through, "reason": reason });
    // Of a record; a hole has none.
    if reason == "oplog_overrun" {
        gap["detail"] = json!("the sidecar was down");
    }
    json!([gap])
}

/// `find` ends with findings, this many matches, and names these gaps, also in its text.
fn assert_not_searched(archive: &Archive, conditions: &[&str], matches: usize, gaps: &Value) -> Value {
    let command: Vec<&str> = ["find"].iter().chain(conditions).copied().collect();
    let object = archive.json(&command);
    assert_eq!((&object["exit_code"], &object["outcome"]), (&json!(10), &json!("findings")), "{object}");
    assert_eq!(object["error"], json!(null));
    assert_eq!(&object["scanned"]["gaps"], gaps);
    assert_eq!(object["matches"].as_array().unwrap().len(), matches, "{object}");
    let text = archive.run(&command).stdout;
    for gap in gaps.as_array().unwrap() {
        let line = text.lines().find(|line| line.starts_with("NOT SEARCHED: "));
        let line = line.unwrap_or_else(|| panic!("{text}"));
        for part in ["after", "through", "reason"] {
            assert!(line.contains(gap[part].as_str().unwrap()), "{part}: {text}");
        }
    }
    object
}

#[test]
fn a_write_that_may_lie_in_a_gap_is_not_said_not_to_have_happened() {
    for (has_record, reason) in [(true, "oplog_overrun"), (false, "hole")] {
        let archive = broken(has_record);
        let lost = gap(at(10, 1), at(20, 1), reason);
        let none = assert_not_searched(&archive, &["--namespace", "shop.orders", "--op", "drop"], 0, &lost);
        assert_eq!(
            none["scanned"],
            json!({ "after": at(0, 1), "through": at(30, 1), "slices": 2, "gaps": lost }),
            "{reason}"
        );
        let text = archive.run(&["find", "--namespace", "shop.orders", "--op", "drop"]).stdout;
        assert!(text.contains("No drop of `shop.orders`") && text.contains("is not known"), "{text}");
        // Another match does not hide it.
        assert_not_searched(&archive, &["--op", "drop"], 1, &lost);
    }
}

#[test]
fn gaps_are_told_within_the_asked_range_only() {
    let archive = broken(true);
    let (from, to) = (at(12, 1).to_string(), at(15, 1).to_string());
    let inside = gap(at(12, 0), at(15, 1), "oplog_overrun");
    let object = assert_not_searched(&archive, &["--since", &from, "--until", &to], 0, &inside);
    assert_eq!((&object["scanned"]["after"], &object["scanned"]["slices"]), (&json!(null), &json!(0)));
    let half = gap(at(15, 0), at(20, 1), "oplog_overrun");
    assert_not_searched(&archive, &["--since", &to], 1, &half);

    let behind = archive.run(&["find", "--since", &at(20, 2).to_string(), "--op", "drop"]);
    assert!(!behind.assert_ok().stdout.contains("NOT SEARCHED"), "{}", behind.stdout);
    let none = archive.run(&["find", "--since", &at(20, 2).to_string(), "--op", "delete", "--json"]);
    none.assert_error(3, &["no delete is in the archive"]);
    assert_eq!(none.json()["scanned"]["gaps"], json!([]));
    archive.run(&["find", "--until", &at(10, 1).to_string(), "--op", "drop"]).assert_error(3, &[]);
}

#[test]
fn slices_that_contradict_each_other_are_not_searched() {
    let mut archive = Archive::sample();
    archive.add_slice(at(20, 1), &[entry(at(30, 1), "n", "", None, doc! { "msg": "another" })]);
    let forked = gap(at(20, 1), at(30, 1), "fork_other_content");
    assert_not_searched(&archive, &["--op", "drop"], 0, &forked);
}

#[test]
fn a_newest_slice_that_is_empty_or_gone_is_not_the_end_of_history() {
    let archive = Archive::sample();
    archive.damage(&archive.slice_key(2), Vec::clear);
    assert_not_searched(&archive, &["--op", "drop"], 0, &gap(at(20, 1), at(30, 1), "unreadable"));

    let archive = Archive::sample();
    archive.put_mark(at(30, 1), Some(SECOND));
    archive.delete(&archive.slice_key(2));
    assert_not_searched(&archive, &["--op", "drop"], 0, &gap(at(20, 1), at(30, 1), "slices_missing"));
    // In the middle it leaves a hole like any other.
    let archive = Archive::sample();
    archive.damage(&archive.slice_key(1), Vec::clear);
    assert_not_searched(&archive, &["--op", "drop"], 1, &gap(at(10, 1), at(20, 1), "hole"));
}

#[test]
fn a_damaged_slice_ends_the_search_unless_it_lies_far_outside_of_the_range() {
    let mut archive = Archive::sample();
    archive.add_slice(at(30, 1), &[entry(at(200, 1), "n", "", None, doc! {})]);
    archive.damage(&archive.slice_key(0), |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
    });
    let key = archive.slice_key(0).to_string();
    for conditions in [&["--op", "drop"][..], &["--op", "delete", "--until", "1767225605:1"]] {
        let command: Vec<&str> = ["find"].iter().chain(conditions).copied().collect();
        archive.run(&command).assert_error(5, &[&key, "looks behind it"]);
    }
    archive.run(&["find", "--op", "drop", "--since", &at(150, 1).to_string()]).assert_error(3, &[]);
}
