//! Real `mongod` servers, real object stores, realistic data, hostile data, random workloads and the oracle for the other crates' tests.
//!
//! Development only: nothing that ships depends on this crate, which is why it may use the driver directly.

pub mod azurite;
pub mod browser;
#[cfg(feature = "mongodb")]
pub mod bson_bytes;
#[cfg(feature = "mongodb")]
pub mod capture;
pub mod certificate;
#[cfg(feature = "mongodb")]
pub mod dataset;
pub mod fetched;
pub mod mongod;
pub mod processes;
pub mod proxy;
#[cfg(feature = "mongodb")]
pub mod record_ids;
#[cfg(feature = "mongodb")]
pub mod replica_set;
pub mod s3_server;
#[cfg(feature = "mongodb")]
pub mod standalone;
pub mod watchdog;
#[cfg(feature = "mongodb")]
pub mod weird;
#[cfg(feature = "mongodb")]
pub mod workload;
#[cfg(feature = "mongodb")]
pub mod writers;

pub use azurite::AzuriteServer;
pub use browser::Browser;
#[cfg(feature = "mongodb")]
pub use capture::{Detail, DiffOptions, StateCapture, capture};
#[cfg(feature = "mongodb")]
pub use dataset::load_shop;
pub use processes::Sidecar;
pub use proxy::FaultProxy;
#[cfg(feature = "mongodb")]
pub use record_ids::with_forgotten_record_ids;
#[cfg(feature = "mongodb")]
pub use replica_set::{ReplicaSet, ReplicaSetBuilder};
pub use s3_server::S3Server;
#[cfg(feature = "mongodb")]
pub use standalone::Standalone;
#[cfg(feature = "mongodb")]
pub use workload::{RecordedPoint, Workload};
#[cfg(feature = "mongodb")]
pub use writers::start_writers;
