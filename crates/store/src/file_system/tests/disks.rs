use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use super::{names_in, put};
use crate::error::{ErrorKind, StoreError};
use crate::file_system::FileStore;
use crate::port::{ObjectStore, ObjectStoreExt};

/// Held as long as a disk is used. Between its fork and its exec a process that another test starts has our files open:
/// what was removed keeps its space, and a disk with a file that is written to stays writable.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A small real file system, unmounted when dropped.
struct Disk {
    folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Disk {
    /// `None`, with the reason printed, where this process may not mount.
    async fn mount(options: &str) -> Option<Self> {
        let alone = ALONE.lock().await;
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder.path()).output();
        match output {
            Ok(output) if output.status.success() => Some(Self { folder, _alone: alone }),
            Ok(output) => {
                eprintln!("skipped, cannot mount a tmpfs: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                eprintln!("skipped, cannot run mount: {error}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(Command::new("mount").args(["-o", &options]).arg(self.path()).status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.path()).status());
    }
}

#[tokio::test]
async fn a_full_disk_is_no_space_and_stays_readable() {
    let Some(disk) = Disk::mount("size=2m").await else { return };
    let store = FileStore::open_or_create(disk.path()).unwrap();
    put(&store, "a/small", "x").await;

    let mut writer = store.create("a/large").await.unwrap();
    let error = loop {
        match writer.write(vec![7; 300_000].into()).await {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), error.key()), (ErrorKind::NoSpace, Some("a/large")), "{error}");
    assert!(!error.is_retryable());
    assert_eq!(names_in(&disk.path().join(".tmp")), Vec::<String>::new(), "the partial file gives its space back");
    assert!(writer.finish().await.is_err(), "a discarded object must not be published");

    // Small writes are gathered, so the disk may turn out full only at the end.
    let filler = store.put_new("a/filler", vec![1; 1_500_000].into()).await;
    assert!(filler.is_ok(), "{filler:?}");
    let mut writer = store.create("a/late").await.unwrap();
    for _ in 0..2 {
        writer.write(vec![2; 250_000].into()).await.unwrap();
    }
    let outcome = match writer.write(vec![3; 200_000].into()).await {
        Ok(()) => writer.finish().await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NoSpace);
    let error = store.put_mutable("control/x", vec![4; 900_000].into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");

    let keys: Vec<_> = store.list_all("").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(keys, ["a/filler", "a/small"]);
    assert_eq!(store.get_bytes("a/small", 9).await.unwrap().unwrap(), "x");
    store.delete("a/filler").await.unwrap();
    put(&store, "a/late", vec![2; 700_000]).await;
}

#[tokio::test]
async fn a_read_only_disk_is_readable_and_permission_denied_for_writing() {
    let Some(disk) = Disk::mount("size=2m").await else { return };
    put(&FileStore::open_or_create(disk.path()).unwrap(), "a/b", "x").await;
    disk.remount("ro");

    let error = FileStore::open_or_create(disk.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains(disk.path().to_str().unwrap()), "{error}");

    let store = FileStore::open(disk.path()).unwrap();
    assert_eq!(store.get_bytes("a/b", 9).await.unwrap().unwrap(), "x");
    let outcomes: [Result<(), StoreError>; 3] = [
        store.put_new("a/c", "x".into()).await.map(|_| ()),
        store.put_mutable("control/x", "x".into()).await,
        store.delete("a/b").await,
    ];
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        assert!(error.to_string().contains(disk.path().to_str().unwrap()), "{error}");
    }
}

#[tokio::test]
async fn a_folder_on_another_disk_is_refused_with_the_reason() {
    let Some(disk) = Disk::mount("size=2m").await else { return };
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(disk.path(), folder.path().join("elsewhere")).unwrap();
    let store = FileStore::open(folder.path()).unwrap();
    let error = store.put_new("elsewhere/a", "x".into()).await.unwrap_err();
    assert!(error.to_string().contains("another file system"), "{error}");
}
