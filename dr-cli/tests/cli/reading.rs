//! status, list, show, find and plan on a sound archive. The objects are contracts: fields are added, never renamed.

use serde_json::{Value, json};

use crate::archive::{Archive, FIRST, LINEAGE, SECOND, at};

fn time(seconds: u32, increment: u32) -> String {
    at(seconds, increment).to_string()
}

#[test]
fn status_says_what_can_be_restored() {
    let archive = Archive::sample();
    assert_eq!(
        archive.json(&["status"]),
        json!({
            "schema": 1, "command": "status", "outcome": "ok", "exit_code": 0, "error": null,
            "archive_id": "6c1f0a52e0f94d3f8f5a5d1c4b7e9a10", "location": "[archive]", "findings": [],
            "lineages": [{
                "id": LINEAGE, "replica_set": "rs0", "parent": null,
                "windows": [{ "from": time(10, 1), "through": time(30, 1) }],
                "gaps": [], "findings": [],
                "archived_through": time(30, 1), "archived_through_age_seconds": "[archived_through_age_seconds]",
                "last_snapshot": {
                    "id": SECOND, "begin": time(15, 1), "end": time(20, 1), "published_at": "2026-01-01T00:01:00Z",
                    "documents": 4, "bytes": 116, "stored_bytes": "[stored_bytes]", "damaged": null, "pinned": false,
                },
                "last_drill": null,
            }],
        })
    );
    let text = archive.run(&["status"]);
    let from = "from 2026-01-01T00:00:10Z (1767225610:1) through 2026-01-01T00:00:30Z (1767225630:1)";
    assert!(text.assert_ok().stdout.contains(&format!("You can restore any moment {from}")), "{}", text.stdout);
}

#[test]
fn status_tells_gaps_and_an_archive_without_a_snapshot() {
    let mut archive = Archive::empty();
    assert_eq!(archive.json(&["status"])["lineages"][0]["windows"], json!([]));
    let text = archive.run(&["status"]);
    assert!(text.stdout.contains("NOTHING CAN BE RESTORED YET"), "{}", text.stdout);

    let noop = |second| crate::archive::entry(at(second, 1), "n", "", None, bson::doc! {});
    archive.add_slice(at(0, 1), &[noop(10)]);
    archive.add_slice(at(20, 1), &[noop(30)]);
    archive.add_gap(at(10, 1), at(20, 1));
    archive.add_snapshot(FIRST, at(1, 1), at(5, 1));
    let status = archive.json(&["status"]);
    assert_eq!(
        status["lineages"][0]["gaps"],
        json!([{ "after": time(10, 1), "through": time(20, 1), "reason": "oplog_overrun", "detail": "the sidecar was down" }])
    );
    assert_eq!(status["lineages"][0]["windows"], json!([{ "from": time(5, 1), "through": time(10, 1) }]));
    assert_eq!(status["lineages"][0]["archived_through"], json!(time(30, 1)));
}

#[test]
fn status_tells_in_words_what_cannot_be_replayed_and_splits_the_window_there() {
    let archive = Archive::sample();
    let detail = "the feature compatibility version was changed at 1:2\u{1b}";
    archive.add_not_replayable(at(18, 1), detail);
    let status = archive.json(&["status"]);
    let lineage = &status["lineages"][0];
    // The second snapshot begins before the change and ends after it, so it is none.
    assert_eq!(lineage["windows"], json!([{ "from": time(10, 1), "through": time(18, 0) }]));
    assert_eq!(
        lineage["gaps"],
        json!([{ "after": time(18, 0), "through": time(18, 1), "reason": "not_replayable", "detail": detail }])
    );
    assert_eq!((&status["exit_code"], &lineage["archived_through"]), (&json!(10), &json!(time(30, 1))));
    let text = archive.run(&["status"]);
    let told = "not replayable    after 2026-01-01T00:00:18Z (1767225618:0) through 2026-01-01T00:00:18Z (1767225618:1): \
                the feature compatibility version was changed at 1:2\\u{1b}; restore to before it, or from a later snapshot";
    assert!(text.code == 10 && text.stdout.contains(told), "{}", text.stdout);

    archive.run(&["plan", "--to", &time(25, 1)]).assert_error(4, &["cannot be replayed", &time(18, 0)]);
    let plan = archive.json(&["plan", "--to", &format!("before:{}", time(18, 1))]);
    assert_eq!((&plan["exit_code"], &plan["snapshot_id"]), (&json!(0), &json!(FIRST)));
    assert_eq!(archive.json(&["plan", "--to", "latest"])["exit_code"], 10, "older than the archive reaches");
    let found = archive.json(&["find", "--op", "drop"]);
    assert_eq!(found["scanned"], json!({ "after": time(0, 1), "through": time(30, 1), "slices": 3, "gaps": [] }));
}

