//! A file that is written to, with those that were rotated away from it: which file is which stream, and what became of
//! streams whose file is gone.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::follower::Counters;
use crate::identity::{FileId, Fingerprint, head, open, tells_copies};
use crate::positions::Position;
use crate::source::Source;
use crate::stream::{Boundary, Health, Line, Stream};

/// What rotation makes of a file that is complete; its contents were read before, under the name without this ending.
const COMPRESSED: [&str; 7] = [".gz", ".zst", ".bz2", ".xz", ".lz4", ".zip", ".tmp"];

#[derive(Debug)]
pub struct Family {
    pub source: Source,
    folder: PathBuf,
    name: OsString,
    /// Oldest first.
    pub streams: Vec<Stream>,
    /// Copies of streams that are still there themselves.
    copies: Vec<Copy>,
    /// Files that do not tell yet whether they are copies, with when they were first seen.
    undecided: HashMap<FileId, Duration>,
    /// Files that could not be opened at the last look.
    pub unreadable: usize,
    is_gone: bool,
    /// The file that was written to in an earlier run is still to be found.
    awaits_current: bool,
}

/// Size and time of the last change: while both stay, a file that is not written to need not be looked into.
pub type Stamp = (u64, i64, i64);

/// A file with the contents of a stream that has a file of its own.
#[derive(Debug)]
struct Copy {
    id: FileId,
    print: Fingerprint,
    stamp: Stamp,
}

/// A file of the family, as the folder lists it.
struct Found {
    id: FileId,
    path: PathBuf,
    name: OsString,
    is_current: bool,
    stamp: Stamp,
}

impl Found {
    fn size(&self) -> u64 {
        self.stamp.0
    }
}

impl Family {
    pub fn new(root: &Path, path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_owned();
        let folder = root.join(path.parent()?);
        let source = Source::of(path);
        Some(Self {
            source,
            folder,
            name,
            streams: Vec::new(),
            copies: Vec::new(),
            undecided: HashMap::new(),
            unreadable: 0,
            is_gone: false,
            awaits_current: false,
        })
    }

    /// Takes up a stream where an earlier run left it.
    pub fn resume(&mut self, position: &Position, now: Duration) {
        let mut stream = Stream::new(position.id, None, now);
        stream.print = position.print.clone();
        (stream.read, stream.committed, stream.size) = (position.committed, position.committed, position.committed);
        (stream.is_current, stream.is_drained) = (position.current, position.drained);
        stream.is_resumed = true;
        self.awaits_current |= position.current;
        self.streams.push(stream);
    }

    pub fn positions(&self) -> impl Iterator<Item = Position> {
        self.streams.iter().map(|stream| Position {
            path: self.source.path.clone(),
            id: stream.id,
            print: stream.print.clone(),
            committed: stream.committed,
            current: stream.is_current,
            drained: stream.is_drained,
        })
    }

    /// Whether nothing is left of it.
    pub fn is_over(&self) -> bool {
        self.is_gone && self.streams.is_empty()
    }

    /// Brings the streams up to date with what is in the folder.
    pub fn look(&mut self, now: Duration, quiet: Duration, counters: &mut Counters) {
        let mut heads = Heads::default();
        // First what the open files have become, then the folder: a copy is complete before its original is truncated, so it is
        // in a listing that comes after the truncation was seen.
        let mut truncated = Vec::new();
        for stream in &mut self.streams {
            match stream.look(now) {
                Ok(Health::Intact) => {}
                Ok(Health::Truncated) => truncated.push(stream.id),
                Err(_) => heads.unreadable += 1,
            }
        }
        let found = self.list();
        for id in truncated {
            self.begin_anew(id, &found, now, counters, &mut heads);
        }
        // The file that is written to comes first: when it and a copy of it are seen for the first time, it is the original.
        for file in found.iter().rev() {
            self.recognise(file, &found, (now, quiet), counters, &mut heads);
        }
        self.unreadable = heads.unreadable;
        self.copies.retain(|copy| found.iter().any(|file| file.id == copy.id));
        self.undecided.retain(|id, _| found.iter().any(|file| file.id == *id));
        if std::mem::take(&mut self.awaits_current)
            && !self.streams.iter().any(|stream| stream.is_resumed && stream.is_current && stream.file.is_some())
        {
            // It was rotated while nobody looked; what was written and removed in between left no trace.
            counters.uncertain += 1;
        }
        self.drop_vanished(&found, counters);
        let order = |stream: &Stream| found.iter().position(|file| file.id == stream.id);
        self.streams.sort_by_key(|stream| (stream.is_current, order(stream)));
    }

