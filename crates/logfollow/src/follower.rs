//! All files below a folder, polled.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::family::Family;
use crate::pattern::Pattern;
use crate::positions::{self, Loaded, Positions};
use crate::source::Source;
use crate::stream::{Boundary, Health, Line, Stream};

/// Read at once from one file; what a file may take before it is the turn of the next.
const CHUNK: usize = 256 << 10;

#[derive(Debug, Clone)]
pub struct Settings {
    pub root: PathBuf,
    pub patterns: Vec<Pattern>,
    /// Where positions are kept; absent: every start reads from the beginning.
    pub positions: Option<PathBuf>,
    /// Bytes of the longest line that is handed over.
    pub longest_line: usize,
    /// How long a file that was rotated away may still be written to.
    pub quiet: Duration,
    /// How often new files are looked for. Rotation of known ones is seen at every poll.
    pub discover_every: Duration,
    /// Files that match are followed up to this number, and the others counted.
    pub most_families: usize,
}

impl Settings {
    pub fn new(root: PathBuf, patterns: Vec<Pattern>) -> Self {
        Self {
            root,
            patterns,
            positions: None,
            longest_line: 256 << 10,
            quiet: Duration::from_secs(10),
            discover_every: Duration::from_secs(5),
            most_families: 250,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the positions in {path} cannot be read: {source}")]
    Positions { path: String, source: io::Error },
}

/// Counted since the follower was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    pub read_bytes: u64,
    pub lines: u64,
    pub oversize_lines: u64,
    /// Files that were truncated while they were followed.
    pub truncations: u64,
    /// Seen, and gone before they were read.
    pub lost_bytes: u64,
    /// Times that more may have been lost, without any way to know.
    pub uncertain: u64,
    /// Reads that failed; they are tried again.
    pub read_errors: u64,
}

impl Counters {
    pub(crate) fn count(&mut self, line: Line<'_>) {
        self.lines += 1;
        self.oversize_lines += u64::from(line == Line::Oversize);
    }
}

/// What a poll did, and how things stand after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    pub read_bytes: u64,
    /// Seen and not yet read: the budget was too small.
    pub behind_bytes: u64,
    pub families: usize,
    /// Matching files beyond [`Settings::most_families`].
    pub not_followed: usize,
    /// Files that cannot be opened.
    pub unreadable: usize,
    /// Open files.
    pub open: usize,
}

#[derive(Debug)]
pub struct Follower {
    settings: Settings,
    families: BTreeMap<PathBuf, Family>,
    counters: Counters,
    not_followed: usize,
    discover_at: Option<Duration>,
    /// The family whose turn is next.
    turn: PathBuf,
    buffer: Vec<u8>,
}

impl Follower {
    /// Loads the positions. Positions that are none are told in the second result, and everything is read again. `now`
    /// is, here and below, the time since any fixed moment.
    pub fn open(settings: Settings, now: Duration) -> Result<(Self, Option<String>), OpenError> {
        let mut follower = Self {
            settings,
            families: BTreeMap::new(),
            counters: Counters::default(),
            not_followed: 0,
            discover_at: None,
            turn: PathBuf::new(),
            buffer: vec![0; CHUNK],
        };
        let Some(path) = follower.settings.positions.clone() else { return Ok((follower, None)) };
        let loaded = positions::load(&path);
        match loaded.map_err(|source| OpenError::Positions { path: path.display().to_string(), source })? {
            Loaded::Absent => Ok((follower, None)),
            Loaded::Positions(positions) => {
                follower.resume(&positions, now);
                Ok((follower, None))
            }
            Loaded::Unreadable(reason) => {
                follower.counters.uncertain += 1;
                Ok((follower, Some(reason)))
            }
        }
    }

