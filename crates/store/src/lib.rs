//! The port to object storage: everything an archive keeps goes through [`ObjectStore`].
//!
//! Objects are immutable and create-only: a name is bound to content once, by one atomic step at the end of a
//! streamed write, and no reader ever sees a part of an object. Only keys below a `control` folder can be
//! overwritten. Every backend passes the same suite (`conformance`, feature `testing`), so upper layers may rely on
//! the semantics written at the trait and on nothing else.
//!
//! Buckets of S3 and containers of Azure are features (`s3`, `azure`), both on by default; their SDKs are used in this
//! crate only. What a server really honours is tried out by [`prove`] before an archive relies on it.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

#[cfg(feature = "azure")]
mod azure;
#[cfg(any(feature = "s3", feature = "azure"))]
mod cloud;
mod error;
mod file_system;
mod key;
mod location;
mod lock;
mod memory;
mod port;
mod proof;
#[cfg(feature = "s3")]
mod s3;

#[cfg(feature = "testing")]
pub mod conformance;
#[cfg(feature = "testing")]
pub mod delay;
#[cfg(feature = "testing")]
pub mod fault;

pub use error::{ErrorKind, Operation, StoreError};
pub use file_system::FileStore;
pub use key::{validate_key, validate_mutable_key};
pub use location::{open, open_or_create};
pub use lock::{ObjectLock, Protection, Retention, RetentionMode};
pub use memory::MemoryStore;
pub use port::{
    ByteStream, Created, ListPage, ListedObject, ObjectMeta, ObjectStore, ObjectStoreExt, ObjectWriter, Result,
};
pub use proof::{Check, Proof, Verdict, prove};
