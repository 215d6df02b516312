//! What `/slow-queries` answers for one server: the namespaces and shapes that took most time, as JSON.
//!
//! Fields may be added, never renamed. Durations are seconds, moments are RFC 3339 from the log's own clock, counts are
//! since this process began to follow the log. `example` is the command without its values ([`crate::redact`]).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::aggregate::{Aggregate, LineCounts, NamespaceFigures};
use crate::figures::{ShapeFigures, TIMES};
use crate::operation::{Namespace, Plan};
use crate::shape::{Origin, ShapeKey};

#[derive(Debug, Serialize)]
pub struct Report {
    pub lines: LineCounts,
    /// By time taken, most first. The last one may be `__other__`.
    pub namespaces: Vec<NamespaceReport>,
    /// By time taken, most first.
    pub shapes: Vec<ShapeReport>,
    /// What has no shape of its own here.
    pub other_shapes: OtherShapes,
    pub limits: LimitsReport,
}

#[derive(Debug, Serialize)]
pub struct NamespaceReport {
    pub db: String,
    pub coll: String,
    pub operations: Vec<OperationReport>,
}

#[derive(Debug, Serialize)]
pub struct OperationReport {
    pub op: &'static str,
    pub count: u64,
    pub seconds: f64,
    pub collscans: u64,
    pub docs_examined: u64,
    pub returned: u64,
}

#[derive(Debug, Serialize)]
pub struct ShapeReport {
    pub shape: String,
    /// Who made the name `shape`.
    pub shape_from: Option<Origin>,
    pub db: String,
    pub coll: String,
    pub op: &'static str,
    pub count: u64,
    pub failed: u64,
    pub seconds: f64,
    pub longest_seconds: f64,
    /// Where the time went ([`TIMES`]); what no line told of is left out. They overlap: `cpu`, `storage_read` and
    /// `planning` are parts of `working`.
    pub times: BTreeMap<&'static str, f64>,
    pub docs_examined: u64,
    pub keys_examined: u64,
    pub returned: u64,
    /// Plans that were used, with how often.
    pub plans: Vec<PlanReport>,
    pub first_at: Option<String>,
    pub last_at: Option<String>,
    pub example: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct PlanReport {
    pub plan: &'static str,
    pub count: u64,
}

#[derive(Debug, Serialize)]
pub struct OtherShapes {
    pub count: u64,
    pub seconds: f64,
}

#[derive(Debug, Serialize)]
pub struct LimitsReport {
    pub namespaces: usize,
    pub namespaces_evicted: u64,
    pub shapes: usize,
    pub shapes_evicted: u64,
}

impl Aggregate {
    pub fn report(&self) -> Report {
        let mut namespaces = self.all_namespaces();
        namespaces.sort_by_key(|(namespace, figures)| (self.is_other(namespace), std::cmp::Reverse(millis(figures))));
        let mut shapes: Vec<(&ShapeKey, &ShapeFigures)> = self.shapes.tracked().collect();
        shapes.sort_by(|(key, shape), (other_key, other)| {
            other.millis.cmp(&shape.millis).then_with(|| key.cmp(other_key))
        });
        let other = self.shapes.other();
        Report {
            lines: self.lines(),
            namespaces: namespaces.into_iter().map(|(name, figures)| namespace_report(name, figures)).collect(),
            shapes: shapes.into_iter().map(|(key, shape)| shape_report(key, shape)).collect(),
            other_shapes: OtherShapes { count: other.count, seconds: seconds(other.millis) },
            limits: LimitsReport {
                namespaces: self.limits().namespaces,
                namespaces_evicted: self.namespaces.evictions(),
                shapes: self.limits().shapes,
                shapes_evicted: self.shapes.evictions(),
            },
        }
    }

