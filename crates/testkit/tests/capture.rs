//! The oracle sees every difference, and only differences.

#![allow(clippy::unwrap_used)]

use mongodb::Client;
use mongodb::bson::{Document, Timestamp, doc};
use testkit::capture::{Detail, DiffOptions, capture};
use testkit::{ReplicaSet, weird};

async fn run(client: &Client, command: Document) -> Timestamp {
    client.database("shop").run_command(command).await.unwrap().get_timestamp("operationTime").unwrap()
}

#[tokio::test]
async fn a_capture_at_a_time_shows_what_was_there_then() {
    let set = ReplicaSet::single().await.unwrap();
    let client = set.client();
    weird::load(&client).await.unwrap();
    run(&client, doc! { "create": "events", "timeseries": { "timeField": "t", "metaField": "m" } }).await;
    run(&client, doc! { "create": "clustered", "clusteredIndex": { "key": { "_id": 1 }, "unique": true } }).await;
    run(&client, doc! { "create": "ring", "capped": true, "size": 4096 }).await;
    run(&client, doc! { "create": "seen", "viewOn": "items", "pipeline": [{ "$match": { "a": 1 } }] }).await;
    for coll in ["clustered", "ring", "items"] {
        run(&client, doc! { "insert": coll, "documents": [{ "_id": 2, "a": { "b": [1, 2] } }, { "_id": 1 }] }).await;
    }
    let now = mongodb::bson::DateTime::now();
    let at = run(&client, doc! { "insert": "events", "documents": [{ "t": now, "m": 1, "v": 1 }] }).await;
    let before = capture(&client, None, Detail::Documents).await.unwrap();
    assert!(before.get("shop.system.views").is_some() && before.get("shop.system.buckets.events").is_some());

    for coll in ["clustered", "items"] {
        let change = doc! { "update": coll, "updates": [{ "q": { "_id": 2 }, "u": { "$set": { "a.b.1": 3 } } }] };
        run(&client, change).await;
        run(&client, doc! { "delete": coll, "deletes": [{ "q": { "_id": 1 }, "limit": 1 }] }).await;
    }
    run(&client, doc! { "insert": "events", "documents": [{ "t": now, "m": 1, "v": 2 }] }).await;
    let then = capture(&client, Some(at), Detail::Documents).await.unwrap();
    assert_eq!(before.diff(&then), Vec::<String>::new());
    let digests = capture(&client, Some(at), Detail::Digest).await.unwrap();
    assert_eq!(before.diff(&digests), Vec::<String>::new());

    let after = capture(&client, None, Detail::Documents).await.unwrap();
    let differences = before.diff(&after).join("\n");
    assert!(
        differences.contains("shop.items: _id Int32(2): a > b > 1: expected Int32(2), found Int32(3)"),
        "{differences}"
    );
    assert!(differences.contains("shop.items: _id Int32(1): missing"), "{differences}");
    assert!(differences.contains("shop.system.buckets.events: "), "{differences}");
    assert!(!differences.contains("weird"), "{differences}");
}

#[tokio::test]
async fn options_and_indexes_are_compared_without_regard_to_their_order() {
    let (one, two) = tokio::try_join!(ReplicaSet::single(), ReplicaSet::single()).unwrap();
    for (client, swapped) in [(one.client(), false), (two.client(), true)] {
        let mut create = doc! { "create": "items" };
        let mut options = vec![doc! { "validator": { "a": 1 } }, doc! { "validationLevel": "moderate" }];
        let mut indexes = vec![
            doc! { "key": { "a": 1, "b": -1 }, "name": "ab" },
            doc! { "key": { "at": 1 }, "name": "ttl", "expireAfterSeconds": if swapped { 10 } else { 20 } },
        ];
        if swapped {
            options.reverse();
            indexes.reverse();
        }
        create.extend(options.into_iter().flatten());
        run(&client, create).await;
        run(&client, doc! { "createIndexes": "items", "indexes": indexes }).await;
    }
    let left = capture(&one.client(), None, Detail::Digest).await.unwrap();
    let right = capture(&two.client(), None, Detail::Digest).await.unwrap();
    let expected = "shop.items: index ttl.expireAfterSeconds: expected Int32(20), found Int32(10)";
    assert_eq!(left.diff(&right), [expected]);
    let parked = DiffOptions { ignore_ttl_seconds: true };
    left.assert_same(&right, &parked, "parked");

    run(&two.client(), doc! { "dropIndexes": "items", "index": "ab" }).await;
    run(&two.client(), doc! { "createIndexes": "items", "indexes": [{ "key": { "b": -1, "a": 1 }, "name": "ab" }] })
        .await;
    run(&two.client(), doc! { "collMod": "items", "validator": { "b": 1 } }).await;
    run(&two.client(), doc! { "insert": "other", "documents": [{}] }).await;
    let right = capture(&two.client(), None, Detail::Digest).await.unwrap();
    let differences = left.diff_with(&right, &parked);
    // The server writes `validationAction` out when a validator is changed: validator, that, the index, the collection.
    assert_eq!(differences.len(), 4, "{differences:#?}");
}
