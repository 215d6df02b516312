//! What the signed-in user may do, compared with what a task needs, action by action.
//!
//! The decision is a function over the document that `connectionStatus` returns. What is granted in a form that cannot
//! be proven to cover every database counts as missing.

use bson::{Bson, Document, rawdoc};

use crate::connect::Connection;
use crate::error::{ErrorKind, ReplsetError, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Snapshot and oplog archive: the roles `backup` and `clusterMonitor`.
    Source,
    /// Restore: `restore`, `readWriteAnyDatabase`, `clusterMonitor` and `readWrite` on `config`.
    Destination,
}

impl Task {
    /// The built-in roles that together give everything the task needs.
    pub fn roles(self) -> &'static str {
        match self {
            Self::Source => "backup and clusterMonitor on admin",
            Self::Destination => "restore, readWriteAnyDatabase and clusterMonitor on admin, readWrite on config",
        }
    }

    fn needs(self) -> &'static [(Resource, &'static [&'static str])] {
        match self {
            Self::Source => SOURCE,
            Self::Destination => DESTINATION,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource {
    Cluster,
    /// Ordinary collections of all databases but `local` and `config`.
    AnyCollection,
    /// `system.buckets.*` of all databases.
    AnyBuckets,
    /// A collection of this name in every database.
    Everywhere(&'static str),
    Collection(&'static str, &'static str),
}

const SOURCE: &[(Resource, &[&str])] = &[
    (
        Resource::Cluster,
        &["listDatabases", "replSetGetStatus", "replSetGetConfig", "getParameter", "serverStatus", "useUUID"],
    ),
    (Resource::AnyCollection, &["find", "listCollections", "listIndexes"]),
    (Resource::AnyBuckets, &["find", "listIndexes"]),
    (Resource::Everywhere("system.js"), &["find", "listIndexes"]),
    (Resource::Collection("admin", "system.users"), &["find"]),
    (Resource::Collection("admin", "system.roles"), &["find"]),
    (Resource::Collection("local", "oplog.rs"), &["find"]),
    (Resource::Collection("config", "transactions"), &["find"]),
];

const WRITE: &[&str] = &[
    "find",
    "insert",
    "update",
    "remove",
    "createCollection",
    "createIndex",
    "dropCollection",
    "dropIndex",
    "collMod",
    "bypassDocumentValidation",
    "listIndexes",
    "convertToCapped",
];

const DESTINATION: &[(Resource, &[&str])] = &[
    (
        Resource::Cluster,
        &["listDatabases", "replSetGetStatus", "replSetGetConfig", "getParameter", "inprog", "applyOps"],
    ),
    (Resource::AnyCollection, WRITE),
    (Resource::AnyCollection, &["listCollections", "renameCollectionSameDB"]),
    (Resource::AnyBuckets, WRITE),
    (Resource::Everywhere("system.js"), &["find", "insert", "update", "remove", "createCollection"]),
    (Resource::Collection("config", "tidemark_restore"), &["find", "insert", "update", "remove", "dropCollection"]),
    (Resource::Collection("admin", "system.users"), &["find", "insert", "update", "remove"]),
];

/// The missing actions, as `action on resource`; empty when the task can run. Everything is allowed without authentication.
pub async fn missing(connection: &Connection, task: Task) -> Result<Vec<String>> {
    let command = rawdoc! { "connectionStatus": 1, "showPrivileges": true };
    let status = connection.run("admin", "read the user's privileges", command).await?;
    let info = status.document().get_document("authInfo").cloned().unwrap_or_default();
    if info.get_array("authenticatedUsers").is_ok_and(|users| !users.is_empty()) {
        return Ok(missing_privileges(&info, task));
    }
    // Nobody is signed in: either the server asks for no authentication, or this is refused.
    let command = rawdoc! { "listDatabases": 1, "nameOnly": true, "authorizedDatabases": false };
    connection.run("admin", "use the server without credentials", command).await.map(|_| Vec::new()).map_err(|error| {
        match error.kind() {
            ErrorKind::MissingPrivilege(_) => error.with_kind(ErrorKind::AuthFailed),
            _ => error,
        }
    })
}

/// Refuses with `MissingPrivilege` naming every missing action.
pub async fn require(connection: &Connection, task: Task) -> Result<()> {
    let missing = missing(connection, task).await?;
    if missing.is_empty() {
        return Ok(());
    }
    let detail = format!("grant the user the roles {}; missing: {}", task.roles(), grouped(&missing));
    Err(ReplsetError::new(ErrorKind::MissingPrivilege(missing), "start with this user", connection.server(), detail))
}

/// `auth_info` is `authInfo` of `connectionStatus` with `showPrivileges`.
pub fn missing_privileges(auth_info: &Document, task: Task) -> Vec<String> {
    let granted: Vec<&Document> = auth_info
        .get_array("authenticatedUserPrivileges")
        .into_iter()
        .flatten()
        .filter_map(Bson::as_document)
        .collect();
    let mut missing = Vec::new();
    for (resource, actions) in task.needs() {
        for action in *actions {
            if !granted.iter().any(|privilege| covers(privilege, *resource) && allows(privilege, action)) {
                missing.push(format!("{action} on {}", describe(*resource)));
            }
        }
    }
    missing
}

/// `find, insert on A; update on B`: the resource once for all its actions.
fn grouped(missing: &[String]) -> String {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (action, resource) in missing.iter().filter_map(|missing| missing.split_once(" on ")) {
        match groups.iter_mut().find(|(known, _)| *known == resource) {
            Some((_, actions)) => actions.push(action),
            None => groups.push((resource, vec![action])),
        }
    }
    let groups = groups.into_iter().map(|(resource, actions)| format!("{} on {resource}", actions.join(", ")));
    groups.collect::<Vec<_>>().join("; ")
}

fn allows(privilege: &Document, action: &str) -> bool {
    privilege
        .get_array("actions")
        .into_iter()
        .flatten()
        .filter_map(Bson::as_str)
        .any(|granted| granted == action || granted == "anyAction")
}

fn covers(privilege: &Document, needed: Resource) -> bool {
    let Ok(resource) = privilege.get_document("resource") else { return false };
    if resource.get_bool("anyResource").unwrap_or(false) {
        return true;
    }
    let text = |name: &str| resource.get_str(name).ok();
    match needed {
        Resource::Cluster => resource.get_bool("cluster").unwrap_or(false),
        Resource::AnyCollection => (text("db"), text("collection")) == (Some(""), Some("")),
        Resource::AnyBuckets => text("system_buckets") == Some("") && text("db").is_none_or(str::is_empty),
        Resource::Everywhere(name) => (text("db"), text("collection")) == (Some(""), Some(name)),
        Resource::Collection(db, name) => {
            // An empty collection means every ordinary collection; of `local` and `config` only when the database is named.
            let is_system = name.starts_with("system.");
            let any_database_suffices = is_system || !matches!(db, "local" | "config");
            let db_fits = text("db") == Some(db) || (any_database_suffices && text("db") == Some(""));
            db_fits && (text("collection") == Some(name) || (!is_system && text("collection") == Some("")))
        }
    }
}

fn describe(resource: Resource) -> String {
    match resource {
        Resource::Cluster => "the cluster".to_owned(),
        Resource::AnyCollection => "all databases".to_owned(),
        Resource::AnyBuckets => "time-series buckets of all databases".to_owned(),
        Resource::Everywhere(name) => format!("{name} of all databases"),
        Resource::Collection(db, name) => format!("{db}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn info(privileges: Vec<Document>) -> Document {
        doc! { "authenticatedUsers": [{ "user": "u" }], "authenticatedUserPrivileges": privileges }
    }

    #[test]
    fn any_action_on_any_resource_is_enough() {
        let all = info(vec![doc! { "resource": { "anyResource": true }, "actions": ["anyAction"] }]);
        assert_eq!(missing_privileges(&all, Task::Source), Vec::<String>::new());
        assert_eq!(missing_privileges(&all, Task::Destination), Vec::<String>::new());
    }

    #[test]
    fn missing_actions_are_grouped_by_resource_for_people() {
        let missing = ["find on a.b", "insert on all databases", "update on a.b"].map(str::to_owned);
        assert_eq!(grouped(&missing), "find, update on a.b; insert on all databases");
    }

    #[test]
    fn nothing_granted_names_everything() {
        let missing = missing_privileges(&info(vec![]), Task::Source);
        assert!(missing.contains(&"find on local.oplog.rs".to_owned()), "{missing:?}");
        assert!(missing.contains(&"replSetGetStatus on the cluster".to_owned()), "{missing:?}");
    }

    #[test]
    fn ordinary_collections_of_all_databases_do_not_include_local_config_and_system() {
        let privilege = doc! { "resource": { "db": "", "collection": "" }, "actions": ["find"] };
        assert!(covers(&privilege, Resource::AnyCollection));
        for needed in [
            Resource::Cluster,
            Resource::AnyBuckets,
            Resource::Everywhere("system.js"),
            Resource::Collection("local", "oplog.rs"),
            Resource::Collection("config", "transactions"),
            Resource::Collection("admin", "system.users"),
        ] {
            assert!(!covers(&privilege, needed), "{needed:?}");
        }
        assert!(covers(
            &doc! { "resource": { "db": "local", "collection": "" } },
            Resource::Collection("local", "oplog.rs")
        ));
        assert!(covers(
            &doc! { "resource": { "db": "", "collection": "system.users" } },
            Resource::Collection("admin", "system.users")
        ));
        assert!(!covers(&doc! { "resource": { "db": "shop", "collection": "" } }, Resource::AnyCollection));
    }
}
