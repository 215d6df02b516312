//! Copying and truncating as fast as it goes, while the follower reads: files become shorter and grow again between any two of its
//! steps.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use logfollow::{Boundary, Follower, Line, Settings};

const ROUNDS: u64 = 150;
/// While no truncation came between two steps of the reader, which a busy machine may keep from its turn.
const MOST_ROUNDS: u64 = 3000;
const LINES: u64 = 200;

/// How many rounds were written.
fn write(folder: &Path, was_truncated: &AtomicBool) -> u64 {
    let current = folder.join("mongod.log");
    let mut file = OpenOptions::new().append(true).create(true).open(&current).unwrap();
    let mut round = 0;
    while round < ROUNDS || (round < MOST_ROUNDS && !was_truncated.load(Ordering::Relaxed)) {
        for line in 0..LINES {
            let number = round * LINES + line;
            file.write_all(format!("{number:012} {}.\n", "x".repeat(100)).as_bytes()).unwrap();
        }
        fs::copy(&current, folder.join(format!("mongod.log.{round:06}"))).unwrap();
        file.set_len(0).unwrap();
        round += 1;
    }
    round
}

#[test]
fn no_line_is_lost_repeated_or_torn_while_files_are_truncated() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::new(folder.path().to_owned(), vec!["mongod.log".parse().unwrap()]);
    let (mut follower, _) = Follower::open(settings, Duration::ZERO).unwrap();
    let mut seen: BTreeMap<u64, u32> = BTreeMap::new();
    let mut sink = |_: &logfollow::Source, line: Line<'_>| {
        let Line::Whole(line) = line else { panic!("no line is that long") };
        let text = std::str::from_utf8(line).unwrap();
        assert!(text.len() == 114 && text.ends_with("x."), "torn: {text}");
        *seen.entry(text[..12].parse().unwrap()).or_default() += 1;
        Boundary::Complete
    };
    // The first look comes before the first line: what was there before is not what is tested.
    fs::write(folder.path().join("mongod.log"), "").unwrap();
    let start = Instant::now();
    let was_truncated = AtomicBool::new(false);
    let rounds = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(folder.path(), &was_truncated));
        while !writer.is_finished() {
            follower.poll(start.elapsed(), usize::MAX >> 1, &mut sink);
            was_truncated.store(follower.counters().truncations > 0, Ordering::Relaxed);
        }
        writer.join().unwrap()
    });
    for minute in 1..4 {
        follower.poll(start.elapsed() + Duration::from_mins(minute), usize::MAX >> 1, &mut sink);
    }
    let counters = follower.counters();
    let missing: Vec<u64> = (0..rounds * LINES).filter(|number| !seen.contains_key(number)).collect();
    let repeated: Vec<u64> = seen.iter().filter(|(_, times)| **times > 1).map(|(number, _)| *number).collect();
    println!("{counters:?}");
    assert!(missing.is_empty() && repeated.is_empty(), "missing {missing:?}, repeated {repeated:?}, {counters:?}");
    assert_eq!(counters.lost_bytes, 0);
    assert!(counters.truncations > 0, "nothing was truncated while it was read: {counters:?}");
}
