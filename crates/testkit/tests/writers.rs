//! The writers keep their promises through an election.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use testkit::{ReplicaSet, writers};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_go_on_through_a_step_down_and_keep_the_invariants() {
    let set = ReplicaSet::builder().members(3).start().await.unwrap();
    let client = set.client();
    let running = writers::start_writers(&client, 3).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let before = running.acknowledged();
    set.step_down().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let counts = running.stop().await.unwrap();
    println!("{counts:?}");
    for (before, after) in before.iter().zip(&counts.acknowledged) {
        assert!(*before > 0 && after > before, "{before} {after}");
    }
    for count in [counts.updates, counts.deletes, counts.find_and_modifies, counts.transactions, counts.capped_inserts]
    {
        assert!(count > 0, "{counts:?}");
    }
    let state = writers::check(&client).await.unwrap();
    assert_eq!((state.broken, state.ledger), (Vec::new(), counts.acknowledged));

    let live = client.database(writers::DATABASE);
    let first = mongodb::bson::doc! { "_id": { "writer": 0, "entry": 1_i64 } };
    live.collection::<mongodb::bson::Document>("ledger").delete_one(first).await.unwrap();
    assert_eq!(writers::check(&client).await.unwrap().broken.len(), 1);
}
