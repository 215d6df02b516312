//! `dr-cli release`: arms the TTL indexes that a restore parked.

use recovery::Result;

use crate::args::ReleaseArgs;
use crate::output::Report;

pub async fn run(args: &ReleaseArgs) -> Result<Report> {
    let report = recovery::release(&args.destination).await?;
    // Dropped since, or renamed: then it is parked under its new name and nothing expires.
    Ok(Report::new(&report, report.to_text())?.with_findings_if(!report.missing.is_empty()))
}
