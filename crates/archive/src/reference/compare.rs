//! What differs between a reference and what a restored server shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CollectionReference, MissingCollection, Reference};
use crate::Namespace;
use crate::segment::name_pair;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum DifferenceKind {
    /// The reference has it, the destination has not.
    Absent {
        count: u64,
    },
    /// The same of one whose documents the reference could not read, or of a view.
    AbsentUnread,
    /// The destination has it, the reference has not, nor lists it as missing.
    Unexpected {
        count: u64,
    },
    Count {
        expected: u64,
        found: u64,
    },
    /// As many documents, but not the same ones.
    Content {
        count: u64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    #[serde(with = "name_pair")]
    pub namespace: Namespace,
    #[serde(flatten)]
    pub kind: DifferenceKind,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.namespace)?;
        match self.kind {
            DifferenceKind::Absent { count } => write!(f, "not there, should have {count} documents"),
            DifferenceKind::AbsentUnread => f.write_str("not there, though the reference saw it"),
            DifferenceKind::Unexpected { count } => write!(f, "there with {count} documents, should not exist"),
            DifferenceKind::Count { expected, found } => write!(f, "{found} documents, should be {expected}"),
            DifferenceKind::Content { count } => write!(f, "{count} documents as it should, but not the same ones"),
        }
    }
}

/// The outcome of a comparison, with what it did not look at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Comparison {
    /// Collections that are the same, byte by byte.
    pub equal: u64,
    pub documents: u64,
    pub differences: Vec<Difference>,
    /// The reference has no digest of these.
    pub not_compared: Vec<MissingCollection>,
}

impl Reference {
    /// By namespace: a restored collection may have another UUID. `found` are all collections of the destination that a
    /// backup protects ([`Namespace::is_protected`]) but those of users, roles and views; one that stands there twice counts
    /// as its last entry. `names` are those of everything there, views among them: of what the reference could not read
    /// only the name is compared.
    pub fn compare(&self, found: &[CollectionReference], names: &BTreeSet<&Namespace>) -> Comparison {
        let mut found: BTreeMap<&Namespace, &CollectionReference> =
            found.iter().map(|one| (&one.namespace, one)).collect();
        let mut comparison = Comparison { not_compared: self.missing.clone(), ..Comparison::default() };
        let mut differ = |namespace: &Namespace, kind| {
            comparison.differences.push(Difference { namespace: namespace.clone(), kind });
        };
        let (mut equal, mut documents) = (0, 0);
        for expected in &self.collections {
            match found.remove(&expected.namespace) {
                None => differ(&expected.namespace, DifferenceKind::Absent { count: expected.count }),
                Some(found) if found.count != expected.count => {
                    differ(&expected.namespace, DifferenceKind::Count { expected: expected.count, found: found.count });
                }
                Some(found) if found.digest != expected.digest => {
                    differ(&expected.namespace, DifferenceKind::Content { count: found.count });
                }
                Some(found) => {
                    equal += 1;
                    documents += found.count;
                }
            }
        }
        for missing in &self.missing {
            let namespace = &missing.namespace;
            let is_there = found.remove(namespace).is_some() || names.contains(namespace);
            if !is_there && missing.reason.is_about_what_was_there() && namespace.is_protected() {
                differ(namespace, DifferenceKind::AbsentUnread);
            }
        }
        for (namespace, unexpected) in found {
            differ(namespace, DifferenceKind::Unexpected { count: unexpected.count });
        }
        comparison.differences.sort_by(|a, b| a.namespace.cmp(&b.namespace));
        Comparison { equal, documents, ..comparison }
    }
}
