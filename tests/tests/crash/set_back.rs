//! A server that came back from an older copy of its files: the same replica set by name and id, and another history.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::Scenario;
use mongodb::bson::doc;
use testkit::processes;

const LIMIT: Duration = Duration::from_mins(1);

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let (from, to) = (entry.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?.path(), to);
        let name = from.file_name().context("a name")?;
        // Left over from the process that had it open.
        if name == "mongod.lock" {
            continue;
        }
        if from.is_dir() {
            copy(&from, &to.join(name))?;
        } else {
            std::fs::copy(&from, to.join(name)).with_context(|| from.display().to_string())?;
        }
    }
    Ok(())
}

/// A source whose files were copied while it was down, and which was archived further since.
struct SetBack {
    scenario: Scenario,
    folder: tempfile::TempDir,
}

impl SetBack {
    async fn start() -> Result<Self> {
        let mut scenario = Scenario::start().await?;
        scenario.insert("shop", "orders", [doc! { "_id": 1 }]).await?;
        scenario.begin_archiving().await?;
        scenario.archived_moment().await?;
        scenario.stop_archiving().await?;
        let folder = testkit::mongod::temp_folder("older-copy")?;
        scenario.source.stop(0).await?;
        copy(&scenario.source.files(0), folder.path())?;
        scenario.source.restart(0).await?;
        scenario.start_sidecar()?;
        scenario.insert("shop", "orders", [doc! { "_id": 2, "only": "in the archive" }]).await?;
        scenario.archived_moment().await?;
        Ok(Self { scenario, folder })
    }

    /// Puts the copy in the place of the files.
    async fn set_back(&self) -> Result<()> {
        self.scenario.source.kill(0)?;
        self.scenario.source.wipe(0)?;
        copy(self.folder.path(), &self.scenario.source.files(0))?;
        self.scenario.source.restart(0).await
    }

    /// Every object but what leases and candidates leave behind; what was being written for them when a process ended is
    /// no object.
    fn immutable(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let all = self.scenario.archive.contents("")?;
        let is_kept = |key: &str| !key.contains("/control/") && !key.starts_with(".tmp/");
        Ok(all.into_iter().filter(|(key, _)| is_kept(key)).collect())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_that_was_set_back_to_an_older_copy_of_its_files_is_refused_and_nothing_is_written() -> Result<()> {
    let mut set = SetBack::start().await?;
    set.scenario.stop_archiving().await?;
    let before = set.immutable()?;
    set.set_back().await?;
    set.scenario.insert("shop", "orders", [doc! { "_id": 3, "newer": "than the end of the archive" }]).await?;
    set.scenario.now().await?;
    for arguments in [set.scenario.run_arguments(), set.scenario.sidecar_arguments("snapshot")] {
        let refused = tokio::time::timeout(LIMIT, processes::sidecar(&arguments)).await.context("it goes on")??;
        ensure!(refused.exit_code == 5, "{arguments:?}: {refused:?}");
        let said = format!("{}{}", refused.stdout, refused.stderr);
        ensure!(said.contains("tell different histories"), "{said}");
    }
    let after = set.immutable()?;
    let written: Vec<&String> = after.iter().filter(|object| !before.contains(object)).map(|(key, _)| key).collect();
    ensure!(after == before, "{written:?} were written; there were {} objects", before.len());
    set.scenario.cli_ok(&["verify", "--level", "decode"]).await?;
    let restored = set.scenario.restore("latest").await?;
    let orders = restored.client().database("shop").collection::<mongodb::bson::Document>("orders");
    ensure!(orders.count_documents(doc! { "_id": 2 }).await? == 1, "what was archived is there");
    ensure!(orders.count_documents(doc! { "_id": 3 }).await? == 0, "what came after the break is not");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_that_archives_a_server_which_is_set_back_ends_instead_of_going_on() -> Result<()> {
    let mut set = SetBack::start().await?;
    let before = set.immutable()?;
    set.set_back().await?;
    set.scenario.insert("shop", "orders", [doc! { "_id": 3 }]).await?;
    set.scenario.now().await?;
    let mut sidecar = set.scenario.take_sidecar()?;
    let status = sidecar.wait(LIMIT).await?;
    ensure!(status.code() == Some(5), "{status}: {}", sidecar.log());
    ensure!(sidecar.log().contains("tell different histories"), "{}", sidecar.log());
    // It may have cut what was open before.
    let after = set.immutable()?;
    ensure!(after.starts_with(&before) || before.iter().all(|object| after.contains(object)));
    set.scenario.cli_ok(&["verify", "--level", "decode"]).await.map(|_| ())
}
