//! The addresses of the node agent. Reading only, and never a value that somebody stored or asked for.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio_util::sync::CancellationToken;

use prometheus::core::Collector as _;
use prometheus::{Encoder as _, TextEncoder};

use super::board::NodeBoard;
use super::slow_page;
use crate::error::{Error, Result};
use crate::http::listener::{Closed, Guarded};
use crate::page;

pub async fn serve(listener: Guarded, board: NodeBoard, closed: Closed, stop: CancellationToken) -> Result<()> {
    let served = axum::serve(listener, router(board, closed)).with_graceful_shutdown(stop.cancelled_owned());
    served.await.map_err(|error| Error::Internal(format!("serving HTTP ended: {error}")))
}

fn router(board: NodeBoard, closed: Closed) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(async move |state| metrics(state, &closed)))
        .route("/slow-queries", get(slow_queries))
        .route("/slow-queries.html", get(slow_queries_page))
        .route("/", get(slow_queries_page))
        .with_state(board)
}

async fn ready(State(board): State<NodeBoard>) -> (StatusCode, String) {
    match board.not_ready_because() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

fn metrics(State(board): State<NodeBoard>, closed: &Closed) -> Response {
    match board.view() {
        Some(view) => {
            let mut body = view.metrics.to_vec();
            // Writing into memory does not fail.
            TextEncoder::new().encode(&closed.counters().collect(), &mut body).ok();
            answer("text/plain; version=0.0.4; charset=utf-8", &body)
        }
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// JSON, but for a browser.
async fn slow_queries(State(board): State<NodeBoard>, headers: HeaderMap, query: RawQuery) -> Response {
    if page::wants_html(&headers) {
        return slow_queries_page(State(board), query).await;
    }
    match board.view() {
        // Caches must not hand the page of a browser to a program.
        Some(view) => ([(header::VARY, "accept")], Json(&*view.slow_queries)).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn slow_queries_page(State(board): State<NodeBoard>, RawQuery(query): RawQuery) -> Response {
    let reloads = query.as_deref() != Some("reload=off");
    match board.view() {
        Some(view) => slow_page::page(&view, crate::monitor::now(), reloads).answer(),
        None => {
            (StatusCode::SERVICE_UNAVAILABLE, "the logs were not looked at yet; reload in a moment\n").into_response()
        }
    }
}

fn answer(content_type: &'static str, body: &[u8]) -> Response {
    ([(header::CONTENT_TYPE, content_type)], body.to_vec()).into_response()
}
