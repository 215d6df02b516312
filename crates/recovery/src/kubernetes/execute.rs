//! From a contract that names a cluster to what the chart's Job gave.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Cluster, Installation, Installed, JobResult, Recovery, values};
use crate::failure::Result;
use crate::progress::Progress;
use crate::terraform::{Contract, RunPhase, TerraformRun};

/// The chart `tidemark`, and as what it is installed.
#[derive(Debug, Clone)]
pub struct ChartToInstall {
    /// Its folder, its package, or its address in a registry.
    pub chart: PathBuf,
    pub release: String,
    /// Files that are applied before: Secrets that the values name.
    pub manifests: Vec<PathBuf>,
}

/// Installs the chart in the cluster of `contract`, waits until its Job has ended, and gives what that printed, be it a
/// failure. `patience`: until the cluster answers, and until the Job's pod runs.
///
/// # Errors
/// What kept the Job from being run, or from saying anything. What was installed stands in the run's record by then.
pub async fn carry_out(
    run: &mut TerraformRun,
    contract: &Contract,
    chart: &ChartToInstall,
    recovery: &Recovery,
    patience: Duration,
    progress: Arc<dyn Progress>,
) -> Result<JobResult> {
    contract.require_chart(&run.record().root)?;
    let installation = Installation {
        chart: chart.chart.clone(),
        manifests: chart.manifests.clone(),
        values: values(contract.chart.values.as_ref(), recovery),
    };
    let (kubeconfig, told) = (run.file("kubeconfig"), run.file("values.json"));
    let cluster = Cluster::of(contract, run.tools(), &chart.release, &kubeconfig, progress, run.interrupt())?;
    run.measure("wait for cluster", cluster.wait(patience)).await?;
    let manifests = run.manifests().await?;
    if let Some(uid) = run.record().installed.as_ref().and_then(|installed| installed.namespace_uid.clone()) {
        cluster.require_namespace(&uid).await?;
    } else {
        // Nothing was installed: the namespace is known first.
        cluster.require_fresh().await?;
        run.note_installed(Some(cluster.at().clone()))?;
        let namespace_uid = Some(cluster.make_namespace().await?);
        run.note_installed(Some(Installed { namespace_uid, ..cluster.at().clone() }))?;
    }
    run.mark(RunPhase::Restoring)?;
    run.measure("install chart", cluster.install(&installation, &manifests, &told)).await?;
    run.measure(recovery.command(), cluster.done(recovery.command(), patience)).await
}
