//! The Azure backend against Azurite: the suite of all stores, and what goes wrong between a client and a container.

#![cfg(feature = "azure")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "azure/conformance.rs"]
mod conformance;
