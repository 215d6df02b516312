//! Executes plans: reads archives, surveys the oplog of a window, restores into a fresh replica set, reports.
//!
//! What a restore will do is decided in `archive` (plan, timeline); this crate carries it out against the two ports,
//! `store` and `replset`. Everything fails with a [`Failure`], which knows the exit code and the next command.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod archive_reader;
pub mod drill;
pub mod expire;
pub mod export;
mod failure;
mod find;
pub mod holds;
mod interrupt;
pub mod keys;
pub mod kubernetes;
mod oplog_stream;
mod progress;
mod restore;
mod segment_blocks;
pub mod terraform;
mod verify;

pub use archive_reader::{ArchiveReader, Lineages, NeedsKey, segment_key};
pub use failure::{Failure, FailureKind, Result};
pub use find::{
    FindQuery, FindResult, Match, NamespaceFilter, ParseBoundError, ParseFilterError, Scanned, TimeBound, find,
    searched_by_default,
};
pub use interrupt::{Held, Interrupt};
pub use oplog_stream::{OplogEvent, OplogStream};
pub use progress::{Progress, Silent, Unit};
pub use restore::{
    Counts, Parked, Phase, ReleaseReport, ReportedTarget, RestoreOptions, RestoreReport, SkippedEntries,
    examine_destination, predict_seconds, release, restore, wait_for_destination,
};
pub use verify::{
    Checked, ClosedObjects, CoveredLineage, Sample, Share, VerifyCoverage, VerifyLevel, VerifyOptions, VerifyReport,
    verify,
};
