//! What the chart is told: the values of the contract, and which moment to restore.

use archive::plan::RestorePlan;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// How the Job restores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    pub to: String,
    pub lineage: String,
    pub snapshot: String,
    pub connections: usize,
    pub verify_first: bool,
    pub release: bool,
    /// It drills instead, and prints its report.
    pub drill: Option<JobDrill>,
}

/// What a drill in a Job is told besides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobDrill {
    /// Of Terraform's run: the report of another one, in a cluster that stands, is not taken for ours.
    pub run: String,
    pub seed: u64,
    /// The text of `--queries`.
    pub queries: Option<String>,
}

impl Recovery {
    /// Exactly the plan that was shown: a target that is relative to the end of the archive would be another one by the time the Job runs.
    pub fn of(plan: &RestorePlan, connections: usize, verify_first: bool, release: bool) -> Self {
        let target = &plan.target;
        let is_relative = target.requested == "latest" || target.requested.starts_with('-');
        let to = if is_relative { target.resolved.to_string() } else { target.requested.clone() };
        Self {
            to,
            lineage: plan.lineage.to_string(),
            snapshot: plan.snapshot.id.to_string(),
            connections,
            verify_first,
            release,
            drill: None,
        }
    }

    /// The command whose object the Job prints.
    pub fn command(&self) -> &'static str {
        if self.drill.is_some() { "drill" } else { "restore" }
    }
}

/// Values of the chart `tidemark`. What the contract says stays, but for the recovery.
pub fn values(of_contract: Option<&Value>, recovery: &Recovery) -> Value {
    let mut values = of_contract.and_then(Value::as_object).cloned().unwrap_or_default();
    let mongodb = part(&mut values, "mongodb");
    mongodb.insert("mode".to_owned(), json!("recovery"));
    let told = part(mongodb, "recovery");
    for (name, value) in [
        ("to", json!(recovery.to)),
        ("lineage", json!(recovery.lineage)),
        ("snapshot", json!(recovery.snapshot)),
        ("connections", json!(recovery.connections)),
        ("verifyFirst", json!(recovery.verify_first)),
        ("release", json!(recovery.release)),
    ] {
        told.insert(name.to_owned(), value);
    }
    if let Some(drill) = &recovery.drill {
        // As a text: a chart's numbers are doubles, and a seed has all 64 bits.
        let (seed, queries) = (drill.seed.to_string(), drill.queries.as_deref().unwrap_or_default());
        told.insert("drill".to_owned(), json!({ "enabled": true, "run": drill.run, "seed": seed, "queries": queries }));
        // Whatever writes to what is compared would make another database of it.
        part(&mut values, "orders-api").insert("enabled".to_owned(), json!(false));
    }
    Value::Object(values)
}

/// The object of that name, made where there is none.
fn part<'a>(values: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    let entry = values.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if !entry.is_object() {
        *entry = Value::Object(Map::new());
    }
    match entry {
        Value::Object(object) => object,
        _ => unreachable!("it was just made one"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recovery() -> Recovery {
        Recovery {
            to: "before:7:1".to_owned(),
            lineage: "rs0-1".to_owned(),
            snapshot: "20260102T030405Z-7f3a".to_owned(),
            connections: 4,
            verify_first: false,
            release: true,
            drill: Some(JobDrill { run: "r1".to_owned(), seed: u64::MAX, queries: Some("[[query]]".to_owned()) }),
        }
    }

    #[test]
    fn the_values_of_the_contract_stay_and_the_recovery_is_ours() {
        let given = json!({
            "global": { "imageRegistry": "r" },
            "mongodb": { "mode": "standard", "archive": { "url": "s3://b/p" }, "recovery": { "to": "latest", "identitySecret": "keys" } }
        });
        let told = values(Some(&given), &recovery());
        assert_eq!(told["global"], given["global"]);
        assert_eq!(told["mongodb"]["archive"], given["mongodb"]["archive"]);
        assert_eq!(told["mongodb"]["mode"], "recovery");
        let part = &told["mongodb"]["recovery"];
        assert_eq!(
            (&part["to"], &part["identitySecret"], &part["release"]),
            (&json!("before:7:1"), &json!("keys"), &json!(true))
        );
        assert_eq!(values(None, &recovery())["mongodb"]["recovery"]["lineage"], "rs0-1");
        assert_eq!(told["orders-api"]["enabled"], false, "beside a drill nobody writes");
        let restore = Recovery { drill: None, ..recovery() };
        assert!(values(None, &restore)["orders-api"].is_null(), "a restore brings the API back");
    }

    #[test]
    fn all_that_is_told_are_values_of_the_chart() {
        let schema: Value =
            serde_json::from_str(include_str!("../../../../charts/mongodb/values.schema.json")).unwrap();
        let told = values(None, &recovery());
        let known = &schema["properties"]["recovery"]["properties"];
        for name in told["mongodb"]["recovery"].as_object().unwrap().keys() {
            assert!(!known[name].is_null(), "{name}");
        }
        for (name, value) in told["mongodb"]["recovery"]["drill"].as_object().unwrap() {
            assert!(!known["drill"]["properties"][name].is_null(), "{name}");
            assert_eq!(
                known["drill"]["properties"][name]["type"],
                if value.is_string() { "string" } else { "boolean" }
            );
        }
    }
}
