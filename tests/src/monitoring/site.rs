//! A replica set with a sidecar beside each member, as pods of a stateful set.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use testkit::mongod::port::PortLease;
use testkit::{ReplicaSet, Sidecar};

use super::{NAMESPACE, Target};
use crate::ArchiveFolder;
use crate::programs::{sidecar_status, tail};

const LIMIT: Duration = Duration::from_mins(1);
const JOB: &str = "db/tidemark";

/// What an operator promises, and how often is looked. The objectives are those that `rules` knows.
const SETTINGS: [&str; 24] = [
    "--metrics-interval",
    "1s",
    "--storage-interval",
    "2s",
    "--slice-span",
    "1s",
    "--slice-idle",
    "1s",
    "--snapshot-schedule",
    "0 1 * * *",
    "--reference-schedule",
    "0 2 * * *",
    "--rpo-target",
    "5s",
    "--rto-target",
    "1h",
    "--drill-interval",
    "30d",
    "--pitr-window",
    "7d",
    "--slow-profiler",
    "read",
    "--log-level",
    "info",
];

/// A member's sidecar.
#[derive(Debug)]
pub struct Pod {
    pub name: String,
    program: PathBuf,
    arguments: Vec<String>,
    port: PortLease,
    sidecar: Option<Sidecar>,
}

impl Pod {
    pub fn port(&self) -> u16 {
        self.port.port()
    }

    /// Starts the sidecar; returns when it archives or stands by.
    pub async fn start(&mut self) -> Result<()> {
        ensure!(self.sidecar.is_none(), "the sidecar of {} runs already", self.name);
        let mut sidecar = Sidecar::run_program(&self.program, &self.arguments, &[])?;
        let deadline = Instant::now() + LIMIT;
        while !matches!(self.role().await.as_deref(), Some("archiving" | "standby")) {
            if !sidecar.is_running() || Instant::now() > deadline {
                bail!("the sidecar of {} does not work:\n{}", self.name, tail(&sidecar.log(), 20));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.sidecar = Some(sidecar);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        self.sidecar.take().with_context(|| format!("no sidecar beside {}", self.name))?.kill9();
        Ok(())
    }

    /// SIGTERM, which must end in exit code 0.
    pub async fn stop(&mut self) -> Result<()> {
        let mut sidecar = self.sidecar.take().with_context(|| format!("no sidecar beside {}", self.name))?;
        let status = sidecar.terminate(LIMIT).await?;
        ensure!(status.code() == Some(0), "{} ended with {status}:\n{}", self.name, tail(&sidecar.log(), 20));
        Ok(())
    }

    pub async fn status(&self) -> Result<Value> {
        sidecar_status(self.port()).await
    }

    async fn role(&self) -> Option<String> {
        Some(self.status().await.ok()?["role"].as_str()?.to_owned())
    }
}

#[derive(Debug)]
pub struct Site {
    /// The name of the cluster, of its replica set and, with a number, of its pods.
    pub cluster: &'static str,
    pub pods: Vec<Pod>,
    pub set: ReplicaSet,
    pub archive: ArchiveFolder,
}

impl Site {
    /// Starts a sidecar beside each member; returns when the first snapshot is there.
    pub async fn start(
        cluster: &'static str,
        set: ReplicaSet,
        archive: ArchiveFolder,
        sidecar: &std::path::Path,
    ) -> Result<Self> {
        let mut pods = Vec::new();
        for (index, host) in set.hosts().into_iter().enumerate() {
            let port = PortLease::take()?;
            let (listen, data) = (format!("127.0.0.1:{}", port.port()), set.files(index).display().to_string());
            let own = ["--uri", &set.uri(), "--archive", &archive.url(), "--member", &host, "--listen", &listen];
            let mut arguments: Vec<String> = ["run"].iter().chain(&own).map(|&text| text.to_owned()).collect();
            arguments.extend(SETTINGS.map(str::to_owned));
            arguments.extend(["--data-path".to_owned(), data]);
            pods.push(Pod {
                name: format!("{cluster}-{index}"),
                program: sidecar.to_owned(),
                arguments,
                port,
                sidecar: None,
            });
        }
        let mut site = Self { cluster, pods, set, archive };
        for pod in &mut site.pods {
            pod.start().await?;
        }
        site.wait("a snapshot", async |site| {
            let archiver = &site.pods[site.archiver().await?];
            Ok(!archiver.status().await?["last_snapshot"].is_null())
        })
        .await?;
        Ok(site)
    }

    pub fn targets(&self) -> Vec<Target> {
        let target = |pod: &Pod| Target {
            job: JOB,
            port: pod.port(),
            labels: BTreeMap::from([
                ("namespace", NAMESPACE.to_owned()),
                ("cluster", self.cluster.to_owned()),
                ("pod", pod.name.clone()),
            ]),
            honors_labels: false,
        };
        self.pods.iter().map(target).collect()
    }

    /// The pod whose sidecar archives.
    pub async fn archiver(&self) -> Result<usize> {
        for (index, pod) in self.pods.iter().enumerate() {
            if pod.role().await.as_deref() == Some("archiving") {
                return Ok(index);
            }
        }
        bail!("no sidecar of {} archives", self.cluster)
    }

    /// A secondary whose sidecar stands by: its loss disturbs neither writes nor the archive.
    pub async fn bystander(&self) -> Result<usize> {
        let archiver = self.archiver().await?;
        let mut secondaries = self.set.secondaries().await.into_iter();
        secondaries.find(|index| *index != archiver).context("no secondary whose sidecar stands by")
    }

    /// Waits for a fact; while it cannot be asked for it is none.
    pub async fn wait(&self, what: &str, fact: impl AsyncFn(&Self) -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let seen = fact(self).await;
            if matches!(seen, Ok(true)) {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "{}: no {what} within {LIMIT:?}: {seen:?}\n{}",
                self.cluster,
                self.logs()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The ends of the sidecars' logs.
    pub fn logs(&self) -> String {
        let log = |pod: &Pod| {
            let text = pod.sidecar.as_ref().map_or_else(|| "not running".to_owned(), Sidecar::log);
            format!("--- {}\n{}\n", pod.name, tail(&text, 12))
        };
        self.pods.iter().map(log).collect()
    }
}
