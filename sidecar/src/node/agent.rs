//! Follows the logs of all pods and counts for each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use logfollow::{Boundary, Counters, Follower, Line, Progress, Settings, Source};
use serde::Serialize;
use slowlog::Reader;
use slowlog::aggregate::{Aggregate, Limits};
use slowlog::record::{Joiner, Step};
use slowlog::report::Report;

use super::board::View;
use super::exposition;
use crate::clock::now_seconds;
use crate::config::NodeConfig;
use crate::error::{Error, Result};

/// How what our own connections call themselves begins.
pub const OWN_APP_NAME: &str = "tidemark";
/// Read at most between two saves of the positions, which is also what may be counted twice after a kill.
const BUDGET: usize = 8 << 20;
const LONGEST_LINE: usize = 256 << 10;
/// Longer than any message a server with default settings writes.
const LONGEST_RECORD: usize = 1 << 20;
/// So long the numbers of a pod whose logs are gone can still be scraped.
const KEEP_GONE: Duration = Duration::from_mins(5);

/// A Kubernetes namespace and a pod in it; what is nearest to them for other files.
pub type PodName = (String, String);

pub struct Agent {
    follower: Follower,
    root: PathBuf,
    reader: Reader,
    joiners: BTreeMap<PathBuf, Joiner>,
    pods: BTreeMap<PodName, PodCount>,
    progress: Progress,
    polled_at: u64,
    save_failures: u64,
    save_failed: bool,
}

fn clock() -> u64 {
    u64::try_from(now_seconds()).unwrap_or_default()
}

struct PodCount {
    aggregate: Aggregate,
    seen: Duration,
}

/// The answer of `/slow-queries`.
#[derive(Debug, Serialize)]
pub struct SlowQueries {
    pub schema: u32,
    pub pods: Vec<PodReport>,
}

#[derive(Debug, Serialize)]
pub struct PodReport {
    pub namespace: String,
    pub pod: String,
    #[serde(flatten)]
    pub report: Report,
}

/// How the follower fares, for the metrics.
#[derive(Debug, Clone, Copy)]
pub struct Following {
    pub counters: Counters,
    pub progress: Progress,
    pub save_failures: u64,
    pub pods: usize,
    /// Whether the folder of the logs can be listed.
    pub root_readable: bool,
    /// When the last look at the logs ended, in seconds since 1970.
    pub polled_at: u64,
}

impl Agent {
    pub fn open(config: &NodeConfig) -> Result<Self> {
        let mut settings = Settings::new(config.logs.clone(), config.patterns.clone());
        settings.positions.clone_from(&config.positions);
        settings.longest_line = LONGEST_LINE;
        let (follower, problem) =
            Follower::open(settings, Duration::ZERO).map_err(|error| Error::Internal(error.to_string()))?;
        if let Some(problem) = problem {
            tracing::warn!(
                event = "positions_unusable",
                problem,
                "saved positions cannot be used; logs are read from their beginning"
            );
        }
        if config.positions.is_none() {
            tracing::warn!(
                event = "positions_not_configured",
                "no --log-positions: every start reads the logs from their beginning"
            );
        }
        Ok(Self {
            follower,
            root: config.logs.clone(),
            reader: Reader::new(Some(OWN_APP_NAME)),
            joiners: BTreeMap::new(),
            pods: BTreeMap::new(),
            progress: Progress::default(),
            polled_at: clock(),
            save_failures: 0,
            save_failed: false,
        })
    }

