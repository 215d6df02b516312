//! Documents come back byte for byte, whichever way they came into the window.

use anyhow::{Context, Result, ensure};
use e2e::Scenario;
use mongodb::bson::{Document, RawDocumentBuf, doc};
use mongodb::options::ReturnDocument;
use testkit::weird;

/// Cases 20 and 21.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_documents_are_the_same_bytes_from_the_snapshot_and_from_the_oplog() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    weird::load(&scenario.client()).await?;
    let documents = weird::documents();
    let database = scenario.client().database("replayed");
    for document in documents.iter().filter(|document| document.set_after_insert.is_empty()).step_by(2) {
        weird::insert(&database, "changed", document).await?;
    }
    scenario.begin_archiving().await?;
    for document in &documents {
        weird::insert(&database, "inserted", document).await?;
    }
    // By an update that replaces and by one that adds a field: both carry values through the oplog.
    let changed = database.collection::<RawDocumentBuf>("changed");
    for document in documents.iter().filter(|document| document.set_after_insert.is_empty()).step_by(2) {
        let bytes = RawDocumentBuf::from_bytes(document.bytes.clone())?;
        let id = bytes.get("_id")?.context("_id")?;
        let filter = doc! { "_id": { "$eq": mongodb::bson::Bson::try_from(id)? } };
        if document.bytes.len() < 1 << 20 {
            changed.update_one(filter.clone(), doc! { "$set": { "extra": { "nested": { "$literal": 1 } } } }).await?;
        } else {
            changed.update_one(filter, doc! { "$unset": { "fill": 1 } }).await?;
        }
    }
    let moment = scenario.moment().await?;
    let restored = scenario.assert_restores(&moment).await?;
    let name = format!("{}.{}", weird::DATABASE, weird::COLLECTION);
    let found = restored.state.get(&name).context("the hostile documents")?;
    ensure!(found.documents.count == documents.len() as u64);
    Ok(())
}

/// Case 16, where the scan stands at the moment between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_written_and_deleted_under_the_scan_neither_stay_nor_stop_it() -> Result<()> {
    let mut scenario = Scenario::with_faults().await?;
    scenario.fill_for_two_batches("shop", "bulk").await?;
    scenario.begin_archiving().await?;
    let write = async |statements: Document| scenario.run("shop", statements).await;
    scenario
        .snapshot_while("shop.bulk", async || {
            // 0 was scanned already, 23 was not; 50 did not exist when the scan began.
            for id in [0, 23, 50] {
                let update = doc! { "q": { "_id": id }, "u": { "$set": { "seen": true } }, "upsert": true };
                write(doc! { "update": "bulk", "updates": [update] }).await?;
                write(doc! { "delete": "bulk", "deletes": [{ "q": { "_id": id }, "limit": 1 }] }).await?;
            }
            let moved = doc! { "q": { "_id": 22 }, "u": { "$set": { "seen": 1 } } };
            write(doc! { "update": "bulk", "updates": [moved] }).await?;
            write(doc! { "delete": "bulk", "deletes": [{ "q": { "_id": 1 }, "limit": 1 }] }).await?;
            write(doc! { "insert": "bulk", "documents": [{ "_id": 1, "again": true }] }).await?;
            Ok(())
        })
        .await?;
    let moment = scenario.moment().await?;
    scenario.assert_restores(&moment).await?;
    Ok(())
}

/// Case 18.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn find_and_modify_and_retryable_writes_are_replayed_without_harm_to_the_server() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "stock", (0..50).map(|id| doc! { "_id": id, "left": 10, "tags": ["a", "b"] })).await?;
    scenario.begin_archiving().await?;
    let stock = scenario.client().database("shop").collection::<Document>("stock");
    for id in 0..20 {
        let one = doc! { "_id": id };
        match id % 4 {
            // The driver retries these: their entries carry a session, statement ids and a wish for an image.
            0 => drop(stock.find_one_and_update(one, doc! { "$inc": { "left": -1 } }).await?),
            1 => drop(
                stock
                    .find_one_and_replace(one, doc! { "replaced": true })
                    .return_document(ReturnDocument::After)
                    .await?,
            ),
            2 => drop(stock.find_one_and_delete(one).await?),
            _ => drop(
                stock
                    .find_one_and_update(doc! { "_id": 1_000 + id }, doc! { "$set": { "new": 1 } })
                    .upsert(true)
                    .await?,
            ),
        }
    }
    stock.insert_many((200..260).map(|id| doc! { "_id": id })).await?;
    stock
        .update_many(doc! { "_id": { "$gte": 30 } }, doc! { "$push": { "tags": "c" }, "$set": { "deep.x.y": 1 } })
        .await?;
    let pipeline = vec![doc! { "$set": { "tags": { "$concatArrays": ["$tags", ["d"]] }, "left": "$$REMOVE" } }];
    stock.update_one(doc! { "_id": 31 }, pipeline).await?;
    stock.update_one(doc! { "_id": 32 }, doc! { "$pull": { "tags": "a" }, "$unset": { "deep.x": 1 } }).await?;
    stock.update_one(doc! { "_id": 33 }, doc! { "$set": { "tags.7": "gap" } }).await?;
    stock.delete_many(doc! { "_id": { "$gte": 250 } }).await?;
    let moment = scenario.moment().await?;
    scenario.assert_restores(&moment).await?;
    Ok(())
}

/// Case 19.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_documents_are_updated_in_the_window() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    let database = scenario.client().database("big");
    weird::insert(&database, "documents", &weird::largest_document("first")).await?;
    scenario.begin_archiving().await?;
    weird::insert(&database, "documents", &weird::largest_document("second")).await?;
    let documents = database.collection::<Document>("documents");
    for name in ["first", "second"] {
        documents.update_one(doc! { "_id": name }, doc! { "$rename": { "fill": "full" } }).await?;
    }
    let megabyte = "x".repeat(1 << 20);
    for id in 0..40 {
        documents.insert_one(doc! { "_id": id, "text": &megabyte }).await?;
    }
    let moment = scenario.moment().await?;
    scenario.assert_restores(&moment).await?;
    Ok(())
}
