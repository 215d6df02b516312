//! What `restore` refuses before it has a destination.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::archive::{Archive, FIRST, LINEAGE, USERS, at};
use crate::run::Finished;

/// Nothing listens there; whoever gets that far waits for ten seconds and fails with 8.
const NOBODY: &str = "mongodb://127.0.0.1:1/";

/// Whoever gets as far as to connect fails at once.
const MALFORMED: &str = "nonsense://127.0.0.1:1/";

fn restore<'a>(args: &[&'a str]) -> Vec<&'a str> {
    ["restore", "--destination", MALFORMED, "--json"].into_iter().chain(args.iter().copied()).collect()
}

struct Saved {
    archive: Archive,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Saved {
    fn new(target: &str) -> Self {
        let archive = Archive::sample();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plan.json");
        let plan = archive.run(&["plan", "--to", target, "--json"]);
        fs::write(&file, &plan.assert_ok().stdout).unwrap();
        Self { archive, file, _folder: folder }
    }

    fn path(&self) -> &str {
        self.file.to_str().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut plan: Value = serde_json::from_slice(&fs::read(&self.file).unwrap()).unwrap();
        change(&mut plan);
        fs::write(&self.file, plan.to_string()).unwrap();
    }
}

#[test]
fn without_a_terminal_restore_needs_yes() {
    let archive = Archive::sample();
    archive.run(&restore(&["--to", "latest"])).assert_error(2, &["--yes"]);
}

#[test]
fn a_restore_without_a_destination_is_a_usage_error() {
    let archive = Archive::sample();
    archive.run(&["restore", "--to", "latest", "--yes"]).assert_error(2, &["--destination"]);
}

#[test]
fn a_target_that_cannot_be_restored_is_refused_before_the_destination_is_asked() {
    let archive = Archive::sample();
    archive.run(&restore(&["--yes", "--to", "1767225630:2"])).assert_error(4, &["lies after"]);
}

#[test]
fn a_destination_that_does_not_answer_is_unreachable() {
    let archive = Archive::sample();
    let failed = archive.run(&["restore", "--yes", "--to", "latest", "--json", "--destination", NOBODY]);
    failed.assert_error(8, &["127.0.0.1:1"]);
    assert_eq!(failed.json()["outcome"], "failed");
}

#[test]
fn a_saved_plan_is_executed_as_long_as_it_holds() {
    let saved = Saved::new(&format!("before:{}", at(25, 1)));
    let run = |args: &[&str]| saved.archive.run(&restore(&[&["--yes", "--plan", saved.path()], args].concat()));
    // It is accepted: only the destination cannot be understood.
    run(&[]).assert_error(2, &["nonsense"]);
    run(&["--to", &format!("before:{}", at(25, 1))]).assert_error(2, &["nonsense"]);
    run(&["--to", "latest"]).assert_error(2, &["another target"]);
    run(&["--lineage", "other-1"]).assert_error(2, &["another lineage"]);
    run(&["--snapshot", FIRST]).assert_error(2, &["--snapshot"]);

    saved.archive.delete(&saved.archive.slice_key(2));
    run(&[]).assert_error(4, &["no longer holds", "slice", "dr-cli plan --to before:"]);
}

#[test]
fn a_saved_plan_of_a_damaged_or_expired_snapshot_is_refused() {
    let saved = Saved::new(&format!("snapshot:{FIRST}"));
    let run = || saved.archive.run(&restore(&["--yes", "--plan", saved.path()]));
    saved.archive.delete(&saved.archive.segment_key(FIRST, USERS, 0));
    run().assert_error(4, &["no longer holds", "is missing"]);
    saved.archive.delete(&saved.archive.manifest_key(FIRST));
    run().assert_error(4, &["no longer holds", FIRST]);
}

#[test]
fn a_plan_that_was_edited_or_is_none_is_refused() {
    let saved = Saved::new("latest");
    let run = || saved.archive.run(&restore(&["--yes", "--plan", saved.path()]));
    saved.change(|plan| {
        plan["plan"]["slices"].as_array_mut().unwrap().remove(0);
    });
    run().assert_error(4, &["without a break"]);
    saved.change(|plan| plan["plan"]["target"]["resolved"] = json!(at(40, 1).to_string()));
    run().assert_error(4, &["without a break"]);
    saved.change(|plan| plan["plan"]["lineage"] = json!("rs9-0"));
    run().assert_error(3, &["rs9-0", LINEAGE]);
    saved.change(|plan| plan["command"] = json!("status"));
    run().assert_error(2, &["not a saved plan"]);
    fs::write(&saved.file, "{").unwrap();
    run().assert_error(2, &["not a saved plan", saved.path()]);
    fs::remove_file(&saved.file).unwrap();
    run().assert_error(2, &["cannot be read", saved.path()]);
}

#[test]
fn a_password_in_the_destination_appears_nowhere() {
    let archive = Archive::sample();
    let secret = "nonsense://root:hunter2@127.0.0.1:1/";
    let failed = archive.run(&["restore", "--to", "latest", "--yes", "--json", "--destination", secret]);
    failed.assert_error(2, &["warning: --destination holds a secret"]);
    assert!(!failed.stderr.contains("hunter2") && !failed.stdout.contains("hunter2"), "{}", failed.stderr);
    archive.run(&["release", "--destination", MALFORMED]).assert_error(2, &["nonsense"]);
}

#[test]
fn ctrl_c_exits_with_130_and_says_how_to_go_on() {
    let archive = Archive::sample();
    let mut child = Command::new(env!("CARGO_BIN_EXE_dr-cli"))
        .args(["restore", "--to", "latest", "--yes", "--json", "--destination", NOBODY, "--archive", &archive.url()])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The plan is shown before the destination is asked, which takes seconds here.
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut text = String::new();
    stderr.read_line(&mut text).unwrap();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    stderr.read_to_string(&mut text).unwrap();
    let output = child.wait_with_output().unwrap();
    let finished = Finished {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: text,
    };
    finished.assert_error(130, &["Ctrl-C", "run the same command again"]);
    assert_eq!(finished.json()["error"]["kind"], "cancelled");
}