#[test]
fn list_has_every_snapshot_of_every_lineage() {
    let archive = Archive::sample();
    let snapshot = |id: &str, begin: u32, end: u32| {
        json!({
            "id": id, "lineage": LINEAGE, "begin": time(begin, 1), "end": time(end, 1), "damaged": null,
            "published_at": "2026-01-01T00:01:00Z", "documents": 4, "bytes": 116, "stored_bytes": "[stored_bytes]",
            "pinned": false,
        })
    };
    assert_eq!(
        archive.json(&["list"]),
        json!({
            "schema": 1, "command": "list", "outcome": "ok", "exit_code": 0, "error": null, "findings": [],
            "snapshots": [snapshot(FIRST, 5, 10), snapshot(SECOND, 15, 20)],
        })
    );
    let text = archive.run(&["list"]);
    assert!(text.assert_ok().stdout.contains(SECOND), "{}", text.stdout);
}

#[test]
fn show_has_the_collections_of_a_snapshot() {
    let archive = Archive::sample();
    let collection = |name: &str, uuid: &str, documents: u64, segments: u64| {
        json!({
            "namespace": name, "uuid": uuid.repeat(16), "documents": documents, "bytes": documents * 29,
            "stored_bytes": "[stored_bytes]", "segments": segments, "indexes": 1, "dropped": false,
        })
    };
    let expected = json!({
        "schema": 1, "command": "show", "outcome": "ok", "exit_code": 0, "error": null,
        "snapshot": {
            "id": SECOND, "lineage": LINEAGE, "begin": time(15, 1), "end": time(20, 1),
            "started_at": "2026-01-01T00:00:00Z", "published_at": "2026-01-01T00:01:00Z", "documents": 4, "bytes": 116,
            "stored_bytes": "[stored_bytes]", "segments": 3, "collections": 2, "dropped_collections": 0,
            "server_version": "6.0.5", "fcv": "6.0", "member": "shop-0:27017", "pinned": false, "damaged": null,
        },
        "collections": [collection("shop.orders", "01", 3, 2), collection("shop.users", "02", 1, 1)], "findings": [],
    });
    assert_eq!(archive.json(&["show", SECOND]), expected);
    assert_eq!(archive.json(&["show", "latest"]), expected);
    assert_eq!(archive.json(&["show", &format!("snapshot:{SECOND}")]), expected);
    let text = archive.run(&["show", FIRST]);
    assert!(text.assert_ok().stdout.contains("shop.orders"), "{}", text.stdout);
    archive.run(&["show", "nobody"]).assert_error(3, &["nobody", "dr-cli list"]);
    archive.run(&["show", "../x"]).assert_error(2, &["../x"]);
}

fn found(at: (u32, u32), last: (u32, u32), op: &str, ns: &str, uuid: &str, count: u64) -> Value {
    json!({
        "at": time(at.0, at.1), "last": time(last.0, last.1), "wall": format!("2026-01-01T00:00:{:02}.{:03}Z", at.0, at.1),
        "op": op, "namespace": ns, "uuid": uuid.repeat(16), "count": count, "before": format!("before:{}", time(at.0, at.1)),
    })
}

#[test]
fn find_shows_the_disaster_apart_from_the_traffic() {
    let archive = Archive::sample();
    assert_eq!(
        archive.json(&["find", "--op", "delete,drop"]),
        json!({
            "schema": 1, "command": "find", "outcome": "ok", "exit_code": 0, "error": null,
            "scanned": { "after": time(0, 1), "through": time(30, 1), "slices": 3, "gaps": [] },
            "matches": [
                found((25, 1), (25, 4), "delete", "shop.orders", "01", 3),
                found((27, 1), (27, 1), "drop", "shop.users", "02", 1),
            ],
            "truncated": false,
        })
    );
    let text = archive.run(&["find", "--namespace", "shop.users"]);
    let next = format!("dr-cli plan --to before:{}", time(27, 1));
    assert!(text.assert_ok().stdout.contains(&next), "{}", text.stdout);
}

