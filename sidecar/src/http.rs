//! What the sidecar serves: probes, metrics, status. Reading only; nothing here can change or stop anything.
//!
//! `/livez` depends on neither store nor server: a sidecar whose surroundings are broken must not be restarted for it.

use std::net::SocketAddr;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::status::{StatusBoard, StatusReport};

mod page;

/// Binds at once, so that a taken port is found out before anything else starts.
pub async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address: address.to_string(), source })
}

/// Serves until stopped.
pub async fn serve(listener: TcpListener, board: StatusBoard, stop: CancellationToken) -> Result<()> {
    let served = axum::serve(listener, router(board)).with_graceful_shutdown(stop.cancelled_owned());
    served.await.map_err(|error| Error::Internal(format!("serving HTTP ended: {error}")))
}

fn router(board: StatusBoard) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
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

async fn status(State(board): State<StatusBoard>) -> Json<StatusReport> {
    Json(board.report())
}

async fn home(State(board): State<StatusBoard>) -> Html<String> {
    Html(page::render(&board.report()))
}
