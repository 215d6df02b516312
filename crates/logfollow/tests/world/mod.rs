//! A folder with the logs of three pods, what writes them, and one follower after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use logfollow::{Boundary, Counters, Follower, Line, Settings};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

const LONGEST: usize = 8 << 10;

/// Of this run, or the one to repeat. Printed, so that a failure can be repeated.
pub fn seeds(count: u64) -> Vec<u64> {
    let given = std::env::var("TIDEMARK_SEED").ok().map(|text| text.parse().expect("TIDEMARK_SEED is a number"));
    let first: u64 = given.unwrap_or_else(|| rand::rng().random::<u32>().into());
    println!("TIDEMARK_SEED={first} and following");
    (first..first + if given.is_some() { 1 } else { count }).collect()
}

pub struct World {
    rng: Xoshiro256PlusPlus,
    root: TempDir,
    state: TempDir,
    logs: Vec<Log>,
    follower: Option<Follower>,
    now: Duration,
    destructive: bool,
    next_line: u64,
    rotations: u64,
    disruptions: u64,
    written: BTreeSet<u64>,
    delivered: BTreeMap<u64, u64>,
    since_save: Vec<u64>,
    may_repeat: BTreeMap<u64, u64>,
    destroyed: BTreeSet<u64>,
    counters: Counters,
    history: String,
}

struct Log {
    folder: PathBuf,
    file: File,
    rotated: Vec<PathBuf>,
    /// The end of a line whose beginning is in the file.
    pending: Option<(u64, Vec<u8>)>,
    /// The file was renamed and is still written to.
    reopen_late: bool,
}

pub struct End {
    pub lost: Vec<u64>,
    pub destroyed: BTreeSet<u64>,
    pub repeated: Vec<u64>,
    pub counters: Counters,
    pub history: String,
}

