//! The acceptance cases: real server, real binaries, archive in a folder. Numbers are those of the acceptance list.
//!
//! One program, because linking costs more than running. Each case has its own source and archive.

#[path = "acceptance/access.rs"]
mod access;
#[path = "acceptance/consistency.rs"]
mod consistency;
#[path = "acceptance/documents.rs"]
mod documents;
#[path = "acceptance/drills.rs"]
mod drills;
#[path = "acceptance/encryption.rs"]
mod encryption;
#[path = "acceptance/export.rs"]
mod export;
#[path = "acceptance/gaps.rs"]
mod gaps;
#[path = "acceptance/indexes.rs"]
mod indexes;
#[path = "acceptance/lineages.rs"]
mod lineages;
#[path = "acceptance/locked.rs"]
mod locked;
#[path = "acceptance/made.rs"]
mod made;
#[path = "acceptance/many.rs"]
mod many;
#[path = "acceptance/namespaces.rs"]
mod namespaces;
#[path = "acceptance/not_replayable.rs"]
mod not_replayable;
#[path = "acceptance/prepared.rs"]
mod prepared;
#[path = "acceptance/replica_sets.rs"]
mod replica_sets;
#[path = "acceptance/retention.rs"]
mod retention;
#[path = "acceptance/schema.rs"]
mod schema;
#[path = "acceptance/targets.rs"]
mod targets;
#[path = "acceptance/time_series.rs"]
mod time_series;
#[path = "acceptance/transactions.rs"]
mod transactions;
#[path = "acceptance/ttl.rs"]
mod ttl;
