//! Real `mongod` servers, realistic data, hostile data, random workloads and the oracle for the other crates' tests.
//!
//! Development only: nothing that ships depends on this crate, which is why it may use the driver directly.

pub mod bson_bytes;
pub mod capture;
pub mod dataset;
pub mod mongod;
pub mod processes;
pub mod record_ids;
pub mod replica_set;
pub mod standalone;
pub mod watchdog;
pub mod weird;
pub mod workload;
pub mod writers;

pub use capture::{Detail, DiffOptions, StateCapture, capture};
pub use dataset::load_shop;
pub use processes::Sidecar;
pub use record_ids::with_forgotten_record_ids;
pub use replica_set::{ReplicaSet, ReplicaSetBuilder};
pub use standalone::Standalone;
pub use workload::{RecordedPoint, Workload};
pub use writers::start_writers;
