//! Moments that can and cannot be restored.

use bson::doc;
use serde_json::json;

use crate::archive::{Archive, FIRST, SECOND, START, at, entry};

#[test]
fn every_form_of_a_target_is_resolved() {
    let archive = Archive::sample();
    for (target, snapshot, resolved, inclusive) in [
        ("latest", SECOND, at(30, 1), true),
        ("2026-01-01T00:00:15Z", FIRST, at(15, u32::MAX), true),
        ("2026-01-01T01:00:22+01:00", SECOND, at(22, u32::MAX), true),
        ("1767225612:0", FIRST, at(12, 0), true),
        ("before:1767225625:1", SECOND, at(25, 1), false),
        ("snapshot:20260101T000000Z-aaaa", FIRST, at(10, 1), true),
        ("-5s", SECOND, at(25, u32::MAX), true),
    ] {
        let plan = archive.json(&["plan", "--to", target]);
        assert_eq!(plan["error"], json!(null), "{target}");
        assert_eq!(plan["snapshot_id"], snapshot, "{target}");
        assert_eq!(plan["target"]["resolved"], resolved.to_string(), "{target}");
        assert_eq!(plan["target"]["inclusive"], inclusive, "{target}");
    }
}

#[test]
fn a_target_outside_of_the_window_names_the_nearest_moment() {
    let archive = Archive::sample();
    let plan = |target: &str| archive.run(&["plan", "--to", target]);
    plan("2025-12-31T23:59:59Z").assert_error(4, &["lies before", "dr-cli plan --to 1767225610:1"]);
    plan("1767225609:9").assert_error(4, &["lies before 1767225610:1"]);
    plan("2026-01-01T00:10:00Z").assert_error(4, &["lies after 1767225630:1", "--to 1767225630:1"]);
    plan("1767225630:2").assert_error(4, &["lies after"]);
    plan("snapshot:nobody").assert_error(3, &["there is no snapshot nobody", "dr-cli list"]);
    let refused = archive.json(&["plan", "--to", "1767225630:2"]);
    assert_eq!((&refused["outcome"], &refused["error"]["kind"]), (&json!("refused"), &json!("not_restorable")));
}

#[test]
fn a_target_inside_or_behind_a_gap_is_refused_with_the_gap() {
    let mut archive = Archive::empty();
    let noop = |second| entry(at(second, 1), "n", "", None, doc! {});
    archive.add_slice(at(0, 1), &[noop(10)]);
    archive.add_slice(at(20, 1), &[noop(30)]);
    archive.add_gap(at(10, 1), at(20, 1));
    archive.add_snapshot(FIRST, at(1, 1), at(5, 1));
    let inside = archive.run(&["plan", "--to", &at(15, 0).to_string()]);
    inside.assert_error(4, &["lies in a gap", "oplog_overrun", "dr-cli plan --to 1767225610:1"]);
    archive.run(&["plan", "--to", &at(25, 0).to_string()]).assert_error(4, &["out of reach", FIRST]);
    // `latest` is what can be restored, and says that the archive goes on.
    let latest = archive.json(&["plan", "--to", "latest"]);
    assert_eq!(latest["target"]["resolved"], at(10, 1).to_string());
    assert_eq!(latest["notes"].as_array().unwrap().len(), 1);
}

#[test]
fn a_malformed_target_is_a_usage_error_with_the_grammar() {
    let archive = Archive::sample();
    for target in
        ["yesterday", "2026-01-01", "2026-01-01T00:00:00", "1:2:3", "before:latest", "-", "-0s", "snapshot:../x", ""]
    {
        let refused = archive.run(&["plan", "--json", "--to", target]);
        refused.assert_error(2, &["before:1714566600:3", "dr-cli plan --help"]);
        assert_eq!(refused.json()["error"]["kind"], "usage", "{target}");
    }
}

#[test]
fn an_archive_without_snapshots_restores_nothing() {
    let mut archive = Archive::empty();
    archive.run(&["plan", "--to", "latest"]).assert_error(4, &["there is no snapshot", "sidecar snapshot"]);
    archive.add_slice(at(0, 1), &[entry(at(10, 1), "n", "", None, doc! {})]);
    archive.run(&["plan", "--to", &START.to_string()]).assert_error(2, &[]);
    archive.run(&["plan", "--to", &at(5, 1).to_string()]).assert_error(4, &["there is no snapshot"]);
}

#[test]
fn the_snapshot_to_start_from_can_be_named() {
    let archive = Archive::sample();
    let plan = archive.json(&["plan", "--to", "latest", "--snapshot", FIRST]);
    assert_eq!((&plan["exit_code"], &plan["snapshot_id"]), (&json!(0), &json!(FIRST)));
    assert_eq!(plan["target"]["resolved"], json!(at(30, 1)));
    let text = archive.run(&["plan", "--to", "latest", "--snapshot", FIRST]);
    let next = format!("Next: dr-cli restore --to latest --snapshot {FIRST} ");
    assert!(text.assert_ok().stdout.contains(&next), "{}", text.stdout);

    let plan = |to: &str, from: &str| archive.run(&["plan", "--to", to, "--snapshot", from]);
    plan("latest", "nobody").assert_error(3, &["there is no snapshot nobody", SECOND]);
    plan("latest", "../x").assert_error(2, &["../x"]);
    plan(&at(15, 0).to_string(), SECOND).assert_error(4, &["the earliest restorable moment"]);
    plan(&format!("snapshot:{FIRST}"), SECOND).assert_error(2, &[FIRST, SECOND]);
    plan(&format!("snapshot:{FIRST}"), FIRST).assert_ok();
    archive.delete(&archive.segment_key(FIRST, crate::archive::USERS, 0));
    plan("latest", FIRST).assert_error(5, &["is missing"]);
    archive.damage(&archive.manifest_key(FIRST), |bytes| bytes.truncate(9));
    plan("latest", FIRST).assert_error(5, &["manifest.json"]);
}
