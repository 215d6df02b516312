//! The last complete snapshot of everything that is collected.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use metrics::Samples;
use metrics::cap::SeriesCap;
use prometheus::proto::MetricFamily;

use super::exposition;

#[derive(Debug, Default)]
struct Inner {
    /// By who collects them.
    parts: BTreeMap<&'static str, Samples>,
    cap: SeriesCap,
    families: Arc<Vec<MetricFamily>>,
}

impl Inner {
    fn all(&self) -> Samples {
        let mut all = Samples::default();
        for samples in self.parts.values() {
            all.extend(samples.clone());
        }
        all
    }
}

/// Where loops leave their samples. Cheap to clone; nobody holds it for longer than a copy takes.
#[derive(Debug, Clone, Default)]
pub struct Collected(Arc<Mutex<Inner>>);

impl Collected {
    /// Replaces everything that this part had said before.
    pub fn put(&self, part: &'static str, samples: Samples) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.parts.insert(part, samples);
        let all = inner.all();
        let capped = inner.cap.apply(all);
        inner.families = Arc::new(exposition::families(&capped));
    }

    /// What was known is not known any more.
    pub fn forget(&self, part: &'static str) {
        self.put(part, Samples::default());
    }

    /// Everything that is known now, also what is beyond the cap on series.
    pub fn samples(&self) -> Samples {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).all()
    }

    pub(crate) fn families(&self) -> Arc<Vec<MetricFamily>> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner).families)
    }
}
