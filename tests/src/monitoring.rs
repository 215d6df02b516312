//! Monitoring as one installs it: sidecars beside every member, a node agent, Prometheus with our rules, Alertmanager with
//! our example configuration, and a receiver that keeps what it is told.
//!
//! Nothing is mocked but time: rules and routes have a sixtieth of their times (`rules`), so that what takes ten minutes in
//! production takes ten seconds here.

pub mod agent;
pub mod alertmanager;
pub mod browser;
pub mod charts;
pub mod incident;
pub mod prometheus;
pub mod rules;
mod server;
pub mod shop;
pub mod site;
pub mod watch;
pub mod webhook;

use std::path::{Path, PathBuf};

pub use agent::NodeAgent;
pub use alertmanager::Alertmanager;
pub use incident::Incident;
pub use prometheus::{Prometheus, Sample, Target};
pub use site::{Pod, Site};
pub use watch::Watch;
pub use webhook::{Notification, Webhook};

/// The Kubernetes namespace that all pods pretend to be in.
pub const NAMESPACE: &str = "db";

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
