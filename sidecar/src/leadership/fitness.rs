//! How well this sidecar is placed to archive: the rank of its own member in the replica set.

use std::time::Duration;

use replset::topology;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::backoff::pause_unless_stopped;
use crate::error::Result;
use crate::source::{Source, SourceMember};

/// A server that does not answer for longer cannot be archived from now.
const ANSWER: Duration = Duration::from_secs(8);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fitness {
    is_known: bool,
    /// The member that this sidecar stands beside, once it has answered.
    pub member: Option<String>,
    /// 0: the member that the replica set's state chooses, or none of its own, so that it reads the chosen one. `None`:
    /// a member that cannot be read from, or should not be.
    pub rank: Option<u32>,
}

impl Fitness {
    pub fn is_known(&self) -> bool {
        self.is_known
    }
}

/// Judges again and again, until `ended`.
pub fn watch(source: Source, every: Duration, ended: CancellationToken) -> watch::Receiver<Fitness> {
    let (found, fitness) = watch::channel(Fitness::default());
    tokio::spawn(async move {
        let mut judge = Judge { source, own: None };
        loop {
            let judged = timeout(ANSWER, judge.judge()).await;
            if !matches!(judged, Ok(Ok(_))) {
                judge.own = None;
            }
            let rank = match judged {
                Ok(Ok((member, rank))) => {
                    found.send_if_modified(|fitness| change(&mut fitness.member, member));
                    rank
                }
                Ok(Err(error)) => {
                    tracing::debug!(%error, "own member cannot be judged");
                    None
                }
                Err(_) => None,
            };
            found.send_if_modified(|fitness| change(&mut fitness.rank, rank) | change(&mut fitness.is_known, true));
            if !pause_unless_stopped(every, &ended).await {
                break;
            }
        }
    });
    fitness
}

struct Judge {
    source: Source,
    /// Kept until it fails.
    own: Option<SourceMember>,
}

impl Judge {
    async fn judge(&mut self) -> Result<(Option<String>, Option<u32>)> {
        match &self.own {
            Some(own) => {
                own.connection.ping().await?;
            }
            None => self.own = self.source.own_member().await?,
        }
        let topology = self.source.topology().await?;
        let preferred = topology::members_by_preference(&topology);
        let own = self.own.as_ref().map(|own| own.host.clone());
        let position = match &own {
            Some(own) => preferred.iter().position(|member| member.host == *own),
            None => (!preferred.is_empty()).then_some(0),
        };
        Ok((own, position.and_then(|position| u32::try_from(position).ok())))
    }
}

fn change<T: PartialEq>(place: &mut T, value: T) -> bool {
    let is_new = *place != value;
    *place = value;
    is_new
}
