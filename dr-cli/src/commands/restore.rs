//! `dr-cli restore`: executes a plan into a fresh replica set.

use std::sync::Arc;
use std::time::Duration;

use archive::plan::RestorePlan;
use recovery::{ArchiveReader, Failure, FailureKind, RestoreOptions, Result};

use super::{plan, terraform};
use crate::args::RestoreArgs;
use crate::context::Context;
use crate::output::Report;
use crate::{confirm, saved_plan};

pub async fn run(context: &Context, args: RestoreArgs) -> Result<Report> {
    if args.terraform.terraform.is_some() {
        return Box::pin(terraform::restore(context, args)).await;
    }
    let destination = args.destination.clone().ok_or_else(|| {
        Failure::new(FailureKind::Usage, "no destination is named").at("the command line").then("--destination URI")
    })?;
    // Before anything is read: an answer that cannot be given is known at once.
    if !args.yes && !confirm::is_possible() {
        return Err(confirm::refusal("a restore writes into the destination", "dr-cli plan --to …"));
    }
    let reader = context.open().await?;
    let plan = choose_plan(context, &reader, &args).await?;
    if args.yes {
        context.progress.note(&plan::text(&plan));
    } else {
        let hosts = telemetry::redact_uri(&destination);
        confirm::ask(format!("{}\nThis writes into {hosts}", plan::text(&plan))).await?;
    }
    if let Some(seconds) = args.wait_for_destination {
        let at_most = Duration::from_secs(seconds);
        recovery::wait_for_destination(&destination, at_most, context.progress.as_ref()).await?;
    }
    let options = options(&args, destination);
    let report = recovery::restore(&reader, plan, options, Arc::clone(&context.progress)).await?;
    Ok(Report::new(&report, report.to_text())?.with_findings_if(report.has_findings()))
}

pub fn options(args: &RestoreArgs, destination_uri: String) -> RestoreOptions {
    RestoreOptions {
        destination_uri,
        release: args.release,
        connections: usize::from(args.connections),
        verify_first: args.verify_first,
    }
}

pub async fn choose_plan(context: &Context, reader: &ArchiveReader, args: &RestoreArgs) -> Result<RestorePlan> {
    let Some(path) = &args.plan else {
        let target = args.to.as_ref().ok_or_else(|| {
            Failure::new(FailureKind::Usage, "no target is named")
                .at("the command line")
                .then("--to TARGET or --plan FILE")
        })?;
        let lineage = context.lineage_for(reader, target).await?.lineage;
        return plan::make(reader, &lineage, target, args.snapshot.as_ref()).await;
    };
    let plan = saved_plan::load(path)?;
    let disagrees = |what: &str| {
        Err(Failure::new(FailureKind::Usage, format!("the saved plan has another {what} than the command line"))
            .at(path.display().to_string())
            .because(format!("it restores lineage {} to {}", plan.lineage, plan.target.requested))
            .then("leave out the option, or make a new plan"))
    };
    if args.to.as_ref().is_some_and(|to| to.to_string() != plan.target.requested) {
        return disagrees("target");
    }
    if context.wanted_lineage().is_some_and(|lineage| lineage != plan.lineage.as_str()) {
        return disagrees("lineage");
    }
    reader.choose_lineage(Some(plan.lineage.as_str())).await?;
    saved_plan::check_holds(reader, &plan).await?;
    Ok(plan)
}
