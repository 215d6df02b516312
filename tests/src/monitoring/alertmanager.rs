//! A real Alertmanager with the routes, groups and inhibitions of our example.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::fetched;

use super::repository;
use super::rules::{SCALE, seconds};
use super::server::Server;
use crate::programs::page;

/// Where the example sends everything.
const EXAMPLE_RECEIVER: &str = "http://127.0.0.1:9720";
/// Longer than an evaluation and its way to Alertmanager, so that what inhibits is known when a group is sent.
const LEAST_WAIT: u64 = 2;
/// For groups that wait longer than pages do. What inhibits them is noticed by a sidecar as late as ever, three seconds after
/// a server has gone, while the minutes that its rule is ahead are seconds here.
const LEAST_LONG_WAIT: u64 = 6;

#[derive(Debug)]
pub struct Alertmanager {
    server: Server,
}

impl Alertmanager {
    /// `receiver`: the address that stands in the place of the example's.
    pub async fn start(receiver: &str) -> Result<Self> {
        let example = std::fs::read_to_string(repository("alerts/alertmanager.example.yaml"))?;
        ensure!(example.contains(EXAMPLE_RECEIVER), "the example does not send to {EXAMPLE_RECEIVER}");
        let config = scaled(&example)?.replace(EXAMPLE_RECEIVER, receiver);
        let folder = tokio::task::spawn_blocking(|| fetched::folder("fetch-alertmanager.sh")).await??;
        let program = folder.join("alertmanager");
        let server = Server::start(&program, "alertmanager", |folder, port| {
            std::fs::write(folder.join("alertmanager.yaml"), config).context("write a configuration")?;
            Ok(vec![
                format!("--config.file={}", folder.join("alertmanager.yaml").display()),
                format!("--storage.path={}", folder.join("data").display()),
                format!("--web.listen-address=127.0.0.1:{port}"),
                // Alone: no gossip, and no waiting for peers.
                "--cluster.listen-address=".to_owned(),
                "--log.level=warn".to_owned(),
            ])
        });
        Ok(Self { server: server.await? })
    }

    pub fn port(&self) -> u16 {
        self.server.port()
    }

    pub fn log_tail(&self) -> String {
        self.server.log_tail()
    }

    /// Whether an alert of this cluster is held back because of another one.
    pub async fn is_inhibited(&self, alert: &str, cluster: &str) -> Result<bool> {
        let (status, body) = page(self.port(), "/api/v2/alerts").await.context("ask Alertmanager for its alerts")?;
        ensure!(status == 200, "Alertmanager: {status} {body}");
        let alerts: Value = serde_json::from_str(&body).with_context(|| format!("Alertmanager: {body}"))?;
        let mut all = alerts.as_array().context("a list of alerts")?.iter();
        Ok(all.any(|one| {
            let is_meant = one["labels"]["alertname"] == alert && one["labels"]["cluster"] == cluster;
            is_meant && one["status"]["inhibitedBy"].as_array().is_some_and(|by| !by.is_empty())
        }))
    }
}

/// The example with times that go with the rules'.
fn scaled(example: &str) -> Result<String> {
    let mut text = String::new();
    for line in example.lines() {
        let (key, value) = line.split_once(": ").unwrap_or((line, ""));
        let least = match key.trim() {
            "group_wait" if value == "0s" => 0,
            "group_wait" if value == "30s" => LEAST_LONG_WAIT,
            "group_wait" => LEAST_WAIT,
            "group_interval" | "repeat_interval" => 1,
            _ => {
                text += &format!("{line}\n");
                continue;
            }
        };
        let value = seconds(value).with_context(|| format!("`{line}` has no duration"))?.div_ceil(SCALE).max(least);
        text += &format!("{key}: {value}s\n");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_shorter_and_nothing_else_changes() -> Result<()> {
        let example =
            "route:\n  group_wait: 30s\n  receiver: page\n  routes:\n    - receiver: b\n      group_wait: 0s\n";
        let expected =
            "route:\n  group_wait: 6s\n  receiver: page\n  routes:\n    - receiver: b\n      group_wait: 0s\n";
        ensure!(scaled(example)? == expected, "{}", scaled(example)?);
        ensure!(scaled("  repeat_interval: 12h")? == "  repeat_interval: 720s\n");
        ensure!(scaled("  group_wait: soon").is_err());
        Ok(())
    }
}
