//! The S3 backend against a real server: the suite of all stores, and what goes wrong between a client and a bucket.

#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "s3/conformance.rs"]
mod conformance;
