//! A source, its archive, the sidecar that fills it, and restores out of it: what nearly every case consists of.
//!
//! A case makes data, archives, does something in the window, notes a `Moment` (time and state), and compares what a
//! restore to that time gives with the state. Waiting is for facts in the archive, never for a time to pass.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use archive::ClusterTime;
use mongodb::Client;
use mongodb::bson::{Document, Timestamp, doc};
use serde_json::Value;
use testkit::processes::{self, Finished};
use testkit::{Detail, ReplicaSet, ReplicaSetBuilder, Sidecar, StateCapture, capture};

use crate::archive_folder::ArchiveFolder;
use crate::faults;
use crate::restored::Restored;

const LIMIT: Duration = Duration::from_mins(1);

/// A cluster time at which the state is known.
#[derive(Debug)]
pub struct Moment {
    pub at: ClusterTime,
    pub state: StateCapture,
}

#[derive(Debug)]
pub struct Scenario {
    pub source: ReplicaSet,
    pub archive: ArchiveFolder,
    /// How the sidecar signs in at the source.
    pub uri: String,
    /// Flags of `sidecar run` beyond the usual ones.
    pub flags: Vec<String>,
    /// Where `sidecar run` serves its pages; 0: anywhere.
    pub port: u16,
    sidecar: Option<Sidecar>,
}

/// A fresh replica set to restore into. Nothing expires in it, so that states can be compared at leisure.
pub async fn destination() -> Result<ReplicaSet> {
    server().start().await
}

/// Nothing expires; transactions and documents of tens of megabytes fit into the cache.
pub fn server() -> ReplicaSetBuilder {
    let builder = ReplicaSet::builder().set_parameter("ttlMonitorEnabled", "false");
    builder.argument("--wiredTigerEngineConfigString").argument("cache_size=1GB")
}

impl Scenario {
    /// One member, nothing expires, no sidecar yet.
    pub async fn start() -> Result<Self> {
        Self::of(server().start().await?)
    }

    /// As `start`, with fail points.
    pub async fn with_faults() -> Result<Self> {
        Self::of(server().set_parameter("enableTestCommands", "1").start().await?)
    }

    pub fn of(source: ReplicaSet) -> Result<Self> {
        let uri = source.uri();
        Ok(Self { source, archive: ArchiveFolder::new()?, uri, flags: Vec::new(), port: 0, sidecar: None })
    }

    pub fn client(&self) -> Client {
        self.source.client()
    }

    /// Runs a command on the source and gives its operation time.
    pub async fn run(&self, database: &str, command: Document) -> Result<ClusterTime> {
        run(&self.client(), database, command).await
    }

    pub async fn insert(
        &self,
        database: &str,
        collection: &str,
        documents: impl IntoIterator<Item = Document>,
    ) -> Result<ClusterTime> {
        let documents: Vec<Document> = documents.into_iter().collect();
        self.run(database, doc! { "insert": collection, "documents": documents }).await
    }

    // -- archiving

    pub fn sidecar_arguments(&self, command: &str) -> Vec<String> {
        [command, "--uri", &self.uri, "--archive", &self.archive.url()].map(str::to_owned).to_vec()
    }

    /// The arguments of the continuous sidecar.
    pub fn run_arguments(&self) -> Vec<String> {
        let mut arguments = self.sidecar_arguments("run");
        let usual = ["--slice-span", "1s", "--slice-idle", "1s", "--snapshot-schedule", "none"];
        arguments.extend(usual.map(str::to_owned));
        arguments.extend(["--listen".to_owned(), format!("127.0.0.1:{}", self.port)]);
        arguments.extend(self.flags.iter().cloned());
        arguments
    }

    /// Starts `sidecar run` and waits for its first snapshot.
    pub async fn begin_archiving(&mut self) -> Result<()> {
        self.start_sidecar()?;
        self.wait_for_snapshots(1).await
    }

    pub fn start_sidecar(&mut self) -> Result<()> {
        ensure!(self.sidecar.is_none(), "the sidecar runs already");
        self.sidecar = Some(Sidecar::run(self.run_arguments())?);
        Ok(())
    }

    pub fn sidecar(&mut self) -> Result<&mut Sidecar> {
        self.sidecar.as_mut().context("the sidecar does not run")
    }

    pub fn sidecar_log(&self) -> String {
        self.sidecar.as_ref().map_or_else(|| "no sidecar runs".to_owned(), Sidecar::log)
    }

    /// Takes the running sidecar out of the scenario's care.
    pub fn take_sidecar(&mut self) -> Result<Sidecar> {
        self.sidecar.take().context("the sidecar does not run")
    }

    /// SIGTERM, which must end in exit code 0; gives the log.
    pub async fn stop_archiving(&mut self) -> Result<String> {
        let mut sidecar = self.take_sidecar()?;
        let status = sidecar.terminate(Duration::from_secs(30)).await?;
        ensure!(status.code() == Some(0), "the sidecar ended with {status}:\n{}", sidecar.log());
        Ok(sidecar.log())
    }

