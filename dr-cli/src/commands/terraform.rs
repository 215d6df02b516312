//! What `drill` and `restore` share when Terraform makes the destination: beginning, asking, cleaning up, and what is said about it.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use archive::plan::RestorePlan;
use recovery::kubernetes::{Recovery, Tools, carry_out};
use recovery::terraform::{
    Contract, RunOptions, RunPhase, RunSummary, TerraformRun, default_parent, find_terraform, looks_secret,
};
use recovery::{ArchiveReader, Failure, FailureKind, Result};
use serde::Serialize;
use serde_json::{Value, json};

use super::{plan, restore};
use crate::args::{RestoreArgs, TerraformArgs};
use crate::confirm;
use crate::context::Context;
use crate::output::table::{facts, plural};
use crate::output::{Ending, Report};

#[derive(Serialize)]
struct Output {
    terraform: RunSummary,
}

fn run_options(args: &TerraformArgs, command: &'static str) -> Result<RunOptions> {
    let root = args.terraform.clone().ok_or_else(|| {
        Failure::new(FailureKind::Usage, "no root module is named").at("the command line").then("--terraform DIR")
    })?;
    Ok(RunOptions {
        binary: find_terraform(args.terraform_bin.as_deref(), std::env::var_os("PATH").as_deref())?,
        root,
        command,
        variables: args.var.clone(),
        variable_files: args.var_file.clone(),
        backend_config: args.backend_config.clone(),
        tools: Tools { helm: args.helm.clone(), kubectl: args.kubectl.clone() },
        run_dir: args.run_dir.clone(),
        runs: default_parent(|name| std::env::var_os(name)),
    })
}

/// A new run: nothing is made yet.
pub async fn begin(context: &Context, args: &TerraformArgs, command: &'static str) -> Result<TerraformRun> {
    let names = args.var.iter().filter_map(|one| one.split_once('=')).map(|(name, _)| name);
    for name in names.filter(|name| looks_secret(name)) {
        context.progress.note(&format!(
            "warning: --var {name} holds a secret, which everybody who lists the processes of this machine can see; use TF_VAR_{name}"
        ));
    }
    let options = run_options(args, command)?;
    TerraformRun::begin(options, Arc::clone(&context.progress), context.interrupt.clone()).await
}

/// Shows what will be made, and goes on when it may.
pub async fn show_and_ask(context: &Context, run: &mut TerraformRun, restore: &str, yes: bool) -> Result<()> {
    let planned = run.plan().await?;
    let shown = format!("{restore}\n{planned}");
    if yes {
        context.progress.note(&shown);
        return Ok(());
    }
    let asked = Instant::now();
    confirm::ask(format!("{shown}\nThis makes what the plan shows, which may cost money, and restores into it"))
        .await?;
    run.waited_for_a_person(asked.elapsed());
    Ok(())
}

/// A failure with what exists because of the run.
pub fn failed(run: &TerraformRun, failure: Failure) -> Result<Report> {
    let ending = Ending::Failed(run.explain(failure));
    Ok(Report::new(&Output { terraform: run.summary() }, String::new())?.with_ending(ending))
}

/// `--clean-up`: destroys what a run made.
pub async fn clean_up(
    context: &Context,
    args: &TerraformArgs,
    command: &'static str,
    run: &Path,
    yes: bool,
) -> Result<Report> {
    if !yes && !confirm::is_possible() {
        return Err(confirm::refusal("cleaning up destroys what the run made", "terraform plan -destroy"));
    }
    let options = run_options(args, command)?;
    let mut run = TerraformRun::open(run, options, Arc::clone(&context.progress), context.interrupt.clone()).await?;
    if args.leave_volumes {
        run.leave_volumes();
    }
    match destroy(context, &mut run, yes).await {
        Ok(()) => {}
        Err(failure) => return failed(&run, failure),
    }
    let summary = run.summary();
    let made = plural(summary.created as u64, "resource");
    let has_findings = !summary.may_exist.is_empty();
    let mut text = if has_findings {
        format!("Run {}: its state holds nothing any more ({made}), and this may exist:\n", summary.run)
    } else {
        format!("Run {}: nothing of what it made is left ({made})\n", summary.run)
    };
    for unseen in &summary.may_exist {
        text.push_str(&format!("  {unseen}\n"));
    }
    if has_findings {
        text.push_str(&format!(
            "Look for it in the cloud; names hold {}. When nothing is there: rm -r {}\n",
            summary.suffix,
            summary.run_dir.display()
        ));
    }
    Ok(Report::new(&Output { terraform: summary }, text)?.with_findings_if(has_findings))
}

async fn destroy(context: &Context, run: &mut TerraformRun, yes: bool) -> Result<()> {
    if let Some(planned) = run.plan_destroy().await? {
        if yes {
            context.progress.note(&planned);
        } else {
            confirm::ask(format!("{planned}\nThis destroys what the plan shows")).await?;
        }
    }
    run.destroy().await
}

