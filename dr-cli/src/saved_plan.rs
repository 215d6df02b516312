//! A plan that was saved from `dr-cli plan --json`: reading it back, and whether it still holds.

use std::collections::HashSet;
use std::path::Path;

use archive::coverage::Coverage;
use archive::plan::RestorePlan;
use recovery::{ArchiveReader, Failure, FailureKind, Result};
use serde::Deserialize;

const LIMIT: u64 = 256 * 1024 * 1024;

#[derive(Deserialize)]
struct SavedPlan {
    schema: u32,
    command: String,
    plan: Option<RestorePlan>,
}

pub fn load(path: &Path) -> Result<RestorePlan> {
    let refused = |what: String| {
        Failure::new(FailureKind::Usage, what)
            .at(path.display().to_string())
            .because("--plan takes the object that `dr-cli plan --to TARGET --json` prints")
            .then("dr-cli plan --to TARGET --json > plan.json")
    };
    let size = std::fs::metadata(path).map_err(|error| refused(format!("the plan cannot be read: {error}")))?.len();
    if size > LIMIT {
        return Err(refused(format!("the plan has {size} bytes, which no plan has")));
    }
    let bytes = std::fs::read(path).map_err(|error| refused(format!("the plan cannot be read: {error}")))?;
    let saved: SavedPlan =
        serde_json::from_slice(&bytes).map_err(|error| refused(format!("the file is not a saved plan: {error}")))?;
    if saved.schema != 1 || saved.command != "plan" {
        return Err(refused("the file is not a saved plan".into()));
    }
    saved.plan.ok_or_else(|| refused("the file holds no plan: planning was refused".into()))
}

/// Refuses unless everything that the plan is made of is still there and still means the same.
pub async fn check_holds(reader: &ArchiveReader, plan: &RestorePlan) -> Result<()> {
    let outdated = |what: String| {
        Failure::new(FailureKind::NotRestorable, format!("the saved plan no longer holds: {what}"))
            .at(format!("lineage {} in {}", plan.lineage, reader.store().location()))
            .because("the archive has changed since it was made (retention, damage), or it was made for another one")
            .then(format!("dr-cli plan --to {}", plan.target.requested))
    };
    let catalog = reader.catalog(&plan.lineage).await?;
    let Some(snapshot) = catalog.snapshots.iter().find(|snapshot| snapshot.id == plan.snapshot.id) else {
        return Err(outdated(format!("snapshot {} is gone", plan.snapshot.id)));
    };
    if (snapshot.begin, snapshot.end) != (plan.snapshot.begin, plan.snapshot.end) {
        return Err(outdated(format!("snapshot {} is another one now", plan.snapshot.id)));
    }
    if snapshot.end > plan.target.resolved || (snapshot.end == plan.target.resolved && !plan.target.inclusive) {
        return Err(outdated(format!("snapshot {} ends too late for the target", plan.snapshot.id)));
    }
    let stored: HashSet<_> = catalog.slices.iter().copied().collect();
    if let Some(missing) = plan.slices.iter().find(|slice| !stored.contains(slice)) {
        return Err(outdated(format!("slice {} is gone or has another size", missing.id)));
    }
    let covered = Coverage::of(&plan.slices, &catalog.gaps).covers(plan.snapshot.begin, plan.target.resolved);
    let ascending = plan.slices.is_sorted_by_key(|slice| slice.id.after);
    if !covered || !ascending || !Coverage::of_catalog(&catalog).covers(plan.snapshot.begin, plan.target.resolved) {
        return Err(outdated("its slices do not hold the history up to the target without a break".into()));
    }
    match reader.missing_object(&plan.lineage, &plan.snapshot.id).await? {
        Some(problem) => Err(outdated(problem)),
        None => Ok(()),
    }
}
