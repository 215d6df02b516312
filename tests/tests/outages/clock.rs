//! A wall clock that is an hour off beside a server whose clock is right.

use std::time::Duration;

use anyhow::{Result, ensure};
use bson::{Document, doc};
use e2e::programs::{free_port, page};
use e2e::{ArchiveFolder, ShiftedClock};
use testkit::{ReplicaSet, Sidecar};
use tokio::time::Instant;

const LIMIT: Duration = Duration::from_mins(1);
const HOUR: i64 = 3600;

fn value(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.split(['{', ' ']).next() == Some(name))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

/// What is measured between two moments of the server stays what it is; that the clocks differ has a metric of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_an_hour_off_is_told_and_changes_no_lag() -> Result<()> {
    let clock = ShiftedClock::build()?;
    let set = ReplicaSet::builder().members(2).start().await?;
    let orders = set.client().database("shop").collection::<Document>("orders");
    for seconds in [HOUR, -HOUR] {
        let (archive, port) = (ArchiveFolder::new()?, free_port()?);
        let (uri, url, listen) = (set.uri(), archive.url(), format!("127.0.0.1:{port}"));
        let arguments = ["run", "--uri", &uri, "--archive", &url, "--listen", &listen, "--metrics-interval", "1s"];
        let environment = clock.environment(seconds);
        let sidecar = Sidecar::run_with(arguments, &environment.each())?;
        let deadline = Instant::now() + LIMIT;
        loop {
            orders.insert_one(doc! { "at": "any time" }).await?;
            let text = page(port, "/metrics").await.map(|(_, text)| text).unwrap_or_default();
            let skew = value(&text, "tidemark_clock_skew_seconds");
            #[allow(clippy::cast_precision_loss, reason = "an hour")]
            let told = skew.is_some_and(|skew| (skew + seconds as f64).abs() < 30.0);
            let lag = value(&text, "tidemark_archive_lag_seconds");
            let replication = value(&text, "tidemark_replset_member_lag_seconds");
            for lag in [lag, replication].into_iter().flatten() {
                ensure!((0.0..60.0).contains(&lag), "a lag of {lag} s with a clock that is off by {seconds} s: {text}");
            }
            if told && lag.is_some() && replication.is_some() {
                break;
            }
            ensure!(Instant::now() < deadline, "skew {skew:?}, {seconds} s off\n{text}\n{}", sidecar.log());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    Ok(())
}
