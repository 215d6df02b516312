//! How `kubectl` and `helm` sign in at the cluster of a contract. It names the program that gets a token and holds no secret.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::failure::{Failure, FailureKind, Result};
use crate::terraform::{Cluster, Contract};

/// Where the kubeconfig is, or what is to be written into one.
#[derive(Debug, Clone, PartialEq)]
pub enum Kubeconfig {
    Given { path: PathBuf, context: Option<String> },
    ToWrite { content: Value, context: String },
}

impl Kubeconfig {
    pub fn of(contract: &Contract) -> Result<Self> {
        let refuse = |what: &str| {
            Failure::new(FailureKind::Usage, format!("the cluster of the contract cannot be used: {what}"))
                .at("the output restore_contract")
                .because("the root does not follow terraform/schemas/restore-contract.schema.json")
                .then("a root of the release of this dr-cli")
        };
        let cluster = contract.cluster.as_ref().ok_or_else(|| refuse("there is none"))?;
        match cluster.auth.kind.as_str() {
            "file" => {
                let path = cluster.auth.args.first().ok_or_else(|| refuse("auth.args names no kubeconfig"))?;
                Ok(Self::Given { path: path.into(), context: contract.kube_context.clone() })
            }
            "exec" => {
                let command = cluster.auth.command.as_ref().ok_or_else(|| refuse("auth.command names no program"))?;
                let context = contract.kube_context.clone().unwrap_or_else(|| cluster.name.clone());
                Ok(Self::ToWrite { content: written(cluster, command, &context), context })
            }
            other => Err(refuse(&format!("auth.kind is `{}`", other.escape_debug()))),
        }
    }
}

fn written(cluster: &Cluster, command: &str, context: &str) -> Value {
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": command,
        "args": cluster.auth.args,
        "interactiveMode": "Never",
    });
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": cluster.name, "cluster": { "server": cluster.endpoint, "certificate-authority-data": cluster.ca_data } }],
        "users": [{ "name": context, "user": { "exec": exec } }],
        "contexts": [{ "name": context, "context": { "cluster": cluster.name, "user": context } }],
        "current-context": context,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::samples::contract;

    #[test]
    fn a_program_that_gets_tokens_is_written_down_and_a_file_is_used_as_it_is() {
        let auth = json!({ "kind": "exec", "command": "aws", "args": ["eks", "get-token"] });
        let cluster = json!({ "name": "c1", "endpoint": "https://c1", "ca_data": "Q0E=", "auth": auth });
        let Kubeconfig::ToWrite { content, context } = Kubeconfig::of(&contract(&cluster, None)).unwrap() else {
            panic!("it is written")
        };
        assert_eq!((context.as_str(), &content["current-context"]), ("c1", &json!("c1")));
        assert_eq!(content["users"][0]["user"]["exec"]["args"], json!(["eks", "get-token"]));
        assert_eq!(content["clusters"][0]["cluster"]["certificate-authority-data"], "Q0E=");

        let mut file = cluster.clone();
        file["auth"] = json!({ "kind": "file", "args": ["/k/config"] });
        let given = Kubeconfig::Given { path: "/k/config".into(), context: Some("there".to_owned()) };
        assert_eq!(Kubeconfig::of(&contract(&file, Some("there"))).unwrap(), given);
        file["auth"] = json!({ "kind": "file" });
        assert!(Kubeconfig::of(&contract(&file, None)).is_err());
        file["auth"] = json!({ "kind": "password" });
        assert!(Kubeconfig::of(&contract(&file, None)).unwrap_err().what.contains("password"));
    }
}