    /// Looks for files and reads at most about `budget` bytes (one chunk of 256 KiB more at most), handing over every complete
    /// line with the file it is from.
    pub fn poll(
        &mut self,
        now: Duration,
        budget: usize,
        sink: &mut dyn FnMut(&Source, Line<'_>) -> Boundary,
    ) -> Progress {
        if self.discover_at.is_none_or(|at| now >= at) {
            self.discover_at = Some(now + self.settings.discover_every);
            self.discover();
        }
        let before = self.counters.read_bytes;
        for family in self.families.values_mut() {
            family.look(now, self.settings.quiet, &mut self.counters);
        }
        self.read(now, budget as u64, sink);
        for family in self.families.values_mut() {
            family.finish_quiet(now, self.settings.quiet, &mut self.counters, sink);
        }
        self.families.retain(|_, family| !family.is_over());
        let mut progress = self.standing();
        progress.read_bytes = self.counters.read_bytes - before;
        progress
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What is followed.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.families.values().map(|family| &family.source)
    }

    /// Keeps for the next start what was handed over so far. To be called when that has been used.
    pub fn save(&self) -> io::Result<()> {
        let Some(path) = &self.settings.positions else { return Ok(()) };
        let streams = self.families.values().flat_map(Family::positions).collect();
        positions::save(path, &Positions { streams })
    }

    fn resume(&mut self, positions: &Positions, now: Duration) {
        for position in &positions.streams {
            let root = &self.settings.root;
            if !self.families.contains_key(&position.path) {
                let Some(family) = Family::new(root, &position.path) else { continue };
                self.families.insert(position.path.clone(), family);
            }
            if let Some(family) = self.families.get_mut(&position.path) {
                family.resume(position, now);
            }
        }
    }

    fn standing(&self) -> Progress {
        let streams = || self.families.values().flat_map(|family| &family.streams);
        Progress {
            read_bytes: 0,
            behind_bytes: streams().map(Stream::behind).sum(),
            families: self.families.len(),
            not_followed: self.not_followed,
            unreadable: self.families.values().map(|family| family.unreadable).sum(),
            open: streams().filter(|stream| stream.file.is_some()).count(),
        }
    }

    /// In turns of one chunk, so that nobody's flood keeps the others waiting; the next poll goes on with the next family.
    fn read(&mut self, now: Duration, budget: u64, sink: &mut dyn FnMut(&Source, Line<'_>) -> Boundary) {
        let end = self.counters.read_bytes + budget;
        let mut waiting: Vec<PathBuf> =
            self.families.range(self.turn.clone()..).map(|(path, _)| path.clone()).collect();
        waiting.extend(self.families.range(..self.turn.clone()).map(|(path, _)| path.clone()));
        while !waiting.is_empty() {
            let mut still = Vec::new();
            for path in waiting {
                if self.counters.read_bytes >= end {
                    self.turn = path;
                    return;
                }
                if self.read_chunk(&path, now, sink) {
                    still.push(path);
                }
            }
            waiting = still;
        }
    }

    /// One chunk of a family's oldest file that has more; false when there is nothing more.
    fn read_chunk(&mut self, path: &Path, now: Duration, sink: &mut dyn FnMut(&Source, Line<'_>) -> Boundary) -> bool {
        let Some(family) = self.families.get_mut(path) else { return false };
        for stream in &mut family.streams {
            let length = match stream.peek(&mut self.buffer) {
                Ok(0) => continue,
                Ok(length) => length,
                Err(_) => {
                    self.counters.read_errors += 1;
                    continue;
                }
            };
            // What was read is only believed when the file was not truncated, and written again, meanwhile.
            let bytes = self.buffer.get(..length).unwrap_or_default();
            match stream.confirm(bytes, now) {
                Ok(Health::Intact) => {}
                // The next poll sorts it out.
                Ok(Health::Truncated) => continue,
                Err(_) => {
                    self.counters.read_errors += 1;
                    continue;
                }
            }
            let counters = &mut self.counters;
            let source = &family.source;
            let mut counted = |line: Line<'_>| {
                counters.count(line);
                sink(source, line)
            };
            stream.consume(bytes, self.settings.longest_line, &mut counted);
            self.counters.read_bytes += length as u64;
            return true;
        }
        false
    }

    fn discover(&mut self) {
        let mut matches = Vec::new();
        for pattern in &self.settings.patterns {
            walk(&self.settings.root, Path::new(""), 0, pattern, &mut matches);
        }
        matches.sort();
        matches.dedup();
        self.not_followed = 0;
        for path in matches {
            if self.families.contains_key(&path) {
                continue;
            }
            if self.families.len() >= self.settings.most_families {
                self.not_followed += 1;
            } else if let Some(family) = Family::new(&self.settings.root, &path) {
                self.families.insert(path, family);
            }
        }
    }
}

/// Folders that cannot be read are as good as empty; they are looked at again.
fn walk(root: &Path, at: &Path, depth: usize, pattern: &Pattern, matches: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(root.join(at)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !name.to_str().is_some_and(|name| pattern.matches_at(depth, name)) {
            continue;
        }
        let path = at.join(&name);
        let Ok(kind) = entry.file_type() else { continue };
        if depth + 1 == pattern.depth() {
            if kind.is_file() {
                matches.push(path);
            }
        } else if kind.is_dir() {
            walk(root, &path, depth + 1, pattern, matches);
        }
    }
}