    /// Reads what is new, up to the budget; true when there is more. `now` is the time since the start.
    pub fn poll(&mut self, now: Duration) -> bool {
        let (reader, joiners, pods) = (&self.reader, &mut self.joiners, &mut self.pods);
        self.progress = self.follower.poll(now, BUDGET, &mut |source, line| {
            let pod = pods
                .entry(pod_name(source))
                .or_insert_with(|| PodCount { aggregate: Aggregate::new(Limits::default()), seen: now });
            let joiner = match joiners.get_mut(&source.path) {
                Some(joiner) => joiner,
                None => joiners.entry(source.path.clone()).or_insert_with(|| Joiner::new(LONGEST_RECORD)),
            };
            count(reader, joiner, &mut pod.aggregate, line, now)
        });
        self.forget_gone(now);
        if self.progress.read_bytes > 0 {
            self.save();
        }
        self.polled_at = clock();
        self.progress.behind_bytes > 0 && self.progress.read_bytes > 0
    }

    /// As it is served.
    pub fn view(&self) -> View {
        let problem = self.problem();
        let following = Following {
            root_readable: problem.is_none(),
            counters: self.follower.counters(),
            progress: self.progress,
            save_failures: self.save_failures,
            pods: self.pods.len(),
            polled_at: self.polled_at,
        };
        let families: Vec<_> = self.pods.iter().map(|(pod, count)| (pod, count.aggregate.families())).collect();
        let pods = self.pods.iter().map(|((namespace, pod), count)| PodReport {
            namespace: namespace.clone(),
            pod: pod.clone(),
            report: count.aggregate.report(),
        });
        let slow_queries = SlowQueries { schema: 1, pods: pods.collect() };
        View {
            metrics: Arc::new(exposition::render(families, &following)),
            slow_queries: Arc::new(slow_queries),
            following,
            problem,
        }
    }

    fn problem(&self) -> Option<String> {
        let unreadable = std::fs::read_dir(&self.root).err();
        unreadable.map(|error| format!("{} cannot be read: {error}", self.root.display()))
    }

    /// Told once, until it works again.
    fn save(&mut self) {
        match self.follower.save() {
            Ok(()) => self.save_failed = false,
            Err(error) => {
                self.save_failures += 1;
                if !std::mem::replace(&mut self.save_failed, true) {
                    tracing::warn!(event = "positions_not_saved", %error, "positions not saved; after a restart lines may be counted twice");
                }
            }
        }
    }

    fn forget_gone(&mut self, now: Duration) {
        let paths: BTreeSet<&PathBuf> = self.follower.sources().map(|source| &source.path).collect();
        self.joiners.retain(|path, _| paths.contains(path));
        for pod in self.follower.sources().map(pod_name) {
            if let Some(pod) = self.pods.get_mut(&pod) {
                pod.seen = now;
                pod.aggregate.advance(now);
            }
        }
        self.pods.retain(|_, pod| now.saturating_sub(pod.seen) < KEEP_GONE);
    }
}

fn pod_name(source: &Source) -> PodName {
    (source.namespace().to_owned(), source.name().to_owned())
}