#[test]
fn find_takes_a_namespace_a_time_range_and_a_limit() {
    let archive = Archive::sample();
    let count = |args: &[&str]| {
        let args: Vec<&str> = ["find"].iter().chain(args).copied().collect();
        archive.json(&args)["matches"].as_array().unwrap().len()
    };
    let all = count(&[]);
    assert!(all >= 25, "{all}");
    assert_eq!(count(&["--namespace", "shop"]), all);
    assert_eq!(count(&["--namespace", "shop.*"]), all);
    assert_eq!(count(&["--namespace", "shop.users"]), 1);
    assert_eq!(count(&["--since", "2026-01-01T00:00:27Z"]), 3);
    assert_eq!(count(&["--since", "-3s", "--until", &time(28, 0)]), 1);
    assert_eq!(count(&["--limit", "2"]), 2);

    let limited = archive.json(&["find", "--limit", "2"]);
    let ops: Vec<&str> = limited["matches"].as_array().unwrap().iter().map(|m| m["op"].as_str().unwrap()).collect();
    assert_eq!((ops, &limited["truncated"]), (vec!["delete", "drop"], &json!(true)));

    let narrow = archive.json(&["find", "--since", &time(27, 1), "--until", &time(27, 1)]);
    assert_eq!(narrow["scanned"]["through"], json!(time(27, 1)));
    assert_eq!(narrow["matches"].as_array().unwrap().len(), 1);
}

#[test]
fn find_without_a_match_exits_with_3_and_still_tells_what_it_read() {
    let archive = Archive::sample();
    let none = archive.run(&["find", "--namespace", "shop.nothing", "--json"]);
    none.assert_error(3, &["change of `shop.nothing`", "3 slices", "dr-cli status"]);
    let object = none.json();
    assert_eq!((&object["matches"], &object["scanned"]["slices"]), (&json!([]), &json!(3)));
    assert_eq!((&object["outcome"], &object["error"]["kind"]), (&json!("refused"), &json!("not_found")));

    let later = archive.json(&["find", "--since", "2030-01-01T00:00:00Z"]);
    assert_eq!(later["scanned"], json!({ "after": null, "through": null, "slices": 0, "gaps": [] }));
}

#[test]
fn a_plan_names_snapshot_slices_and_target() {
    let archive = Archive::sample();
    let mut plan = archive.json(&["plan", "--to", &format!("before:{}", time(25, 1))]);
    let inner = plan["plan"].take();
    assert!(plan["bytes"].as_u64().is_some_and(|bytes| bytes > 500));
    plan["bytes"] = json!("[bytes]");
    assert_eq!(
        plan,
        json!({
            "schema": 1, "command": "plan", "outcome": "ok", "exit_code": 0, "error": null,
            "lineage": LINEAGE, "snapshot_id": SECOND,
            "target": { "requested": format!("before:{}", time(25, 1)), "resolved": time(25, 1), "inclusive": false },
            "slices": 2, "bytes": "[bytes]", "documents": 4, "predicted_seconds": "[predicted_seconds]", "notes": [],
            "findings": [], "plan": null,
        })
    );
    assert_eq!(inner["slices"].as_array().unwrap().len(), 2);

    let text = archive.run(&["plan", "--to", "latest"]);
    assert!(text.assert_ok().stdout.contains("Next: dr-cli restore --to latest"), "{}", text.stdout);
}

#[test]
fn every_field_stands_in_the_documentation() {
    fn collect(value: &Value, names: &mut std::collections::BTreeSet<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
            Value::Object(fields) => {
                for (name, field) in fields {
                    names.insert(name.clone());
                    // The inside of a plan is not a contract.
                    if name != "plan" {
                        collect(field, names);
                    }
                }
            }
            _ => {}
        }
    }
    let documentation = include_str!("../../../docs/cli-json.md");
    let archive = Archive::sample();
    archive.add_gap(at(30, 1), at(40, 1));
    archive.delete(&archive.segment_key(FIRST, crate::archive::USERS, 0));
    let mut names = std::collections::BTreeSet::new();
    for args in [
        &["status"][..],
        &["list"],
        &["show", SECOND],
        &["find"],
        &["plan", "--to", "latest"],
        &["plan", "--to", "never"],
        &["verify", "--sample", "50"],
    ] {
        collect(&archive.json(args), &mut names);
    }
    let missing: Vec<&String> = names
        .iter()
        .filter(|name| !documentation.contains(&format!("`{name}`")) && !documentation.contains(&format!(".{name}`")))
        .filter(|name| {
            !documentation.contains(&format!("`{name}[]`")) && !documentation.contains(&format!(".{name}[]`"))
        })
        .collect();
    assert!(names.len() > 60, "{}", names.len());
    assert_eq!(missing, Vec::<&String>::new());
}
