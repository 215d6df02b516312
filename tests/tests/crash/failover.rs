//! Elections in the destination during a restore: what the old primary alone had is written again.

use std::time::Duration;

use anyhow::{Result, ensure};
use bson::rawdoc;
use e2e::faults::{self, HeldWrite};
use e2e::scenario::restore_arguments;
use e2e::{Scenario, forge, server};
use mongodb::bson::{Document, doc};
use testkit::processes::binary;
use testkit::{Detail, Sidecar, capture};

/// Writers of a restore, and the operations of one of their batches.
const CONNECTIONS: usize = 4;
const BATCH: usize = 1_000;
/// Entries that a restore reads without writing anything: time for its driver to hear of the election.
const QUIET_ENTRIES: usize = 1_000_000;

/// The updates are acknowledged by a primary whose secondaries do not replicate. It dies while the restore reads on and
/// has nothing under way, so that no write fails: only the election itself says that something was lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_goes_on_by_itself_and_writes_again_what_only_a_dead_primary_had() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", (0..6_000).map(|id| doc! { "_id": id, "n": 0 })).await?;
    scenario.begin_archiving().await?;
    let bump = doc! { "q": {}, "u": { "$inc": { "n": 1 } }, "multi": true };
    scenario.run("shop", doc! { "update": "orders", "updates": [bump] }).await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let noop = rawdoc! { "op": "n", "ns": "", "o": { "msg": "quiet" } };
    forge::append_slice(&scenario.archive, std::iter::repeat_n(noop, QUIET_ENTRIES))?;

    let set = server().members(3).set_parameter("enableTestCommands", "1").start().await?;
    let primary = set.primary().await?;
    let old = set.member_client(primary).await?;
    let others = set.secondaries().await;
    ensure!(others.len() == 2, "{others:?}");
    let held = faults::hold_writes(&old, HeldWrite::Update, "shop.orders").await?;
    let (uri, url) = (set.uri(), scenario.archive.url());
    let arguments: Vec<&str> = ["--archive", &url].into_iter().chain(restore_arguments("latest", &uri)).collect();
    let mut first = Sidecar::run_program(&binary("dr-cli")?, &arguments, &[])?;
    held.wait_for(CONNECTIONS).await?;
    first.pause()?;
    for other in &others {
        faults::stop_replicating(&set, *other).await?;
    }
    held.release().await?;
    let orders = old.database("shop").collection::<Document>("orders");
    let acknowledged = orders.count_documents(doc! { "n": 1 }).await?;
    ensure!(acknowledged == (CONNECTIONS * BATCH) as u64, "{acknowledged} updates were sent before the quiet entries");
    set.kill(primary)?;
    for other in &others {
        faults::replicate(&set, *other).await?;
    }
    let elected = set.primary().await?;
    let orders = set.member_client(elected).await?.database("shop").collection::<Document>("orders");
    ensure!(orders.count_documents(doc! { "n": 1 }).await? == 0, "the new primary has none of them");

    first.resume()?;
    let status = first.wait(Duration::from_mins(1)).await?;
    ensure!(status.success(), "{status}: {}", first.log());
    ensure!(first.log().contains("elected another primary during the restore: the restore goes on"), "{}", first.log());
    let state = capture(&set.client(), None, Detail::Documents).await?;
    let differences = moment.state.diff(&state);
    ensure!(differences.is_empty(), "{} differences:\n{:#?}", differences.len(), differences.first());
    Ok(())
}
