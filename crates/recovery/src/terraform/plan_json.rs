//! What a saved plan would do, by `terraform show -json PLAN`.

use serde::Deserialize;
use serde_json::Value;

use super::contract::OUTPUT;
use super::state_json::id_of;

/// One resource that a plan speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub address: String,
    pub actions: Vec<String>,
    /// What it is now.
    pub id: Option<String>,
    /// It exists already, outside of the state, and would be taken over.
    pub is_import: bool,
}

/// What a plan says about the contract that there will be.
#[derive(Debug, Clone, PartialEq)]
pub enum Announced {
    /// There is no such output.
    Missing,
    /// Its `schema_version` shows after the apply only.
    Unknown,
    Version(Value),
}

#[derive(Debug, Clone, PartialEq)]
pub struct PlannedChanges {
    pub changes: Vec<Change>,
    pub contract: Announced,
    /// It is known that the contract will have no `destination_uri`, and that the chart is not to be installed.
    pub is_without_set: bool,
}

#[derive(Debug, Deserialize)]
struct Shown {
    #[serde(default)]
    resource_changes: Vec<Listed>,
    #[serde(default)]
    output_changes: Value,
}

#[derive(Debug, Deserialize)]
struct Listed {
    address: String,
    mode: String,
    change: ListedChange,
}

#[derive(Debug, Deserialize)]
struct ListedChange {
    actions: Vec<String>,
    before: Option<Value>,
    importing: Option<Value>,
}

impl PlannedChanges {
    pub fn of(shown: &Value) -> Result<Self, serde_json::Error> {
        let shown = Shown::deserialize(shown)?;
        let managed = shown.resource_changes.into_iter().filter(|listed| listed.mode == "managed");
        let changes = managed.map(|listed| Change {
            id: listed.change.before.as_ref().and_then(id_of),
            is_import: listed.change.importing.is_some(),
            address: listed.address,
            actions: listed.change.actions,
        });
        let contract = &shown.output_changes[OUTPUT];
        let unknown = &contract["after_unknown"];
        let is_known = contract["after"].is_object()
            && ![unknown, &unknown["destination_uri"], &unknown["chart"], &unknown["chart"]["install"]]
                .contains(&&Value::Bool(true));
        Ok(Self {
            changes: changes.collect(),
            contract: announced(&shown.output_changes),
            is_without_set: is_known
                && contract["after"]["destination_uri"].is_null()
                && contract["after"]["chart"]["install"] == false,
        })
    }

    /// Addresses of what will be gone, and nothing in its place.
    pub fn deletes(&self) -> impl Iterator<Item = &str> {
        let is_delete = |change: &&Change| change.does("delete") && !change.does("create");
        self.changes.iter().filter(is_delete).map(|change| change.address.as_str())
    }

    /// Addresses of what will be made, also instead of something else.
    pub fn creates(&self) -> impl Iterator<Item = &str> {
        self.changes.iter().filter(|change| change.does("create")).map(|change| change.address.as_str())
    }
}

impl Change {
    pub fn does(&self, action: &str) -> bool {
        self.actions.iter().any(|done| done == action)
    }

    pub fn is_nothing(&self) -> bool {
        !self.is_import && self.actions.iter().all(|action| action == "no-op" || action == "read")
    }
}

fn announced(outputs: &Value) -> Announced {
    let Some(change) = outputs.get(OUTPUT).filter(|change| !change.is_null()) else { return Announced::Missing };
    let hidden = change.get("after_unknown").is_some_and(|unknown| {
        unknown.as_bool() == Some(true) || unknown.get("schema_version").and_then(Value::as_bool) == Some(true)
    });
    if hidden {
        return Announced::Unknown;
    }
    Announced::Version(
        change.get("after").and_then(|after| after.get("schema_version")).cloned().unwrap_or(Value::Null),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_says_what_it_makes_and_what_the_contract_will_be() {
        let shown = json!({
            "resource_changes": [
                { "address": "t.new", "mode": "managed", "change": { "actions": ["create"], "before": null } },
                { "address": "t.again", "mode": "managed", "change": { "actions": ["delete", "create"], "before": { "id": "7" } } },
                { "address": "t.same", "mode": "managed", "change": { "actions": ["no-op"], "before": { "id": "8" } } },
                { "address": "data.t.seen", "mode": "data", "change": { "actions": ["read"], "before": null } },
            ],
            "output_changes": { "restore_contract": { "actions": ["create"], "after": { "schema_version": 1 }, "after_unknown": { "x": true } } }
        });
        let planned = PlannedChanges::of(&shown).unwrap();
        assert_eq!(planned.creates().collect::<Vec<_>>(), ["t.new", "t.again"]);
        assert_eq!(planned.changes[1].id.as_deref(), Some("7"));
        assert_eq!(planned.changes.len(), 3, "what is only looked up is no change");
        assert_eq!(planned.contract, Announced::Version(json!(1)));
        let is_without_set = |after: Value, unknown: Value| {
            let contract = json!({ "after": after, "after_unknown": unknown });
            let shown = json!({ "output_changes": { "restore_contract": contract } });
            PlannedChanges::of(&shown).unwrap().is_without_set
        };
        let bare = || json!({ "chart": { "install": false } });
        assert!(is_without_set(bare(), json!({})));
        assert!(!is_without_set(bare(), json!({ "destination_uri": true })));
        assert!(!is_without_set(json!({}), json!({ "chart": { "install": true } })));
        assert!(!is_without_set(json!({ "chart": { "install": true } }), json!({})));
        assert!(!is_without_set(bare(), json!(true)));
    }

    #[test]
    fn the_contract_may_be_missing_or_known_after_the_apply_only() {
        let announced = |outputs: Value| PlannedChanges::of(&json!({ "output_changes": outputs })).unwrap().contract;
        assert_eq!(announced(json!({})), Announced::Missing);
        assert_eq!(announced(json!({ "restore_contract": { "after_unknown": true } })), Announced::Unknown);
        assert_eq!(
            announced(json!({ "restore_contract": { "after_unknown": { "schema_version": true } } })),
            Announced::Unknown
        );
        assert_eq!(
            announced(json!({ "restore_contract": { "after": {}, "after_unknown": {} } })),
            Announced::Version(Value::Null)
        );
    }
}
