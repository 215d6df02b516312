//! The URLs of buckets and containers: `scheme://host/path?name=value`. Parsed by hand, because the URL standard repairs
//! what should be refused (`..`, backslashes), and an archive in the wrong place is found out when it is needed.

use std::collections::BTreeMap;
use std::time::Duration;

use ::url::{Url, form_urlencoded};

use crate::error::{ErrorKind, Operation, StoreError};
use crate::key::validate_component;

/// With the longest key and a `/` this stays within the 1024 bytes that S3 and Azure allow.
const MAX_PREFIX_BYTES: usize = 120;
const LONGEST_DEADLINE: u64 = 3600;
const DEADLINE: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(crate) struct CloudUrl {
    /// What stands between `//` and the first `/`.
    pub host: String,
    /// Decoded, not empty, each fit to be a part of a key.
    pub path: Vec<String>,
    parameters: BTreeMap<String, String>,
    shown: String,
}

impl CloudUrl {
    /// `shown` is the URL without anything that may be a secret; `known` are the names of the parameters.
    pub fn parse(text: &str, shown: &str, known: &[&str]) -> Result<Self, StoreError> {
        let invalid = |why: String| Err(refused(shown, why));
        let rest = text.split_once("://").map_or("", |(_, rest)| rest);
        if rest.contains('#') {
            return invalid("it has a fragment; write `#` as %23".into());
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.contains(['@', ':']) {
            return invalid("credentials and ports do not belong into it; see `endpoint` for another server".into());
        }
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(&&*name) {
                return invalid(unknown(&name, known));
            }
            if value.is_empty() {
                return invalid(format!("parameter `{name}` is empty"));
            }
            if parameters.insert(name.to_string(), value.into_owned()).is_some() {
                return invalid(format!("parameter `{name}` is given twice"));
            }
        }
        let mut components = Vec::new();
        for component in path.strip_suffix('/').unwrap_or(path).split('/').filter(|_| !path.is_empty()) {
            let Some(component) = decoded(component) else {
                return invalid("a part of its path is not percent-encoded UTF-8".into());
            };
            if component.contains('/') {
                return invalid("%2F does not belong into its path".into());
            }
            if let Err(why) = validate_component(&component) {
                return invalid(format!("its path cannot be used: {why}"));
            }
            components.push(component);
        }
        Ok(Self { host: host.to_owned(), path: components, parameters, shown: shown.to_owned() })
    }

    pub fn refuse(&self, why: impl Into<String>) -> StoreError {
        refused(&self.shown, why.into())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// The value of a parameter that takes one of a few words.
    pub fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, StoreError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let found = choices.iter().find(|(word, _)| *word == value);
        found.map(|(_, choice)| Some(*choice)).ok_or_else(|| {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            self.refuse(format!("parameter `{name}` is one of {}", words.join(", ")))
        })
    }

    pub fn number(&self, name: &str, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>, StoreError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(self.refuse(format!("parameter `{name}` is a number from {} to {}", range.start(), range.end()))),
        }
    }

    /// How long a call may take with all its attempts.
    pub fn deadline(&self) -> Result<Duration, StoreError> {
        Ok(self.number("deadline", 1..=LONGEST_DEADLINE)?.map_or(DEADLINE, Duration::from_secs))
    }

    /// The address of another server than the cloud's own.
    pub fn endpoint(&self) -> Result<Option<Url>, StoreError> {
        let Some(value) = self.get("endpoint") else { return Ok(None) };
        let refuse = |why: &str| Err(self.refuse(format!("parameter `endpoint` {why}")));
        let Ok(url) = Url::parse(value) else { return refuse("is not a URL like https://storage.example.org") };
        if !matches!(url.scheme(), "http" | "https") {
            return refuse("begins with http:// or https://");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("holds credentials; they come from the environment or a file");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("has a query or a fragment");
        }
        Ok(Some(url))
    }

    /// The components from `start` on as the beginning of object names: empty, or ending with `/`.
    pub fn prefix(&self, start: usize) -> Result<String, StoreError> {
        let mut prefix = self.path.get(start..).unwrap_or_default().join("/");
        if prefix.len() > MAX_PREFIX_BYTES {
            return Err(self.refuse(format!("its prefix is longer than {MAX_PREFIX_BYTES} bytes")));
        }
        if !prefix.is_empty() {
            prefix.push('/');
        }
        Ok(prefix)
    }
}

