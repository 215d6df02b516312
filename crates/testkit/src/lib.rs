//! Real `mongod` servers, realistic data, hostile data, random workloads and the oracle for the other crates' tests.
//!
//! Development only: nothing that ships depends on this crate, which is why it may use the driver directly and panic
//! in places where a test wants to stop.

pub mod bson_bytes;
pub mod capture;
pub mod dataset;
pub mod mongod;
pub mod replica_set;
pub mod standalone;
pub mod weird;

pub use replica_set::{ReplicaSet, ReplicaSetBuilder};
pub use standalone::Standalone;