    /// SIGKILL.
    pub fn kill_sidecar(&mut self) -> Result<String> {
        let mut sidecar = self.take_sidecar()?;
        sidecar.kill9();
        Ok(sidecar.log())
    }

    /// `sidecar snapshot`, beside whatever runs; gives the id.
    pub async fn take_snapshot(&self) -> Result<String> {
        let before = self.archive.manifests()?;
        let done = processes::sidecar(self.sidecar_arguments("snapshot")).await?;
        ensure!(done.exit_code == 0, "sidecar snapshot: exit {}: {}{}", done.exit_code, done.stdout, done.stderr);
        self.new_snapshot(&before)
    }

    fn new_snapshot(&self, before: &[String]) -> Result<String> {
        let manifests = self.archive.manifests()?;
        let new: Vec<_> = manifests.iter().filter(|manifest| !before.contains(manifest)).collect();
        ensure!(new.len() == 1, "one new manifest expected: {new:?}");
        let id = new[0].rsplit('/').nth(1).context("the folder of the manifest")?;
        Ok(id.to_owned())
    }

    /// Takes a snapshot, and does `meanwhile` while its scan of `namespace` stands between two batches: the collection
    /// needs more than 16 MiB (`fill_for_two_batches`). The source must have fail points.
    pub async fn snapshot_while<T>(&self, namespace: &str, meanwhile: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
        let before = self.archive.manifests()?;
        let held = faults::hold_get_more(&self.client(), namespace).await?;
        let arguments = self.sidecar_arguments("snapshot");
        let snapshot = tokio::spawn(async move { processes::sidecar(arguments).await });
        let done = held.during(meanwhile).await?;
        let finished = snapshot.await??;
        ensure!(finished.exit_code == 0, "sidecar snapshot: {finished:?}");
        self.new_snapshot(&before)?;
        Ok(done)
    }

    /// 24 documents of a megabyte: a scan needs a second batch.
    pub async fn fill_for_two_batches(&self, database: &str, collection: &str) -> Result<()> {
        let fill = "tidemark".repeat(128 * 1024);
        for half in [0..12, 12..24] {
            self.insert(database, collection, half.map(|id| doc! { "_id": id, "fill": &fill })).await?;
        }
        Ok(())
    }

    pub async fn wait_for_snapshots(&mut self, count: usize) -> Result<()> {
        self.wait("a snapshot", async |scenario| Ok(scenario.archive.manifests()?.len() >= count)).await?;
        let listed = self.snapshots().await?.len();
        ensure!(listed >= count, "{count} manifests are there, {listed} snapshots are listed");
        Ok(())
    }

    pub async fn wait_archived(&mut self, moment: ClusterTime) -> Result<()> {
        self.wait(&format!("slices through {moment}"), async |scenario| {
            Ok(scenario.archive.archived_through()? >= moment)
        })
        .await
    }

