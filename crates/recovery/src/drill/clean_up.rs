//! Taking a restore out of a destination that somebody gave, when he asks for it.

use archive::Namespace;
use archive::drill::{CleanUp, Outcome};
use archive::reference::ListedName;
use replset::destination::PROGRESS;
use replset::{Destination, ErrorKind, snapshot_read};

use crate::failure::Result;

/// Drops everything that stands in the destination: the restore has refused it unless it was empty. Users and roles stay, because
/// some of them may be the destination's own.
pub async fn drop_restored(destination: &Destination, has_access: bool) -> Result<CleanUp> {
    let (names, _) = snapshot_read::list_names(destination.connection(), None).await?;
    let is_system = |listed: &ListedName| listed.namespace.coll.starts_with("system.");
    let mut databases: Vec<&str> = names.iter().map(|listed| listed.namespace.db.as_str()).collect();
    databases.dedup();
    for database in databases.into_iter().filter(|database| *database != "admin") {
        match destination.drop_database(database).await {
            // The documented roles of a restore allow it for collections only.
            Err(error) if matches!(error.kind(), ErrorKind::MissingPrivilege(_)) => {
                let own = names.iter().filter(|listed| listed.namespace.db == database && !is_system(listed));
                for listed in own {
                    destination.drop_collection(&listed.namespace).await?;
                }
            }
            dropped => dropped?,
        }
    }
    for listed in names.iter().filter(|listed| listed.namespace.db == "admin" && !is_system(listed)) {
        destination.drop_collection(&listed.namespace).await?;
    }
    destination.drop_collection(&Namespace::new(PROGRESS.0, PROGRESS.1)).await?;
    destination.majority_barrier().await?;
    // The barrier writes there.
    destination.drop_collection(&Namespace::new(PROGRESS.0, PROGRESS.1)).await?;
    let mut left: Vec<String> =
        destination.list_existing().await?.into_iter().map(|namespace| namespace.to_string()).collect();
    if has_access {
        left.push("restored users and roles".to_owned());
    }
    let outcome = if left.is_empty() { Outcome::Passed } else { Outcome::Failed };
    Ok(CleanUp { outcome: Some(outcome), leftovers: left, cost: None })
}
