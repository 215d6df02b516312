//! `dr-cli find`: the harmful write in the archive, and the target that restores to just before it.

use std::sync::Arc;

use archive::ClusterTime;
use recovery::{Failure, FailureKind, FindQuery, FindResult, Match, Result};

use crate::args::FindArgs;
use crate::context::Context;
use crate::output::table::{count, plural, table};
use crate::output::time::moment;
use crate::output::{Ending, Report};

pub async fn run(context: &Context, args: FindArgs) -> Result<Report> {
    let reader = context.open().await?;
    let lineage = context.lineage(&reader).await?.lineage;
    let query = FindQuery {
        namespace: args.namespace,
        ops: args.op,
        since: args.since,
        until: args.until,
        limit: args.limit as usize,
    };
    let what = described(&query);
    let found = recovery::find(&reader, &lineage, query, Arc::clone(&context.progress)).await?;
    let report = Report::new(&found, text(&found, &what))?;
    let is_complete = found.scanned.gaps.is_empty();
    if !is_complete || !found.matches.is_empty() {
        return Ok(report.with_findings_if(!is_complete));
    }
    let failure = Failure::new(FailureKind::NotFound, format!("no {what} is in the archive"))
        .at(format!("{} of lineage {lineage} in {}", range(&found), reader.store().location()))
        .because("it lies outside of the range, has another kind or namespace, or is not archived (yet)")
        .then("dr-cli status shows the range; then find with fewer conditions");
    Ok(report.with_ending(Ending::Failed(failure)))
}

fn described(query: &FindQuery) -> String {
    let ops: Vec<&str> = query.ops.iter().map(|op| op.name()).collect();
    let ops = if ops.is_empty() { "change".to_owned() } else { ops.join(" or ") };
    match &query.namespace {
        Some(namespace) => format!("{ops} of `{namespace}`"),
        None => ops,
    }
}

fn range(found: &FindResult) -> String {
    match (found.scanned.after, found.scanned.through) {
        (Some(after), Some(through)) => {
            format!("{} after {} through {}", plural(found.scanned.slices, "slice"), moment(after), moment(through))
        }
        _ => "the oplog, of which nothing lies in that range".to_owned(),
    }
}

fn text(found: &FindResult, what: &str) -> String {
    let gaps = not_searched(found);
    if found.matches.is_empty() {
        if gaps.is_empty() {
            return String::new();
        }
        return format!(
            "No {what} in {}.\n{gaps}Whether one happened there is not known. Next: dr-cli status names the nearest \
             moments that can be restored\n",
            range(found)
        );
    }
    let rows = found
        .matches
        .iter()
        .map(|m| [m.wall.clone(), m.at.to_string(), m.op.clone(), shown_name(m), count(m.count), m.last.to_string()]);
    let mut text = table(["WALL CLOCK", "AT", "OPERATION", "NAMESPACE", "COUNT", "LAST"], rows, &[4]) + "\n\n";
    text.push_str(&format!("Searched {}.\n{gaps}", range(found)));
    if found.truncated {
        text.push_str("There are more: drops and renames are shown first, then the largest. Narrow with --namespace, --op, --since.\n");
    }
    if let Some(worst) = found.matches.iter().max_by_key(|m| suspicion(m)) {
        let (at, before) = (moment(worst.at), &worst.before);
        text.push_str(&format!(
            "Next, to restore to just before the {} at {at}: dr-cli plan --to {before}\n",
            worst.op
        ));
    }
    text
}

/// A line for each stretch of history that is lost: what happened there, no search can tell.
fn not_searched(found: &FindResult) -> String {
    let lines = found.scanned.gaps.iter().map(|gap| {
        let (after, through) = (moment(gap.after), moment(gap.through));
        format!("NOT SEARCHED: after {after} through {through}: this history is lost ({})\n", gap.reason)
    });
    lines.collect()
}

/// Which one is likely to be meant: what takes a whole collection away, else the largest; of equals the latest.
fn suspicion(found: &Match) -> (bool, u64, ClusterTime) {
    (matches!(found.op.as_str(), "drop" | "dropDatabase" | "renameCollection"), found.count, found.at)
}

fn shown_name(found: &Match) -> String {
    let name = found.namespace.escape_debug();
    match &found.to {
        Some(to) => format!("{name} → {}", to.escape_debug()),
        None => name.to_string(),
    }
}
