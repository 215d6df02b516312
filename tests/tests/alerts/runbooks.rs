//! What the runbooks say to type is typed here, beside a live set: commands do not rot.
//!
//! `alerts/test_runbooks.py` shows that our binaries take every command; this shows that they, `curl` and what stands behind
//! them find what the page is about. Commands that need a shell of the server or a cluster are left out and counted.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use archive::encryption::Identities;
use e2e::monitoring::{NodeAgent, Site, Watch, repository};
use testkit::mongod::temp_folder;
use testkit::processes;

/// Nothing of this kind is here.
const ELSEWHERE: [&str; 2] = ["kubectl", "mongosh"];
/// The command line was not understood, or there is no such program.
const WRONG: [i32; 3] = [2, 126, 127];
/// Commands that the pages have at least.
const FEWEST: usize = 25;

/// Runs each command of a Diagnosis that can be run here; `site` archives and has been drilled.
pub async fn commands_work(site: &Site, agent: &NodeAgent, watch: &Watch) -> Result<()> {
    let folder = temp_folder("runbooks")?;
    std::fs::write(folder.path().join("backup.key"), Identities::generate().1)?;
    let archiver = site.pods[site.archiver().await?].port();
    let (mut wrong, mut done, mut left_out) = (Vec::new(), 0, 0);
    for command in diagnoses()? {
        if ELSEWHERE.iter().any(|program| command.contains(program)) {
            left_out += 1;
            continue;
        }
        // The ports that `docs/runbooks/README.md` forwards: a sidecar, the node agent, Prometheus.
        let here = command
            .replace("127.0.0.1:9717", &format!("127.0.0.1:{archiver}"))
            .replace("127.0.0.1:9719", &format!("127.0.0.1:{}", agent.port()))
            .replace("127.0.0.1:9090", &format!("127.0.0.1:{}", watch.prometheus.port()))
            .replace("mongodb://fresh-0:27017/?replicaSet=rs1", &site.set.uri());
        let output = run(&here, folder.path(), site).await?;
        if let Err(error) = judge(&command, &output) {
            wrong.push(format!("{command}\n  {error:#}"));
        }
        done += 1;
    }
    ensure!(wrong.is_empty(), "{} commands of runbooks do not work:\n{}", wrong.len(), wrong.join("\n"));
    ensure!(done >= FEWEST, "only {done} commands were found");
    println!("{done} commands of runbooks work, {left_out} need a cluster or mongosh");
    Ok(())
}

/// Each once.
fn diagnoses() -> Result<BTreeSet<String>> {
    let mut commands = BTreeSet::new();
    for entry in std::fs::read_dir(repository("docs/runbooks"))? {
        let text = std::fs::read_to_string(entry?.path())?;
        let Some((_, rest)) = text.split_once("\n## Diagnosis\n") else { continue };
        let diagnosis = rest.split("\n## ").next().unwrap_or_default();
        for block in diagnosis.split("```sh\n").skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            commands.extend(block.lines().map(str::to_owned));
        }
    }
    Ok(commands)
}

async fn run(command: &str, folder: &Path, site: &Site) -> Result<Output> {
    let binaries = processes::binary("dr-cli")?.parent().context("a folder")?.display().to_string();
    let path = format!("{binaries}:{}", std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("bash");
    shell.args(["-o", "pipefail", "-c", command]).current_dir(folder);
    shell.env("PATH", path).env("TIDEMARK_ARCHIVE", site.archive.url()).env("TIDEMARK_URI", site.set.uri());
    // The retention that the sidecars have.
    shell.env("TIDEMARK_PITR_WINDOW", "7d");
    tokio::task::spawn_blocking(move || shell.output()).await?.with_context(|| format!("run `{command}`"))
}

fn judge(command: &str, output: &Output) -> Result<()> {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let code = output.status.code().unwrap_or(-1);
    ensure!(!WRONG.contains(&code), "exit code {code}: {stderr}");
    ensure!(!stdout.trim().is_empty() || !stderr.trim().is_empty(), "it says nothing");
    if command.starts_with("curl") {
        ensure!(code == 0, "exit code {code}: {stdout} {stderr}");
        ensure!(!stdout.trim().is_empty(), "it finds nothing");
    }
    // A field that is not there is `null` for jq: at least the role and the time are known.
    ensure!(!command.contains(" role,") || stdout.contains("\"archiving\""), "no role: {stdout}");
    ensure!(stdout.trim_end().lines().all(|line| line != "null"), "a field that is not there: {stdout}");
    Ok(())
}