    /// Waits for a fact; an end of the sidecar is an error with its log.
    pub async fn wait(&mut self, what: &str, fact: impl AsyncFn(&Self) -> Result<bool>) -> Result<()> {
        let limit = Instant::now() + LIMIT;
        while !fact(self).await.with_context(|| format!("wait for {what}"))? {
            if let Some(sidecar) = &mut self.sidecar
                && !sidecar.is_running()
            {
                bail!("the sidecar ended before there was {what}:\n{}", sidecar.log());
            }
            if Instant::now() > limit {
                bail!("no {what} within {LIMIT:?}:\n{}", self.sidecar_log());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    // -- moments

    /// A cluster time after everything that was written.
    pub async fn now(&self) -> Result<ClusterTime> {
        now(&self.client()).await
    }

    /// The state now and its time. Nobody else may write to capped collections or change definitions.
    pub async fn moment(&self) -> Result<Moment> {
        moment_of(&self.client()).await
    }

    /// A moment that the archive has reached.
    pub async fn archived_moment(&mut self) -> Result<Moment> {
        let moment = self.moment().await?;
        self.wait_archived(moment.at).await?;
        Ok(moment)
    }

    // -- dr-cli

    /// `dr-cli --archive … ARGS --json`.
    pub async fn cli(&self, arguments: &[&str]) -> Result<Finished> {
        cli(&self.archive, arguments).await
    }

    /// As `cli`, for a command that must succeed.
    pub async fn cli_ok(&self, arguments: &[&str]) -> Result<Value> {
        let done = self.cli(arguments).await?;
        ensure!(done.exit_code == 0, "dr-cli {arguments:?}: exit {}: {}{}", done.exit_code, done.stdout, done.stderr);
        done.json()
    }

    pub async fn snapshots(&self) -> Result<Vec<Value>> {
        let list = self.cli_ok(&["list"]).await?;
        Ok(list["snapshots"].as_array().context("list has snapshots")?.clone())
    }

    /// The lineage of this source in `dr-cli status`.
    pub async fn status(&self) -> Result<Value> {
        let status = self.cli_ok(&["status"]).await?;
        let lineages = status["lineages"].as_array().context("status has lineages")?;
        let own = lineages.iter().find(|lineage| lineage["replica_set"] == self.source.set_name.as_str());
        own.cloned().with_context(|| format!("no lineage of {} in {status}", self.source.set_name))
    }

    /// Restores into a fresh replica set, which must succeed.
    pub async fn restore(&self, target: impl ToString) -> Result<Restored> {
        self.restore_into(destination().await?, target).await
    }

    pub async fn restore_into(&self, set: ReplicaSet, target: impl ToString) -> Result<Restored> {
        let report = self.cli_ok(&restore_arguments(&target.to_string(), &set.uri())).await?;
        let state = capture(&set.client(), None, Detail::Documents).await?;
        Ok(Restored { set, report, state })
    }

    /// Waits for `moment`, restores to it and compares.
    pub async fn assert_restores(&mut self, moment: &Moment) -> Result<Restored> {
        self.wait_archived(moment.at).await?;
        let restored = self.restore(moment.at).await?;
        restored.assert_equals(moment)?;
        Ok(restored)
    }

    /// A restore that must be refused with this exit code and leave the destination as it was; gives the error.
    pub async fn assert_refused(&self, set: &ReplicaSet, target: impl ToString, exit_code: i32) -> Result<Value> {
        refused(&self.archive, set, &target.to_string(), exit_code).await
    }
}

pub fn restore_arguments<'a>(target: &'a str, destination: &'a str) -> [&'a str; 6] {
    ["restore", "--to", target, "--destination", destination, "--yes"]
}

pub async fn cli(archive: &ArchiveFolder, arguments: &[&str]) -> Result<Finished> {
    let url = archive.url();
    let all = ["--archive", &url].into_iter().chain(arguments.iter().copied()).chain(["--json"]);
    processes::dr_cli(all).await
}

/// A restore that must end with `exit_code` before the first write.
pub async fn refused(archive: &ArchiveFolder, set: &ReplicaSet, target: &str, exit_code: i32) -> Result<Value> {
    let before = capture(&set.client(), None, Detail::Documents).await?;
    let done = cli(archive, &restore_arguments(target, &set.uri())).await?;
    ensure!(
        done.exit_code == exit_code,
        "restore --to {target}: exit {} instead of {exit_code}: {}{}",
        done.exit_code,
        done.stdout,
        done.stderr
    );
    let error = done.json()?["error"].clone();
    for part in ["what", "next"] {
        ensure!(error[part].as_str().is_some_and(|text| !text.is_empty()), "the error says no `{part}`: {error}");
    }
    let after = capture(&set.client(), None, Detail::Documents).await?;
    let differences = before.diff(&after);
    ensure!(differences.is_empty(), "the refused restore wrote to the destination: {differences:#?}");
    let config = set.client().database("config").list_collection_names().await?;
    let ours: Vec<_> = config.iter().filter(|name| name.starts_with("tidemark")).collect();
    ensure!(ours.is_empty(), "the refused restore left {ours:?} in config");
    Ok(error)
}

pub async fn run(client: &Client, database: &str, command: Document) -> Result<ClusterTime> {
    let shown = format!("{command:.200}");
    let reply = client.database(database).run_command(command).await.with_context(|| format!("{database}: {shown}"))?;
    ensure!(!reply.contains_key("writeErrors"), "{database}: {shown}: {reply}");
    Ok(reply.get_timestamp("operationTime")?.into())
}

async fn now(client: &Client) -> Result<ClusterTime> {
    let note = doc! { "appendOplogNote": 1, "data": { "test": "moment" }, "writeConcern": { "w": "majority" } };
    run(client, "admin", note).await
}

/// The time of the oldest entry of the oplog. A read whose place is truncated under it ends with an error of its own, and is made again.
pub async fn oldest_entry(client: &Client) -> Result<ClusterTime> {
    const CAPPED_POSITION_LOST: i32 = 136;
    let oplog = client.database("local").collection::<Document>("oplog.rs");
    loop {
        match oplog.find_one(doc! {}).sort(doc! { "$natural": 1 }).await {
            Ok(oldest) => return Ok(oldest.context("an entry")?.get_timestamp("ts")?.into()),
            Err(error) => match *error.kind {
                mongodb::error::ErrorKind::Command(ref command) if command.code == CAPPED_POSITION_LOST => {}
                _ => return Err(error.into()),
            },
        }
    }
}

/// What a server at rest holds now, read at the time of its newest write.
pub async fn moment_of(client: &Client) -> Result<Moment> {
    let at = now(client).await?;
    let read_at = Timestamp { time: at.seconds, increment: at.increment };
    let state = capture(client, Some(read_at), Detail::Documents).await?;
    Ok(Moment { at, state })
}
