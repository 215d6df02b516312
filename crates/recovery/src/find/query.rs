//! What is looked for.

use std::fmt;
use std::str::FromStr;

use archive::coverage::CoveredRange;
use archive::oplog::{OpKind, Operation};
use archive::target::RestoreTarget;
use archive::{ClusterTime, Namespace};

/// The kinds that change something, and what is not known well enough to leave it out.
pub fn searched_by_default(kind: OpKind) -> bool {
    match kind {
        OpKind::Insert
        | OpKind::Update
        | OpKind::Delete
        | OpKind::Create
        | OpKind::Drop
        | OpKind::DropDatabase
        | OpKind::CreateIndexes
        | OpKind::CommitIndexBuild
        | OpKind::DropIndexes
        | OpKind::RenameCollection
        | OpKind::CollMod
        | OpKind::Unknown => true,
        OpKind::Noop
        | OpKind::StartIndexBuild
        | OpKind::AbortIndexBuild
        | OpKind::ApplyOps
        | OpKind::CommitTransaction
        | OpKind::AbortTransaction
        | OpKind::DbCheck => false,
    }
}

#[derive(Debug, Clone)]
pub struct FindQuery {
    pub namespace: Option<NamespaceFilter>,
    /// Empty: all that change something.
    pub ops: Vec<OpKind>,
    pub since: Option<TimeBound>,
    pub until: Option<TimeBound>,
    /// The most matches that are kept.
    pub limit: usize,
}

impl FindQuery {
    pub(super) fn wants_kind(&self, kind: OpKind) -> bool {
        if self.ops.is_empty() {
            return searched_by_default(kind);
        }
        // An index on a collection that is not empty appears as the commit of its build.
        self.ops.contains(&kind) || (kind == OpKind::CommitIndexBuild && self.ops.contains(&OpKind::CreateIndexes))
    }

    /// Entries `(from, through]` that are asked for.
    pub(super) fn range(&self, archived_through: Option<ClusterTime>) -> CoveredRange {
        let newest = archived_through.unwrap_or(ClusterTime::MAX);
        let from = self.since.map_or(ClusterTime::ZERO, |bound| bound.first(newest).predecessor());
        CoveredRange::new(from, self.until.map_or(ClusterTime::MAX, |bound| bound.last(newest)))
    }
}

/// A collection, or all of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespaceFilter {
    Database(String),
    Collection(Namespace),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a namespace; write `database.collection`, or `database` or `database.*` for all of a database")]
pub struct ParseFilterError(String);

impl FromStr for NamespaceFilter {
    type Err = ParseFilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseFilterError(text.chars().take(300).collect());
        if let Some(db) = text.strip_suffix(".*").or((!text.contains('.')).then_some(text)) {
            let valid = !db.is_empty() && !db.contains(['.', '*', '\0']);
            return if valid { Ok(Self::Database(db.to_owned())) } else { Err(refused()) };
        }
        Namespace::parse(text).map(Self::Collection).ok_or_else(refused)
    }
}

impl fmt::Display for NamespaceFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(db) => write!(f, "{db}.*"),
            Self::Collection(namespace) => namespace.fmt(f),
        }
    }
}

impl NamespaceFilter {
    /// `namespace` is what the operation is about, when it names a collection.
    pub(super) fn admits(
        &self,
        operation: &Operation<'_>,
        namespace: Option<&Namespace>,
        to: Option<&Namespace>,
    ) -> bool {
        match self {
            Self::Database(db) => operation.db() == db || [namespace, to].into_iter().flatten().any(|n| n.db == *db),
            // The collections of a dropped database go with it.
            Self::Collection(wanted) if operation.kind == OpKind::DropDatabase => operation.db() == wanted.db,
            Self::Collection(wanted) => [namespace, to].into_iter().flatten().any(|n| is_about(n, wanted)),
        }
    }
}

/// A time-series collection is written under the name of its bucket collection.
fn is_about(namespace: &Namespace, wanted: &Namespace) -> bool {
    namespace.db == wanted.db
        && (namespace.coll == wanted.coll || namespace.time_series_name() == Some(wanted.coll.as_str()))
}

/// One end of a time range: a cluster time, a second, or a time before archived-through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeBound {
    At(ClusterTime),
    Second(u32),
    Ago(u32),
}

impl TimeBound {
    fn first(self, newest: ClusterTime) -> ClusterTime {
        match self {
            Self::At(time) => time,
            Self::Second(second) => ClusterTime::new(second, 0),
            Self::Ago(seconds) => ClusterTime::new(newest.seconds.saturating_sub(seconds), 0),
        }
    }

    fn last(self, newest: ClusterTime) -> ClusterTime {
        match self {
            Self::At(time) => time,
            Self::Second(second) => ClusterTime::end_of_second(second),
            Self::Ago(seconds) => ClusterTime::end_of_second(newest.seconds.saturating_sub(seconds)),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a time: {problem}; use RFC 3339 (2024-05-01T12:30:00Z), a cluster time T:I, or -15m (before the end of the archive)"
)]
pub struct ParseBoundError {
    text: String,
    problem: String,
}

impl FromStr for TimeBound {
    type Err = ParseBoundError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |problem: String| ParseBoundError { text: text.chars().take(120).collect(), problem };
        match text.parse::<RestoreTarget>() {
            Ok(RestoreTarget::At(time)) => Ok(Self::At(time)),
            Ok(RestoreTarget::Time(wall)) => Ok(Self::Second(wall.seconds)),
            Ok(RestoreTarget::Ago { seconds }) => Ok(Self::Ago(seconds)),
            Ok(_) => Err(refused("it names a restore target".into())),
            Err(error) => Err(refused(error.problem.to_string())),
        }
    }
}
