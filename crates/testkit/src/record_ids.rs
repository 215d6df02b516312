//! Record ids that a server forgets about when it is killed.

use anyhow::Result;
use mongodb::bson::{Document, doc};

use crate::ReplicaSet;

/// A member without checkpoints of its own, and a collection in it whose first `count` record ids belong to inserts that were
/// taken back. While it runs nobody gets them again; killed, it applies what came later with ids that are smaller by as many.
pub async fn with_forgotten_record_ids(database: &str, collection: &str, count: i32) -> Result<ReplicaSet> {
    let set = ReplicaSet::builder().argument("--syncdelay").argument("3600").start().await?;
    let client = set.client();
    client.database(database).create_collection(collection).await?;
    client.database("admin").run_command(doc! { "fsync": 1 }).await?;
    let documents = client.database(database).collection::<Document>(collection);
    let mut session = client.start_session().await?;
    session.start_transaction().await?;
    documents.insert_many((0..count).map(|id| doc! { "_id": -id - 1 })).session(&mut session).await?;
    session.abort_transaction().await?;
    Ok(set)
}
