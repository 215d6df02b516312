//! References of real replica sets: what is stored is what another member shows at that moment.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod support;

use std::time::Duration;

use anyhow::{Context, Result};
use archive::layout::ObjectKey;
use archive::reference::{DigestSum, MissingReason, Reference};
use archive::{ClusterTime, Namespace};
use bson::{Document, Timestamp, doc};
use futures::TryStreamExt as _;
use sidecar::app;
use support::{Archive, config, fill, sidecar, start_run, until};
use testkit::ReplicaSet;
use tokio_util::sync::CancellationToken;

type Test = Result<()>;

fn references(archive: &Archive) -> Vec<Reference> {
    let objects = archive.objects();
    let references = objects.iter().filter(|(key, _)| matches!(key, ObjectKey::Reference { .. }));
    references.map(|(_, path)| Reference::from_json(&std::fs::read(path).unwrap()).unwrap()).collect()
}

async fn take(set: &ReplicaSet, archive: &Archive, more: &[(&str, &str)]) -> Result<Reference> {
    let reference = app::take_reference(&config(&set.uri(), &archive.url(), more), &CancellationToken::new()).await?;
    assert!(references(archive).contains(&reference));
    Ok(reference)
}

/// What the primary shows at that moment.
async fn at_primary(set: &ReplicaSet, name: &Namespace, at: ClusterTime) -> Result<DigestSum> {
    let at = Timestamp { time: at.seconds, increment: at.increment };
    let command = doc! {
        "find": &name.coll, "filter": {}, "batchSize": 1000,
        "readConcern": { "level": "snapshot", "atClusterTime": at },
    };
    let primary = set.member_client(set.primary().await?).await?;
    let mut found = primary.database(&name.db).run_cursor_command(command).await?;
    let mut sum = DigestSum::default();
    while let Some(document) = found.try_next().await? {
        sum.add(&bson::serialize_to_vec(&document)?);
    }
    Ok(sum)
}

