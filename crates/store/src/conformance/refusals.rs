//! What no store does, whoever asks.

use bytes::Bytes;

use super::{Store, keys, put, read};
use crate::error::ErrorKind;
use crate::port::ObjectStoreExt;

pub async fn hostile_keys_are_refused(store: Store) {
    let long = "x".repeat(256);
    let deep = "x/".repeat(600) + "x";
    put(&store, "a/b", b"x").await;
    for key in [
        "",
        "/",
        "/etc/passwd",
        "a/",
        "a//b",
        ".",
        "..",
        "../x",
        "a/../b",
        "a/./b",
        "a/..",
        ".tmp/x",
        "control/../x",
        "a\\b",
        "a\0b",
        "a\nb",
        "control/a\u{7f}",
        "lost+found",
        "a/b.",
        &long,
        &deep,
    ] {
        let outcomes = [
            store.create(key).await.map(|_| ()),
            store.put_new(key, Bytes::new()).await.map(|_| ()),
            store.put_mutable(key, Bytes::new()).await,
            store.get(key, None).await.map(|_| ()),
            store.head(key).await.map(|_| ()),
            store.delete(key).await,
        ];
        for outcome in outcomes {
            let error = outcome.expect_err(key);
            assert_eq!(error.kind(), ErrorKind::InvalidKey, "{error}");
            assert!(!error.to_string().contains(char::is_control), "{error:?}");
        }
    }
    for prefix in ["/", "..", "../", "a/../", "a/..", "a//", "a\0", "\\"] {
        assert_eq!(store.list(prefix, None, 10).await.unwrap_err().kind(), ErrorKind::InvalidKey, "{prefix:?}");
        assert_eq!(store.list_folders(prefix).await.unwrap_err().kind(), ErrorKind::InvalidKey, "{prefix:?}");
    }
    // A start is only compared, so any text will do.
    assert_eq!(store.list("", Some("../\0"), 10).await.unwrap().objects.len(), 1);
    assert_eq!(keys(&store, "").await, ["a/b"]);
}

pub async fn immutable_keys_cannot_be_overwritten(store: Store) {
    put(&store, "rs0/lineage.json", b"x").await;
    for key in ["rs0/lineage.json", "archive.json", "rs0/controls/x", "control"] {
        let error = store.put_mutable(key, Bytes::from_static(b"y")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey, "{error}");
    }
    assert_eq!(read(&store, "rs0/lineage.json").await, b"x");
    assert_eq!(keys(&store, "").await, ["rs0/lineage.json"]);
}

pub async fn a_name_is_an_object_or_a_folder(store: Store) {
    put(&store, "control/a/b", b"x").await;
    for (key, why) in [("control/a", "is a folder"), ("control/a/b/c", "is below an object")] {
        let error = store.put_new(key, Bytes::from_static(b"y")).await.expect_err(why);
        assert_eq!(error.kind(), ErrorKind::InvalidKey, "{error}");
        let error = store.put_mutable(key, Bytes::from_static(b"y")).await.expect_err(why);
        assert_eq!(error.kind(), ErrorKind::InvalidKey, "{error}");
    }
    assert_eq!(keys(&store, "").await, ["control/a/b"]);
    assert_eq!(read(&store, "control/a/b").await, b"x");
}
