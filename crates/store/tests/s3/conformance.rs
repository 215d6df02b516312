//! The suite, in a bucket of versitygw shared by all cases, each below a prefix of its own. `MinIO` has to pass it
//! too, in the soak: it takes minutes to build.

use std::sync::atomic::{AtomicU32, Ordering};

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

mod versitygw {
    use super::*;

    static SERVER: OnceCell<S3Server> = OnceCell::const_new();

    async fn fixture() -> (Store, ()) {
        (store_in(&SERVER, Kind::Versitygw).await, ())
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

    store::conformance_suite!(
        #[ignore = "a second opinion, for the soak"]
        flat fixture
    );
}
