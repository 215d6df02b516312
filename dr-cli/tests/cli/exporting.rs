//! `export`: what it prints, what it refuses, and that nothing half written ever looks finished.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::archive::{Archive, ORDERS, SECOND, at};

fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(current).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                names.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    names.sort();
    names
}

#[test]
fn an_export_says_what_it_wrote_and_how_to_restore_it() {
    let (archive, root) = (Archive::sample(), tempfile::tempdir().unwrap());
    let out = root.path().join("dump");
    let mut report = archive.json(&["export", "--to", "latest", "--out", out.to_str().unwrap()]);
    let bytes = fs::metadata(out.join("oplog.bson")).unwrap().len();
    assert_eq!(report["oplog"]["bytes"], bytes);
    for field in ["bytes", "skipped", "notes"] {
        report[field].take();
    }
    let location = out.canonicalize().unwrap().display().to_string();
    let (counts, oplog, target) = (report["counts"].take(), report["oplog"].take(), report["target"].take());
    assert_eq!(
        report,
        json!({
            "schema": 1, "command": "export", "outcome": "ok", "exit_code": 0, "error": null,
            "lineage": archive.lineage.as_str(), "snapshot_id": SECOND, "target": null, "slices": 2, "bytes": null,
            "out": location, "last_applied": target["resolved"], "counts": null, "oplog": null, "skipped": null, "notes": null,
            "mongorestore": format!("mongorestore --oplogReplay --bypassDocumentValidation --dir '{location}'"),
            "findings": [],
        })
    );
    assert_eq!((&counts["users"], &counts["views"]), (&json!(0), &json!(0)), "{counts}");
    assert!(oplog["entries"].as_u64().is_some_and(|entries| entries > 0), "{oplog}");
    let files = names(&out);
    assert!(files.contains(&"oplog.bson".to_owned()) && files.contains(&"prelude.json".to_owned()), "{files:?}");

    let documentation = include_str!("../../../docs/cli-json.md").split("## `export").nth(1).unwrap();
    for name in ["out", "last_applied", "counts", "oplog", "mongorestore", "findings"] {
        assert!(documentation.contains(&format!("| `{name}")), "{name}");
    }
    for name in counts.as_object().unwrap().keys().chain(oplog.as_object().unwrap().keys()) {
        assert!(documentation.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn a_folder_that_is_not_empty_is_refused_and_left_alone() {
    let (archive, root) = (Archive::sample(), tempfile::tempdir().unwrap());
    fs::write(root.path().join("mine"), "x").unwrap();
    let out = root.path().to_str().unwrap();
    archive.run(&["export", "--to", "latest", "--out", out]).assert_error(9, &["not empty", "--out"]);
    assert_eq!(names(root.path()), ["mine"]);
    archive.run(&["export", "--to", "latest"]).assert_error(2, &["--out"]);
    let missing = root.path().join("missing/dump");
    archive.run(&["export", "--to", "latest", "--out", missing.to_str().unwrap()]).assert_error(2, &["does not exist"]);
}

#[test]
fn damage_is_found_while_exporting_and_leaves_no_folder() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("dump");
    let flip = |bytes: &mut Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    };
    for damaged in ["segment", "slice"] {
        let archive = Archive::sample();
        let key = if damaged == "segment" { archive.segment_key(SECOND, ORDERS, 0) } else { archive.slice_key(2) };
        archive.damage(&key, flip);
        let failed = archive.run(&["export", "--to", "latest", "--out", out.to_str().unwrap()]);
        failed.assert_error(5, &[&key.to_string()]);
        assert_eq!(names(root.path()), Vec::<String>::new(), "{damaged}");
        assert!(!out.exists());
    }
}

#[test]
fn a_target_that_cannot_be_restored_cannot_be_exported() {
    let (archive, root) = (Archive::sample(), tempfile::tempdir().unwrap());
    let out = root.path().join("dump");
    let target = at(30, 2).to_string();
    archive.run(&["export", "--to", &target, "--out", out.to_str().unwrap()]).assert_error(4, &["lies after"]);
    assert!(!out.exists());
}
