//! Arguments, environment and archives that are not there.

use std::fs;

use serde_json::json;

use crate::archive::{Archive, FIRST, LINEAGE, SECOND, at, shop_entries};
use crate::run::{run, run_with};

#[test]
fn an_archive_that_is_not_there_is_told_by_its_location() {
    let empty = tempfile::tempdir().unwrap();
    let url = format!("file://{}", empty.path().display());
    run(&["status"]).assert_error(2, &["no archive is named", "TIDEMARK_ARCHIVE"]);
    run(&["status", "--archive", ""]).assert_error(2, &["no archive is named"]);
    run(&["status", "--archive", &url]).assert_error(3, &["there is no archive here", &url]);
    run(&["status", "--archive", &format!("{url}/missing")]).assert_error(8, &["missing"]);
    run(&["status", "--archive", "ftp://host/x"]).assert_error(2, &["ftp://host/x", "file://"]);
    run(&["status", "--archive", "/tmp/x"]).assert_error(2, &["file:///tmp/x"]);
}

#[test]
fn a_flag_wins_over_the_environment_wherever_it_stands() {
    let archive = Archive::sample();
    let wrong = [("TIDEMARK_ARCHIVE", "file:///nowhere/at/all")];
    let url = archive.url();
    run_with(&wrong, &["status"]).assert_error(8, &["/nowhere/at/all"]);
    run_with(&wrong, &["status", "--archive", &url]).assert_ok();
    run_with(&wrong, &["--archive", &url, "status"]).assert_ok();
    run_with(&[("TIDEMARK_ARCHIVE", &url), ("TIDEMARK_LINEAGE", "other-1")], &["plan", "--to", "latest"])
        .assert_error(3, &["other-1"]);
}

#[test]
fn a_usage_error_with_json_is_an_object_too() {
    for (args, command) in [
        (&["plan", "--json"][..], "plan"),
        (&["--json", "frobnicate"], "dr-cli"),
        (&["--json"], "dr-cli"),
        (&["find", "--op", "explode", "--json"], "find"),
        (&["restore", "--json", "--to", "latest"], "restore"),
    ] {
        let refused = run(args);
        refused.assert_error(2, &[]);
        let object = refused.json();
        assert_eq!(object["command"], command, "{args:?}");
        assert_eq!((&object["outcome"], &object["error"]["kind"]), (&json!("refused"), &json!("usage")), "{args:?}");
        assert_eq!(refused.stdout.lines().count(), 1);
    }
}

#[test]
fn help_and_version_go_to_stdout() {
    let help = run(&["--help"]);
    for command in ["status", "list", "show", "find", "plan", "restore", "release", "verify", "Exit codes"] {
        assert!(help.assert_ok().stdout.contains(command), "{command}");
    }
    assert!(run(&["plan", "--help"]).assert_ok().stdout.contains("before:1714566600:3"));
    assert!(run(&["--version"]).assert_ok().stdout.starts_with("dr-cli 0."));
}

#[test]
fn several_lineages_need_a_choice_where_one_is_meant() {
    let archive = Archive::sample();
    archive.add_lineage("rs1-00a1b2c3d4e5f60718293a4b");
    archive.run(&["plan", "--to", "latest"]).assert_error(2, &["several lineages", "--lineage", LINEAGE]);
    archive.run(&["plan", "--to", "latest", "--lineage", LINEAGE]).assert_ok();
    archive.run(&["plan", "--to", "latest", "--lineage", "rs2-0"]).assert_error(3, &["no lineage `rs2-0`"]);
    assert_eq!(archive.json(&["status"])["lineages"].as_array().unwrap().len(), 2);
    assert_eq!(archive.json(&["--lineage", LINEAGE, "status"])["lineages"].as_array().unwrap().len(), 1);
    assert_eq!(archive.json(&["list"])["snapshots"].as_array().unwrap().len(), 2);
}

