//! A real Prometheus that scrapes every second, and what it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testkit::fetched;

use super::server::Server;
use crate::programs::page;

/// Production scrapes every 30 s; a sixtieth is less than what it can.
const SCRAPE_INTERVAL: &str = "1s";

/// Where to scrape, and what relabelling would have made of it.
#[derive(Debug, Clone)]
pub struct Target {
    pub job: &'static str,
    pub port: u16,
    pub labels: BTreeMap<&'static str, String>,
    /// Of an agent that speaks of pods other than its own.
    pub honors_labels: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Sample {
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// The values of one series over time: seconds since 1970, value.
#[derive(Debug, Clone)]
pub struct Line {
    pub labels: BTreeMap<String, String>,
    pub points: Vec<(f64, f64)>,
}

#[derive(Debug)]
pub struct Prometheus {
    server: Server,
}

impl Prometheus {
    pub async fn start(rules: &str, targets: &[Target], alertmanager: u16) -> Result<Self> {
        let folder = tokio::task::spawn_blocking(|| fetched::folder("fetch-prometheus.sh")).await??;
        let (program, config) = (folder.join("prometheus"), config(targets, alertmanager));
        let server = Server::start(&program, "prometheus", |folder, port| {
            std::fs::write(folder.join("rules.yaml"), rules).context("write rules")?;
            // JSON is YAML.
            std::fs::write(folder.join("prometheus.yaml"), config.to_string()).context("write a configuration")?;
            Ok(vec![
                format!("--config.file={}", folder.join("prometheus.yaml").display()),
                format!("--storage.tsdb.path={}", folder.join("data").display()),
                format!("--web.listen-address=127.0.0.1:{port}"),
                "--log.level=warn".to_owned(),
                // Alerts that fire before Alertmanager is found are sent again after this, a minute by default.
                "--rules.alert.resend-delay=5s".to_owned(),
                // Ten scrapes, as five minutes are for the usual interval.
                "--query.lookback-delta=10s".to_owned(),
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

    /// An instant query; a scalar is one sample without labels.
    pub async fn query(&self, expression: &str) -> Result<Vec<Sample>> {
        let data = self.ask(&format!("/api/v1/query?query={}", escape(expression)), expression).await?;
        let result = &data["result"];
        if data["resultType"] == "scalar" {
            return Ok(vec![Sample { labels: BTreeMap::new(), value: number(&result[1])? }]);
        }
        let series = result.as_array().with_context(|| format!("`{expression}` gives no vector: {data}"))?;
        series.iter().map(|one| Ok(Sample { labels: labels(one)?, value: number(&one["value"][1])? })).collect()
    }

    /// Values of the last `span`, in about a hundred steps.
    pub async fn query_range(&self, expression: &str, span: Duration) -> Result<Vec<Line>> {
        let end = jiff::Timestamp::now().as_second();
        let seconds = i64::try_from(span.as_secs())?;
        let (start, step) = (end - seconds, (seconds / 100).max(1));
        let path = format!("/api/v1/query_range?query={}&start={start}&end={end}&step={step}", escape(expression));
        let data = self.ask(&path, expression).await?;
        let series = data["result"].as_array().with_context(|| format!("`{expression}` gives no matrix: {data}"))?;
        let line = |one: &Value| {
            let values = one["values"].as_array().context("values")?;
            let point = |value: &Value| Ok((value[0].as_f64().context("a time")?, number(&value[1])?));
            Ok(Line { labels: labels(one)?, points: values.iter().map(point).collect::<Result<_>>()? })
        };
        series.iter().map(line).collect()
    }

    /// Names of the alerts that fire, the watchdog apart.
    pub async fn firing(&self) -> Result<BTreeSet<String>> {
        let samples = self.query(r#"ALERTS{alertstate="firing",alertname!="TidemarkWatchdog"}"#).await?;
        let shown = |sample: &Sample| format!("{} in {}", sample.label("alertname"), sample.label("cluster"));
        Ok(samples.iter().map(shown).collect())
    }

    /// Rules that could not be evaluated, with the reason.
    pub async fn failing_rules(&self) -> Result<Vec<String>> {
        let data = self.ask("/api/v1/rules", "rules").await?;
        let groups = data["groups"].as_array().context("groups of rules")?;
        let rules = groups.iter().filter_map(|group| group["rules"].as_array()).flatten();
        let failing = rules.filter(|rule| rule["health"] != "ok");
        Ok(failing.map(|rule| format!("{}: {} {}", rule["name"], rule["health"], rule["lastError"])).collect())
    }

    async fn ask(&self, path: &str, expression: &str) -> Result<Value> {
        let (status, body) = page(self.port(), path).await.with_context(|| format!("ask for `{expression}`"))?;
        let answer: Value = serde_json::from_str(&body).with_context(|| format!("Prometheus: {status} {body}"))?;
        ensure!(answer["status"] == "success", "`{expression}`: {answer}");
        Ok(answer["data"].clone())
    }
}

fn config(targets: &[Target], alertmanager: u16) -> Value {
    let address = |port: u16| format!("127.0.0.1:{port}");
    let jobs: BTreeSet<&str> = targets.iter().map(|target| target.job).collect();
    let scrape_configs: Vec<Value> = jobs
        .into_iter()
        .map(|job| {
            let of_job: Vec<&Target> = targets.iter().filter(|target| target.job == job).collect();
            let static_configs: Vec<Value> = of_job
                .iter()
                .map(|target| json!({ "targets": [address(target.port)], "labels": target.labels }))
                .collect();
            json!({
                "job_name": job,
                "honor_labels": of_job.iter().any(|target| target.honors_labels),
                "static_configs": static_configs,
            })
        })
        .collect();
    json!({
        "global": {
            "scrape_interval": SCRAPE_INTERVAL,
            "scrape_timeout": SCRAPE_INTERVAL,
            "evaluation_interval": SCRAPE_INTERVAL,
        },
        "rule_files": ["rules.yaml"],
        "alerting": { "alertmanagers": [{ "static_configs": [{ "targets": [address(alertmanager)] }] }] },
        "scrape_configs": scrape_configs,
    })
}

fn labels(series: &Value) -> Result<BTreeMap<String, String>> {
    let metric = series["metric"].as_object().context("a series has labels")?;
    Ok(metric.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect())
}

fn number(value: &Value) -> Result<f64> {
    let text = value.as_str().context("a value is text")?;
    // `NaN`, `+Inf` and `-Inf` are numbers for Rust, too.
    text.parse().with_context(|| format!("`{text}` is no number"))
}

/// For the query of a URL.
fn escape(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
