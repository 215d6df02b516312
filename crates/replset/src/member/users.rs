//! Users of the set, in `admin`. Passwords go into commands and nowhere else.

use std::collections::BTreeSet;

use bson::{Bson, Document, doc};
use member::{PresentUser, Role};

use super::{Login, MAJORITY, Server};
use crate::error::{ErrorKind, Result};
use crate::topology::documents;

const NOTE: &str = "tidemark";
const LOCKED: &str = "locked until the restore has completed";

/// A user as it is, and its credentials for telling whether they have changed.
#[derive(Clone)]
pub struct FoundUser {
    pub user: PresentUser,
    pub credentials: String,
}

/// Whether a user only holds its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    Locked,
    Unlocked,
}

impl Server {
    pub async fn user(&self, name: &str) -> Result<Option<FoundUser>> {
        let command = doc! { "usersInfo": { "user": name, "db": "admin" }, "showCredentials": true };
        let reply = self.run("admin", "look for a user", command).await?;
        Ok(documents(&reply, "users").next().map(found))
    }

    pub async fn create_user(&self, name: &str, password: &str, roles: &BTreeSet<Role>, lock: Lock) -> Result<()> {
        let mut command = doc! { "createUser": name, "roles": written(roles) };
        command.extend(password_fields(password));
        command.extend(note(lock));
        command.extend(for_a_majority());
        self.write("create a user", command).await.map(|_| ())
    }

    /// In place: what is not given stays, and so do all connections that are signed in.
    pub async fn update_user(
        &self,
        name: &str,
        password: Option<&str>,
        roles: Option<&BTreeSet<Role>>,
        lock: Option<Lock>,
    ) -> Result<()> {
        let mut command = doc! { "updateUser": name };
        command.extend(password.map(password_fields).unwrap_or_default());
        if let Some(roles) = roles {
            command.insert("roles", written(roles));
        }
        command.extend(lock.map(note).unwrap_or_default());
        command.extend(for_a_majority());
        self.write("update a user", command).await.map(|_| ())
    }

    /// Whether the user can sign in with this password, by SCRAM-SHA-256.
    pub async fn password_works(&self, name: &str, password: &str) -> Result<bool> {
        let server = Self::open(&self.uri, Some(&self.host), Login::User(name, password), self.limit).await?;
        let tried = server.run("admin", "sign in", doc! { "ping": 1 }).await;
        server.close().await;
        match tried {
            Ok(_) => Ok(true),
            Err(error) if *error.kind() == ErrorKind::AuthFailed => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn found(document: &Document) -> FoundUser {
    let text = |role: &Document, name: &str| role.get_str(name).unwrap_or_default().to_owned();
    let roles = documents(document, "roles").map(|role| Role { role: text(role, "role"), db: text(role, "db") });
    let noted = document.get_document("customData").and_then(|data| data.get_str(NOTE));
    FoundUser {
        user: PresentUser { roles: roles.collect(), locked: noted.ok() == Some(LOCKED) },
        // Keys that are derived from the password: never shown either.
        credentials: document.get_document("credentials").map(ToString::to_string).unwrap_or_default(),
    }
}

fn password_fields(password: &str) -> Document {
    doc! { "pwd": password, "mechanisms": ["SCRAM-SHA-256"] }
}

fn note(lock: Lock) -> Document {
    match lock {
        Lock::Locked => doc! { "customData": { NOTE: LOCKED } },
        Lock::Unlocked => doc! { "customData": {} },
    }
}

fn written(roles: &BTreeSet<Role>) -> Vec<Bson> {
    roles.iter().map(|role| Bson::Document(doc! { "role": &role.role, "db": &role.db })).collect()
}

fn for_a_majority() -> Document {
    doc! { "writeConcern": { "w": "majority", "wtimeout": MAJORITY } }
}
