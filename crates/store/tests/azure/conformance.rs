//! The suite, each case below a prefix of its own in a container of its own.

use store::conformance::Store;

async fn fixture() -> (Store, ()) {
    let (server, container) = (super::server().await, super::new_container().await);
    (store::open(&server.url(&container, "some/where")).unwrap(), ())
}

store::conformance_suite!(flat fixture);
