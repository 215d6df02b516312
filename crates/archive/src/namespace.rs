//! A namespace: database and collection, split at the first dot as the server does.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const BUCKETS_PREFIX: &str = "system.buckets.";

/// `database.collection`. Collection names may contain dots, newlines and any other character but NUL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace {
    pub db: String,
    pub coll: String,
}

impl Namespace {
    pub fn new(db: impl Into<String>, coll: impl Into<String>) -> Self {
        Self { db: db.into(), coll: coll.into() }
    }

    /// Splits `db.coll`; `None` when there is no dot or one side is empty.
    pub fn parse(text: &str) -> Option<Self> {
        let (db, coll) = text.split_once('.')?;
        (!db.is_empty() && !coll.is_empty()).then(|| Self::new(db, coll))
    }

    /// The bucket collection behind a time-series collection.
    pub fn is_buckets(&self) -> bool {
        self.coll.starts_with(BUCKETS_PREFIX)
    }

    /// The time-series collection that a bucket collection belongs to.
    pub fn time_series_name(&self) -> Option<&str> {
        self.coll.strip_prefix(BUCKETS_PREFIX)
    }

    /// The collection in which a database keeps its view definitions.
    pub fn is_views(&self) -> bool {
        self.coll == "system.views"
    }

    pub fn is_users(&self) -> bool {
        self.db == "admin" && self.coll == "system.users"
    }

    pub fn is_roles(&self) -> bool {
        self.db == "admin" && self.coll == "system.roles"
    }

    /// Whether the collection is part of what a backup protects.
    ///
    /// A keep-list: ordinary collections of any database but `local` and `config`, and of the system collections only
    /// those that hold user data or definitions. The rest belongs to one server's life (sessions, transactions,
    /// index builds, keys, feature compatibility version) and must not travel.
    pub fn is_protected(&self) -> bool {
        match self.db.as_str() {
            "local" | "config" => false,
            "admin" if self.is_users() || self.is_roles() => true,
            _ if self.coll.starts_with("system.") => self.is_buckets() || self.is_views() || self.coll == "system.js",
            // The restore itself stages users and roles here.
            "admin" => !self.coll.starts_with("tidemark_"),
            _ => true,
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.db, self.coll)
    }
}

impl Serialize for Namespace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Namespace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not database.collection")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_dot_splits() {
        let namespace = Namespace::parse("shop.orders.2024").unwrap();
        assert_eq!((namespace.db.as_str(), namespace.coll.as_str()), ("shop", "orders.2024"));
        assert_eq!(namespace.to_string(), "shop.orders.2024");
        assert_eq!(Namespace::parse("shop"), None);
        assert_eq!(Namespace::parse("shop."), None);
        assert_eq!(Namespace::parse(".x"), None);
    }

    #[test]
    fn system_collections_are_kept_by_list() {
        let protected = |text: &str| Namespace::parse(text).unwrap().is_protected();
        for text in [
            "a.b",
            "a.system.js",
            "a.system.views",
            "a.system.buckets.x",
            "admin.system.users",
            "admin.x",
            "admin_x.y",
            "config2.x",
        ] {
            assert!(protected(text), "{text}");
        }
        for text in [
            "local.x",
            "config.transactions",
            "admin.system.version",
            "admin.system.keys",
            "a.system.profile",
            "a.system.new",
        ] {
            assert!(!protected(text), "{text}");
        }
    }
}
