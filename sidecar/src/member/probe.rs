//! Whether the server is well, by one `hello` without credentials.

use replset::topology::Role;

use super::ProbeKind;
use crate::config::ProbeConfig;
use crate::error::{Error, Result};

/// Only readiness looks at the state: a server that recovers or is synchronised is alive, and killing it would begin that anew.
pub async fn probe(kind: ProbeKind, config: &ProbeConfig, uninitiated_ok: bool) -> Result<()> {
    let hello = replset::member::probe(&config.uri, config.timeout).await?;
    let state = match hello.role {
        _ if kind != ProbeKind::Readiness => return Ok(()),
        Role::Primary | Role::Secondary | Role::Arbiter => return Ok(()),
        Role::Uninitiated if uninitiated_ok => return Ok(()),
        Role::Uninitiated => "its replica set is not initiated, or it was removed from it",
        Role::Unreadable => "it is starting, recovering, rolling back or being synchronised",
        Role::NoMember => "it was not started for a replica set",
    };
    Err(Error::NotReady { state })
}