fn append(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

impl World {
    pub fn new(seed: u64, destructive: bool) -> Self {
        let root = tempfile::tempdir().unwrap();
        let logs = (0..3)
            .map(|pod| {
                let folder = root.path().join(format!("shop_db-{pod}_uid/mongod"));
                fs::create_dir_all(&folder).unwrap();
                let file = append(&folder.join("0.log"));
                Log { folder, file, rotated: Vec::new(), pending: None, reopen_late: false }
            })
            .collect();
        let mut world = Self {
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            root,
            state: tempfile::tempdir().unwrap(),
            logs,
            follower: None,
            now: Duration::ZERO,
            destructive,
            next_line: 0,
            rotations: 0,
            disruptions: 0,
            written: BTreeSet::new(),
            delivered: BTreeMap::new(),
            since_save: Vec::new(),
            may_repeat: BTreeMap::new(),
            destroyed: BTreeSet::new(),
            counters: Counters::default(),
            history: String::new(),
        };
        world.open();
        // The first start knows of nothing; what is lost before the first save is lost in silence.
        world.poll_with(0);
        world.save();
        world
    }

    pub fn disruptions(&self) -> u64 {
        self.disruptions
    }

    /// Until so many disruptions have happened.
    pub fn run(&mut self, disruptions: u64) {
        while self.disruptions < disruptions {
            let pod = self.rng.random_range(0..self.logs.len());
            match self.rng.random_range(0..100) {
                40..60 => self.poll(),
                60..68 => self.save(),
                68..76 => self.kill(),
                76..84 => self.rename(pod),
                84..90 => self.copy_and_truncate(pod),
                90..100 if self.destructive => self.destroy(pod),
                _ => self.write(pod),
            }
        }
    }

    /// Reads what there is, and what is left over is lost.
    pub fn end(mut self) -> End {
        for pod in 0..self.logs.len() {
            self.finish_line(pod);
        }
        for _ in 0..5 {
            self.now += Duration::from_mins(1);
            self.poll_with(usize::MAX >> 1);
        }
        self.count();
        let lost = self.written.iter().copied().filter(|line| !self.delivered.contains_key(line)).collect();
        let allowed = |line: &u64| 1 + self.may_repeat.get(line).copied().unwrap_or(0);
        let repeated = self.delivered.iter().filter(|(line, times)| **times > allowed(line)).map(|(line, _)| *line);
        End {
            lost,
            repeated: repeated.collect(),
            destroyed: self.destroyed,
            counters: self.counters,
            history: self.history,
        }
    }

    fn note(&mut self, what: &str) {
        writeln!(self.history, "{:>6.1}s line {:>5}: {what}", self.now.as_secs_f64(), self.next_line).unwrap();
    }

    fn open(&mut self) {
        let pattern = "*/mongod/*.log".parse().unwrap();
        let mut settings = Settings::new(self.root.path().to_owned(), vec![pattern]);
        settings.positions = Some(self.state.path().join("positions"));
        settings.longest_line = LONGEST;
        let (follower, problem) = Follower::open(settings, self.now).unwrap();
        assert_eq!(problem, None);
        self.follower = Some(follower);
    }

    fn poll(&mut self) {
        self.now += Duration::from_millis(self.rng.random_range(0..4000));
        let budget = [0, 1, 1, usize::MAX >> 1][self.rng.random_range(0..4)];
        self.note(&format!("poll {budget}"));
        self.poll_with(budget);
    }

    fn poll_with(&mut self, budget: usize) {
        let (delivered, since_save) = (&mut self.delivered, &mut self.since_save);
        let Some(follower) = &mut self.follower else { return };
        follower.poll(self.now, budget, &mut |_, line| {
            if let Line::Whole(line) = line {
                let text = std::str::from_utf8(line).unwrap();
                let number: u64 = text.split(' ').next().unwrap().parse().unwrap();
                assert!(text.ends_with('.'), "line {number} is not whole: {text}");
                *delivered.entry(number).or_default() += 1;
                since_save.push(number);
            }
            Boundary::Complete
        });
    }

    fn save(&mut self) {
        self.note("save");
        self.follower.as_ref().unwrap().save().unwrap();
        self.since_save.clear();
    }

    /// Things go on while nobody follows.
    fn kill(&mut self) {
        self.note("kill");
        self.disruptions += 1;
        self.count();
        self.follower = None;
        for line in self.since_save.drain(..) {
            *self.may_repeat.entry(line).or_default() += 1;
        }
        if self.rng.random_bool(0.3) {
            fs::write(self.state.path().join("positions.new"), "{\"streams\":[{\"pa").unwrap();
        }
        for _ in 0..self.rng.random_range(0..4) {
            let pod = self.rng.random_range(0..self.logs.len());
            match self.rng.random_range(0..6) {
                0 => self.rename(pod),
                1 => self.copy_and_truncate(pod),
                2 if self.destructive => self.destroy(pod),
                _ => self.write(pod),
            }
        }
        self.note("restart");
        self.open();
    }

    fn count(&mut self) {
        let Some(follower) = &self.follower else { return };
        let counters = follower.counters();
        self.counters.lost_bytes += counters.lost_bytes;
        self.counters.uncertain += counters.uncertain;
        self.counters.truncations += counters.truncations;
    }

    fn line(&mut self) -> (u64, Vec<u8>) {
        let number = self.next_line;
        self.next_line += 1;
        // What begins alike is taken for a copy, so lines begin with their number, as real ones do with their time.
        let filling = "x".repeat(self.rng.random_range(80..2000));
        (number, format!("{number:012} {filling}.\n").into_bytes())
    }

    fn write(&mut self, pod: usize) {
        self.finish_line(pod);
        if self.logs[pod].reopen_late && self.rng.random_bool(0.5) {
            self.reopen(pod);
        }
        for _ in 0..self.rng.random_range(1..40) {
            let (number, bytes) = self.line();
            self.logs[pod].file.write_all(&bytes).unwrap();
            self.written.insert(number);
        }
        if self.rng.random_bool(0.3) {
            let (number, bytes) = self.line();
            let (now, later) = bytes.split_at(self.rng.random_range(70..bytes.len()));
            self.logs[pod].file.write_all(now).unwrap();
            self.logs[pod].pending = Some((number, later.to_vec()));
        }
    }

    fn finish_line(&mut self, pod: usize) {
        if let Some((number, rest)) = self.logs[pod].pending.take() {
            self.logs[pod].file.write_all(&rest).unwrap();
            self.written.insert(number);
        }
    }

    fn reopen(&mut self, pod: usize) {
        self.finish_line(pod);
        let log = &mut self.logs[pod];
        log.file = append(&log.folder.join("0.log"));
        log.reopen_late = false;
    }

    fn rotated_name(&mut self, pod: usize) -> PathBuf {
        self.rotations += 1;
        let name = self.logs[pod].folder.join(format!("0.log.{:06}", self.rotations));
        self.logs[pod].rotated.push(name.clone());
        name
    }

    fn rename(&mut self, pod: usize) {
        if self.logs[pod].reopen_late {
            self.reopen(pod);
        }
        self.disruptions += 1;
        self.note(&format!("rename {pod}"));
        let to = self.rotated_name(pod);
        fs::rename(self.logs[pod].folder.join("0.log"), to).unwrap();
        if self.rng.random_bool(0.3) {
            self.logs[pod].reopen_late = true;
        } else {
            self.reopen(pod);
        }
    }

    fn copy_and_truncate(&mut self, pod: usize) {
        if self.logs[pod].reopen_late {
            self.reopen(pod);
        }
        self.finish_line(pod);
        self.disruptions += 1;
        self.note(&format!("copy and truncate {pod}"));
        let to = self.rotated_name(pod);
        fs::copy(self.logs[pod].folder.join("0.log"), &to).unwrap();
        if self.rng.random_bool(0.3) {
            // Looking while there are two of them.
            self.poll();
        }
        if self.destructive && self.rng.random_bool(0.5) {
            let first = self.next_line;
            self.write(pod);
            self.finish_line(pod);
            self.at_risk((first..self.next_line).collect());
        }
        self.logs[pod].file.set_len(0).unwrap();
    }

    fn at_risk(&mut self, lines: BTreeSet<u64>) {
        self.destroyed.extend(lines.into_iter().filter(|line| !self.delivered.contains_key(line)));
    }

    fn lines_of(path: &Path) -> BTreeSet<u64> {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect()
    }

    fn destroy(&mut self, pod: usize) {
        if self.logs[pod].reopen_late {
            self.reopen(pod);
        }
        self.finish_line(pod);
        // What comes and goes between two looks leaves no trace.
        self.poll_with(0);
        self.disruptions += 1;
        let current = self.logs[pod].folder.join("0.log");
        match self.rng.random_range(0..10) {
            0..3 => {
                self.note(&format!("truncate {pod}"));
                self.at_risk(Self::lines_of(&current));
                self.logs[pod].file.set_len(0).unwrap();
            }
            3..9 => {
                let Some(oldest) = self.logs[pod].rotated.first().cloned() else { return };
                self.note(&format!("delete or compress {}", oldest.display()));
                self.at_risk(Self::lines_of(&oldest));
                if self.rng.random_bool(0.5) {
                    fs::write(oldest.with_extension("gz"), [0x1f, 0x8b, 8, 0]).unwrap();
                }
                fs::remove_file(oldest).unwrap();
                self.logs[pod].rotated.remove(0);
            }
            _ => {
                self.note(&format!("remove folder {pod}"));
                let rotated = std::mem::take(&mut self.logs[pod].rotated);
                for path in rotated.iter().chain([&current]) {
                    self.at_risk(Self::lines_of(path));
                }
                fs::remove_dir_all(&self.logs[pod].folder).unwrap();
                fs::create_dir_all(&self.logs[pod].folder).unwrap();
                self.reopen(pod);
            }
        }
    }
}
