//! The workload does every kind of operation, the same for the same seed, and its points are exact.
#![allow(clippy::unwrap_used)]

use testkit::ReplicaSet;
use testkit::capture::{Detail, DiffOptions, capture_matching};
use testkit::workload::{DATABASE_PREFIX, Workload};

fn seeds() -> Vec<u64> {
    let seeds = std::env::var("TIDEMARK_SEEDS").unwrap_or_else(|_| "1".to_owned());
    seeds.split(',').map(|seed| seed.parse().unwrap()).collect()
}

#[tokio::test]
async fn every_kind_of_operation_happens_and_points_are_exact() {
    for seed in seeds() {
        let set = ReplicaSet::single().await.unwrap();
        let started = std::time::Instant::now();
        let mut workload = Workload::new(set.client(), seed);
        let mut points = Vec::new();
        while workload.steps_done() < 1_000 {
            points.push(workload.advance(120).await.unwrap());
        }
        println!("seed {seed}: {} points, {} steps in {:?}", points.len(), workload.steps_done(), started.elapsed());
        for (kind, done, refused) in workload.outcomes().all() {
            println!("  {kind}: {done} done, {refused} refused");
            assert!(done > 0 || refused < 10, "seed {seed}: {kind} was always refused");
        }
        assert!(workload.outcomes().all().count() >= 26, "seed {seed}: kinds of operations are missing");
        assert!(points.windows(2).all(|pair| pair[0].at <= pair[1].at));
        assert!(points.iter().all(|point| !point.operations.is_empty()));
        let documents = points.iter().map(|point| point.state.documents()).max().unwrap();
        println!("seed {seed}: up to {documents} documents in {} collections", points[1].state.collections.len());
        assert!(documents > 300, "seed {seed}: at most {documents} documents");
        // At rest, a plain read sees what the snapshot read saw.
        let point = workload.record_point().await.unwrap();
        let ours = |namespace: &str| namespace.starts_with(DATABASE_PREFIX);
        let now = capture_matching(&set.client(), None, Detail::Documents, ours).await.unwrap();
        point.state.assert_same(&now, &DiffOptions::default(), &workload.describe());
        assert!(!points[0].state.diff(&now).is_empty());
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_operations() {
    let (one, two) = tokio::try_join!(ReplicaSet::single(), ReplicaSet::single()).unwrap();
    let (mut first, mut second) = (Workload::new(one.client(), 11), Workload::new(two.client(), 11));
    tokio::try_join!(first.run(300), second.run(300)).unwrap();
    let (first, second) = (first.record_point().await.unwrap(), second.record_point().await.unwrap());
    assert_eq!(first.operations, second.operations);
}
