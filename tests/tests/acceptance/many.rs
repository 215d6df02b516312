//! Many small collections where there is little of everything.

use anyhow::{Result, ensure};
use e2e::programs::{measure, size};
use e2e::{Scenario, scenario};
use futures::{StreamExt, TryStreamExt};
use mongodb::bson::doc;
use testkit::processes::binary;

const COLLECTIONS: u32 = 400;
const LIMIT: u64 = 256 << 20;

/// Case 44. The server is killed before it has noted how many documents there are: its fast counts are wrong then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_collections_with_wrong_counts_fit_into_one_processor_and_256_mib() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    let made = (0..COLLECTIONS).map(|number| {
        let (scenario, database, name) = (&scenario, format!("tenant{}", number % 7), format!("collection{number:04}"));
        async move {
            if number % 2 == 0 {
                scenario.run(&database, doc! { "create": &name }).await
            } else {
                scenario.insert(&database, &name, (0..3).map(|id| doc! { "_id": id })).await
            }
        }
    });
    futures::stream::iter(made).buffer_unordered(4).try_for_each(|_| async { Ok(()) }).await?;
    scenario.run("admin", doc! { "fsync": 1 }).await?;
    scenario.insert("tenant0", "collection0000", (0..500).map(|id| doc! { "_id": id })).await?;
    scenario.source.kill(0)?;
    scenario.source.restart(0).await?;
    scenario.source.wait_healthy().await?;

    scenario.begin_archiving().await?;
    let sidecar = binary("sidecar")?;
    let arguments = ["-c", "0"].map(str::to_owned).into_iter().chain([sidecar.display().to_string()]);
    let taken = measure("taskset".as_ref(), arguments.chain(scenario.sidecar_arguments("snapshot"))).await?;
    let taken = taken.succeeded("sidecar snapshot")?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let set = e2e::destination().await?;
    let (url, at, uri) = (scenario.archive.url(), moment.at.to_string(), set.uri());
    let restore = ["-c", "0", binary("dr-cli")?.to_str().unwrap_or_default(), "--archive", &url].map(str::to_owned);
    let restore = restore.into_iter().chain(scenario::restore_arguments(&at, &uri).map(str::to_owned));
    let restored = measure("taskset".as_ref(), restore).await?.succeeded("dr-cli restore")?;
    for (what, peak) in [("snapshot", taken.usage.peak_bytes), ("restore", restored.usage.peak_bytes)] {
        println!("{what}: {}", size(peak));
        ensure!(peak < LIMIT, "{what} took {}", size(peak));
    }
    let state = testkit::capture(&set.client(), None, testkit::Detail::Documents).await?;
    ensure!(moment.state.diff(&state).is_empty(), "{:#?}", moment.state.diff(&state));
    ensure!(state.get("tenant0.collection0000").is_some_and(|one| one.documents.count == 500));
    ensure!(state.collections.len() == COLLECTIONS as usize, "{}", state.collections.len());
    Ok(())
}
