//! Archives from which nothing can be restored: however sound what lies in them, no command calls that a success.

use std::fs;

use archive::layout::ObjectKey;
use serde_json::{Value, json};

use crate::archive::{Archive, FIRST, ORDERS, SECOND, USERS, at, entry};

const NOTHING: &str = "nothing can be restored";

/// The findings of `verify`, which ends with this exit code.
fn verified(archive: &Archive, exit_code: i32) -> Vec<(String, String)> {
    let text = archive.run(&["verify", "--level", "hash"]);
    text.assert_error(exit_code, &[]);
    assert!(text.stdout.contains("FINDING: "), "{}", text.stdout);
    assert!(!text.stdout.contains("Everything that was checked is sound"), "{}", text.stdout);
    let object = archive.json(&["verify", "--level", "hash"]);
    let field = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let findings = object["findings"].as_array().unwrap();
    assert_eq!(object["findings_total"], findings.len());
    findings.iter().map(|finding| (field(finding, "object"), field(finding, "problem"))).collect()
}

/// `status` ends with findings, and this is what it says is wrong with the lineage.
fn status_findings(archive: &Archive) -> Vec<(String, String)> {
    let object = archive.json(&["status"]);
    assert_eq!((&object["exit_code"], &object["outcome"]), (&json!(10), &json!("findings")), "{object}");
    let shown = archive.run(&["status"]);
    assert!(shown.stdout.contains("NOTHING CAN BE RESTORED"), "{}", shown.stdout);
    let field = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let findings = object["lineages"][0]["findings"].as_array().unwrap();
    findings.iter().map(|finding| (field(finding, "object"), field(finding, "problem"))).collect()
}

fn delete_lineage(archive: &Archive) {
    let record = archive.path(&ObjectKey::Lineage { lineage: archive.lineage.clone() });
    fs::remove_dir_all(record.parent().unwrap()).unwrap();
}

#[test]
fn an_archive_of_which_only_the_marker_is_left_is_no_sound_archive() {
    let archive = Archive::sample();
    delete_lineage(&archive);
    let verify = archive.run(&["verify", "--json"]);
    verify.assert_error(3, &[NOTHING, "archive.json", "no lineage", "dr-cli status"]);
    let object = verify.json();
    assert_eq!((&object["checked"]["objects"], &object["findings_total"]), (&json!(0), &json!(1)));
    assert_eq!(object["findings"][0]["object"], "archive.json");
    for command in ["status", "list"] {
        let object = archive.json(&[command]);
        assert_eq!((&object["exit_code"], &object["outcome"]), (&json!(10), &json!("findings")), "{object}");
        assert_eq!(object["findings"][0]["object"], "archive.json", "{object}");
        assert!(object["findings"][0]["problem"].as_str().unwrap().contains(NOTHING), "{object}");
    }
    let text = archive.run(&["status"]).stdout;
    assert!(text.contains("NOTHING CAN BE RESTORED") && text.contains("no lineage"), "{text}");
    for command in [&["plan", "--to", "latest"][..], &["find"], &["show", "latest"]] {
        archive.run(command).assert_error(3, &["no lineage"]);
    }
    // A folder that only looks like a lineage does not make it one.
    fs::create_dir(archive.path(&ObjectKey::Archive).with_file_name("music")).unwrap();
    fs::write(archive.path(&ObjectKey::Archive).with_file_name("music").join("song"), "la").unwrap();
    archive.run(&["verify"]).assert_error(3, &[NOTHING]);
}

