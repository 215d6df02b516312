//! The output `restore_contract`: what a root tells about the place that it made (terraform/schemas/restore-contract.schema.json).
//!
//! Fields that are not known are ignored; a newer `schema_version` is refused, because fields may mean something else there.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::failure::{Failure, FailureKind, Result};

pub const OUTPUT: &str = "restore_contract";
const NEWEST: u64 = 1;

/// The part of the contract that a restore needs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Contract {
    pub provider: String,
    pub environment: String,
    pub region: String,
    pub source_environment: String,
    /// The Kubernetes that the chart is installed into; without one the destination is reached over the wire.
    pub cluster: Option<Cluster>,
    pub kube_context: Option<String>,
    pub namespace: Option<String>,
    pub archive: Archive,
    pub chart: Chart,
    pub destination_uri: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Cluster {
    pub name: String,
    pub endpoint: String,
    pub ca_data: String,
    pub auth: ClusterAuth,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ClusterAuth {
    pub kind: String,
    pub command: Option<String>,
    #[serde(default)]
    pub args: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Archive {
    pub url: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Chart {
    pub install: bool,
    pub values: Option<Value>,
}

impl Contract {
    /// Of what `terraform output -json` prints.
    pub fn of_outputs(outputs: &Value, root: &Path) -> Result<Self> {
        let value = outputs.get(OUTPUT).and_then(|output| output.get("value"));
        let value = value.filter(|value| !value.is_null()).ok_or_else(|| missing(root))?;
        check_version(value.get("schema_version"), root)?;
        let contract: Self = serde_json::from_value(value.clone()).map_err(|error| {
            refusal(format!("the output {OUTPUT} cannot be used: {error}"), root)
                .because("a field is missing or of another type")
        })?;
        contract.check(root)?;
        Ok(contract)
    }

    /// The connection string, where the destination is reached from here; else it is in `cluster`.
    pub fn over_the_wire(&self, root: &Path) -> Result<String> {
        let none = || refusal(format!("the output {OUTPUT} cannot be used: it names no destination_uri"), root);
        self.destination_uri.clone().ok_or_else(none)
    }

    /// Where the place is a cluster, only the chart brings a set into it.
    pub fn require_chart(&self, root: &Path) -> Result<()> {
        if self.chart.install { Ok(()) } else { Err(without_chart(root)) }
    }

    fn check(&self, root: &Path) -> Result<()> {
        let wrong = |what: &str| Err(refusal(format!("the output {OUTPUT} cannot be used: {what}"), root));
        match (&self.cluster, &self.destination_uri) {
            (None, None) => wrong("it names neither a cluster nor a destination_uri"),
            (Some(_), Some(_)) => wrong("it names a cluster and a destination_uri"),
            // Not shown: it would stand in the state and in logs.
            (None, Some(uri)) if uri.contains('@') => {
                wrong("its destination_uri holds a user, and a contract holds no secrets")
            }
            (None, Some(uri)) if !uri.starts_with("mongodb://") && !uri.starts_with("mongodb+srv://") => {
                wrong("its destination_uri is not one of MongoDB")
            }
            (Some(_), None) if self.namespace.is_none() => wrong("it names a cluster and no namespace"),
            _ => Ok(()),
        }
    }
}

/// `found`: the field `schema_version`, as far as it is known.
pub fn check_version(found: Option<&Value>, root: &Path) -> Result<()> {
    match found.and_then(Value::as_u64) {
        Some(version) if (1..=NEWEST).contains(&version) => Ok(()),
        Some(version) if version > NEWEST => {
            Err(refusal(format!("the output {OUTPUT} has schema_version {version}; this dr-cli knows {NEWEST}"), root)
                .because("the root is newer than dr-cli")
                .then("a dr-cli of the release that the root belongs to"))
        }
        _ => Err(refusal(format!("the output {OUTPUT} has no schema_version"), root)),
    }
}

pub fn without_chart(root: &Path) -> Failure {
    refusal("the place is a cluster, and its contract does not want the chart installed".to_owned(), root)
        .because("nothing else would bring a replica set into it, and none can be reached from here")
        .then("install_chart = true; or install a set there and name it with --destination")
}

pub fn missing(root: &Path) -> Failure {
    refusal(format!("the root has no output {OUTPUT}"), root)
        .because("it is not a root that makes a place for a restore")
}

fn refusal(what: String, root: &Path) -> Failure {
    Failure::new(FailureKind::Usage, what)
        .at(root.display().to_string())
        .because("the root does not follow terraform/schemas/restore-contract.schema.json")
        .then("name a root such as terraform/environments/aws/restore with --terraform")
}

#[cfg(test)]
pub mod samples {
    use super::*;

    pub fn contract(cluster: &Value, context: Option<&str>) -> Contract {
        serde_json::from_value(serde_json::json!({
            "schema_version": 1, "provider": "local", "environment": "restore", "region": "here", "source_environment": "prod",
            "cluster": cluster, "kube_context": context, "namespace": "restore-a1b2c3", "archive": {"url": "s3://b/p"},
            "chart": {"install": true, "values": null}, "destination_uri": null
        }))
        .unwrap()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Value {
        json!({
            "schema_version": 1, "provider": "local", "environment": "restore", "region": "here", "source_environment": "prod",
            "created_at": "2026-01-02T03:04:05Z", "cluster": null, "kube_context": null, "namespace": null, "storage_class": null,
            "node_pool_labels": {}, "workload_identity": {"kind": "none"}, "archive": {"url": "file:///backups"}, "registry": null,
            "ingress": null, "chart": {"install": false, "values": null}, "destination_uri": "mongodb://127.0.0.1:1/?replicaSet=r",
            "of_a_later_release": {"x": 1}
        })
    }

    fn read(contract: &Value) -> Result<Contract> {
        Contract::of_outputs(
            &json!({ "restore_contract": { "sensitive": false, "value": contract } }),
            Path::new("/root"),
        )
    }

    #[test]
    fn what_the_schema_requires_is_enough_and_the_rest_is_ignored() {
        let schema: Value =
            serde_json::from_str(include_str!("../../../../terraform/schemas/restore-contract.schema.json")).unwrap();
        let mut required = json!({});
        for field in schema["required"].as_array().unwrap() {
            let field = field.as_str().unwrap();
            required[field] = sample()[field].clone();
        }
        let contract = read(&required).unwrap();
        assert_eq!(contract, read(&sample()).unwrap());
        assert_eq!(contract.destination_uri.as_deref(), Some("mongodb://127.0.0.1:1/?replicaSet=r"));
        assert!(!contract.chart.install);
    }

    #[test]
    fn a_missing_or_newer_contract_is_a_usage_error_that_says_so() {
        let none = Contract::of_outputs(&json!({ "other": { "value": 1 } }), Path::new("/root")).unwrap_err();
        assert_eq!((none.kind, none.location.as_str()), (FailureKind::Usage, "/root"));
        assert!(none.what.contains("no output restore_contract"), "{none}");
        let mut newer = sample();
        newer["schema_version"] = json!(2);
        let newer = read(&newer).unwrap_err();
        assert!(newer.kind == FailureKind::Usage && newer.what.contains("schema_version 2"), "{newer}");
        assert!(newer.next.contains("dr-cli"), "{newer}");
        for version in [json!("1"), json!(0), Value::Null] {
            let mut odd = sample();
            odd["schema_version"] = version;
            assert!(read(&odd).unwrap_err().what.contains("no schema_version"));
        }
    }

    #[test]
    fn a_contract_that_contradicts_itself_is_refused_and_shows_no_secret() {
        let with = |field: &str, value: Value| {
            let mut changed = sample();
            changed[field] = value;
            read(&changed)
        };
        let secret = with("destination_uri", json!("mongodb://u:pw-1@h/")).unwrap_err();
        assert!(!secret.to_string().contains("pw-1"), "{secret}");
        assert!(with("destination_uri", Value::Null).unwrap_err().what.contains("neither a cluster"));
        assert!(with("destination_uri", json!("http://h/")).unwrap_err().what.contains("not one of MongoDB"));
        let cluster = json!({ "name": "c", "endpoint": "https://c", "ca_data": "", "auth": { "kind": "exec", "command": "aws" } });
        assert!(with("cluster", cluster).unwrap_err().what.contains("a cluster and a destination_uri"));
        assert!(with("archive", json!({})).unwrap_err().what.contains("url"));
    }
}
