//! Faults of the archive: its store, its history, its objects, and the proof that it can be restored.

use anyhow::{Context, Result, ensure};
use archive::ClusterTime;
use e2e::monitoring::{Site, Watch};
use e2e::{Bucket, Drills, oldest_entry, scenario};
use mongodb::bson::{Document, doc};
use testkit::processes;
use testkit::proxy::Fault;

/// Documents of a megabyte that certainly fill an oplog of 16.
const BULK: i32 = 500;

pub async fn faults(site: &mut Site, bucket: &Bucket, watch: &Watch) -> Result<()> {
    a_store_that_cannot_be_reached_stalls_the_archive(site, bucket, watch).await.context("a store out of reach")?;
    an_oplog_that_overruns_the_archive_leaves_a_gap(site, bucket, watch).await.context("an overrun oplog")?;
    damage_and_a_failed_drill_are_told(site, watch).await.context("damage and a failed drill")
}

async fn a_store_that_cannot_be_reached_stalls_the_archive(site: &Site, bucket: &Bucket, watch: &Watch) -> Result<()> {
    let incident = watch.incident(site.cluster);
    bucket.proxy.plan(|_| Fault::Reset);
    let stalled = incident.arrives("ArchiveStalled", "critical", &[("replset", site.cluster)]).await?;
    incident.is_held_back("RepositoryUnavailable").await?;
    bucket.proxy.plan(|_| Fault::Pass);
    incident.resolves(&stalled).await?;
    incident.paged_only_for(&["ArchiveStalled"]).await
}

async fn an_oplog_that_overruns_the_archive_leaves_a_gap(site: &Site, bucket: &Bucket, watch: &Watch) -> Result<()> {
    let incident = watch.incident(site.cluster);
    bucket.proxy.plan(|_| Fault::Reset);
    let stalled = incident.arrives("ArchiveStalled", "critical", &[("replset", site.cluster)]).await?;
    fill_the_oplog(site).await?;
    let imminent = incident.arrives("ArchiveGapImminent", "critical", &[("replset", site.cluster)]).await?;
    bucket.proxy.plan(|_| Fault::Pass);
    let gap = incident.arrives("ArchiveGap", "critical", &[("replset", site.cluster)]).await?;
    for notification in [&stalled, &imminent, &gap] {
        incident.resolves(notification).await?;
    }
    incident.paged_only_for(&["ArchiveStalled", "ArchiveGapImminent", "ArchiveGap"]).await
}

/// Until nothing is left in it of what it held before.
async fn fill_the_oplog(site: &Site) -> Result<()> {
    let client = site.set.client();
    let oplog = client.database("local").collection::<Document>("oplog.rs");
    let bulk = client.database("bulk").collection::<Document>("bulk");
    let last = oplog.find_one(doc! {}).sort(doc! { "$natural": -1 }).await?.context("an entry")?;
    let (last, fill): (ClusterTime, String) = (last.get_timestamp("ts")?.into(), "x".repeat(1 << 20));
    for id in 0..BULK {
        bulk.insert_one(doc! { "_id": id, "fill": &fill }).await?;
        if oldest_entry(&client).await? > last {
            bulk.drop().await?;
            return Ok(());
        }
    }
    anyhow::bail!("the oplog did not roll over")
}

async fn damage_and_a_failed_drill_are_told(site: &mut Site, watch: &Watch) -> Result<()> {
    let (incident, drills) = (watch.incident(site.cluster), Drills::new()?);
    take_reference(site).await?;
    let query = |count: u32| format!("[[query]]\nname = \"orders\"\nnamespace = \"shop.orders\"\ncount = {count}\n");
    let (wrong, right) = (drills.write("wrong.toml", &query(7))?, drills.write("right.toml", &query(200))?);
    let drilled = drills.ends(&site.archive, &["--queries", &wrong], 5).await?;
    ensure!(drilled["verdict"] == "FAIL", "{drilled}");

    // Sidecars verify the archive when they begin to archive, and once a day.
    site.pods[0].stop().await?;
    let segment = site.archive.segments()?.first().context("a segment")?.clone();
    let whole = site.archive.read(&segment)?;
    site.archive.truncate(&segment)?;
    site.pods[0].start().await?;
    let failed = incident.arrives("RestoreDrillFailed", "warning", &[("verdict", "fail")]).await?;
    let damaged = incident.arrives("BackupVerifyFindings", "critical", &[("replset", site.cluster)]).await?;
    let found = scenario::cli(&site.archive, &["verify", "--level", "list"]).await?;
    ensure!(found.exit_code == 5 && found.stdout.contains(&segment), "{found:?}");

    site.archive.write(&segment, &whole)?;
    let drilled = drills.ends(&site.archive, &["--queries", &right], 0).await?;
    ensure!(drilled["verdict"] == "PASS", "{drilled}");
    site.pods[0].stop().await?;
    site.pods[0].start().await?;
    incident.resolves(&damaged).await?;
    incident.resolves(&failed).await?;
    incident.paged_only_for(&["BackupVerifyFindings"]).await
}

/// What a drill compares with, archived through.
async fn take_reference(site: &Site) -> Result<()> {
    let arguments = ["reference", "--json", "--uri", &site.set.uri(), "--archive", &site.archive.url()];
    let done = processes::sidecar(arguments).await?;
    ensure!(done.exit_code == 0, "{done:?}");
    let at: ClusterTime = done.json()?["reference"]["at"].as_str().context("a moment")?.parse()?;
    site.wait("archive of the reference", async |site| Ok(site.archive.archived_through()? >= at)).await
}
