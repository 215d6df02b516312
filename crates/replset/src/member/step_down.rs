//! Handing over before a primary is stopped.

use std::time::{Duration, Instant};

use bson::doc;

use super::{Login, Server};
use crate::error::{ErrorKind, ReplsetError, Result};
use crate::topology::Role;

const WHAT: &str = "step down";
const PAUSE: Duration = Duration::from_millis(100);
/// Of a member that is well the answer takes milliseconds.
const PEER_LIMIT: Duration = Duration::from_secs(2);

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandedOver {
    NotPrimary,
    /// It is the only one that can be primary: a set without it is down in any case.
    NobodyElse,
    To(String),
}

impl Server {
    /// Steps down for `seconds`, and returns when another member is primary. Never by force: a primary that nobody can
    /// follow within the limit stays.
    pub async fn hand_over(&self, seconds: u32, limit: Duration) -> Result<HandedOver> {
        let end = Instant::now() + limit;
        let hello = self.hello().await?;
        if hello.role != Role::Primary {
            return Ok(HandedOver::NotPrimary);
        }
        let me = hello.me.unwrap_or_default();
        if self.electable_others().await? == 0 {
            return Ok(HandedOver::NobodyElse);
        }
        loop {
            // Half of what is left: the election needs the rest.
            let left = end.saturating_duration_since(Instant::now());
            let catch_up = u32::try_from(left.as_secs() / 2).unwrap_or(u32::MAX).clamp(1, seconds.max(1));
            match self.step_down_for(seconds.max(catch_up + 1), catch_up).await {
                Ok(()) => break,
                Err(error) if *error.kind() == ErrorKind::NotPrimary => break,
                Err(error) if Instant::now() >= end => return Err(error),
                // Nobody has caught up, or a server was just added: there is time left.
                Err(error) if error.is_retryable() => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error),
            }
        }
        loop {
            match self.hello().await.ok().and_then(|hello| hello.primary) {
                Some(primary) if primary != me => return Ok(HandedOver::To(primary)),
                _ if Instant::now() >= end => {
                    let detail = "it stepped down, and no other member has become primary in time";
                    return Err(ReplsetError::new(ErrorKind::Unreachable, WHAT, &self.host, detail));
                }
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// The members that have to come back before this one is stopped, as [`member::awaited`] has it. Each is asked itself, too: a
    /// server that is being stopped answers heartbeats until it is gone, and refuses `hello` (seen on 6.0.5).
    pub async fn awaited(&self) -> Result<Vec<String>> {
        let set = self.view().await?.set;
        let me = self.hello().await?.me.unwrap_or_default();
        let mut leaving = Vec::new();
        for host in set.members.iter().map(|member| &member.host).filter(|host| **host != me) {
            let peer = Self::open(&self.uri, Some(host), Login::Nobody, PEER_LIMIT).await?;
            if peer.hello().await.is_err() {
                leaving.push(host.clone());
            }
            peer.close().await;
        }
        Ok(member::awaited(&set, &me, &leaving).into_iter().map(str::to_owned).collect())
    }

    pub(super) async fn step_down_for(&self, seconds: u32, catch_up: u32) -> Result<()> {
        let command = doc! { "replSetStepDown": i64::from(seconds), "secondaryCatchUpPeriodSecs": i64::from(catch_up) };
        let limit = Duration::from_secs(u64::from(catch_up) + 5);
        self.run_within(limit, "admin", WHAT, command).await.map(|_| ())
    }

    async fn electable_others(&self) -> Result<usize> {
        let config = self.config().await?;
        let members = crate::topology::documents(&config, "members");
        let electable = |member: &&bson::Document| match member.get("priority") {
            Some(bson::Bson::Double(priority)) => *priority > 0.0,
            Some(bson::Bson::Int32(priority)) => *priority > 0,
            Some(bson::Bson::Int64(priority)) => *priority > 0,
            _ => true,
        };
        let is_arbiter = |member: &&bson::Document| member.get_bool("arbiterOnly").unwrap_or(false);
        Ok(members.filter(electable).filter(|member| !is_arbiter(member)).count().saturating_sub(1))
    }
}
