//! What the sidecar needs of the machine it shares with `mongod`: while a snapshot is taken, and afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod support;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bson::{Binary, Document, doc, spec::BinarySubtype};
use support::{Archive, start_run};
use testkit::ReplicaSet;

const PEAK_MIB: u64 = 115;
const IDLE_MIB: u64 = 10;

/// In MiB. Of allocated memory: the program's own pages are many in a debug build.
fn allocated(pid: i32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("the field is there")?;
    Ok(line.split_whitespace().next().context("a number")?.parse::<u64>()? >> 10)
}

#[tokio::test(flavor = "multi_thread")]
async fn large_documents_are_read_within_bounds_and_leave_nothing_behind() -> Result<()> {
    let set = ReplicaSet::single().await?;
    for name in ["one", "other", "third"] {
        let collection = set.client().database("large").collection::<Document>(name);
        for id in 0..12 {
            let bytes = (0..9_u32 << 20).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 26).unwrap()).collect();
            collection.insert_one(doc! { "_id": id, "b": Binary { subtype: BinarySubtype::Generic, bytes } }).await?;
        }
    }
    let archive = Archive::new();
    let (mut running, _) = start_run(&set.uri(), &archive, &["--compression-level", "1"]);
    let mut peak = 0;
    while !running.log().contains("snapshot published") {
        assert!(running.is_running(), "{}", running.log());
        peak = peak.max(allocated(running.pid())?);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(archive.manifests()[0].totals.bytes > 36 * (9 << 20));
    assert!(peak <= PEAK_MIB, "{peak} MiB at the peak");
    let published = Instant::now();
    loop {
        let idle = allocated(running.pid())?;
        if idle <= IDLE_MIB {
            break;
        }
        assert!(published.elapsed() < Duration::from_secs(20), "{idle} MiB are kept");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}
