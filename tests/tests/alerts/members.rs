//! Faults of servers and sidecars, in a set of three.

use anyhow::{Context, Result};
use e2e::faults;
use e2e::monitoring::shop::{SlowScans, write_reports};
use e2e::monitoring::{Site, Watch};

pub async fn faults(site: &mut Site, watch: &Watch) -> Result<()> {
    a_killed_mongod_is_down(site, watch).await.context("a killed mongod")?;
    a_secondary_that_stops_replicating_lags(site, watch).await.context("a secondary that stops replicating")?;
    a_killed_sidecar_is_absent(site, watch).await.context("a killed sidecar")?;
    without_a_majority_there_is_no_primary(site, watch).await.context("a lost majority")?;
    slow_scans_of_a_deploy_are_told(site, watch).await.context("slow scans")
}

async fn a_killed_mongod_is_down(site: &Site, watch: &Watch) -> Result<()> {
    let (incident, victim) = (watch.incident(site.cluster), site.bystander().await?);
    let pod = site.pods[victim].name.as_str();
    site.set.kill(victim)?;
    let down = incident.arrives("MongodDown", "critical", &[("pod", pod), ("namespace", "db")]).await?;
    incident.is_held_back("ReplsetMemberUnhealthy").await?;
    incident.is_held_back("ReplsetMajorityAtRisk").await?;
    site.set.restart(victim).await?;
    incident.resolves(&down).await?;
    incident.paged_only_for(&["MongodDown"]).await
}

async fn a_secondary_that_stops_replicating_lags(site: &Site, watch: &Watch) -> Result<()> {
    let (incident, behind) = (watch.incident(site.cluster), site.bystander().await?);
    let host = &site.set.hosts()[behind];
    faults::stop_replicating(&site.set, behind).await?;
    let labels = [("member", host.as_str()), ("replset", site.cluster)];
    let warned = incident.arrives("ReplicationLagHigh", "warning", &labels).await?;
    let paged = incident.arrives("ReplicationLagHigh", "critical", &labels).await?;
    faults::replicate(&site.set, behind).await?;
    incident.resolves(&paged).await?;
    incident.resolves(&warned).await?;
    incident.paged_only_for(&["ReplicationLagHigh"]).await
}

async fn a_killed_sidecar_is_absent(site: &mut Site, watch: &Watch) -> Result<()> {
    let (incident, victim) = (watch.incident(site.cluster), site.bystander().await?);
    let pod = &mut site.pods[victim];
    pod.kill()?;
    let absent = incident.arrives("SidecarAbsent", "warning", &[("pod", pod.name.as_str())]).await?;
    pod.start().await?;
    incident.resolves(&absent).await?;
    incident.paged_only_for(&[]).await
}

async fn without_a_majority_there_is_no_primary(site: &Site, watch: &Watch) -> Result<()> {
    let (incident, primary) = (watch.incident(site.cluster), site.set.primary().await?);
    let others: Vec<usize> = (0..site.pods.len()).filter(|index| *index != primary).collect();
    for index in &others {
        site.set.kill(*index)?;
    }
    let none = incident.arrives("ReplsetNoPrimary", "critical", &[("replset", site.cluster)]).await?;
    incident.is_held_back("ReplsetMajorityAtRisk").await?;
    let mut down = Vec::new();
    for index in &others {
        down.push(incident.arrives("MongodDown", "critical", &[("pod", site.pods[*index].name.as_str())]).await?);
        // One at a time: two of three elect only the one that has all writes, so that none is rolled back.
        site.set.launch(*index).await?;
        site.set.primary().await?;
    }
    site.set.wait_healthy().await?;
    for notification in down.iter().chain([&none]) {
        incident.resolves(notification).await?;
    }
    incident.paged_only_for(&["ReplsetNoPrimary", "MongodDown"]).await
}

async fn slow_scans_of_a_deploy_are_told(site: &Site, watch: &Watch) -> Result<()> {
    let (incident, client) = (watch.incident(site.cluster), site.set.client());
    write_reports(&client).await?;
    let scans = SlowScans::start(&client);
    let told = incident.arrives("NewCollscan", "info", &[("db", "shop"), ("coll", "reports")]).await;
    scans.stop().await?;
    incident.resolves(&told?).await?;
    incident.paged_only_for(&[]).await
}
