//! What runs in the story: the source, its archive, the sidecar, the applications, and `dr-cli` on the archive.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use archive::ClusterTime;
use mongodb::bson::{DateTime, doc};
use serde_json::Value;
use testkit::writers::Writers;
use testkit::{ReplicaSet, Sidecar, start_writers};

use super::clerk::{self, Clerk};
use crate::archive_place::{ArchivePlace, StoreKind};
use crate::programs::{Measured, binary, free_port, measure, measure_shown, sidecar_status, tail};

const TAIL_LINES: usize = 15;
/// The server logs whole commands.
const LINE_CHARACTERS: usize = 300;

#[derive(Debug)]
pub struct Stage {
    pub source: ReplicaSet,
    pub archive: ArchivePlace,
    /// How many products the shop has.
    pub products: i64,
    /// The last acknowledged ledger entry of each writer, when they paused first.
    pub ledger_before_disaster: Vec<u64>,
    next_order: i64,
    sidecar: Option<(Sidecar, u16)>,
}

/// Applications at work.
#[derive(Debug)]
pub struct Writing {
    writers: Writers,
    clerk: Clerk,
}

/// Nothing expires in it, so that states can be compared at leisure.
pub async fn replica_set() -> Result<ReplicaSet> {
    let set = ReplicaSet::builder().members(3).set_parameter("ttlMonitorEnabled", "false").start().await?;
    set.set_election_timeout(Duration::from_secs(10)).await?;
    Ok(set)
}

pub fn mongod_tail(name: &str, set: &ReplicaSet) -> String {
    let logs = (0..set.hosts().len()).map(|index| {
        let log = std::fs::read(set.log(index)).unwrap_or_default();
        let last = tail(&String::from_utf8_lossy(&log), TAIL_LINES / 3);
        let lines: Vec<String> = last.lines().map(|line| line.chars().take(LINE_CHARACTERS).collect()).collect();
        format!("--- {name}, member {index}\n{}\n", lines.join("\n"))
    });
    logs.collect()
}

impl Stage {
    pub async fn start(store: StoreKind) -> Result<Self> {
        Ok(Self {
            source: replica_set().await?,
            archive: ArchivePlace::start(store).await?,
            products: 1,
            ledger_before_disaster: Vec::new(),
            next_order: 0,
            sidecar: None,
        })
    }

    pub fn log_tails(&self) -> String {
        let mut text = mongod_tail("source", &self.source);
        if let Some((sidecar, _)) = &self.sidecar {
            text += &format!("--- sidecar\n{}\n", tail(&sidecar.log(), TAIL_LINES));
        }
        text
    }

    // -- applications

    pub async fn start_writing(&mut self) -> Result<Writing> {
        let client = self.source.client();
        let writers = start_writers(&client, 11).await?;
        Ok(Writing { writers, clerk: clerk::start(&client, self.next_order, self.products) })
    }

    /// Returns when no write is under way.
    pub async fn pause(&mut self, writing: Writing) -> Result<()> {
        let counts = writing.writers.stop().await?;
        self.next_order = writing.clerk.stop().await?;
        if self.ledger_before_disaster.is_empty() {
            self.ledger_before_disaster.clone_from(&counts.acknowledged);
        }
        Ok(())
    }

    /// Documents written and commands of that kind, as the primary counts them.
    pub async fn operations(&self) -> Result<u64> {
        let status = self.source.client().database("admin").run_command(doc! { "serverStatus": 1 }).await?;
        let counters = status.get_document("opcounters").context("the server's operation counters")?;
        let number = |name: &str| {
            let value = counters.get(name)?;
            value.as_i64().or_else(|| value.as_i32().map(i64::from)).and_then(|value| u64::try_from(value).ok())
        };
        Ok(["insert", "update", "delete"].iter().filter_map(|name| number(name)).sum())
    }

    // -- the sidecar

