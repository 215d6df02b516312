//! The candidates: how this sidecar shows itself to the others, and what it sees of them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use super::LeadershipTimes;
use super::fitness::Fitness;
use super::policy::order;
use crate::archive_store::ArchiveStore;
use crate::error::{Error, Result};
use crate::lease::{ARCHIVER, Holder, ProcessMark, Pulse};

const LIMIT: usize = 64 * 1024;
/// Nobody waits for longer for a store that is asked to tidy up.
const ANSWER: Duration = Duration::from_secs(2);
/// Of those that were killed something stays behind, until it has not changed for so long.
const FORGET_AFTER: Duration = Duration::from_mins(5);

/// `control/archiver-lease/candidates/<name>.json`, overwritten with each beat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Candidate {
    format: u32,
    holder: String,
    member: Option<String>,
    rank: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    process: Option<ProcessMark>,
    beat: u64,
}

/// Another candidate that is not known to be dead.
#[derive(Debug, Clone)]
pub struct Rival {
    pub name: String,
    /// It was seen to beat; else it may be what a dead one left behind.
    pub is_alive: bool,
    record: Candidate,
}

impl Rival {
    #[cfg(test)]
    pub fn new(name: &str, rank: Option<u32>, is_alive: bool) -> Self {
        let record = Candidate { format: 1, holder: name.to_owned(), member: None, rank, process: None, beat: 0 };
        Self { name: name.to_owned(), is_alive, record }
    }

    pub fn rank(&self) -> Option<u32> {
        self.record.rank
    }

    /// Whether it goes before the candidate `name` of that rank.
    pub fn precedes(&self, rank: Option<u32>, name: &str) -> bool {
        (order(self.rank()), self.name.as_str()) < (order(rank), name)
    }

    /// For people.
    pub fn shown(&self) -> String {
        let member = self.record.member.as_ref().map(|member| format!(" beside {member}")).unwrap_or_default();
        format!("{}{member}", self.record.holder)
    }
}

#[derive(Debug)]
pub struct Roster {
    archive: ArchiveStore,
    name: String,
    own: Candidate,
    announced: Option<Instant>,
    beat_every: Duration,
    patience: Duration,
    seen: BTreeMap<String, Pulse>,
    found: Vec<Rival>,
    looked: Option<Instant>,
}

impl Roster {
    pub fn new(archive: ArchiveStore, holder: &Holder, times: &LeadershipTimes) -> Self {
        let name = format!("{}-{}", holder.key_part(), hex::encode(rand::random::<[u8; 4]>()));
        let own = Candidate {
            format: 1,
            holder: holder.name.clone(),
            member: None,
            rank: None,
            process: holder.process.clone(),
            beat: 0,
        };
        let (beat_every, patience) = (times.candidate_beat, times.candidate_patience);
        Self {
            archive,
            name,
            own,
            announced: None,
            beat_every,
            patience,
            seen: BTreeMap::new(),
            found: Vec::new(),
            looked: None,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    fn folder() -> String {
        format!("{}candidates/", ARCHIVER.folder)
    }

    fn path(name: &str) -> String {
        format!("{}{name}.json", Self::folder())
    }

    /// Shows that this candidate lives, when that is due or its rank has changed.
    pub async fn announce(&mut self, fitness: &Fitness) -> Result<()> {
        let is_due = self.announced.is_none_or(|at| at.elapsed() >= self.beat_every);
        if !is_due && (&self.own.member, self.own.rank) == (&fitness.member, fitness.rank) {
            return Ok(());
        }
        self.own.member.clone_from(&fitness.member);
        self.own.rank = fitness.rank;
        self.own.beat += 1;
        let body = serde_json::to_vec(&self.own).map_err(|error| Error::Internal(error.to_string()))?;
        self.archive.put_control(&Self::path(&self.name), body).await?;
        self.announced = Some(Instant::now());
        Ok(())
    }

    /// No candidate any more: it archives, or it ends.
    pub async fn withdraw(&mut self) {
        if self.announced.take().is_some() {
            self.remove(&Self::path(&self.name)).await;
        }
    }

    /// The others, as they were not longer than one beat ago: each look costs a request for each of them.
    pub async fn glance(&mut self) -> Result<Vec<Rival>> {
        if self.looked.is_some_and(|at| at.elapsed() < self.beat_every) {
            return Ok(self.found.clone());
        }
        self.look().await
    }

    /// The others, as they are now.
    pub async fn look(&mut self) -> Result<Vec<Rival>> {
        let own = Self::path(&self.name);
        let mut seen = BTreeMap::new();
        let mut rivals = Vec::new();
        for path in self.archive.list_control(&Self::folder()).await? {
            let Some(name) = path.strip_prefix(&Self::folder()).and_then(|name| name.strip_suffix(".json")) else {
                continue;
            };
            if path == own {
                continue;
            }
            let body = self.archive.get_control(&path, LIMIT).await?;
            let pulse = match self.seen.remove(name) {
                Some(mut pulse) => {
                    pulse.look(body, Instant::now());
                    pulse
                }
                None => Pulse::new(body, Instant::now(), self.beat_every * 2),
            };
            rivals.extend(self.rival(name, &pulse));
            seen.insert(name.to_owned(), pulse);
        }
        self.seen = seen;
        self.found.clone_from(&rivals);
        self.looked = Some(Instant::now());
        Ok(rivals)
    }

    fn rival(&self, name: &str, pulse: &Pulse) -> Option<Rival> {
        let parse = |body: &Bytes| serde_json::from_slice::<Candidate>(body).ok();
        let record = pulse.body().and_then(parse)?;
        let is_dead = pulse.silence() >= self.patience || record.process.as_ref().is_some_and(ProcessMark::is_gone);
        (!is_dead).then(|| Rival { name: name.to_owned(), is_alive: pulse.has_changed(), record })
    }

    /// Removes what dead candidates left behind. One that was only paused shows itself again.
    pub async fn sweep(&mut self) {
        let left: Vec<String> = self
            .seen
            .iter()
            .filter(|(_, pulse)| pulse.silence() >= FORGET_AFTER)
            .map(|(name, _)| name.clone())
            .collect();
        for name in left {
            self.remove(&Self::path(&name)).await;
        }
    }

    async fn remove(&self, path: &str) {
        match timeout(ANSWER, self.archive.delete_control(path)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "candidate not removed"),
            Err(_) => tracing::debug!("candidate not removed: the store does not answer"),
        }
    }
}
