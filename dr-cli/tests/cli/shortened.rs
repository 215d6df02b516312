//! Archives that end before they once did, or that history breaks off in: what was lost is told by every command that
//! somebody looks at before a restore, and a restore point that is older than it should be is never just "ok".

use archive::high_water::HighWater;
use archive::layout::ObjectKey;
use bson::doc;
use serde_json::{Value, json};

use crate::archive::{Archive, FIRST, SECOND, at, entry};

const EXPLICIT: &str = "1767225610:1";

fn objects(findings: &Value) -> Vec<&str> {
    findings.as_array().unwrap().iter().map(|finding| finding["object"].as_str().unwrap()).collect()
}

/// `status`, `verify` and `plan` name this object, each in its way, and this text is in what they say about it.
fn assert_told(archive: &Archive, object: &str, text: &str) {
    let status = archive.json(&["status"]);
    assert_eq!((&status["exit_code"], &status["outcome"]), (&json!(10), &json!("findings")), "{status}");
    assert_eq!(objects(&status["lineages"][0]["findings"]), [object]);
    let verify = archive.run(&["verify", "--level", "list", "--json"]);
    verify.assert_error(5, &[text]);
    assert!(objects(&verify.json()["findings"]).contains(&object), "{}", verify.stdout);
    let plan = archive.json(&["plan", "--to", "latest"]);
    assert_eq!((&plan["exit_code"], &plan["outcome"]), (&json!(10), &json!("findings")), "{plan}");
    assert_eq!(objects(&plan["findings"]), [object], "{plan}");
    for problem in [&status["lineages"][0]["findings"][0]["problem"], &plan["findings"][0]["problem"]] {
        assert!(problem.as_str().unwrap().contains(text), "{problem}");
    }
    assert!(plan["notes"].as_array().unwrap().contains(&plan["findings"][0]["problem"]), "{plan}");
    for command in [&["status"][..], &["plan", "--to", "latest"]] {
        let shown = archive.run(command).stdout;
        assert_eq!(shown.matches(text).count(), 1, "{command:?}: {shown}");
    }
    // A moment that was asked for exactly is that moment.
    archive.run(&["plan", "--to", EXPLICIT]).assert_ok();
}

#[test]
fn an_archive_that_reaches_its_mark_or_has_none_is_sound() {
    let archive = Archive::sample();
    archive.run(&["plan", "--to", "latest"]).assert_ok();
    archive.put_mark(at(30, 1), Some(SECOND));
    for command in [&["status"][..], &["list"], &["verify"], &["plan", "--to", "latest"], &["plan", "--to", "-5s"]] {
        archive.run(command).assert_ok();
    }
    // The mark lags behind.
    let archive = Archive::sample();
    archive.put_mark(at(20, 1), Some(FIRST));
    archive.run(&["status"]).assert_ok();
}

#[test]
fn newest_slices_that_were_removed_are_told() {
    let archive = Archive::sample();
    archive.put_mark(at(30, 1), Some(SECOND));
    archive.delete(&archive.slice_key(2));
    let oplog = ObjectKey::slices_prefix(&archive.lineage);
    assert_told(&archive, &oplog, &at(30, 1).to_string());
    let ago = archive.json(&["plan", "--to", "-5s"]);
    assert_eq!((&ago["exit_code"], objects(&ago["findings"])), (&json!(10), vec![oplog.as_str()]));
    archive.run(&["plan", "--to", &at(25, 0).to_string()]).assert_error(4, &["no slices hold", "deleted"]);
    archive.run(&["list"]).assert_ok();
}

#[test]
fn all_slices_or_the_whole_end_of_an_archive_that_were_removed_are_told() {
    let archive = Archive::sample();
    archive.put_mark(at(30, 1), Some(SECOND));
    for slice in 0..3 {
        archive.delete(&archive.slice_key(slice));
    }
    let status = archive.json(&["status"]);
    assert_eq!(status["exit_code"], 10);
    assert!(status["lineages"][0]["findings"].to_string().contains("all slices are missing"), "{status}");
    archive.run(&["verify", "--level", "list"]).assert_error(5, &[]);
    archive.run(&["plan", "--to", "latest"]).assert_error(4, &[]);
}

#[test]
fn a_newest_manifest_that_was_removed_is_told() {
    let archive = Archive::sample();
    archive.put_mark(at(30, 1), Some(SECOND));
    archive.delete(&archive.manifest_key(SECOND));
    assert_told(&archive, &archive.manifest_key(SECOND).to_string(), "is missing");
    let list = archive.json(&["list"]);
    assert_eq!((&list["exit_code"], objects(&list["findings"]).len()), (&json!(10), 1));
    // A manifest that is there and cannot be read is found once, as what it is.
    let archive = Archive::sample();
    archive.put_mark(at(30, 1), Some(SECOND));
    archive.damage(&archive.manifest_key(SECOND), |bytes| bytes.truncate(9));
    assert_eq!(archive.json(&["status"])["lineages"][0]["findings"].as_array().unwrap().len(), 1);
    assert_eq!(archive.json(&["verify", "--level", "list"])["findings"].as_array().unwrap().len(), 1);
}