    pub fn start_sidecar(&mut self) -> Result<()> {
        let port = free_port()?;
        let (uri, archive, listen) = (self.source.uri(), self.archive.url(), format!("127.0.0.1:{port}"));
        let arguments =
            ["run", "--uri", &uri, "--archive", &archive, "--listen", &listen, "--snapshot-schedule", "none"];
        let sidecar = Sidecar::run_program(&binary("sidecar")?, arguments, &[])?;
        self.sidecar = Some((sidecar, port));
        Ok(())
    }

    fn sidecar(&mut self) -> Result<&mut (Sidecar, u16)> {
        let running = self.sidecar.as_mut().context("the sidecar was not started")?;
        ensure!(running.0.is_running(), "the sidecar ended:\n{}", tail(&running.0.log(), TAIL_LINES));
        Ok(running)
    }

    /// Waits until the sidecar's status shows what is looked for.
    async fn wait_for<T>(
        &mut self,
        what: &str,
        patience: Duration,
        mut found: impl FnMut(&Value) -> Option<T>,
    ) -> Result<T> {
        let limit = Instant::now() + patience;
        let mut last = Value::Null;
        loop {
            let port = self.sidecar()?.1;
            // It does not listen yet, in its first moments.
            if let Ok(status) = sidecar_status(port).await {
                if let Some(found) = found(&status) {
                    return Ok(found);
                }
                last = status;
            }
            if Instant::now() > limit {
                bail!("the sidecar's status shows no {what} after {patience:?}: {last}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn first_snapshot(&mut self, patience: Duration) -> Result<Value> {
        self.wait_for("snapshot", patience, |status| {
            let snapshot = &status["last_snapshot"];
            (!snapshot.is_null()).then(|| snapshot.clone())
        })
        .await
    }

    pub async fn wait_archived(&mut self, moment: ClusterTime, patience: Duration) -> Result<()> {
        self.wait_for("archive of the disaster", patience, |status| {
            let through: ClusterTime = status["archived_through"].as_str()?.parse().ok()?;
            (through >= moment).then_some(())
        })
        .await
    }

    /// How many seconds of writes only the source holds now, at most: judged by the names of the slices that are in the
    /// archive, not by what the sidecar says. (A cluster time has whole seconds.)
    pub async fn lag(&self) -> Result<f64> {
        let through = self.archive.archived_through().await?;
        let now = DateTime::now().timestamp_millis() - i64::from(through.seconds) * 1_000;
        Ok(Duration::from_millis(u64::try_from(now).unwrap_or(0)).as_secs_f64())
    }

    /// The largest lag that was seen during `span`.
    pub async fn watch_lag(&mut self, span: Duration) -> Result<f64> {
        let limit = Instant::now() + span;
        let mut largest = 0.0_f64;
        while Instant::now() < limit {
            largest = largest.max(self.lag().await?);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(largest)
    }

    /// SIGTERM, which must end in exit code 0.
    pub async fn stop_sidecar(&mut self) -> Result<()> {
        let (mut sidecar, _) = self.sidecar.take().context("the sidecar was not started")?;
        let status = sidecar.terminate(Duration::from_secs(30)).await?;
        ensure!(status.code() == Some(0), "the sidecar ended with {status}:\n{}", tail(&sidecar.log(), TAIL_LINES));
        Ok(())
    }

    // -- dr-cli

    pub async fn dr_cli(&self, arguments: &[&str]) -> Result<Measured> {
        let url = self.archive.url();
        let all = ["--archive", &url].into_iter().chain(arguments.iter().copied());
        measure(&binary("dr-cli")?, all).await?.succeeded(&format!("dr-cli {}", arguments.join(" ")))
    }

    pub async fn dr_cli_json(&self, arguments: &[&str]) -> Result<Value> {
        let all: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        self.dr_cli(&all).await?.finished.json()
    }

    pub async fn restore(&self, target: &str, destination: &str) -> Result<Measured> {
        let url = self.archive.url();
        let arguments = ["--archive", &url, "restore", "--to", target, "--destination", destination, "--yes", "--json"];
        measure_shown(&binary("dr-cli")?, arguments).await?.succeeded("dr-cli restore")
    }
}
