//! `sidecar member`: what one member of a replica set needs beside it in Kubernetes, or anywhere else: the probes, handing over
//! before a stop, and `tend`, which makes the set, its users and its membership as they shall be.
//!
//! Nothing here has to do with backups; it is in this binary so that there is one program to ship and to copy.

mod certificates;
mod cli;
mod install;
mod keyfile;
mod probe;
mod said;
mod step_down;
mod tend;
mod tend_users;
mod trust;

pub use cli::{MemberCommand, ProbeKind};
pub use install::install;
pub use probe::probe;
pub use step_down::step_down;
pub use tend::tend;
