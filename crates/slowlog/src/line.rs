//! From one record of a log to what it says, cheaply for the many that are not slow queries.

use memchr::memmem::Finder;

use crate::entry::{self, SlowQuery};

/// How mongod writes the id of its slow-query message, in all versions with a JSON log.
const MARK: &[u8] = br#""id":51803"#;

/// What one record is. Anything can stand in a log file, so each of these is counted and none is an error.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// Some other message.
    Skipped,
    /// A slow query, not cut by the server.
    Parsed(Box<SlowQuery<'a>>),
    /// A slow query of which the server left something out, because the line would have been longer than
    /// `maxLogSizeKB`: its numbers hold, its command may be incomplete.
    Truncated(Box<SlowQuery<'a>>),
    /// A slow query of a connection of our own.
    Own,
    /// Has the mark of a slow query, but is not one line of JSON that says so.
    Malformed,
    NotUtf8,
}

/// Reads records. Made once; it holds the prepared search for the mark.
#[derive(Debug)]
pub struct Reader {
    mark: Finder<'static>,
    own_app_name: Option<String>,
}

impl Reader {
    /// `own_app_name`: what connections that must not be counted call themselves, by itself or with more behind a space
    /// or a hyphen.
    pub fn new(own_app_name: Option<&str>) -> Self {
        Self { mark: Finder::new(MARK), own_app_name: own_app_name.map(str::to_owned) }
    }

    /// `record` is one line without its end and without any prefix of a container runtime.
    pub fn read<'a>(&self, record: &'a [u8]) -> Verdict<'a> {
        if self.mark.find(record).is_none() {
            return Verdict::Skipped;
        }
        let Ok(text) = std::str::from_utf8(record) else { return Verdict::NotUtf8 };
        match entry::parse(text) {
            Err(_) => Verdict::Malformed,
            // The mark stood in somebody's data, or began a longer number.
            Ok(None) => Verdict::Skipped,
            Ok(Some(query)) if self.is_own(&query) => Verdict::Own,
            Ok(Some(query)) if query.truncated => Verdict::Truncated(Box::new(query)),
            Ok(Some(query)) => Verdict::Parsed(Box::new(query)),
        }
    }

    fn is_own(&self, query: &SlowQuery<'_>) -> bool {
        let (Some(own), Some(name)) = (&self.own_app_name, &query.app_name) else { return false };
        name.strip_prefix(own.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '-']))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(record: &[u8]) -> &'static str {
        match Reader::new(Some("tidemark")).read(record) {
            Verdict::Skipped => "skipped",
            Verdict::Parsed(_) => "parsed",
            Verdict::Truncated(_) => "truncated",
            Verdict::Own => "own",
            Verdict::Malformed => "malformed",
            Verdict::NotUtf8 => "not utf-8",
        }
    }

    #[test]
    fn each_record_has_its_verdict() {
        let cases: [(&[u8], &str); 14] = [
            (b"", "skipped"),
            (br#"{"id":20883,"attr":{"ns":"a.b"}}"#, "skipped"),
            (br#"{"id":518031,"attr":{"ns":"a.b"}}"#, "skipped"),
            (br#"{"id":1,"attr":{"x":{"id":51803}}}"#, "skipped"),
            (br#"{"id":51803,"attr":{"ns":"a.b","durationMillis":5}}"#, "parsed"),
            (br#"{"attr":{"ns":"a.b","durationMillis":5},"id":51803}"#, "parsed"),
            (br#"{"id":51803,"attr":{"ns":"a.b"},"truncated":{"command":{}},"size":{"command":9}}"#, "truncated"),
            (br#"{"id":51803,"attr":{"ns":"a.b","appName":"tidemark"}}"#, "own"),
            (br#"{"id":51803,"attr":{"ns":"a.b","appName":"tidemark metrics"}}"#, "own"),
            (br#"{"id":51803,"attr":{"ns":"a.b","appName":"tidemark-restore x"}}"#, "own"),
            (br#"{"id":51803,"attr":{"ns":"a.b","appName":"tidemark2"}}"#, "parsed"),
            (br#"{"id":51803,"attr":{"ns":"a.b""#, "malformed"),
            (br#"{"id":51803,"attr":{"ns":"a.b"}} trailing"#, "malformed"),
            (b"{\"id\":51803,\"attr\":{\"ns\":\"a.\xff\"}}", "not utf-8"),
        ];
        for (record, expected) in cases {
            assert_eq!(kind(record), expected, "{}", String::from_utf8_lossy(record));
        }
    }

    #[test]
    fn what_is_not_an_object_is_malformed_however_deep_or_long_it_is() {
        let nested = [br#"{"id":51803,"attr":"#.as_slice(), &b"[".repeat(1_000_000)].concat();
        assert_eq!(kind(&nested), "malformed");
        assert_eq!(kind(br#"["id":51803]"#), "malformed");
        assert_eq!(kind(br#""id":51803"#), "malformed");
        let long = format!(r#"{{"id":51803,"attr":{{"ns":"a.b","command":{{"find":"{}"}}}}}}"#, "x".repeat(10 << 20));
        assert_eq!(kind(long.as_bytes()), "parsed");
    }
}
