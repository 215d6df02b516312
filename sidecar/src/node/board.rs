//! What the node agent serves: the last complete view. A scrape never waits for a file.

use std::sync::{Arc, Mutex, PoisonError};

use super::agent::{Following, SlowQueries};

/// Made by the agent, as it goes out.
#[derive(Debug, Clone)]
pub struct View {
    /// In the text format of Prometheus.
    pub metrics: Arc<Vec<u8>>,
    pub slow_queries: Arc<SlowQueries>,
    /// What the numbers may be missing.
    pub following: Following,
    /// Why the logs are not read, if so.
    pub problem: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct NodeBoard(Arc<Mutex<Option<View>>>);

impl NodeBoard {
    pub fn publish(&self, view: View) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(view);
    }

    /// None before the logs were looked at once.
    pub fn view(&self) -> Option<View> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn not_ready_because(&self) -> Option<String> {
        match self.view() {
            None => Some("the logs were not looked at yet".to_owned()),
            Some(view) => view.problem,
        }
    }
}
