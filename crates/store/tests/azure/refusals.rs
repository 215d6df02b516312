//! What is set up wrongly: each error says what and never shows the signature.

use std::path::Path;

use store::{ErrorKind, ObjectStoreExt, StoreError};
use testkit::azurite::{ACCOUNT, ALL_PERMISSIONS, signature};

use super::{assert_failed, new_container, server};

async fn opened_with(sas: &str, folder: &Path) -> (super::Store, String) {
    let (server, container) = (server().await, new_container().await);
    let file = folder.join("sas");
    std::fs::write(&file, sas).unwrap();
    let url = format!("azblob://{ACCOUNT}/{container}/x?endpoint={}&sas_file={}", server.endpoint(), file.display());
    (store::open(&url).unwrap(), sas.split_once("sig=").unwrap().1.to_owned())
}

fn assert_silent(error: &StoreError, secret: &str) {
    assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    assert!(!format!("{error:?}").contains("sig="), "{error:?}");
}

#[tokio::test]
async fn wrong_expired_and_poor_signatures_are_refused_without_being_shown() {
    let folder = tempfile::tempdir().unwrap();
    let good = signature(ALL_PERMISSIONS, "2099-01-01T00:00:00Z").unwrap();
    let wrong = format!("{}sig=aHVudGVyMmh1bnRlcjI%3D", good.split_once("sig=").unwrap().0);
    let expired = signature(ALL_PERMISSIONS, "2020-01-01T00:00:00Z").unwrap();
    for sas in [wrong, expired] {
        let (store, secret) = opened_with(&sas, folder.path()).await;
        for error in [
            store.put_new("a", "x".into()).await.unwrap_err(),
            store.get_bytes("a", 1).await.unwrap_err(),
            store.head("a").await.unwrap_err(),
            store.list("", None, 1).await.unwrap_err(),
            store.list_folders("").await.unwrap_err(),
        ] {
            assert_failed(&error, ErrorKind::PermissionDenied, "signature");
            assert_silent(&error, &secret);
        }
    }
    let reader = signature("rl", "2099-01-01T00:00:00Z").unwrap();
    let (store, secret) = opened_with(&reader, folder.path()).await;
    assert!(store.list_all("").await.unwrap().is_empty());
    let error = store.put_new("a", "x".into()).await.unwrap_err();
    assert_failed(&error, ErrorKind::PermissionDenied, "lacks the permission");
    assert_silent(&error, &secret);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_the_signature() {
    let folder = tempfile::tempdir().unwrap();
    let sas = signature(ALL_PERMISSIONS, "2099-01-01T00:00:00Z").unwrap();
    let file = folder.path().join("sas");
    std::fs::write(&file, &sas).unwrap();
    let endpoint = "http://127.0.0.1:9";
    let url = format!("azblob://{ACCOUNT}/container/x?endpoint={endpoint}&sas_file={}&deadline=1", file.display());
    let store = store::open(&url).unwrap();
    for error in [store.put_new("a", "x".into()).await.unwrap_err(), store.list_folders("").await.unwrap_err()] {
        assert_failed(&error, ErrorKind::Unreachable, "refused");
        assert!(error.to_string().contains(endpoint) && error.is_retryable());
        assert_silent(&error, sas.split_once("sig=").unwrap().1);
    }
}

#[tokio::test]
async fn missing_credentials_are_told_before_anything_is_sent() {
    let server = server().await;
    let url = format!("azblob://{ACCOUNT}/container/x?endpoint={}&sas_file=/nowhere/sas", server.endpoint());
    let error = store::open(&url).unwrap().head("a").await.unwrap_err();
    assert_failed(&error, ErrorKind::PermissionDenied, "/nowhere/sas");
    let url = format!("azblob://{ACCOUNT}/container/x?endpoint={}&identity=cli", server.endpoint());
    let error = store::open(&url).unwrap().head("a").await.unwrap_err();
    assert_failed(&error, ErrorKind::InvalidUrl, "https");
}

#[tokio::test]
async fn a_container_that_was_deleted_is_not_an_empty_archive() {
    let (server, container) = (server().await, new_container().await);
    let store = store::open(&server.url(&container, "archive")).unwrap();
    assert_eq!(store.head("a").await.unwrap(), None);
    server.delete_container(&container).await.unwrap();
    for error in [
        store.head("a").await.unwrap_err(),
        store.get_bytes("a", 9).await.unwrap_err(),
        store.list("", None, 9).await.unwrap_err(),
        store.list_folders("").await.unwrap_err(),
        store.put_new("a", "x".into()).await.unwrap_err(),
        store.put_new("a", vec![0; 6_000_000].into()).await.unwrap_err(),
        store.put_mutable("control/a", "x".into()).await.unwrap_err(),
        store.delete("a").await.unwrap_err(),
    ] {
        assert_failed(&error, ErrorKind::NotFound, "no such container");
        assert_eq!(error.key(), None, "{error}");
    }
}

#[tokio::test]
async fn the_store_tells_its_time() {
    let (server, container) = (server().await, new_container().await);
    let store = store::open(&server.url(&container, "archive")).unwrap();
    let now = store.clock().await.unwrap().unwrap();
    assert!(jiff::Timestamp::now().duration_since(now).abs() < jiff::SignedDuration::from_secs(5));
}
