//! A drill with everything: Terraform makes the place, the restore is proven, the place is gone again. `make drill` shows it.
//!
//! Without an archive one is made first, from a server that is ended before the drill begins. The shares on the terminal are those of the report.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use archive::ClusterTime;
use mongodb::bson::Document;
use serde_json::Value;
use testkit::dataset::wait_for_majority;
use testkit::{ReplicaSet, Sidecar};

use crate::ArchiveFolder;
use crate::demo::terminal::Terminal;
use crate::programs::{binary, count, free_port, measure, sidecar_status, size, tail};

const USAGE: &str =
    "usage: demo drill [--archive URL] [--megabytes N] [--root DIR] [--report-dir DIR] [-- ARGUMENTS OF dr-cli drill]

  --archive URL     drill from this archive; without it one is made
  --megabytes N     how much the archive that is made holds [default: 300]
  --root DIR        the root module [default: terraform/environments/local]
  --report-dir DIR  where the report goes [default: target/drill]";

const PATIENCE: Duration = Duration::from_mins(5);

#[derive(Debug, Clone)]
pub struct Options {
    /// Of an archive that is there.
    pub archive: Option<String>,
    /// Plain BSON of the archive that is made.
    pub megabytes: u64,
    pub root: PathBuf,
    pub reports: PathBuf,
    /// Given to `dr-cli drill` as they are.
    pub more: Vec<String>,
}

impl Options {
    /// Of the words behind `drill`.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Options {
            archive: None,
            megabytes: 300,
            root: PathBuf::from("terraform/environments/local"),
            reports: PathBuf::from("target/drill"),
            more: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            if argument == "--" {
                options.more = arguments.collect();
                break;
            }
            let value = arguments.next().ok_or_else(|| USAGE.to_owned())?;
            match argument.as_str() {
                "--archive" => options.archive = Some(value),
                "--megabytes" => {
                    let number = value.parse().ok().filter(|number| (1..=100_000).contains(number));
                    options.megabytes =
                        number.ok_or_else(|| format!("--megabytes needs a number from 1 to 100000\n{USAGE}"))?;
                }
                "--root" => options.root = value.into(),
                "--report-dir" => options.reports = value.into(),
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }
}

