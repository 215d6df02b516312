//! `sidecar node`: one process for all pods of a node, which turns the logs of their servers into slow-query metrics.
//!
//! It reads files and nothing else; it talks to no server. What it counts is in memory and begins anew with the process, as
//! counters do; where it stopped reading is kept, so that a restart neither repeats nor leaves out what was logged.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::config::NodeConfig;
use crate::error::{Error, Result};
use crate::http;
use crate::http::listener::Closed;
use crate::tasks::Tasks;

mod agent;
mod board;
mod exposition;
mod routes;
mod slow_page;

use agent::Agent;
pub use agent::{OWN_APP_NAME, PodReport, SlowQueries};
use board::NodeBoard;
pub use exposition::families_of_one;
pub use slow_page::shapes;

/// Between two looks at the files when there was nothing left to read.
const PAUSE: Duration = Duration::from_millis(250);
/// What is served is that old at most.
const PUBLISH_EVERY: Duration = Duration::from_secs(2);

/// Follows logs and serves what they say, until stopped.
pub async fn run(config: &NodeConfig, stop: CancellationToken) -> Result<()> {
    let closed = Closed::new().map_err(|error| Error::Internal(error.to_string()))?;
    let listener = http::bind(config.listen, closed.clone()).await?;
    tracing::info!(event = "serving", address = %config.listen, "serving /livez /readyz /metrics /slow-queries and a page at /");
    let board = NodeBoard::default();
    let mut tasks = Tasks::new(stop.clone());
    tasks.spawn("http", routes::serve(listener, board.clone(), closed, stop.clone()));
    tasks.spawn("logs", follow(config.clone(), board, stop.clone()));
    tasks.wait(config.shutdown_grace).await
}

async fn follow(config: NodeConfig, board: NodeBoard, stop: CancellationToken) -> Result<()> {
    let start = Instant::now();
    let mut agent = Agent::open(&config)?;
    let mut publish_at = Instant::now();
    loop {
        // Reading files blocks; the runtime's threads have requests to answer.
        let now = start.elapsed();
        let polled = tokio::task::spawn_blocking(move || {
            let is_behind = agent.poll(now);
            (agent, is_behind)
        });
        let is_behind;
        (agent, is_behind) = polled.await.map_err(|error| Error::Internal(error.to_string()))?;
        if Instant::now() >= publish_at {
            publish_at = Instant::now() + PUBLISH_EVERY;
            board.publish(agent.view());
        }
        let pause = if is_behind { Duration::ZERO } else { PAUSE };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}
