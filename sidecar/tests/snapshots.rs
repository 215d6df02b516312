//! Snapshots of real replica sets, decoded from the archive with nothing but its format.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod support;

use std::time::Duration;

use anyhow::Result;
use archive::ClusterTime;
use archive::collection_page::ScanOutcome;
use archive::layout::ObjectKey;
use bson::doc;
use sidecar::app;
use sidecar::archiver::{self, ArchiverSettings};
use sidecar::error::Error;
use sidecar::lease::{self, Holder, LeaseTimes, SNAPSHOT};
use sidecar::metrics::Metrics;
use sidecar::snapshot::{CurrentSnapshot, SnapshotSettings, Snapshotter};
use support::{Archive, config, documents, fill, sidecar, sorted, start_run, until};
use testkit::{ReplicaSet, Sidecar, Standalone, with_forgotten_record_ids};
use tokio_util::sync::CancellationToken;

type Test = Result<()>;

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_holds_exactly_the_documents_and_definitions_of_the_server() -> Test {
    let set = ReplicaSet::builder().members(2).start().await?;
    let client = set.client();
    client.database("admin").run_command(doc! { "createUser": "u", "pwd": "p", "roles": ["root"] }).await?;
    testkit::weird::load(&client).await?;
    testkit::load_shop(&client, 2_000, 7).await?;
    let shop = client.database("extra");
    shop.run_command(doc! { "create": "ring", "capped": true, "size": 64 << 10 }).await?;
    shop.run_command(doc! { "create": "clustered", "clusteredIndex": { "key": { "_id": 1 }, "unique": true } }).await?;
    shop.run_command(doc! { "create": "empty" }).await?;
    shop.run_command(doc! { "create": "view", "viewOn": "ring", "pipeline": [] }).await?;
    fill(&set, "extra", "ring", 0, 3_000, 40).await?;
    fill(&set, "extra", "clustered", 0, 500, 40).await?;
    testkit::dataset::wait_for_majority(&client).await?;

    let archive = Archive::new();
    let manifest = app::take_snapshot(&config(&set.uri(), &archive.url(), &[]), &CancellationToken::new()).await?;
    assert_eq!(archive.manifests(), std::slice::from_ref(&manifest));
    assert!(set.hosts().contains(&manifest.member));

    let read = archive.read(&manifest);
    let total: usize = read.iter().map(|(_, documents)| documents.len()).sum();
    assert_eq!(manifest.totals.documents, total as u64);
    assert_eq!(manifest.totals.collections, read.len() as u64);
    let mut compared = 0;
    for (record, found) in &read {
        let (db, coll) = (&record.namespace.db, &record.namespace.coll);
        let expected = documents(&set, db, coll).await?;
        assert_eq!(sorted(found.clone()), sorted(expected.clone()), "{}", record.namespace);
        if record.options.get_bool("capped").unwrap_or(false) {
            assert_eq!(*found, expected, "a capped collection keeps its order");
            let last = bson::RawDocument::from_bytes(expected.last().unwrap())?.get("_id")?.unwrap();
            assert_eq!(record.scan.last_id.as_ref().unwrap().as_raw_bson_ref(), last);
        }
        assert_eq!(record.scan.outcome, ScanOutcome::Complete);
        compared += 1;
    }
    let names: Vec<String> = read.iter().map(|(record, _)| record.namespace.to_string()).collect();
    for wanted in ["admin.system.users", "extra.system.views", "extra.empty", "extra.clustered", "weird.documents"] {
        assert!(names.iter().any(|name| name == wanted), "{wanted} is missing in {names:?}");
    }
    assert!(names.iter().any(|name| name.contains(".system.buckets.")), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("local.") || name.starts_with("config.")), "{names:?}");
    assert!(compared > 10);
    let (clustered, _) = read.iter().find(|(record, _)| record.namespace.coll == "clustered").unwrap();
    assert!(clustered.options.get("clusteredIndex")?.is_some());
    archive.assert_unbroken();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_during_the_scan_are_covered_by_slices() -> Test {
    let set = ReplicaSet::single().await?;
    fill(&set, "shop", "orders", 0, 20_000, 300).await?;
    let writers = testkit::start_writers(&set.client(), 3).await?;
    let archive = Archive::new();
    for _ in 0..3 {
        let manifest = app::take_snapshot(&config(&set.uri(), &archive.url(), &[]), &CancellationToken::new()).await?;
        assert!(manifest.begin < manifest.end, "there were writes");
        assert!(archive.coverage().covers(manifest.begin, manifest.end));
    }
    writers.stop().await?;
    // Each attempt archives from where the one before it ended: nothing lies between.
    archive.assert_unbroken();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_snapshot_is_gone_on_with_under_its_id() -> Test {
    let set = ReplicaSet::single().await?;
    for number in 0..150 {
        fill(&set, "many", &format!("c{number}"), 0, 40, 2_000).await?;
    }
    let archive = Archive::new();
    let url = archive.url();
    let uri = set.uri();
    let args = ["snapshot", "--uri", &uri, "--archive", &url, "--scan-parallelism", "1", "--slice-span", "1s"];
    let marks = || {
        let is_mark =
            |key: &ObjectKey| matches!(key, ObjectKey::Control { path, .. } if path.as_str().contains("/done-"));
        archive.objects().iter().filter(|(key, _)| is_mark(key)).count()
    };
    let mut kills = 0;
    let mut ids = std::collections::BTreeSet::new();
    for attempt in 0..4_u64 {
        let mut process = Sidecar::run_program(std::path::Path::new(support::BINARY), args, &[])?;
        let before = marks();
        let killed = until("progress or end", Duration::from_mins(1), async || {
            let grown = archive.objects().iter().filter(|(key, _)| matches!(key, ObjectKey::Segment { .. })).count();
            if !process.is_running() {
                return Some(false);
            }
            (marks() > before || grown > 20 * (usize::try_from(attempt).unwrap() + 1)).then_some(true)
        })
        .await?;
        if killed {
            process.kill9();
            kills += 1;
            assert!(archive.manifests().is_empty(), "a killed snapshot has no manifest");
        }
        ids.extend(archive.objects().iter().filter_map(|(key, _)| key.snapshot().cloned()));
        if !killed {
            break;
        }
    }
    assert!(kills > 0, "the snapshot was never interrupted");
    let finished = sidecar(&args).await;
    assert_eq!(finished.exit_code, 0, "{}", finished.stderr);
    ids.extend(archive.objects().iter().filter_map(|(key, _)| key.snapshot().cloned()));
    assert_eq!(ids.len(), 1, "one id for all attempts");
    let manifests = archive.manifests();
    let read = archive.read(&manifests[0]);
    assert_eq!(read.len(), 150);
    for (record, found) in &read {
        assert_eq!(found.len(), 40, "{}", record.namespace);
    }
    // What the manifest does not name is gone, and so are the marks.
    let segments = archive.objects().iter().filter(|(key, _)| matches!(key, ObjectKey::Segment { .. })).count();
    assert_eq!(segments as u64, manifests[0].totals.segments);
    assert_eq!(marks(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_that_are_dropped_or_renamed_during_the_scan_do_not_fail_it() -> Test {
    let set = ReplicaSet::single().await?;
    for number in 0..6 {
        fill(&set, "shop", &format!("c{number}"), 0, 6_000, 500).await?;
    }
    let archive = Archive::new();
    let client = set.client();
    let stop = CancellationToken::new();
    let (ended, disturber) = (stop.clone(), async {
        let mut turn = 0;
        while !stop.is_cancelled() {
            let (from, to) = if turn % 2 == 0 { ("c1", "moved") } else { ("moved", "c1") };
            let rename = doc! { "renameCollection": format!("shop.{from}"), "to": format!("shop.{to}") };
            client.database("admin").run_command(rename).await?;
            turn += 1;
            if turn == 4 {
                client.database("shop").run_command(doc! { "drop": "c4" }).await?;
                client.database("shop").run_command(doc! { "drop": "c5" }).await?;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        anyhow::Ok(())
    });
    let settings = config(&set.uri(), &archive.url(), &[("scan_parallelism", "1")]);
    let taking = async {
        let manifest = app::take_snapshot(&settings, &CancellationToken::new()).await;
        ended.cancel();
        manifest
    };
    let (manifest, disturbed) = tokio::join!(taking, disturber);
    disturbed?;
    let manifest = manifest?;
    for (record, found) in archive.read(&manifest) {
        match record.scan.outcome {
            ScanOutcome::Complete => assert_eq!(found.len(), 6_000, "{}", record.namespace),
            ScanOutcome::Dropped => {
                assert!(matches!(record.namespace.coll.as_str(), "c4" | "c5"), "{}", record.namespace);
            }
        }
    }
    assert!(archive.coverage().covers(manifest.begin, manifest.end));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_backed_up_is_refused_with_its_exit_code() -> Test {
    let archive = Archive::new();
    let url = archive.url();
    let standalone = Standalone::start().await?;
    let refused = sidecar(&["snapshot", "--json", "--uri", &standalone.uri(), "--archive", &url]).await;
    assert_eq!(refused.exit_code, 2, "{}", refused.stderr);
    let json = refused.json()?;
    assert_eq!(json["outcome"], "refused");
    assert!(json["error"]["next"].as_str().unwrap().contains("--replSet"), "{json}");
    assert!(archive.objects().is_empty(), "nothing was written for a server that cannot be backed up");

    let away = sidecar(&["snapshot", "--uri", "mongodb://127.0.0.1:1/?replicaSet=x", "--archive", &url]).await;
    assert_eq!(away.exit_code, 8, "{}", away.stderr);

    let set = ReplicaSet::builder().members(1).arbiter(true).start().await?;
    let arbiter = sidecar(&["snapshot", "--uri", &set.member_uri(1), "--archive", &url]).await;
    assert_eq!(arbiter.exit_code, 2, "{}", arbiter.stderr);
    assert!(arbiter.stderr.contains("arbiter"), "{}", arbiter.stderr);
    let scheme = sidecar(&["snapshot", "--uri", &set.uri(), "--archive", "ftp://x/y"]).await;
    assert_eq!(scheme.exit_code, 2, "{}", scheme.stderr);
    let unwritable = sidecar(&["snapshot", "--uri", &set.uri(), "--archive", "file:///proc/nothing"]).await;
    assert_eq!(unwritable.exit_code, 8, "{}", unwritable.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_cluster_in_an_archive_needs_to_be_allowed() -> Test {
    let (first, second) = (ReplicaSet::single().await?, ReplicaSet::single().await?);
    let archive = Archive::new();
    let stop = CancellationToken::new();
    app::take_snapshot(&config(&first.uri(), &archive.url(), &[]), &stop).await?;
    let before = archive.objects().len();
    let refused = sidecar(&["snapshot", "--uri", &second.uri(), "--archive", &archive.url()]).await;
    assert_eq!(refused.exit_code, 9, "{}", refused.stderr);
    assert!(refused.stderr.contains("--new-lineage"), "{}", refused.stderr);
    let (mut running, _) = support::start_run(&second.uri(), &archive, &[]);
    assert_eq!(running.wait(Duration::from_secs(20)).await?.code(), Some(9));
    assert_eq!(archive.objects().len(), before, "nothing was written");
    app::take_snapshot(&config(&second.uri(), &archive.url(), &[("new_lineage", "true")]), &stop).await?;
    assert_eq!(archive.manifests().len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_cluster_names_its_parent() -> Test {
    let set = ReplicaSet::single().await?;
    let value = doc! { "lineage": "rs0-1", "restoredTo": bson::Timestamp { time: 7, increment: 2 } };
    let mark = doc! { "_id": "restore", "value": value };
    set.client().database("config").collection::<bson::Document>("tidemark_restore").insert_one(mark).await?;
    let archive = Archive::new();
    app::take_snapshot(&config(&set.uri(), &archive.url(), &[]), &CancellationToken::new()).await?;
    let (_, path) = archive.objects().into_iter().find(|(key, _)| matches!(key, ObjectKey::Lineage { .. })).unwrap();
    let record = archive::lineage::LineageRecord::from_json(&std::fs::read(path)?)?;
    let parent = record.parent.unwrap();
    assert_eq!((parent.lineage.as_str(), parent.restored_to.to_string().as_str()), ("rs0-1", "7:2"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_snapshots_at_once_one_is_refused() -> Test {
    let set = ReplicaSet::single().await?;
    fill(&set, "shop", "orders", 0, 1_000, 300).await?;
    let archive = Archive::new();
    let settings = config(&set.uri(), &archive.url(), &[]);
    let site = app::Site::open(&settings).await?;
    let stop = CancellationToken::new();
    let holder = Holder { name: "the test".to_owned(), ..Holder::own() };
    let held = lease::acquire(&site.archive, SNAPSHOT, &holder, &LeaseTimes::SNAPSHOT, &stop).await?;
    let refused = sidecar(&["snapshot", "--uri", &set.uri(), "--archive", &archive.url()]).await;
    assert_eq!(refused.exit_code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("the test since"), "{}", refused.stderr);
    held.release().await;
    let taken = sidecar(&["snapshot", "--json", "--wait", "--uri", &set.uri(), "--archive", &archive.url()]).await;
    assert_eq!(taken.exit_code, 0, "{}", taken.stderr);
    assert_eq!(taken.json()?["snapshot"]["documents"].as_u64(), Some(archive.manifests()[0].totals.documents));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_snapshot_is_cancelled_and_gone_on_with() -> Test {
    let set = ReplicaSet::single().await?;
    fill(&set, "shop", "orders", 0, 30_000, 500).await?;
    let archive = Archive::new();
    let settings = config(&set.uri(), &archive.url(), &[]);
    let stop = CancellationToken::new();
    let stopping = async {
        until("the snapshot begins", Duration::from_secs(20), async || {
            archive.objects().iter().any(|(key, _)| matches!(key, ObjectKey::SnapshotStart { .. })).then_some(())
        })
        .await
        .unwrap();
        stop.cancel();
    };
    let (result, ()) = tokio::join!(app::take_snapshot(&settings, &stop), stopping);
    let begun = archive.objects().iter().find_map(|(key, _)| key.snapshot().cloned()).unwrap();
    match result {
        Err(Error::Cancelled) => assert!(archive.manifests().is_empty()),
        other => panic!("it was too fast to be stopped: {other:?}"),
    }
    let manifest = app::take_snapshot(&settings, &CancellationToken::new()).await?;
    assert_eq!(manifest.snapshot, begun);
    assert_eq!(archive.read(&manifest).iter().map(|(_, documents)| documents.len()).max(), Some(30_000));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_what_would_fail() -> Test {
    let set = ReplicaSet::builder().auth(true).start().await?;
    let archive = Archive::new();
    let good = sidecar(&["check", "--json", "--uri", &set.uri(), "--archive", &archive.url()]).await;
    assert_eq!(good.exit_code, 0, "{}", good.stdout);
    assert!(good.json()?["checks"].as_array().unwrap().len() >= 6, "{}", good.stdout);
    assert!(archive.objects().is_empty(), "check leaves nothing behind");
    let admin = set.client().database("admin");
    let user = doc! { "createUser": "weak", "pwd": "w", "roles": [{ "role": "clusterMonitor", "db": "admin" }] };
    admin.run_command(user).await?;
    let weak = sidecar(&["check", "--uri", &set.uri_as("weak", "w"), "--archive", &archive.url()]).await;
    assert_eq!(weak.exit_code, 2, "a user without privileges is a mistake in the configuration: {}", weak.stdout);
    assert!(weak.stdout.contains("failed  privileges") && weak.stdout.contains("backup"), "{}", weak.stdout);
    for uri in [set.uri_as("weak", "w"), set.uri_as("weak", "wrong"), set.uri_as("nobody", "w")] {
        for command in ["check", "snapshot"] {
            let refused = sidecar(&[command, "--json", "--uri", &uri, "--archive", &archive.url()]).await;
            assert_eq!((refused.exit_code, &refused.json()?["error"]["kind"]), (2, &"usage".into()), "{refused:?}");
        }
    }
    assert!(archive.objects().is_empty(), "a refused user leaves nothing behind");
    let user = doc! { "createUser": "backup", "pwd": "b", "roles": [
    { "role": "backup", "db": "admin" }, { "role": "clusterMonitor", "db": "admin" } ] };
    admin.run_command(user).await?;
    let uri = set.uri_as("backup", "b");
    let enough = sidecar(&["check", "--uri", &uri, "--archive", &archive.url()]).await;
    assert_eq!(enough.exit_code, 0, "{}", enough.stdout);
    let taken = sidecar(&["snapshot", "--uri", &uri, "--archive", &archive.url()]).await;
    assert_eq!(taken.exit_code, 0, "the documented privileges are enough: {}", taken.stderr);
    Ok(())
}

/// A snapshotter whose segments are small, with an archiver of its own.
async fn small_parts(set: &ReplicaSet, archive: &Archive, stop: &CancellationToken) -> Result<Snapshotter> {
    let settings = config(&set.uri(), &archive.url(), &[]);
    let site = app::Site::open(&settings).await?;
    let metrics = Metrics::new()?;
    let archiving = ArchiverSettings {
        cut: settings.cut,
        compression_level: 1,
        grace: Duration::from_secs(5),
        for_one_snapshot: true,
        permit: None,
    };
    let (source, store) = (site.source.clone(), site.archive.clone());
    let (window, _task) = archiver::spawn(source, store, archiving, metrics.clone(), stop.clone());
    let settings = SnapshotSettings {
        compression_level: 1,
        parallelism: 2,
        lag_limit: Duration::from_secs(10),
        part_bytes: 1 << 20,
        lease: LeaseTimes::SNAPSHOT,
        holder: Holder::own(),
    };
    Ok(Snapshotter {
        source: site.source,
        archive: site.archive,
        window,
        settings,
        current: CurrentSnapshot::default(),
        metrics,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_a_large_collection_only_the_open_part_is_read_again() -> Test {
    let set = ReplicaSet::single().await?;
    fill(&set, "shop", "orders", 0, 60_000, 500).await?;
    let archive = Archive::new();
    let parts = || {
        let objects = archive.objects();
        let of_segments = objects.iter().filter_map(|(key, path)| match key {
            ObjectKey::Segment { part, .. } => Some((*part, path.metadata().unwrap().modified().unwrap())),
            _ => None,
        });
        of_segments.collect::<std::collections::BTreeMap<_, _>>()
    };
    let (stop, archiving) = (CancellationToken::new(), CancellationToken::new());
    let snapshotter = small_parts(&set, &archive, &archiving).await?;
    let stopping = async {
        until("some parts", Duration::from_secs(30), async || (parts().len() >= 5).then_some(())).await.unwrap();
        stop.cancel();
    };
    let (result, ()) = tokio::join!(snapshotter.take(&stop), stopping);
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    let kept = parts();
    let manifest = snapshotter.take(&CancellationToken::new()).await?;
    let read = archive.read(&manifest);
    let (record, found) = read.iter().find(|(record, _)| record.namespace.coll == "orders").unwrap();
    assert_eq!(sorted(found.clone()), sorted(documents(&set, "shop", "orders").await?));
    let named: Vec<u32> = record.segments.iter().map(|segment| segment.part).collect();
    let reused = kept.iter().filter(|(part, time)| named.contains(part) && parts().get(part) == Some(time)).count();
    assert!(reused >= 4, "{reused} of {} parts were kept", kept.len());
    assert!(named.len() > kept.len(), "{named:?}");
    archiving.cancel();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_snapshot_that_was_taken_over_ends_without_harm() -> Test {
    let set = ReplicaSet::single().await?;
    for number in 0..200 {
        fill(&set, "many", &format!("c{number}"), 0, 30, 1_000).await?;
    }
    let archive = Archive::new();
    let (uri, url) = (set.uri(), archive.url());
    let args = ["snapshot", "--uri", &uri, "--archive", &url, "--scan-parallelism", "1"];
    let mut first = Sidecar::run_program(std::path::Path::new(support::BINARY), args, &[])?;
    until("some segments", Duration::from_secs(30), async || {
        (archive.objects().iter().filter(|(key, _)| matches!(key, ObjectKey::Segment { .. })).count() > 10)
            .then_some(())
    })
    .await?;
    first.pause()?;
    assert!(archive.manifests().is_empty());
    let second = sidecar(&args).await;
    assert_eq!(second.exit_code, 0, "{}", second.stderr);
    let manifest = archive.manifests().pop().unwrap();
    first.resume()?;
    let code = first.wait(Duration::from_mins(1)).await?.code();
    assert!(matches!(code, Some(0 | 7)), "{code:?}: {}", first.log());
    assert_eq!(archive.manifests(), std::slice::from_ref(&manifest));
    let read = archive.read(&manifest);
    assert_eq!(read.len(), 200);
    assert!(read.iter().all(|(_, documents)| documents.len() == 30));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_records_do_not_keep_new_snapshots_from_being_taken() -> Test {
    let set = ReplicaSet::single().await?;
    fill(&set, "shop", "orders", 0, 100, 10).await?;
    let archive = Archive::new();
    let args = ["snapshot", "--uri", &set.uri(), "--archive", &archive.url()];
    assert_eq!(sidecar(&args).await.exit_code, 0);
    let before = archive.manifests().remove(0);
    let objects = archive.objects();
    let (manifest, path) = objects.iter().find(|(key, _)| matches!(key, ObjectKey::Manifest { .. })).unwrap();
    std::fs::write(path, "{")?;
    let after = ClusterTime::new(before.begin.seconds - 1, 0);
    let gap = ObjectKey::Gap { lineage: before.lineage.clone(), after, through: before.begin };
    let gap_path = archive.path().join(gap.to_string());
    std::fs::create_dir_all(gap_path.parent().unwrap())?;
    std::fs::write(&gap_path, "")?;
    fill(&set, "shop", "orders", 100, 10, 10).await?;

    let (mut running, _) = start_run(&set.uri(), &archive, &["--snapshot-schedule", "none"]);
    running.wait_for_log("snapshot published", Duration::from_secs(30)).await?;
    assert_eq!(running.terminate(Duration::from_secs(20)).await?.code(), Some(0));
    let log = running.log();
    for damaged in [manifest, &gap] {
        // Once by whoever needed it; the metrics of the archive tell of it as well.
        let told = log.lines().filter(|line| line.contains("archive_store") && line.contains(&damaged.to_string()));
        assert_eq!(told.count(), 1, "{damaged}: {log}");
    }
    std::fs::remove_file(path)?;
    let after = archive.manifests().remove(0);
    // Ids of the same second are in no order.
    assert!(after.snapshot != before.snapshot && after.begin > before.end);
    Ok(())
}

/// What a killed server applies again gets other record ids, because those of inserts that were taken back are free again:
/// the position behind the finished parts means another document by then.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_between_two_parts_loses_no_document() -> Test {
    let set = with_forgotten_record_ids("shop", "orders", 5_000).await?;
    fill(&set, "shop", "orders", 0, 60_000, 500).await?;

    let archive = Archive::new();
    let (stop, archiving) = (CancellationToken::new(), CancellationToken::new());
    let snapshotter = small_parts(&set, &archive, &archiving).await?;
    let segments = || archive.objects().iter().filter(|(key, _)| matches!(key, ObjectKey::Segment { .. })).count();
    let killing = async {
        until("some parts", Duration::from_secs(30), async || (segments() >= 5).then_some(())).await.unwrap();
        set.kill(0).unwrap();
        set.restart(0).await.unwrap();
    };
    let (result, ()) = tokio::join!(snapshotter.take(&stop), killing);
    let manifest = match result {
        Ok(manifest) => manifest,
        Err(_) => snapshotter.take(&stop).await?,
    };
    let read = archive.read(&manifest);
    let (record, found) = read.iter().find(|(record, _)| record.namespace.coll == "orders").unwrap();
    assert!(record.segments.len() > 5);
    assert_eq!(sorted(found.clone()), sorted(documents(&set, "shop", "orders").await?));
    archiving.cancel();
    Ok(())
}
