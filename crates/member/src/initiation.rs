//! Whether a replica set may be initiated: once in its life, by one member, when nobody holds anything.

use std::fmt;

/// What the server lets vote.
pub const MOST_VOTERS: usize = 7;

/// How one server stands to being initiated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Does not answer, refuses to be asked, or does not say what has to be known. Nothing follows from it.
    Unknown(String),
    /// Never initiated, and empty.
    Fresh,
    /// Never initiated as far as it says, and not empty.
    HoldsData(String),
    /// Has the configuration of the replica set with this id; it may have been removed from it.
    Initiated { replica_set_id: String },
}

/// A member that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    pub host: String,
    pub standing: Standing,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        match &self.standing {
            Standing::Unknown(why) => write!(f, "{host}: not known: {why}"),
            Standing::Fresh => write!(f, "{host}: fresh"),
            Standing::HoldsData(what) => write!(f, "{host} holds data: {what}"),
            Standing::Initiated { replica_set_id } => write!(f, "{host} belongs to replica set {replica_set_id}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Initiation {
    /// All members, by ordinal.
    Initiate(Vec<String>),
    Wait(Vec<Obstacle>),
    /// Another member's task; this one waits to be told.
    NotMine,
}

/// `seen` has every member that the set shall have, this one included, by ordinal.
///
/// One that is away may be the one that holds the data: then initiating would make a second, empty set with the same name.
pub fn initiation(own_ordinal: u32, seen: Vec<(String, Standing)>) -> Initiation {
    if own_ordinal != 0 {
        return Initiation::NotMine;
    }
    let obstacles: Vec<Obstacle> = seen
        .iter()
        .filter(|(_, standing)| *standing != Standing::Fresh)
        .map(|(host, standing)| Obstacle { host: host.clone(), standing: standing.clone() })
        .collect();
    if obstacles.is_empty() && !seen.is_empty() {
        Initiation::Initiate(seen.into_iter().map(|(host, _)| host).collect())
    } else {
        Initiation::Wait(obstacles)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn standing() -> impl Strategy<Value = Standing> {
        prop_oneof![
            Just(Standing::Unknown("away".to_owned())),
            Just(Standing::Fresh),
            Just(Standing::Fresh),
            Just(Standing::HoldsData("orders".to_owned())),
            Just(Standing::Initiated { replica_set_id: "1".to_owned() }),
        ]
    }

    proptest! {
        #[test]
        fn only_ordinal_zero_initiates_and_only_when_every_member_is_fresh(
            ordinal in 0_u32..3,
            standings in proptest::collection::vec(standing(), 0..8),
        ) {
            let seen: Vec<(String, Standing)> =
                standings.iter().enumerate().map(|(at, standing)| (format!("h{at}:1"), standing.clone())).collect();
            let all_fresh = !standings.is_empty() && standings.iter().all(|standing| *standing == Standing::Fresh);
            match initiation(ordinal, seen.clone()) {
                Initiation::Initiate(hosts) => {
                    prop_assert!(ordinal == 0 && all_fresh);
                    prop_assert_eq!(hosts, seen.into_iter().map(|(host, _)| host).collect::<Vec<_>>());
                }
                Initiation::Wait(obstacles) => {
                    prop_assert!(ordinal == 0 && !all_fresh);
                    let others = standings.iter().filter(|standing| **standing != Standing::Fresh).count();
                    prop_assert_eq!(obstacles.len(), others);
                }
                Initiation::NotMine => prop_assert!(ordinal != 0),
            }
        }
    }
}
