//! Follows log files below a folder, as a good log shipper does.
//!
//! A [`Follower`] is polled by its caller; each poll looks for files, reads what is new, up to a budget, and hands over
//! complete lines. It holds no more than one unfinished line of each file, and starts no thread.
//!
//! **What is read.** A *family* is a file that matches a pattern (`mongod.log`, `0.log`) with what was rotated away from it
//! (`mongod.log.<anything>`, compressed files excepted). Each file of a family is a *stream* of bytes, recognised by device and
//! inode together with a fingerprint of its first bytes, so that neither a rename, nor an inode that is used again, nor a
//! file that was truncated and grew again is mistaken for something else. A copy (`copytruncate`) has the fingerprint
//! of the original: it is read from where the original was left when that is truncated.
//!
//! **At least once.** Positions are saved by the caller ([`Follower::save`]), after it has used what it was given. Within a
//! process each line is handed over once. After a kill those lines come again that were handed over since the last
//! save, with at most one unfinished record before them.
//!
//! **What is lost is counted.** Bytes that were seen and went before they were read are `lost_bytes`. Where it cannot be known whether
//! more was lost, [`Counters::uncertain`] says so: a file that was truncated (what came between the copy and the truncation is
//! in neither), one that vanished while nobody followed it, a rotation between two runs. Only a file that comes
//! and goes between two polls of one run leaves no trace.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod family;
mod follower;
mod identity;
mod pattern;
mod positions;
mod source;
mod stream;

pub use follower::{Counters, Follower, OpenError, Progress, Settings};
pub use pattern::{BadPattern, Pattern};
pub use source::{Pod, Source};
pub use stream::{Boundary, Line};
