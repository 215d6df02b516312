//! The next change of a replica set's configuration: one at a time, and only while a majority is healthy.
//!
//! A member joins without a vote and gets one when it has caught up, so that an empty one never counts for a majority. What is
//! not one of the ordinals' hosts is never touched, whoever put it there.

use std::fmt;

use crate::hosts::Hosts;
use crate::initiation::{MOST_VOTERS, Obstacle, Standing};

/// Behind the newest entry by no more, a member has caught up.
const CAUGHT_UP_SECONDS: u32 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Primary,
    Secondary,
    Arbiter,
    /// Away, or neither of these.
    Unwell,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Configured {
    pub host: String,
    pub votes: i64,
    pub priority: f64,
    /// Added by us and waiting for its vote. A member without one that is not marked so was made so by a person.
    pub joining: bool,
    pub state: State,
    pub lag_seconds: Option<u32>,
}

impl Configured {
    pub(crate) fn is_voter(&self) -> bool {
        self.votes > 0
    }

    pub(crate) fn is_healthy(&self) -> bool {
        self.state != State::Unwell
    }
}

/// As the primary sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct SetView {
    pub replica_set_id: String,
    pub members: Vec<Configured>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Add(String),
    /// Gives a member that has joined its vote.
    Promote(String),
    Remove(String),
    /// The primary is to be removed: another one has to take over first.
    StepDown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    NoMajority {
        healthy: usize,
        voters: usize,
    },
    /// A member that was added has not caught up.
    Joining(String),
    /// Removing it would leave no healthy majority, or nobody who could take over from it.
    Needed(String),
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMajority { healthy, voters } => write!(f, "only {healthy} of {voters} voting members are healthy"),
            Self::Joining(host) => write!(f, "{host} has not caught up yet"),
            Self::Needed(host) => {
                write!(f, "{host} is to be removed, and without it no healthy majority would be left")
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Settled,
    Do(Change),
    Wait(Hindrance),
}

/// `refused` are hosts that [`may_join`] did not let join when they were looked at just now.
pub fn decide(set: &SetView, hosts: &Hosts, wanted: u32, refused: &[String]) -> Decision {
    let voters = set.members.iter().filter(|member| member.is_voter()).count();
    let healthy = set.members.iter().filter(|member| member.is_voter() && member.is_healthy()).count();
    if healthy * 2 <= voters {
        return Decision::Wait(Hindrance::NoMajority { healthy, voters });
    }
    let is_wanted = |member: &Configured| hosts.ordinal_of(&member.host).is_some_and(|ordinal| ordinal < wanted);
    let joining: Vec<&Configured> =
        set.members.iter().filter(|member| member.joining && !member.is_voter() && is_wanted(member)).collect();
    let has_caught_up = |member: &Configured| {
        member.state == State::Secondary && member.lag_seconds.is_some_and(|lag| lag <= CAUGHT_UP_SECONDS)
    };
    if voters < MOST_VOTERS
        && let Some(member) = joining.iter().find(|member| has_caught_up(member))
    {
        return Decision::Do(Change::Promote(member.host.clone()));
    }
    let late = joining.iter().find(|member| !has_caught_up(member));
    if late.is_none()
        && let Some(host) = next_to_add(set, hosts, wanted, refused)
    {
        return Decision::Do(Change::Add(host));
    }
    if let Some(leaving) = next_to_remove(set, hosts, wanted) {
        return remove(set, leaving, healthy, voters);
    }
    late.map_or(Decision::Settled, |member| Decision::Wait(Hindrance::Joining(member.host.clone())))
}

fn next_to_add(set: &SetView, hosts: &Hosts, wanted: u32, refused: &[String]) -> Option<String> {
    let is_there = |host: &str| set.members.iter().any(|member| member.host.eq_ignore_ascii_case(host));
    (0..wanted).filter_map(|ordinal| hosts.host(ordinal)).find(|host| !is_there(host) && !refused.contains(host))
}

/// The highest ordinal first, as a `StatefulSet` does.
fn next_to_remove<'a>(set: &'a SetView, hosts: &Hosts, wanted: u32) -> Option<&'a Configured> {
    let ours = set.members.iter().filter_map(|member| Some((hosts.ordinal_of(&member.host)?, member)));
    ours.filter(|(ordinal, _)| *ordinal >= wanted).max_by_key(|(ordinal, _)| *ordinal).map(|(_, member)| member)
}

fn remove(set: &SetView, leaving: &Configured, healthy: usize, voters: usize) -> Decision {
    let needed = || Decision::Wait(Hindrance::Needed(leaving.host.clone()));
    if leaving.state == State::Primary {
        let can_follow = |member: &Configured| {
            member.state == State::Secondary
                && member.priority > 0.0
                && member.is_voter()
                && member.host != leaving.host
        };
        return if set.members.iter().any(can_follow) { Decision::Do(Change::StepDown) } else { needed() };
    }
    let left = voters - usize::from(leaving.is_voter());
    let left_healthy = healthy - usize::from(leaving.is_voter() && leaving.is_healthy());
    if left_healthy * 2 > left { Decision::Do(Change::Remove(leaving.host.clone())) } else { needed() }
}

/// A member that is added is synchronised anew when it does not continue where the set is: what it holds must be nothing, or
/// this very set's.
pub fn may_join(host: &str, standing: &Standing, replica_set_id: &str) -> Result<(), Obstacle> {
    match standing {
        Standing::Fresh => Ok(()),
        Standing::Initiated { replica_set_id: id } if id == replica_set_id => Ok(()),
        other => Err(Obstacle { host: host.to_owned(), standing: other.clone() }),
    }
}

/// Members of the configuration that are none of the ordinals' hosts.
pub fn foreign<'a>(set: &'a SetView, hosts: &Hosts) -> Vec<&'a str> {
    set.members.iter().map(|member| member.host.as_str()).filter(|host| hosts.ordinal_of(host).is_none()).collect()
}

#[cfg(test)]
mod tests;
