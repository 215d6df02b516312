//! Arguments and places that cannot be used.

use std::os::unix::fs::PermissionsExt;

use anyhow::{Result, ensure};
use e2e::{ArchiveFolder, Scenario};
use testkit::processes::{self, Finished};
use testkit::{ReplicaSet, S3Server, Standalone};

const NOBODY: &str = "mongodb://127.0.0.1:1/?replicaSet=none&serverSelectionTimeoutMS=500";

fn assert_error(done: &Finished, exit_code: i32, says: &[&str]) -> Result<()> {
    let said = format!("{}{}", done.stdout, done.stderr);
    ensure!(done.exit_code == exit_code, "exit {} instead of {exit_code}: {said}", done.exit_code);
    for text in says {
        ensure!(said.contains(text), "`{text}` is not said: {said}");
    }
    ensure!(!said.contains("panicked"), "{said}");
    Ok(())
}

async fn sidecar(command: &str, uri: &str, archive: &str) -> Result<Finished> {
    processes::sidecar([command, "--uri", uri, "--archive", archive]).await
}

#[tokio::test]
async fn unusable_archive_urls_are_refused_by_both_programs() -> Result<()> {
    let set = ReplicaSet::single().await?;
    for (url, says) in
        [("ftp://host/path", "file"), ("/no/scheme", "file"), ("file://relative/path", "file"), ("", "archive")]
    {
        for command in ["run", "snapshot", "check"] {
            assert_error(&sidecar(command, &set.uri(), url).await?, 2, &[says])?;
        }
        let done = processes::dr_cli(["--archive", url, "status", "--json"]).await?;
        assert_error(&done, 2, &[says])?;
        ensure!(done.json()?["exit_code"] == 2);
    }
    Ok(())
}

#[tokio::test]
async fn a_missing_or_unwritable_folder_is_named() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let missing = "file:///nonexistent-root-of-tidemark/archive";
    let done = processes::dr_cli(["--archive", missing, "list", "--json"]).await?;
    assert_error(&done, 8, &["/nonexistent-root-of-tidemark"])?;
    // A file where a folder should be: nobody can write there, root neither.
    let folder = ArchiveFolder::new()?;
    folder.write("file", b"not a folder")?;
    let url = format!("{}/file", folder.url());
    for command in ["snapshot", "check"] {
        let done = sidecar(command, &set.uri(), &url).await?;
        ensure!(matches!(done.exit_code, 1 | 2 | 8), "{done:?}");
        assert_error(&done, done.exit_code, &["/file"])?;
    }
    // Root may write everywhere: this half says something for everybody else.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o555))?;
    let done = sidecar("snapshot", &set.uri(), &folder.url()).await?;
    let may_write_everywhere = done.exit_code == 0;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    if !may_write_everywhere {
        assert_error(&done, 8, &[&folder.path().display().to_string()])?;
    }
    Ok(())
}

#[tokio::test]
async fn a_doctor_tells_a_wrong_key_and_a_wrong_host_apart() -> Result<()> {
    let server = S3Server::start().await?;
    server.create_bucket("backups").await?;
    let wrong = ArchiveFolder::new()?;
    let key = "not-the-secret-key";
    let credentials = format!("[default]\naws_access_key_id = tidemark\naws_secret_access_key = {key}\n");
    wrong.write("credentials", credentials.as_bytes())?;
    let file = wrong.path().join("credentials");
    let url = server
        .url("backups", "rs0")
        .replace(&server.credentials_file().display().to_string(), &file.display().to_string());
    let doctor = async |url: &str| processes::dr_cli(["--archive", url, "doctor", "--json"]).await;
    let done = doctor(&url).await?;
    assert_error(&done, 8, &["secret key is wrong", "check permissions of the archive"])?;
    for misleading in ["enough to restore", "it is down", key] {
        ensure!(!format!("{}{}", done.stdout, done.stderr).contains(misleading), "{done:?}");
    }
    let nowhere = server.url_at("http://store.invalid:9000", "backups", "rs0");
    assert_error(
        &doctor(&nowhere).await?,
        8,
        &["host name of the store is not known", "`endpoint`", "the store does not answer"],
    )?;
    Ok(())
}

#[tokio::test]
async fn servers_that_cannot_be_backed_up_are_refused_with_the_reason() -> Result<()> {
    let archive = ArchiveFolder::new()?;
    let standalone = Standalone::start().await?;
    for command in ["snapshot", "run"] {
        assert_error(&sidecar(command, &standalone.uri(), &archive.url()).await?, 2, &["standalone"])?;
    }
    assert_error(&sidecar("snapshot", "mongo://host", &archive.url()).await?, 2, &["mongodb://"])?;
    assert_error(&sidecar("snapshot", NOBODY, &archive.url()).await?, 8, &["127.0.0.1:1"])?;
    ensure!(archive.files()?.is_empty(), "a refused sidecar wrote {:?}", archive.files()?);

    let mut scenario = Scenario::start().await?;
    scenario.begin_archiving().await?;
    scenario.stop_archiving().await?;
    for (uri, exit_code) in [(standalone.uri(), 2), (NOBODY.to_owned(), 8), ("mongo://host".to_owned(), 2)] {
        let done = scenario.cli(&["restore", "--to", "latest", "--destination", &uri, "--yes"]).await?;
        assert_error(&done, exit_code, &[])?;
        ensure!(done.json()?["error"]["next"].as_str().is_some_and(|next| !next.is_empty()), "{done:?}");
    }
    Ok(())
}

#[tokio::test]
async fn all_mistakes_of_a_configuration_are_told_at_once() -> Result<()> {
    let done =
        processes::sidecar(["run", "--slice-span", "soon", "--scan-parallelism", "0", "--listen", "here"]).await?;
    assert_error(&done, 2, &["uri", "archive", "slice_span", "scan_parallelism", "listen"])?;
    let done = processes::dr_cli(["restore", "--json"]).await?;
    assert_error(&done, 2, &[])?;
    ensure!(done.json()?["exit_code"] == 2, "{done:?}");
    let unknown = processes::dr_cli(["frobnicate", "--json"]).await?;
    assert_error(&unknown, 2, &["frobnicate"])
}
