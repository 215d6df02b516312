//! `dr-cli` as a process, against real archives on disk: what it prints, how it exits, and what it makes of damage.

#![allow(clippy::unwrap_used, reason = "tests")]

mod archive;
mod damaged;
mod exporting;
mod gaps;
mod reading;
mod restored;
mod restoring;
mod run;
mod shortened;
mod targets;
mod unrestorable;
mod usage;
mod verifying;
