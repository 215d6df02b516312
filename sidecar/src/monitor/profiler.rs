//! Slow operations from the database profiler, where logs cannot be read.
//!
//! Reads what came new in `system.profile` of each database whose profiler is on, backwards from its end, and counts it
//! like lines of a log. With [`ProfilerMode::On`] it turns the profiler on (level 1) where it is off, and off again at a
//! clean stop. Bounded: so many databases, so many entries for each look; what is beyond is counted as lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bson::RawDocumentBuf;
use bson::oid::ObjectId;
use metrics::Samples;
use metrics::catalogue::{
    PROFILER_DATABASES, PROFILER_DATABASES_NOT_READ, PROFILER_LOSS_UNCERTAIN_TOTAL, PROFILER_LOST_ENTRIES_TOTAL,
    PROFILER_READ_ENTRIES_TOTAL,
};
use metrics::sample::float;
use replset::probe::ProfilingChange;
use replset::{ErrorKind, Probe, ReplsetError};
use slowlog::aggregate::Limits;
use slowlog::line::Verdict;
use slowlog::{Aggregate, Reader, profile};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::collectors::Collectors;
use super::slow_series::SlowSeries;
use super::{Collected, Reachable, anybody, other_process};
use crate::config::{MOST_PROFILED, ProfilerMode, ProfilerSettings};
use crate::error::Result;
use crate::node::OWN_APP_NAME;

mod position;

use position::{Position, advance, enough, has_moved};

/// How often databases are asked whether their profiler is on.
const LEVELS_EVERY: Duration = Duration::from_mins(1);
/// Of one such round; what was not reached comes first in the next.
const LEVELS_BUDGET: Duration = Duration::from_millis(500);
/// Of one database at one look: a profile of the default size (1 MB) has fewer.
const MOST_ENTRIES: u32 = 4000;
const MOST_BYTES: usize = 8 << 20;

#[derive(Debug, Clone, Copy)]
struct Profiled {
    level: i32,
    slow_millis: i64,
}

/// A profiler that was off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Switch {
    TurnedOn,
    /// Somebody turned it off again, or it may not be turned on.
    LeftAlone,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    read: u64,
    lost: u64,
    uncertain: u64,
}

pub struct Profiler {
    settings: ProfilerSettings,
    interval: Duration,
    collected: Collected,
    series: SlowSeries,
    collectors: Collectors,
    aggregate: Aggregate,
    reader: Reader,
    started: Instant,
    /// Milliseconds since 1970: older entries are history.
    since: i64,
    profiled: BTreeMap<String, Profiled>,
    levels_at: Option<Instant>,
    /// The last database that was asked for its level.
    asked: Option<String>,
    positions: BTreeMap<String, Position>,
    switches: BTreeMap<String, Switch>,
    server: Option<(Probe, Option<ObjectId>)>,
    counts: Counts,
    told: BTreeSet<String>,
}

impl Profiler {
    pub fn new(settings: ProfilerSettings, interval: Duration, collected: Collected, series: SlowSeries) -> Self {
        Self {
            settings,
            interval,
            collected,
            series,
            collectors: Collectors::default(),
            aggregate: Aggregate::new(Limits::default()),
            reader: Reader::new(Some(OWN_APP_NAME)),
            started: Instant::now(),
            since: jiff::Timestamp::now().as_millisecond(),
            profiled: BTreeMap::new(),
            levels_at: None,
            asked: None,
            positions: BTreeMap::new(),
            switches: BTreeMap::new(),
            server: None,
            counts: Counts::default(),
            told: BTreeSet::new(),
        }
    }

    /// Ends when stopped, after what was turned on was turned off.
    pub async fn run(
        mut self,
        mut reachable: watch::Receiver<Option<Reachable>>,
        stop: CancellationToken,
    ) -> Result<()> {
        while !stop.is_cancelled() {
            let server = tokio::select! {
                server = anybody(&mut reachable) => server,
                () = stop.cancelled() => break,
            };
            let samples = self.look(&server).await;
            self.collected.put("profiler", samples);
            self.series.publish(server.probe.server(), &self.aggregate);
            tokio::select! {
                () = tokio::time::sleep(self.interval) => {}
                () = other_process(&mut reachable, server.process) => {}
                () = stop.cancelled() => break,
            }
        }
        self.turn_off().await;
        Ok(())
    }

