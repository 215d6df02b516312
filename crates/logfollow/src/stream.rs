//! One file of a family: how far it was read, and the line that is not complete yet.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::time::Duration;

use crate::family::Stamp;
use crate::identity::{FileId, Fingerprint, HEAD, head};

/// What is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// Without its end.
    Whole(&'a [u8]),
    /// A line longer than [`crate::Settings::longest_line`]; its bytes were not kept.
    Oversize,
}

/// What the caller says of a line it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// After a restart reading may go on behind this line.
    Complete,
    /// The line belongs to a record whose end has not come yet: after a restart it is needed again.
    Open,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four facts of a file, independent of each other")]
pub struct Stream {
    pub id: FileId,
    pub print: Fingerprint,
    /// Bytes that were read; those of an unfinished line included.
    pub read: u64,
    /// Where reading begins after a restart.
    pub committed: u64,
    /// Not yet opened after a restart, or read to its end and closed.
    pub file: Option<File>,
    /// The file has the name that is written to.
    pub is_current: bool,
    /// Rotated away, read to its end, and quiet since.
    pub is_drained: bool,
    /// Taken over from an earlier run.
    pub is_resumed: bool,
    /// The largest size that was seen.
    pub size: u64,
    pub grew_at: Duration,
    /// Of a drained file, when it was last looked into.
    pub stamp: Option<Stamp>,
    /// An unfinished line, not longer than the longest.
    line: Vec<u8>,
    /// In the middle of a line that was too long.
    is_oversize: bool,
}

/// What a look at an open file found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Intact,
    /// Shorter than what was read, or with another beginning.
    Truncated,
}

impl Stream {
    pub fn new(id: FileId, file: Option<File>, now: Duration) -> Self {
        Self {
            id,
            print: Fingerprint::default(),
            read: 0,
            committed: 0,
            file,
            is_current: false,
            is_drained: false,
            is_resumed: false,
            size: 0,
            grew_at: now,
            stamp: None,
            line: Vec::new(),
            is_oversize: false,
        }
    }

    /// Bytes of this file that were seen and not read.
    pub fn behind(&self) -> u64 {
        self.size.saturating_sub(self.read)
    }

    /// Bytes that are lost when the file is not readable any more: those seen and not read, and an unfinished line.
    pub fn unread(&self) -> u64 {
        self.behind() + self.line.len() as u64
    }

    /// Looks at size and beginning.
    pub fn look(&mut self, now: Duration) -> io::Result<Health> {
        self.confirm(&[], now)
    }

    /// Whether `bytes`, just read behind what was read before, are of the file as it is known. Whatever was read before an
    /// intact look was what stood there.
    pub fn confirm(&mut self, bytes: &[u8], now: Duration) -> io::Result<Health> {
        let Some(file) = &self.file else { return Ok(Health::Intact) };
        if self.print.is_empty() && self.read == 0 {
            // Of which contents the size below is can only be told when some of their beginning is known.
            self.print.grow(&head(file)?);
        }
        // The size first: when the beginning is intact later, the size was that of the same contents.
        let size = file.metadata()?.size();
        let head = head(file)?;
        if !self.is_intact(bytes, size, &head) {
            return Ok(Health::Truncated);
        }
        self.print.grow(&head);
        if size > self.size {
            self.size = size;
            self.grew_at = now;
        }
        Ok(Health::Intact)
    }

    /// Whether a file of `size` bytes whose beginning, looked at after the size, is `head` is still the one that was read, and
    /// `bytes` are of it.
    fn is_intact(&self, bytes: &[u8], size: u64, head: &[u8]) -> bool {
        let end = self.read + bytes.len() as u64;
        // A beginning that ends before what was read is of a file that was truncated after its size was taken; one that is
        // empty would agree with anything.
        let reaches = head.len() as u64 >= end.min(HEAD as u64);
        size >= end && reaches && self.print.begins(head) && self.agrees(head, bytes)
    }

    /// Of a file that nothing was known of, its beginning and what was read may be of different contents.
    fn agrees(&self, head: &[u8], bytes: &[u8]) -> bool {
        let common = usize::try_from(self.read).ok().and_then(|read| head.get(read..)).unwrap_or_default();
        common.iter().zip(bytes).all(|(one, other)| one == other)
    }

    /// The first bytes of the open file, as they are now.
    pub fn head(&self) -> Option<Vec<u8>> {
        self.file.as_ref().and_then(|file| head(file).ok())
    }

