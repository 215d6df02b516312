//! What may be done to a replica set, decided from what was seen of it: who initiates it and when, which member joins or
//! leaves next, which user is created, changed or still kept out.
//!
//! Functions of values: no server, no clock, no files. The sidecar's `member tend` looks, asks here, and does one thing at a
//! time; after a kill at any moment it looks again and comes to the same end, since nothing is remembered between two looks.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod changes;
mod hosts;
mod initiation;
mod roles;
mod stop;
mod users;

pub use changes::{Change, Configured, Decision, Hindrance, SetView, State, decide, foreign, may_join};
pub use hosts::{Hosts, ordinal};
pub use initiation::{Initiation, MOST_VOTERS, Obstacle, Standing, initiation};
pub use roles::Role;
pub use stop::awaited;
pub use users::{
    Gate, Mode, Password, PresentUser, RestoreMark, UserAction, Waiting, WantedUser, gate, parse_users, user_action,
};
