use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use bytes::Bytes;
use futures::StreamExt;

use super::{fresh, names_in, put};
use crate::error::ErrorKind;
use crate::port::{Created, ObjectStore, ObjectStoreExt, ObjectWriter};

#[tokio::test]
async fn an_object_is_a_plain_file_that_others_cannot_read() {
    let (store, folder) = fresh();
    put(&store, "a/b c/d", "content").await;
    let path = folder.path().join("a/b c/d");
    assert_eq!(std::fs::read(&path).unwrap(), b"content");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o007;
    assert_eq!((mode(&path), mode(&folder.path().join("a"))), (0, 0));
}

#[tokio::test]
async fn a_discarded_writer_leaves_no_file() {
    let (store, folder) = fresh();
    let mut dropped = store.create("a/dropped").await.unwrap();
    dropped.write(vec![1; 1_000_000].into()).await.unwrap();
    let aborted = store.create("a/aborted").await.unwrap();
    assert_eq!(names_in(&folder.path().join(".tmp")).len(), 2);
    drop(dropped);
    aborted.abort().await;
    put(&store, "b", "x").await;
    assert_eq!(store.put_new("b", "taken".into()).await.unwrap(), Created::AlreadyExists);
    store.put_mutable("control/c", "x".into()).await.unwrap();
    assert_eq!(names_in(&folder.path().join(".tmp")), Vec::<String>::new());
    assert_eq!(names_in(folder.path()), [".tmp", "b", "control"]);
}

#[tokio::test]
async fn a_writer_cancelled_half_way_publishes_nothing_afterwards() {
    let (store, _folder) = fresh();
    let mut writer = store.create("a").await.unwrap();
    // One poll hands the file to a blocking thread, and dropping the call leaves it there. Now and then that thread
    // is done before we look.
    let is_cancelled =
        async |writer: &mut Box<dyn ObjectWriter>| futures::poll!(writer.write(vec![1; 1_000_000].into())).is_pending();
    while !is_cancelled(&mut writer).await {}
    let error = writer.write(vec![2; 1_000_000].into()).await.unwrap_err();
    assert!(error.to_string().contains("cancelled"), "{error}");
    assert!(writer.finish().await.is_err());
    assert_eq!(store.head("a").await.unwrap(), None);
}

#[tokio::test]
async fn files_of_others_are_not_listed() {
    let (store, folder) = fresh();
    put(&store, "rs0/a", "x").await;
    for foreign in [".nfs0001", "rs0/.DS_Store", "back\\slash", "new\nline"] {
        File::create(folder.path().join(foreign)).unwrap();
    }
    File::create(folder.path().join(std::ffi::OsStr::from_bytes(b"\xff\xfe"))).unwrap();
    for foreign in ["lost+found", ".snapshot/rs0", "empty/folders/only"] {
        std::fs::create_dir_all(folder.path().join(foreign)).unwrap();
    }
    File::create(folder.path().join("lost+found/x")).unwrap();
    let keys: Vec<_> = store.list_all("").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(keys, ["rs0/a"]);
    assert_eq!(store.list_folders("").await.unwrap(), ["rs0"]);
}

#[tokio::test]
async fn days_that_were_moved_away_and_linked_are_still_there() {
    let (store, folder) = fresh();
    let other_disk = tempfile::tempdir().unwrap();
    std::fs::write(other_disk.path().join("slice"), "x").unwrap();
    put(&store, "oplog/d2/slice", "y").await;
    std::os::unix::fs::symlink(other_disk.path(), folder.path().join("oplog/d1")).unwrap();
    let keys: Vec<_> = store.list_all("").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(keys, ["oplog/d1/slice", "oplog/d2/slice"]);
    assert_eq!(store.list_folders("oplog/").await.unwrap(), ["d1", "d2"]);
    assert_eq!(store.get_bytes("oplog/d1/slice", 9).await.unwrap().unwrap(), "x");
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_read_is_an_error() {
    let (store, folder) = fresh();
    put(&store, "a", vec![1; 2_000_000]).await;
    let mut chunks = store.get("a", None).await.unwrap();
    let first = chunks.next().await.unwrap().unwrap();
    assert!((256 * 1024..=1024 * 1024).contains(&first.len()), "{}", first.len());
    File::options().write(true).open(folder.path().join("a")).unwrap().set_len(1_000_000).unwrap();
    let rest: Vec<_> = chunks.collect().await;
    let error = rest.into_iter().find_map(Result::err).expect("the cut was not noticed");
    assert!(error.to_string().contains("shrank"), "{error}");
    assert_eq!(error.key(), Some("a"));
}

#[tokio::test]
async fn a_vanished_root_is_not_taken_for_an_empty_archive() {
    let (store, folder) = fresh();
    put(&store, "a", "x").await;
    let writer = store.create("b/c").await.unwrap();
    std::fs::remove_dir_all(folder.path()).unwrap();
    let outcomes = [
        store.head("a").await.map(|_| ()),
        store.get("a", None).await.map(|_| ()),
        store.get_bytes("a", 9).await.map(|_| ()),
        store.list("", None, 9).await.map(|_| ()),
        store.list("x/y", None, 9).await.map(|_| ()),
        store.list_folders("").await.map(|_| ()),
        store.delete("a").await,
        store.create("x").await.map(|_| ()),
        store.put_mutable("control/x", Bytes::new()).await,
        writer.finish().await.map(|_| ()),
    ];
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::NotFound, None), "{error}");
    }
    assert!(!folder.path().exists(), "nothing may be written where a disk was");
}
