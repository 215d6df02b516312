//! Whether the server is well, by one `hello` without credentials; for readiness by a second one, as others see it.

use std::time::Instant;

use replset::topology::Role;

use super::ProbeKind;
use crate::config::ProbeConfig;
use crate::error::{Error, Result};

/// Only readiness looks at the state: a server that recovers or is synchronised is alive, and killing it would begin that anew. Nor does it matter
/// to the others whether the server's certificate is trusted: a restart would help nobody, and with bad files it would take all members down.
///
/// A rollout goes on to the next member when this one is ready, so it is only when the set has it: with a certificate that the others do
/// not trust, or whose names they do not know, a member calls itself a secondary all the same (seen on 6.0.5).
pub async fn probe(kind: ProbeKind, config: &ProbeConfig, uninitiated_ok: bool) -> Result<()> {
    let started = Instant::now();
    if kind != ProbeKind::Readiness {
        return Ok(replset::member::probe_alive(&config.uri, config.timeout).await.map(drop)?);
    }
    let hello = replset::member::probe(&config.uri, config.timeout).await?;
    let state = match hello.role {
        Role::Secondary if hello.primary.is_none() => {
            "it knows no primary: there is none, or the others are out of its reach, or they do not trust its certificate"
        }
        Role::Primary | Role::Secondary | Role::Arbiter => {
            let left = config.timeout.saturating_sub(started.elapsed());
            return Ok(replset::member::probe_as_others(&config.uri, &hello, left).await?);
        }
        Role::Uninitiated if uninitiated_ok => return Ok(()),
        Role::Uninitiated => "its replica set is not initiated, or it was removed from it",
        Role::Unreadable => "it is starting, recovering, rolling back or being synchronised",
        Role::NoMember => "it was not started for a replica set",
    };
    Err(Error::NotReady { state })
}