    async fn look(&mut self, server: &Reachable) -> Samples {
        let probe = server.probe.clone();
        if self.server.as_ref().is_none_or(|(_, process)| *process != server.process) {
            // Levels are lost with the process; the profile and its numbers are not.
            self.switches.clear();
            self.levels_at = None;
        }
        self.server = Some((probe.clone(), server.process));
        let started = Instant::now();
        let read = self.read_all(&probe).await;
        self.collectors.note("profiler", self.interval, started.elapsed(), read.is_ok());
        if let Err(error) = read {
            self.tell("the profile cannot be read", &error);
        }
        self.aggregate.advance(self.started.elapsed());
        let mut samples = Samples::default();
        let not_read = self.profiled.len().saturating_sub(MOST_PROFILED);
        samples.set(&PROFILER_DATABASES, &[], float((self.profiled.len() - not_read) as u64));
        samples.set(&PROFILER_DATABASES_NOT_READ, &[], float(not_read as u64));
        samples.set(&PROFILER_READ_ENTRIES_TOTAL, &[], float(self.counts.read));
        samples.set(&PROFILER_LOST_ENTRIES_TOTAL, &[], float(self.counts.lost));
        samples.set(&PROFILER_LOSS_UNCERTAIN_TOTAL, &[], float(self.counts.uncertain));
        samples.extend(self.collectors.samples());
        samples
    }

    async fn read_all(&mut self, probe: &Probe) -> Result<(), ReplsetError> {
        let mut levels = Ok(());
        if self.levels_at.is_none_or(|at| at.elapsed() >= LEVELS_EVERY) {
            levels = self.levels(probe).await;
        }
        let profiled: Vec<_> =
            self.profiled.iter().take(MOST_PROFILED).map(|(name, profiled)| (name.clone(), *profiled)).collect();
        // One database that cannot be read does not keep the others from being read.
        let mut read = levels;
        for (database, profiled) in profiled {
            read = self.read(probe, &database, profiled).await.and(read);
        }
        read
    }

    /// Which profilers are on.
    async fn levels(&mut self, probe: &Probe) -> Result<(), ReplsetError> {
        let started = Instant::now();
        let names = probe.databases().await;
        self.collectors.sent("listDatabases", names.is_ok());
        let wanted = &self.settings.databases;
        let is_wanted = |name: &String| name != "local" && (wanted.is_empty() || wanted.contains(name));
        let mut names: Vec<String> = names?.into_iter().filter(is_wanted).collect();
        self.levels_at = Some(Instant::now());
        names.sort();
        self.profiled.retain(|name, _| names.binary_search(name).is_ok());
        self.positions.retain(|name, _| names.binary_search(name).is_ok());
        let first = self.asked.as_ref().map_or(0, |last| names.partition_point(|name| name <= last));
        names.rotate_left(first);
        let mut asked = Ok(());
        for name in names {
            if started.elapsed() > LEVELS_BUDGET {
                break;
            }
            let found = probe.profiling(&name).await;
            self.collectors.sent("profile", found.is_ok());
            match found {
                Ok(found) => {
                    let level = self.switch(probe, &name, found.level).await;
                    if level > 0 {
                        self.profiled.insert(name.clone(), Profiled { level, slow_millis: found.slow_millis });
                    } else {
                        self.profiled.remove(&name);
                    }
                }
                Err(error) => asked = Err(error),
            }
            self.asked = Some(name);
        }
        asked
    }

    /// Turns a profiler on that is off, once for each process. Returns the level that is in effect then.
    async fn switch(&mut self, probe: &Probe, database: &str, level: i32) -> i32 {
        if self.settings.mode != ProfilerMode::On {
            return level;
        }
        match self.switches.get(database) {
            Some(Switch::TurnedOn) if level != 1 => {
                tracing::warn!(
                    event = "profiler_changed_by_other",
                    database,
                    level,
                    "somebody else changed the profiler; it stays so, also when this ends"
                );
                self.switches.insert(database.to_owned(), Switch::LeftAlone);
                level
            }
            None if level == 0 => {
                let changed =
                    probe.change_profiling(database, ProfilingChange { level: Some(1), ..Default::default() });
                let changed = changed.await;
                self.collectors.sent("profile", changed.is_ok());
                match changed {
                    Ok(_) => {
                        tracing::info!(
                            event = "profiler_turned_on",
                            database,
                            "profiler turned on for slow operations"
                        );
                        self.switches.insert(database.to_owned(), Switch::TurnedOn);
                        1
                    }
                    Err(error) => {
                        // Not tried again: the server logs each refusal.
                        tracing::warn!(
                            event = "profiler_not_turned_on",
                            %error,
                            database,
                            "the profiler cannot be turned on (it needs `enableProfiler`)"
                        );
                        self.switches.insert(database.to_owned(), Switch::LeftAlone);
                        0
                    }
                }
            }
            _ => level,
        }
    }

