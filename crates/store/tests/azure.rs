//! The Azure backend against Azurite: the suite of all stores, and what goes wrong between a client and a container.

#![cfg(feature = "azure")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "azure/conformance.rs"]
mod conformance;
#[path = "azure/faults.rs"]
mod faults;
#[path = "azure/lock.rs"]
mod lock;
#[path = "azure/refusals.rs"]
mod refusals;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use futures::TryStreamExt;
use store::{ErrorKind, ObjectStore, StoreError};
use testkit::{AzuriteServer, FaultProxy};
use tokio::sync::OnceCell;

type Store = Arc<dyn ObjectStore>;

const MIB: usize = 1024 * 1024;

static SERVER: OnceCell<AzuriteServer> = OnceCell::const_new();
static CONTAINERS: AtomicU32 = AtomicU32::new(0);

/// One for all tests that do it no harm: it takes seconds to start.
async fn server() -> &'static AzuriteServer {
    SERVER.get_or_init(|| async { AzuriteServer::start().await.unwrap() }).await
}

async fn new_container() -> String {
    let name = format!("container-{}", CONTAINERS.fetch_add(1, Ordering::Relaxed));
    server().await.create_container(&name).await.unwrap();
    name
}

async fn behind_a_proxy(parameters: &str) -> (FaultProxy, Store) {
    let (server, container) = (server().await, new_container().await);
    let proxy = FaultProxy::start(server.port()).await.unwrap();
    let endpoint = format!("{}/{}", proxy.endpoint(), testkit::azurite::ACCOUNT);
    let url = server.url_at(&endpoint, &container, "archive");
    (proxy, store::open(&format!("{url}{parameters}")).unwrap())
}

fn body(length: usize) -> Bytes {
    (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect::<Vec<_>>().into()
}

async fn read(store: &dyn ObjectStore, key: &str) -> Result<Bytes, StoreError> {
    let chunks: Vec<Bytes> = store.get(key, None).await?.try_collect().await?;
    Ok(chunks.concat().into())
}

#[track_caller]
fn assert_failed(error: &StoreError, kind: ErrorKind, said: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(said), "`{said}` is not in: {error}");
}
