//! Inodes that are used again: a copy gets that of a file which was deleted, as a file system that has just freed it does. Written into
//! the old file here, because no file system promises it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use logfollow::{Boundary, Follower, Line, Settings};

fn lines(range: std::ops::Range<u32>) -> String {
    range.fold(String::new(), |text, number| text + &format!("{number:012} {}.\n", "x".repeat(100)))
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

struct Reader {
    follower: Follower,
    now: Duration,
    read: Vec<u32>,
}

impl Reader {
    fn poll(&mut self, budget: usize) {
        self.now += Duration::from_mins(1);
        let read = &mut self.read;
        self.follower.poll(self.now, budget, &mut |_, line| {
            if let Line::Whole(line) = line {
                read.push(std::str::from_utf8(line).unwrap()[..12].parse().unwrap());
            }
            Boundary::Complete
        });
    }
}

/// What is rotated away before anything was written to it is empty, and every file begins like an empty one.
#[test]
fn a_copy_with_the_inode_of_an_empty_file_is_a_copy() {
    for (is_truncated_at_once, reads_first) in [(false, true), (true, true), (true, false)] {
        let folder = tempfile::tempdir().unwrap();
        let (current, rotated) = (folder.path().join("mongod.log"), folder.path().join("mongod.log.1"));
        let settings = Settings::new(folder.path().to_owned(), vec!["mongod.log".parse().unwrap()]);
        let (follower, _) = Follower::open(settings, Duration::ZERO).unwrap();
        let mut reader = Reader { follower, now: Duration::ZERO, read: Vec::new() };
        append(&current, "");
        reader.poll(1 << 20);
        fs::rename(&current, &rotated).unwrap();
        append(&current, &lines(0..10));
        reader.poll(if reads_first { 1 << 20 } else { 0 });
        reader.poll(if reads_first { 1 << 20 } else { 0 });

        append(&rotated, &lines(0..10));
        if !is_truncated_at_once {
            reader.poll(1 << 20);
        }
        fs::write(&current, lines(10..12)).unwrap();
        reader.poll(1 << 20);
        reader.poll(1 << 20);
        reader.read.sort_unstable();
        assert_eq!(
            reader.read,
            (0..12).collect::<Vec<_>>(),
            "truncated at once: {is_truncated_at_once}, {reads_first}"
        );
    }
}
