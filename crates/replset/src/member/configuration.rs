//! A replica set's configuration: the first one, and one change of it. All that a person has set in it stays.

use bson::{Bson, Document, doc};
use member::{Change, MOST_VOTERS};

use super::{LocalView, MAJORITY, Server};
use crate::error::{ReplsetError, Result};
use crate::topology::{documents, integer};

const TAG: &str = "tidemark";
const JOINING: &str = "joining";

pub(super) fn is_joining(member: &Document) -> bool {
    member.get_document("tags").and_then(|tags| tags.get_str(TAG)).ok() == Some(JOINING)
}

impl Server {
    /// The server asks every member itself and refuses when one is away or has a configuration.
    pub async fn initiate(&self, set_name: &str, hosts: &[String]) -> Result<()> {
        let config = first(set_name, hosts);
        self.run_within(
            std::time::Duration::from_mins(1),
            "admin",
            "initiate the replica set",
            doc! { "replSetInitiate": config },
        )
        .await
        .map(|_| ())
    }

    /// The version makes it a compare-and-set: of two changes made from the same configuration the server takes one. It also
    /// waits for a majority to have the new one, and refuses while the last one is not committed.
    pub async fn change(&self, view: &LocalView, change: &Change) -> Result<()> {
        let Some(config) = changed(&view.config, change) else {
            return self.step_down_for(60, 10).await;
        };
        let command = doc! { "replSetReconfig": config, "maxTimeMS": MAJORITY };
        self.write("change the replica set's configuration", command).await.map(|_| ())
    }
}

/// Whether the server refused a change because another one came first, or is not everywhere yet.
pub fn is_overtaken(error: &ReplsetError) -> bool {
    // NewReplicaSetConfigurationIncompatible, ConfigurationInProgress, CurrentConfigNotCommittedYet, AlreadyInitialized.
    matches!(error.code(), Some(103 | 109 | 308 | 23)) || *error.kind() == crate::ErrorKind::NotPrimary
}

fn first(set_name: &str, hosts: &[String]) -> Document {
    let members = hosts.iter().enumerate().map(|(at, host)| {
        let mut member = doc! { "_id": i32::try_from(at).unwrap_or(i32::MAX), "host": host };
        if at >= MOST_VOTERS {
            member.extend(doc! { "votes": 0, "priority": 0 });
        }
        Bson::Document(member)
    });
    doc! { "_id": set_name, "members": members.collect::<Vec<_>>() }
}

/// `None` for a change that is none of the configuration.
fn changed(config: &Document, change: &Change) -> Option<Document> {
    let mut members: Vec<Document> = documents(config, "members").cloned().collect();
    match change {
        Change::StepDown => return None,
        Change::Add(host) => {
            let id = members.iter().filter_map(|member| integer(member, "_id")).max().unwrap_or(-1) + 1;
            members.push(doc! {
                "_id": i32::try_from(id).unwrap_or(i32::MAX), "host": host, "votes": 0, "priority": 0,
                "tags": { TAG: JOINING },
            });
        }
        Change::Promote(host) => {
            let member = members.iter_mut().find(|member| member.get_str("host").ok() == Some(host.as_str()))?;
            member.extend(doc! { "votes": 1, "priority": 1 });
            if let Ok(tags) = member.get_document_mut("tags") {
                tags.remove(TAG);
            }
        }
        Change::Remove(host) => members.retain(|member| member.get_str("host").ok() != Some(host.as_str())),
    }
    let mut config = config.clone();
    config.insert("version", integer(&config, "version")? + 1);
    config.insert("members", members.into_iter().map(Bson::Document).collect::<Vec<_>>());
    Some(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Document {
        let mut config = first("rs0", &["a:1".to_owned(), "b:1".to_owned()]);
        config.insert("version", 4_i32);
        config.insert("settings", doc! { "electionTimeoutMillis": 5000 });
        config.get_array_mut("members").unwrap()[1].as_document_mut().unwrap().insert("hidden", true);
        config
    }

    fn members(config: &Document) -> Vec<Document> {
        documents(config, "members").cloned().collect()
    }

    #[test]
    fn only_seven_of_the_first_members_vote() {
        let hosts: Vec<String> = (0..9).map(|at| format!("h{at}:1")).collect();
        let votes = members(&first("rs0", &hosts)).iter().filter(|member| !member.contains_key("votes")).count();
        assert_eq!(votes, 7);
    }

    #[test]
    fn a_member_joins_marked_and_voteless_and_loses_the_mark_with_its_vote() {
        let added = changed(&config(), &Change::Add("c:1".to_owned())).unwrap();
        let joined = &members(&added)[2];
        assert!(is_joining(joined));
        assert_eq!(
            (integer(joined, "_id"), integer(joined, "votes"), integer(joined, "priority")),
            (Some(2), Some(0), Some(0))
        );
        let promoted = changed(&added, &Change::Promote("c:1".to_owned())).unwrap();
        let joined = &members(&promoted)[2];
        assert!(!is_joining(joined));
        assert_eq!((integer(joined, "votes"), integer(&promoted, "version")), (Some(1), Some(6)));
    }

    #[test]
    fn what_a_person_has_set_stays() {
        let removed = changed(&config(), &Change::Remove("a:1".to_owned())).unwrap();
        assert_eq!(members(&removed), [doc! { "_id": 1, "host": "b:1", "hidden": true }]);
        assert_eq!(removed.get_document("settings").ok(), config().get_document("settings").ok());
    }
}
