//! Faults inside the server, by its own fail points (`enableTestCommands`): the only way to hit a moment every time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mongodb::Client;
use mongodb::bson::{Document, doc};

/// How long the held command stands. Turning the fail point off does not wake it.
const HOLD: Duration = Duration::from_secs(3);

/// A command that stands still, or will when it comes.
#[derive(Debug)]
pub struct Held {
    client: Client,
    entered_before: i64,
}

/// The next `getMore` on `namespace` stands still for three seconds.
pub async fn hold_get_more(client: &Client, namespace: &str) -> Result<Held> {
    let hold = i64::try_from(HOLD.as_millis())?;
    let data =
        doc! { "failCommands": ["getMore"], "namespace": namespace, "blockConnection": true, "blockTimeMS": hold };
    let armed = doc! { "configureFailPoint": "failCommand", "mode": { "times": 1 }, "data": data };
    let reply = client.database("admin").run_command(armed).await.context("arm the fail point")?;
    let count = reply.get("count").and_then(|count| count.as_i64().or(count.as_i32().map(i64::from)));
    Ok(Held { client: client.clone(), entered_before: count.unwrap_or(0) })
}

impl Held {
    /// Waits until the command stands, does `meanwhile` and proves that it still stood at the end of it.
    pub async fn during<T>(self, meanwhile: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
        let wait =
            doc! { "waitForFailPoint": "failCommand", "timesEntered": self.entered_before + 1, "maxTimeMS": 60_000 };
        self.client.database("admin").run_command(wait).await.context("wait for the held command")?;
        let held = Instant::now();
        let done = meanwhile().await?;
        ensure!(held.elapsed() < HOLD, "the held command was let go after {:?}, too early", held.elapsed());
        Ok(done)
    }
}

/// Turns a fail point on or off that stops the server at a named place.
pub async fn set(client: &Client, name: &str, on: bool) -> Result<Document> {
    let mode = if on { "alwaysOn" } else { "off" };
    let set = doc! { "configureFailPoint": name, "mode": mode };
    client.database("admin").run_command(set).await.with_context(|| format!("set the fail point {name}"))
}
