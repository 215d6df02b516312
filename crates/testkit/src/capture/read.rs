//! Reading the state of a server.

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use mongodb::bson::{RawDocumentBuf, Timestamp};
use mongodb::{Client, Database};

use super::{CollectionState, Detail, Documents, StateCapture, fields};
use crate::bson_bytes::{self, DocumentWriter};

/// Collections read side by side.
const CONCURRENCY: usize = 4;

/// Every collection outside `admin`, `config` and `local`, and the ordinary ones of `admin`.
///
/// With `at`, documents are those of that cluster time (capped collections excepted, which the server reads only as
/// they are now). Definitions are always those of now: pause DDL between `at` and the capture.
pub async fn capture(client: &Client, at: Option<Timestamp>, detail: Detail) -> Result<StateCapture> {
    capture_matching(client, at, detail, |_| true).await
}

/// As `capture`, for the namespaces (`database.collection`) that `wanted` accepts.
pub async fn capture_matching(
    client: &Client,
    at: Option<Timestamp>,
    detail: Detail,
    wanted: impl Fn(&str) -> bool,
) -> Result<StateCapture> {
    let mut entries = Vec::new();
    for name in client.list_database_names().await.context("list the databases")? {
        if name == "config" || name == "local" {
            continue;
        }
        let database = client.database(&name);
        let list = DocumentWriter::new().i32("listCollections", 1).build()?;
        for entry in read_all(&database, list).await.with_context(|| format!("list the collections of {name}"))? {
            let Some(collection) = text(&entry, "name") else { continue };
            let is_of_the_server =
                name == "admin" && (collection.starts_with("system.") || collection.starts_with("tidemark_"));
            let is_of_the_server = is_of_the_server || collection == "system.profile";
            let namespace = format!("{name}.{collection}");
            if !is_of_the_server && wanted(&namespace) {
                entries.push((namespace, database.clone(), collection, entry));
            }
        }
    }
    let read = entries.into_iter().map(async |(namespace, database, collection, entry)| {
        let state = read_collection(&database, &collection, &entry, at, detail).await;
        state.with_context(|| format!("capture {namespace}")).map(|state| (namespace, state))
    });
    let collections = futures::stream::iter(read).buffer_unordered(CONCURRENCY).try_collect().await?;
    Ok(StateCapture { at, collections })
}

async fn read_collection(
    database: &Database,
    name: &str,
    entry: &[u8],
    at: Option<Timestamp>,
    detail: Detail,
) -> Result<CollectionState> {
    let kind = text(entry, "type").unwrap_or_default();
    let raw_options = bson_bytes::get(entry, "options").map(|options| options.value).unwrap_or_default();
    let is_capped = bson_bytes::get(raw_options, "capped").is_some_and(|capped| capped.value == [1]);
    let mut state = CollectionState {
        options: fields(raw_options, &["uuid"]),
        id_index: bson_bytes::get(entry, "idIndex").map(|index| fields(index.value, &["ns"])),
        indexes: std::collections::BTreeMap::new(),
        documents: Documents::new(is_capped, detail),
        kind,
    };
    // A time-series collection is a view of its buckets, which are listed by themselves.
    if state.kind == "collection" {
        let list = DocumentWriter::new().str("listIndexes", name).build()?;
        for index in read_all(database, list).await.context("list the indexes")? {
            state.indexes.insert(text(&index, "name").unwrap_or_default(), fields(&index, &["ns"]));
        }
        let at = at.filter(|_| !is_capped);
        read_documents(database, name, at, &mut state.documents).await?;
    }
    Ok(state)
}

async fn read_documents(
    database: &Database,
    name: &str,
    at: Option<Timestamp>,
    documents: &mut Documents,
) -> Result<()> {
    let mut find = DocumentWriter::new();
    find.str("find", name).i32("batchSize", 5_000);
    find.begin_document("hint").i32("$natural", 1).end();
    if let Some(at) = at {
        find.begin_document("readConcern")
            .str("level", "snapshot")
            .timestamp("atClusterTime", at.time, at.increment)
            .end();
    }
    let mut cursor = database.run_raw_cursor_command(find.build()?).await.context("read the documents")?;
    while cursor.advance().await.context("read the documents")? {
        documents.add(cursor.current().as_bytes());
    }
    documents.finish();
    Ok(())
}

async fn read_all(database: &Database, command: RawDocumentBuf) -> Result<Vec<Vec<u8>>> {
    let mut cursor = database.run_raw_cursor_command(command).await?;
    let mut all = Vec::new();
    while cursor.advance().await? {
        all.push(cursor.current().as_bytes().to_vec());
    }
    Ok(all)
}

fn text(document: &[u8], name: &str) -> Option<String> {
    let element = bson_bytes::get(document, name).filter(|element| element.kind == bson_bytes::STRING)?;
    Some(String::from_utf8_lossy(element.value.get(4..element.value.len() - 1)?).into_owned())
}
