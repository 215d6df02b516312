//! The S3 backend against a real server: the suite of all stores, and what goes wrong between a client and a bucket.

#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "s3/conformance.rs"]
mod conformance;
#[path = "s3/faults.rs"]
mod faults;
#[path = "s3/lock.rs"]
mod lock;
#[path = "s3/outages.rs"]
mod outages;
#[path = "s3/refusals.rs"]
mod refusals;

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use store::{ErrorKind, ObjectStore, StoreError};

type Store = Arc<dyn ObjectStore>;

const MIB: usize = 1024 * 1024;
const BUCKET: &str = "bucket";

/// Content that shows where it is damaged or cut.
fn body(length: usize) -> Bytes {
    (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect::<Vec<_>>().into()
}

async fn read(store: &dyn ObjectStore, key: &str) -> Result<Bytes, StoreError> {
    let chunks: Vec<Bytes> = store.get(key, None).await?.try_collect().await?;
    Ok(chunks.concat().into())
}

#[track_caller]
fn assert_failed(error: &StoreError, kind: ErrorKind, said: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(said), "`{said}` is not in: {error}");
}
