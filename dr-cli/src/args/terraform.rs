//! The options of commands that have Terraform make the destination.

use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, clap::Args)]
pub struct TerraformArgs {
    /// Have Terraform make the destination: the folder of a root module with the output `restore_contract`
    #[arg(long, value_name = "DIR", conflicts_with = "destination")]
    pub terraform: Option<PathBuf>,
    /// The terraform to run; the one on PATH when absent
    #[arg(long, env = "TERRAFORM", value_name = "PATH")]
    pub terraform_bin: Option<PathBuf>,
    /// A variable of the root, as for terraform; `{suffix}` stands for the suffix of this run. Secrets belong into `TF_VAR_NAME`
    #[arg(long, value_name = "NAME=VALUE", requires = "terraform", value_parser = parse_variable)]
    pub var: Vec<String>,
    /// A file with variables of the root, as for terraform
    #[arg(long, value_name = "FILE", requires = "terraform")]
    pub var_file: Vec<PathBuf>,
    /// A setting of the root's backend, or a file with some, as for terraform; `{suffix}` stands for the suffix of this run
    #[arg(long, value_name = "NAME=VALUE", requires = "terraform")]
    pub backend_config: Vec<String>,
    /// The folder of this run, new or empty; one below `$XDG_STATE_HOME/tidemark/runs` when absent
    #[arg(long, value_name = "DIR", requires = "terraform", conflicts_with = "clean_up")]
    pub run_dir: Option<PathBuf>,
    /// For a cluster that Terraform makes
    #[arg(long, env = "HELM", value_name = "PATH", default_value = "helm")]
    pub helm: PathBuf,
    /// For a cluster that Terraform makes
    #[arg(long, env = "KUBECTL", value_name = "PATH", default_value = "kubectl")]
    pub kubectl: PathBuf,
    /// How long to wait until the destination answers
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = super::drill::parse_seconds)]
    pub patience: u64,
    /// Destroy what a run made that ended before its end, and nothing else: the name of the run, or its folder
    #[arg(long, value_name = "RUN", requires = "terraform", conflicts_with_all = ["var", "var_file", "backend_config"])]
    pub clean_up: Option<PathBuf>,
    /// Clean up without asking the cluster, when that is gone already: volumes that it made may stay in the cloud
    #[arg(long, requires = "clean_up")]
    pub leave_volumes: bool,
}

impl TerraformArgs {
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}

fn parse_variable(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is not NAME=VALUE")),
    }
}
