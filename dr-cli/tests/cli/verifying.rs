//! `verify` on sound archives; `damaged.rs` has the others.

use serde_json::json;

use crate::archive::{Archive, FIRST, LINEAGE, ORDERS, SECOND, USERS, at};

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
fn each_segment_and_slice_is_read_by_exactly_one_of_n_parts() {
    const PARTS: u32 = 4;
    let mut archive = Archive::sample();
    let part =
        |archive: &Archive, part: u32| archive.run(&["verify", "--json", "--sample", &format!("{part}/{PARTS}")]);
    let objects = |archive: &Archive| -> Vec<u64> {
        let checked = |number| part(archive, number).json()["checked"]["objects"].as_u64().unwrap();
        (1..=PARTS).map(checked).collect()
    };
    // Manifests, starts, pages and the lineage are read by every run; 6 segments and 3 slices by one.
    let before = objects(&archive);
    assert_eq!(before.iter().map(|checked| checked - 7).sum::<u64>(), 9, "{before:?}");
    let coverage = part(&archive, 3).json()["coverage"].take();
    assert_eq!(coverage["sample"], json!({ "part": 3, "parts": PARTS }));
    assert_eq!(coverage["objects"], 16);
    assert!(archive.run(&["verify", "--sample", "3/4"]).assert_ok().stdout.contains("part 3 of 4"));
    archive.run(&["verify", "--sample", "3/4", "--level", "list"]).assert_ok();

    let keys = [
        archive.slice_key(0),
        archive.slice_key(2),
        archive.segment_key(FIRST, ORDERS, 0),
        archive.segment_key(SECOND, ORDERS, 1),
        archive.segment_key(SECOND, USERS, 0),
    ];
    let finders = |archive: &Archive| -> Vec<Vec<u32>> {
        let of_key = |key| {
            let sound = std::fs::read(archive.path(key)).unwrap();
            archive.damage(key, |bytes| *bytes.last_mut().unwrap() ^= 1);
            let found = (1..=PARTS).filter(|number| part(archive, *number).code == 5).collect();
            archive.damage(key, |bytes| *bytes = sound);
            found
        };
        keys.iter().map(of_key).collect()
    };
    let found = finders(&archive);
    assert!(found.iter().all(|finders| finders.len() == 1), "{found:?}");
    assert!(found.iter().any(|finders| *finders != found[0]), "{found:?}");

    // What is archived between the runs changes the part of nothing that was there, and is counted.
    let noop = crate::archive::entry(at(35, 1), "n", "", None, bson::doc! {});
    archive.add_slice(at(30, 1), &[noop]);
    assert_eq!(finders(&archive), found);
    let after = objects(&archive);
    assert_eq!(after.iter().sum::<u64>(), before.iter().sum::<u64>() + 1);
    assert_eq!(part(&archive, 1).json()["coverage"]["objects"], 17);
    assert_eq!(part(&archive, 1).json()["coverage"]["lineages"][0]["oplog"][0]["through"], json!(at(35, 1)));
}

#[test]
fn a_part_that_does_not_exist_is_a_usage_error() {
    let archive = Archive::sample();
    for bad in ["0/10", "11/10", "3/", "/3", "1/0", "a/b", "1/2/3", "0", "101", "5 of 10"] {
        archive.run(&["verify", "--sample", bad]).assert_error(2, &["--sample", bad]);
    }
    archive.run(&["verify", "--sample", "1/3", "--seed", "7"]).assert_error(2, &["--seed", "no seed changes it"]);
    archive.run(&["verify", "--seed", "7"]).assert_error(2, &["--sample"]);
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
