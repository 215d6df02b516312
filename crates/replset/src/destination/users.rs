//! Users and roles: staged in temporary collections and merged by the server itself.
//!
//! `_mergeAuthzCollections` with `drop: false` inserts what is new byte by byte and leaves every user and role that
//! exists as it is, the one running the restore included (seen on 6.0.5). It is also the only way in that keeps the
//! server's cache of rights up to date.

use archive::Namespace;
use bson::{RawDocument, rawdoc};

use super::{Destination, InsertMode};
use crate::error::Result;

/// Staging collections in `admin`.
pub const USERS_AND_ROLES: (&str, &str) = ("tidemark_users", "tidemark_roles");

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MergedAccess {
    /// New on the destination, by `_id`.
    pub users: Vec<String>,
    pub roles: Vec<String>,
    /// There already, and left as they were.
    pub kept_users: Vec<String>,
    pub kept_roles: Vec<String>,
}

impl Destination {
    /// Adds users and roles (documents of `admin.system.users` and `admin.system.roles`) that the destination lacks.
    pub async fn merge_users_and_roles(&self, users: &[&RawDocument], roles: &[&RawDocument]) -> Result<MergedAccess> {
        let mut merged = MergedAccess::default();
        if users.is_empty() && roles.is_empty() {
            return Ok(merged);
        }
        let had_users = self.existing_users(users).await?;
        let had_roles = self.existing_roles(roles).await?;
        split(users, &had_users, &mut merged.users, &mut merged.kept_users);
        split(roles, &had_roles, &mut merged.roles, &mut merged.kept_roles);
        let staged = self.stage_and_merge(users, roles).await;
        let cleared = self.clear_staging().await;
        staged.and(cleared)?;
        Ok(merged)
    }

    async fn stage_and_merge(&self, users: &[&RawDocument], roles: &[&RawDocument]) -> Result<()> {
        let (users_name, roles_name) = USERS_AND_ROLES;
        self.clear_staging().await?;
        let mut command = rawdoc! { "_mergeAuthzCollections": 1 };
        if !users.is_empty() {
            self.insert_raw(&Namespace::new("admin", users_name), users, InsertMode::Error, true).await?;
            command.append(bson::raw::cstr!("tempUsersCollection"), format!("admin.{users_name}"));
        }
        if !roles.is_empty() {
            self.insert_raw(&Namespace::new("admin", roles_name), roles, InsertMode::Error, true).await?;
            command.append(bson::raw::cstr!("tempRolesCollection"), format!("admin.{roles_name}"));
        }
        command.append(bson::raw::cstr!("db"), "");
        command.append(bson::raw::cstr!("drop"), false);
        command.append(bson::raw::cstr!("writeConcern"), rawdoc! { "w": "majority" });
        self.unlimited("admin", "merge users and roles", command).await.map(|_| ())
    }

    async fn clear_staging(&self) -> Result<()> {
        for name in [USERS_AND_ROLES.0, USERS_AND_ROLES.1] {
            self.drop_collection(&Namespace::new("admin", name)).await?;
        }
        Ok(())
    }

    async fn existing_users(&self, users: &[&RawDocument]) -> Result<Vec<String>> {
        self.existing(users, "usersInfo", "user", "users").await
    }

    async fn existing_roles(&self, roles: &[&RawDocument]) -> Result<Vec<String>> {
        self.existing(roles, "rolesInfo", "role", "roles").await
    }

    /// The `_id`s of those that exist. Asked by name: the role `restore` may not read `admin.system.roles`.
    async fn existing(&self, wanted: &[&RawDocument], command: &str, name: &str, answer: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for wanted in wanted.chunks(500) {
            let mut names = bson::Array::new();
            for document in wanted {
                if let (Ok(one), Ok(db)) = (document.get_str(name), document.get_str("db")) {
                    names.push(bson::doc! { name: one, "db": db }.into());
                }
            }
            let query = bson::RawDocumentBuf::try_from(&bson::doc! { command: names })
                .map_err(|error| crate::ReplsetError::protocol("look for users and roles", error.to_string()))?;
            let reply = self.write("admin", "look for users and roles", query).await?;
            let entries = reply.document().get_array(answer);
            let ids = entries.into_iter().flatten().filter_map(|entry| entry.as_document()?.get_str("_id").ok());
            found.extend(ids.map(str::to_owned));
        }
        Ok(found)
    }
}

fn split(documents: &[&RawDocument], existing: &[String], new: &mut Vec<String>, kept: &mut Vec<String>) {
    for id in documents.iter().filter_map(|document| document.get_str("_id").ok()) {
        if existing.iter().any(|existing| existing == id) { kept.push(id.to_owned()) } else { new.push(id.to_owned()) }
    }
}
