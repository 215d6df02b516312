//! Archives that somebody or something has damaged: never a panic, never silence, always the object's name.

use std::fs;

use archive::layout::ObjectKey;
use bson::doc;
use serde_json::{Value, json};

use crate::archive::{Archive, FIRST, ORDERS, SECOND, USERS, at, entry};

/// `verify` at this level finds exactly this object, and exits with 5.
fn assert_found(archive: &Archive, level: &str, key: &ObjectKey, problem: &str) {
    let finished = archive.run(&["verify", "--level", level, "--json"]);
    finished.assert_error(5, &["; the first: "]);
    let object = finished.json();
    let findings = object["findings"].as_array().unwrap();
    let hit = findings
        .iter()
        .any(|finding| finding["object"] == key.to_string() && finding["problem"].as_str().unwrap().contains(problem));
    assert!(hit, "{level}: `{problem}` of {key} is not in {findings:?}");
    assert_eq!((&object["outcome"], &object["error"]["kind"]), (&json!("failed"), &json!("integrity")));
}

fn assert_sound(archive: &Archive, level: &str) {
    let object = archive.json(&["verify", "--level", level]);
    assert_eq!(object["findings"], json!([]), "{level}");
}

#[test]
fn a_truncated_object_is_found_by_its_size_and_by_its_bytes() {
    for cut in [1, 40] {
        let archive = Archive::sample();
        let segment = archive.segment_key(SECOND, ORDERS, 1);
        archive.damage(&segment, |bytes| bytes.truncate(bytes.len() - cut));
        assert_found(&archive, "list", &segment, "were written");
        assert_found(&archive, "hash", &segment, "were written");

        let archive = Archive::sample();
        let slice = archive.slice_key(1);
        archive.damage(&slice, |bytes| bytes.truncate(bytes.len() - cut));
        // Nothing but its bytes says how long a slice is.
        assert_sound(&archive, "list");
        assert_found(&archive, "hash", &slice, "");
        archive.run(&["find"]).assert_error(5, &["an oplog slice cannot be used", &slice.to_string()]);
    }
}

#[test]
fn every_single_flipped_bit_is_found() {
    for kind in ["segment", "slice", "page"] {
        for part in [0.0, 0.2, 0.45, 0.6, 0.8, 0.95] {
            let archive = Archive::sample();
            let key = match kind {
                "segment" => archive.segment_key(FIRST, USERS, 0),
                "slice" => archive.slice_key(0),
                _ => archive.page_key(FIRST),
            };
            archive.damage(&key, |bytes| {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "a position"
                )]
                let at = (bytes.len() as f64 * part) as usize;
                bytes[at] ^= 0x10;
            });
            assert_found(&archive, "hash", &key, "");
        }
    }
}

#[test]
fn a_missing_object_is_found_by_the_listing() {
    let archive = Archive::sample();
    let segment = archive.segment_key(SECOND, USERS, 0);
    archive.delete(&segment);
    assert_found(&archive, "list", &segment, "it is missing");
    // What needs it is not offered any more, and an older snapshot takes over.
    let status = archive.json(&["status"]);
    assert_eq!((&status["outcome"], &status["exit_code"]), (&json!("findings"), &json!(10)));
    let list = archive.json(&["list"]);
    assert_eq!(list["exit_code"], 10);
    assert!(list["snapshots"][1]["damaged"].as_str().unwrap().contains("is missing"));
    assert_eq!(archive.json(&["plan", "--to", "latest"])["snapshot_id"], FIRST);
    archive.run(&["plan", "--to", &format!("snapshot:{SECOND}")]).assert_error(5, &["is damaged", "is missing"]);

    let archive = Archive::sample();
    archive.delete(&archive.slice_key(1));
    let hole = archive.run(&["verify", "--level", "list"]);
    hole.assert_error(5, &["hole"]);
    archive.run(&["plan", "--to", &at(30, 1).to_string()]).assert_error(4, &["no slices hold", "dr-cli plan --to"]);
    // `latest` is what can be restored, and says that the archive goes on.
    let latest = archive.json(&["plan", "--to", "latest"]);
    assert_eq!(latest["target"]["resolved"], at(10, 1).to_string());
    assert!(latest["notes"][0].as_str().unwrap().contains("nothing can be restored"));

    let archive = Archive::sample();
    archive.delete(&archive.page_key(SECOND));
    assert_found(&archive, "list", &archive.page_key(SECOND), "it is missing");
    archive.run(&["show", SECOND]).assert_error(5, &["missing"]);
    assert_eq!(archive.json(&["plan", "--to", "latest"])["snapshot_id"], FIRST);
}

