//! Single connections that fail, by a proxy in front of the server: nothing is lost, duplicated or mistaken.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use store::{Created, ErrorKind, ObjectStoreExt, Operation};
use testkit::proxy::Fault;
use testkit::{FaultProxy, S3Server};

use super::{BUCKET, MIB, Store, assert_failed, body, read};

async fn behind_a_proxy(parameters: &str) -> (S3Server, FaultProxy, Store) {
    let server = S3Server::start().await.unwrap();
    server.create_bucket(BUCKET).await.unwrap();
    let proxy = FaultProxy::start(server.port()).await.unwrap();
    let url = server.url_at(&proxy.endpoint(), BUCKET, "archive");
    (server, proxy, store::open(&format!("{url}{parameters}")).unwrap())
}

/// Two parts and a bit: create, two or three parts, complete, look.
async fn put_large(store: &Store, key: &str) -> Result<Created, store::StoreError> {
    store.put_new(key, body(11 * MIB)).await
}

#[tokio::test]
async fn a_lost_answer_does_not_turn_our_own_object_into_somebody_elses() {
    let (_server, proxy, store) = behind_a_proxy("").await;
    proxy.plan(|number| if number == 1 { Fault::LoseAnswer } else { Fault::Pass });
    assert_eq!(store.put_new("small", "ours".into()).await.unwrap(), Created::New);
    assert!(proxy.connections() >= 3, "the request was not sent twice");

    // The same of an object that really is somebody else's.
    proxy.plan(|number| if number == 1 { Fault::LoseAnswer } else { Fault::Pass });
    assert_eq!(store.put_new("small", "theirs".into()).await.unwrap(), Created::AlreadyExists);
    assert_eq!(read(&*store, "small").await.unwrap(), "ours");
}

#[tokio::test]
async fn any_single_lost_answer_of_a_multipart_upload_is_survived() {
    let (server, proxy, store) = behind_a_proxy("").await;
    for lost in 1..=6 {
        proxy.plan(move |number| if number == lost { Fault::LoseAnswer } else { Fault::Pass });
        let key = format!("large/{lost}");
        assert_eq!(put_large(&store, &key).await.unwrap(), Created::New, "answer {lost} was lost");
        proxy.plan(|_| Fault::Pass);
        assert!(read(&*store, &key).await.unwrap() == body(11 * MIB), "answer {lost} was lost");
    }
    // The answer that named the upload was lost once: nobody knows that one, and only a lifecycle rule finds it.
    assert_eq!(server.unfinished_uploads(BUCKET).await.unwrap(), ["archive/large/1"]);
}

