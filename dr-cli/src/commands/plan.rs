//! `dr-cli plan`: what a restore would do. The plan that is printed is the one that `restore` executes.

use archive::catalog::{Catalog, Finding};
use archive::layout::ObjectKey;
use archive::plan::{Obstacle, RestorePlan, plan_restore};
use archive::target::RestoreTarget;
use archive::{ClusterTime, LineageId, SnapshotId};
use recovery::{ArchiveReader, Failure, FailureKind, Result, predict_seconds};
use serde::Serialize;

use crate::args::PlanArgs;
use crate::context::Context;
use crate::output::Report;
use crate::output::table::{bytes, facts, plural};
use crate::output::time::{length, moment, second};

#[derive(Serialize)]
struct Planned<'a> {
    lineage: &'a LineageId,
    snapshot_id: &'a SnapshotId,
    target: PlannedTarget<'a>,
    slices: usize,
    bytes: u64,
    documents: u64,
    predicted_seconds: f64,
    notes: &'a [String],
    findings: &'a [Finding],
    /// The plan itself, for `restore --plan`.
    plan: &'a RestorePlan,
}

#[derive(Serialize)]
struct PlannedTarget<'a> {
    requested: &'a str,
    resolved: ClusterTime,
    inclusive: bool,
}

pub async fn run(context: &Context, args: &PlanArgs) -> Result<Report> {
    let reader = context.open().await?;
    let lineage = context.lineage_for(&reader, &args.to).await?.lineage;
    let plan = make(&reader, &lineage, &args.to, args.snapshot.as_ref()).await?;
    let from = args.snapshot.as_ref().map(|id| format!(" --snapshot {id}")).unwrap_or_default();
    let text = format!("{}\nNext: dr-cli restore --to {}{from} --destination URI\n", text(&plan), args.to);
    Ok(Report::new(&planned(&plan), text)?.with_findings_if(!plan.findings.is_empty()))
}

/// The plan for a target, or why there is none. `from`: the snapshot to start from.
pub async fn make(
    reader: &ArchiveReader,
    lineage: &LineageId,
    target: &RestoreTarget,
    from: Option<&SnapshotId>,
) -> Result<RestorePlan> {
    if let (RestoreTarget::Snapshot(id), Some(from)) = (target, from)
        && id != from
    {
        return Err(Failure::new(FailureKind::Usage, format!("`{target}` cannot be restored from snapshot {from}"))
            .at("the command line")
            .because("--to names another snapshot than --snapshot")
            .then("leave out --snapshot"));
    }
    match reader.plan(lineage, target, from).await {
        Ok(plan) => Ok(plan),
        Err(refusal) => {
            // What is not found can only be the snapshot.
            let named = from.filter(|_| refusal.kind == FailureKind::NotFound).cloned().map(RestoreTarget::Snapshot);
            Err(explain(reader, lineage, named.as_ref().unwrap_or(target), refusal).await)
        }
    }
}

/// Planning knows only what can be used. When something that cannot be used lies just where the plan misses something,
/// that is the news: the archive is damaged, not merely short.
async fn explain(reader: &ArchiveReader, lineage: &LineageId, target: &RestoreTarget, refusal: Failure) -> Failure {
    if !matches!(refusal.kind, FailureKind::NotFound | FailureKind::NotRestorable) {
        return refusal;
    }
    let Ok(catalog) = reader.catalog(lineage).await else { return refusal };
    match culprit(&catalog, target) {
        Some((object, problem)) => {
            Failure::new(FailureKind::Integrity, format!("{}; an object that it may need cannot be used", refusal.what))
                .at(reader.place(&object))
                .because(problem)
                .then(format!("dr-cli verify --level list; {}", refusal.next))
        }
        None => refusal,
    }
}

fn culprit(catalog: &Catalog, target: &RestoreTarget) -> Option<(String, String)> {
    let obstacle = plan_restore(catalog, target).err()?.obstacle;
    let found = catalog.unusable().find(|finding| {
        let Ok(key) = finding.object.parse::<ObjectKey>() else { return false };
        match (&*obstacle, key) {
            (Obstacle::UnknownSnapshot { id, .. }, ObjectKey::Manifest { snapshot, .. }) => *id == snapshot,
            (Obstacle::NoSnapshot | Obstacle::BeforeFirstSnapshot { .. }, ObjectKey::Manifest { .. })
            | (Obstacle::NothingArchived, ObjectKey::Slice { .. }) => true,
            (Obstacle::Uncovered { missing }, ObjectKey::Slice { id, .. }) => {
                id.after < missing.through && missing.from < id.through
            }
            (Obstacle::AfterArchivedThrough { through }, ObjectKey::Slice { id, .. }) => *through < id.through,
            _ => false,
        }
    });
    found.map(|finding| (finding.object.clone(), finding.problem.clone()))
}

fn planned(plan: &RestorePlan) -> Planned<'_> {
    let target = &plan.target;
    Planned {
        lineage: &plan.lineage,
        snapshot_id: &plan.snapshot.id,
        target: PlannedTarget { requested: &target.requested, resolved: target.resolved, inclusive: target.inclusive },
        slices: plan.slices.len(),
        bytes: plan.bytes,
        documents: plan.documents,
        predicted_seconds: predict_seconds(plan),
        notes: &plan.notes,
        findings: &plan.findings,
        plan,
    }
}

/// For people; also shown before `restore` asks.
pub fn text(plan: &RestorePlan) -> String {
    #[allow(clippy::cast_possible_truncation, reason = "rounded for people")]
    let predicted = length(predict_seconds(plan).ceil() as i64);
    let mut list = vec![
        ("target", format!("{}, which is {}", plan.target.requested, reached(plan))),
        ("lineage", plan.lineage.to_string()),
        (
            "snapshot",
            format!("{}, {}, at {}", plan.snapshot.id, plural(plan.documents, "document"), moment(plan.snapshot.end)),
        ),
        ("replay", format!("{} after {}", plural(plan.slices.len() as u64, "slice"), moment(plan.snapshot.begin))),
        ("to read", bytes(plan.bytes)),
        ("predicted", format!("about {predicted}")),
    ];
    // What is a finding is also a note; once is enough for people.
    let is_finding = |note: &&String| plan.findings.iter().any(|finding| finding.problem == **note);
    list.extend(plan.notes.iter().filter(|note| !is_finding(note)).map(|note| ("note", note.clone())));
    let mut text = format!("Plan\n{}", facts(&list));
    for Finding { object, problem } in &plan.findings {
        text.push_str(&format!("  FINDING: {object}: {problem}\n"));
    }
    text
}

fn reached(plan: &RestorePlan) -> String {
    let (at, target) = (plan.target.resolved, &plan.target);
    if !target.inclusive {
        format!("everything before the entry at {}", moment(at))
    } else if at.increment == u32::MAX {
        format!("everything through the end of {}", second(at))
    } else {
        format!("everything through {}", moment(at))
    }
}