fn count(reader: &Reader, joiner: &mut Joiner, aggregate: &mut Aggregate, line: Line<'_>, now: Duration) -> Boundary {
    match line {
        Line::Oversize => {
            joiner.forget();
            aggregate.observe_oversize();
        }
        Line::Whole(line) => match joiner.line(line) {
            Step::Record(record) => aggregate.observe(&reader.read(record), now),
            Step::Oversize => aggregate.observe_oversize(),
            Step::Partial => {}
        },
    }
    if joiner.is_open() { Boundary::Open } else { Boundary::Complete }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use serde_json::Value;
    use telemetry::LogFormat;

    use super::*;

    const OBSERVED: &str = include_str!("../../../crates/slowlog/tests/lines/6.0.5.log");

    fn config(logs: &std::path::Path, positions: Option<PathBuf>) -> NodeConfig {
        NodeConfig {
            logs: logs.to_owned(),
            patterns: vec!["*/mongod/*.log".parse().unwrap()],
            positions,
            listen: "127.0.0.1:0".parse().unwrap(),
            shutdown_grace: Duration::from_secs(1),
            log_format: LogFormat::Text,
            log_level: "info".to_owned(),
        }
    }

    /// As a container runtime writes it, with a small buffer.
    fn as_cri(lines: &str) -> String {
        let mut written = String::new();
        for line in lines.lines() {
            let mut rest = line;
            loop {
                let (now, later) = rest.split_at(rest.floor_char_boundary(500));
                let tag = if later.is_empty() { 'F' } else { 'P' };
                writeln!(written, "2026-11-28T20:28:22.013123456Z stdout {tag} {now}").unwrap();
                if later.is_empty() {
                    break;
                }
                rest = later;
            }
        }
        written
    }

    #[test]
    fn pods_are_counted_apart_from_records_that_a_runtime_cut() {
        let folder = tempfile::tempdir().unwrap();
        for (pod, lines) in [("shop_db-0_uid", OBSERVED.to_owned()), ("shop_db-1_uid", as_cri(OBSERVED))] {
            let logs = folder.path().join(pod).join("mongod");
            std::fs::create_dir_all(&logs).unwrap();
            std::fs::write(logs.join("0.log"), lines).unwrap();
        }
        let mut agent = Agent::open(&config(folder.path(), None)).unwrap();
        assert!(!agent.poll(Duration::ZERO), "everything was read");
        let view = agent.view();
        let metrics = String::from_utf8(view.metrics.to_vec()).unwrap();
        let of = |pod: &str| {
            let lines = metrics.lines().filter(|line| line.contains(&format!("pod=\"{pod}\"")));
            lines.map(|line| line.replace(pod, "")).collect::<Vec<_>>()
        };
        assert!(of("db-0").len() > 100);
        assert_eq!(of("db-0"), of("db-1"));
        let helps = metrics.lines().filter(|line| line.starts_with("# HELP tidemark_slow_ops_total"));
        assert_eq!(helps.count(), 1, "{metrics}");
        let page = include_str!("../../../docs/slow-queries.md");
        for line in metrics.lines() {
            let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) else {
                continue;
            };
            assert!(page.contains(&format!("| `{name}` | {kind} |")), "{name} ({kind}) is not on the page");
        }
        let report: Value = serde_json::to_value(&*view.slow_queries).unwrap();
        assert_eq!(report["pods"][1]["pod"], "db-1");
        assert_eq!(report["pods"][0]["shapes"], report["pods"][1]["shapes"]);
    }

    #[test]
    fn a_restart_goes_on_where_the_last_run_stopped_even_within_a_record() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("shop_db-0_uid/mongod");
        std::fs::create_dir_all(&logs).unwrap();
        let config = config(folder.path(), Some(folder.path().join("positions")));
        let text = as_cri(OBSERVED);
        // In the middle of a line in the middle of a record.
        let cut = text.find(" P ").unwrap() + 600;
        std::fs::write(logs.join("0.log"), &text[..cut]).unwrap();
        let mut first = Agent::open(&config).unwrap();
        first.poll(Duration::ZERO);
        let counted =
            |agent: &Agent| agent.pods.values().map(|pod| pod.aggregate.lines().all().iter().sum::<u64>()).sum::<u64>();
        let before = counted(&first);
        drop(first);
        std::fs::write(logs.join("0.log"), &text).unwrap();
        let mut second = Agent::open(&config).unwrap();
        second.poll(Duration::ZERO);
        assert_eq!(before + counted(&second), OBSERVED.lines().count() as u64);
        let malformed: u64 = second.pods.values().map(|pod| pod.aggregate.lines().malformed).sum();
        assert_eq!(malformed, 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_told_and_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("later");
        let mut agent = Agent::open(&config(&logs, None)).unwrap();
        agent.poll(Duration::ZERO);
        assert!(agent.view().problem.unwrap().contains("later"));
        std::fs::create_dir_all(logs.join("shop_db-0_uid/mongod")).unwrap();
        std::fs::write(logs.join("shop_db-0_uid/mongod/0.log"), OBSERVED).unwrap();
        agent.poll(Duration::from_secs(10));
        assert_eq!((agent.view().problem, agent.pods.len()), (None, 1));
    }
}
