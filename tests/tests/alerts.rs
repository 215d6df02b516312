//! Faults made for real, from the server to the receiver: the right alert arrives, nobody is woken for anything else, and it
//! is said when it is over. Prometheus, Alertmanager, servers, stores and sidecars are real; a minute of the rules is a second.
//!
//! Not reachable in minutes, and shown by promtool alone (`alerts/tests/`): budgets of 30 days (`*BudgetBurn`: any outage is a
//! large share of minutes), and what compares with yesterday (`SlowShapeRegression`, the silent half of `NewCollscan`).

#[path = "alerts/archive.rs"]
mod archive;
#[path = "alerts/members.rs"]
mod members;
#[path = "alerts/panels.rs"]
mod panels;
#[path = "alerts/runbooks.rs"]
mod runbooks;

use std::path::Path;

use anyhow::{Result, ensure};
use e2e::monitoring::shop::Traffic;
use e2e::monitoring::{NodeAgent, Site, Watch};
use e2e::{ArchiveFolder, Bucket};
use testkit::{ReplicaSet, processes};

/// Scrapes without a fault: more than any `for` of an alert that could fire in a healthy set.
const QUIET_SCRAPES: u32 = 40;

/// Three members and an archive in a folder.
async fn orders(sidecar: &Path) -> Result<Site> {
    let set = ReplicaSet::builder().members(3).set_name("orders").set_parameter("enableTestCommands", "1");
    Site::start("orders", set.start().await?, ArchiveFolder::new()?, sidecar).await
}

/// One member with a small oplog, and an archive behind a network that a test can cut.
async fn ledger(bucket: &Bucket, sidecar: &Path) -> Result<Site> {
    // Checkpoints let the oplog be cut: every second instead of every minute.
    let set = ReplicaSet::builder().set_name("ledger").oplog_mb(16).argument("--syncdelay").argument("1");
    Site::start("ledger", set.start().await?, bucket.archive("&deadline=2"), sidecar).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_raises_its_alert_and_panels_and_runbooks_show_it() -> Result<()> {
    let (bucket, sidecar) = (Bucket::start().await?, processes::binary("sidecar")?);
    let (mut orders, mut ledger) = tokio::try_join!(orders(&sidecar), ledger(&bucket, &sidecar))?;
    let agent = NodeAgent::start(&orders, &sidecar).await?;
    let traffic = (Traffic::start(&orders.set.client()).await?, Traffic::start(&ledger.set.client()).await?);
    let targets: Vec<_> = [orders.targets(), ledger.targets(), vec![agent.target()]].concat();
    let watch = Watch::start(&targets).await?;

    healthy_clusters_are_quiet(&watch, targets.len()).await?;
    tokio::try_join!(members::faults(&mut orders, &watch), archive::faults(&mut ledger, &bucket, &watch))?;

    ensure!(watch.prometheus.firing().await?.is_empty(), "{}", watch.state().await);
    ensure!(watch.prometheus.failing_rules().await?.is_empty(), "{:#?}", watch.prometheus.failing_rules().await?);
    panels::have_data(&watch, &["orders", "ledger"]).await?;
    runbooks::commands_work(&ledger, &agent, &watch).await?;
    drop(traffic);
    Ok(())
}

async fn healthy_clusters_are_quiet(watch: &Watch, targets: usize) -> Result<()> {
    let all = f64::from(u32::try_from(targets)?);
    let least = format!("count(sum_over_time(up[5m]) >= {QUIET_SCRAPES})");
    watch
        .until(&format!("{targets} targets were scraped {QUIET_SCRAPES} times"), async |watch| {
            let samples = watch.prometheus.query(&least).await?;
            Ok(samples.first().is_some_and(|sample| sample.value >= all))
        })
        .await?;
    let fired = watch.prometheus.query(r#"count_over_time(ALERTS{alertstate="firing"}[5m])"#).await?;
    let names: Vec<&str> = fired.iter().map(|sample| sample.label("alertname")).collect();
    ensure!(names == ["TidemarkWatchdog"], "fired without a fault: {names:?}\n{}", watch.state().await);
    let received = watch.webhook.received();
    ensure!(received.iter().all(|one| one.receiver == "dead-man"), "{}", watch.state().await);
    ensure!(received.len() >= 2, "the dead man's switch is not kept down\n{}", watch.state().await);
    Ok(())
}
