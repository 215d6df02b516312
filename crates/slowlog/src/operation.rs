//! What kind of operation a slow query was, on what, by which plan: the closed sets and the names that become labels.

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use crate::entry::{Key, Scalar, SlowQuery};

/// No server allows a longer namespace; what is longer comes from a damaged line.
const LONGEST_NAMESPACE: usize = 255;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    Find,
    GetMore,
    Aggregate,
    Distinct,
    Count,
    Insert,
    Update,
    Delete,
    FindAndModify,
    /// The command around updates and deletes. Each of its statements that was slow has a line of its own, as `update`
    /// or `delete`: to add the two up would count the same time twice.
    WriteCommand,
    /// Every other command.
    Command,
}

impl Operation {
    pub const ALL: [Self; 11] = [
        Self::Find,
        Self::GetMore,
        Self::Aggregate,
        Self::Distinct,
        Self::Count,
        Self::Insert,
        Self::Update,
        Self::Delete,
        Self::FindAndModify,
        Self::WriteCommand,
        Self::Command,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Self::Find => "find",
            Self::GetMore => "getmore",
            Self::Aggregate => "aggregate",
            Self::Distinct => "distinct",
            Self::Count => "count",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::FindAndModify => "findandmodify",
            Self::WriteCommand => "write_command",
            Self::Command => "command",
        }
    }

    fn of(kind: Option<&str>, command: Option<&str>) -> Self {
        match kind {
            Some("update") => return Self::Update,
            Some("remove") => return Self::Delete,
            Some("insert") => return Self::Insert,
            Some("query") => return Self::Find,
            Some("getmore") => return Self::GetMore,
            _ => {}
        }
        match command {
            Some("find") => Self::Find,
            Some("getMore") => Self::GetMore,
            Some("aggregate") => Self::Aggregate,
            Some("distinct") => Self::Distinct,
            Some("count") => Self::Count,
            Some("insert") => Self::Insert,
            Some("findAndModify" | "findandmodify") => Self::FindAndModify,
            Some("update" | "delete" | "bulkWrite") => Self::WriteCommand,
            _ => Self::Command,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Plan {
    Collscan,
    Ixscan,
    Idhack,
    CountScan,
    DistinctScan,
    Eof,
    Other,
    /// The line has no plan: inserts, most commands.
    None,
}

impl Plan {
    pub const ALL: [Self; 8] = [
        Self::Collscan,
        Self::Ixscan,
        Self::Idhack,
        Self::CountScan,
        Self::DistinctScan,
        Self::Eof,
        Self::Other,
        Self::None,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Self::Collscan => "COLLSCAN",
            Self::Ixscan => "IXSCAN",
            Self::Idhack => "IDHACK",
            Self::CountScan => "COUNT_SCAN",
            Self::DistinctScan => "DISTINCT_SCAN",
            Self::Eof => "EOF",
            Self::Other => "other",
            Self::None => "none",
        }
    }

    /// `IXSCAN { a: 1 }, COLLSCAN` has two stages; the one that reads a whole collection decides, else the first.
    pub fn of(summary: &str) -> Self {
        let mut depth = 0_usize;
        // Names of fields and their values are within braces.
        let outside = summary.split_inclusive(['{', '}']).filter(|piece| {
            let shown = depth == 0;
            match piece.as_bytes().last() {
                Some(b'{') => depth += 1,
                Some(b'}') => depth = depth.saturating_sub(1),
                _ => {}
            }
            shown
        });
        let words = outside.flat_map(|piece| piece.split([' ', ',', '{', '}']));
        let mut stages = words.filter(|word| !word.is_empty()).map(Self::of_stage);
        let Some(first) = stages.next() else { return Self::None };
        if stages.any(|stage| stage == Self::Collscan) { Self::Collscan } else { first }
    }

    fn of_stage(stage: &str) -> Self {
        match stage {
            "COLLSCAN" => Self::Collscan,
            "IXSCAN" | "EXPRESS_IXSCAN" | "CLUSTERED_IXSCAN" | "EXPRESS_CLUSTERED_IXSCAN" => Self::Ixscan,
            "IDHACK" => Self::Idhack,
            "COUNT_SCAN" => Self::CountScan,
            "DISTINCT_SCAN" => Self::DistinctScan,
            "EOF" => Self::Eof,
            _ => Self::Other,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Namespace {
    pub db: String,
    pub coll: String,
}

/// What stands in labels and tables for everything that has no place of its own.
pub const OTHER: &str = "__other__";

impl Namespace {
    pub fn other() -> Self {
        Self { db: OTHER.to_owned(), coll: OTHER.to_owned() }
    }

    /// How many bytes its names hold.
    pub fn bytes(&self) -> usize {
        self.db.len() + self.coll.len()
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.db, self.coll)
    }
}

/// Whether the first member of such a command is a collection's name. Of other commands it may be anything, such as the
/// name of a user, which must not be shown.
pub(crate) fn names_collection(command: &str) -> bool {
    const COMMANDS: [&str; 23] = [
        "find",
        "aggregate",
        "count",
        "distinct",
        "insert",
        "update",
        "delete",
        "findAndModify",
        "findandmodify",
        "create",
        "drop",
        "createIndexes",
        "dropIndexes",
        "deleteIndexes",
        "listIndexes",
        "collStats",
        "collMod",
        "compact",
        "validate",
        "mapReduce",
        "mapreduce",
        "convertToCapped",
        "cloneCollectionAsCapped",
    ];
    COMMANDS.contains(&command)
}

/// On what, and what kind of operation. `None` for the namespace when the line has none that a server could have.
pub fn classify(query: &SlowQuery<'_>) -> (Option<Namespace>, Operation) {
    let head = query.command.map(Head::of).unwrap_or_default();
    let operation = Operation::of(query.kind.as_deref(), head.name.as_deref());
    (namespace(query.ns.as_deref().unwrap_or_default(), &head), operation)
}

/// Commands that the server logs under `db.$cmd` count for the collection they name.
fn namespace(ns: &str, head: &Head<'_>) -> Option<Namespace> {
    let (db, coll) = ns.split_once('.').unwrap_or((ns, ""));
    let named = head.collection.as_deref().filter(|name| coll == "$cmd" && !name.is_empty());
    let coll = named.unwrap_or(coll);
    let fits = !db.is_empty() && db.len() + coll.len() < LONGEST_NAMESPACE;
    fits.then(|| Namespace { db: db.to_owned(), coll: coll.to_owned() })
}

/// The first member of a command says what it is and, of some, on which collection.
#[derive(Debug, Default)]
struct Head<'a> {
    name: Option<Cow<'a, str>>,
    collection: Option<Cow<'a, str>>,
}

impl<'a> Head<'a> {
    /// Reads no further than that member: a command may be long.
    fn of(command: &'a RawValue) -> Self {
        Self::read(command.get()).unwrap_or_default()
    }

    fn read(command: &'a str) -> Option<Self> {
        let members = command.strip_prefix('{')?;
        let mut names = serde_json::Deserializer::from_str(members).into_iter::<Key<'a>>();
        let Key(name) = names.next()?.ok()?;
        if !names_collection(&name) {
            return Some(Self { name: Some(name), collection: None });
        }
        let value = members.get(names.byte_offset()..)?.trim_start().strip_prefix(':')?;
        let value = serde_json::Deserializer::from_str(value).into_iter::<Scalar<'a>>().next();
        let collection = value.and_then(Result::ok).and_then(Scalar::text);
        Some(Self { name: Some(name), collection })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_what_stands_outside_of_braces() {
        let cases = [
            ("COLLSCAN", Plan::Collscan),
            ("IXSCAN { customer: 1, at: -1 }", Plan::Ixscan),
            ("IXSCAN { a: 1 }, IXSCAN { b: 1 }", Plan::Ixscan),
            ("IXSCAN { a: 1 }, COLLSCAN", Plan::Collscan),
            ("IXSCAN { COLLSCAN: 1 }", Plan::Ixscan),
            ("IXSCAN { a: \"} , COLLSCAN {\" }", Plan::Collscan),
            ("EXPRESS_IXSCAN { _id: 1 }", Plan::Ixscan),
            ("COUNT_SCAN { a: 1 }", Plan::CountScan),
            ("RECORD_STORE_FAST_COUNT", Plan::Other),
            ("EOF", Plan::Eof),
            ("", Plan::None),
            ("}}}{{", Plan::None),
        ];
        for (summary, plan) in cases {
            assert_eq!(Plan::of(summary), plan, "{summary}");
        }
    }

    fn classified(kind: &str, ns: &str, command: &str) -> (Option<String>, Operation) {
        let command: &RawValue = serde_json::from_str(command).unwrap();
        let query =
            SlowQuery { kind: Some(kind.into()), ns: Some(ns.into()), command: Some(command), ..SlowQuery::default() };
        let (namespace, operation) = classify(&query);
        (namespace.map(|namespace| namespace.to_string()), operation)
    }

    #[test]
    fn commands_count_for_the_collection_they_name() {
        let cases = [
            ("command", "shop.orders", r#"{"find":"orders","filter":{}}"#, "shop.orders", Operation::Find),
            ("command", "shop.$cmd", r#"{"update":"orders","ordered":true}"#, "shop.orders", Operation::WriteCommand),
            ("update", "shop.orders", r#"{"q":{"a":1},"u":{"$set":{"b":1}}}"#, "shop.orders", Operation::Update),
            ("remove", "shop.orders", r#"{"q":{"a":1},"limit":0}"#, "shop.orders", Operation::Delete),
            ("command", "shop.a.b", r#"{"getMore":5,"collection":"a.b"}"#, "shop.a.b", Operation::GetMore),
            ("command", "admin.$cmd", r#"{"createUser":"alice"}"#, "admin.$cmd", Operation::Command),
            ("command", "admin.$cmd", r#"{"hello":1}"#, "admin.$cmd", Operation::Command),
            ("none", "shop.orders", r#"{"createIndexes":"orders"}"#, "shop.orders", Operation::Command),
            ("command", "shop.$cmd", r#"{"aggregate":1,"pipeline":[]}"#, "shop.$cmd", Operation::Aggregate),
            ("command", "shop.$cmd", r#"{"delete" : "a\u00e9" }"#, "shop.aé", Operation::WriteCommand),
            ("command", "shop.orders", "\"###\"", "shop.orders", Operation::Command),
            ("command", "shop", "{}", "shop.", Operation::Command),
        ];
        for (kind, ns, command, namespace, operation) in cases {
            assert_eq!(classified(kind, ns, command), (Some(namespace.to_owned()), operation), "{command}");
        }
    }

    #[test]
    fn names_that_no_server_has_are_none() {
        assert_eq!(classified("command", "", "{}").0, None);
        assert_eq!(classified("command", &"x".repeat(1000), "{}").0, None);
        assert_eq!(classified("command", &format!("a.{}", "x".repeat(1000)), "{}").0, None);
        assert_eq!(classified("command", "a.$cmd", &format!(r#"{{"update":"{}"}}"#, "x".repeat(300))).0, None);
    }
}
