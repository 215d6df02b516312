//! The node agent over the logs of a site, laid out as a kubelet lays out those of pods.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use testkit::Sidecar;
use testkit::mongod::port::PortLease;
use testkit::mongod::temp_folder;

use super::{NAMESPACE, Site, Target};

const JOB: &str = "db/tidemark-node";

#[derive(Debug)]
pub struct NodeAgent {
    _process: Sidecar,
    cluster: &'static str,
    port: PortLease,
    _folder: TempDir,
}

impl NodeAgent {
    pub async fn start(site: &Site, sidecar: &Path) -> Result<Self> {
        let (folder, port) = (temp_folder("pods")?, PortLease::take()?);
        let logs = folder.path().join("pods");
        for (index, pod) in site.pods.iter().enumerate() {
            let container = logs.join(format!("{NAMESPACE}_{}_uid-{index}", pod.name)).join("mongod");
            std::fs::create_dir_all(&container).context("create the folder of a pod's logs")?;
            // A second name for the file that mongod writes: links that point elsewhere are not followed.
            std::fs::hard_link(site.set.log(index), container.join("0.log")).context("link a log")?;
        }
        let (logs, positions) =
            (logs.display().to_string(), folder.path().join("positions.json").display().to_string());
        let listen = format!("127.0.0.1:{}", port.port());
        let arguments = ["node", "--logs", &logs, "--log-positions", &positions, "--listen", &listen];
        let mut process = Sidecar::run_program(sidecar, arguments, &[])?;
        process.wait_for_log("serving /livez", Duration::from_secs(30)).await?;
        Ok(Self { _process: process, cluster: site.cluster, port, _folder: folder })
    }

    pub fn port(&self) -> u16 {
        self.port.port()
    }

    pub fn target(&self) -> Target {
        // Namespace and pod are those of the servers, which the agent says.
        let labels = BTreeMap::from([("cluster", self.cluster.to_owned())]);
        Target { job: JOB, port: self.port(), labels, honors_labels: true }
    }
}