/// Runs to the end of the drill and gives its exit code.
pub async fn run(options: Options) -> Result<u8> {
    let mut terminal = Terminal::default();
    let mongod = tokio::task::spawn_blocking(testkit::mongod::binary).await??;
    let made = ArchiveFolder::new()?;
    let archive = if let Some(archive) = options.archive {
        archive
    } else {
        fill(&made, options.megabytes, &mut terminal).await?;
        made.url()
    };
    let places = testkit::mongod::temp_folder("drill")?;
    terminal.step(&format!("dr-cli drill --terraform {}", options.root.display()));
    let variables = [
        format!("archive_url={archive}"),
        format!("mongod={}", mongod.display()),
        format!("folder={}", places.path().display()),
    ];
    let mut command = tokio::process::Command::new(binary("dr-cli")?);
    command.args(["drill", "--json", "--yes", "--archive", &archive, "--scenario", "a fresh place on this machine"]);
    command.arg("--terraform").arg(&options.root).arg("--report-dir").arg(&options.reports);
    command.args(variables.iter().flat_map(|one| ["--var", one.as_str()])).args(&options.more);
    let started = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("start dr-cli")?;
    let output = child.wait_with_output().await.context("run dr-cli")?;
    let seconds = started.elapsed().as_secs_f64();
    let drilled: Value = serde_json::from_slice(&output.stdout).context("dr-cli prints one object")?;
    show(&drilled, seconds, &mut terminal);
    if std::fs::read_dir(places.path())?.flatten().count() > 0 {
        // For whoever cleans up.
        terminal.line(&format!("what was made is still in {}", places.keep().display()));
    }
    Ok(output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

async fn fill(archive: &ArchiveFolder, megabytes: u64, terminal: &mut Terminal) -> Result<()> {
    /// About as many bytes has an order with what belongs to it (`testkit::dataset`).
    const BYTES_PER_ORDER: u64 = 720;
    terminal.step("A shop to lose: a server, its archive, and a reference of what it shows");
    let source = ReplicaSet::builder().set_parameter("ttlMonitorEnabled", "false").start().await?;
    let loaded = testkit::load_shop(&source.client(), megabytes * 1_000_000 / BYTES_PER_ORDER, 7).await?;
    // Capped collections have no history that a reference could read, so each is a finding of every drill.
    source.client().database("events").collection::<Document>("audit").drop().await.context("drop the capped one")?;
    wait_for_majority(&source.client()).await?;
    terminal.line(&format!("{} documents, {} of BSON", count(loaded.documents), size(loaded.bytes)));
    let port = free_port()?;
    let (uri, url, listen) = (source.uri(), archive.url(), format!("127.0.0.1:{port}"));
    let common = ["--uri", &uri, "--archive", &url];
    let run = ["run", "--listen", &listen, "--snapshot-schedule", "none", "--slice-span", "1s", "--slice-idle", "1s"];
    let mut sidecar = Sidecar::run_program(&binary("sidecar")?, run.into_iter().chain(common), &[])?;
    wait(&mut sidecar, port, |status| !status["last_snapshot"].is_null()).await.context("wait for the snapshot")?;
    let reference = ["reference", "--json"].into_iter().chain(common);
    let taken = measure(&binary("sidecar")?, reference).await?.succeeded("sidecar reference")?.finished.json()?;
    let at: ClusterTime = taken["reference"]["at"].as_str().context("the reference has a moment")?.parse()?;
    let reached = |status: &Value| {
        status["archived_through"]
            .as_str()
            .and_then(|through| through.parse().ok())
            .is_some_and(|through: ClusterTime| through >= at)
    };
    wait(&mut sidecar, port, reached).await.context("wait until the archive reaches the reference")?;
    let ended = sidecar.terminate(Duration::from_secs(30)).await?;
    ensure!(ended.code() == Some(0), "the sidecar ended with {ended}");
    terminal.line(&format!("{url}; the server is ended now"));
    Ok(())
}

async fn wait(sidecar: &mut Sidecar, port: u16, fact: impl Fn(&Value) -> bool) -> Result<()> {
    let limit = Instant::now() + PATIENCE;
    loop {
        ensure!(sidecar.is_running(), "the sidecar ended:\n{}", tail(&sidecar.log(), 15));
        // It does not listen yet, in its first moments.
        if sidecar_status(port).await.is_ok_and(|status| fact(&status)) {
            return Ok(());
        }
        if Instant::now() > limit {
            bail!("not within {PATIENCE:?}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Seconds and share of each phase. What a restore consists of is indented.
fn show(drilled: &Value, seconds: f64, terminal: &mut Terminal) {
    let report = &drilled["report"];
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    terminal.step(&format!("{}: {}", text(&drilled["verdict"]), text(&report["recovery_point"]["resolved"])));
    for reason in drilled["verdict_reasons"].as_array().into_iter().flatten() {
        terminal.line(&text(&reason["what"]));
    }
    let error = &drilled["error"];
    if !error.is_null() {
        terminal.line(&format!("{}; next: {}", text(&error["what"]), text(&error["next"])));
    }
    let mut measured = 0.0;
    let mut restore = 0.0;
    for phase in report["phases"].as_array().into_iter().flatten() {
        let took = Duration::from_millis(phase["milliseconds"].as_u64().unwrap_or(0)).as_secs_f64();
        let name = text(&phase["name"]);
        let is_part = name.contains(": ");
        if !is_part {
            measured += took;
        }
        if name == "restore" {
            restore = took;
        }
        if took >= 0.05 {
            terminal.line(&format!(
                "{}{name:<28}{took:>7.1} s {:>5.1} %",
                if is_part { "  " } else { "" },
                100.0 * took / seconds
            ));
        }
    }
    let rest = (seconds - measured).max(0.0);
    terminal.line(&format!("{:<28}{rest:>7.1} s {:>5.1} %", "reading, planning, report", 100.0 * rest / seconds));
    terminal.line(&format!("in all {seconds:.1} s, of which {:.1} s are not the restore", seconds - restore));
    let actual = |name: &str| {
        report[name]["actual_seconds"].as_u64().map_or("not measured".to_owned(), |actual| format!("{actual} s"))
    };
    terminal.line(&format!(
        "recovery point {}, recovery time {}",
        actual("recovery_point_objective"),
        actual("recovery_time_objective")
    ));
    for file in drilled["files"].as_array().into_iter().flatten() {
        terminal.line(&text(file));
    }
}