/// `dr-cli restore --terraform`.
pub async fn restore(context: &Context, args: RestoreArgs) -> Result<Report> {
    if let Some(run) = &args.terraform.clean_up {
        return clean_up(context, &args.terraform, "restore", run, args.yes).await;
    }
    if !args.yes && !confirm::is_possible() {
        return Err(confirm::refusal(
            "a restore makes a place that may cost money, and writes into it",
            "dr-cli plan --to …",
        ));
    }
    let reader = context.open().await?;
    let plan = restore::choose_plan(context, &reader, &args).await?;
    let mut run = match &args.resume {
        Some(run) => resume(context, &args.terraform, run).await?,
        None => begin(context, &args.terraform, "restore").await?,
    };
    if let Err(failure) = show_and_ask(context, &mut run, &plan::text(&plan), args.yes).await {
        return failed(&run, failure);
    }
    match restore_into(context, &mut run, &reader, plan, &args).await {
        Ok(report) => Ok(report),
        Err(failure) => failed(&run, failure),
    }
}

async fn restore_into(
    context: &Context,
    run: &mut TerraformRun,
    reader: &ArchiveReader,
    plan: RestorePlan,
    args: &RestoreArgs,
) -> Result<Report> {
    let contract = run.apply().await?;
    if contract.cluster.is_some() {
        return restore_in_cluster(context, run, &contract, &plan, args).await;
    }
    let uri = contract.over_the_wire(&run.record().root)?;
    run.wait_for(&uri, args.terraform.patience()).await?;
    run.mark(RunPhase::Restoring)?;
    let restoring = recovery::restore(reader, plan, restore::options(args, uri), Arc::clone(&context.progress));
    let report = tokio::select! {
        restored = restoring => restored?,
        () = context.interrupt.asked() => return Err(context.interrupt.failure()),
    };
    run.mark(RunPhase::Restored)?;
    let done = Report::new(&report, report.to_text())?;
    Ok(conclude(run, done, report.has_findings()))
}

/// In a cluster the chart's Job restores, beside the set.
async fn restore_in_cluster(
    context: &Context,
    run: &mut TerraformRun,
    contract: &Contract,
    plan: &RestorePlan,
    args: &RestoreArgs,
) -> Result<Report> {
    let (chart, patience) = (args.terraform.chart()?, args.terraform.patience());
    let recovery = Recovery::of(plan, usize::from(args.connections), args.verify_first, args.release);
    let recovery = run.settle(&plan.target.requested, recovery)?;
    let result = carry_out(run, contract, &chart, &recovery, patience, Arc::clone(&context.progress)).await?;
    if let Some(failure) = result.failure {
        return Err(failure);
    }
    run.mark(RunPhase::Restored)?;
    let text = facts(&[
        ("target", format!("{}, snapshot {}", recovery.to, recovery.snapshot)),
        (
            "restored",
            format!("release {} in namespace {}", chart.release, contract.namespace.as_deref().unwrap_or_default()),
        ),
    ]);
    Ok(conclude(run, Report::new(&result.fields, text)?, result.has_findings))
}

async fn resume(context: &Context, args: &TerraformArgs, run: &Path) -> Result<TerraformRun> {
    let options = run_options(args, "restore")?;
    let run = TerraformRun::open(run, options, Arc::clone(&context.progress), context.interrupt.clone()).await?;
    let cannot = |what: &str, next: String| {
        Err(Failure::new(FailureKind::Usage, what).at(run.folder().display().to_string()).then(next))
    };
    match run.phase() {
        RunPhase::Destroying => cannot("the run is being destroyed", run.clean_up_command()),
        RunPhase::Destroyed => {
            cannot("what the run made was destroyed", "the same command without --resume".to_owned())
        }
        RunPhase::Restored => Err(Failure::new(FailureKind::Unsafe, "the run is complete: what it restored is in use")
            .at(run.folder().display().to_string())
            .because("an apply could replace what the restore wrote, were the root another one by now")
            .then(format!(
                "without --resume into a place of its own; to remove what is there: {}",
                run.clean_up_command()
            ))),
        _ if run.record().command == "drill" => cannot(
            "the run is a drill, which is not gone on with: its times would prove nothing",
            run.clean_up_command(),
        ),
        _ => Ok(run),
    }
}

fn conclude(run: &TerraformRun, mut done: Report, has_findings: bool) -> Report {
    let summary = run.summary();
    done.text.push_str(&facts(&[
        ("made by", made_by(&summary)),
        ("in all", format!("{} s, the making of the place included", run.seconds())),
        ("to remove it", run.clean_up_command()),
    ]));
    done.fields.insert("terraform".to_owned(), json!(summary));
    // Of the whole recovery: the place is part of it.
    done.fields.insert("recovery_time_actual_seconds".to_owned(), Value::from(run.seconds()));
    done.with_findings_if(has_findings)
}

/// For people.
pub fn made_by(run: &RunSummary) -> String {
    format!("Terraform {}, run {}, {}", run.version, run.run, plural(run.created as u64, "resource"))
}
