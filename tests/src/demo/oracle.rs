//! What the source held at a cluster time, as the source itself shows it.

use anyhow::{Context, Result};
use archive::ClusterTime;
use mongodb::Client;
use mongodb::bson::{Timestamp, doc};
use testkit::capture::capture_matching;
use testkit::{Detail, StateCapture};

/// Capped collections have no history to read from, and a dropped collection cannot be read at all.
const UNREPEATABLE: [&str; 3] = ["events.audit", "live.ring", "shop.customers"];

/// The time of a note in the oplog that the majority holds: everything written before is at or before it.
pub async fn moment(client: &Client) -> Result<ClusterTime> {
    let note = doc! { "appendOplogNote": 1, "data": { "demo": "moment" }, "writeConcern": { "w": "majority" } };
    let reply = client.database("admin").run_command(note).await.context("write a note into the oplog")?;
    Ok(reply.get_timestamp("operationTime").context("the server's operation time")?.into())
}

/// Must be read while nobody writes.
pub async fn unrepeatable(client: &Client, at: ClusterTime) -> Result<StateCapture> {
    capture_matching(client, Some(timestamp(at)), Detail::Digest, |namespace| UNREPEATABLE.contains(&namespace)).await
}

/// May be read while others write, within the server's history of five minutes.
pub async fn repeatable(client: &Client, at: ClusterTime) -> Result<StateCapture> {
    capture_matching(client, Some(timestamp(at)), Detail::Digest, |namespace| !UNREPEATABLE.contains(&namespace)).await
}

/// Of a server at rest.
pub async fn everything(client: &Client) -> Result<StateCapture> {
    testkit::capture(client, None, Detail::Digest).await
}

fn timestamp(at: ClusterTime) -> Timestamp {
    Timestamp { time: at.seconds, increment: at.increment }
}