#[test]
fn an_empty_object_is_found_by_the_listing() {
    let archive = Archive::sample();
    archive.damage(&archive.slice_key(2), Vec::clear);
    assert_found(&archive, "list", &archive.slice_key(2), "it is empty");
    archive
        .run(&["plan", "--to", &at(25, 0).to_string()])
        .assert_error(5, &[&archive.slice_key(2).to_string(), "it is empty"]);
    assert_eq!(archive.json(&["status"])["exit_code"], 10);

    let archive = Archive::sample();
    let segment = archive.segment_key(SECOND, ORDERS, 0);
    archive.damage(&segment, Vec::clear);
    assert_found(&archive, "list", &segment, "it is empty");
    assert_eq!(archive.json(&["plan", "--to", "latest"])["snapshot_id"], FIRST);
}

#[test]
fn swapped_objects_are_found_by_their_headers() {
    let archive = Archive::sample();
    let swap = |one: &ObjectKey, other: &ObjectKey| {
        let (one, other) = (archive.path(one), archive.path(other));
        let aside = one.with_extension("aside");
        fs::rename(&one, &aside).unwrap();
        fs::rename(&other, &one).unwrap();
        fs::rename(&aside, &other).unwrap();
    };
    let (one, other) = (archive.segment_key(FIRST, USERS, 0), archive.segment_key(SECOND, USERS, 0));
    swap(&one, &other);
    assert_found(&archive, "hash", &one, "not the one of this key");
    assert_found(&archive, "hash", &other, "not the one of this key");

    let archive = Archive::sample();
    let (one, other) = (archive.slice_key(0), archive.slice_key(1));
    let bytes = fs::read(archive.path(&other)).unwrap();
    archive.damage(&one, |old| *old = bytes);
    assert_found(&archive, "hash", &one, "starts after");
    // A segment under the name of a slice.
    let bytes = fs::read(archive.path(&archive.segment_key(FIRST, USERS, 0))).unwrap();
    archive.damage(&one, |old| *old = bytes);
    assert_found(&archive, "hash", &one, "segment");
}

#[test]
fn a_slice_that_continues_another_history_is_found() {
    let mut archive = Archive::sample();
    let noop = entry(at(40, 1), "n", "", None, doc! {});
    archive.add_slice_after(at(30, 1), Some(archive::Digest::of(b"another entry")), &[noop]);
    assert_sound(&archive, "list");
    assert_found(&archive, "hash", &archive.slice_key(3), "they tell two histories");
    archive.run(&["find", "--op", "drop"]).assert_error(5, &["fork"]);
}

#[test]
fn slices_of_one_range_with_different_content_are_a_fork() {
    let mut archive = Archive::sample();
    let noop = entry(at(30, 1), "n", "", None, doc! { "msg": "another" });
    archive.add_slice(at(20, 1), &[noop]);
    archive.run(&["verify", "--level", "list"]).assert_error(5, &["fork"]);
    let latest = archive.json(&["plan", "--to", "latest"]);
    assert_eq!((&latest["exit_code"], &latest["target"]["resolved"]), (&json!(10), &json!(at(20, 1))));
    assert!(latest["findings"][0]["problem"].as_str().unwrap().contains("contradict each other"), "{latest}");
    archive.run(&["plan", "--to", &at(25, 0).to_string()]).assert_error(5, &["contradict each other"]);
    let status = archive.json(&["status"]);
    assert_eq!(status["exit_code"], 10);
    assert_eq!(status["lineages"][0]["gaps"][0]["reason"], "fork_other_content");
}

fn with_manifest(archive: &Archive, change: impl FnOnce(&mut Value)) {
    archive.damage(&archive.manifest_key(SECOND), |bytes| {
        let mut manifest: Value = serde_json::from_slice(bytes).unwrap();
        change(&mut manifest);
        *bytes = manifest.to_string().into_bytes();
    });
}

