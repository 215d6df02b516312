//! What an archive stores and what follows from it.
//!
//! Everything here is a function of values: no I/O, no clock, no server. Formats (`layout`, `segment`, `slice`,
//! `manifest`), facts about a set of stored objects (`coverage`), decisions (`plan`, `target`) and the meaning of
//! oplog entries (`oplog`, `timeline`) are decided here, so that a dry run is the plan that runs.

pub mod archive_marker;
pub mod bson_run;
pub mod catalog;
pub mod cluster_time;
pub mod collection_page;
pub mod coverage;
pub mod drill;
pub mod encryption;
pub mod findings;
pub mod framed;
pub mod gap;
pub mod high_water;
pub mod id_key;
pub mod ids;
pub mod json_record;
pub mod layout;
pub mod lineage;
pub mod manifest;
pub mod mongodump;
pub mod namespace;
pub mod oplog;
pub mod oplog_update;
pub mod plan;
pub mod reference;
pub mod retention;
pub mod segment;
pub mod signature;
pub mod slice;
pub mod target;
pub mod timeline;

pub use cluster_time::{ClusterTime, OpTime};
pub use ids::{CollectionUuid, Digest, DrillId, LineageId, SnapshotId};
pub use namespace::Namespace;
