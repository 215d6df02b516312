//! What the sidecar measures: the catalogue of all metrics, and how replies of a server and facts about an archive become
//! samples.
//!
//! Everything here is a function of values: no I/O, no clock, no driver. The catalogue is the one place where a metric has
//! its name, type, labels and help; `docs/metrics.md`, the exposition and the checks of rules and dashboards follow from it.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod backup;
pub mod bound;
pub mod cap;
pub mod catalogue;
pub mod continuity;
pub mod current_op;
pub mod databases;
pub mod document;
mod field;
pub mod hello;
pub mod latency;
pub mod replication;
pub mod rpo;
pub mod sample;
pub mod server_status;

pub use catalogue::{Kind, Metric};
pub use sample::{Histogram, Sample, Samples, Value};