#[test]
fn a_manifest_that_lies_is_refused() {
    type Change = (&'static str, fn(&mut Value));
    let changes: [Change; 9] = [
        ("format 2", |manifest| manifest["format"] = json!(2)),
        ("", |manifest| manifest["snapshot"] = json!("../../../etc/passwd")),
        ("", |manifest| manifest["lineage"] = json!("a/b")),
        ("", |manifest| manifest["pages"][0]["page"] = json!(99_999_999_999_u64)),
        ("cannot have", |manifest| manifest["totals"]["documents"] = json!(u64::MAX)),
        ("totals", |manifest| manifest["totals"]["bytes"] = json!(1_u64 << 60)),
        ("", |manifest| manifest["pages"][0]["stored_bytes"] = json!(u64::MAX)),
        ("", |manifest| manifest["begin"] = json!("soon")),
        ("another archive", |manifest| manifest["archive_id"] = json!("somebody-elses")),
    ];
    for (problem, change) in changes {
        let archive = Archive::sample();
        with_manifest(&archive, change);
        let finished = archive.run(&["verify", "--level", "list"]);
        finished.assert_error(5, &[SECOND, problem]);
        // Whatever it says, nothing outside of the archive is touched, and the other snapshot still serves.
        assert!(archive.run(&["plan", "--to", "latest"]).code == 0, "{problem}");
    }
}

#[test]
fn a_manifest_that_is_not_json_is_named_by_every_command() {
    for garbage in [&b"not json"[..], b"", b"{\"format\": 1", b"[1]", &[0xff; 64]] {
        let archive = Archive::sample();
        archive.damage(&archive.manifest_key(SECOND), |bytes| *bytes = garbage.to_vec());
        let key = archive.manifest_key(SECOND).to_string();
        assert_found(&archive, "list", &archive.manifest_key(SECOND), "");
        archive.run(&["show", SECOND]).assert_error(5, &[&key]);
        archive.run(&["plan", "--to", &format!("snapshot:{SECOND}")]).assert_error(5, &[&key]);
        for command in ["status", "list"] {
            let object = archive.json(&[command]);
            assert_eq!(object["exit_code"], 10, "{command}");
            assert!(object.to_string().contains(&key), "{command}: {object}");
        }
        archive.damage(&archive.manifest_key(FIRST), |bytes| *bytes = garbage.to_vec());
        archive.run(&["plan", "--to", "latest"]).assert_error(5, &["manifest.json", "dr-cli verify"]);
    }
}

#[test]
fn invalid_bson_in_a_slice_is_found_by_decoding() {
    let mut archive = Archive::sample();
    // Frames and digests are sound; the element inside of `o` has a type that does not exist.
    let mut broken =
        bson::RawDocumentBuf::try_from(&entry(at(40, 1), "i", "shop.orders", Some(ORDERS), doc! { "_id": 1 }))
            .unwrap()
            .into_bytes();
    let element = broken.windows(5).position(|window| window == b"\x10_id\0").unwrap();
    broken[element] = 0x77;
    archive.add_raw_slice(at(30, 1), &broken);
    assert_sound(&archive, "hash");
    assert_found(&archive, "decode", &archive.slice_key(3), "unknown type");
}

#[test]
fn an_entry_type_that_nobody_knows_is_found_by_decoding() {
    let mut archive = Archive::sample();
    archive.add_slice(at(30, 1), &[entry(at(40, 1), "c", "shop.$cmd", None, doc! { "importCollection": "x" })]);
    assert_sound(&archive, "hash");
    assert_found(&archive, "decode", &archive.slice_key(3), "importCollection");
}

#[test]
fn an_entry_that_cannot_be_replayed_is_found_by_decoding_until_it_is_on_record() {
    let id = "featureCompatibilityVersion";
    let mut version = entry(at(40, 1), "u", "admin.system.version", None, doc! { "_id": id, "version": "6.0" });
    version.insert("o2", doc! { "_id": id });
    let coll_mod = entry(at(40, 1), "c", "shop.$cmd", Some(ORDERS), doc! { "collMod": "orders", "novelty": 1 });
    let unnamed = entry(at(40, 1), "i", "shop.orders", None, doc! { "_id": 1 });
    for (entry, says) in [(version, "feature compatibility"), (coll_mod, "`novelty`"), (unnamed, "no collection UUID")]
    {
        let mut archive = Archive::sample();
        archive.add_slice(at(30, 1), &[entry]);
        assert_sound(&archive, "hash");
        assert_found(&archive, "decode", &archive.slice_key(3), says);
        archive.add_not_replayable(at(40, 2), "another one");
        assert_found(&archive, "decode", &archive.slice_key(3), says);
        archive.add_not_replayable(at(40, 1), "why");
        assert_sound(&archive, "decode");
        assert!(archive.json(&["verify", "--level", "list"])["notes"].to_string().contains("not_replayable"));
    }
}

#[test]
fn a_broken_lineage_record_or_gap_is_found() {
    let archive = Archive::sample();
    let lineage = ObjectKey::Lineage { lineage: archive.lineage.clone() };
    archive.damage(&lineage, |bytes| bytes.truncate(5));
    assert_found(&archive, "list", &lineage, "not readable");
    archive.run(&["status"]).assert_error(5, &["lineage.json"]);
    archive.delete(&lineage);
    assert_found(&archive, "list", &lineage, "missing");
    for command in [&["status"][..], &["list"], &["find"], &["plan", "--to", "latest"]] {
        archive.run(command).assert_error(5, &["lineage.json", "missing"]);
    }

    let archive = Archive::sample();
    archive.add_gap(at(40, 1), at(50, 1));
    let gap = ObjectKey::Gap { lineage: archive.lineage.clone(), after: at(40, 1), through: at(50, 1) };
    archive.damage(&gap, |bytes| bytes.truncate(20));
    assert_found(&archive, "list", &gap, "not readable");
}

#[test]
fn a_broken_lineage_record_leaves_the_other_lineages_alone() {
    let archive = Archive::sample();
    archive.add_lineage("rs9-0");
    let broken = ObjectKey::Lineage { lineage: "rs9-0".parse().unwrap() };
    archive.damage(&broken, |bytes| bytes.truncate(5));
    for command in ["status", "list"] {
        let object = archive.json(&[command]);
        assert_eq!((&object["exit_code"], &object["outcome"]), (&json!(10), &json!("findings")), "{object}");
        assert_eq!(object["findings"][0]["object"], broken.to_string());
        assert!(object.to_string().contains(SECOND), "the other lineage is shown: {object}");
        assert!(archive.run(&[command]).stdout.contains("FINDING: rs9-0/lineage.json"), "{command}");
        archive.run(&[command, "--lineage", "rs9-0"]).assert_error(5, &["rs9-0/lineage.json"]);
    }
    let ours = archive.lineage.to_string();
    archive.run(&["status", "--lineage", &ours]).assert_ok();
    archive.run(&["plan", "--to", "latest", "--lineage", &ours]).assert_ok();
    archive.run(&["plan", "--to", "latest"]).assert_error(2, &["rs9-0", &ours, "--lineage"]);
}

#[test]
fn the_archive_of_another_lineage_does_not_pass_for_ours() {
    // A whole lineage copied under another name.
    let archive = Archive::sample();
    let other = ObjectKey::Lineage { lineage: "rs9-0".parse().unwrap() };
    let ours = archive.path(&ObjectKey::Lineage { lineage: archive.lineage.clone() });
    let theirs = archive.path(&other);
    fs::rename(ours.parent().unwrap(), theirs.parent().unwrap()).unwrap();
    let found = archive.run(&["verify", "--json"]);
    found.assert_error(5, &[]);
    let findings = found.json()["findings"].to_string();
    assert!(findings.contains("rs9-0/lineage.json") && findings.contains("manifest.json"), "{findings}");
}

#[test]
fn a_doctor_promises_nothing_of_snapshots_that_lack_an_object() {
    let archive = Archive::sample();
    for snapshot in [FIRST, SECOND] {
        archive.delete(&archive.segment_key(snapshot, ORDERS, 1));
    }
    let object = archive.run(&["doctor", "--read-only", "--json"]).json();
    let checks = object["checks"].as_array().unwrap();
    let restorable = checks.iter().find(|check| check["check"].as_str().unwrap().ends_with("restorable")).unwrap();
    assert_eq!(restorable["found"], "no moment can be restored", "{restorable}");
}

#[test]
fn a_doctor_says_of_a_destination_that_it_is_not_in_the_archive() {
    let nobody = "mongodb://127.0.0.1:1/?replicaSet=none&serverSelectionTimeoutMS=500";
    let found = Archive::sample().run(&["doctor", "--destination", nobody]);
    found.assert_error(8, &["127.0.0.1:1", "where: the server that --destination names"]);
}

#[test]
fn the_latest_snapshot_that_is_pinned_is_one_that_can_be_restored() {
    let archive = Archive::sample();
    archive.put_mark(at(30, 1), Some(SECOND));
    archive.delete(&archive.segment_key(SECOND, ORDERS, 1));
    let object = archive.run(&["pin", "latest", "--json"]).json();
    assert_eq!(object["pin"]["keeps"]["snapshot"], FIRST, "{object}");
    archive.run(&["pin", SECOND]).assert_error(4, &[SECOND, "is missing"]);
}
