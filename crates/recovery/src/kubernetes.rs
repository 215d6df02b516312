//! A restore in a Kubernetes that Terraform made: the chart is installed in `mode: recovery`, and its Job restores beside the set.
//!
//! Nothing of the destination is reached from here. `helm` and `kubectl` are programs beside us; what they are told (`kubeconfig`, `values`) and what
//! a Job says (`job`) are pure functions, `cluster` calls the programs, `execute` says in which order.

mod cluster;
mod execute;
mod job;
mod kubeconfig;
mod values;

pub use cluster::{Cluster, Installation, Installed, Tools};
pub use execute::{ChartToInstall, carry_out};
pub use job::JobResult;
pub use values::{JobDrill, Recovery, values};