#[test]
fn an_archive_whose_first_snapshot_is_still_being_taken_cannot_be_restored_yet() {
    let mut archive = Archive::empty();
    let said = |archive: &Archive| {
        let findings = [status_findings(archive), verified(archive, 4)];
        for found in findings {
            let [(object, problem)] = &found[..] else { panic!("{found:?}") };
            assert_eq!(*object, archive.lineage.to_string());
            assert!(problem.contains(NOTHING) && problem.contains("no snapshot has been published yet"), "{problem}");
        }
        archive.run(&["verify"]).assert_error(4, &["no snapshot has been published yet", "sidecar snapshot"]);
        let object = archive.json(&["verify"]);
        assert_eq!((&object["outcome"], &object["error"]["kind"]), (&json!("refused"), &json!("not_restorable")));
    };
    said(&archive);
    archive.add_slice(at(0, 1), &[entry(at(30, 1), "n", "", None, bson::doc! {})]);
    said(&archive);
    // What lies there of the snapshot is no snapshot.
    archive.add_snapshot(FIRST, at(5, 1), at(10, 1));
    archive.run(&["verify"]).assert_ok();
    archive.run(&["status"]).assert_ok();
    archive.delete(&archive.manifest_key(FIRST));
    said(&archive);
}

#[test]
fn slices_without_any_snapshot_left_are_no_backup() {
    let archive = Archive::sample();
    for snapshot in [FIRST, SECOND] {
        fs::remove_dir_all(archive.path(&archive.manifest_key(snapshot)).parent().unwrap()).unwrap();
    }
    assert_eq!(verified(&archive, 4).len(), 1);
    assert_eq!(status_findings(&archive).len(), 1);
    // The mark knows that there was one: then something is wrong with the archive.
    archive.put_mark(at(30, 1), Some(SECOND));
    let findings = verified(&archive, 5);
    assert_eq!((findings.len(), findings[1].0.as_str()), (2, archive.lineage.as_str()), "{findings:?}");
    let first = archive.run(&["verify"]);
    first.assert_error(5, &["2 findings; the first: snapshot", &archive.manifest_key(SECOND).to_string()]);
    assert_eq!(status_findings(&archive).len(), 2);
}

#[test]
fn snapshots_of_which_none_is_sound_are_no_backup() {
    let archive = Archive::sample();
    for (snapshot, uuid) in [(FIRST, USERS), (SECOND, ORDERS)] {
        archive.delete(&archive.segment_key(snapshot, uuid, 0));
    }
    let says_so = |found: &[(String, String)]| found.iter().any(|(_, problem)| problem.contains(NOTHING));
    let findings = verified(&archive, 5);
    assert!(findings.len() == 3 && says_so(&findings), "{findings:?}");
    let findings = status_findings(&archive);
    assert!(findings.len() == 3 && says_so(&findings), "{findings:?}");
    let coverage = archive.json(&["verify"])["coverage"].take();
    assert_eq!(coverage["lineages"][0]["windows"], json!([]), "a damaged snapshot opens no window");
}

#[test]
fn snapshots_without_any_oplog_are_no_backup() {
    let archive = Archive::sample();
    for slice in 0..3 {
        archive.delete(&archive.slice_key(slice));
    }
    for found in [verified(&archive, 5), status_findings(&archive)] {
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().any(|(_, problem)| problem.contains(NOTHING)), "{found:?}");
    }
}

#[test]
fn a_lineage_of_which_only_the_high_water_mark_is_left_is_not_overlooked() {
    let archive = Archive::sample();
    delete_lineage(&archive);
    archive.put_mark(at(30, 1), Some(SECOND));
    archive.run(&["verify"]).assert_error(5, &["lineage.json"]);
    for command in [&["status"][..], &["list"], &["find"]] {
        archive.run(command).assert_error(5, &["lineage.json", "missing"]);
    }
}

#[test]
fn a_second_lineage_without_a_snapshot_is_told_beside_one_that_can_be_restored() {
    let archive = Archive::sample();
    archive.add_lineage("rs9-0");
    let status = archive.json(&["status"]);
    assert_eq!((&status["exit_code"], &status["lineages"][1]["id"]), (&json!(10), &json!("rs9-0")));
    assert_eq!(status["lineages"][0]["findings"], json!([]));
    assert_eq!(status["lineages"][1]["findings"][0]["object"], "rs9-0");
    archive.run(&["verify"]).assert_error(4, &["rs9-0", NOTHING]);
    let ours = archive.lineage.to_string();
    archive.run(&["status", "--lineage", &ours]).assert_ok();
    archive.run(&["verify", "--lineage", &ours]).assert_ok();
}
