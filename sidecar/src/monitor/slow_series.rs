//! What the profiler says, as it is served: the last complete view, for scrapes and for `/slow-queries`.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use slowlog::Aggregate;

use crate::node::{PodReport, SlowQueries, families_of_one};

#[derive(Debug)]
struct View {
    families: Vec<MetricFamily>,
    /// JSON.
    report: Arc<Vec<u8>>,
    latest: Arc<SlowQueries>,
}

/// Cheap to clone; empty unless the profiler is read.
#[derive(Debug, Clone)]
pub struct SlowSeries {
    view: Arc<Mutex<Option<View>>>,
    /// The registry wants one, and compares no others with what is collected.
    description: Arc<Desc>,
}

impl SlowSeries {
    pub fn new() -> prometheus::Result<Self> {
        let help = "Duration of slow operations.";
        let labels = ["db", "coll", "op"].map(str::to_owned).to_vec();
        let name = "tidemark_slow_op_duration_seconds".to_owned();
        let description = Desc::new(name, help.to_owned(), labels, std::collections::HashMap::new())?;
        Ok(Self { view: Arc::default(), description: Arc::new(description) })
    }

    /// `server` is host and port. The same families and the same report as those of the node agent.
    pub fn publish(&self, server: &str, aggregate: &Aggregate) {
        let report = PodReport { namespace: String::new(), pod: server.to_owned(), report: aggregate.report() };
        let latest = Arc::new(SlowQueries { schema: 1, pods: vec![report] });
        let report = serde_json::to_vec(&*latest).unwrap_or_else(|error| {
            tracing::error!(event = "slow_queries_not_encoded", %error, "slow queries not encoded");
            b"{}".to_vec()
        });
        let view = View { families: families_of_one(aggregate.families()), report: Arc::new(report), latest };
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = Some(view);
    }

    /// For the status page.
    pub fn latest(&self) -> Option<Arc<SlowQueries>> {
        let view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        view.as_ref().map(|view| Arc::clone(&view.latest))
    }

    pub fn report(&self) -> Option<Arc<Vec<u8>>> {
        let view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        view.as_ref().map(|view| Arc::clone(&view.report))
    }
}

impl Collector for SlowSeries {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.description]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        view.as_ref().map(|view| view.families.clone()).unwrap_or_default()
    }
}
