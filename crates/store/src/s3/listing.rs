//! Listing a bucket. `ListObjectsV2` is in byte order and takes any `start-after`, so a page is one request.

use aws_sdk_s3::types::Object;

use super::bucket::Bucket;
use super::object::timestamp;
use crate::cloud::pages::askable;
use crate::error::{ErrorKind, Operation, StoreError};
use crate::key::{validate_component, validate_key};
use crate::port::{ListPage, ListedObject, Result};

/// More than that no server puts on a page. Always asked for, and cut here: on small pages `MinIO` loses names that lie
/// beside a folder, and callers ask for whole pages anyway.
const LARGEST_PAGE: usize = 1000;

pub(super) async fn list(bucket: &Bucket, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<ListPage> {
    let client = bucket.client().await?;
    let location = &bucket.location;
    let limit = limit.clamp(1, LARGEST_PAGE);
    let mut token = start_after.and_then(|after| bucket.pages.take(prefix, after));
    let mut asked = start_after.map(|after| askable(after).to_owned());
    loop {
        let page = bucket.call(0, |_| {
            client
                .list_objects_v2()
                .bucket(&location.bucket)
                .prefix(location.name_of(prefix))
                .set_start_after(asked.as_ref().filter(|_| token.is_none()).map(|key| location.name_of(key)))
                .set_continuation_token(token.clone())
                .max_keys(i32::try_from(LARGEST_PAGE).unwrap_or(i32::MAX))
                .send()
        });
        let page = match page.await {
            Ok(page) => page,
            // A token is a convenience; a server may have forgotten what it meant.
            Err(gave_up) if token.is_some() && gave_up.failure.kind != ErrorKind::Unreachable => {
                token = None;
                continue;
            }
            Err(gave_up) => return Err(gave_up.into_error(Operation::List, prefix, bucket.shown())),
        };
        let more = page.is_truncated() == Some(true);
        let last = page.contents().last().and_then(Object::key).and_then(|name| name.strip_prefix(&location.prefix));
        let mut objects: Vec<_> = page
            .contents()
            .iter()
            .filter_map(|object| listed(&location.prefix, object))
            .filter(|object| start_after.is_none_or(|after| *object.key > *after))
            .collect();
        if objects.len() > limit {
            objects.truncate(limit);
            let next_start_after = objects.last().map(|object| object.key.clone());
            return Ok(ListPage { objects, next_start_after });
        }
        match last.filter(|_| more) {
            None if more => {
                let error = StoreError::new(ErrorKind::Other, Operation::List, bucket.shown()).with_key(prefix);
                return Err(error.with_detail("the server says that there is more, but not where"));
            }
            // Nothing of this page lies behind the start.
            Some(last) if start_after.is_some_and(|after| last <= after) => {
                (token, asked) = (None, Some(last.to_owned()));
            }
            last => {
                if let (Some(last), Some(next)) = (last, page.next_continuation_token()) {
                    bucket.pages.remember(prefix, last, next);
                }
                return Ok(ListPage { objects, next_start_after: last.map(str::to_owned) });
            }
        }
    }
}

/// Names that we would not have given, such as the empty objects by which some tools mark folders, are not ours.
fn listed(prefix: &str, object: &Object) -> Option<ListedObject> {
    let key = object.key()?.strip_prefix(prefix)?;
    validate_key(key).ok()?;
    let size = u64::try_from(object.size()?).ok()?;
    let modified = timestamp(object.last_modified()?)?;
    Some(ListedObject { key: key.to_owned(), size, modified })
}

pub(super) async fn list_folders(bucket: &Bucket, prefix: &str) -> Result<Vec<String>> {
    let client = bucket.client().await?;
    let location = &bucket.location;
    let name = location.name_of(prefix);
    let mut folders = Vec::new();
    let mut continuation: Option<String> = None;
    loop {
        let page = bucket.call(0, |_| {
            client
                .list_objects_v2()
                .bucket(&location.bucket)
                .prefix(&name)
                .delimiter("/")
                .set_continuation_token(continuation.clone())
                .send()
        });
        let page = page.await.map_err(|gave_up| gave_up.into_error(Operation::ListFolders, prefix, bucket.shown()))?;
        let found = page.common_prefixes().iter().filter_map(|folder| {
            let folder = folder.prefix()?.strip_prefix(&name)?.strip_suffix('/')?;
            validate_component(folder).is_ok().then(|| folder.to_owned())
        });
        folders.extend(found);
        let next = page.next_continuation_token().filter(|_| page.is_truncated() == Some(true)).map(str::to_owned);
        if next.is_none() || next == continuation {
            break;
        }
        continuation = next;
    }
    // By name, where the server sorts by name and `/`: `a-b` before `a`.
    folders.sort_unstable();
    folders.dedup();
    Ok(folders)
}
