//! Faults inside the server, by its own fail points (`enableTestCommands`): the only way to hit a moment every time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::TryStreamExt;
use mongodb::Client;
use mongodb::bson::{Document, doc};
use testkit::ReplicaSet;

/// Commands that stand still, or will when they come.
#[derive(Debug)]
pub struct Held {
    client: Client,
    entered: i64,
    hold: Duration,
}

/// The next `getMore` on `namespace` stands still for three seconds.
pub async fn hold_get_more(client: &Client, namespace: &str) -> Result<Held> {
    hold_commands(client, "getMore", namespace, 1, Duration::from_secs(3)).await
}

/// The next `count` commands of this name on `namespace` stand still for so long and are carried out then, whatever has
/// become of those who sent them; turning the fail point off does not wake them. Later ones are not held.
pub async fn hold_commands(
    client: &Client,
    command: &str,
    namespace: &str,
    count: i32,
    hold: Duration,
) -> Result<Held> {
    let millis = i64::try_from(hold.as_millis())?;
    let data =
        doc! { "failCommands": [command], "namespace": namespace, "blockConnection": true, "blockTimeMS": millis };
    let armed = doc! { "configureFailPoint": "failCommand", "mode": { "times": count }, "data": data };
    let reply = client.database("admin").run_command(armed).await.context("arm the fail point")?;
    let before = reply.get("count").and_then(|count| count.as_i64().or(count.as_i32().map(i64::from)));
    Ok(Held { client: client.clone(), entered: before.unwrap_or(0) + i64::from(count), hold })
}

impl Held {
    /// Waits until the commands stand, does `meanwhile` and proves that it ended before their time.
    pub async fn during<T>(self, meanwhile: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
        let wait = doc! { "waitForFailPoint": "failCommand", "timesEntered": self.entered, "maxTimeMS": 60_000 };
        self.client.database("admin").run_command(wait).await.context("wait for the held command")?;
        let held = Instant::now();
        let done = meanwhile().await?;
        ensure!(held.elapsed() < self.hold, "the held command was let go after {:?}, too early", held.elapsed());
        Ok(done)
    }
}

/// Turns a fail point on or off that stops the server at a named place.
pub async fn set(client: &Client, name: &str, on: bool) -> Result<Document> {
    let mode = if on { "alwaysOn" } else { "off" };
    let set = doc! { "configureFailPoint": name, "mode": mode };
    client.database("admin").run_command(set).await.with_context(|| format!("set the fail point {name}"))
}

/// Where the server can be made to stand inside a command that writes; each looks at the namespace.
#[derive(Debug, Clone, Copy)]
pub enum HeldWrite {
    Insert,
    Update,
}

impl HeldWrite {
    fn fail_point(self) -> &'static str {
        match self {
            Self::Insert => "hangDuringBatchInsert",
            Self::Update => "hangDuringBatchUpdate",
        }
    }
}

/// Writes on a namespace that stand still inside the primary until they are let go. What they write is written then,
/// whatever has become of those who sent them.
#[derive(Debug)]
pub struct HeldWrites {
    client: Client,
    write: HeldWrite,
}

/// `client` is one of the primary alone.
pub async fn hold_writes(client: &Client, write: HeldWrite, namespace: &str) -> Result<HeldWrites> {
    let armed =
        doc! { "configureFailPoint": write.fail_point(), "mode": "alwaysOn", "data": doc! { "nss": namespace } };
    client.database("admin").run_command(armed).await.context("arm the fail point")?;
    Ok(HeldWrites { client: client.clone(), write })
}

impl HeldWrites {
    /// Waits until exactly this many commands stand.
    pub async fn wait_for(&self, count: usize) -> Result<()> {
        let standing = doc! { "failpointMsg": self.write.fail_point() };
        until("the writes stand", async || Ok(operations(&self.client, standing.clone()).await? == count)).await
    }

    /// Lets them go, and waits until the server is done with every command of a restore.
    pub async fn release(self) -> Result<()> {
        set(&self.client, self.write.fail_point(), false).await?;
        restores_are_done(&self.client).await
    }
}

/// Waits until the server is done with every command of a restore.
pub async fn restores_are_done(client: &Client) -> Result<()> {
    // The driver watches the server by a `hello` that stands open all the time.
    let restoring = doc! { "appName": { "$regex": "^tidemark-restore" }, "command.hello": { "$exists": false } };
    until("the restore's commands are done", async || Ok(operations(client, restoring.clone()).await? == 0)).await
}

async fn operations(client: &Client, matching: Document) -> Result<usize> {
    let mut active = doc! { "active": true };
    active.extend(matching);
    let pipeline = [doc! { "$currentOp": { "allUsers": true } }, doc! { "$match": active }];
    let found: Vec<Document> = client.database("admin").aggregate(pipeline).await?.try_collect().await?;
    Ok(found.len())
}

/// The member takes over nothing more from the others, until `replicate`; it votes and answers as before.
pub async fn stop_replicating(set: &ReplicaSet, member: usize) -> Result<()> {
    const STOPPED: &str = "stopReplProducer fail point enabled";
    let count = || std::fs::read_to_string(set.log(member)).map(|log| log.matches(STOPPED).count());
    let before = count()?;
    self::set(&set.member_client(member).await?, "stopReplProducer", true).await?;
    until("the member stops replicating", async || Ok(count()? > before)).await
}

pub async fn replicate(set: &ReplicaSet, member: usize) -> Result<()> {
    self::set(&set.member_client(member).await?, "stopReplProducer", false).await.map(|_| ())
}

/// Waits for a fact.
pub async fn until(what: &str, fact: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let limit = Instant::now() + Duration::from_secs(30);
    while !fact().await.with_context(|| format!("wait until {what}"))? {
        ensure!(Instant::now() < limit, "not within 30 s: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
