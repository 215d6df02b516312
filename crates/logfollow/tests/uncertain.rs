//! Where nobody can know whether lines were lost, that is counted; where all is known, nothing is.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use logfollow::{Boundary, Counters, Follower, Settings};
use tempfile::TempDir;

/// Longer than the fingerprint of a file.
const ALL: usize = 1 << 20;

struct Run {
    root: TempDir,
    state: TempDir,
    follower: Option<Follower>,
    now: Duration,
}

fn lines(from: u32) -> String {
    (from..from + 40).fold(String::new(), |text, number| text + &format!("{number:012} {}.\n", "x".repeat(100)))
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

impl Run {
    /// A log with some lines.
    fn new() -> Self {
        let (root, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut run = Self { root, state, follower: None, now: Duration::ZERO };
        append(&run.log(), &lines(0));
        run.start();
        run
    }

    fn log(&self) -> PathBuf {
        self.root.path().join("mongod.log")
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn start(&mut self) {
        let mut settings = Settings::new(self.root.path().to_owned(), vec!["mongod.log".parse().unwrap()]);
        settings.positions = Some(self.state.path().join("positions.json"));
        self.follower = Some(Follower::open(settings, self.now).unwrap().0);
    }

    fn poll(&mut self, budget: usize) -> Counters {
        self.now += Duration::from_mins(1);
        let follower = self.follower.as_mut().unwrap();
        follower.poll(self.now, budget, &mut |_, _| Boundary::Complete);
        follower.counters()
    }

    /// Reads all, saves and ends; what happens next is seen by nobody.
    fn stop(&mut self) {
        self.poll(ALL);
        self.poll(ALL);
        let follower = self.follower.take().unwrap();
        follower.save().unwrap();
    }

    /// Of the first look after a start, with some more for what is decided later.
    fn resumed(&mut self) -> Counters {
        self.start();
        self.poll(ALL);
        self.poll(ALL)
    }
}

#[test]
fn rotation_and_a_restart_leave_no_doubt() {
    let mut run = Run::new();
    run.poll(ALL);
    fs::rename(run.log(), run.beside("mongod.log.1")).unwrap();
    append(&run.log(), &lines(100));
    assert_eq!(run.poll(ALL).uncertain, 0);
    run.stop();
    append(&run.log(), &lines(200));
    assert_eq!(run.resumed().uncertain, 0);
    run.stop();
    // Rotated meanwhile, with all that was written before.
    fs::rename(run.log(), run.beside("mongod.log.2")).unwrap();
    append(&run.log(), &lines(300));
    let counters = run.resumed();
    assert_eq!((counters.lost_bytes, counters.read_bytes), (0, lines(300).len() as u64));
}

#[test]
fn a_truncated_file_may_have_held_more() {
    let mut run = Run::new();
    run.poll(ALL);
    fs::write(run.log(), lines(100)).unwrap();
    assert_eq!(run.poll(ALL).uncertain, 1);
}

#[test]
fn a_rotation_between_two_runs_may_have_been_one_of_many() {
    let mut run = Run::new();
    run.stop();
    fs::rename(run.log(), run.beside("mongod.log.1")).unwrap();
    append(&run.log(), &lines(100));
    assert_eq!(run.resumed().uncertain, 1);
}

#[test]
fn a_file_that_went_between_two_runs_may_not_have_been_read_to_its_end() {
    let mut run = Run::new();
    run.stop();
    // Away with all that was rotated, and not followed any more.
    fs::remove_file(run.log()).unwrap();
    append(&run.log(), &lines(100));
    assert!(run.resumed().uncertain >= 1);
}

#[test]
fn a_file_that_was_empty_may_be_another_one() {
    let mut run = Run::new();
    run.poll(ALL);
    fs::rename(run.log(), run.beside("mongod.log.1")).unwrap();
    append(&run.log(), "");
    run.stop();
    append(&run.log(), &lines(100));
    assert_eq!(run.resumed().uncertain, 1);
}

#[test]
fn a_copy_in_the_place_of_a_truncated_file_may_lack_its_end() {
    let mut run = Run::new();
    run.stop();
    append(&run.log(), &lines(40));
    fs::copy(run.log(), run.beside("mongod.log.1")).unwrap();
    fs::write(run.log(), lines(200)).unwrap();
    let counters = run.resumed();
    assert!(counters.uncertain >= 1, "{counters:?}");
    assert_eq!(counters.read_bytes, (lines(40).len() + lines(200).len()) as u64, "the copy is read on");
}

#[test]
fn positions_that_cannot_be_read_leave_everything_in_doubt() {
    let mut run = Run::new();
    run.stop();
    fs::write(run.state.path().join("positions.json"), "{").unwrap();
    assert_eq!(run.resumed().uncertain, 1);
}
