//! Who watches: Prometheus, Alertmanager and the receiver, and what is true of everything that arrives.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{Alertmanager, Incident, Notification, Prometheus, Target, Webhook, repository, rules};

/// Longer than any `for`, group and scrape together, on a machine that is busy.
pub const LIMIT: Duration = Duration::from_mins(3);
const PAUSE: Duration = Duration::from_millis(200);
const RUNBOOKS: &str = "docs/runbooks";

#[derive(Debug)]
pub struct Watch {
    pub prometheus: Prometheus,
    pub alertmanager: Alertmanager,
    pub webhook: Webhook,
}

impl Watch {
    pub async fn start(targets: &[Target]) -> Result<Self> {
        let rules = tokio::task::spawn_blocking(rules::render).await??;
        let webhook = Webhook::start().await?;
        let alertmanager = Alertmanager::start(webhook.url()).await?;
        let prometheus = Prometheus::start(&rules, targets, alertmanager.port()).await?;
        Ok(Self { prometheus, alertmanager, webhook })
    }

    /// From now on, what is said about one cluster.
    pub fn incident(&self, cluster: &'static str) -> Incident<'_> {
        Incident::new(self, cluster, self.webhook.received().len())
    }

    /// Waits for a fact, and asks again when it could not be asked for.
    pub async fn until(&self, what: &str, fact: impl AsyncFn(&Self) -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let seen = fact(self).await;
            if matches!(seen, Ok(true)) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("not within {LIMIT:?}: {what} ({seen:?})\n{}", self.state().await);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// For messages.
    pub async fn state(&self) -> String {
        let firing = self.prometheus.firing().await;
        let received = self.webhook.received();
        let last: Vec<String> =
            received.iter().rev().filter(|one| one.receiver != "dead-man").take(30).map(told).collect();
        format!(
            "firing: {firing:?}\nreceived, newest first:\n{}\nPrometheus:\n{}\nAlertmanager:\n{}",
            last.join("\n"),
            self.prometheus.log_tail(),
            self.alertmanager.log_tail()
        )
    }
}

/// One line about a notification.
pub fn told(notification: &Notification) -> String {
    let state = if notification.is_firing { "firing" } else { "resolved" };
    let names = ["severity", "cluster", "replset", "pod", "member", "db", "coll", "verdict"];
    let labels = names.map(|name| (name, notification.label(name)));
    let labels: Vec<String> =
        labels.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}={value}")).collect();
    let at = notification.received_at.strftime("%H:%M:%S");
    format!("{at} {}: {} {state} {}", notification.receiver, notification.alert(), labels.join(" "))
}

/// Whoever is woken by it learns what, where, why it matters and what to do.
pub fn assert_is_useful(notification: &Notification) -> Result<()> {
    let alert = notification.alert();
    ensure!(notification.label("product") == "tidemark", "{alert}: labels {:?}", notification.labels);
    ensure!(!notification.label("cluster").is_empty(), "{alert} of no cluster: {:?}", notification.labels);
    let receiver = if notification.label("severity") == "critical" { "page" } else { "ticket" };
    ensure!(notification.receiver == receiver, "{alert} went to {}", notification.receiver);
    for name in ["summary", "description", "impact", "dashboard_url"] {
        let text = notification.annotation(name);
        ensure!(
            !text.is_empty() && !text.contains("{{") && !text.contains("<no value>"),
            "{alert}: {name} is `{text}`"
        );
    }
    let cluster = format!("&var-cluster={}", notification.label("cluster"));
    let dashboard = notification.annotation("dashboard_url");
    ensure!(dashboard.contains(&cluster), "{alert}: {dashboard} opens all clusters");
    // An empty label leaves two spaces, or nothing in brackets.
    let description = notification.annotation("description");
    ensure!(!description.contains("()") && !description.contains(" of  "), "{alert}: `{description}`");
    let runbook = notification.annotation("runbook_url");
    let page = runbook.rsplit_once('/').map(|(_, page)| page).context("a runbook has an address")?;
    ensure!(page == format!("{alert}.md") && runbook.contains(RUNBOOKS), "{alert}: {runbook}");
    ensure!(repository(RUNBOOKS).join(page).is_file(), "{runbook}: no such page");
    Ok(())
}