    /// How many links the open file has; none when it was deleted.
    pub fn links(&self) -> u64 {
        self.file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |metadata| metadata.nlink())
    }

    /// Bytes after those that were read, into `buffer`; 0 at the end. They are not consumed by this.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(file) = &self.file else { return Ok(0) };
        loop {
            match file.read_at(buffer, self.read) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Consumes bytes and hands over the lines that end in them.
    pub fn consume(&mut self, mut bytes: &[u8], longest: usize, sink: &mut dyn FnMut(Line<'_>) -> Boundary) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            self.read += line.len() as u64 + 1;
            bytes = rest.get(1..).unwrap_or_default();
            let boundary = if self.is_oversize || self.line.len() + line.len() > longest {
                sink(Line::Oversize)
            } else if self.line.is_empty() {
                sink(Line::Whole(line))
            } else {
                self.line.extend_from_slice(line);
                sink(Line::Whole(&self.line))
            };
            self.line.clear();
            self.is_oversize = false;
            self.commit(boundary, longest);
        }
        self.read += bytes.len() as u64;
        self.is_oversize |= self.line.len() + bytes.len() > longest;
        if self.is_oversize {
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(bytes);
        }
        if self.line.is_empty() {
            // Long lines are rare; what one took is given back.
            self.line.shrink_to(4096);
        }
    }

    /// A record whose end never comes must not hold the position for ever.
    fn commit(&mut self, boundary: Boundary, longest: usize) {
        if boundary == Boundary::Complete || self.read - self.committed > 2 * longest as u64 {
            self.committed = self.read;
        }
    }

    /// The file will not grow any more: hands over a last line without an end.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Line<'_>) -> Boundary) {
        if self.is_oversize {
            sink(Line::Oversize);
        } else if !self.line.is_empty() {
            sink(Line::Whole(&self.line));
        }
        self.line = Vec::new();
        self.is_oversize = false;
        self.committed = self.read;
        self.is_drained = true;
        self.file = None;
    }

    /// The same contents are in another file from now on.
    pub fn move_to(&mut self, id: FileId, file: File) {
        self.id = id;
        self.file = Some(file);
        self.is_current = false;
        self.stamp = None;
        self.size = self.read;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Stream {
        Stream::new(FileId { dev: 1, ino: 1 }, None, Duration::ZERO)
    }

    fn consume(stream: &mut Stream, bytes: &str) -> Vec<String> {
        let mut lines = Vec::new();
        stream.consume(bytes.as_bytes(), 10, &mut |line| {
            lines.push(match line {
                Line::Whole(line) => String::from_utf8_lossy(line).into_owned(),
                Line::Oversize => "<oversize>".to_owned(),
            });
            if line == Line::Whole(b"open") { Boundary::Open } else { Boundary::Complete }
        });
        lines
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        let mut stream = stream();
        assert_eq!(consume(&mut stream, "one\ntw"), ["one"]);
        assert_eq!((stream.read, stream.committed), (6, 4));
        assert_eq!(consume(&mut stream, "o\n\nthree"), ["two", ""]);
        assert_eq!((stream.read, stream.committed), (14, 9));
    }

    #[test]
    fn a_line_that_is_too_long_is_dropped_up_to_its_end() {
        let mut stream = stream();
        assert!(consume(&mut stream, "01234567").is_empty());
        assert!(consume(&mut stream, "8901234567890").is_empty());
        assert!(stream.line.is_empty());
        assert_eq!(consume(&mut stream, "more\nnext\n"), ["<oversize>", "next"]);
        assert_eq!(consume(&mut stream, "0123456789\n01234567890\n"), ["0123456789", "<oversize>"]);
    }

    #[test]
    fn the_position_waits_for_the_end_of_a_record_but_not_for_ever() {
        let mut stream = stream();
        consume(&mut stream, "done\nopen\nopen\n");
        assert_eq!((stream.read, stream.committed), (15, 5));
        consume(&mut stream, "done\n");
        assert_eq!(stream.committed, 20);
        consume(&mut stream, &"open\n".repeat(5));
        assert!(stream.read - stream.committed <= 20, "{stream:?}");
    }

    #[test]
    fn what_was_read_is_not_believed_when_the_file_was_written_anew() {
        let cases: [(&str, &str, &str, Health); 5] = [
            ("one\n", "one\ntwo\n", "one\ntwo\nthree\n", Health::Intact),
            ("one\n", "one\ntwo\n", "", Health::Truncated),
            ("one\n", "one\ntwo\n", "other and more than before\n", Health::Truncated),
            // Nothing was known of the file before.
            ("", "one\ntwo\n", "other and more than before\n", Health::Truncated),
            ("", "one\ntwo\n", "one\n", Health::Truncated),
        ];
        for (known, read, then, expected) in cases {
            let path = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(&path, known).unwrap();
            let mut stream = Stream::new(FileId { dev: 1, ino: 1 }, Some(path.reopen().unwrap()), Duration::ZERO);
            assert_eq!(stream.look(Duration::ZERO).unwrap(), Health::Intact);
            stream.consume(known.as_bytes(), 10, &mut |_| Boundary::Complete);
            std::fs::write(&path, read).unwrap();
            let mut buffer = [0; 100];
            let length = stream.peek(&mut buffer).unwrap();
            std::fs::write(&path, then).unwrap();
            assert_eq!(
                stream.confirm(&buffer[..length], Duration::ZERO).unwrap(),
                expected,
                "{known:?} {read:?} {then:?}"
            );
        }
    }

    #[test]
    fn what_was_read_is_not_believed_when_the_file_was_truncated_between_its_size_and_its_beginning() {
        let line = "a line of a log\n";
        for (known, read, bytes, size, head, expected) in [
            ("", "", line, 16, line, true),
            // The size is that of the contents that were read, and the beginning that of what came after them.
            ("", "", line, 16, "", false),
            ("", "", line, 16, "a line", false),
            (line, line, line, 32, "", false),
            (line, line, line, 32, line, false),
            (line, line, line, 32, "a line of a log\na line of a log\n", true),
        ] {
            let mut stream = stream();
            stream.print.grow(known.as_bytes());
            stream.read = read.len() as u64;
            let intact = stream.is_intact(bytes.as_bytes(), size, head.as_bytes());
            assert_eq!(intact, expected, "{known:?} {read:?} {bytes:?} {size} {head:?}");
        }
    }

    #[test]
    fn an_unfinished_line_is_handed_over_when_no_more_can_come() {
        let mut stream = stream();
        consume(&mut stream, "one\ntail");
        assert_eq!(stream.unread(), 4);
        let mut last = Vec::new();
        stream.finish(&mut |line| {
            last.push(format!("{line:?}"));
            Boundary::Complete
        });
        assert_eq!((last.len(), stream.committed, stream.is_drained), (1, 8, true));
    }
}