fn missing(reference: &Reference) -> Vec<(String, MissingReason)> {
    reference.missing.iter().map(|one| (one.namespace.to_string(), one.reason.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_under_writes_is_what_another_member_shows_at_its_moment() -> Test {
    let set = ReplicaSet::builder().members(2).start().await?;
    let client = set.client();
    testkit::load_shop(&client, 5_000, 7).await?;
    let extra = client.database("extra");
    extra.run_command(doc! { "create": "ring", "capped": true, "size": 64 << 10 }).await?;
    extra.run_command(doc! { "create": "empty" }).await?;
    extra.run_command(doc! { "create": "view", "viewOn": "ring", "pipeline": [] }).await?;
    fill(&set, "extra", "ring", 0, 100, 40).await?;
    fill(&set, "extra", "orders", 0, 60_000, 500).await?;
    client.database("admin").run_command(doc! { "createUser": "u", "pwd": "p", "roles": ["root"] }).await?;
    testkit::dataset::wait_for_majority(&client).await?;
    let writers = testkit::start_writers(&client, 3).await?;
    let orders = extra.collection::<Document>("orders");
    let updating = tokio::spawn(async move {
        for id in (0..60_000).cycle() {
            let change = doc! { "$inc": { "changes": 1 } };
            if orders.update_one(doc! { "_id": id }, change).await.is_err() {
                break;
            }
        }
    });

    let archive = Archive::new();
    let mut taken = Vec::new();
    for _ in 0..3 {
        taken.push(take(&set, &archive, &[]).await?);
    }
    let secondary = &set.hosts()[set.secondaries().await[0]];
    let mut distinct = std::collections::BTreeSet::new();
    for reference in &taken {
        assert_eq!(reference.member, *secondary);
        assert!(reference.collections.len() > 5, "{reference:?}");
        for found in &reference.collections {
            let expected = at_primary(&set, &found.namespace, reference.at).await?;
            let name = &found.namespace;
            assert_eq!((found.count, found.bytes), (expected.documents(), expected.bytes()), "{name}");
            assert_eq!(found.digest, expected.digest(), "{name}");
            distinct.insert((name.to_string(), found.digest.to_string()));
        }
        let missing = missing(reference);
        for (name, reason) in [
            ("extra.ring", MissingReason::Capped),
            ("extra.view", MissingReason::View),
            ("extra.system.views", MissingReason::System),
            ("admin.system.users", MissingReason::System),
        ] {
            assert!(missing.contains(&(name.to_owned(), reason)), "{name}: {missing:?}");
        }
    }
    let of_orders = distinct.iter().filter(|(name, _)| name == "extra.orders").count();
    assert_eq!(of_orders, 3, "there were writes between the references");
    updating.abort();
    writers.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_budget_leaves_out_is_missing_and_comes_first_the_next_time() -> Test {
    let set = ReplicaSet::single().await?;
    for name in ["a", "b"] {
        fill(&set, "shop", name, 0, 1_000, 1_000).await?;
    }
    testkit::dataset::wait_for_majority(&set.client()).await?;
    let archive = Archive::new();
    let budget = [("reference_budget", "1m, 1300kB"), ("scan_parallelism", "1")];
    let first = take(&set, &archive, &budget).await?;
    assert_eq!(missing(&first), [("shop.b".to_owned(), MissingReason::Budget)]);
    assert_eq!(take(&set, &archive, &budget).await?, first, "nothing was written, so it is the same moment");
    support::note(&set, "another moment").await?;
    let second = take(&set, &archive, &budget).await?;
    assert_eq!(missing(&second), [("shop.a".to_owned(), MissingReason::Budget)]);
    support::note(&set, "another moment").await?;
    let nothing = take(&set, &archive, &[("reference_budget", "1ms")]).await;
    assert!(nothing?.collections.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_what_it_read_and_what_not() -> Test {
    let set = ReplicaSet::single().await?;
    fill(&set, "shop", "orders", 0, 10, 10).await?;
    let ring = doc! { "create": "ring", "capped": true, "size": 64 << 10 };
    set.client().database("shop").run_command(ring).await?;
    testkit::dataset::wait_for_majority(&set.client()).await?;
    let archive = Archive::new();
    let (uri, url) = (set.uri(), archive.url());
    let done = sidecar(&["reference", "--uri", &uri, "--archive", &url, "--json"]).await;
    assert_eq!(done.exit_code, 0, "{}", done.stderr);
    let json = done.json()?;
    let stored = &references(&archive)[0];
    assert_eq!((json["command"].as_str(), json["outcome"].as_str()), (Some("reference"), Some("ok")));
    let shown = &json["reference"];
    assert_eq!(shown["at"], stored.at.to_string());
    assert_eq!((shown["collections"].as_u64(), shown["documents"].as_u64()), (Some(1), Some(10)));
    assert_eq!(shown["missing"][0]["reason"], "capped");
    let text = sidecar(&["reference", "--uri", &uri, "--archive", &url]).await;
    assert!(text.stdout.contains("not read: shop.ring (capped)"), "{text:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sidecars_the_one_that_archives_takes_the_references_of_the_schedule() -> Test {
    let set = ReplicaSet::single().await?;
    fill(&set, "shop", "orders", 0, 10, 10).await?;
    let archive = Archive::new();
    let schedule = ["--reference-schedule", "* * * * *", "--snapshot-schedule", "none"];
    let (mut one, listen) = start_run(&set.uri(), &archive, &schedule);
    let (mut other, _) = start_run(&set.uri(), &archive, &schedule);
    let limit = Duration::from_mins(3);
    until("a reference", limit, async || (!references(&archive).is_empty()).then_some(())).await?;
    let (_, status) = support::get(&listen, "/status").await?;
    let status: serde_json::Value = serde_json::from_str(&status)?;
    let archives = status["role"] == "archiving";
    let stored = |log: &str| log.matches("reference stored").count();
    assert_eq!(stored(&one.log()) + stored(&other.log()), references(&archive).len());
    let takes = one.log().contains("reference stored");
    assert_eq!(takes, archives, "{status}\n{}\n{}", one.log(), other.log());
    if one.log().contains("reference stored") {
        let (_, metrics) = support::get(&listen, "/metrics").await?;
        let line = metrics.lines().find(|line| line.starts_with("tidemark_references_completed_total"));
        assert!(line.context("the counter")?.ends_with(|last: char| last != '0'), "{line:?}");
    }
    for process in [&mut one, &mut other] {
        assert_eq!(process.terminate(Duration::from_secs(30)).await?.code(), Some(0), "{}", process.log());
    }
    Ok(())
}
