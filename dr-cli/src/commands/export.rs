//! `dr-cli export`: writes a moment as a folder that `mongorestore` takes.

use std::sync::Arc;

use recovery::Result;

use super::plan;
use crate::args::ExportArgs;
use crate::context::Context;
use crate::output::Report;

pub async fn run(context: &Context, args: &ExportArgs) -> Result<Report> {
    let reader = context.open().await?;
    let lineage = context.lineage_for(&reader, &args.to).await?.lineage;
    let plan = plan::make(&reader, &lineage, &args.to, args.snapshot.as_ref()).await?;
    let report = recovery::export::export(&reader, &plan, &args.out, Arc::clone(&context.progress)).await?;
    Ok(Report::new(&report, report.to_text())?.with_findings_if(!report.findings.is_empty()))
}
