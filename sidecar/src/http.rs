//! What the sidecar serves: probes, metrics, status. Reading only; nothing here can change or stop anything.
//!
//! `/livez` depends on neither store nor server: a sidecar whose surroundings are broken must not be restarted for it.

use std::net::SocketAddr;

use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::listener::{Closed, Guarded};
use crate::error::{Error, Result};
use crate::status::{StatusBoard, StatusReport};

pub mod listener;
mod page;

/// Binds at once, so that a taken port is found out before anything else starts.
pub async fn bind(address: SocketAddr, closed: Closed) -> Result<Guarded> {
    let bound = TcpListener::bind(address).await;
    let listener = bound.map_err(|source| Error::Listen { address: address.to_string(), source })?;
    Ok(Guarded::new(listener, closed))
}

/// Serves until stopped.
pub async fn serve(listener: Guarded, board: StatusBoard, stop: CancellationToken) -> Result<()> {
    let served = axum::serve(listener, router(board)).with_graceful_shutdown(stop.cancelled_owned());
    served.await.map_err(|error| Error::Internal(format!("serving HTTP ended: {error}")))
}

fn router(board: StatusBoard) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/status.html", get(home))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .route("/slow-queries", get(slow_queries))
        .with_state(board)
}

async fn ready(State(board): State<StatusBoard>) -> (StatusCode, String) {
    match board.not_ready_because() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn metrics(State(board): State<StatusBoard>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], board.scrape())
}

/// As the node agent answers, when the profiler is read.
async fn slow_queries(State(board): State<StatusBoard>) -> impl IntoResponse {
    const NONE: &str = "the profiler is not read: --slow-profiler; the node agent serves what logs say\n";
    match board.metrics.slow.report() {
        Some(report) => (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], report.to_vec()),
        None => (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], NONE.into()),
    }
}

async fn status(State(board): State<StatusBoard>) -> Json<StatusReport> {
    Json(board.report())
}

async fn home(State(board): State<StatusBoard>, RawQuery(query): RawQuery) -> Response {
    let reloads = query.as_deref() != Some("reload=off");
    let slow = board.metrics.slow.latest();
    let slow = slow.as_ref().and_then(|slow| slow.pods.first());
    page::page(&board.report(), slow, reloads).answer()
}
