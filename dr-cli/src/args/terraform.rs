//! The options of commands that have Terraform make the destination.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::ArgPredicate;
use recovery::kubernetes::ChartToInstall;
use recovery::{Failure, FailureKind, Result};

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
    /// The chart to install in a cluster that Terraform makes: the folder of `tidemark`, its package, or its address in a registry
    #[arg(
        long,
        value_name = "CHART",
        requires = "terraform",
        default_value_if("terraform", ArgPredicate::IsPresent, "charts/tidemark")
    )]
    pub chart: Option<PathBuf>,
    /// The release that is installed there
    #[arg(
        long,
        value_name = "NAME",
        requires = "terraform",
        default_value_if("terraform", ArgPredicate::IsPresent, "tidemark")
    )]
    pub helm_release: Option<String>,
    /// Applied in its namespace before: a file with the Secrets that its values name, for example the archive's credentials
    #[arg(long, value_name = "FILE", requires = "terraform")]
    pub manifest: Vec<PathBuf>,
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

    /// What is installed where Terraform makes a cluster.
    pub fn chart(&self) -> Result<ChartToInstall> {
        let (Some(chart), Some(release)) = (self.chart.clone(), self.helm_release.clone()) else {
            return Err(Failure::new(FailureKind::Usage, "no chart is named")
                .at("the command line")
                .then("--chart charts/tidemark"));
        };
        Ok(ChartToInstall { chart, release, manifests: self.manifest.clone() })
    }
}

fn parse_variable(text: &str) -> std::result::Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is not NAME=VALUE")),
    }
}
