//! The receiver: keeps every notification that Alertmanager sends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinHandle;

/// What was said of one alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// `page`, `ticket` or `dead-man`.
    pub receiver: String,
    pub is_firing: bool,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub starts_at: String,
    pub received_at: Timestamp,
}

impl Notification {
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    pub fn alert(&self) -> &str {
        self.label("alertname")
    }

    pub fn annotation(&self, name: &str) -> &str {
        self.annotations.get(name).map_or("", String::as_str)
    }

    /// Somebody's telephone rings.
    pub fn is_page(&self) -> bool {
        self.receiver == "page"
    }

    /// Whether both speak of the same alert, from the same moment on.
    pub fn is_same_alert(&self, other: &Self) -> bool {
        self.labels == other.labels && self.starts_at == other.starts_at
    }
}

type Received = Arc<Mutex<Vec<Notification>>>;

#[derive(Debug)]
pub struct Webhook {
    url: String,
    received: Received,
    serving: JoinHandle<()>,
}

impl Webhook {
    pub async fn start() -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.context("listen for notifications")?;
        let url = format!("http://{}", listener.local_addr()?);
        let received = Received::default();
        let router = axum::Router::new().route("/{receiver}", post(take)).with_state(Arc::clone(&received));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Ok(Self { url, received, serving })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Everything so far, in the order in which it came.
    pub fn received(&self) -> Vec<Notification> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(received): State<Received>, Path(receiver): Path<String>, Json(body): Json<Value>) -> StatusCode {
    let Some(alerts) = body["alerts"].as_array() else { return StatusCode::BAD_REQUEST };
    let received_at = Timestamp::now();
    let notifications = alerts.iter().map(|alert| Notification {
        receiver: receiver.clone(),
        is_firing: alert["status"] == "firing",
        labels: texts(&alert["labels"]),
        annotations: texts(&alert["annotations"]),
        starts_at: alert["startsAt"].as_str().unwrap_or_default().to_owned(),
        received_at,
    });
    received.lock().unwrap_or_else(PoisonError::into_inner).extend(notifications);
    StatusCode::OK
}

fn texts(object: &Value) -> BTreeMap<String, String> {
    let members = object.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}
