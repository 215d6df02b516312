//! Restores of the small archive into a real server: what the command says about it at the end.

use bson::{Document, doc};
use serde_json::json;
use testkit::ReplicaSet;

use crate::archive::{Archive, FIRST, ORDERS, SECOND, at};
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

    /// What the error message says that somebody has to do by hand.
    fn empty(&self) {
        let client = self.set.client();
        self.runtime.block_on(async {
            client.database("shop").drop().await.unwrap();
            for name in client.database("config").list_collection_names().await.unwrap() {
                if name.starts_with("tidemark_") {
                    client.database("config").collection::<Document>(&name).drop().await.unwrap();
                }
            }
        });
    }

    fn is_untouched(&self) -> bool {
        let client = self.set.client();
        self.runtime.block_on(async {
            let config = client.database("config").list_collection_names().await.unwrap();
            client.database("shop").list_collection_names().await.unwrap().is_empty()
                && !config.iter().any(|name| name.starts_with("tidemark_"))
        })
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
    failed.assert_error(5, &["shop.users has 2 documents instead of 3", "when it happens again", "empty this one"]);
    // It does not count as restored.
    let uri = destination.set.uri();
    archive.run(&["release", "--destination", &uri]).assert_error(3, &[]);
}

/// The newest snapshot has a segment of the right size with another bit.
fn flipped() -> Archive {
    let archive = Archive::sample();
    archive.damage(&archive.segment_key(SECOND, ORDERS, 1), |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
    });
    archive
}

#[test]
fn damage_that_is_found_while_loading_says_what_became_of_the_destination_and_how_to_go_on() {
    let archive = flipped();
    let destination = Destination::start();
    let failed = destination.restore(&archive, &["--to", "latest"]);
    let key = archive.segment_key(SECOND, ORDERS, 1).to_string();
    let next = format!("dr-cli restore --to latest --snapshot {FIRST}");
    let parts = ["the destination is incomplete and must not be used", "empty this one", "dr-cli verify --level hash"];
    failed.assert_error(5, &[&parts[..], &[&key, &next]].concat());
    assert!(!destination.is_untouched());

    // Another snapshot cannot continue it; once it is emptied as the message says, that one serves.
    let other = ["--to", "latest", "--snapshot", FIRST];
    destination.restore(&archive, &other).assert_error(9, &["another unfinished restore", SECOND]);
    destination.empty();
    let report = destination.restore(&archive, &other).json();
    assert_eq!((&report["exit_code"], &report["snapshot_id"]), (&json!(0), &json!(FIRST)), "{report}");
    assert_eq!(destination.orders(), [(106..=126).collect::<Vec<i64>>(), vec![128, 129]].concat());
}

#[test]
fn with_verify_first_damage_is_found_before_anything_is_written() {
    let archive = flipped();
    let destination = Destination::start();
    let failed = destination.restore(&archive, &["--to", "latest", "--verify-first"]);
    let key = archive.segment_key(SECOND, ORDERS, 1).to_string();
    let next = format!("next: dr-cli restore --to latest --snapshot {FIRST}");
    failed.assert_error(5, &[&key, "nothing was written into the destination", &next]);
    assert!(destination.is_untouched());
    let report = destination.restore(&archive, &["--to", "latest", "--snapshot", FIRST, "--verify-first"]).json();
    assert_eq!(report["exit_code"], 0, "{report}");
    let phases: Vec<_> = report["phases"].as_array().unwrap().iter().map(|phase| &phase["name"]).collect();
    assert!(phases.contains(&&json!("verify")), "{phases:?}");
}

#[test]
fn a_destination_that_is_still_being_made_is_waited_for() {
    let archive = Archive::sample();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    // With a key file its user does not exist either before it is initiated.
    let set = runtime.block_on(ReplicaSet::builder().auth(true).start_uninitiated()).unwrap();
    let uri = set.uri();
    let command = ["restore", "--to", "latest", "--destination", &uri, "--yes", "--json", "--quiet"];
    let at_once = archive.run(&command);
    assert!([2, 8].contains(&at_once.code), "{}", at_once.stdout);
    let in_vain = archive.run(&[&command[..], &["--wait-for-destination", "3s"]].concat());
    assert_eq!(in_vain.json()["outcome"], if in_vain.code == 2 { "refused" } else { "failed" });
    assert!(in_vain.json()["error"]["cause"].as_str().unwrap().contains("waited"), "{}", in_vain.stdout);

    let restored = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| archive.run(&[&command[..], &["--wait-for-destination", "5m"]].concat()));
        runtime.block_on(async { tokio::time::sleep(std::time::Duration::from_secs(2)).await });
        assert!(!waiting.is_finished());
        runtime.block_on(set.initiate()).unwrap();
        waiting.join().unwrap()
    });
    assert_eq!(restored.code, 0, "{}{}", restored.stdout, restored.stderr);
}
