//! The server itself dies, hangs or is not there.

use std::time::{Duration, Instant};

use store::{Created, ErrorKind, ObjectStoreExt};
use testkit::S3Server;

use super::{BUCKET, MIB, Store, assert_failed, body, read};

async fn server() -> (S3Server, Store) {
    let server = S3Server::start().await.unwrap();
    server.create_bucket(BUCKET).await.unwrap();
    let store = store::open(&server.url(BUCKET, "")).unwrap();
    (server, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_goes_on_when_a_killed_server_comes_back() {
    let (mut server, store) = server().await;
    let mut writer = store.create("large").await.unwrap();
    let content = body(24 * MIB);
    writer.write(content.slice(..12 * MIB)).await.unwrap();
    server.kill();
    let writing = tokio::spawn({
        let rest = content.slice(12 * MIB..);
        async move {
            writer.write(rest).await.unwrap();
            writer.finish().await.unwrap()
        }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!writing.is_finished());
    server.restart().await.unwrap();
    assert_eq!(writing.await.unwrap(), Created::New);
    assert!(read(&*store, "large").await.unwrap() == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_server_had_not_published_is_invisible() {
    let (mut server, store) = server().await;
    assert_eq!(store.put_new("before", "x".into()).await.unwrap(), Created::New);
    let writers: Vec<_> = (0..4)
        .map(|number| {
            let store = Store::clone(&store);
            tokio::spawn(async move { store.put_new(&format!("during/{number}"), body(12 * MIB)).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(60)).await;
    server.kill();
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.restart().await.unwrap();
    for writer in writers {
        assert_eq!(writer.await.unwrap().unwrap(), Created::New);
    }
    for object in store.list_all("").await.unwrap() {
        let expected = if object.key == "before" { "x".into() } else { body(12 * MIB) };
        assert!(read(&*store, &object.key).await.unwrap() == expected, "{}", object.key);
    }
    assert_eq!(store.list_all("during/").await.unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_for_seconds_is_waited_for() {
    let (server, store) = server().await;
    assert_eq!(store.put_new("a", body(8 * MIB)).await.unwrap(), Created::New);
    server.pause().unwrap();
    let reading = tokio::spawn({
        let store = Store::clone(&store);
        async move { (read(&*store, "a").await.unwrap(), store.put_new("b", "x".into()).await.unwrap()) }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!reading.is_finished());
    server.resume().unwrap();
    let (content, created) = reading.await.unwrap();
    assert!(content == body(8 * MIB));
    assert_eq!(created, Created::New);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_in_the_error() {
    let (mut server, _) = server().await;
    let store = store::open(&format!("{}&deadline=1", server.url(BUCKET, "archive"))).unwrap();
    server.kill();
    let started = Instant::now();
    for error in [
        store.put_new("a", "x".into()).await.unwrap_err(),
        store.get_bytes("a", 9).await.unwrap_err(),
        store.head("a").await.unwrap_err(),
        store.list("", None, 9).await.unwrap_err(),
        store.clock().await.unwrap_err(),
    ] {
        assert_failed(&error, ErrorKind::Unreachable, "refused");
        assert!(error.to_string().contains(&server.endpoint()), "{error}");
        assert!(error.is_retryable() && error.attempts() > 1);
    }
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_bucket_that_was_deleted_is_not_an_empty_archive() {
    let (server, store) = server().await;
    assert_eq!(store.head("a").await.unwrap(), None);
    server.delete_bucket(BUCKET).await.unwrap();
    for error in [
        store.head("a").await.unwrap_err(),
        store.get_bytes("a", 9).await.unwrap_err(),
        store.list("", None, 9).await.unwrap_err(),
        store.list_folders("").await.unwrap_err(),
        store.put_new("a", "x".into()).await.unwrap_err(),
        store.put_mutable("control/a", "x".into()).await.unwrap_err(),
        store.delete("a").await.unwrap_err(),
    ] {
        assert_failed(&error, ErrorKind::NotFound, "no such bucket");
        assert_eq!(error.key(), None, "{error}");
    }
}
