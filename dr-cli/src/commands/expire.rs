//! `dr-cli expire`: what a retention policy lets go, why, and with `--apply` the deletion itself.

use archive::LineageId;
use archive::coverage::RestoreWindow;
use archive::retention::{Decision, RetentionPlan};
use jiff::Timestamp;
use recovery::expire::{self, Confirmed, Expired};
use recovery::{ArchiveReader, Result};
use serde::Serialize;

use crate::args::ExpireArgs;
use crate::confirm;
use crate::context::{Context, who};
use crate::output::Report;
use crate::output::table::{bytes, count, plural, table};
use crate::output::time::moment;

#[derive(Serialize)]
struct Shown<'a> {
    applied: bool,
    #[serde(flatten)]
    plan: &'a RetentionPlan,
    freed_bytes: u64,
    /// `null` without `--apply`.
    expired: Option<&'a Expired>,
}

pub async fn run(context: &Context, args: &ExpireArgs) -> Result<Report> {
    if args.apply && !args.yes && !confirm::is_possible() {
        return Err(confirm::refusal("an expiry deletes backups", "dr-cli expire without --apply"));
    }
    let reader = context.open().await?;
    let lineage = context.lineage(&reader).await?.lineage;
    let policy = args.policy.policy();
    if !args.apply {
        let plan = expire::plan(&reader, &lineage, &policy).await?;
        let mut text = text(&plan);
        if !plan.steps.is_empty() {
            text.push_str("Nothing was deleted. Next: the same command with --apply\n");
        }
        return report(&plan, None, text);
    }
    let confirmed = if args.yes { None } else { Some(confirm_deletion(&reader, &lineage, args).await?) };
    let by = who("dr-cli expire");
    let carried_out =
        expire::apply(&reader, &lineage, &policy, (by.as_str(), confirmed.as_ref()), &*context.progress).await;
    let (plan, expired) = carried_out?;
    let text = format!("{}{}", text(&plan), done(&expired));
    report(&plan, Some(&expired), text)
}

async fn confirm_deletion(reader: &ArchiveReader, lineage: &LineageId, args: &ExpireArgs) -> Result<Confirmed> {
    let as_of = Timestamp::now();
    let plan = expire::plan(reader, lineage, &args.policy.policy()).await?;
    if !plan.steps.is_empty() {
        let location = reader.store().location();
        confirm::ask(format!("{}\nThis deletes {} from {location}", text(&plan), bytes(plan.freed_bytes()))).await?;
    }
    Ok(Confirmed { plan, as_of })
}

fn report(plan: &RetentionPlan, expired: Option<&Expired>, text: String) -> Result<Report> {
    let shown = Shown { applied: expired.is_some(), freed_bytes: plan.freed_bytes(), plan, expired };
    // What was left is a snapshot more than planned: somebody may want to know why it came to life.
    Ok(Report::new(&shown, text)?.with_findings_if(expired.is_some_and(|expired| !expired.left.is_empty())))
}

fn text(plan: &RetentionPlan) -> String {
    let mut text = format!("Retention of lineage {}\n", plan.lineage);
    let snapshots =
        plan.snapshots.iter().map(|one| row(one.id.to_string(), moment(one.end), one.stored_bytes, &one.decision));
    let unfinished =
        plan.unfinished.iter().map(|one| row(one.id.to_string(), "unfinished".into(), one.stored_bytes, &one.decision));
    let slices = plan.slices.iter().map(|run| {
        let range = format!("{} through {}", moment(run.range.from), moment(run.range.through));
        row(plural(run.slices as u64, "slice"), range, run.stored_bytes, &run.decision)
    });
    let rows: Vec<[String; 5]> = snapshots.chain(unfinished).chain(slices).collect();
    if !rows.is_empty() {
        text.push_str(&table(["", "WHAT", "MOMENT", "STORED", "WHY"], rows, &[3]));
        text.push('\n');
    }
    let small = plan.objects.iter().filter(|object| !object.decision.is_keep()).count() as u64;
    if small > 0 {
        text.push_str(&format!("and {} (gap records, references)\n", plural(small, "small record")));
    }
    text.push_str(&windows("restorable now", &plan.windows_before));
    text.push_str(&windows("restorable then", &plan.windows_after));
    for note in &plan.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    if plan.steps.is_empty() {
        text.push_str("Nothing is to be deleted.\n");
    } else {
        text.push_str(&format!("{} are given back.\n", bytes(plan.freed_bytes())));
    }
    text
}

fn row(what: String, moment: String, stored: u64, decision: &Decision) -> [String; 5] {
    let (verb, reasons) = match decision {
        Decision::Keep(reasons) => ("keep", reasons.iter().map(ToString::to_string).collect::<Vec<_>>()),
        Decision::Expire(reasons) => ("EXPIRE", reasons.iter().map(ToString::to_string).collect()),
    };
    [verb.to_owned(), what, moment, bytes(stored), reasons.join("; ")]
}

fn windows(what: &str, windows: &[RestoreWindow]) -> String {
    if windows.is_empty() {
        return format!("{what}: nothing\n");
    }
    let line = |window: &RestoreWindow| format!("{what}: {} through {}\n", moment(window.from), moment(window.through));
    windows.iter().map(line).collect()
}

fn done(expired: &Expired) -> String {
    let mut text = format!(
        "Deleted {} objects: {}, {}.\n",
        count(expired.objects),
        plural(expired.snapshots, "snapshot"),
        plural(expired.slices, "slice")
    );
    for left in &expired.left {
        text.push_str(&format!(
            "FINDING: snapshot {left} was published meanwhile by a writer that seemed dead; it stays\n"
        ));
    }
    text
}
