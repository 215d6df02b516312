//! The monitor of a sidecar, without its archiver.

use std::time::Duration;

use anyhow::{Context as _, Result};
use sidecar::metrics::Metrics;
use sidecar::monitor;
use sidecar::status::StatusBoard;
use tokio_util::sync::CancellationToken;

use super::{config, until};

pub struct Watched {
    pub board: StatusBoard,
    stop: CancellationToken,
}

impl Watched {
    pub fn start(uri: &str, member: Option<&str>) -> Self {
        Self::start_with(uri, member, &[])
    }

    pub fn start_with(uri: &str, member: Option<&str>, more: &[(&str, &str)]) -> Self {
        let mut settings = vec![("metrics_interval", "1s"), ("storage_interval", "2s"), ("data_path", "/")];
        settings.extend(member.map(|member| ("member", member)));
        settings.extend(more);
        let config = config(uri, "file:///nowhere", &settings);
        let board = StatusBoard::new(Metrics::new().unwrap(), Duration::from_secs(5), "file:///nowhere");
        let stop = CancellationToken::new();
        tokio::spawn(monitor::run(config, board.clone(), stop.clone()));
        Self { board, stop }
    }

    pub fn scrape(&self) -> String {
        String::from_utf8(self.board.scrape()).unwrap()
    }

    pub async fn until(&self, what: &str, limit: Duration, check: impl Fn(&str) -> bool) -> Result<String> {
        let found = until(what, limit, async || Some(self.scrape()).filter(|text| check(text))).await;
        found.with_context(|| self.scrape())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Of the series with exactly this name and these labels.
pub fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

pub fn is(text: &str, series: &str, expected: f64) -> bool {
    value(text, series).is_some_and(|value| (value - expected).abs() < f64::EPSILON)
}

/// Of all series of a name whose labels hold all of these.
pub fn sum(text: &str, name: &str, labels: &[&str]) -> f64 {
    let of_name = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
    let wanted = of_name.filter(|line| labels.iter().all(|label| line.contains(label)));
    wanted.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