#[test]
fn a_mark_that_cannot_be_used_is_a_finding_and_stops_nobody() {
    let mark = HighWater::key(&Archive::sample().lineage);
    for (garbage, problem) in [
        (&b"{"[..], "not readable"),
        (b"", "not readable"),
        (b"\xff\xff", "not readable"),
        (b"{\"format\":9}", "format 9"),
    ] {
        let archive = Archive::sample();
        archive.put_mark(at(30, 1), Some(SECOND));
        archive.damage(&mark, |bytes| *bytes = garbage.to_vec());
        assert_told(&archive, &mark.to_string(), problem);
    }
}

#[test]
fn a_mark_in_another_place_is_found_there() {
    let archive = Archive::sample();
    let control = Archive::empty();
    control.put_mark(at(40, 1), None);
    archive.run(&["status"]).assert_ok();
    let status = archive.run(&["status", "--control", &control.url()]);
    assert_eq!(status.code, 10, "{}", status.stderr);
    archive.run(&["status", "--control", "nonsense://"]).assert_error(2, &["nonsense"]);
}

#[test]
fn a_hole_that_nothing_explains_is_told_with_its_ends() {
    let mut archive = Archive::sample();
    archive.add_slice(at(40, 1), &[entry(at(50, 1), "n", "", None, doc! {})]);
    let hole = format!("({}, {}]", at(30, 1), at(40, 1));
    assert_told(&archive, &ObjectKey::slices_prefix(&archive.lineage), &hole);
    assert_eq!(
        archive.json(&["status"])["lineages"][0]["gaps"],
        json!([{ "after": at(30, 1), "through": at(40, 1), "reason": "hole" }])
    );
}

#[test]
fn a_snapshot_whose_own_oplog_is_gone_does_not_pass_for_one_that_can_be_restored() {
    let archive = Archive::sample();
    archive.delete(&archive.slice_key(0));
    let key = archive.manifest_key(FIRST).to_string();
    let lost = format!("no unbroken slices hold ({}, {}]", at(5, 1), at(10, 1));
    archive.run(&["plan", "--to", &format!("snapshot:{FIRST}")]).assert_error(4, &[]);
    for command in [&["status"][..], &["list"], &["show", FIRST]] {
        let object = archive.json(command);
        assert_eq!((&object["exit_code"], &object["outcome"]), (&json!(10), &json!("findings")), "{object}");
        assert!(object.to_string().contains(&lost), "{object}");
    }
    assert_eq!(objects(&archive.json(&["status"])["lineages"][0]["findings"]), [key.as_str()]);
    assert_eq!(objects(&archive.json(&["list"])["findings"]), [key.as_str()]);
    archive.run(&["show", SECOND]).assert_ok();
    archive.run(&["verify", "--level", "list"]).assert_error(5, &[&lost, &key]);
}

#[test]
fn the_latest_snapshot_is_not_shown_as_if_there_were_none_behind_it() {
    for is_missing in [true, false] {
        let archive = Archive::sample();
        archive.put_mark(at(30, 1), Some(SECOND));
        archive.run(&["show", "latest"]).assert_ok();
        let key = archive.manifest_key(SECOND);
        if is_missing {
            archive.delete(&key);
        } else {
            archive.damage(&key, |bytes| bytes.truncate(9));
        }
        let shown = archive.json(&["show", "latest"]);
        assert_eq!((&shown["exit_code"], &shown["snapshot"]["id"]), (&json!(10), &json!(FIRST)), "{shown}");
        assert_eq!(objects(&shown["findings"]), [key.to_string()]);
        let text = archive.run(&["show", "latest"]).stdout;
        assert!(text.contains(&format!("FINDING: {key}")), "{text}");
        archive.run(&["show", FIRST]).assert_ok();
    }
}

#[test]
fn behind_a_hole_latest_is_sound_again_once_a_snapshot_follows() {
    let mut archive = Archive::sample();
    archive.add_slice(at(40, 1), &[entry(at(50, 1), "n", "", None, doc! {})]);
    assert_eq!(archive.json(&["plan", "--to", "latest"])["exit_code"], 10);
    archive.add_snapshot("20260101T000045Z-cccc", at(42, 1), at(45, 1));
    let plan = archive.json(&["plan", "--to", "latest"]);
    assert_eq!((&plan["exit_code"], &plan["target"]["resolved"]), (&json!(0), &json!(at(50, 1))));
    assert_eq!(archive.json(&["status"])["exit_code"], 10, "the hole is still there");
}

#[test]
fn behind_a_recorded_gap_latest_is_older_than_the_archive_and_says_so() {
    let mut archive = Archive::sample();
    archive.add_slice(at(40, 1), &[entry(at(50, 1), "n", "", None, doc! {})]);
    archive.add_gap(at(30, 1), at(40, 1));
    archive.run(&["status"]).assert_ok();
    let plan = archive.json(&["plan", "--to", "latest"]);
    assert_eq!((&plan["exit_code"], &plan["target"]["resolved"]), (&json!(10), &json!(at(30, 1))));
    assert!(plan["findings"][0]["problem"].as_str().unwrap().contains("oplog_overrun"), "{plan}");
}
