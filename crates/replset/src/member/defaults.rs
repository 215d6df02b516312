//! The set's default read and write concern.

use bson::{Bson, Document, doc};

use super::{MAJORITY, Server};
use crate::error::Result;

/// What is not said stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WantedDefaults {
    /// `majority`, or a number of members.
    pub write: Option<String>,
    pub read: Option<String>,
}

impl Server {
    /// Whether something was changed.
    pub async fn set_defaults(&self, wanted: &WantedDefaults) -> Result<bool> {
        const WHAT: &str = "read the default concerns";
        if *wanted == WantedDefaults::default() {
            return Ok(false);
        }
        let present = self.run("admin", WHAT, doc! { "getDefaultRWConcern": 1 }).await?;
        let missing = missing(wanted, &present);
        if missing.is_empty() {
            return Ok(false);
        }
        let mut command = doc! { "setDefaultRWConcern": 1 };
        command.extend(missing);
        command.insert("writeConcern", doc! { "w": "majority", "wtimeout": MAJORITY });
        self.write("set the default concerns", command).await.map(|_| true)
    }
}

/// A default that the server has of itself is not one that was set: a later server may have another.
fn missing(wanted: &WantedDefaults, present: &Document) -> Document {
    let is_set = |name: &str| present.get_str(name).ok() == Some("global");
    let mut missing = Document::new();
    if let Some(write) = &wanted.write {
        let w = write.parse::<i32>().map_or_else(|_| Bson::String(write.clone()), Bson::Int32);
        let now = present.get_document("defaultWriteConcern").ok().and_then(|concern| concern.get("w"));
        if !(is_set("defaultWriteConcernSource") && now == Some(&w)) {
            missing.insert("defaultWriteConcern", doc! { "w": w });
        }
    }
    if let Some(read) = &wanted.read {
        let now = present.get_document("defaultReadConcern").and_then(|concern| concern.get_str("level"));
        if !(is_set("defaultReadConcernSource") && now.ok() == Some(read.as_str())) {
            missing.insert("defaultReadConcern", doc! { "level": read });
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_or_was_never_set_is_set() {
        let wanted = WantedDefaults { write: Some("majority".to_owned()), read: Some("local".to_owned()) };
        let present = |source: &str| {
            doc! {
                "defaultWriteConcern": { "w": "majority", "wtimeout": 0 }, "defaultWriteConcernSource": source,
                "defaultReadConcern": { "level": "majority" }, "defaultReadConcernSource": "global",
            }
        };
        assert_eq!(missing(&wanted, &present("global")), doc! { "defaultReadConcern": { "level": "local" } });
        assert!(missing(&wanted, &present("implicit")).contains_key("defaultWriteConcern"));
        let number = WantedDefaults { write: Some("2".to_owned()), read: None };
        assert_eq!(missing(&number, &present("global")), doc! { "defaultWriteConcern": { "w": 2 } });
    }
}
