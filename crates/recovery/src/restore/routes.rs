//! Where the documents of each collection go in the destination.
//!
//! Ordinary collections go to their name at the target. Definitions (views, users, roles) are staged in scratch
//! collections of `config`, where replay can update them like any document, and are turned into the real thing at the
//! end: nobody can log in half-restored, and a view never stands in the way of a collection.

use std::collections::HashMap;
use std::sync::Arc;

use archive::timeline::Collection;
use archive::{ClusterTime, CollectionUuid, Namespace};
use replset::Destination;

use crate::failure::Result;

const STAGE_PREFIX: &str = "tidemark_stage_";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    Data,
    /// Definitions of views of this database.
    Views(String),
    Users,
    Roles,
}

#[derive(Debug)]
pub struct Route {
    /// The collection in the source, for messages and reports.
    pub source: Namespace,
    /// Where its documents are written.
    pub namespace: Namespace,
    pub role: Role,
    pub capped: bool,
    /// Operations on different `_id`s must not be reordered either: capped collections keep their order, and with a
    /// collation two different texts can be one key.
    pub strictly_ordered: bool,
    pub skip_inserts_through: Option<ClusterTime>,
}

#[derive(Debug)]
pub struct Routes {
    routes: HashMap<CollectionUuid, Arc<Route>>,
}

impl Routes {
    pub fn new<'a>(collections: impl Iterator<Item = &'a Collection>) -> Self {
        let routes = collections.map(|collection| (collection.uuid, Arc::new(route(collection)))).collect();
        Self { routes }
    }

    pub fn get(&self, uuid: CollectionUuid) -> Option<&Arc<Route>> {
        self.routes.get(&uuid)
    }

    pub fn staged(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.values().filter(|route| route.role != Role::Data)
    }
}

/// Drops everything that was ever staged: before a fresh restore begins, and when one is complete.
pub async fn drop_leftovers(destination: &Destination) -> Result<()> {
    for namespace in destination.names_of("config").await? {
        if namespace.coll.starts_with(STAGE_PREFIX) {
            destination.drop_collection(&namespace).await?;
        }
    }
    Ok(())
}

fn route(collection: &Collection) -> Route {
    let source = collection.namespace.clone();
    let role = if source.is_views() {
        Role::Views(source.db.clone())
    } else if source.is_users() {
        Role::Users
    } else if source.is_roles() {
        Role::Roles
    } else {
        Role::Data
    };
    let namespace = match role {
        Role::Data => source.clone(),
        _ => Namespace::new("config", format!("{STAGE_PREFIX}{}", collection.uuid)),
    };
    let capped = collection.capped;
    Route {
        source,
        namespace,
        role,
        capped,
        strictly_ordered: capped || !collection.has_simple_collation(),
        skip_inserts_through: collection.skip_inserts_through,
    }
}
