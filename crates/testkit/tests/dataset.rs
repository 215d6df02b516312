//! The shop is the same for the same seed, has every kind of collection, and loads fast.
#![allow(clippy::unwrap_used)]

use testkit::capture::{Detail, DiffOptions, capture_matching};
use testkit::{ReplicaSet, dataset};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_loads_the_same_shop() {
    let (one, two) = tokio::try_join!(ReplicaSet::single(), ReplicaSet::single()).unwrap();
    let (one, two) = (one.client(), two.client());
    let (first, second) =
        tokio::try_join!(dataset::load_shop(&one, 3_000, 7), dataset::load_shop(&two, 3_000, 7)).unwrap();
    assert_eq!((first.documents, first.bytes), (second.documents, second.bytes));
    // The server invents the `_id`s of buckets.
    let wanted = |namespace: &str| namespace != "telemetry.system.buckets.sensors";
    let left = capture_matching(&one, None, Detail::Documents, wanted).await.unwrap();
    let right = capture_matching(&two, None, Detail::Documents, wanted).await.unwrap();
    left.assert_same(&right, &DiffOptions::default(), "seed 7");
    let orders = &left.get("shop.orders").unwrap().documents;
    assert_eq!(orders.count, 3_000);
    let mean = orders.bytes / orders.count;
    assert!((300..1_000).contains(&mean), "an order has {mean} bytes");
    assert_eq!(left.get("shop.orders").unwrap().indexes.len(), 8);
    for kind in ["view", "timeseries"] {
        assert!(left.collections.values().any(|collection| collection.kind == kind), "{kind}");
    }
}