#[tokio::test]
async fn resets_at_every_request_are_survived() {
    let (_server, proxy, store) = behind_a_proxy("").await;
    for reset in 1..=6 {
        proxy.plan(move |number| if number == reset { Fault::Reset } else { Fault::Pass });
        let key = format!("a/{reset}");
        assert_eq!(put_large(&store, &key).await.unwrap(), Created::New, "connection {reset} was reset");
        proxy.plan(|number| if number % 2 == 1 { Fault::Reset } else { Fault::Pass });
        assert!(read(&*store, &key).await.unwrap() == body(11 * MIB));
        assert_eq!(store.list_all("a/").await.unwrap().len(), usize::try_from(reset).unwrap());
        assert!(store.head(&key).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_store_that_asks_to_slow_down_is_obeyed() {
    let (_server, proxy, store) = behind_a_proxy("").await;
    proxy.plan(|number| if number <= 4 { Fault::slow_down() } else { Fault::Pass });
    assert_eq!(store.put_new("a", "x".into()).await.unwrap(), Created::New);

    proxy.plan(|number| match number {
        1 => Fault::status("503 Slow Down", "Retry-After: 2\r\n", "<Error><Code>SlowDown</Code></Error>"),
        _ => Fault::Pass,
    });
    let started = Instant::now();
    assert_eq!(read(&*store, "a").await.unwrap(), "x");
    assert!(started.elapsed() >= Duration::from_secs(2), "Retry-After was ignored");
}

#[tokio::test]
async fn an_outage_ends_with_the_deadline_and_a_clear_error() {
    let (_server, proxy, store) = behind_a_proxy("&deadline=2").await;
    proxy.plan(|_| Fault::slow_down());
    let started = Instant::now();
    let error = store.put_new("a", "x".into()).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_failed(&error, ErrorKind::Unreachable, "slow down");
    assert!(error.is_retryable() && error.attempts() > 2, "{error}");
    assert_eq!((error.operation(), error.key()), (Operation::Finish, Some("a")));

    proxy.plan(|_| Fault::status("500 Internal", "", "<Error><Code>InternalError</Code></Error>"));
    assert_failed(&store.list("", None, 1).await.unwrap_err(), ErrorKind::Unreachable, "InternalError");
    proxy.plan(|_| Fault::Hang);
    assert_failed(&store.head("a").await.unwrap_err(), ErrorKind::Unreachable, "no answer within");
    proxy.plan(|_| Fault::Pass);
    assert_eq!(store.head("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_read_resumes_where_the_connection_broke() {
    let (_server, proxy, store) = behind_a_proxy("").await;
    assert_eq!(put_large(&store, "large").await.unwrap(), Created::New);
    proxy.plan(|number| if number <= 3 { Fault::CutAnswer(3 * MIB) } else { Fault::Pass });
    assert!(read(&*store, "large").await.unwrap() == body(11 * MIB));
    assert_eq!(proxy.connections(), 4);

    proxy.plan(|number| if number == 1 { Fault::CutAnswer(MIB) } else { Fault::Pass });
    let range = 1_000_000..7_000_001;
    let mut chunks = store.get("large", Some(range)).await.unwrap();
    let mut found = Vec::new();
    while let Some(chunk) = chunks.next().await {
        found.extend_from_slice(&chunk.unwrap());
    }
    assert!(found == body(11 * MIB)[1_000_000..7_000_001]);
}

/// More than once in a row, at every place: a listing over a bad line is not a wrong endpoint.
#[tokio::test]
async fn answers_that_end_too_early_again_and_again_are_asked_for_again() {
    let (_server, proxy, store) = behind_a_proxy("").await;
    for name in ["a", "b", "c"] {
        assert_eq!(store.put_new(name, "x".into()).await.unwrap(), Created::New);
    }
    for length in [1, 20, 100, 250, 300, 350, 400, 500, 600, 700, 800] {
        proxy.plan(move |number| if number <= 3 { Fault::CutAnswer(length) } else { Fault::Pass });
        assert_eq!(store.list_all("").await.unwrap().len(), 3, "cut after {length} bytes");
        assert_eq!(proxy.connections(), 4, "cut after {length} bytes");
    }
}

#[tokio::test]
async fn a_read_that_never_gets_further_fails() {
    let (_server, proxy, store) = behind_a_proxy("&deadline=2").await;
    assert_eq!(store.put_new("a", body(MIB)).await.unwrap(), Created::New);
    // Enough for the head of the answer, which is below 1 KiB, and never for a byte more than that.
    let mut first = true;
    proxy.plan(move |_| if std::mem::take(&mut first) { Fault::CutAnswer(64 * 1024) } else { Fault::Reset });
    let error = read(&*store, "a").await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unreachable, Operation::Read), "{error}");
    assert_eq!(error.key(), Some("a"));
}

#[tokio::test]
async fn an_object_that_is_replaced_while_it_is_read_is_not_mixed() {
    let (_server, proxy, store) = behind_a_proxy("").await;
    store.put_mutable("control/a", body(4 * MIB)).await.unwrap();
    proxy.plan(|number| if number == 1 { Fault::CutAnswer(MIB) } else { Fault::Pass });
    let mut chunks = store.get("control/a", None).await.unwrap();
    chunks.next().await.unwrap().unwrap();
    store.put_mutable("control/a", Bytes::from(vec![9; 4 * MIB])).await.unwrap();
    let error = loop {
        match chunks.next().await.expect("a mix of two contents was read to its end") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_failed(&error, ErrorKind::Unreachable, "replaced while it was read");
}

/// pgBackRest lost files to this: AWS sends the head of its answer before it has put the parts together.
#[tokio::test]
async fn success_with_an_error_in_its_body_is_a_failure() {
    let (server, proxy, store) = behind_a_proxy("&deadline=3").await;
    let error = "<?xml version=\"1.0\"?><Error><Code>InternalError</Code><Message>We failed</Message></Error>";
    // create, three parts, complete
    proxy.plan(move |number| if number == 5 { Fault::status("200 OK", "", error) } else { Fault::Pass });
    assert_eq!(put_large(&store, "once").await.unwrap(), Created::New);

    proxy.plan(move |number| if number >= 5 { Fault::status("200 OK", "", error) } else { Fault::Pass });
    assert_failed(&put_large(&store, "always").await.unwrap_err(), ErrorKind::Unreachable, "InternalError");
    proxy.plan(|_| Fault::Pass);
    assert_eq!(store.head("always").await.unwrap(), None);
    drop(server);
}

#[tokio::test]
async fn an_acknowledged_upload_that_is_not_there_is_found_out() {
    let (_server, proxy, store) = behind_a_proxy("").await;
    let success = "<CompleteMultipartUploadResult><ETag>\"x\"</ETag></CompleteMultipartUploadResult>";
    proxy.plan(move |number| if number == 5 { Fault::status("200 OK", "", success) } else { Fault::Pass });
    let error = put_large(&store, "a").await.unwrap_err();
    assert_failed(&error, ErrorKind::Other, "acknowledged, but there is no object");
}

#[tokio::test]
async fn an_upload_given_up_half_way_leaves_no_object_and_no_parts() {
    let (server, proxy, store) = behind_a_proxy("").await;
    let mut aborted = store.create("aborted").await.unwrap();
    aborted.write(body(6 * MIB)).await.unwrap();
    let mut dropped = store.create("dropped").await.unwrap();
    dropped.write(body(12 * MIB)).await.unwrap();
    assert_eq!(server.unfinished_uploads(BUCKET).await.unwrap().len(), 2);
    assert!(store.list_all("").await.unwrap().is_empty());
    aborted.abort().await;
    drop(dropped);
    no_uploads(&server).await;

    // Parts that a server refuses for good end the upload too, and a loser takes its parts back.
    let mut refused = store.create("refused").await.unwrap();
    let denied = "<Error><Code>AccessDenied</Code></Error>";
    proxy.plan(move |number| if number == 2 { Fault::status("403 Forbidden", "", denied) } else { Fault::Pass });
    let result = async {
        refused.write(body(12 * MIB)).await?;
        refused.finish().await
    };
    assert_eq!(result.await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    proxy.plan(|_| Fault::Pass);
    assert_eq!(store.put_new("taken", "x".into()).await.unwrap(), Created::New);
    assert_eq!(put_large(&store, "taken").await.unwrap(), Created::AlreadyExists);

    no_uploads(&server).await;
    assert_eq!(store.list_all("").await.unwrap().len(), 1);
}

/// A dropped writer tells the server in the background.
async fn no_uploads(server: &S3Server) {
    let limit = Instant::now() + Duration::from_secs(5);
    while !server.unfinished_uploads(BUCKET).await.unwrap().is_empty() {
        assert!(Instant::now() < limit, "left: {:?}", server.unfinished_uploads(BUCKET).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
