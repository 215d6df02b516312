//! Immutability, by answers as the REST reference of Azure documents them: Azurite has none to show.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use store::{ErrorKind, ObjectStoreExt, Protection, RetentionMode};
use testkit::proxy::Fault;

use super::{assert_failed, behind_a_proxy};

const UNTIL: &str = "2030-01-02T03:04:05Z";
const HEAD: &str = "last-modified: Mon, 01 Jan 2029 00:00:00 GMT\r\netag: \"0x1\"\r\nx-ms-blob-type: BlockBlob\r\n\
                    x-ms-version-id: 2029-01-01T00:00:00.0000000Z\r\n";

#[tokio::test]
async fn the_protection_of_a_blob_is_read_from_its_headers() {
    let (proxy, store) = behind_a_proxy("&deadline=2").await;
    let lock = store.lock().unwrap();
    let until: Timestamp = UNTIL.parse().unwrap();
    for (headers, expected) in [
        ("", Protection::default()),
        (
            "x-ms-immutability-policy-mode: locked\r\n\
             x-ms-immutability-policy-until-date: Wed, 02 Jan 2030 03:04:05 GMT\r\n",
            Protection { retained: Some((RetentionMode::Compliance, until)), held: false },
        ),
        (
            "x-ms-immutability-policy-mode: unlocked\r\nx-ms-legal-hold: true\r\n\
             x-ms-immutability-policy-until-date: Wed, 02 Jan 2030 03:04:05 GMT\r\n",
            Protection { retained: Some((RetentionMode::Governance, until)), held: true },
        ),
        ("x-ms-legal-hold: true\r\n", Protection { retained: None, held: true }),
        ("x-ms-legal-hold: false\r\n", Protection::default()),
    ] {
        let headers = format!("{HEAD}{headers}");
        proxy.plan(move |_| Fault::status("200 OK", &headers, ""));
        assert_eq!(lock.protection("a").await.unwrap(), Some(expected));
    }
    proxy.plan(|number| match number {
        1 => Fault::status("404 Not Found", "x-ms-error-code: BlobNotFound\r\n", ""),
        _ => Fault::status("200 OK", "", ""),
    });
    assert_eq!(lock.protection("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_protected_blob_is_refused_with_its_reason() {
    let (proxy, store) = behind_a_proxy("&deadline=2").await;
    let immutable = || {
        let error = "<?xml version=\"1.0\"?><Error><Code>BlobImmutableDueToPolicy</Code>\
                     <Message>This operation is not permitted as the blob is immutable due to a policy.</Message></Error>";
        Fault::status("409 Conflict", "x-ms-error-code: BlobImmutableDueToPolicy\r\n", error)
    };
    let requests = Arc::new(Mutex::new(0));
    proxy.plan(move |number| {
        *requests.lock().unwrap() = number;
        // What is there, its name, its version.
        match number {
            1 => Fault::status("200 OK", HEAD, ""),
            2 => Fault::status("202 Accepted", "", ""),
            _ => immutable(),
        }
    });
    let error = store.lock().unwrap().purge("a").await.unwrap_err();
    assert_failed(&error, ErrorKind::PermissionDenied, "protected by its retention or a legal hold");
    assert_eq!(proxy.connections(), 3, "the version was not tried");
    proxy.plan(move |_| immutable());
    let shorter = store.lock().unwrap().retain("a", RetentionMode::Compliance, Timestamp::now()).await;
    assert_eq!(shorter.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(store.put_mutable("control/a", "x".into()).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn a_container_without_immutability_does_not_promise_it() {
    let (_proxy, store) = behind_a_proxy("&retention_days=1&retention_mode=compliance&deadline=2").await;
    let lock = store.lock().unwrap();
    assert_eq!(lock.retention().map(|retention| retention.days), Some(1));
    // Azurite takes the headers of an upload and forgets them; the proof finds that out.
    let _created = store.put_new("a", "x".into()).await;
    assert!(lock.hold("a", true).await.is_err());
}
