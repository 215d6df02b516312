//! The suite, in a bucket of versitygw shared by all cases, each below a prefix of its own. `MinIO` has to pass it
//! too, in the soak: it takes minutes to build.

use std::sync::atomic::{AtomicU32, Ordering};

use futures::{StreamExt, TryStreamExt};
use store::ObjectStoreExt;
use store::conformance::Store;
use testkit::S3Server;
use testkit::s3_server::Kind;
use tokio::sync::OnceCell;

const BUCKET: &str = "conformance";

static CASES: AtomicU32 = AtomicU32::new(0);

async fn store_in(server: &'static OnceCell<S3Server>, kind: Kind) -> Store {
    let server = server
        .get_or_init(|| async {
            let server = S3Server::start_as(kind).await.unwrap();
            server.create_bucket(BUCKET).await.unwrap();
            server
        })
        .await;
    let case = CASES.fetch_add(1, Ordering::Relaxed);
    store::open(&server.url(BUCKET, &format!("some/where/{case}"))).unwrap()
}

/// Over several pages of the server, which the suite's few objects do not fill.
async fn lists_thousands(store: Store) {
    let keys: Vec<String> = (0..2500).map(|number| format!("day{:02}/{number:05}", number / 100)).collect();
    let written = futures::stream::iter(&keys).map(|key| store.put_new(key, "x".into())).buffer_unordered(32);
    let written: Vec<_> = written.try_collect().await.unwrap();
    assert_eq!(written.len(), keys.len());
    let listed: Vec<String> = store.list_all("").await.unwrap().into_iter().map(|object| object.key).collect();
    assert!(listed == keys, "{} of {} names", listed.len(), keys.len());
    let page = store.list("day", Some(&keys[1234]), 1000).await.unwrap();
    assert!(page.objects.iter().map(|object| &object.key).eq(&keys[1235..2235]));
    assert_eq!(page.next_start_after.as_ref(), Some(&keys[2234]));
    // A start that is no key, and a folder in the middle.
    let page = store.list("day05/", Some("day05/00550"), 10).await.unwrap();
    assert!(page.objects.iter().map(|object| &object.key).eq(&keys[551..561]));
    assert_eq!(store.list_folders("").await.unwrap().len(), 25);
}

mod versitygw {
    use super::*;

    static SERVER: OnceCell<S3Server> = OnceCell::const_new();

    async fn fixture() -> (Store, ()) {
        (store_in(&SERVER, Kind::Versitygw).await, ())
    }

    #[tokio::test]
    async fn thousands_of_names_are_listed_over_pages() {
        lists_thousands(fixture().await.0).await;
    }

    // It keeps objects as files, so it can promise what other servers cannot.
    store::conformance_suite!(fixture);
}

mod minio {
    use super::*;

    static SERVER: OnceCell<S3Server> = OnceCell::const_new();

    async fn fixture() -> (Store, ()) {
        (store_in(&SERVER, Kind::Minio).await, ())
    }

    #[tokio::test]
    #[ignore = "a second opinion, for the soak"]
    async fn thousands_of_names_are_listed_over_pages() {
        lists_thousands(fixture().await.0).await;
    }

    store::conformance_suite!(
        #[ignore = "a second opinion, for the soak"]
        flat fixture
    );
}
