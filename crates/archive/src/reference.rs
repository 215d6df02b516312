//! `<lineage>/references/<T>.json`: what the server itself showed at one cluster time.
//!
//! The sidecar reads every collection by a snapshot read at `T` and keeps count and digest. A drill restores to `T` and
//! compares: the only proof that does not rest on our own code twice. What could not be read at `T` is listed with the reason,
//! never silently left out.
//!
//! The digest does not depend on the order in which documents are read: it is the sum, modulo 2^256, of the SHA-256 of each
//! document's bytes. A sum counts each copy of a document, where an exclusive or would cancel two of them. A lost, added,
//! changed or doubled document changes it unless SHA-256 values happen to add up, which has a chance of 2^-256 for errors that
//! do not aim at it. It is no signature: who can choose many documents freely can make sums collide. References guard
//! against mistakes; the archive guards against forgers by other means.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::json_record::{self, FORMAT, RecordError};
use crate::layout::ObjectKey;
use crate::segment::name_pair;
use crate::{ClusterTime, CollectionUuid, Digest, LineageId, Namespace};

mod choice;
mod compare;

#[cfg(test)]
mod tests;

pub use choice::{ListedName, ReferenceChoice, choose};
pub use compare::{Comparison, Difference, DifferenceKind};

const WHAT: &str = "reference";
const LIMIT: usize = 64 * 1024 * 1024;

/// Adds up documents in any order, in any number of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DigestSum {
    /// Little-endian limbs.
    sum: [u64; 4],
    documents: u64,
    bytes: u64,
}

impl DigestSum {
    /// `document` as the server sent it.
    pub fn add(&mut self, document: &[u8]) {
        let digest: [u8; 32] = Sha256::digest(document).into();
        let mut limbs = [0; 4];
        for (limb, bytes) in limbs.iter_mut().zip(digest.rchunks_exact(8)) {
            *limb = u64::from_be_bytes(bytes.try_into().unwrap_or_default());
        }
        *self = self.joined(&Self { sum: limbs, documents: 1, bytes: document.len() as u64 });
    }

    /// Of both parts together.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let mut sum = [0; 4];
        let mut carry = false;
        for (limb, (a, b)) in sum.iter_mut().zip(self.sum.iter().zip(&other.sum)) {
            (*limb, carry) = a.carrying_add(*b, carry);
        }
        Self {
            sum,
            documents: self.documents.wrapping_add(other.documents),
            bytes: self.bytes.wrapping_add(other.bytes),
        }
    }

    pub fn documents(&self) -> u64 {
        self.documents
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The sum as 32 big-endian bytes.
    pub fn digest(&self) -> Digest {
        let mut bytes = [0; 32];
        for (chunk, limb) in bytes.rchunks_exact_mut(8).zip(self.sum) {
            chunk.copy_from_slice(&limb.to_be_bytes());
        }
        Digest(bytes)
    }
}

/// One collection as it was at the reference's time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionReference {
    #[serde(with = "name_pair")]
    pub namespace: Namespace,
    pub uuid: CollectionUuid,
    pub count: u64,
    pub bytes: u64,
    /// Of [`DigestSum`].
    pub digest: Digest,
}

impl CollectionReference {
    pub fn new(namespace: Namespace, uuid: CollectionUuid, sum: &DigestSum) -> Self {
        Self { namespace, uuid, count: sum.documents(), bytes: sum.bytes(), digest: sum.digest() }
    }
}

/// Why a collection has no digest. Later releases may have more reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingReason {
    /// The server refuses snapshot reads of capped collections.
    Capped,
    /// The read took longer than the history that the server keeps for such reads.
    HistoryGone,
    /// The time or size set aside for a reference was used up.
    Budget,
    /// It was dropped, renamed or its catalog changed while it was read.
    Changed,
    /// A definition, no documents.
    View,
    /// Holds the server's own definitions (views, users, roles), which a restore makes anew instead of copying bytes.
    System,
    Failed,
    #[serde(untagged)]
    Other(String),
}

impl MissingReason {
    /// Whether no document of a user goes unproven because of it.
    pub fn is_about_definitions(&self) -> bool {
        matches!(self, Self::View | Self::System)
    }

    /// Whether both listings around the moment had it, so that a restore to the moment has to have it, too. What changed
    /// may not have been there; what holds definitions comes and goes with them.
    pub fn is_about_what_was_there(&self) -> bool {
        matches!(self, Self::Capped | Self::HistoryGone | Self::Budget | Self::View | Self::Failed)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingCollection {
    #[serde(with = "name_pair")]
    pub namespace: Namespace,
    pub reason: MissingReason,
    /// For people.
    #[serde(default)]
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    format: u32,
    pub lineage: LineageId,
    pub at: ClusterTime,
    /// host:port that was read.
    pub member: String,
    /// RFC 3339.
    pub recorded_at: String,
    pub collections: Vec<CollectionReference>,
    pub missing: Vec<MissingCollection>,
}

impl Reference {
    pub fn new(lineage: LineageId, at: ClusterTime, member: impl Into<String>, recorded_at: impl Into<String>) -> Self {
        let (member, recorded_at) = (member.into(), recorded_at.into());
        Self { format: FORMAT, lineage, at, member, recorded_at, collections: Vec::new(), missing: Vec::new() }
    }

    pub fn key(&self) -> ObjectKey {
        ObjectKey::Reference { lineage: self.lineage.clone(), at: self.at }
    }

    pub fn to_json(&self) -> Result<Vec<u8>, RecordError> {
        self.check()?;
        json_record::encode(WHAT, self)
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        let reference: Self = json_record::decode(WHAT, LIMIT, bytes)?;
        reference.check()?;
        Ok(reference)
    }

    fn check(&self) -> Result<(), RecordError> {
        let mut named: Vec<&Namespace> = self.collections.iter().map(|one| &one.namespace).collect();
        named.extend(self.missing.iter().map(|one| &one.namespace));
        named.sort_unstable();
        if let Some((twice, _)) = named.iter().zip(&named[1.min(named.len())..]).find(|(one, next)| one == next) {
            return Err(RecordError::invalid(WHAT, format!("`{twice}` stands in it twice")));
        }
        json_record::check_instant(WHAT, "recorded_at", &self.recorded_at)
    }
}
