//! What the oplog between a snapshot and a target means for each collection, decided before anything is written.
//!
//! A first pass over the slices (the [`Survey`]) follows every collection by UUID through create, rename, drop, index
//! and option changes and learns how each transaction ended. Its result, the [`Resolution`], says which collections
//! exist at the target, under which name, with which options and indexes; so a restore creates each of them once, in
//! its final form, and replay is nothing but inserts, updates and deletes. No DDL is executed in the middle, so there
//! is nothing to wait for, and an entry that cannot be handled stops the restore before its first write.

mod collection;
mod error;
mod policy;
mod survey;
#[cfg(test)]
mod tests;
mod transactions;

pub use collection::{Collection, CollectionTtl, ListedCollection, TtlIndex};
pub use error::SurveyError;
pub use policy::check_entry;
pub use survey::{Flow, ReplayLimit, Resolution, SkipReason, Skipped, Survey};
pub use transactions::TransactionOutcomes;
