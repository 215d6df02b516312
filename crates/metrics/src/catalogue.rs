//! Every metric: name, type, labels, help, when it is there, what it is read from and what it is for.
//!
//! Names end in their unit. Instants are absent until they are known, counters with closed labels are there as soon as their
//! source is. State, role, ids and anything that a user of the database chose are never labels, but names of databases and
//! collections, which are bounded.

mod archive;
mod backup;
mod current;
mod engine;
mod operations;
mod replication;
mod server;
mod sidecar;
mod storage;

pub use archive::*;
pub use backup::*;
pub use current::*;
pub use engine::*;
pub use operations::*;
pub use replication::*;
pub use server::*;
pub use sidecar::*;
pub use storage::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric. Values of this type are only made in the catalogue.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    /// One sentence that names the unit.
    pub help: &'static str,
    /// When the series are there, and beside which servers.
    pub present: &'static str,
    /// Command and field.
    pub source: &'static str,
    pub why: &'static str,
    /// Read from documentation only: no server that has the field was seen.
    pub not_observed: bool,
}

impl Metric {
    const fn new(kind: Kind, name: &'static str, help: &'static str) -> Self {
        Self { name, kind, labels: &[], help, present: "", source: "", why: "", not_observed: false }
    }

    const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self::new(Kind::Gauge, name, help)
    }

    const fn counter(name: &'static str, help: &'static str) -> Self {
        Self::new(Kind::Counter, name, help)
    }

    const fn histogram(name: &'static str, help: &'static str) -> Self {
        Self::new(Kind::Histogram, name, help)
    }

    const fn by(mut self, labels: &'static [&'static str]) -> Self {
        self.labels = labels;
        self
    }

    const fn when(mut self, present: &'static str) -> Self {
        self.present = present;
        self
    }

    const fn from(mut self, source: &'static str) -> Self {
        self.source = source;
        self
    }

    const fn why(mut self, why: &'static str) -> Self {
        self.why = why;
        self
    }

    const fn not_observed(mut self) -> Self {
        self.not_observed = true;
        self
    }

    /// As the name says it; empty for numbers of things.
    pub fn unit(&self) -> &'static str {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        match name.rsplit('_').next() {
            Some("seconds") if name.ends_with("_timestamp_seconds") => "seconds since 1970",
            Some("seconds") => "seconds",
            Some("bytes") => "bytes",
            Some("ratio") => "0 to 1",
            _ => "",
        }
    }
}

/// Metrics that are read from one place.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    pub title: &'static str,
    pub about: &'static str,
    pub metrics: &'static [&'static Metric],
}

/// Statics with their list, so that none can be forgotten.
macro_rules! group {
    ($group:ident, $title:literal, $about:literal; $($id:ident = $metric:expr;)+) => {
        $(pub static $id: $crate::catalogue::Metric = $metric;)+
        pub static $group: $crate::catalogue::Group =
            $crate::catalogue::Group { title: $title, about: $about, metrics: &[$(&$id),+] };
    };
}
use group;

/// In the order of the documentation, which is also the order in which series are kept when there are too many.
pub static GROUPS: [&Group; 11] =
    [&SERVER, &ARCHIVE, &BACKUP, &SIDECAR, &REPLICATION, &OPLOG, &OPERATIONS, &CURRENT, &PROFILER, &ENGINE, &STORAGE];

pub fn all() -> impl Iterator<Item = &'static Metric> {
    GROUPS.iter().flat_map(|group| group.metrics.iter().copied())
}

pub fn find(name: &str) -> Option<&'static Metric> {
    all().find(|metric| metric.name == name)
}

#[cfg(test)]
mod tests;
