//! From the bytes of a file to records: the message of a line, without what a container runtime puts before it.
//!
//! A kubelet's log file has `<time> stdout F <message>` on each line; messages longer than the runtime's buffer (16 KiB)
//! are cut into partial records (`P`), the last of which is `F` again. A file that mongod writes itself has bare lines. Which
//! of the two a line is can be told from the line, so nobody needs to configure it.

/// What a line does to the record that is being put together.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A complete record.
    Record(&'a [u8]),
    /// The beginning or the middle of one: more must follow. Where it began is where reading must begin again.
    Partial,
    /// A record that became longer than [`Joiner::new`] allows; its end was reached.
    Oversize,
}

/// Joins partial records of one file, in bounded memory: one record of each of the two streams.
#[derive(Debug)]
pub struct Joiner {
    longest: usize,
    streams: [Unfinished; 2],
    /// What was joined last; kept so that it can be borrowed.
    joined: Vec<u8>,
}

#[derive(Debug, Default)]
struct Unfinished {
    bytes: Vec<u8>,
    begun: bool,
    oversize: bool,
}

impl Joiner {
    /// `longest`: bytes of the longest record that is joined.
    pub fn new(longest: usize) -> Self {
        Self { longest, streams: [Unfinished::default(), Unfinished::default()], joined: Vec::new() }
    }

    /// `line` without its end.
    pub fn line<'a>(&'a mut self, line: &'a [u8]) -> Step<'a> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(Cri { stream, partial, message }) = Cri::of(line) else { return Step::Record(line) };
        let longest = self.longest;
        let Some(open) = self.streams.get_mut(stream) else { return Step::Record(message) };
        if !open.begun && !partial {
            return Step::Record(message);
        }
        open.begun = partial;
        open.oversize |= open.bytes.len() + message.len() > longest;
        if open.oversize {
            open.bytes = Vec::new();
        } else {
            open.bytes.extend_from_slice(message);
        }
        if partial {
            return Step::Partial;
        }
        if std::mem::take(&mut open.oversize) {
            return Step::Oversize;
        }
        self.joined = std::mem::take(&mut open.bytes);
        Step::Record(&self.joined)
    }

    /// Whether the end of some record has not been read yet.
    pub fn is_open(&self) -> bool {
        self.streams.iter().any(|open| open.begun)
    }

    /// A line that was too long to be given: what it belonged to is lost with it.
    pub fn forget(&mut self) {
        self.streams = [Unfinished::default(), Unfinished::default()];
    }
}

struct Cri<'a> {
    stream: usize,
    partial: bool,
    message: &'a [u8],
}

impl<'a> Cri<'a> {
    /// Tags may be a list, `P:other`; the first one counts.
    fn of(line: &'a [u8]) -> Option<Self> {
        // The time of RFC 3339 with nanoseconds and an offset has at most 35 bytes; JSON begins with a brace.
        if !line.first()?.is_ascii_digit() {
            return None;
        }
        let space = line.iter().take(40).position(|byte| *byte == b' ')?;
        if line.get(10) != Some(&b'T') {
            return None;
        }
        let rest = line.get(space + 1..)?;
        let (stream, rest) = match rest {
            [b's', b't', b'd', b'o', b'u', b't', b' ', rest @ ..] => (0, rest),
            [b's', b't', b'd', b'e', b'r', b'r', b' ', rest @ ..] => (1, rest),
            _ => return None,
        };
        // An empty message may have lost the space after its tag.
        let end = rest.iter().take(64).position(|byte| *byte == b' ').unwrap_or(rest.len());
        let partial = match rest.get(..end)?.split(|byte| *byte == b':').next()? {
            b"P" => true,
            b"F" => false,
            _ => return None,
        };
        Some(Self { stream, partial, message: rest.get(end + 1..).unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "2026-11-28T20:28:22.013123456Z";

    fn steps(lines: &[String], longest: usize) -> Vec<String> {
        let mut joiner = Joiner::new(longest);
        let show = |step: Step<'_>| match step {
            Step::Record(record) => String::from_utf8_lossy(record).into_owned(),
            Step::Partial => "<partial>".to_owned(),
            Step::Oversize => "<oversize>".to_owned(),
        };
        lines.iter().map(|line| show(joiner.line(line.as_bytes()))).collect()
    }

    #[test]
    fn bare_and_prefixed_lines_are_told_apart() {
        let lines = [
            r#"{"t":1}"#.to_owned(),
            format!("{AT} stdout F {{\"t\":2}}"),
            format!("{AT} stdout F:extra {{\"t\":3}}"),
            "2026-11-28T20:28:22.013123456+01:00 stderr F {}\r".to_owned(),
            format!("{AT} stdout F"),
            format!("{AT} stdout X nothing we know"),
            "5 of 7 things done".to_owned(),
            String::new(),
        ];
        let expected = [
            r#"{"t":1}"#.to_owned(),
            r#"{"t":2}"#.to_owned(),
            r#"{"t":3}"#.to_owned(),
            "{}".to_owned(),
            String::new(),
            lines[5].clone(),
            lines[6].clone(),
            String::new(),
        ];
        assert_eq!(steps(&lines, 100), expected);
    }

    #[test]
    fn partial_records_are_joined_for_each_stream() {
        let lines = [
            format!("{AT} stdout P abc"),
            format!("{AT} stderr P 123"),
            format!("{AT} stdout P def"),
            format!("{AT} stderr F 456"),
            format!("{AT} stdout F ghi"),
            format!("{AT} stdout F next"),
        ];
        assert_eq!(steps(&lines, 100), ["<partial>", "<partial>", "<partial>", "123456", "abcdefghi", "next"]);
    }

    #[test]
    fn a_record_that_becomes_too_long_is_dropped_as_a_whole() {
        let lines = [
            format!("{AT} stdout P {}", "x".repeat(60)),
            format!("{AT} stdout P {}", "x".repeat(60)),
            format!("{AT} stdout P short"),
            format!("{AT} stdout F end"),
            format!("{AT} stdout P a"),
            format!("{AT} stdout F b"),
        ];
        let expected = ["<partial>", "<partial>", "<partial>", "<oversize>", "<partial>", "ab"];
        assert_eq!(steps(&lines, 100), expected);
    }
}
