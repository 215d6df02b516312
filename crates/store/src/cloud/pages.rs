//! Going on with a listing. Callers name the key after which to go on, and that is always enough; but the server's own
//! token for the next page is better where we still have it: Azure has no cheap way to start at a name, and `MinIO`
//! loses names when a listing starts at one beside a folder (`a-b`, `a/`).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::key::validate_prefix;

/// Listings under way at the same time in one process.
const MOST: usize = 64;
/// A token may stand for a snapshot of the names, so an old one would hide new objects.
const LIFETIME: Duration = Duration::from_mins(1);

#[derive(Debug)]
struct Entry {
    prefix: String,
    after: String,
    token: String,
    seen: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Pages(Mutex<VecDeque<Entry>>);

impl Pages {
    pub fn remember(&self, prefix: &str, after: &str, token: &str) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MOST {
            entries.pop_front();
        }
        let (prefix, after, token) = (prefix.to_owned(), after.to_owned(), token.to_owned());
        entries.push_back(Entry { prefix, after, token, seen: Instant::now() });
    }

    /// The token for what comes after a key, once.
    pub fn take(&self, prefix: &str, after: &str) -> Option<String> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.seen.elapsed() < LIFETIME);
        let found = entries.iter().position(|entry| entry.prefix == prefix && entry.after == after)?;
        entries.remove(found).map(|entry| entry.token)
    }
}

/// The part of a start that a server can be asked for: servers refuse names like `a/../b`, but it is no key either, so
/// it is only a place between keys. What comes before the start is dropped by the caller.
pub(crate) fn askable(start_after: &str) -> &str {
    let mut start = start_after;
    while validate_prefix(start).is_err() {
        start = start.char_indices().next_back().map_or("", |(last, _)| &start[..last]);
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_one_listing_at_its_place() {
        let pages = Pages::default();
        pages.remember("a/", "a/3", "token");
        assert_eq!(pages.take("a/", "a/2"), None);
        assert_eq!(pages.take("b/", "a/3"), None);
        assert_eq!(pages.take("a/", "a/3").as_deref(), Some("token"));
        assert_eq!(pages.take("a/", "a/3"), None);
        for number in 0..1000 {
            pages.remember("a/", &number.to_string(), "token");
        }
        assert_eq!(pages.0.lock().unwrap().len(), MOST);
        assert!(pages.take("a/", "0").is_none() && pages.take("a/", "999").is_some());
    }

    #[test]
    fn an_impossible_start_is_cut_to_a_possible_one_before_it() {
        for (start, expected) in [
            ("", ""),
            ("a/b", "a/b"),
            ("a/", "a/"),
            ("../../etc", ""),
            ("a/../b", "a/"),
            ("a/b/..", "a/b/"),
            ("a//b", "a/"),
            ("//", ""),
            ("/", ""),
            ("a/b\u{0}", "a/b"),
        ] {
            assert_eq!(askable(start), expected, "{start:?}");
            assert!(expected <= start);
        }
    }
}
