//! Places that Terraform makes: nothing that a run made is forgotten, and nothing that it did not make is touched.

#[path = "lost.rs"]
mod lost;

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use archive::layout::ObjectKey;
use e2e::{Made, Scenario, destination, made, scenario};
use mongodb::bson::doc;
use serde_json::Value;

use super::drills::{reasons, referenced, send};

const PAGE: &str = include_str!("../../../docs/cli-json.md");

fn orders(count: i32) -> impl Iterator<Item = mongodb::bson::Document> {
    (0..count).map(|id| doc! { "_id": id, "text": "x".repeat(300) })
}

/// An archive of a small set.
async fn archived(count: i32) -> Result<Scenario> {
    let mut scenario = Scenario::start().await?;
    for from in (0..count).step_by(10_000) {
        scenario.insert("shop", "orders", orders(count).skip(from.try_into()?).take(10_000)).await?;
    }
    scenario.begin_archiving().await?;
    scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    Ok(scenario)
}

fn is_documented(object: &Value) -> Result<()> {
    for field in object.as_object().context("an object")?.keys() {
        ensure!(
            PAGE.contains(&format!("`{field}`")) || PAGE.contains(&format!("`{field}[]`")),
            "`{field}` is not on the page"
        );
    }
    Ok(())
}

fn phases(report: &Value) -> Vec<&str> {
    report["phases"].as_array().into_iter().flatten().filter_map(|phase| phase["name"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_makes_its_place_proves_the_restore_and_destroys_the_place() -> Result<()> {
    let (scenario, made) = (referenced().await?, Made::new()?);
    let more = ["--rto", "10m", "--rpo", "1h"];
    let arguments = made.arguments("drill", &scenario.archive, &["api_token=hunter22-hunter"], &more)?;
    let done = made.run(&arguments).await?;
    ensure!(done.exit_code == 0, "{done:?}");
    ensure!(made.left()?.is_empty(), "{:?}", made.left()?);
    // Terraform's words go to people, secrets to nobody.
    ensure!(done.stderr.contains("Apply complete!") && done.stderr.contains("token is ***"), "{}", done.stderr);
    ensure!(!done.stderr.contains("hunter22") && !done.stdout.contains("hunter22"), "{done:?}");
    let drilled = done.json()?;
    is_documented(&drilled)?;
    is_documented(&drilled["terraform"])?;
    ensure!(drilled["verdict"] == "PASS", "{drilled}");
    let report = &drilled["report"];
    ensure!(report["kind"] == "full" && report["clean_up"]["outcome"] == "passed", "{report}");
    ensure!(report["tools"]["terraform"]["version"].as_str().is_some_and(|version| version.contains('.')), "{report}");
    let digest = &report["tools"]["terraform"]["plan_digest"];
    ensure!(digest.is_string() && *digest == drilled["terraform"]["plan_sha256"], "{drilled}");
    let names = phases(report);
    let expected =
        ["terraform init", "terraform plan", "terraform apply", "wait for destination", "restore", "terraform destroy"];
    let places: Vec<_> = expected.iter().map(|one| names.iter().position(|name| name == one)).collect();
    ensure!(places.iter().all(Option::is_some) && places.is_sorted(), "{names:?}");
    let made_in: u64 = report["phases"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|phase| phase["name"].as_str().is_some_and(|name| name.starts_with("terraform a")))
        .filter_map(|phase| phase["milliseconds"].as_u64())
        .sum();
    let recovery = report["recovery_time_objective"]["actual_seconds"].as_u64().context("a recovery time")?;
    ensure!(recovery * 1_000 >= made_in, "making the place is part of the recovery: {report}");
    ensure!(drilled["terraform"]["created"] == 4 && drilled["terraform"]["phase"] == "destroyed", "{drilled}");
    ensure!(
        drilled["terraform"]["remains"] == serde_json::json!([]) && drilled["terraform"]["clean_up"].is_null(),
        "{drilled}"
    );
    // The record is all that stays.
    let files: Vec<_> = std::fs::read_dir(&made.runs()?[0])?.flatten().map(|entry| entry.file_name()).collect();
    ensure!(files == ["run.json"] && made.record()?["phase"] == "destroyed", "{files:?}");
    let again = made
        .follow(
            &format!(
                "dr-cli drill --terraform {} --clean-up {}",
                made::root("mongod").display(),
                made.runs()?[0].display()
            ),
            0,
        )
        .await?;
    ensure!(again["terraform"]["phase"] == "destroyed", "{again}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_apply_that_fails_half_way_is_destroyed_or_listed_with_the_command_that_removes_it() -> Result<()> {
    let (scenario, made) = (archived(100).await?, Made::new()?);
    let archive = &scenario.archive;
    let destroyed = made.ends(&made.arguments("drill", archive, &["fails=true"], &[])?, 1).await?;
    ensure!(made.left()?.is_empty(), "{:?}", made.left()?);
    ensure!(
        destroyed["verdict"] == "FAIL" && reasons(&destroyed).contains("terraform apply did not finish"),
        "{destroyed}"
    );
    ensure!(destroyed["report"]["clean_up"]["outcome"] == "passed", "{destroyed}");
    let text = destroyed.to_string();
    ensure!(text.contains("boom mongodb://u:***@h/") && !text.contains("pass-word"), "{text}");

    let kept = made.ends(&made.arguments("drill", archive, &["fails=true"], &["--keep"])?, 1).await?;
    ensure!(made.servers()?.len() == 1, "{:?}", made.left()?);
    let remains = kept["terraform"]["remains"].to_string();
    for address in ["terraform_data.place", "terraform_data.server", "terraform_data.last"] {
        ensure!(
            remains.contains(address) && kept["error"]["cause"].as_str().is_some_and(|cause| cause.contains(address)),
            "{address}: {kept}"
        );
    }
    let command = kept["terraform"]["clean_up"].as_str().context("a command")?;
    ensure!(kept["error"]["next"].as_str().is_some_and(|next| next.contains(command)), "{kept}");
    // The next drill says so, too.
    let next = made.ends(&made.arguments("drill", archive, &["fails=true"], &[])?, 1).await?;
    ensure!(next["report"]["warnings"].to_string().contains(command), "{next}");
    let cleaned = made.clean_up(&kept, 0).await?;
    ensure!(cleaned["terraform"]["remains"] == serde_json::json!([]) && made.left()?.is_empty(), "{cleaned}");

    let stays = made.ends(&made.arguments("restore", archive, &["fails=true"], &["--to", "latest"])?, 1).await?;
    ensure!(
        made.servers()?.len() == 1 && stays["terraform"]["remains"].as_array().is_some_and(|all| !all.is_empty()),
        "{stays}"
    );
    made.clean_up(&stays, 0).await?;
    ensure!(made.left()?.is_empty(), "{:?}", made.left()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_is_interrupted_while_terraform_works_goes_on_where_it_stopped() -> Result<()> {
    let (scenario, made) = (archived(100).await?, Made::new()?);
    let moment = scenario.moment().await?;
    let arguments = made.arguments("restore", &scenario.archive, &["slow=60"], &["--to", "latest"])?;
    let mut restore = made.start(&arguments)?;
    made.wait_until_said("terraform_data.last: Provisioning").await?;
    send(&restore, "INT")?;
    let status = tokio::time::timeout(Duration::from_secs(30), restore.wait()).await??;
    ensure!(status.code() == Some(130), "{status}: {}", made.said("stderr")?);
    let stopped: Value = serde_json::from_str(&made.said("stdout")?)?;
    ensure!(stopped["error"]["kind"] == "cancelled" && made.servers()?.len() == 1, "{stopped}");
    ensure!(stopped["terraform"]["remains"].to_string().contains("terraform_data.server"), "{stopped}");
    ensure!(
        made.record()?["created"].as_object().is_some_and(|created| created.contains_key("terraform_data.server")),
        "{stopped}"
    );
    let next = stopped["error"]["next"].as_str().context("a command")?;
    ensure!(next.contains("--resume") && next.contains("--clean-up"), "{next}");

    // What Terraform was at is made anew; the variables are those of the run. The set that was made stays.
    let servers = made.servers()?;
    let run = stopped["terraform"]["run_dir"].as_str().context("a folder")?.to_owned();
    let mut resumed = made.on_root("restore", "mongod");
    resumed.extend(["--archive", &scenario.archive.url(), "--to", "latest", "--resume", &run].map(str::to_owned));
    edit_arguments(&run, "slow=60", "slow=0")?;
    let restored = made.ends(&resumed, 0).await?;
    ensure!(made.servers()? == servers, "the same set");
    ensure!(restored["counts"]["documents"] == 100, "{restored}");
    ensure!(restored["terraform"]["phase"] == "restored", "{restored}");
    is_documented(&restored)?;
    drop(moment);
    // Finished: nothing to go on with, and everything can be removed.
    made.ends(&resumed, 9).await?;
    made.clean_up(&restored, 0).await?;
    ensure!(made.left()?.is_empty(), "{:?}", made.left()?);
    made.ends(&resumed, 2).await?;
    Ok(())
}

/// The run keeps what it was told; a test need not wait for minutes.
fn edit_arguments(run: &str, from: &str, to: &str) -> Result<()> {
    let path = std::path::Path::new(run).join("arguments.json");
    let text = std::fs::read_to_string(&path)?;
    ensure!(text.contains(from), "{from} is not in {text}");
    std::fs::write(&path, text.replace(from, to))?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_that_is_killed_or_interrupted_at_any_step_is_cleaned_up_without_leftovers() -> Result<()> {
    let (scenario, archive_of_many) = (archived(10).await?, archived(60_000).await?);
    let steps = [
        ("terraform_data.server: Provisioning", "slow=0"),
        ("terraform_data.last: Provisioning", "slow=3"),
        ("load: ", "slow=0"),
        ("terraform_data.place: Provisioning", "slow_destroy=3"),
    ];
    for (said, variable) in steps {
        for signal in ["KILL", "INT"] {
            let made = Made::new()?;
            let archive = if said == "load: " { &archive_of_many.archive } else { &scenario.archive };
            let mut drill = made.start(&made.arguments("drill", archive, &[variable], &[])?)?;
            if said == "load: " {
                made.wait_for("a restore", || Ok(made.record().is_ok_and(|record| record["phase"] == "restoring")))
                    .await?;
            } else if variable.starts_with("slow_destroy") {
                made.wait_until_said("terraform_data.place: Provisioning").await?;
            } else {
                made.wait_until_said(said).await?;
            }
            send(&drill, signal)?;
            let status = tokio::time::timeout(Duration::from_mins(1), drill.wait()).await??;
            ensure!(
                status.code() == (signal == "INT").then_some(130),
                "{said}, {signal}: {status}: {}",
                made.said("stderr")?
            );
            let run = made.runs()?;
            ensure!(run.len() == 1, "{run:?}");
            let command =
                format!("dr-cli drill --terraform {} --clean-up {}", made::root("mongod").display(), run[0].display());
            if signal == "INT" {
                let stopped: Value = serde_json::from_str(&made.said("stdout")?)?;
                ensure!(stopped["terraform"]["clean_up"] == command, "{said}: {stopped}");
            }
            let cleaned = made.follow(&command, 0).await?;
            ensure!(cleaned["terraform"]["remains"] == serde_json::json!([]), "{said}, {signal}: {cleaned}");
            ensure!(made.left()?.is_empty(), "{said}, {signal}: {:?}", made.left()?);
        }
    }
    let reports = scenario.archive.keys(|key| matches!(key, ObjectKey::Drill { .. }))?;
    ensure!(reports.is_empty(), "a drill that was cancelled leaves no report: {reports:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_a_place_for_a_restore_is_refused_and_nothing_of_it_stays() -> Result<()> {
    let (scenario, made) = (archived(10).await?, Made::new()?);
    let archive = &scenario.archive;
    // `other`: an option with another value.
    let refused = async |variables: &[&str], other: &[&str], exit_code: i32, part: &str| -> Result<Value> {
        let mut arguments = made.arguments("drill", archive, variables, &[])?;
        if let [option, value] = other {
            let at = arguments.iter().position(|one| one == option).context("the option is given")?;
            arguments[at + 1] = (*value).to_owned();
        }
        let object = made.ends(&arguments, exit_code).await?;
        ensure!(object["error"].to_string().contains(part), "{part}: {object}");
        ensure!(made.left()?.is_empty(), "{part}: {:?}", made.left()?);
        for field in ["what", "where", "cause", "next"] {
            ensure!(object["error"][field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {object}");
        }
        Ok(object)
    };
    refused(&["schema_version=2"], &[], 2, "schema_version 2").await?;
    refused(&["nothing=1"], &[], 2, "nothing").await?;
    refused(&[], &["--terraform-bin", "/nowhere/terraform"], 2, "there is no /nowhere/terraform").await?;
    refused(&[], &["--terraform-bin", "/bin/true"], 2, "which version").await?;
    let old = made.path("old-terraform");
    std::fs::write(&old, "#!/bin/sh\necho '{\"terraform_version\": \"1.9.8\"}'\n")?;
    std::fs::set_permissions(&old, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    refused(&[], &["--terraform-bin", &old.display().to_string()], 2, "version 1.9.8").await?;
    let empty = made.path("empty");
    std::fs::create_dir(&empty)?;
    refused(&[], &["--terraform", &empty.display().to_string()], 2, "no Terraform in that folder").await?;
    refused(&[], &["--terraform", "/nowhere"], 2, "--terraform cannot be used").await?;
    ensure!(made.runs()?.is_empty(), "nothing was made, and no run is kept: {:?}", made.runs()?);
    // These show only when the place is there: it is destroyed again.
    let late = refused(&["schema_version=2", "is_late=true"], &[], 2, "schema_version 2").await?;
    ensure!(late["terraform"]["phase"] == "destroyed", "{late}");
    let used = refused(&["is_used=true"], &[], 9, "the destination is not empty").await?;
    ensure!(used["terraform"]["phase"] == "destroyed" && used["terraform"]["created"] == 4, "{used}");
    let reports = archive.keys(|key| matches!(key, ObjectKey::Drill { .. }))?;
    ensure!(reports.is_empty(), "what was refused leaves no report: {reports:?}");
    let mut without_yes = made.arguments("drill", archive, &[], &[])?;
    without_yes.retain(|argument| argument != "--yes");
    let asked = made.ends(&without_yes, 2).await?;
    ensure!(asked["error"].to_string().contains("--yes"), "{asked}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_of_somebody_is_neither_used_nor_waited_for_nor_destroyed() -> Result<()> {
    let (scenario, made, set) = (archived(10).await?, Made::new()?, destination().await?);
    let (root, state) = (made::root("shared"), made.path("shared.tfstate"));
    let path = format!("path={}", state.display());
    let uri = format!("destination_uri={}", set.uri());
    let mut restore = made.on_root("restore", "shared");
    let more = ["--archive", &scenario.archive.url(), "--to", "latest", "--var", &uri, "--backend-config", &path];
    restore.extend(more.map(str::to_owned));
    let terraform = |arguments: &[&str]| made.terraform("other", &root).args(arguments).status();
    ensure!(terraform(&["init", &format!("-backend-config={path}")])?.success());

    // Somebody holds the lock of the state.
    let mut holder = made.terraform("other", &root);
    let mut holder = holder
        .args(["apply", "-auto-approve", "-var=slow=60", &format!("-var={uri}")])
        .stderr(Stdio::null())
        .spawn()?;
    let lock = made.path(".shared.tfstate.lock.info");
    made.wait_for("a lock", || Ok(lock.exists())).await?;
    let locked = made.ends(&restore, 7).await;
    holder.kill()?;
    holder.wait()?;
    let locked = locked?;
    let id: Value = serde_json::from_slice(&std::fs::read(&lock)?)?;
    let id = id["ID"].as_str().context("an id")?;
    ensure!(
        locked["error"]["next"].as_str().is_some_and(|next| next.contains(&format!("force-unlock {id}"))),
        "{locked}"
    );
    for file in [&lock, &state] {
        std::fs::remove_file(file).ok();
    }

    // Their resource stands in it.
    ensure!(terraform(&["apply", "-auto-approve", &format!("-var={uri}")])?.success());
    let before = std::fs::read(&state)?;
    let used = made.ends(&restore, 9).await?;
    ensure!(used["error"].to_string().contains("terraform_data.place"), "{used}");
    ensure!(std::fs::read(&state)? == before && made.runs()?.is_empty(), "nothing was changed");

    // They add one to a state that was ours.
    ensure!(terraform(&["destroy", "-auto-approve", &format!("-var={uri}")])?.success());
    let restored = made.ends(&restore, 0).await?;
    ensure!(restored["terraform"]["state"] == "local" && restored["counts"]["documents"] == 10, "{restored}");
    ensure!(terraform(&["apply", "-auto-approve", "-var=extra=true", &format!("-var={uri}")])?.success());
    let before = std::fs::read(&state)?;
    let foreign = made.clean_up(&restored, 9).await?;
    ensure!(
        foreign["error"]["cause"].as_str().is_some_and(|cause| cause.contains("terraform_data.extra[0]")),
        "{foreign}"
    );
    ensure!(std::fs::read(&state)? == before, "nothing was destroyed");
    ensure!(terraform(&["state", "rm", "terraform_data.extra"])?.success());
    made.clean_up(&restored, 0).await?;
    let state = scenario::moment_of(&set.client()).await?;
    ensure!(state.state.documents() == 10, "what was given to Terraform is not ours to drop");
    Ok(())
}
