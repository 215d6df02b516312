//! One fault and what was said about it.

use std::cell::RefCell;
use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use super::watch::{assert_is_useful, told};
use super::{Notification, Watch};

pub struct Incident<'a> {
    watch: &'a Watch,
    cluster: &'static str,
    /// What came before is of other faults.
    since: usize,
    /// Alerts that must not be heard.
    held_back: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Incident<'a> {
    pub(super) fn new(watch: &'a Watch, cluster: &'static str, since: usize) -> Self {
        Self { watch, cluster, since, held_back: RefCell::default() }
    }

    /// What was said about this cluster since the beginning.
    pub fn heard(&self) -> Vec<Notification> {
        let received = self.watch.webhook.received();
        received.into_iter().skip(self.since).filter(|one| one.label("cluster") == self.cluster).collect()
    }

    /// Waits until the alert arrives, with these labels, where alerts of its severity go.
    pub async fn arrives(&self, alert: &str, severity: &str, labels: &[(&str, &str)]) -> Result<Notification> {
        let is_meant = |one: &Notification| {
            one.is_firing
                && one.alert() == alert
                && one.label("severity") == severity
                && labels.iter().all(|(name, value)| one.label(name) == *value)
        };
        let what = format!("{alert} ({severity}) of {} arrives with {labels:?}", self.cluster);
        self.watch.until(&what, async |_| Ok(self.heard().iter().any(is_meant))).await?;
        let notification = self.heard().into_iter().find(is_meant).context("it was there")?;
        assert_is_useful(&notification)?;
        Ok(notification)
    }

    /// Waits until the alert fires and Alertmanager holds it back.
    pub async fn is_held_back(&self, alert: &'static str) -> Result<()> {
        let cluster = self.cluster;
        self.held_back.borrow_mut().insert(alert);
        self.watch
            .until(&format!("{alert} of {cluster} fires and is inhibited"), async |watch| {
                watch.alertmanager.is_inhibited(alert, cluster).await
            })
            .await
    }

    /// Waits until the receiver is told that it is over.
    pub async fn resolves(&self, notification: &Notification) -> Result<()> {
        let is_over = |one: &Notification| !one.is_firing && one.is_same_alert(notification);
        let what = format!("it is said that it is over: {}", told(notification));
        self.watch.until(&what, async |_| Ok(self.heard().iter().any(is_over))).await
    }

    /// Waits until nothing fires for this cluster any more.
    async fn is_over(&self) -> Result<()> {
        let cluster = self.cluster;
        let of_cluster = format!(r#"ALERTS{{alertstate="firing",cluster="{cluster}"}}"#);
        self.watch
            .until(&format!("nothing fires for {cluster}"), async |watch| {
                Ok(watch.prometheus.query(&of_cluster).await?.is_empty())
            })
            .await
    }

    /// Waits for the end of the incident: nobody was woken for anything else, and what was to be held back was not heard.
    pub async fn paged_only_for(self, alerts: &[&str]) -> Result<()> {
        self.is_over().await?;
        let heard = self.heard();
        let all = || heard.iter().map(told).collect::<Vec<_>>().join("\n");
        for one in &heard {
            ensure!(!one.is_page() || alerts.contains(&one.alert()), "a page too many: {}\n{}", told(one), all());
            ensure!(!self.held_back.borrow().contains(one.alert()), "not held back: {}\n{}", told(one), all());
        }
        Ok(())
    }
}
