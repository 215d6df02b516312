//! A restored cluster is another history: it never continues the one that it came from.

use anyhow::{Context, Result, ensure};
use e2e::{ArchiveFolder, Scenario};
use mongodb::bson::doc;
use testkit::processes;

/// Case 46.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_cluster_opens_a_lineage_of_its_own_and_leaves_the_old_one_alone() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", [doc! { "_id": 1 }]).await?;
    scenario.begin_archiving().await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let restored = scenario.assert_restores(&moment).await?;
    let old = scenario.status().await?["id"].as_str().context("the id of a lineage")?.to_owned();
    let before = scenario.archive.contents(&old)?;
    let files_before = scenario.archive.files()?;

    let own_archive = std::mem::replace(&mut scenario.archive, ArchiveFolder::new()?);
    let mut second = Scenario::of(restored.set)?;
    second.archive = own_archive;
    for arguments in [second.run_arguments(), second.sidecar_arguments("snapshot")] {
        let refused = processes::sidecar(&arguments).await?;
        ensure!(refused.exit_code == 9, "{arguments:?}: {refused:?}");
        let said = format!("{}{}", refused.stdout, refused.stderr);
        ensure!(said.contains("--new-lineage") && said.contains(&old), "{said}");
    }
    ensure!(second.archive.files()? == files_before, "the refused sidecar wrote into the archive");

    second.flags = vec!["--new-lineage".to_owned()];
    second.begin_archiving().await.context("with --new-lineage")?;
    second.insert("shop", "orders", [doc! { "_id": 2 }]).await?;
    let later = second.archived_moment().await?;
    second.stop_archiving().await?;
    ensure!(second.archive.contents(&old)? == before, "the old lineage changed");
    let status = second.status().await?;
    ensure!(status["parent"].to_string().contains(&old), "the parent is recorded: {status}");
    ensure!(status["parent"].to_string().contains(&moment.at.to_string()), "and when it left it: {status}");

    // Two lineages: the one to restore from has to be named.
    let new = status["id"].as_str().context("the id of the new lineage")?;
    let ambiguous = second.cli(&["plan", "--to", "latest"]).await?;
    ensure!(ambiguous.exit_code == 2 && ambiguous.stdout.contains("--lineage"), "{ambiguous:?}");
    let set = e2e::destination().await?;
    let (at, uri) = (later.at.to_string(), set.uri());
    let arguments = ["--lineage", new, "restore", "--to", &at, "--destination", &uri, "--yes"];
    second.cli_ok(&arguments).await?;
    let state = testkit::capture(&set.client(), None, testkit::Detail::Documents).await?;
    ensure!(later.state.diff(&state).is_empty(), "{:#?}", later.state.diff(&state));
    Ok(())
}

/// Another cluster's sidecar is refused at an archive that it has no business with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_archive_of_another_cluster_is_refused() -> Result<()> {
    let (mut first, second) = tokio::try_join!(Scenario::start(), Scenario::start())?;
    first.begin_archiving().await?;
    first.stop_archiving().await?;
    let files = first.archive.files()?;
    let mut arguments = second.sidecar_arguments("snapshot");
    let place = arguments.iter().position(|argument| *argument == second.archive.url()).context("the archive")?;
    arguments[place] = first.archive.url();
    let refused = processes::sidecar(arguments).await?;
    ensure!(refused.exit_code == 9, "{refused:?}");
    ensure!(first.archive.files()? == files);
    Ok(())
}
