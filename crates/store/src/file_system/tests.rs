//! What only a file system does: leftovers, foreign files, folders that vanish, full and read-only disks.

mod disks;
mod layout;
mod opening;

use std::path::Path;

use bytes::Bytes;
use tempfile::TempDir;

use super::FileStore;
use crate::port::{Created, ObjectStore, ObjectStoreExt};

fn fresh() -> (FileStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (FileStore::open_or_create(folder.path()).unwrap(), folder)
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn put(store: &dyn ObjectStore, key: &str, body: impl Into<Bytes>) {
    assert_eq!(store.put_new(key, body.into()).await.unwrap(), Created::New, "{key} existed");
}
