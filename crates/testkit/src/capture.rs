//! The oracle: what a server holds, now or at a cluster time, as bytes that can be compared.
//!
//! It shares no code with backup or restore. Two servers are equal when every collection has the same kind, options,
//! indexes and documents, byte for byte; the order of indexes and of top-level option fields carries no meaning, the
//! order of documents does only in capped collections.

mod diff;
mod read;

use std::collections::BTreeMap;

use mongodb::bson::Timestamp;
use sha2::{Digest as _, Sha256};

pub use self::diff::DiffOptions;
pub use self::read::{capture, capture_matching};
use crate::bson_bytes;

/// Whether documents are kept for diffing or only counted and hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    Digest,
    Documents,
}

/// Top-level fields of a definition: name to type and value.
pub type Fields = BTreeMap<String, Vec<u8>>;

#[derive(Debug, Clone)]
pub struct StateCapture {
    /// `None`: read at whatever moment each collection was reached.
    pub at: Option<Timestamp>,
    /// By `database.collection`.
    pub collections: BTreeMap<String, CollectionState>,
}

#[derive(Debug, Clone)]
pub struct CollectionState {
    /// As `listCollections` says: `collection`, `view` or `timeseries`.
    pub kind: String,
    pub options: Fields,
    pub id_index: Option<Fields>,
    /// By index name.
    pub indexes: BTreeMap<String, Fields>,
    pub documents: Documents,
}

#[derive(Debug, Clone)]
pub struct Documents {
    pub count: u64,
    pub bytes: u64,
    /// Does not depend on the order, except where the order is part of the state.
    pub digest: [u8; 32],
    /// Sorted by `_id`, or in natural order; `None` when only the digest was asked for.
    pub kept: Option<Vec<Vec<u8>>>,
    pub natural_order: bool,
}

impl Documents {
    fn new(natural_order: bool, detail: Detail) -> Self {
        let kept = (detail == Detail::Documents).then(Vec::new);
        Self { count: 0, bytes: 0, digest: [0; 32], kept, natural_order }
    }

    fn add(&mut self, document: &[u8]) {
        self.count += 1;
        self.bytes += document.len() as u64;
        if self.natural_order {
            self.digest = Sha256::new().chain_update(self.digest).chain_update(document).finalize().into();
        } else {
            // A sum of hashes is the same in any order, and unlike XOR it sees a document that is there twice.
            let mut carry = 0;
            for (sum, byte) in self.digest.iter_mut().zip(Sha256::digest(document)) {
                carry += u16::from(*sum) + u16::from(byte);
                *sum = carry.to_le_bytes()[0];
                carry >>= 8;
            }
        }
        if let Some(kept) = &mut self.kept {
            kept.push(document.to_vec());
        }
    }

    fn finish(&mut self) {
        if let Some(kept) = &mut self.kept
            && !self.natural_order
        {
            kept.sort_by_cached_key(|document| id_of(document));
        }
    }
}

impl StateCapture {
    pub fn documents(&self) -> u64 {
        self.collections.values().map(|collection| collection.documents.count).sum()
    }

    pub fn bytes(&self) -> u64 {
        self.collections.values().map(|collection| collection.documents.bytes).sum()
    }

    pub fn get(&self, namespace: &str) -> Option<&CollectionState> {
        self.collections.get(namespace)
    }

    /// What differs, readable; empty when nothing does. `self` is what was expected.
    pub fn diff(&self, found: &Self) -> Vec<String> {
        self.diff_with(found, &DiffOptions::default())
    }

    pub fn diff_with(&self, found: &Self, options: &DiffOptions) -> Vec<String> {
        diff::states(self, found, options)
    }

    /// Panics with the differences; `context` should hold what reproduces them, for example a seed.
    #[track_caller]
    pub fn assert_same(&self, found: &Self, options: &DiffOptions, context: &str) {
        let differences = self.diff_with(found, options);
        assert!(differences.is_empty(), "{context}: {} differences:\n{}", differences.len(), differences.join("\n"));
    }
}

/// Type and value of `_id`; a document without one (possible in capped collections of old) has an empty key.
fn id_of(document: &[u8]) -> Vec<u8> {
    bson_bytes::get(document, "_id").map(|id| id.typed_value()).unwrap_or_default()
}

fn fields(document: &[u8], without: &[&str]) -> Fields {
    bson_bytes::elements(document)
        .map(|element| (String::from_utf8_lossy(element.name).into_owned(), element.typed_value()))
        .filter(|(name, _)| !without.contains(&name.as_str()))
        .collect()
}