fn refused(shown: &str, why: String) -> StoreError {
    StoreError::new(ErrorKind::InvalidUrl, Operation::Open, shown).with_detail(why)
}

/// Only what looks like a name is shown: somebody may have written a secret there.
fn unknown(name: &str, known: &[&str]) -> String {
    let secret = ["key", "secret", "token", "sas", "sig", "password"];
    if name != "kms_key" && secret.iter().any(|word| name.to_ascii_lowercase().contains(word)) {
        return "a secret does not belong into a URL; it comes from the environment or a file".to_owned();
    }
    let is_name = name.len() <= 20 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let which = if is_name { format!("`{name}`") } else { "one of its parameters".to_owned() };
    format!("{which} is not known; there are {}", known.join(", "))
}

fn decoded(component: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(component.len());
    let mut rest = component.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let value = digit(rest.next())? * 16 + digit(rest.next())?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<CloudUrl, StoreError> {
        CloudUrl::parse(text, "shown", &["endpoint", "deadline", "mode"])
    }

    #[test]
    fn host_path_and_parameters_are_told_apart_and_decoded() {
        let url = parse("s3://bucket/a/b%20c/?mode=x%26y&deadline=5").unwrap();
        assert_eq!((url.host.as_str(), url.path.as_slice()), ("bucket", ["a".to_owned(), "b c".to_owned()].as_slice()));
        assert_eq!(url.get("mode"), Some("x&y"));
        assert_eq!(url.deadline().unwrap(), Duration::from_secs(5));
        assert_eq!(
            (url.prefix(0).unwrap(), url.prefix(1).unwrap(), url.prefix(9).unwrap()),
            ("a/b c/".into(), "b c/".into(), String::new())
        );
        assert_eq!(parse("s3://bucket").unwrap().prefix(0).unwrap(), "");
        assert_eq!(parse("s3://bucket/").unwrap().prefix(0).unwrap(), "");
    }

    #[test]
    fn what_could_mean_another_place_is_refused() {
        let long = format!("s3://b/{}", "x/".repeat(61));
        for text in [
            "s3://b/a/../c",
            "s3://b/..",
            "s3://b/a/./c",
            "s3://b/%2e%2e/c",
            "s3://b/a//c",
            "s3://b//a",
            "s3://b/a%2fc",
            "s3://b/a%",
            "s3://b/a%zz",
            "s3://b/%ff",
            "s3://b/a%00b",
            "s3://b/a#c",
            "s3://user:word@b/a",
            "s3://b:80/a",
            "s3://b/a?mode",
            "s3://b/a?mode=",
            "s3://b/a?mode=1&mode=1",
            "s3://b/a?other=1",
        ] {
            assert_eq!(parse(text).map(|_| ()).unwrap_err().kind(), ErrorKind::InvalidUrl, "{text}");
        }
        assert!(parse(&long).unwrap().prefix(0).is_err());
    }

    #[test]
    fn parameters_are_checked() {
        let url = |query: &str| parse(&format!("s3://b/a?{query}")).unwrap();
        for query in ["deadline=0", "deadline=3601", "deadline=x", "deadline=-1"] {
            assert!(url(query).deadline().is_err(), "{query}");
        }
        for query in
            ["endpoint=x", "endpoint=ftp://x", "endpoint=https://u:p@x", "endpoint=https://x?y", "endpoint=//x"]
        {
            assert!(url(query).endpoint().is_err(), "{query}");
        }
        assert_eq!(url("endpoint=http://127.0.0.1:9").endpoint().unwrap().unwrap().as_str(), "http://127.0.0.1:9/");
        assert_eq!(url("mode=b").choice("mode", &[("a", 1), ("b", 2)]).unwrap(), Some(2));
        let error = url("mode=c").choice("mode", &[("a", 1), ("b", 2)]).unwrap_err();
        assert!(error.to_string().contains("one of a, b"), "{error}");
    }

    #[test]
    fn no_secret_in_a_wrong_url_is_shown() {
        for text in [
            "s3://b/a?secret_key=hunter2",
            "s3://b/a?hunter2HUNTER2",
            "s3://b/a?x%3Dhunter2",
            "s3://me:hunter2@b/a",
            "s3://b/a?endpoint=https://me:hunter2@host",
        ] {
            let error = parse(text).and_then(|url| url.endpoint()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        assert!(parse("s3://b/a?access_key=x").unwrap_err().to_string().contains("environment"));
        assert!(parse("s3://b/a?regoin=x").unwrap_err().to_string().contains("`regoin`"));
    }
}
