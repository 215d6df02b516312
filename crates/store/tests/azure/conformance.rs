//! The suite, in a container shared by all cases, each below a prefix of its own: Azurite takes seconds to start.

use std::sync::atomic::{AtomicU32, Ordering};

use store::conformance::Store;
use testkit::AzuriteServer;
use tokio::sync::OnceCell;

const CONTAINER: &str = "conformance";

static SERVER: OnceCell<AzuriteServer> = OnceCell::const_new();
static CASES: AtomicU32 = AtomicU32::new(0);

async fn fixture() -> (Store, ()) {
    let server = SERVER
        .get_or_init(|| async {
            let server = AzuriteServer::start().await.unwrap();
            server.create_container(CONTAINER).await.unwrap();
            server
        })
        .await;
    let case = CASES.fetch_add(1, Ordering::Relaxed);
    (store::open(&server.url(CONTAINER, &format!("some/where/{case}"))).unwrap(), ())
}

store::conformance_suite!(flat fixture);
