//! Compares a JSON document with the table that documents it: rows `` | `path` | type | meaning | ``.

#![allow(dead_code, reason = "each test uses a part")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Types by path.
pub struct Table<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Table<'a> {
    pub fn parse(page: &'a str) -> Self {
        let rows = page.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.splitn(3, " | ");
            let (path, kind) = (cells.next()?.strip_suffix('`')?, cells.next()?);
            Some((path, kind.trim()))
        });
        Self(rows.collect())
    }

    pub fn paths(&self) -> BTreeSet<String> {
        self.0.keys().map(|path| (*path).to_owned()).collect()
    }

    /// What of the document is not as it is documented; the paths that occur in it go to `seen`.
    pub fn problems(&self, document: &Value, seen: &mut BTreeSet<String>) -> Vec<String> {
        let mut problems = Vec::new();
        self.compare("", document, seen, &mut problems);
        problems
    }

    fn compare(&self, path: &str, value: &Value, seen: &mut BTreeSet<String>, problems: &mut Vec<String>) {
        let is_row = !path.ends_with("[]") || !value.is_object();
        if is_row && !path.is_empty() {
            seen.insert(path.to_owned());
            match self.0.get(path) {
                None => problems.push(format!("{path} is not documented")),
                Some(kind) if !is(value, kind) => problems.push(format!("{path} is no {kind}: {value}")),
                Some(_) => {}
            }
        }
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    self.compare(&inner, field, seen, problems);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.compare(&format!("{path}[]"), item, seen, problems);
                }
            }
            _ => {}
        }
    }
}

fn is(value: &Value, kind: &str) -> bool {
    if value.is_null() {
        return kind.ends_with(" or null");
    }
    let text = value.as_str().unwrap_or_default();
    match kind.trim_end_matches(" or null") {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "list" => value.is_array(),
        "time" => text.parse::<jiff::Timestamp>().is_ok(),
        "cluster time" => text.parse::<archive::ClusterTime>().is_ok(),
        words => words.starts_with('`') && words.split_whitespace().any(|word| word.trim_matches('`') == text),
    }
}
