//! Lengths of time as people type them: `15m`, `1h30m`, `2d`.

use std::fmt;
use std::time::Duration;

use super::error::TargetProblem;

const UNITS: [(char, u32); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Seconds in `1d2h3m4s`: each unit at most once, the larger ones first, not zero in total.
pub(super) fn parse_seconds(text: &str) -> Result<u32, TargetProblem> {
    let mut total: u32 = 0;
    let mut rest = text;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(TargetProblem::NotADuration)?;
        let (number, tail) = rest.split_at(digits);
        let number: u32 = number.parse().map_err(|_| TargetProblem::NotADuration)?;
        let mut letters = tail.chars();
        let letter = letters.next();
        // Advancing through the units makes a repeated or misplaced one an error.
        let (_, seconds) = units.by_ref().find(|(unit, _)| Some(*unit) == letter).ok_or(TargetProblem::NotADuration)?;
        total =
            number.checked_mul(*seconds).and_then(|part| total.checked_add(part)).ok_or(TargetProblem::NotADuration)?;
        rest = letters.as_str();
    }
    if total == 0 { Err(TargetProblem::NotADuration) } else { Ok(total) }
}

/// A span as settings give it: `30d`, `1h30m`.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    parse_seconds(text)
        .map(|seconds| Duration::from_secs(seconds.into()))
        .map_err(|_| format!("`{text}` is not a length of time; write it as `30d`, `12h` or `1h30m`"))
}

/// Seconds in the same notation, largest units first.
pub(super) struct Spelled(pub u32);

impl fmt::Display for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        for (unit, seconds) in UNITS {
            if rest >= seconds {
                write!(f, "{}{unit}", rest / seconds)?;
                rest %= seconds;
            }
        }
        if self.0 == 0 { f.write_str("0s") } else { Ok(()) }
    }
}
