//! Why a window of oplog cannot be replayed.

use crate::oplog::EntryError;
use crate::{ClusterTime, CollectionUuid, Namespace};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SurveyError {
    #[error(transparent)]
    Entry(#[from] EntryError),
    #[error("oplog entries are out of order: {at} comes after {previous}")]
    OutOfOrder { previous: ClusterTime, at: ClusterTime },
    #[error("the entry at {at} is of a type that this version cannot replay: `{label}` on {namespace}")]
    UnknownEntry { at: ClusterTime, label: String, namespace: String },
    #[error("the collMod at {at} on {namespace} changes `{field}`, which this version cannot replay")]
    UnknownCollMod { at: ClusterTime, namespace: String, field: String },
    #[error(
        "the feature compatibility version was changed at {at}; a window that spans such a change cannot be replayed"
    )]
    FeatureCompatibilityChanged { at: ClusterTime },
    #[error("the {label} at {at} on {namespace} carries no collection UUID")]
    MissingUuid { at: ClusterTime, label: String, namespace: String },
    #[error(
        "{count} entries from {first} on are about collection {uuid} ({namespace}), which is neither in the snapshot nor \
         created or dropped in the window"
    )]
    UnknownCollection { uuid: CollectionUuid, namespace: String, first: ClusterTime, count: u64 },
    #[error("{namespace} ({uuid}) was not read by the snapshot and is not dropped in the window")]
    MissingData { uuid: CollectionUuid, namespace: Namespace },
    #[error("the transaction that commits at {at} began before the window: its first entries are missing")]
    TransactionHeadMissing { at: ClusterTime },
    #[error("the {label} at {at} names index `{index}`, which {namespace} does not have")]
    UnknownIndex { at: ClusterTime, label: String, index: String, namespace: Namespace },
    #[error("two collections claim the name {namespace} at the target: {first} and {second}")]
    NameClash { namespace: Namespace, first: CollectionUuid, second: CollectionUuid },
    #[error("there is no oplog entry at {at}; `before:` needs the exact time of an entry")]
    NoSuchEntry { at: ClusterTime },
    #[error("the oplog entry at {at} has an invalid `{field}`")]
    InvalidField { at: ClusterTime, field: String },
}

impl SurveyError {
    /// Exit code of the command line contract: 3 not found, 4 not restorable, 5 integrity.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoSuchEntry { .. } => 3,
            Self::UnknownEntry { .. } | Self::UnknownCollMod { .. } | Self::FeatureCompatibilityChanged { .. } => 4,
            _ => 5,
        }
    }
}
