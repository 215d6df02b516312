//! The folder that `mongodump` writes and `mongorestore` takes: names of files and what stands in the metadata.
//!
//! `<db>/<collection>.bson` holds plain documents, `<db>/<collection>.metadata.json` options and indexes in canonical
//! extended JSON. Source of the rules: mongo-tools 100.x, `mongodump/prepare.go` (names), `mongodump/metadata_dump.go`
//! (metadata), `mongorestore/filepath.go` (how they are read back).

mod extended_json;
mod file_name;
mod metadata;
mod time_series;

pub use extended_json::{NotJson, looks_like_a_type};
pub use file_name::{UnusableName, file_stem, is_database_folder};
pub use metadata::{Kind, Metadata};
pub use time_series::{index as time_series_index, options as time_series_options};

/// The one version of the scheme of users and roles that servers since 3.0 have (`admin.system.version`).
pub const AUTH_SCHEMA_VERSION: i32 = 5;
