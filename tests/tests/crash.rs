//! Deaths, several writers and full disks: nothing half done ever counts, and the same command goes on where it stopped.

#[path = "crash/disk.rs"]
mod disk;
#[path = "crash/export.rs"]
mod export;
#[path = "crash/failover.rs"]
mod failover;
#[path = "crash/lagging.rs"]
mod lagging;
#[path = "crash/pods.rs"]
mod pods;
#[path = "crash/restore.rs"]
mod restore;
#[path = "crash/rollback.rs"]
mod rollback;
#[path = "crash/set_back.rs"]
mod set_back;
#[path = "crash/sidecar.rs"]
mod sidecar;
#[path = "crash/stale.rs"]
mod stale;
#[path = "crash/takeover.rs"]
mod takeover;
#[path = "crash/writer.rs"]
mod writer;
#[path = "crash/writers.rs"]
mod writers;

/// From `TIDEMARK_SEED`, to repeat a run that failed; else another one each time. Printed.
fn seed() -> anyhow::Result<u64> {
    let given = std::env::var("TIDEMARK_SEED").ok().map(|text| text.parse()).transpose()?;
    let seed = given.unwrap_or_else(rand::random);
    println!("TIDEMARK_SEED={seed}");
    Ok(seed)
}
