//! The addresses of the node agent. Reading only, and never a value that somebody stored or asked for.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::board::NodeBoard;
use crate::error::{Error, Result};

pub async fn serve(listener: TcpListener, board: NodeBoard, stop: CancellationToken) -> Result<()> {
    let served = axum::serve(listener, router(board)).with_graceful_shutdown(stop.cancelled_owned());
    served.await.map_err(|error| Error::Internal(format!("serving HTTP ended: {error}")))
}

fn router(board: NodeBoard) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/slow-queries", get(slow_queries))
        .with_state(board)
}

async fn ready(State(board): State<NodeBoard>) -> (StatusCode, String) {
    match board.not_ready_because() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn metrics(State(board): State<NodeBoard>) -> Response {
    match board.view() {
        Some(view) => answer("text/plain; version=0.0.4; charset=utf-8", &view.metrics),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn slow_queries(State(board): State<NodeBoard>) -> Response {
    match board.view() {
        Some(view) => answer("application/json", &view.slow_queries),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn answer(content_type: &'static str, body: &[u8]) -> Response {
    ([(header::CONTENT_TYPE, content_type)], body.to_vec()).into_response()
}
