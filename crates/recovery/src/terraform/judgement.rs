//! What a plan may do: make what is not there, and destroy what this run made. Judged on the plan's JSON before Terraform is started.

use super::plan_json::{Change, PlannedChanges};
use super::record::{Owner, RunPhase, RunRecord};

/// They do something and hold nothing: a root may do them again.
const STEPS: [&str; 2] = ["terraform_data", "null_resource"];

/// Lines about changes that an apply of this run must not make; empty when it may be applied.
pub fn objections_to_apply(planned: &PlannedChanges, run: &RunRecord) -> Vec<String> {
    let objection = |change: &Change| {
        if change.is_import {
            // Destroying the run would destroy what was there before it.
            return Some("exists already and would be taken over (import)");
        }
        let makes_only = change.is_nothing() || change.actions == ["create"];
        let is_own = run.owner(&change.address, change.id.as_deref()) == Owner::ThisRun;
        let is_step = run.created.get(&change.address).is_some_and(|created| STEPS.contains(&created.kind.as_str()));
        if run.phase >= RunPhase::Restoring && change.does("delete") && !is_step {
            return Some("would be destroyed, and a restore has written there");
        }
        match makes_only {
            true if !change.does("no-op") || is_own => None,
            false if is_own => None,
            true => Some("stands in the state, and this run did not make it"),
            false => Some("would be changed, and this run did not make it"),
        }
    };
    lines(planned, objection)
}

/// Lines about changes that a destroy of this run must not make.
pub fn objections_to_destroy(planned: &PlannedChanges, run: &RunRecord) -> Vec<String> {
    let objection = |change: &Change| {
        if change.does("create") || change.does("update") || change.is_import {
            return Some("would be made or changed by a destroy");
        }
        let is_own = run.owner(&change.address, change.id.as_deref()) == Owner::ThisRun;
        (change.does("delete") && !is_own).then_some("would be destroyed, and this run did not make it")
    };
    lines(planned, objection)
}

fn lines(planned: &PlannedChanges, objection: impl Fn(&Change) -> Option<&'static str>) -> Vec<String> {
    let line = |change: &Change| {
        let id = change.id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
        objection(change).map(|objection| format!("{}{id} {objection}", change.address))
    };
    planned.changes.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::plan_json::Announced;
    use super::super::record::samples::{record, resource};
    use super::super::record::{RunPhase, RunRecord};
    use super::*;

    fn run() -> RunRecord {
        let mut run = record(RunPhase::Applied);
        run.planned = ["t.own", "t.nameless"].map(str::to_owned).into();
        run.apply_is_complete = true;
        run.adopt(&[resource("t.own", "1"), resource("t.nameless", "")]);
        run
    }

    fn change(address: &str, actions: &[&str], id: &str) -> Change {
        Change {
            address: address.to_owned(),
            actions: actions.iter().map(|&action| action.to_owned()).collect(),
            id: (!id.is_empty()).then(|| id.to_owned()),
            is_import: false,
        }
    }

    fn planned(changes: Vec<Change>) -> PlannedChanges {
        PlannedChanges { changes, contract: Announced::Missing, is_without_set: false }
    }

    #[test]
    fn only_what_the_run_made_is_destroyed() {
        let own = vec![
            change("t.own", &["delete"], "1"),
            change("t.nameless", &["delete"], "5"),
            change("t.seen", &["no-op"], "3"),
        ];
        assert!(objections_to_destroy(&planned(own), &run()).is_empty());
        for (wrong, part) in [
            (change("t.somebodys", &["delete"], "9"), "t.somebodys (9) would be destroyed"),
            (change("t.own", &["delete"], "2"), "t.own (2) would be destroyed"),
            (change("t.own", &["update"], "1"), "made or changed by a destroy"),
            (change("t.new", &["create"], ""), "made or changed by a destroy"),
            (change("t.somebodys", &["delete", "create"], "9"), "made or changed by a destroy"),
        ] {
            let objections = objections_to_destroy(&planned(vec![wrong, change("t.own", &["delete"], "1")]), &run());
            assert!(objections.len() == 1 && objections[0].contains(part), "{part}: {objections:?}");
        }
    }

    #[test]
    fn an_apply_makes_what_is_not_there_and_changes_nothing_of_somebody() {
        let fine = vec![
            change("t.new", &["create"], ""),
            change("t.own", &["delete", "create"], "1"),
            change("t.own", &["no-op"], "1"),
        ];
        assert!(objections_to_apply(&planned(fine), &run()).is_empty());
        for (wrong, part) in [
            (change("t.somebodys", &["delete", "create"], "9"), "would be changed"),
            (change("t.somebodys", &["update"], "9"), "would be changed"),
            (change("t.somebodys", &["no-op"], "9"), "stands in the state"),
            (change("t.own", &["delete", "create"], "2"), "would be changed"),
        ] {
            let objections = objections_to_apply(&planned(vec![wrong]), &run());
            assert!(objections.len() == 1 && objections[0].contains(part), "{part}: {objections:?}");
        }
        let mut restoring = RunRecord { phase: RunPhase::Restoring, ..run() };
        let replaced = || planned(vec![change("t.own", &["delete", "create"], "1")]);
        assert!(objections_to_apply(&replaced(), &restoring)[0].contains("a restore has written there"));
        assert!(objections_to_apply(&planned(vec![change("t.own", &["update"], "1")]), &restoring).is_empty());
        restoring.created.get_mut("t.own").unwrap().kind = "terraform_data".to_owned();
        assert!(objections_to_apply(&replaced(), &restoring).is_empty());
        let import = Change { is_import: true, ..change("t.bucket", &["no-op"], "b") };
        assert!(objections_to_apply(&planned(vec![import]), &run())[0].contains("taken over"));
    }
}
