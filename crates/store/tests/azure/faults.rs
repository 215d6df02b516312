//! Connections that break and a server that goes away. Azurite keeps connections open, so the proxy's faults strike the first
//! connections, each of one request.

use std::time::{Duration, Instant};

use store::{Created, ErrorKind, ObjectStoreExt};
use testkit::AzuriteServer;
use testkit::proxy::Fault;

use super::{MIB, assert_failed, behind_a_proxy, body, read};

#[tokio::test]
async fn a_lost_answer_does_not_turn_our_own_blob_into_somebody_elses() {
    let (proxy, store) = behind_a_proxy("").await;
    proxy.plan(|number| if number == 1 { Fault::LoseAnswer } else { Fault::Pass });
    assert_eq!(store.put_new("small", "ours".into()).await.unwrap(), Created::New);
    assert_eq!(store.put_new("small", "theirs".into()).await.unwrap(), Created::AlreadyExists);

    let (proxy, store) = behind_a_proxy("").await;
    for length in [MIB, 11 * MIB] {
        let key = format!("of-{length}");
        proxy.plan(|number| if number <= 2 { Fault::LoseAnswer } else { Fault::Pass });
        assert_eq!(store.put_new(&key, body(length)).await.unwrap(), Created::New);
        assert!(read(&*store, &key).await.unwrap() == body(length));
        assert_eq!(store.put_new(&key, body(length)).await.unwrap(), Created::AlreadyExists);
    }
}

#[tokio::test]
async fn a_read_resumes_where_the_connection_broke() {
    let (proxy, store) = behind_a_proxy("").await;
    assert_eq!(store.put_new("large", body(11 * MIB)).await.unwrap(), Created::New);
    // A fresh client has no connection from before.
    let (proxy_of_reader, reader) = (proxy, store);
    proxy_of_reader.plan(|number| if number <= 2 { Fault::CutAnswer(2 * MIB) } else { Fault::Pass });
    assert!(read(&*reader, "large").await.unwrap() == body(11 * MIB));
}

/// More than once in a row, at every place: a listing over a bad line is not a wrong endpoint.
#[tokio::test]
async fn answers_that_end_too_early_again_and_again_are_asked_for_again() {
    for length in [1, 20, 100, 200, 300, 400, 500] {
        // A fresh client has no connection from before.
        let (proxy, store) = behind_a_proxy("").await;
        proxy.plan(move |number| if number <= 3 { Fault::CutAnswer(length) } else { Fault::Pass });
        assert_eq!(store.list_all("").await.unwrap().len(), 0, "cut after {length} bytes");
        assert_eq!(proxy.connections(), 4, "cut after {length} bytes");
    }
}

#[tokio::test]
async fn a_busy_store_is_obeyed_and_an_outage_ends_with_the_deadline() {
    let (proxy, store) = behind_a_proxy("&deadline=2").await;
    let busy = || Fault::status("503 Busy", "x-ms-error-code: ServerBusy\r\n", "");
    proxy.plan(move |number| if number <= 3 { busy() } else { Fault::Pass });
    assert_eq!(store.put_new("a", "x".into()).await.unwrap(), Created::New);

    let (proxy, store) = behind_a_proxy("&deadline=2").await;
    proxy.plan(move |_| busy());
    let started = Instant::now();
    let error = store.put_new("a", "x".into()).await.unwrap_err();
    assert_failed(&error, ErrorKind::Unreachable, "slow down");
    assert!(error.attempts() > 2 && started.elapsed() < Duration::from_secs(3), "{error}");
    proxy.plan(|_| Fault::Hang);
    assert_failed(&store.head("a").await.unwrap_err(), ErrorKind::Unreachable, "no answer within");
    proxy.plan(|_| Fault::Reset);
    assert_eq!(store.list("", None, 1).await.unwrap_err().kind(), ErrorKind::Unreachable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_goes_on_when_a_stopped_server_comes_back() {
    let mut server = AzuriteServer::start().await.unwrap();
    server.create_container("stopped").await.unwrap();
    let store = store::open(&server.url("stopped", "")).unwrap();
    let mut writer = store.create("large").await.unwrap();
    let content = body(16 * MIB);
    writer.write(content.slice(..5 * MIB)).await.unwrap();
    server.stop().await.unwrap();
    let writing = tokio::spawn({
        let rest = content.slice(5 * MIB..);
        async move {
            writer.write(rest).await.unwrap();
            writer.finish().await.unwrap()
        }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!writing.is_finished());
    server.restart().await.unwrap();
    assert_eq!(writing.await.unwrap(), Created::New);
    assert!(read(&*store, "large").await.unwrap() == content);

    server.pause().unwrap();
    let reading = tokio::spawn(async move { read(&*store, "large").await.unwrap().len() });
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!reading.is_finished());
    server.resume().unwrap();
    assert_eq!(reading.await.unwrap(), content.len());
}
