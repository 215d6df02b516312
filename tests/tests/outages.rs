//! An archive in a bucket whose network and server fail: nothing is lost, nothing half done counts, and errors say why.

#[path = "outages/clock.rs"]
mod clock;
#[path = "outages/credentials.rs"]
mod credentials;
#[path = "outages/network.rs"]
mod network;
#[path = "outages/secrets.rs"]
mod secrets;

/// From `TIDEMARK_SEED`, to repeat a run that failed; else another one each time. Printed.
fn seed() -> anyhow::Result<u64> {
    let given = std::env::var("TIDEMARK_SEED").ok().map(|text| text.parse()).transpose()?;
    let seed = given.unwrap_or_else(rand::random);
    println!("TIDEMARK_SEED={seed}");
    Ok(seed)
}
