//! Which files are followed: paths with `*` and `?`, relative to the folder of logs.

use std::fmt;
use std::str::FromStr;

/// `*/mongod/*.log`: as many names as folders, `*` for any part of a name and `?` for any letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    names: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a relative path such as */mongod/*.log, without `.` and `..`")]
pub struct BadPattern;

impl Pattern {
    /// How many names a path that matches has.
    pub fn depth(&self) -> usize {
        self.names.len()
    }

    /// Whether the name at this depth, from 0, may be that of a match.
    pub fn matches_at(&self, depth: usize, name: &str) -> bool {
        self.names.get(depth).is_some_and(|pattern| matches(pattern.as_bytes(), name.as_bytes()))
    }
}

impl FromStr for Pattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let names: Vec<String> = text.split('/').map(str::to_owned).collect();
        let usable = |name: &String| !matches!(name.as_str(), "" | "." | "..");
        if names.iter().all(usable) { Ok(Self { names }) } else { Err(BadPattern) }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names.join("/"))
    }
}

/// In time proportional to the product of the lengths, whatever the pattern: only the last `*` is ever tried again.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut here) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(letter) = name.get(here) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, here));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == letter => {
                at += 1;
                here += 1;
            }
            _ => {
                let Some((at_star, from)) = star else { return false };
                star = Some((at_star, from + 1));
                at = at_star + 1;
                here = from + 1;
            }
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_within_a_name() {
        let cases = [
            ("*.log", "0.log", true),
            ("*.log", ".log", true),
            ("*.log", "0.log.20261128", false),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("mongod.log", "mongod.log", true),
            ("", "", true),
            ("a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_cannot_leave_its_folder() {
        for text in ["", "/etc/*", "../x", "a/../b", "a//b", "./a", "a/"] {
            assert_eq!(text.parse::<Pattern>(), Err(BadPattern), "{text}");
        }
        let pattern: Pattern = "*/mongod/*.log".parse().unwrap();
        assert_eq!((pattern.depth(), pattern.to_string().as_str()), (3, "*/mongod/*.log"));
        assert!(pattern.matches_at(1, "mongod") && !pattern.matches_at(1, "other") && !pattern.matches_at(3, "x"));
    }
}
