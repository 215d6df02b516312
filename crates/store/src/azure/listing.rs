//! Listing a container. Azure lists in byte order but goes on by opaque markers only; `startFrom` is honoured by recent
//! service versions and ignored by older ones. So what lies before the start is also dropped here, and a marker that we
//! still have is preferred: a sequence of pages costs one request each, a cold start on an old service one per 5,000
//! names before it.

use azure_core::http::{Context, Method, Request, UrlExt};
use azure_storage_blob::models::{BlobContainerClientListBlobsOptions, BlobItem, ListBlobsResponse};
use futures::StreamExt;
use serde::Deserialize;

use super::container::{Clients, Container};
use super::failure::{judge, not_azure, timestamp};
use crate::cloud::failure::Failure;
use crate::cloud::pages::askable;
use crate::error::Operation;
use crate::key::{validate_component, validate_key};
use crate::port::{ListPage, ListedObject, Result};

/// More than that Azure does not put on a page.
const LARGEST_PAGE: usize = 5000;

pub(super) async fn list(
    container: &Container,
    prefix: &str,
    start_after: Option<&str>,
    limit: usize,
) -> Result<ListPage> {
    let clients = container.clients().await?;
    let location = &container.location;
    let limit = limit.clamp(1, LARGEST_PAGE);
    let mut marker = start_after.and_then(|after| container.pages.take(prefix, after));
    loop {
        // What lies before the start should not cost a request each time: skip in large pages, then cut.
        let wanted = if marker.is_none() && start_after.is_some() { LARGEST_PAGE } else { limit };
        let page = container
            .patience()
            .run(0, |_| async {
                let options = BlobContainerClientListBlobsOptions {
                    prefix: Some(location.name_of(prefix)),
                    start_from: start_after.map(|after| location.name_of(askable(after))),
                    marker: marker.clone(),
                    maxresults: i32::try_from(wanted).ok(),
                    ..Default::default()
                };
                one_page(clients, options).await
            })
            .await;
        let page = page.map_err(|gave_up| gave_up.into_error(Operation::List, prefix, container.shown()))?;
        let next = page.next_marker.filter(|next| !next.is_empty());
        let last = page.blob_items.last().and_then(|blob| blob.name.clone());
        let last = last.and_then(|name| name.strip_prefix(&location.prefix).map(str::to_owned));
        let mut objects: Vec<_> = page
            .blob_items
            .iter()
            .filter_map(|blob| listed(&location.prefix, blob))
            .filter(|object| start_after.is_none_or(|after| *object.key > *after))
            .collect();
        if objects.len() > limit {
            objects.truncate(limit);
            let next_start_after = objects.last().map(|object| object.key.clone());
            return Ok(ListPage { objects, next_start_after });
        }
        match (next, last) {
            (None, _) => return Ok(ListPage { objects, next_start_after: None }),
            (Some(next), Some(last)) if start_after.is_none_or(|after| *last > *after) => {
                container.pages.remember(prefix, &last, &next);
                return Ok(ListPage { objects, next_start_after: Some(last) });
            }
            // Nothing of this page lies behind the start; Azure may also return a page without a name on it.
            (Some(next), _) => marker = Some(next),
        }
    }
}

async fn one_page(
    clients: &Clients,
    options: BlobContainerClientListBlobsOptions<'_>,
) -> Result<ListBlobsResponse, Failure> {
    let mut pages = clients.container.list_blobs(Some(options)).map_err(|error| judge(&error))?.into_pages();
    let page = pages.next().await.ok_or_else(|| not_azure("it has no page"))?;
    page.and_then(azure_core::http::Response::into_model).map_err(|error| judge(&error))
}

/// Names that we would not have given are not ours.
fn listed(prefix: &str, blob: &BlobItem) -> Option<ListedObject> {
    let key = blob.name.as_deref()?.strip_prefix(prefix)?;
    validate_key(key).ok()?;
    let properties = blob.properties.as_ref()?;
    let size = properties.content_length?;
    let modified = timestamp(properties.last_modified?)?;
    Some(ListedObject { key: key.to_owned(), size, modified })
}

pub(super) async fn list_folders(container: &Container, prefix: &str) -> Result<Vec<String>> {
    let clients = container.clients().await?;
    let name = container.location.name_of(prefix);
    let mut folders = Vec::new();
    let mut marker: Option<String> = None;
    loop {
        let page = container.patience().run(0, |_| level(clients, container, &name, marker.as_deref())).await;
        let page = page.map_err(|gave_up| gave_up.into_error(Operation::ListFolders, prefix, container.shown()))?;
        for entry in page.blobs.entries {
            if let Entry::BlobPrefix { name: folder } = entry {
                let folder = folder.strip_prefix(&name).and_then(|folder| folder.strip_suffix('/'));
                folders.extend(folder.filter(|folder| validate_component(folder).is_ok()).map(str::to_owned));
            }
        }
        marker = page.next_marker.filter(|next| !next.is_empty() && Some(next) != marker.as_ref());
        if marker.is_none() {
            break;
        }
    }
    // By name, where Azure sorts by name and `/`: `a-b` before `a`.
    folders.sort_unstable();
    folders.dedup();
    Ok(folders)
}

/// The SDK has no call for a listing by delimiter.
async fn level(clients: &Clients, container: &Container, prefix: &str, marker: Option<&str>) -> Result<Level, Failure> {
    let mut url = container.location.url.clone();
    let mut query = url.query_builder();
    query.set_pair("restype", "container").set_pair("comp", "list").set_pair("delimiter", "/");
    query.set_pair("prefix", prefix);
    if let Some(marker) = marker {
        query.set_pair("marker", marker);
    }
    query.build();
    let mut request = Request::new(url, Method::Get);
    request.insert_header("accept", "application/xml");
    request.insert_header("x-ms-version", clients.version.clone());
    let answer = clients.pipeline.send(&Context::new(), &mut request, None).await.map_err(|error| judge(&error))?;
    if answer.status() != azure_core::http::StatusCode::Ok {
        return Err(not_azure(&format!("HTTP {}", u16::from(answer.status()))));
    }
    azure_core::xml::from_xml(answer.body()).map_err(|error| judge(&error))
}

#[derive(Debug, Deserialize)]
struct Level {
    #[serde(rename = "Blobs")]
    blobs: Entries,
    #[serde(rename = "NextMarker")]
    next_marker: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Entries {
    #[serde(rename = "$value", default)]
    entries: Vec<Entry>,
}

/// Blobs and folders come mixed, by name.
#[derive(Debug, Deserialize)]
enum Entry {
    BlobPrefix {
        #[serde(rename = "Name")]
        name: String,
    },
    #[serde(other)]
    Other,
}