    /// A stream whose file was truncated goes on in a copy, if there is one; the file itself begins anew.
    fn begin_anew(&mut self, id: FileId, found: &[Found], now: Duration, counters: &mut Counters, heads: &mut Heads) {
        let is_it = |stream: &Stream| stream.id == id && stream.file.is_some();
        let Some(index) = self.streams.iter().position(is_it) else { return };
        let Some(stream) = self.streams.get_mut(index) else { return };
        counters.truncations += 1;
        counters.uncertain += 1;
        let Some(file) = stream.file.take() else { return };
        let mut fresh = Stream::new(stream.id, Some(file), now);
        fresh.is_current = stream.is_current;
        // The beginning that it has now.
        fresh.look(now).ok();
        let print = stream.print.clone();
        // A stream that is not open may have the inode of a file that was deleted, and became this one. Of an empty one nothing
        // else is known.
        let known = &self.streams;
        let belongs = |file: &Found, head: &[u8]| {
            let begins = |stream: &Stream| !stream.print.is_empty() && stream.print.begins(head);
            let is_it = |stream: &Stream| stream.id == file.id && (stream.file.is_some() || begins(stream));
            known.iter().any(is_it)
        };
        let is_copy = |file: &&Found| {
            let head = heads.of(file).filter(|head| print.tells_copies() && print.begins(head));
            head.is_some_and(|head| !belongs(file, head))
        };
        // Of several copies the longest has most.
        let copy = found.iter().filter(is_copy).max_by_key(|file| file.size()).map(|file| (file.id, open(&file.path)));
        let Some(stream) = self.streams.get_mut(index) else { return };
        if let Some((id, Ok(file))) = copy {
            go_on_in(stream, id, file, now, counters);
            self.copies.retain(|copy| copy.id != id);
            self.streams.push(fresh);
        } else {
            counters.lost_bytes += stream.unread();
            *stream = fresh;
        }
    }

    /// Finds the stream of a file, or makes one.
    fn recognise(
        &mut self,
        file: &Found,
        found: &[Found],
        (now, quiet): (Duration, Duration),
        counters: &mut Counters,
        heads: &mut Heads,
    ) {
        let is_unchanged = |stream: &Stream| stream.is_drained && stream.stamp == Some(file.stamp);
        let is_own = |stream: &&mut Stream| stream.id == file.id && (stream.file.is_some() || is_unchanged(stream));
        if let Some(stream) = self.streams.iter_mut().find(is_own) {
            stream.is_current = file.is_current;
            return;
        }
        if self.copies.iter().any(|copy| copy.id == file.id && copy.stamp == file.stamp) {
            return;
        }
        // An inode that we do not hold open may have become another file.
        let Some(head) = heads.of(file).map(<[u8]>::to_vec) else { return };
        let head = head.as_slice();
        let is_copy = self.streams.iter().any(|stream| stream.id != file.id && is_copy_of(stream, head));
        // Any file begins like one that was empty: a copy that has its inode does not go on with it.
        let begins = |stream: &Stream| stream.print.begins(head) && !(is_copy && stream.print.is_empty());
        let goes_on = |stream: &&mut Stream| stream.id == file.id && begins(stream) && file.size() >= stream.read;
        if let Some(stream) = self.streams.iter_mut().find(goes_on) {
            stream.is_current = file.is_current;
            stream.stamp = Some(file.stamp);
            // It was empty when its position was saved: whether this is still the same file cannot be told.
            counters.uncertain += u64::from(stream.is_resumed && stream.print.is_empty() && !head.is_empty());
            if !stream.is_drained || file.size() > stream.read {
                stream.is_drained = false;
                stream.grew_at = now;
                stream.file = open(&file.path).ok();
                stream.look(now).ok();
            }
            return;
        }
        self.copies.retain(|copy| copy.id != file.id);
        if let Some(index) = self.streams.iter().position(|stream| stream.id != file.id && is_copy_of(stream, head)) {
            let Some(stream) = self.streams.get_mut(index) else { return };
            let own = found.iter().find(|file| file.id == stream.id && file.size() >= stream.read);
            let is_there = own.and_then(|own| heads.of(own)).is_some_and(|head| stream.print.begins(head));
            if stream.file.is_some() || stream.is_drained || is_there {
                self.copies.push(Copy { id: file.id, print: stream.print.clone(), stamp: file.stamp });
            } else if let Ok(opened) = open(&file.path) {
                // From before a restart: its own file became another one, and this is the copy that was made.
                counters.uncertain += 1;
                go_on_in(stream, file.id, opened, now, counters);
            }
            return;
        }
        // Whoever makes a copy has written nothing, or little, of it at first.
        let since = *self.undecided.entry(file.id).or_insert(now);
        if !file.is_current && !tells_copies(head) && now.saturating_sub(since) < quiet {
            return;
        }
        self.undecided.remove(&file.id);
        match open(&file.path) {
            Ok(opened) => {
                let mut stream = Stream::new(file.id, Some(opened), now);
                stream.is_current = file.is_current;
                stream.look(now).ok();
                self.streams.push(stream);
            }
            Err(_) => heads.unreadable += 1,
        }
    }