    async fn read(&mut self, probe: &Probe, database: &str, profiled: Profiled) -> Result<(), ReplsetError> {
        let known = self.positions.get(database).copied();
        let newest = self.entries(probe, database, 1).await?.first().map(place);
        if known.is_some() && !has_moved(known, newest) {
            return Ok(());
        }
        let entries = self.entries(probe, database, enough(known, newest, MOST_ENTRIES)).await?;
        let places: Vec<Position> = entries.iter().map(place).collect();
        let step = advance(known, self.since, &places);
        self.counts.lost += step.lost;
        self.counts.uncertain += u64::from(step.is_made_anew);
        self.positions.insert(database.to_owned(), step.position);
        for entry in entries.iter().take(step.new).rev() {
            self.counts.read += 1;
            self.count(entry, profiled);
        }
        Ok(())
    }

    /// Level 2 writes everything; counted is what a log would have.
    fn count(&mut self, entry: &RawDocumentBuf, profiled: Profiled) {
        let now = self.started.elapsed();
        if profiled.level >= 2 && profile::moment(entry).duration < profiled.slow_millis {
            self.aggregate.observe(&Verdict::Skipped, now);
            return;
        }
        match profile::record(entry) {
            Some(line) => self.aggregate.observe(&self.reader.read(&line), now),
            None => self.aggregate.observe(&Verdict::Malformed, now),
        }
    }

    async fn entries(&mut self, probe: &Probe, database: &str, most: u32) -> Result<Vec<RawDocumentBuf>, ReplsetError> {
        let entries = probe.profile_entries(database, most, MOST_BYTES).await;
        self.collectors.sent("find", entries.is_ok());
        entries
    }

    async fn turn_off(&mut self) {
        let Some((probe, _)) = self.server.clone() else { return };
        let switches = std::mem::take(&mut self.switches);
        for (database, _) in switches.into_iter().filter(|(_, switch)| *switch == Switch::TurnedOn) {
            let found = match probe.profiling(&database).await {
                Ok(found) => found,
                Err(error) => {
                    not_turned_off(&error, &database);
                    continue;
                }
            };
            if found.level != 1 {
                tracing::warn!(
                    event = "profiler_changed_by_other",
                    database,
                    level = found.level,
                    "somebody else changed the profiler; it stays so"
                );
                continue;
            }
            match probe.change_profiling(&database, ProfilingChange { level: Some(0), ..Default::default() }).await {
                Ok(_) => tracing::info!(event = "profiler_turned_off", database, "profiler turned off"),
                Err(error) => not_turned_off(&error, &database),
            }
        }
    }

    /// A refusal once; a server that is away is told by others.
    fn tell(&mut self, what: &str, error: &ReplsetError) {
        let is_refusal = matches!(error.kind(), ErrorKind::AuthFailed | ErrorKind::MissingPrivilege(_));
        if self.told.insert(format!("{:?}", error.kind())) && is_refusal {
            tracing::warn!(event = "profile_not_read", %error, "{what}; trying again without saying so");
        } else {
            tracing::debug!(%error, "{what}");
        }
    }
}

fn not_turned_off(error: &ReplsetError, database: &str) {
    tracing::warn!(
        event = "profiler_not_turned_off",
        %error,
        database,
        "profiler not turned off; a restart of the server does it, too"
    );
}

fn place(entry: &RawDocumentBuf) -> Position {
    let number = entry.get_i64("$recordId").or_else(|_| entry.get_i32("$recordId").map(i64::from));
    Position { number: number.unwrap_or(0), at: profile::moment(entry).at }
}
