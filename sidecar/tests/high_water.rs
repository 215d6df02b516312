//! The high-water mark that the sidecar keeps, and what it finds when the archive has lost its end.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use archive::high_water::HighWater;
use archive::layout::ObjectKey;

use sidecar::archiver;
use sidecar::metrics::Metrics;
use store::fault::{Fault, FaultStore};
use store::{ErrorKind, MemoryStore, Operation};
use support::{Archive, archiver_settings, fill, get, note, sidecar, site, start_run, until};
use testkit::ReplicaSet;
use tokio_util::sync::CancellationToken;

type Test = Result<()>;

const LIMIT: Duration = Duration::from_secs(30);

fn mark_of(archive: &Archive) -> Option<HighWater> {
    let lineage = archive.objects().into_iter().find_map(|(key, _)| key.lineage().cloned())?;
    let bytes = std::fs::read(archive.path().join(HighWater::key(&lineage).to_string())).ok()?;
    Some(HighWater::from_json(&bytes).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mark_says_where_a_stopped_archive_ends_and_what_is_removed_then_is_found_missing() -> Test {
    let set = ReplicaSet::single().await?;
    fill(&set, "shop", "orders", 0, 10, 10).await?;
    let archive = Archive::new();
    let (mut running, listen) = start_run(&set.uri(), &archive, &[]);
    running.wait_for_log("snapshot published", LIMIT).await?;
    for kind in ["slices_missing", "snapshot_missing"] {
        let metrics = get(&listen, "/metrics").await?.1;
        assert!(metrics.contains(&format!("tidemark_archive_shortfall{{kind=\"{kind}\"}} 0")), "{metrics}");
    }
    for first in [10, 20, 30] {
        fill(&set, "shop", "orders", first, 10, 10).await?;
        let at = note(&set, "in a slice of its own").await?;
        until("archived", LIMIT, async || archive.coverage().archived_through().filter(|through| *through >= at))
            .await?;
    }
    assert_eq!(running.terminate(LIMIT).await?.code(), Some(0), "{}", running.log());
    let manifest = archive.manifests().pop().unwrap();
    let mark = mark_of(&archive).unwrap();
    let ends = archive.coverage().archived_through().unwrap();
    assert_eq!((mark.through, mark.last_snapshot.as_ref()), (ends, Some(&manifest.snapshot)));

    // The newest slice and the only manifest go; what is left fits together.
    let newest = archive.objects().into_iter().rfind(|(key, _)| matches!(key, ObjectKey::Slice { .. })).unwrap();
    std::fs::remove_file(newest.1)?;
    let published = archive.objects().into_iter().find(|(key, _)| matches!(key, ObjectKey::Manifest { .. })).unwrap();
    std::fs::remove_file(published.1)?;
    let short = archive.assert_unbroken().archived_through().unwrap();
    assert!(short < ends);
    let (mut running, listen) = start_run(&set.uri(), &archive, &[]);
    // Lines of the archiver; the metrics of the archive tell of the first as well, and may do so before.
    running.wait_for_log("the newest slices are missing", LIMIT).await?;
    running.wait_for_log(&format!("snapshot {} is missing", manifest.snapshot), LIMIT).await?;
    // The oplog still has it, so the archiver reads it again, and a new snapshot is taken at once.
    until("nothing is missing", LIMIT, async || {
        let metrics = get(&listen, "/metrics").await.unwrap().1;
        let gone = |kind: &str| metrics.contains(&format!("tidemark_archive_shortfall{{kind=\"{kind}\"}} 0"));
        (gone("slices_missing") && gone("snapshot_missing")).then_some(())
    })
    .await?;
    assert_eq!(running.terminate(LIMIT).await?.code(), Some(0), "{}", running.log());
    assert!(archive.assert_unbroken().archived_through().unwrap() >= ends);
    assert!(mark_of(&archive).unwrap().last_snapshot.unwrap() > manifest.snapshot);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_alone_leaves_a_mark_and_an_archive_without_slices_none() -> Test {
    let set = ReplicaSet::single().await?;
    let archive = Archive::new();
    // No write between begin and end: the snapshot needs no slice.
    let taken = sidecar(&["snapshot", "--uri", &set.uri(), "--archive", &archive.url()]).await;
    assert_eq!(taken.exit_code, 0, "{}", taken.stderr);
    assert_eq!(mark_of(&archive).is_some(), archive.coverage().claimed_through().is_some());
    fill(&set, "shop", "orders", 0, 10, 10).await?;
    let taken = sidecar(&["snapshot", "--uri", &set.uri(), "--archive", &archive.url()]).await;
    assert_eq!(taken.exit_code, 0, "{}", taken.stderr);
    let mark = mark_of(&archive).unwrap();
    let newest = archive.manifests().into_iter().map(|manifest| manifest.snapshot).max();
    assert_eq!((Some(mark.through), mark.last_snapshot), (archive.coverage().claimed_through(), newest));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn archiving_goes_on_while_the_mark_can_neither_be_read_nor_written() -> Test {
    let set = ReplicaSet::single().await?;
    let control = FaultStore::new(Arc::new(MemoryStore::new()));
    let (source, archive) = site(&set, Arc::new(MemoryStore::new()), Arc::new(control.clone())).await?;
    let settings = archiver_settings();
    for operation in [Operation::Get, Operation::PutMutable] {
        control.add(Fault::fail_before(operation, ErrorKind::Unreachable).on_key("archived.json").lasting());
    }
    let stop = CancellationToken::new();
    let (window, task) = archiver::spawn(source, archive.clone(), settings, Metrics::new()?, stop.clone());
    let start = window.clone().wait_started(&stop).await?;
    fill(&set, "shop", "orders", 0, 10, 10).await?;
    let end = note(&set, "archived").await?;
    window.clone().wait_archived(end, &stop).await?;
    assert!(archive.covers(start, end).await?);
    control.clear();
    stop.cancel();
    task.await??;
    assert!(archive.high_water().await?.unwrap().through >= end, "the stop wrote it");
    Ok(())
}