    /// Streams without an open file whose file is not there.
    fn drop_vanished(&mut self, found: &[Found], counters: &mut Counters) {
        let open: Vec<FileId> =
            self.streams.iter().filter(|stream| stream.file.is_some()).map(|stream| stream.id).collect();
        let unreadable = self.unreadable > 0;
        let copies = &mut self.copies;
        self.streams.retain_mut(|stream| {
            // An inode may have become another stream's.
            let is_there = found.iter().any(|file| file.id == stream.id) && !open.contains(&stream.id);
            if stream.file.is_some() || (is_there && (stream.is_drained || unreadable)) {
                return true;
            }
            if !stream.is_drained {
                // It was not read to its end before it went.
                counters.uncertain += 1;
                return false;
            }
            // While a copy is there it must be known that its contents were read.
            let Some(copy) = copies.iter().position(|copy| copy.print == stream.print) else { return false };
            let copy = copies.swap_remove(copy);
            stream.id = copy.id;
            stream.stamp = Some(copy.stamp);
            stream.read = stream.read.min(copy.stamp.0);
            stream.committed = stream.read;
            true
        });
    }

    /// Ends what was rotated away, or whose folder is gone, when it has been quiet for long enough.
    pub fn finish_quiet(
        &mut self,
        now: Duration,
        quiet: Duration,
        counters: &mut Counters,
        sink: &mut dyn FnMut(&Source, Line<'_>) -> Boundary,
    ) {
        let has_current = self.streams.iter().any(|stream| stream.is_current && stream.links() > 0);
        let replaced = has_current || self.is_gone;
        for stream in &mut self.streams {
            let is_old = !stream.is_current || stream.links() == 0;
            let is_quiet = stream.behind() == 0 && now.saturating_sub(stream.grew_at) >= quiet;
            if stream.file.is_some() && is_old && replaced && is_quiet {
                stream.finish(&mut |line| {
                    counters.count(line);
                    sink(&self.source, line)
                });
            }
        }
    }

    /// Files of the family, oldest first. None when the folder is gone.
    fn list(&mut self) -> Vec<Found> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.is_gone = error.kind() == io::ErrorKind::NotFound;
                return Vec::new();
            }
        };
        self.is_gone = false;
        let mut found: Vec<Found> = entries
            .flatten()
            .filter(|entry| belongs(&self.name, &entry.file_name()))
            .filter_map(|entry| {
                // Not following links.
                let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
                let name = entry.file_name();
                Some(Found {
                    id: FileId::of(&metadata),
                    path: entry.path(),
                    is_current: name == self.name,
                    name,
                    stamp: (metadata.len(), metadata.mtime(), metadata.mtime_nsec()),
                })
            })
            .collect();
        let order = |file: &Found| (file.is_current, file.stamp.1, file.stamp.2, file.name.clone());
        found.sort_by_cached_key(order);
        found.dedup_by_key(|file| file.id);
        found
    }
}

/// Whether a file with this head has the contents of the stream, or is becoming a copy of it.
fn is_copy_of(stream: &Stream, head: &[u8]) -> bool {
    let is_complete = stream.print.tells_copies() && stream.print.begins(head);
    is_complete || (tells_copies(head) && stream.head().is_some_and(|own| own.starts_with(head)))
}

/// The contents of a stream are in a copy from now on, which may be shorter than what was read of the original.
fn go_on_in(stream: &mut Stream, id: FileId, copy: File, now: Duration, counters: &mut Counters) {
    let size = copy.metadata().map_or(0, |metadata| metadata.len());
    stream.move_to(id, copy);
    stream.grew_at = now;
    if !matches!(stream.look(now), Ok(Health::Intact)) {
        counters.lost_bytes += stream.unread();
        stream.finish(&mut |_| Boundary::Complete);
        stream.read = stream.read.min(size);
        stream.committed = stream.read;
    }
}

/// Heads of files that are not open, each read once for a look at the folder.
#[derive(Default)]
struct Heads {
    known: HashMap<FileId, Vec<u8>>,
    unreadable: usize,
}

impl Heads {
    fn of(&mut self, file: &Found) -> Option<&[u8]> {
        match self.known.entry(file.id) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(place) => match open(&file.path).and_then(|file| head(&file)) {
                Ok(head) => Some(place.insert(head)),
                Err(error) => {
                    self.unreadable += usize::from(error.kind() != io::ErrorKind::NotFound);
                    None
                }
            },
        }
    }
}

fn belongs(base: &OsStr, name: &OsStr) -> bool {
    let Some(rest) = name.as_bytes().strip_prefix(base.as_bytes()) else { return false };
    let rotated = rest.first() == Some(&b'.') && rest.len() > 1;
    rest.is_empty() || (rotated && !COMPRESSED.iter().any(|ending| rest.ends_with(ending.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_a_file_and_what_was_rotated_away_from_it() {
        for (name, expected) in [
            ("mongod.log", true),
            ("mongod.log.2026-11-28T20-18-49", true),
            ("mongod.log.1", true),
            ("mongod.log.1.gz", false),
            ("mongod.log.gz", false),
            ("mongod.log.20261128.tmp", false),
            ("mongod.log.", false),
            ("mongod.log2", false),
            ("mongod", false),
        ] {
            assert_eq!(belongs(OsStr::new("mongod.log"), OsStr::new(name)), expected, "{name}");
        }
    }
}
