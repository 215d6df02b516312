//! `verify` on sound archives; `damaged.rs` has the others.

use serde_json::json;

use crate::archive::{Archive, FIRST, LINEAGE, SECOND, at};

#[test]
fn a_sound_archive_verifies_at_every_level() {
    let archive = Archive::sample();
    for level in ["list", "hash", "decode"] {
        let mut object = archive.json(&["verify", "--level", level]);
        let (checked, coverage) = (object["checked"].take(), object["coverage"].take());
        assert_eq!(
            object,
            json!({
                "schema": 1, "command": "verify", "outcome": "ok", "exit_code": 0, "error": null, "level": level,
                "checked": null, "coverage": null, "findings": [], "findings_total": 0, "needs_key": null, "notes": [],
            })
        );
        // lineage, 3 slices, and twice: manifest, start, page, 3 segments.
        assert_eq!(checked["objects"], 16, "{level}");
        assert!(checked["bytes"].as_u64().is_some_and(|bytes| bytes > 3_000), "{level}");
        assert_eq!(coverage["objects"], 16, "{level}");
        assert_eq!(coverage["bytes"], checked["bytes"], "{level}");
        assert_eq!(coverage["sample"], json!(null));
        assert_eq!(
            coverage["lineages"],
            json!([{
                "lineage": LINEAGE, "windows": [{ "from": at(10, 1), "through": at(30, 1) }],
                "oplog": [{ "from": at(0, 1), "through": at(30, 1) }], "gaps": [], "snapshots": 2,
            }])
        );
        let text = archive.run(&["verify", "--level", level]);
        assert!(text.assert_ok().stdout.contains("Everything that was checked is sound"), "{}", text.stdout);
    }
}

#[test]
fn a_sample_reads_a_part_and_says_which() {
    let archive = Archive::sample();
    let sample = |seed: &str| archive.json(&["verify", "--sample", "40", "--seed", seed]);
    let one = sample("1");
    assert_eq!(one["coverage"]["sample"], json!({ "percent": 40.0, "seed": 1 }));
    assert_eq!(one["coverage"]["objects"], 16);
    assert!(one["checked"]["objects"].as_u64().unwrap() < 16);
    assert_eq!(one, sample("1"));
    let sizes: std::collections::BTreeSet<u64> =
        (1..20).map(|seed| sample(&seed.to_string())["checked"]["bytes"].as_u64().unwrap()).collect();
    assert!(sizes.len() > 1);
    assert!(archive.run(&["verify", "--sample", "40"]).stdout.contains("--seed "));
}

#[test]
fn unfinished_snapshots_and_foreign_objects_are_notes() {
    let archive = Archive::sample();
    archive.add_snapshot("20260101T000040Z-cccc", at(25, 1), at(28, 1));
    archive.delete(&archive.manifest_key("20260101T000040Z-cccc"));
    let folder = archive.path(&archive.manifest_key(FIRST));
    std::fs::write(folder.with_file_name("README.txt"), "hello").unwrap();
    let object = archive.json(&["verify"]);
    assert_eq!((&object["exit_code"], &object["findings"]), (&json!(0), &json!([])));
    let notes = object["notes"].to_string();
    assert!(notes.contains("unfinished") && notes.contains("README.txt"), "{notes}");
    assert_eq!(archive.json(&["list"])["snapshots"][1]["id"], SECOND);
    assert_eq!(archive.json(&["list"])["snapshots"].as_array().unwrap().len(), 2);
}

#[test]
fn a_recorded_gap_is_a_note_and_an_unexplained_hole_a_finding() {
    let mut archive = Archive::sample();
    let noop = |second| crate::archive::entry(at(second, 1), "n", "", None, bson::doc! {});
    archive.add_slice(at(40, 1), &[noop(50)]);
    archive.run(&["verify", "--level", "list"]).assert_error(5, &["hole", "oplog/"]);
    archive.add_gap(at(30, 1), at(40, 1));
    let object = archive.json(&["verify", "--level", "list"]);
    assert_eq!(object["exit_code"], 0);
    assert_eq!(object["coverage"]["lineages"][0]["gaps"], json!([{ "from": at(30, 1), "through": at(40, 1) }]));
    assert!(object["notes"].to_string().contains("oplog_overrun"));
}

#[test]
fn a_lineage_that_is_not_there_is_not_found() {
    let archive = Archive::sample();
    archive.run(&["verify", "--lineage", "other-1"]).assert_error(3, &["no lineage `other-1`"]);
    archive.run(&["verify", "--lineage", "../x"]).assert_error(2, &["../x"]);
}
