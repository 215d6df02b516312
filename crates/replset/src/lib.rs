//! The port to the database: the only user of the driver besides the development-only test kit.
//!
//! Reads a source member raw (`listing`, `scan`, `oplog`), knows a replica set's state (`topology`, `privileges`) and
//! writes a restore's destination (`destination`). Documents pass through as bytes: they are never decoded and
//! encoded again. Every error is a [`ReplsetError`] whose kind says what a caller can do about it.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod connect;
pub mod destination;
pub mod error;
pub mod initiate;
pub mod listing;
pub mod member;
pub mod oplog;
pub mod privileges;
pub mod probe;
pub mod raw;
pub mod scan;
pub mod snapshot_read;
pub mod topology;

pub use connect::{ConnectOptions, Connection, Reply};
pub use destination::Destination;
pub use error::{ErrorKind, ReplsetError};
pub use probe::Probe;
