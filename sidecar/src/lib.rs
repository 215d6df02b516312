//! The sidecar: beside every `mongod` it archives the oplog, takes snapshots and exports metrics.
//!
//! `archiver` and `snapshot` do the work against the two ports (`replset`, `store`); `leadership` decides by a `lease`
//! which sidecar of the set does it; `schedule`, `http` and `check` are around them; `app` and `tenure` put the parts
//! together and `config` says how. What is stored, and what follows from it, is
//! decided in the crate `archive`. `node` is another mode of the same binary: it reads logs of servers and nothing else.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod app;
pub mod archive_store;
pub mod archiver;
pub mod backoff;
pub mod backups;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod expiry;
pub mod holdings;
pub mod http;
pub mod leadership;
pub mod lease;
pub mod member;
pub mod metrics;
pub mod monitor;
pub mod node;
pub mod output;
mod page;
pub mod reference;
pub mod schedule;
pub mod snapshot;
pub mod source;
pub mod status;
mod store_proof;
pub mod tasks;
pub mod tenure;
