//! What the workload believes to exist: enough to choose operations that make sense, not an oracle.

use std::collections::BTreeMap;
use std::fmt;

use rand::RngExt;

use super::DATABASE_PREFIX;
use crate::dataset::Random;

const DATABASES: u64 = 3;
const NAMES: u64 = 9;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Capped,
    Clustered,
    Collated,
    TimeSeries,
    Validated,
    View,
}

impl Kind {
    pub(super) const ALL: [Self; 7] =
        [Self::Plain, Self::Capped, Self::Clustered, Self::Collated, Self::TimeSeries, Self::Validated, Self::View];
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) database: String,
    pub(super) collection: String,
}

impl Name {
    pub(super) fn new(database: u64, collection: u64) -> Self {
        Self { database: format!("{DATABASE_PREFIX}{database}"), collection: format!("c{collection}") }
    }

    pub(super) fn any(random: &mut Random) -> Self {
        Self::new(random.random_range(0..DATABASES), random.random_range(0..NAMES))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.collection)
    }
}

#[derive(Debug)]
struct Known {
    kind: Kind,
    /// Names of indexes that were built and perhaps still exist.
    indexes: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct World {
    collections: BTreeMap<Name, Known>,
}

impl World {
    pub(super) fn kind(&self, name: &Name) -> Option<Kind> {
        self.collections.get(name).map(|known| known.kind)
    }

    /// A new collection, without indexes.
    pub(super) fn set(&mut self, name: Name, kind: Kind) {
        self.collections.insert(name, Known { kind, indexes: Vec::new() });
    }

    /// A write to a collection that is not there creates it.
    pub(super) fn touch(&mut self, name: &Name) {
        if !self.collections.contains_key(name) {
            self.set(name.clone(), Kind::Plain);
        }
    }

    pub(super) fn rename(&mut self, from: &Name, to: Name) {
        if let Some(known) = self.collections.remove(from) {
            self.collections.insert(to, known);
        }
    }

    pub(super) fn remove(&mut self, name: &Name) {
        self.collections.remove(name);
    }

    pub(super) fn add_index(&mut self, name: &Name, index: &str) {
        if let Some(known) = self.collections.get_mut(name)
            && !known.indexes.iter().any(|existing| existing == index)
        {
            known.indexes.push(index.to_owned());
        }
    }

    pub(super) fn remove_index(&mut self, name: &Name, index: &str) {
        if let Some(known) = self.collections.get_mut(name) {
            known.indexes.retain(|existing| existing != index && index != "*");
        }
    }

    /// A collection with an index of its own, and the index.
    pub(super) fn pick_index(&self, random: &mut Random) -> Option<(Name, String)> {
        let candidates: Vec<(&Name, &String)> = self
            .collections
            .iter()
            .flat_map(|(name, known)| known.indexes.iter().map(move |index| (name, index)))
            .collect();
        let (name, index) = candidates.get(random.random_range(0..candidates.len().max(1)))?;
        Some(((*name).clone(), (*index).clone()))
    }

    pub(super) fn remove_database(&mut self, database: &str) {
        self.collections.retain(|name, _| name.database != database);
    }

    /// A random existing one of which `wanted` holds.
    pub(super) fn pick(&self, random: &mut Random, wanted: impl Fn(Kind) -> bool) -> Option<Name> {
        let candidates: Vec<&Name> =
            self.collections.iter().filter(|(_, known)| wanted(known.kind)).map(|(name, _)| name).collect();
        (!candidates.is_empty()).then(|| candidates[random.random_range(0..candidates.len())].clone())
    }
}
