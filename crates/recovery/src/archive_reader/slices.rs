//! The slices of a lineage by their names: the one part of a catalog that grows with every few seconds of history.

use archive::catalog::{Catalog, Finding, StoredSlice};
use archive::layout::ObjectKey;
use futures::{StreamExt, TryStreamExt, stream};
use store::ListedObject;

use super::{ArchiveReader, CONCURRENT_READS, finding};
use crate::failure::Result;

/// What every store gives in one answer.
const PAGE: usize = 1_000;

#[derive(Debug, Default)]
struct Day {
    slices: Vec<StoredSlice>,
    unusable: Vec<Finding>,
}

impl Day {
    fn add(&mut self, object: ListedObject) {
        match object.key.parse::<ObjectKey>() {
            Ok(ObjectKey::Slice { id, encrypted, .. }) if object.size > 0 => {
                self.slices.push(StoredSlice { id, stored_bytes: object.size, encrypted });
            }
            Ok(ObjectKey::Slice { .. }) => self.unusable.push(finding(object.key, "it is empty")),
            _ => self.unusable.push(finding(object.key, "it is not the name of a slice")),
        }
    }
}

impl ArchiveReader {
    /// Adds everything below the folders of days, which are listed side by side: a year is some thousand pages. Names are
    /// kept no longer than their page is read.
    pub(super) async fn add_slices(&self, catalog: &mut Catalog) -> Result<()> {
        let prefix = ObjectKey::slices_prefix(&catalog.lineage);
        let days = self.store.list_folders(&prefix).await?;
        let mut listed = stream::iter(days)
            .map(|day| {
                let folder = format!("{prefix}{day}/");
                async move { self.day(&folder).await }
            })
            .buffered(CONCURRENT_READS);
        while let Some(day) = listed.try_next().await? {
            catalog.slices.extend(day.slices);
            catalog.unusable.extend(day.unusable);
        }
        Ok(())
    }

    async fn day(&self, folder: &str) -> Result<Day> {
        let mut day = Day::default();
        let mut start_after = None;
        loop {
            let page = self.store.list(folder, start_after.as_deref(), PAGE).await?;
            page.objects.into_iter().for_each(|object| day.add(object));
            start_after = page.next_start_after;
            if start_after.is_none() {
                return Ok(day);
            }
        }
    }
}
