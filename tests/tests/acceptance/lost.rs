//! What an apply made and its state does not hold: it is listed until somebody has looked, and nothing of somebody else is taken for it.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use e2e::{Made, destination, made};
use serde_json::{Value, json};

use super::{archived, edit_arguments};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_terraform_had_begun_is_listed_when_the_rest_is_destroyed() -> Result<()> {
    let (scenario, made) = (archived(10).await?, Made::new()?);
    let mut drill = made.start(&made.arguments("drill", &scenario.archive, &["slow=20"], &[])?)?;
    made.wait_until_said("terraform_data.last: Provisioning").await?;
    made.kill_terraform("apply.tfplan")?;
    let status = tokio::time::timeout(Duration::from_mins(1), drill.wait()).await??;
    ensure!(status.code() == Some(1), "{status}: {}", made.said("stderr")?);
    ensure!(made.left()?.is_empty(), "what the state holds is destroyed: {:?}", made.left()?);
    let drilled: Value = serde_json::from_str(&made.said("stdout")?)?;
    ensure!(drilled["terraform"]["may_exist"] == json!(["terraform_data.last"]), "{drilled}");
    let clean_up = &drilled["report"]["clean_up"];
    ensure!(
        clean_up["outcome"] == "failed" && clean_up["leftovers"] == json!(["terraform_data.last (perhaps)"]),
        "{drilled}"
    );
    // However often it is cleaned up: nobody has looked.
    for _ in 0..2 {
        let cleaned = made.clean_up(&drilled, 10).await?;
        ensure!(cleaned["terraform"]["may_exist"] == json!(["terraform_data.last"]), "{cleaned}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_terraform_had_begun_stays_listed_when_the_restore_is_gone_on_with() -> Result<()> {
    let (scenario, made) = (archived(10).await?, Made::new()?);
    let to = ["--to", "latest"];
    let mut restore = made.start(&made.arguments("restore", &scenario.archive, &["slow=20"], &to)?)?;
    made.wait_until_said("terraform_data.last: Provisioning").await?;
    made.kill_terraform("apply.tfplan")?;
    let status = tokio::time::timeout(Duration::from_mins(1), restore.wait()).await??;
    ensure!(status.code() == Some(1), "{status}: {}", made.said("stderr")?);
    let stopped: Value = serde_json::from_str(&made.said("stdout")?)?;
    ensure!(stopped["terraform"]["may_exist"] == json!(["terraform_data.last"]), "{stopped}");
    // The next apply makes another one at the same address.
    let run = stopped["terraform"]["run_dir"].as_str().context("a folder")?;
    edit_arguments(run, "slow=20", "slow=0")?;
    let mut resumed = made.on_root("restore", "mongod");
    resumed
        .extend(["--archive", &scenario.archive.url(), "--resume", run].iter().chain(&to).map(|&one| one.to_owned()));
    let restored = made.ends(&resumed, 0).await?;
    ensure!(restored["terraform"]["may_exist"] == json!(["terraform_data.last"]), "{restored}");
    let cleaned = made.clean_up(&restored, 10).await?;
    ensure!(cleaned["terraform"]["may_exist"] == json!(["terraform_data.last"]), "{cleaned}");
    ensure!(made.left()?.is_empty(), "{:?}", made.left()?);
    Ok(())
}

/// Where a state is kept: what it holds, and what goes wrong there.
#[derive(Default)]
struct Keeping {
    state: Option<Bytes>,
    takes_another: bool,
    /// So many reads fail after a state was written.
    fails_after_write: usize,
    failing_reads: usize,
}

type Kept = Arc<Mutex<Keeping>>;

/// Its address, and what it does.
async fn keeper(keeping: Keeping) -> Result<(String, Kept)> {
    let kept = Arc::new(Mutex::new(keeping));
    let read = async |State(kept): State<Kept>| {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.failing_reads > 0 {
            kept.failing_reads -= 1;
            return (StatusCode::SERVICE_UNAVAILABLE, Bytes::new());
        }
        kept.state.clone().map_or((StatusCode::NOT_FOUND, Bytes::new()), |state| (StatusCode::OK, state))
    };
    let write = async |State(kept): State<Kept>, state: Bytes| {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.takes_another {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        (kept.state, kept.failing_reads) = (Some(state), std::mem::take(&mut kept.fails_after_write));
        StatusCode::OK
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}/state", listener.local_addr()?);
    let router = Router::new().route("/state", get(read).post(write)).with_state(Arc::clone(&kept));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((address, kept))
}

/// A drill on the root whose state is kept at `address`.
fn kept_remotely(made: &Made, archive: &str, address: &str) -> Vec<String> {
    let mut drill = made.on_root("drill", "remote");
    let (folder, address) = (format!("folder={}", made.path("places").display()), format!("address={address}"));
    let more =
        ["--archive", archive, "--var", &folder, "--backend-config", &address, "--backend-config", "retry_max=0"];
    drill.extend(more.map(str::to_owned));
    drill
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_could_not_be_written_is_kept_and_brought_there_by_the_clean_up() -> Result<()> {
    let (scenario, made, (address, kept)) = (archived(10).await?, Made::new()?, keeper(Keeping::default()).await?);
    let failed = made.ends(&kept_remotely(&made, &scenario.archive.url(), &address), 1).await?;
    ensure!(made.left()?.len() == 1, "Terraform made a place: {:?}", made.left()?);
    ensure!(failed["terraform"]["may_exist"] == json!(["terraform_data.place"]), "{failed}");
    ensure!(failed["report"]["clean_up"]["outcome"] == "failed" && failed["verdict"] == "FAIL", "{failed}");
    ensure!(!made::root("remote").join("errored.tfstate").exists(), "the next run would overwrite it");
    let unsaved = made.runs()?[0].join("errored.tfstate");
    ensure!(std::fs::metadata(&unsaved)?.permissions().mode() & 0o777 == 0o600, "states hold secrets");

    let command = failed["terraform"]["clean_up"].as_str().context("a command")?;
    made.follow(command, 1).await?;
    ensure!(made.left()?.len() == 1 && unsaved.is_file(), "{:?}", made.left()?);

    kept.lock().unwrap_or_else(PoisonError::into_inner).takes_another = true;
    let cleaned = made.follow(command, 0).await?;
    ensure!(made.left()?.is_empty(), "{:?}", made.left()?);
    ensure!(
        cleaned["terraform"]["may_exist"] == json!([]) && cleaned["terraform"]["phase"] == "destroyed",
        "{cleaned}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_could_not_be_read_after_the_apply_is_read_before_anything_is_called_destroyed() -> Result<()> {
    let (scenario, made) = (archived(10).await?, Made::new()?);
    let (address, _kept) = keeper(Keeping { takes_another: true, fails_after_write: 1, ..Keeping::default() }).await?;
    let failed = made.ends(&kept_remotely(&made, &scenario.archive.url(), &address), 1).await?;
    ensure!(failed["verdict_reasons"].to_string().contains("terraform apply did not finish"), "{failed}");
    ensure!(made.left()?.is_empty(), "{:?}: {failed}", made.left()?);
    ensure!(failed["terraform"]["phase"] == "destroyed" && failed["terraform"]["created"] == 1, "{failed}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_made_in_the_same_state_meanwhile_is_not_destroyed() -> Result<()> {
    let (scenario, made, set) = (archived(10).await?, Made::new()?, destination().await?);
    let (root, state) = (made::root("shared"), made.path("shared.tfstate"));
    let (path, uri) = (format!("path={}", state.display()), format!("destination_uri={}", set.uri()));
    ensure!(made.terraform("other", &root).args(["init", &format!("-backend-config={path}")]).status()?.success());
    // Between the plan of the drill and its apply they apply theirs.
    let theirs = made.terraform_line("other", &root, &["apply", "-auto-approve", &format!("-var={uri}")]);
    let terraform = made.terraform_after(&theirs)?;
    let mut drill = made.on_root("drill", "shared");
    let at = drill.iter().position(|one| one == "--terraform-bin").context("the option is given")?;
    drill[at + 1] = terraform.display().to_string();
    let archive = scenario.archive.url();
    drill.extend(["--archive", &archive, "--var", &uri, "--backend-config", &path].map(str::to_owned));
    let refused = made.run(&drill).await?;
    ensure!(refused.exit_code == 1, "{refused:?}");
    let refused = refused.json()?;
    ensure!(refused.to_string().contains("stale"), "{refused}");
    ensure!(refused["terraform"]["remains"] == json!([]) && refused["terraform"]["created"] == 0, "{refused}");
    let state: Value = serde_json::from_slice(&std::fs::read(&state)?)?;
    ensure!(state["resources"].as_array().is_some_and(|all| all.len() == 1), "theirs is still there: {state}");
    Ok(())
}