    fn is_other(&self, namespace: &Namespace) -> bool {
        self.namespaces.tracked().all(|(tracked, _)| tracked != namespace)
    }
}

fn millis(figures: &NamespaceFigures) -> u64 {
    figures.operations().map(|(_, figures)| figures.duration.sum_millis).fold(0, u64::saturating_add)
}

fn namespace_report(namespace: Namespace, figures: &NamespaceFigures) -> NamespaceReport {
    let operations = figures.operations().map(|(operation, figures)| {
        let [docs_examined, _, returned, ..] = figures.work;
        let [collscans, ..] = figures.plans;
        OperationReport {
            op: operation.label(),
            count: figures.duration.count(),
            seconds: seconds(figures.duration.sum_millis),
            collscans,
            docs_examined,
            returned,
        }
    });
    NamespaceReport { operations: operations.collect(), db: namespace.db, coll: namespace.coll }
}

fn shape_report(key: &ShapeKey, shape: &ShapeFigures) -> ShapeReport {
    let plans = Plan::ALL.into_iter().zip(shape.plans).filter(|(_, count)| *count > 0);
    ShapeReport {
        shape: key.id.clone(),
        shape_from: shape.origin,
        db: key.namespace.db.clone(),
        coll: key.namespace.coll.clone(),
        op: key.operation.label(),
        count: shape.count,
        failed: shape.failed,
        seconds: seconds(shape.millis),
        longest_seconds: seconds(shape.longest_millis),
        times: times(shape),
        docs_examined: shape.docs_examined,
        keys_examined: shape.keys_examined,
        returned: shape.returned,
        plans: plans.map(|(plan, count)| PlanReport { plan: plan.label(), count }).collect(),
        first_at: shape.first_millis.and_then(moment),
        last_at: shape.last_millis.and_then(moment),
        example: shape.example.clone(),
    }
}

fn times(shape: &ShapeFigures) -> BTreeMap<&'static str, f64> {
    let told = TIMES.into_iter().zip(shape.times_micros).filter(|(_, micros)| *micros > 0);
    told.map(|(name, micros)| (name, seconds(micros) / 1000.0)).collect()
}

fn moment(millis: i64) -> Option<String> {
    jiff::Timestamp::from_millisecond(millis).ok().map(|at| at.to_string())
}

#[expect(clippy::cast_precision_loss, reason = "thousands of years")]
fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::aggregate::Limits;
    use crate::line::Reader;

    #[test]
    fn a_report_shows_shapes_without_values() {
        let mut aggregate = Aggregate::new(Limits::default());
        for line in include_str!("../tests/lines/6.0.5.log").lines() {
            aggregate.observe(&Reader::new(Some("tidemark")).read(line.as_bytes()), Duration::ZERO);
        }
        let json = serde_json::to_string_pretty(&aggregate.report()).unwrap();
        for secret in ["geheim", "alice", "p4ss", "127.0.0.1", "shop-api", "xxxx"] {
            assert!(!json.contains(secret), "{secret}");
        }
        let report: serde_json::Value = serde_json::from_str(&json).unwrap();
        let shapes = report["shapes"].as_array().unwrap();
        let shape = shapes.iter().find(|shape| shape["shape"] == "FC6D44A5").unwrap();
        assert_eq!(shape["shape_from"], "queryHash");
        assert_eq!(
            shape["example"],
            r#"{"find":"orders","filter":{"total":{"$gt":"number","$lt":"number"},"note":"string"}}"#
        );
        assert_eq!(shape["plans"][0]["plan"], "COLLSCAN");
        let told = |time: &str| shapes.iter().filter(|shape| shape["times"][time].as_f64() > Some(0.0)).count();
        assert!(told("lock_wait") > 0 && told("storage_read") > 0, "{json}");
        assert_eq!(told("working"), 0, "this version does not tell");
        assert!(shape["last_at"].as_str().unwrap().ends_with('Z'));
        assert!(shapes.windows(2).all(|pair| pair[0]["seconds"].as_f64() >= pair[1]["seconds"].as_f64()));
    }
}