#[test]
fn a_moment_that_only_one_lineage_holds_needs_no_choice() {
    const RECOVERED: &str = "rs0-00a1b2c3d4e5f60718293a4b";
    let mut archive = Archive::sample();
    archive.begin_lineage(RECOVERED);
    archive.add_slice(at(60, 1), &shop_entries(61, 80));
    archive.add_snapshot("20260101T000110Z-cccc", at(65, 1), at(70, 1));

    let lineage_of = |archive: &Archive, target: &str| archive.json(&["plan", "--to", target])["lineage"].clone();
    for target in [&at(22, 0).to_string(), &format!("before:{}", at(25, 1)), &format!("snapshot:{FIRST}")] {
        assert_eq!(lineage_of(&archive, target), LINEAGE, "{target}");
    }
    for target in [&at(75, 1).to_string(), "snapshot:20260101T000110Z-cccc"] {
        assert_eq!(lineage_of(&archive, target), RECOVERED, "{target}");
    }
    // What is in neither, and what means something in each.
    let neither = at(45, 1).to_string();
    archive.run(&["plan", "--to", &neither]).assert_error(4, &["no lineage of the archive", LINEAGE, RECOVERED]);
    archive.run(&["plan", "--to", "latest"]).assert_error(2, &["several lineages", "--lineage"]);
    archive.run(&["plan", "--to", "-5s"]).assert_error(2, &["several lineages", "--lineage"]);

    // Another that holds the moment, too.
    archive.begin_lineage("rs0-10a1b2c3d4e5f60718293a4b");
    archive.add_slice(at(0, 1), &shop_entries(1, 30));
    archive.add_snapshot("20260101T000012Z-dddd", at(5, 1), at(12, 1));
    let both = at(22, 0).to_string();
    archive.run(&["plan", "--to", &both]).assert_error(2, &["not certain", LINEAGE, "rs0-10a1", "--lineage"]);
    assert_eq!(lineage_of(&archive, &at(75, 1).to_string()), RECOVERED);

    // One that cannot be read may be the one that is meant.
    archive.damage(&format!("{RECOVERED}/lineage.json").parse().unwrap(), |bytes| bytes.truncate(9));
    archive.run(&["plan", "--to", &both]).assert_error(2, &["several lineages", "--lineage"]);
}

#[test]
fn a_lineage_that_may_have_held_the_moment_is_not_passed_over() {
    const OTHER: &str = "rs0-00a1b2c3d4e5f60718293a4b";
    let with_other = |mut archive: Archive, other: &str| {
        archive.begin_lineage(other);
        archive.add_slice(at(0, 1), &shop_entries(1, 40));
        archive.add_snapshot("20260101T000012Z-dddd", at(5, 1), at(12, 1));
        archive
    };
    // Its slice is gone there, so that only the other could be restored to it.
    let sample = Archive::sample();
    sample.put_mark(at(30, 1), Some(SECOND));
    sample.delete(&sample.slice_key(2));
    let archive = with_other(sample, OTHER);
    archive.run(&["plan", "--to", &at(25, 1).to_string()]).assert_error(2, &["not certain", LINEAGE, OTHER]);
    // A gap there.
    let sample = Archive::sample();
    sample.delete(&sample.slice_key(2));
    sample.add_gap(at(20, 1), at(30, 1));
    let archive = with_other(sample, OTHER);
    archive.run(&["plan", "--to", &at(25, 1).to_string()]).assert_error(2, &["not certain", LINEAGE, OTHER]);
    // Another set in the same archive, whatever it holds.
    let archive = with_other(Archive::sample(), "rs1-00a1b2c3d4e5f60718293a4b");
    archive.run(&["plan", "--to", &at(35, 1).to_string()]).assert_error(2, &["several lineages", LINEAGE, "rs1-"]);
}

#[test]
fn a_broken_or_newer_archive_marker_stops_everything() {
    let archive = Archive::sample();
    let marker = archive::layout::ObjectKey::Archive;
    archive.damage(&marker, |bytes| *bytes = b"{\"format\": 2}".to_vec());
    for command in [&["status"][..], &["list"], &["plan", "--to", "latest"], &["verify"]] {
        archive.run(command).assert_error(5, &["archive.json", "format 2", "newer release"]);
    }
    archive.damage(&marker, |bytes| bytes.truncate(10));
    archive.run(&["status"]).assert_error(5, &["archive.json"]);
}

#[test]
fn an_invalid_log_filter_is_a_usage_error() {
    let archive = Archive::sample();
    archive.run(&["status", "--log-level", "=;="]).assert_error(2, &["--log-level"]);
    archive.run(&["status", "--log-level", "debug"]);
    fs::metadata(archive.path(&archive::layout::ObjectKey::Archive)).unwrap();
}
