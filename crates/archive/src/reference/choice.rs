//! Which collections a reference reads, in which order, and what it only names.

use std::collections::{BTreeMap, BTreeSet};

use super::{MissingCollection, MissingReason, Reference};
use crate::{CollectionUuid, Namespace};

/// A collection or view as a server lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedName {
    pub namespace: Namespace,
    /// Views have none.
    pub uuid: Option<CollectionUuid>,
    pub is_capped: bool,
}

/// What to do for one reference.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReferenceChoice {
    /// In the order in which they are to be read.
    pub to_read: Vec<(Namespace, CollectionUuid)>,
    pub missing: Vec<MissingCollection>,
}

/// A server lists its catalog as it is now, never as it was at a cluster time. So it is listed twice, `before` the moment of
/// the reference and `after` it: what is the same in both was there in between, anything else is listed as changed.
///
/// A budget may end before everything is read, so what `newest` (the reference before this one) has no digest of comes first;
/// what it could not read within the server's history comes last, or it would take all the time of every run.
pub fn choose(before: &[ListedName], after: &[ListedName], newest: Option<&Reference>) -> ReferenceChoice {
    let (first, second): (BTreeSet<_>, BTreeSet<_>) = (before.iter().collect(), after.iter().collect());
    let mut choice = ReferenceChoice::default();
    let changed: BTreeSet<&Namespace> = first.symmetric_difference(&second).map(|one| &one.namespace).collect();
    for namespace in &changed {
        let detail = "created, dropped or renamed at this moment".to_owned();
        let missing = MissingCollection { namespace: (*namespace).clone(), reason: MissingReason::Changed, detail };
        choice.missing.push(missing);
    }
    for listed in second.into_iter().filter(|one| !changed.contains(&one.namespace)) {
        match (unreadable(listed), listed.uuid) {
            (None, Some(uuid)) => choice.to_read.push((listed.namespace.clone(), uuid)),
            (reason, _) => choice.missing.push(MissingCollection {
                namespace: listed.namespace.clone(),
                reason: reason.unwrap_or(MissingReason::View),
                detail: String::new(),
            }),
        }
    }
    let known = newest.map(Known::of).unwrap_or_default();
    choice.to_read.sort_by_cached_key(|(namespace, _)| (known.rank(namespace), namespace.clone()));
    choice
}

fn unreadable(listed: &ListedName) -> Option<MissingReason> {
    let namespace = &listed.namespace;
    if namespace.is_views() || namespace.is_users() || namespace.is_roles() {
        return Some(MissingReason::System);
    }
    match listed.uuid {
        None => Some(MissingReason::View),
        Some(_) if listed.is_capped => Some(MissingReason::Capped),
        Some(_) => None,
    }
}

/// What the reference before this one says about each collection.
#[derive(Default)]
struct Known<'a>(BTreeMap<&'a Namespace, u8>);

impl<'a> Known<'a> {
    const UNREAD: u8 = 0;
    const READ: u8 = 1;
    const TOO_LARGE: u8 = 2;

    fn of(reference: &'a Reference) -> Self {
        let read = reference.collections.iter().map(|one| (&one.namespace, Self::READ));
        let too_large = reference.missing.iter().filter(|one| one.reason == MissingReason::HistoryGone);
        Self(read.chain(too_large.map(|one| (&one.namespace, Self::TOO_LARGE))).collect())
    }

    fn rank(&self, namespace: &Namespace) -> u8 {
        self.0.get(namespace).copied().unwrap_or(Self::UNREAD)
    }
}
