//! Restores of the small archive into a real server: what the command says about it at the end.

use bson::{Document, doc};
use serde_json::json;
use testkit::ReplicaSet;

use crate::archive::{Archive, SECOND, at};
use crate::run::Finished;

/// A fresh replica set, and what a test needs to look into it.
struct Destination {
    runtime: tokio::runtime::Runtime,
    set: ReplicaSet,
}

impl Destination {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let set = runtime.block_on(ReplicaSet::single()).unwrap();
        Self { runtime, set }
    }

    fn restore(&self, archive: &Archive, args: &[&str]) -> Finished {
        let uri = self.set.uri();
        let fixed = ["restore", "--destination", &uri, "--yes", "--json", "--quiet"];
        archive.run(&[&fixed[..], args].concat())
    }

    /// Ids of the orders, ascending.
    fn orders(&self) -> Vec<i64> {
        let orders = self.set.client().database("shop").collection::<Document>("orders");
        self.runtime.block_on(async {
            let mut cursor = orders.find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap();
            let mut ids = Vec::new();
            while cursor.advance().await.unwrap() {
                let id = cursor.current().get("_id").unwrap().unwrap();
                ids.push(id.as_i32().map(i64::from).or(id.as_i64()).unwrap());
            }
            ids
        })
    }
}

#[test]
fn latest_of_an_archive_that_lost_its_end_is_restored_with_findings() {
    let archive = Archive::sample();
    archive.put_mark(at(30, 1), Some(SECOND));
    archive.delete(&archive.slice_key(2));
    let destination = Destination::start();
    let restored = destination.restore(&archive, &["--to", "latest"]);
    let report = restored.json();
    assert_eq!((&report["exit_code"], &report["outcome"]), (&json!(10), &json!("findings")), "{report}");
    assert_eq!(report["target"]["resolved"], json!(at(20, 1)));
    let problem = report["findings"][0]["problem"].as_str().unwrap();
    assert!(problem.contains(&at(30, 1).to_string()), "{problem}");
    assert_eq!(destination.orders(), [1, 2, 3, 116, 117, 118, 119, 120]);
}

#[test]
fn a_sound_archive_is_restored_without_findings() {
    let archive = Archive::sample();
    archive.put_mark(at(30, 1), Some(SECOND));
    let destination = Destination::start();
    let restored = destination.restore(&archive, &["--to", "latest"]);
    let report = restored.json();
    assert_eq!((&report["exit_code"], &report["findings"]), (&json!(0), &json!([])), "{report}");
    assert_eq!(destination.orders(), [(116..=126).collect::<Vec<i64>>(), vec![128, 129]].concat());
}

#[test]
fn a_collection_that_does_not_hold_what_the_archive_says_is_an_integrity_failure() {
    let archive = Archive::sample();
    // Nobody wrote to the users since, so that the second one of the same id cannot be explained.
    archive.add_snapshot_of("20260101T000021Z-cccc", at(20, 1), at(21, 1), [1, 2, 2]);
    let destination = Destination::start();
    let failed = destination.restore(&archive, &["--to", &at(24, 0).to_string()]);
    failed.assert_error(5, &["shop.users has 2 documents instead of 3", "dr-cli verify"]);
    // It does not count as restored.
    let uri = destination.set.uri();
    archive.run(&["release", "--destination", &uri]).assert_error(3, &[]);
}
