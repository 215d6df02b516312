//! What is in a state, by `terraform show -json`.

use serde::Deserialize;
use serde_json::Value;

/// A resource that Terraform manages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    pub address: String,
    pub kind: String,
    /// The provider's own name for it, where it has one.
    pub id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Shown {
    values: Option<Values>,
}

#[derive(Debug, Deserialize)]
struct Values {
    root_module: Option<Module>,
}

#[derive(Debug, Deserialize)]
struct Module {
    #[serde(default)]
    resources: Vec<Listed>,
    #[serde(default)]
    child_modules: Vec<Module>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    address: String,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    values: Option<Value>,
}

/// By address. What was only looked up (data sources) is not listed: it exists without us.
pub fn resources(shown: &Value) -> Result<Vec<Resource>, serde_json::Error> {
    let shown = Shown::deserialize(shown)?;
    let mut found = Vec::new();
    let mut modules: Vec<Module> = shown.values.and_then(|values| values.root_module).into_iter().collect();
    while let Some(module) = modules.pop() {
        modules.extend(module.child_modules);
        let managed = module.resources.into_iter().filter(|listed| listed.mode == "managed");
        found.extend(managed.map(|listed| Resource {
            id: listed.values.as_ref().and_then(id_of),
            address: listed.address,
            kind: listed.kind,
        }));
    }
    found.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(found)
}

/// The attribute `id`.
pub fn id_of(values: &Value) -> Option<String> {
    values.get("id")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_modules_are_listed_and_what_was_looked_up_is_not() {
        let of = |address: &str, mode: &str, id: Value| json!({ "address": address, "mode": mode, "type": "t", "values": { "id": id, "x": "secret" } });
        let shown = json!({ "format_version": "1.0", "values": { "root_module": {
            "resources": [of("t.b", "managed", json!("2")), of("data.t.a", "data", json!("1"))],
            "child_modules": [{ "address": "module.m", "resources": [of("module.m.t.a", "managed", json!(null))],
                "child_modules": [{ "resources": [of("module.m.module.n.t.a[0]", "managed", json!("3"))] }] }]
        } } });
        let found: Vec<_> = resources(&shown).unwrap().into_iter().map(|one| (one.address, one.id)).collect();
        let expected = [("module.m.module.n.t.a[0]", Some("3")), ("module.m.t.a", None), ("t.b", Some("2"))];
        assert_eq!(found, expected.map(|(address, id)| (address.to_owned(), id.map(str::to_owned))));
        assert!(resources(&json!({ "format_version": "1.0" })).unwrap().is_empty(), "an empty state");
        assert!(resources(&json!({ "values": { "root_module": { "resources": [{}] } } })).is_err());
    }
}
