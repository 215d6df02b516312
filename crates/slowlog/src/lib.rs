//! What mongod's slow-query log lines (log id 51803, since 4.4) say.
//!
//! Bytes of a file become records ([`record`]: plain lines, or the CRI format of container runtimes with its partial
//! records), records become a [`Verdict`] ([`line`]), and slow queries are counted in an [`Aggregate`] whose size does
//! not depend on what is logged. Everything here is a function of values: no files, no clock, no server.
//!
//! Nothing a user stored or asked for leaves this crate: of a command only the shape is kept, with the name of a type
//! where a value stood. Names of databases, collections and fields are kept.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod aggregate;
pub mod entry;
pub mod families;
pub mod figures;
pub mod line;
pub mod operation;
pub mod profile;
pub mod record;
pub mod redact;
pub mod report;
pub mod shape;
pub mod top;

pub use aggregate::{Aggregate, Limits};
pub use entry::SlowQuery;
pub use line::{Reader, Verdict};
